"""What every test gets: our integration loadable, nothing installed behind its back, the parts of setup --full."""

from collections.abc import Callable, Generator
import logging
import os
from pathlib import Path
from unittest.mock import patch

import pytest
import pytest_socket

# Imported before the test rig puts a `custom_components` of its own on the path; without this line Home Assistant
# answers "Integration not found".
import custom_components.strata  # noqa: F401

# The test rig logs every statement of the recorder, also from threads that outlast a test's capture.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".tools"

# Each part of scripts/setup --full: the file that says it is whole, and the program in it.
FULL_PARTS = {
    "live": (ROOT / ".venv-live" / ".complete", ROOT / ".venv-live" / "bin" / "python"),
    "browser": (ROOT / ".venv" / ".browser", TOOLS / "chromium"),
    "influxdb": (TOOLS / "servers" / ".complete", TOOLS / "servers" / "usr" / "bin" / "influxd"),
    "spark": (TOOLS / "spark" / ".complete", TOOLS / "spark" / "bin" / "python"),
    "victoria_metrics": (TOOLS / "servers" / ".complete", TOOLS / "servers" / "usr" / "bin" / "victoria-metrics"),
}


def _full_is_required() -> bool:
    return any(os.environ.get(name, "").lower() in {"1", "true"} for name in ("CI", "STRATA_REQUIRE_FULL"))


def _full_part(part: str) -> Path:
    whole, program = FULL_PARTS[part]
    if not (whole.exists() and program.exists()):
        reason = f"{part} is not there: run scripts/setup --full"
        if _full_is_required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return program


@pytest.fixture(autouse=True)
def _require_full_parts(request: pytest.FixtureRequest) -> None:
    for marker in request.node.iter_markers("requires_full"):
        for part in marker.args:
            _full_part(part)


@pytest.fixture(scope="session")
def full_part() -> Callable[[str], Path]:
    """Return what gives the program of a part of setup --full; where it is missing the test skips or, in CI, fails."""
    return _full_part


@pytest.fixture(autouse=True)
def _load_custom_integrations(request: pytest.FixtureRequest) -> None:
    # Only where there is a Home Assistant: pure tests need not pay for one. The recorder has to come before it.
    if "hass" in request.fixturenames:
        if "recorder_mock" in request.fixturenames:
            request.getfixturevalue("recorder_mock")
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture(scope="session")
def moto_url() -> Generator[str]:
    """Address of an S3 server that runs until the end; it is there before each test's own sockets are forbidden."""
    from tests.moto_s3 import running

    pytest_socket.enable_socket()
    with running() as url:
        pytest_socket.disable_socket(allow_unix_socket=True)
        yield url


@pytest.fixture(autouse=True)
def _forbid_installs() -> Generator[None]:
    attempts: list[str] = []

    def refuse(package: str, *args: object, **kwargs: object) -> bool:
        attempts.append(package)
        return False

    with patch("homeassistant.requirements.pkg_util.install_package", side_effect=refuse):
        yield
    # Said here and not where it happens: Home Assistant turns a failure there into "requirement not found".
    assert not attempts, f"the test tried to install {attempts}"
