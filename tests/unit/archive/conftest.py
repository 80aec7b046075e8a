"""A home that has lived for 80 days, made once for all tests of archives; each begins with a copy of it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.archive_world import World


@pytest.fixture(scope="session")
def eighty_days(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("world"))
    made.live(80)
    made.store.close()
    return made


@pytest.fixture
def world(tmp_path: Path, eighty_days: World) -> Generator[World]:
    """It is 18 November and days are kept for 40: August and September are past their time, October is just over."""
    made = World(tmp_path, like=eighty_days)
    yield made
    made.store.abandon()
