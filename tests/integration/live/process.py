"""A Home Assistant process on a configuration folder of its own, as scripts/develop would start it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.metadata import distribution
import json
import os
from pathlib import Path
import re
import signal
import socket
import subprocess
from time import monotonic, sleep
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[3]
COMPONENTS = Path(__file__).parent / "components"
USER, PASSWORD = "ada", "lovelace-1815"

BERLIN = {"country: GB": "country: DE", "currency: GBP": "currency: EUR", "Europe/London": "Europe/Berlin"}
"""The home of scripts/live_config.py, moved to where the recorded prices are from."""

ENTITIES = """
input_number:
  grid_carbon:
    name: Grid carbon
    initial: 245
    min: 0
    max: 1000
    unit_of_measurement: gCO2eq/kWh
  wind_share:
    name: Wind share
    initial: 40
    min: 0
    max: 100
    unit_of_measurement: "%"
"""
"""What the home has that a source can be made of."""

BOOT_LIMIT, STOP_LIMIT, WAIT_LIMIT = 60.0, 30.0, 15.0
"""Seconds."""

COMPLAINTS = re.compile(
    r"Detected (that custom integration|code that|blocking call)"
    r"|(WARNING|ERROR|CRITICAL) .*\[custom_components\.strata\b"
    r"|Exception in |Error doing job|never awaited|deprecated .*\bstrata\b|\bstrata\b.* deprecated"
)
"""What loop protection, deprecation reports, lost exceptions and our own complaints look like in the log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lend(folder: Path, package: str) -> None:
    """Link a package of the tests' own environment, and what says that it is installed, into `folder`.

    Home Assistant installs what an archive needs by itself, but here it may not. Both environments have one Python.
    """
    installed = distribution(package)
    for part in {file.parts[0] for file in installed.files or ()} - {".."}:
        (folder / part).symlink_to(Path(str(installed.locate_file(part))))


def wait_for[T](look: Callable[[], T | None], what: str, *, limit: float = WAIT_LIMIT) -> T:
    """Return what `look` finds as soon as it is something true."""
    until = monotonic() + limit
    while not (found := look()):
        assert monotonic() < until, f"after {limit:.0f} s still missing: {what}"
        sleep(0.1)
    return found


class LiveHome:
    """Home Assistant, how to start and stop it, and what it says over REST."""

    def __init__(self, python: Path, folder: Path, base_urls: Mapping[str, str], lent: Path) -> None:
        """Make the configuration folder; Python also finds the packages in `lent`."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._python = python
        self._environment = {**os.environ, "PYTHONPATH": str(lent)}
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        self._heard = 0
        account = ("--user", USER, "--password", PASSWORD)
        make: list[str | Path] = [python, ROOT / "scripts" / "live_config.py", folder, "--port", str(self.port)]
        subprocess.run([*make, *account], check=True, timeout=BOOT_LIMIT)
        for component in COMPONENTS.iterdir():
            (folder / "custom_components" / component.name).symlink_to(component, target_is_directory=True)
        urls = "".join(f"  {source}: {url}\n" for source, url in base_urls.items())
        configuration = folder / "configuration.yaml"
        text = configuration.read_text(encoding="utf-8")
        for greenwich, berlin in BERLIN.items():
            assert greenwich in text
            text = text.replace(greenwich, berlin)
        configuration.write_text(f"{text}{ENTITIES}\nstrata_test_urls:\n{urls}", encoding="utf-8")

    # Its life

    def start(self) -> None:
        """Boot, and wait until everything runs."""
        command: list[str | Path] = [self._python, "-m", "homeassistant", "--config", self.folder, "--skip-pip"]
        with self._log.open("ab") as log:
            # Elsewhere the integrations below the working folder would hide those of the configuration.
            self._process = subprocess.Popen(command, cwd=self.folder, env=self._environment, stdout=log, stderr=log)
        wait_for(self._answers, f"an answer of Home Assistant, see {self._log}", limit=BOOT_LIMIT)
        self._token = self._login()
        wait_for(lambda: self.get("/api/config")["state"] == "RUNNING", "a running home", limit=BOOT_LIMIT)

    def stop(self) -> None:
        """End it as its supervisor would, and see that it ends well."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None
        assert status == 0, f"Home Assistant ended with {status}\n{self.log}"

    @property
    def log(self) -> str:
        """All it has logged, over all its boots."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def listen(self) -> None:
        """Listen for complaints from now on."""
        self._heard = len(self.log)

    @property
    def complaints(self) -> list[str]:
        """The lines of its log that would be our fault."""
        return [line for line in self.log[self._heard :].splitlines() if COMPLAINTS.search(line)]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Home Assistant ended\n{self.log}"
        try:
            with urlopen(f"{self.url}/manifest.json", timeout=5):
                return True
        except URLError, OSError:
            return False

    # REST

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        request = Request(f"{self.url}{path}", data=body, headers=dict(headers), method=method)
        try:
            with urlopen(request, timeout=WAIT_LIMIT) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise AssertionError(f"{method} {path} answers {error.code}: {error.read()!r}") from None

    def _login(self) -> str:
        client = {"client_id": f"{self.url}/"}
        begin = {**client, "handler": ["homeassistant", None], "redirect_uri": f"{self.url}/"}
        flow = self._send("POST", "/auth/login_flow", json.dumps(begin).encode(), {})
        account = json.dumps({**client, "username": USER, "password": PASSWORD}).encode()
        code = self._send("POST", f"/auth/login_flow/{flow['flow_id']}", account, {})["result"]
        form = urlencode({**client, "grant_type": "authorization_code", "code": code}).encode()
        return str(self._send("POST", "/auth/token", form, {})["access_token"])

    def get(self, path: str) -> Any:
        """Return the decoded answer; None where there is no such thing."""
        return self._send("GET", path, None, {"Authorization": f"Bearer {self._token}"})

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the decoded answer to `body`."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return self._send("POST", path, json.dumps(body or {}).encode(), headers)

    def action(self, name: str, data: Mapping[str, Any] | None = None) -> Any:
        """Return what an action of Strata answers."""
        return self.post(f"/api/services/strata/{name}?return_response", data)["service_response"]

    def state(self, entity_id: str) -> dict[str, Any] | None:
        """Return an entity's state with its attributes, None where there is no such entity."""
        state: dict[str, Any] | None = self.get(f"/api/states/{entity_id}")
        return state

    def strata_entry(self) -> dict[str, Any] | None:
        """Return the hub's config entry, None when there is none."""
        entries = self.get("/api/config/config_entries/entry?domain=strata")
        return entries[0] if entries else None

    def remove_strata(self) -> None:
        """Remove the hub where there is one."""
        if (entry := self.strata_entry()) is not None:
            headers = {"Authorization": f"Bearer {self._token}"}
            self._send("DELETE", f"/api/config/config_entries/entry/{entry['entry_id']}", None, headers)
