#!/usr/bin/env python3
"""Prints what Home Assistant would install by itself when it starts with its frontend and this integration.

Run it with the Python of an environment that has `homeassistant`; with everything it names installed, Home Assistant
starts with `--skip-pip` and without the internet. `--missing` prints only what is not installed.
"""

from collections.abc import Iterator
import json
from pathlib import Path
import sys

from homeassistant import bootstrap, components, requirements
from homeassistant.auth.mfa_modules import totp
from homeassistant.util.package import is_installed

OURS = Path(__file__).parent.parent / "custom_components" / "strata" / "manifest.json"

# What scripts/develop and the live tests put into configuration.yaml, beside what always starts.
CONFIGURED = {"api", "config", "energy", "frontend", "history", "logger", "recorder", "system_health"}


def _manifest(domain: str) -> dict[str, list[str]]:
    path = Path(components.__path__[0]) / domain / "manifest.json"
    manifest: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def _started() -> Iterator[dict[str, list[str]]]:
    """Yield the manifests of the integrations that start and of all they depend on, as Home Assistant walks them."""
    waiting = [*bootstrap.CORE_INTEGRATIONS, *bootstrap.DEFAULT_INTEGRATIONS, *CONFIGURED]
    known: set[str] = set()
    while waiting:
        domain = waiting.pop()
        if domain in known:
            continue
        known.add(domain)
        manifest = _manifest(domain)
        yield manifest
        waiting += manifest.get("dependencies", []) + manifest.get("after_dependencies", [])
        waiting += [
            discovery
            for discovery, keys in requirements.DISCOVERY_INTEGRATIONS.items()
            if any(key in manifest for key in keys)
        ]


def required() -> list[str]:
    """Return the requirements as pip specifiers, sorted."""
    wanted = {*totp.REQUIREMENTS, *json.loads(OURS.read_text(encoding="utf-8"))["requirements"]}
    for manifest in _started():
        wanted.update(manifest.get("requirements", []))
    return sorted(wanted)


if __name__ == "__main__":
    only_missing = "--missing" in sys.argv[1:]
    for requirement in required():
        if not (only_missing and is_installed(requirement)):
            print(requirement)
