"""A system clock that was wrong for a while, as on a board without a battery."""

from pathlib import Path

import pytest

from custom_components.strata.core.clock import hour_edges
from custom_components.strata.core.model import Flag, Kind, Row, Series, SeriesKey, TimeRange
from custom_components.strata.retention import Retention
from custom_components.strata.store.operations import Operation
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.worker import StoreWorker

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOON = 1_772_366_400_000_000
"""2026-03-01 12:00 UTC."""
AHEAD = 1300 * DAY


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def kettle(store: SqliteStore | StoreWorker) -> Series:
    return store.series(SeriesKey.of_entity("home_assistant_events", "kettle"), kind=Kind.MEASUREMENT, unit="W")


def test_there_are_no_hours_from_later_to_earlier() -> None:
    assert hour_edges("Europe/Berlin", NOON + AHEAD, NOON) == []
    assert hour_edges("Europe/Berlin", NOON + HOUR, NOON) == []


def test_hours_are_rolled_up_again_after_a_roll_up_long_ahead(tmp_path: Path, clock: Clock) -> None:
    with SqliteStore(tmp_path / "strata.db", now=clock) as store:
        series = kettle(store)
        store.write([Row(series, NOON, 1.0), Row(series, NOON + HOUR, flag=Flag.GAP)], heartbeat=NOON)
        store.roll_up(NOON + AHEAD)
        clock.now = NOON + DAY
        store.write([Row(series, clock.now, 2.0)], heartbeat=clock.now)
        store.roll_up(clock.now + HOUR)
        with store.reader() as reader:
            hours = reader.tier("hourly", series.id or 0, Kind.MEASUREMENT, TimeRange(clock.now, clock.now + HOUR))
        assert hours.mean.tolist() == [2.0]


async def test_a_success_in_the_future_does_not_keep_the_ladder_from_being_due(tmp_path: Path, clock: Clock) -> None:
    worker = StoreWorker(tmp_path / "strata.db", timezone="UTC", now=clock)
    await worker.open()
    ladder = Retention(worker, clock)
    ladder.hooks.archive = None
    archived: list[int] = []

    async def archive() -> None:
        archived.append(clock.now)
        await worker.write(lambda store: store.record_operation(Operation("archive", clock.now)))

    ladder.hooks.archive = archive
    clock.now = NOON + AHEAD
    assert len(await ladder.catch_up()) == 3
    clock.now = NOON
    assert len(await ladder.catch_up()) == 3
    assert archived == [NOON + AHEAD, NOON]
    # Once is enough.
    assert await ladder.catch_up() == []
    assert archived == [NOON + AHEAD, NOON]
    await worker.close()
