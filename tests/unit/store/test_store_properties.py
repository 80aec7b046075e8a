"""The store as a whole against a naive history: nothing lost, nothing doubled, every bucket right."""

from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core.model import Flag, Kind, Row, SeriesKey, to_micros
from custom_components.strata.store.sqlite import SqliteStore
from tests.unit.store.compare import ALWAYS
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


MOMENT = 1_792_843_200_000_000
HOUR = 3_600_000_000


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[float]]:
    """Write rows at given instants in one run after another; return the hours' covered seconds in the end."""

    def lived(*runs: tuple[int, int, list[tuple[int, Flag]]]) -> list[float]:
        clock = [0]
        store = SqliteStore(tmp_path / "s.db", now=lambda: clock[0])
        key = SeriesKey.of_entity("m", "e")
        for start, stop, rows in runs:
            clock[0] = MOMENT + start
            store.open()
            series = store.series(key, kind=Kind.MEASUREMENT)
            store.write([Row(series, MOMENT + time, None if flag else 5.0, None, flag) for time, flag in rows])
            clock[0] = MOMENT + stop
            store.close()
        clock[0] = MOMENT + 3 * HOUR
        store.open()
        store.roll_up(clock[0])
        with store.reader() as reader:
            hours = reader.tier("hourly", store.series(key, kind=Kind.MEASUREMENT).id or 0, Kind.MEASUREMENT, ALWAYS)
        store.close()
        return hours.covered_seconds.round(5).tolist()

    return lived


def test_runs_that_end_a_microsecond_apart(run: Callable[..., list[float]]) -> None:
    assert run((0, 1000, [(0, Flag.OK), (1000, Flag.OK)]), (1000, 1001, [])) == [0.001]


def test_runs_that_end_at_the_same_instant(run: Callable[..., list[float]]) -> None:
    assert run((0, 9_000_000, [(0, Flag.OK)]), (4_000_000, 5_000_000, [])) == [9.0]


def test_a_value_that_came_with_the_stop_and_held_all_the_same(run: Callable[..., list[float]]) -> None:
    stop = HOUR // 2
    later = (2 * HOUR, 3 * HOUR, [(stop, Flag.RESUME)])
    assert run((0, stop, [(stop, Flag.OK)]), later) == [1800.0, 3600.0, 3600.0]
