"""The store as a whole against a naive history: nothing lost, nothing doubled, every bucket right."""

from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core.model import to_micros
from tests.unit.store.simulation import Simulation

# Each begins a day or so before the clock is moved (or, in Kolkata, never is).
LIVES = (
    ("Europe/Berlin", datetime(2026, 10, 24, 3, 7, tzinfo=ZoneInfo("Europe/Berlin"))),
    ("Europe/Berlin", datetime(2026, 3, 28, 5, 0, tzinfo=ZoneInfo("Europe/Berlin"))),
    ("Asia/Kolkata", datetime(2026, 6, 1, 0, 30, tzinfo=ZoneInfo("Asia/Kolkata"))),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 4, 20, tzinfo=ZoneInfo("Australia/Lord_Howe"))),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 1, 45, tzinfo=ZoneInfo("Australia/Lord_Howe"))),
    ("America/Chicago", datetime(2026, 10, 31, 12, 0, tzinfo=ZoneInfo("America/Chicago"))),
)


@pytest.fixture(params=[(seed, *life) for seed, life in enumerate(LIVES)], ids=lambda p: f"{p[1]}-{p[2]:%m-%d}")
def simulation(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Simulation]:
    seed, timezone, start = request.param
    simulation = Simulation(tmp_path / "s.db", seed, timezone, to_micros(start))
    yield simulation
    simulation.store.abandon()


def test_a_random_life_is_told_as_it_was(simulation: Simulation) -> None:
    simulation.live(250)
    simulation.roll_up()
    assert simulation.raw_problems() == []
    assert simulation.problems() == []
    simulation.catch_up()
    assert simulation.follower_problems() == []
