"""The change feed delivers everything that was written, however far behind its reader is."""

from pathlib import Path

import pytest

from custom_components.strata.core.model import Flag, Kind, Row, SeriesKey, TimeRange
from custom_components.strata.store.base import Cursor
from custom_components.strata.store.sqlite import SqliteStore

HOUR = 3_600_000_000
START = 500_000 * HOUR


@pytest.fixture
def store(tmp_path: Path):
    with SqliteStore(tmp_path / "strata.db", now=lambda: START) as opened:
        yield opened


@pytest.fixture
def kettle(store):
    return store.series(SeriesKey.of_entity("home_assistant_events", "kettle"), kind=Kind.MEASUREMENT)


def follow(store, cursor: Cursor, limit: int = 5000):
    """Read the feed to its end; return the (time, value) pairs it led to and the cursor."""
    found: dict[int, float] = {}
    tiers: set[str] = set()
    with store.reader() as reader:
        while batch := reader.changes(cursor, limit):
            for change in batch.changes:
                tiers.add(change.tier)
                if change.tier == "raw":
                    rows = reader.raw(change.series, TimeRange(change.start, change.end))
                    found.update(zip(rows.times.tolist(), rows.values.tolist(), strict=True))
            if batch.live is not None:
                found.update(zip(batch.live.rows.times.tolist(), batch.live.rows.values.tolist(), strict=True))
            cursor = batch.cursor
        cursor = batch.cursor
    return found, tiers, cursor


def test_live_rows_arrive_once(store, kettle):
    store.write([Row(kettle, START, 1.0), Row(kettle, START, None, None, Flag.RESUME)], heartbeat=START)
    found, _, cursor = follow(store, Cursor())
    assert found == {START: 1.0}
    store.compact()
    assert follow(store, cursor)[0] == {}


def test_a_write_after_live_was_drained_is_delivered(store, kettle):
    store.write([Row(kettle, START, 1.0)])
    _, _, cursor = follow(store, Cursor())
    store.compact()
    with store.reader() as reader:
        assert reader.connection.execute("SELECT COUNT(*) FROM live").fetchone() == (0,)
    _, _, cursor = follow(store, cursor)
    store.write([Row(kettle, START + 1, 2.0)])
    assert follow(store, cursor)[0] == {START + 1: 2.0}


def test_numbers_go_on_after_a_drained_store_is_opened_again(store, kettle):
    store.write([Row(kettle, START, 1.0)])
    store.compact()
    with store.reader() as reader:
        newest = reader.newest_cursor()
    store.close()
    store.open()
    store.write([Row(kettle, START + 1, 2.0)])
    assert follow(store, newest)[0] == {START + 1: 2.0}


@pytest.mark.parametrize("limit", [1, 3, 5000])
def test_a_reader_that_was_away_finds_rows_that_have_moved_into_chunks(store, kettle, limit):
    store.write([Row(kettle, START + n, float(n)) for n in range(5)])
    first, _, cursor = follow(store, Cursor(), limit)
    store.write([Row(kettle, START + n, float(n)) for n in range(5, 10)])
    store.compact()
    store.write([Row(kettle, START + HOUR + n, float(n)) for n in range(3)])
    second, _, _ = follow(store, cursor, limit)
    assert set(first) == {START + n for n in range(5)}
    # Rows of the same hour may come again, missing ones may not.
    assert {START + n for n in range(5, 10)} | {START + HOUR + n for n in range(3)} <= set(second)


def test_roll_ups_and_what_late_rows_change_are_announced(store, kettle):
    store.write([Row(kettle, START, 1.0)])
    store.roll_up(START + 48 * HOUR)
    _, tiers, cursor = follow(store, Cursor())
    assert tiers == {"raw", "hourly", "daily"}
    store.write([Row(kettle, START + 1, 5.0)])
    store.roll_up(START + 48 * HOUR)
    found, tiers, _ = follow(store, cursor)
    assert found[START + 1] == 5.0
    assert tiers == {"raw", "hourly", "daily"}


def test_cursors_are_kept_by_name(store):
    assert store.load_cursor("influx") is None
    store.save_cursor("influx", Cursor(3, 4))
    store.save_cursor("influx", Cursor(5, 6))
    assert store.load_cursor("influx") == Cursor(5, 6)
    store.drop_cursor("influx")
    assert store.load_cursor("influx") is None


def test_entries_every_reader_has_passed_are_dropped(store, kettle):
    store.save_cursor("influx", Cursor())
    for hour in range(3):
        store.write([Row(kettle, START + hour * HOUR, 1.0)])
        store.compact()
    _, _, cursor = follow(store, Cursor())
    store.save_cursor("influx", cursor)
    store.write([Row(kettle, START + 9 * HOUR, 1.0)])
    store.compact()
    with store.reader() as reader:
        (left,) = reader.connection.execute("SELECT COUNT(*) FROM changes").fetchone()
    assert left == 1
    assert follow(store, cursor)[0] == {START + 9 * HOUR: 1.0}
