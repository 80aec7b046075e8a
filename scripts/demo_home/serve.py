"""Leaves Home Assistant's frontend up, on a copy of what the demo has made."""

import asyncio
from collections.abc import Mapping
import contextlib
import json
import os
from pathlib import Path
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import aiohttp

from .home import Home
from .recorded_server import recorded_services

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-live" / "bin" / "python"
USER = "demo"
STARTS_WITHIN = 180
"""Seconds; the first start of a new environment compiles everything it imports."""
KEPT = (".storage", "strata")
"""What of the demo's configuration is taken over: the registries, the entries and the recorded history."""

_CONFIGURATION = """\
homeassistant:
  name: Strata demo
  latitude: 52.52
  longitude: 13.4
  elevation: 34
  country: DE
  currency: EUR
  time_zone: {timezone}
  unit_system: metric
api:
config:
energy:
frontend:
history:
recorder:
system_health:
logger:
  default: warning
simulated_home: {settings}
"""
_COMPONENT = '''\
"""The demo's home, alive in a running Home Assistant."""

from scripts.demo_home.live_home import async_setup

__all__ = ["async_setup"]
'''


def ready_to_serve() -> bool:
    """Make the environment with Home Assistant's frontend; tell whether there is one now."""
    done = subprocess.run([ROOT / "scripts" / "setup", "--live"], check=False)
    if done.returncode or not PYTHON.exists():
        print("demo: --serve needs .venv-live, which could not be had (see above)", file=sys.stderr)
        return False
    return True


def serve(made: Path, home: Home, *, is_history: bool) -> int:
    """Serve a copy of the configuration folder until interrupted; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="strata-demo-serve-") as name:
        folder = Path(name)
        for part in KEPT:
            shutil.copytree(made / part, folder / part)
        port, password = _free_port(), secrets.token_urlsafe(9)
        account = ["--port", str(port), "--user", USER, "--password", password]
        live_config = ROOT / "scripts" / "live_config.py"
        if subprocess.run([PYTHON, live_config, folder, *account], check=False).returncode:
            print("demo: the configuration for the frontend could not be made", file=sys.stderr)
            return 1
        _add_home(folder)
        try:
            return asyncio.run(_serve(folder, home, port, password, is_history=is_history))
        except KeyboardInterrupt:
            return 0


def _free_port() -> int:
    for wanted in (8123, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", wanted))
            port: int = probe.getsockname()[1]
            return port
    raise RuntimeError("there is no free port on 127.0.0.1")


def _add_home(folder: Path) -> None:
    """Add the simulated home as an integration that is set up before Strata, so that it has something to ask."""
    components = folder / "custom_components"
    (components / "__init__.py").touch()
    (components / "simulated_home").mkdir()
    (components / "simulated_home" / "__init__.py").write_text(_COMPONENT, encoding="utf-8")
    manifest = {"domain": "simulated_home", "name": "Simulated home", "version": "1.0.0", "codeowners": []}
    more = {"documentation": "https://github.com/strata-home/strata", "iot_class": "calculated", "requirements": []}
    _write_manifest(components / "simulated_home", manifest | more)
    ours = components / "strata"
    integration = ours.resolve()
    ours.unlink()
    ours.mkdir()
    for part in integration.iterdir():
        if part.name not in {"manifest.json", "__pycache__"}:
            (ours / part.name).symlink_to(part)
    manifest = json.loads((integration / "manifest.json").read_text(encoding="utf-8"))
    _write_manifest(ours, {**manifest, "dependencies": [*manifest.get("dependencies", []), "simulated_home"]})


def _write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _configure(folder: Path, timezone: str, settings: Mapping[str, object]) -> None:
    text = _CONFIGURATION.format(timezone=timezone, settings=json.dumps(settings))
    (folder / "configuration.yaml").write_text(text, encoding="utf-8")


async def _serve(folder: Path, home: Home, port: int, password: str, *, is_history: bool) -> int:
    stopped = asyncio.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(kind, stopped.set)
    async with recorded_services([]) as base_urls:
        settings = {"base_urls": base_urls, "alive": not is_history}
        await asyncio.to_thread(_configure, folder, home.timezone, settings)
        # A group of its own, so that an interrupt reaches it through us and only once.
        command = (PYTHON, "-P", "-m", "homeassistant", "--config", folder, "--skip-pip")
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ended = asyncio.create_task(process.wait())
        asked_to_stop = asyncio.create_task(stopped.wait())
        try:
            if not await _answers(port, ended, asked_to_stop):
                return 0 if stopped.is_set() else _did_not_start(folder)
            print(f"\nHome Assistant is up on http://127.0.0.1:{port}  user {USER}  password {password}")
            print("The sources are played on loopback; Ctrl-C ends it.", flush=True)
            await asyncio.wait({ended, asked_to_stop}, return_when=asyncio.FIRST_COMPLETED)
            return 0 if stopped.is_set() else _did_not_start(folder)
        finally:
            asked_to_stop.cancel()
            await _end(process, ended)


async def _answers(port: int, ended: asyncio.Task[int], asked_to_stop: asyncio.Task[bool]) -> bool:
    """Wait until the frontend answers; False when Home Assistant ends or we are asked to stop before it does."""
    print("starting Home Assistant's frontend", flush=True)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        for _ in range(STARTS_WITHIN):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"http://127.0.0.1:{port}/manifest.json") as response:
                    if response.status == 200:
                        return True
            await asyncio.wait({ended, asked_to_stop}, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() or asked_to_stop.done():
                return False
    return False


def _did_not_start(folder: Path) -> int:
    log = folder / "home-assistant.log"
    tail = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else "(it has written no log)"
    print(f"demo: Home Assistant's frontend does not run:\n{tail}", file=sys.stderr)
    return 1


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    if process.returncode is None:
        process.terminate()
        _, late = await asyncio.wait({ended}, timeout=60)
        if late:
            process.kill()
            await ended
