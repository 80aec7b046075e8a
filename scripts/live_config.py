#!/usr/bin/env python3
"""Makes a Home Assistant configuration folder that is past onboarding and has this integration in it.

usage: live_config.py FOLDER [--port PORT] [--user NAME] [--password TEXT]

Run it with the Python of the environment that will start it. The server listens on loopback only; the first login
with the printed account makes it the administrator. Run on a folder that exists it brings port and integration up to
date and leaves everything else as it is.
"""

import argparse
from datetime import UTC, datetime
import json
from pathlib import Path
import subprocess
import sys

# Before anything of its components: it puts its own validation library in place.
import homeassistant  # noqa: F401
from homeassistant.components import onboarding
from homeassistant.components.http import config as http_config
from homeassistant.components.onboarding.const import STEPS

INTEGRATION = Path(__file__).parent.parent / "custom_components" / "strata"

# Not default_config: that also wants a camera server, Bluetooth and the cloud. The home is Greenwich observatory.
CONFIGURATION = """\
homeassistant:
  name: Strata
  latitude: 51.4779
  longitude: -0.0015
  elevation: 46
  country: GB
  currency: GBP
  time_zone: Europe/London
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
  logs:
    custom_components.strata: debug
"""


def _write_storage(folder: Path, key: str, version: int, minor_version: int, data: dict[str, object]) -> None:
    """Write a file of Home Assistant's storage in the form its `Store` reads."""
    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    content = {"version": version, "minor_version": minor_version, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content, indent=2), encoding="utf-8")


def _listen_on_loopback(folder: Path, port: int) -> None:
    """Store the port as the confirmed one; from configuration.yaml it would be a trial that ends after 5 minutes."""
    settings = http_config.HTTP_STORAGE_SCHEMA({"server_host": ["127.0.0.1"], "server_port": port})
    stable = {**settings, "created_at": datetime.now(UTC).isoformat(), "error": None, "error_message": None}
    _write_storage(
        folder,
        http_config.STORAGE_KEY,
        http_config.STORAGE_VERSION,
        http_config.STORAGE_MINOR_VERSION,
        {"stable": stable, "pending": None, "yaml_migration_done": True},
    )


def _add_user(folder: Path, user: str, password: str) -> None:
    """Make the one account; a run that was cut short may have left it half made."""
    (folder / ".storage" / "auth_provider.homeassistant").unlink(missing_ok=True)
    auth: list[str | Path] = [sys.executable, "-m", "homeassistant", "--script", "auth", "--config", folder]
    subprocess.run([*auth, "add", user, password], check=True, stdout=subprocess.DEVNULL)


def prepare(folder: Path, *, port: int, user: str, password: str) -> None:
    """Make the folder, or bring an existing one up to date.

    Args:
        folder: The configuration folder, made when it is not there.
        port: TCP port on 127.0.0.1.
        user: Name of the account that is made in a new folder.
        password: Its password.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "configuration.yaml"
    is_new = not configuration.exists()
    _listen_on_loopback(folder, port)
    link = folder / "custom_components" / INTEGRATION.name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(INTEGRATION.resolve(), target_is_directory=True)
    if is_new:
        _write_storage(folder, onboarding.STORAGE_KEY, onboarding.STORAGE_VERSION, 1, {"done": STEPS})
        _add_user(folder, user, password)
        # Last: its presence says that the folder is whole.
        configuration.write_text(CONFIGURATION, encoding="utf-8")


def main() -> None:
    """Read the arguments and make the folder."""
    parser = argparse.ArgumentParser(description="Makes an onboarded Home Assistant configuration with Strata in it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--user", default="dev")
    parser.add_argument("--password", default="dev")
    arguments = parser.parse_args()
    prepare(arguments.folder.resolve(), port=arguments.port, user=arguments.user, password=arguments.password)


if __name__ == "__main__":
    main()
