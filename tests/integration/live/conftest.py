"""One live Home Assistant for all tests here, and a browser for those that ask for it."""

from collections.abc import Callable, Generator
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_socket

from tests.integration.live.market import Market
from tests.integration.live.process import LiveHome, free_port, lend

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

    from tests.integration.live.person import Person

pytest.register_assert_rewrite("tests.integration.live.answers")

SCREEN: ViewportSize = {"width": 1280, "height": 900}


@pytest.fixture(autouse=True)
def _open_loopback(socket_enabled: None) -> None:
    """Allow sockets, which the test rig forbids; connections are still limited to loopback."""


@pytest.fixture(scope="session")
def market_port() -> int:
    pytest_socket.enable_socket()
    return free_port()


@pytest.fixture
def market(market_port: int) -> Generator[Market]:
    """Energy-Charts, reachable."""
    market = Market(market_port)
    market.open()
    yield market
    market.close()


@pytest.fixture(scope="session")
def running_home(
    full_part: Callable[[str], Path], market_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Generator[LiveHome]:
    full_part("browser")  # Before the boot: without it no test here can run.
    folder = tmp_path_factory.mktemp("live") / "config"
    lent = tmp_path_factory.mktemp("lent")
    lend(lent, "pyarrow")
    urls = {"electricity_pricing.energy_charts": f"http://127.0.0.1:{market_port}"}
    home = LiveHome(full_part("live"), folder, urls, lent)
    try:
        home.start()
        yield home
    finally:
        home.stop()


@pytest.fixture
def home(running_home: LiveHome, market: Market) -> LiveHome:
    """A running home without Strata."""
    running_home.remove_strata()
    running_home.listen()
    return running_home


@pytest.fixture
def person(
    home: LiveHome, full_part: Callable[[str], Path], tmp_path: Path, request: pytest.FixtureRequest
) -> Generator[Person]:
    """Somebody at a browser; the pictures they take are kept in STRATA_SCREENSHOTS where that names a folder."""
    program = full_part("browser")
    # Only scripts/setup --full installs it.
    from playwright.sync_api import sync_playwright

    from tests.integration.live.person import Person

    screenshots = Path(os.environ.get("STRATA_SCREENSHOTS") or tmp_path / "screenshots") / request.node.name
    screenshots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        person = Person(browser.new_page(viewport=SCREEN, locale="en-GB"), home.url, screenshots)
        yield person
        person.look("end")
        browser.close()
