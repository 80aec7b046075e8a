"""The store through its public door: what goes in comes out, whatever happens in between."""

from datetime import UTC, datetime, timedelta
import json
import os
from pathlib import Path
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from custom_components.strata.core.model import (
    Cause,
    Flag,
    Forecast,
    Kind,
    Row,
    SeriesKey,
    Slot,
    TimeRange,
    to_micros,
)
from custom_components.strata.store import schema
from custom_components.strata.store.base import (
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreTooNew,
    StoreUnusable,
)
from custom_components.strata.store.buckets import decode_buckets, encode_buckets
from custom_components.strata.store.catalog import as_json
from custom_components.strata.store.connection import in_store_words
from custom_components.strata.store.health import set_aside
from custom_components.strata.store.sqlite import SqliteStore, now_micros

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON = to_micros(datetime(2026, 3, 10, 12, tzinfo=UTC))
ALL = TimeRange(0, 2**61)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock):
    with SqliteStore(tmp_path / "strata.db", now=clock) as opened:
        yield opened


def power(store: SqliteStore, name: str = "kettle", **more):
    return store.series(
        SeriesKey.of_entity("home_assistant_events", name),
        kind=more.pop("kind", Kind.MEASUREMENT),
        unit="W",
        labels={"entity_id": f"sensor.{name}"},
        **more,
    )


def read_raw(store: SqliteStore, series, when: TimeRange = ALL):
    with store.reader() as reader:
        return reader.raw(series.id, when)


def test_rows_are_there_before_and_after_compaction(store):
    kettle = power(store)
    rows = [Row(kettle, NOON + n * MINUTE, 100.0 + n) for n in range(90)]
    assert store.write(rows) == 90
    before = read_raw(store, kettle)
    report = store.compact()
    after = read_raw(store, kettle)
    assert (report.rows, report.chunks) == (90, 2)
    for found in (before, after):
        assert found.times.tolist() == [row.time for row in rows]
        assert found.values.tolist() == [row.value for row in rows]


def test_the_last_write_of_an_instant_wins_in_live_and_in_chunks(store):
    kettle = power(store)
    store.write([Row(kettle, NOON, 1.0), Row(kettle, NOON, 2.0)])
    assert read_raw(store, kettle).values.tolist() == [2.0]
    store.compact()
    store.write([Row(kettle, NOON, 3.0)])
    assert read_raw(store, kettle).values.tolist() == [3.0]
    store.compact()
    assert read_raw(store, kettle).values.tolist() == [3.0]


def test_a_series_keeps_its_history_when_its_labels_change(store, tmp_path):
    kettle = power(store)
    store.write([Row(kettle, NOON, 1.0)])
    number = kettle.id
    again = store.series(kettle.key, kind=Kind.MEASUREMENT, unit="W", labels={"entity_id": "sensor.teapot"})
    assert again is kettle
    store.save_series()
    store.close()
    with SqliteStore(tmp_path / "strata.db") as reopened:
        found = reopened.find(kettle.key)
        assert found is not None
        assert found.id == number
        assert found.labels == {"entity_id": "sensor.teapot", "earlier_entity_ids": "sensor.kettle"}
        assert reopened.find(SeriesKey.of_entity("home_assistant_events", "toaster")) is None


def test_an_hour_is_rolled_up_when_it_has_closed(store, clock):
    kettle = power(store, fine=True)
    store.write([Row(kettle, NOON, 0.0), Row(kettle, NOON + 6 * MINUTE, 2000.0), Row(kettle, NOON + 9 * MINUTE, 0.0)])
    clock.now = NOON + 59 * MINUTE
    assert store.roll_up().rows["hourly"] == 0
    clock.now = NOON + HOUR
    assert store.roll_up().rows == {"five_minute": 12, "hourly": 1, "daily": 0}
    with store.reader() as reader:
        hour = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
        fine = reader.tier("five_minute", kettle.id, Kind.MEASUREMENT, ALL)
    # 2000 W for 3 of 60 minutes.
    assert hour.mean.tolist() == pytest.approx([100.0])
    assert hour.columns["n"].tolist() == [3]
    assert hour.columns["max"].tolist() == [2000.0]
    assert fine.mean.tolist()[:3] == pytest.approx([0.0, 2000 * 3 / 5, 0.0])
    assert hour.columns["offset"].tolist() == [0]
    assert store.roll_up().rows["hourly"] == 0


def test_a_day_follows_from_its_hours(tmp_path, clock):
    clock.now = start = to_micros(datetime(2026, 3, 28, 23, tzinfo=UTC))
    with SqliteStore(tmp_path / "berlin.db", timezone="Europe/Berlin", now=clock) as store:
        kettle = power(store)
        # 2026-03-29 has 23 hours in Berlin, beginning at 23:00 UTC the evening before.
        store.write([Row(kettle, start + n * HOUR, float(n)) for n in range(23)])
        clock.now = start + 23 * HOUR
        assert store.roll_up().rows["daily"] == 1
        with store.reader() as reader:
            day = reader.tier("daily", kettle.id, Kind.MEASUREMENT, ALL)
        assert (day.ends - day.starts).tolist() == [23 * HOUR]
        assert day.columns["n"].tolist() == [23]
        assert day.mean.tolist() == pytest.approx([11.0])
        assert day.columns["offset"].tolist() == [3600]


def test_half_hour_zones_have_their_own_hours(tmp_path, clock):
    clock.now = NOON
    with SqliteStore(tmp_path / "kolkata.db", timezone="Asia/Kolkata", now=clock) as store:
        kettle = power(store)
        store.write([Row(kettle, NOON, 1.0), Row(kettle, NOON + 40 * MINUTE, 3.0)])
        clock.now = NOON + 90 * MINUTE
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
    # 12:00 UTC is 17:30 in Kolkata, so its hours begin at 11:30 and 12:30 UTC.
    assert hours.starts.tolist() == [NOON - 30 * MINUTE, NOON + 30 * MINUTE]
    assert hours.covered_seconds.tolist() == [1800.0, 3600.0]
    assert hours.mean.tolist() == pytest.approx([1.0, (10 * 1 + 50 * 3) / 60])


def test_an_hour_with_home_assistant_down_is_uncovered(tmp_path, clock):
    path = tmp_path / "strata.db"
    with SqliteStore(path, now=clock) as store:
        store.write([Row(power(store), NOON, 5.0)])
        clock.now = NOON + 30 * MINUTE
    clock.now = NOON + 3 * HOUR
    with SqliteStore(path, now=clock) as store:
        kettle = power(store)
        store.write([Row(kettle, clock.now, None, None, Flag.RESUME)])
        clock.now += HOUR
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
        assert hours.starts.tolist() == [NOON, NOON + 3 * HOUR]
        assert hours.covered_seconds.tolist() == [1800.0, 3600.0]
        assert hours.columns["n"].tolist() == [1, 0]
        assert hours.mean.tolist() == [5.0, 5.0]


def test_a_value_that_does_not_come_back_after_a_restart_no_longer_holds(tmp_path, clock):
    path = tmp_path / "strata.db"
    with SqliteStore(path, now=clock) as store:
        store.write([Row(power(store), NOON, 5.0)])
        clock.now = NOON + 30 * MINUTE
    with SqliteStore(path, now=clock) as store:
        clock.now = NOON + 5 * HOUR
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", power(store).id, Kind.MEASUREMENT, ALL)
    assert hours.covered_seconds.tolist() == [1800.0]


def test_a_row_at_the_instant_of_the_stop_does_not_hold_while_home_assistant_is_down(tmp_path, clock):
    path = tmp_path / "strata.db"
    with SqliteStore(path, now=clock) as store:
        store.write([Row(power(store), NOON, 5.0), Row(power(store), NOON + 30 * MINUTE, 6.0)])
        clock.now = NOON + 30 * MINUTE
    clock.now = NOON + 3 * HOUR
    with SqliteStore(path, now=clock) as store:
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", power(store).id, Kind.MEASUREMENT, ALL)
    assert hours.starts.tolist() == [NOON]
    assert hours.covered_seconds.tolist() == pytest.approx([1800.0], abs=1e-5)


def test_a_killed_run_ends_at_its_last_heartbeat(tmp_path, clock):
    path = tmp_path / "strata.db"
    store = SqliteStore(path, now=clock)
    assert store.open().created
    store.write([Row(power(store), NOON, 5.0)], heartbeat=NOON + 20 * MINUTE)
    store.abandon()
    clock.now = NOON + 2 * HOUR
    again = SqliteStore(path, now=clock)
    report = again.open()
    assert report.unclean
    assert not report.created
    assert report.last_alive == NOON + 20 * MINUTE
    again.roll_up()
    with again.reader() as reader:
        hours = reader.tier("hourly", power(again).id, Kind.MEASUREMENT, ALL)
    assert hours.covered_seconds.tolist() == [1200.0]
    again.close()


def test_a_heartbeat_outlives_compaction(tmp_path, clock):
    path = tmp_path / "strata.db"
    store = SqliteStore(path, now=clock)
    store.open()
    store.write([], heartbeat=NOON + 20 * MINUTE)
    store.compact()
    store.abandon()
    clock.now = NOON + HOUR
    with SqliteStore(path, now=clock) as again:
        assert again.is_open
    with SqliteStore(path, now=clock) as third:
        assert third.open is not None
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT stop FROM run ORDER BY id").fetchone() == (NOON + 20 * MINUTE,)
    connection.close()


def test_an_entity_unchanged_for_ten_days_still_has_its_value(store, clock):
    door = power(store, "door", kind=Kind.ON_OFF)
    store.write([Row(door, NOON, 1.0)])
    for day in range(1, 11):
        clock.now = NOON + day * DAY
        store.roll_up()
        assert store.downsample("raw").problems == ()
    assert len(read_raw(store, door)) == 0
    with store.reader() as reader:
        last = reader.last()[door.id]
        hours = reader.tier("hourly", door.id, Kind.ON_OFF, TimeRange(NOON + 9 * DAY, NOON + 10 * DAY))
    assert (last.value, last.time) == (1.0, NOON)
    assert len(hours) == 24
    assert hours.columns["on"].tolist() == [HOUR] * 24


def test_gaps_flags_and_texts_survive(store):
    mode = power(store, "mode", kind=Kind.TEXT)
    kettle = power(store)
    store.write(
        [
            Row(mode, NOON, None, "heat"),
            Row(mode, NOON + MINUTE, None, None, Flag.GAP),
            Row(kettle, NOON, 9e9, None, Flag.SPIKE),
            Row(kettle, NOON + 1, float("nan"), None, Flag.IMPOSSIBLE),
            Row(kettle, NOON + 2, float("inf"), None, Flag.IMPOSSIBLE),
        ]
    )
    store.compact()
    found = read_raw(store, mode)
    with store.reader() as reader:
        assert reader.texts(set(found.texts.tolist())) == {int(found.texts[0]): "heat"}
    assert found.flags.tolist() == [Flag.OK, Flag.GAP]
    flagged = read_raw(store, kettle)
    assert flagged.flags.tolist() == [Flag.SPIKE, Flag.IMPOSSIBLE, Flag.IMPOSSIBLE]
    assert flagged.values[0] == 9e9
    assert np.isinf(flagged.values[2])


def test_flagged_rows_are_left_out_of_roll_ups(store, clock):
    kettle = power(store)
    store.write([Row(kettle, NOON, 10.0), Row(kettle, NOON + 30 * MINUTE, 9e9, None, Flag.SPIKE)])
    clock.now = NOON + HOUR
    store.roll_up()
    with store.reader() as reader:
        hour = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
    assert hour.columns["max"].tolist() == [10.0]
    assert hour.columns["n"].tolist() == [1]


def test_time_in_text_states_is_rolled_up(store, clock):
    mode = power(store, "mode", kind=Kind.TEXT)
    store.write([Row(mode, NOON, None, "heat"), Row(mode, NOON + 15 * MINUTE, None, "off")])
    clock.now = NOON + 12 * HOUR
    store.roll_up()
    with store.reader() as reader:
        hours = reader.tier("hourly", mode.id, Kind.TEXT, ALL)
        days = reader.tier("daily", mode.id, Kind.TEXT, ALL)
        texts = reader.texts(set(hours.states.code.tolist()))
    assert {texts[int(k)]: v for k, v in hours.seconds(0).items()} == {"heat": 900.0, "off": 2700.0}
    assert {texts[int(k)]: v for k, v in days.seconds(0).items()} == {"heat": 900.0, "off": 12 * 3600.0 - 900}


class TestLate:
    def test_a_late_row_changes_the_hours_it_held(self, store, clock):
        kettle = power(store)
        store.write([Row(kettle, NOON, 10.0)])
        clock.now = NOON + 5 * HOUR
        store.roll_up()
        # From 12:30 on it was 20 W until 14:30, when it became 10 W again.
        store.write([Row(kettle, NOON + 30 * MINUTE, 20.0), Row(kettle, NOON + 150 * MINUTE, 10.0)])
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
        assert hours.mean.tolist() == pytest.approx([15.0, 20.0, 15.0, 10.0, 10.0])
        assert hours.columns["n"].tolist() == [2, 0, 1, 0, 0]

    def test_days_follow(self, store, clock):
        kettle = power(store)
        store.write([Row(kettle, NOON, 10.0)])
        clock.now = NOON + 2 * DAY
        store.roll_up()
        store.write([Row(kettle, NOON + 6 * HOUR, 20.0)])
        store.roll_up()
        with store.reader() as reader:
            days = reader.tier("daily", kettle.id, Kind.MEASUREMENT, ALL)
        assert days.mean.tolist() == pytest.approx([15.0, 20.0])

    def test_a_backfill_before_everything_else_makes_its_own_hours(self, store, clock):
        kettle = power(store)
        store.write([Row(kettle, NOON, 10.0)])
        clock.now = NOON + HOUR
        store.roll_up()
        store.write([Row(kettle, NOON - 3 * HOUR, 4.0), Row(kettle, NOON - 2 * HOUR, None, None, Flag.GAP)])
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
        assert hours.starts.tolist() == [NOON - 3 * HOUR, NOON]
        assert hours.mean.tolist() == [4.0, 10.0]

    def test_a_late_text_of_another_kind_replaces_the_old_roll_up(self, store, clock):
        kettle = power(store)
        store.write([Row(kettle, NOON, 1.0)])
        clock.now = NOON + HOUR
        store.roll_up()
        store.series(kettle.key, kind=Kind.ON_OFF, unit=None)
        store.write([Row(kettle, NOON + 30 * MINUTE, 0.0)])
        store.roll_up()
        with store.reader() as reader:
            assert len(reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)) == 0
            assert reader.tier("hourly", kettle.id, Kind.ON_OFF, ALL).columns["on"].tolist() == [30 * MINUTE]

    def test_rows_for_hours_without_raw_are_refused_once_they_are_rolled_up(self, store, clock):
        kettle = power(store)
        store.write([Row(kettle, NOON, 10.0), Row(kettle, NOON + HOUR, None, None, Flag.GAP)])
        clock.now = NOON + 9 * DAY
        store.roll_up()
        store.downsample("raw")
        missing = NOON + 5 * HOUR
        taken = store.write([Row(kettle, NOON + MINUTE, 99.0), Row(kettle, missing, 7.0)])
        store.write([Row(kettle, missing + HOUR, None, None, Flag.GAP)])
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
        assert taken == 1
        assert store.counters.too_late == 1
        assert dict(zip(hours.starts.tolist(), hours.mean.tolist(), strict=True)) == {NOON: 10.0, missing: 7.0}

    def test_a_late_row_is_what_the_next_hour_begins_with(self, store, clock):
        meter = power(store, "meter", kind=Kind.METER)
        store.write([Row(meter, NOON, 100.0)])
        clock.now = NOON + HOUR
        store.roll_up()
        store.write([Row(meter, NOON + 30 * MINUTE, 105.0)])
        store.roll_up()
        store.write([Row(meter, NOON + 90 * MINUTE, 107.0)])
        clock.now = NOON + 2 * HOUR
        store.roll_up()
        with store.reader() as reader:
            assert reader.tier("hourly", meter.id, Kind.METER, ALL).columns["increase"].tolist() == [5.0, 2.0]

    def test_a_late_row_before_a_gap_counts_once(self, store, clock):
        meter = power(store, "meter", kind=Kind.METER)
        store.write(
            [
                Row(meter, NOON, 100.0),
                Row(meter, NOON + 61 * MINUTE, None, None, Flag.GAP),
                Row(meter, NOON + 130 * MINUTE, 107.0),
            ]
        )
        clock.now = NOON + 3 * HOUR
        store.roll_up()
        store.write([Row(meter, NOON + 30 * MINUTE, 105.0)])
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", meter.id, Kind.METER, ALL)
        assert hours.columns["increase"].sum() == 7.0

    def test_a_meter_that_was_silent_since_before_raw_begins_still_grows_from_there(self, store, clock):
        meter = power(store, "meter", kind=Kind.METER)
        store.write([Row(meter, NOON, 100.0)])
        clock.now = NOON + 10 * DAY
        store.roll_up()
        store.downsample("raw")
        store.write([Row(meter, NOON + 9 * DAY, 103.0)])
        store.roll_up()
        with store.reader() as reader:
            hours = reader.tier("hourly", meter.id, Kind.METER, TimeRange(NOON + 8 * DAY, NOON + 10 * DAY))
        assert hours.columns["increase"].sum() == 3.0

    def test_a_row_from_a_clock_that_was_not_set_is_refused(self, store, clock):
        kettle = power(store)
        assert store.write([Row(kettle, 5, 1.0), Row(kettle, NOON + 400 * DAY, 1.0), Row(kettle, NOON, 1.0)]) == 1
        assert store.counters.misdated == 2
        assert len(read_raw(store, kettle)) == 1

    def test_a_late_gap_takes_buckets_away_and_the_feed_says_so(self, store, clock):
        kettle = power(store)
        store.write([Row(kettle, NOON, 10.0)])
        clock.now = NOON + 3 * HOUR
        store.roll_up()
        with store.reader() as reader:
            cursor = reader.newest_cursor()
        store.write([Row(kettle, NOON, None, None, Flag.GAP)])
        store.roll_up()
        with store.reader() as reader:
            assert len(reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)) == 0
            told = [change for change in reader.changes(cursor).changes if change.tier == "hourly"]
        assert [(change.start, change.end) for change in told] == [(NOON, NOON + 3 * HOUR)]


class TestDetails:
    def test_attributes_are_kept_once_and_only_when_they_change(self, store):
        lamp = power(store, "lamp", kind=Kind.ON_OFF)
        bright, dim = {"brightness": 200}, {"brightness": 10}
        store.write(
            [
                Row(lamp, NOON, 1.0, attributes=bright),
                Row(lamp, NOON + 1, 0.0, attributes=bright),
                Row(lamp, NOON + 2, 1.0, attributes=dict(bright)),
                Row(lamp, NOON + 3, 0.0, attributes=dim),
            ]
        )
        for _ in range(2):
            with store.reader() as reader:
                found = reader.details(lamp.id, ALL)
            assert [(d.time - NOON, d.attributes) for d in found] == [(0, bright), (3, dim)]
            store.compact()

    def test_a_cause_with_a_user_or_a_parent_is_kept(self, store):
        lamp = power(store, "lamp", kind=Kind.ON_OFF)
        store.write(
            [
                Row(lamp, NOON, 1.0, cause=Cause("01A", None, "anna")),
                Row(lamp, NOON + 1, 0.0, cause=Cause("01B", "01A")),
                Row(lamp, NOON + 2, 1.0, cause=Cause("01C")),
            ]
        )
        with store.reader() as reader:
            found = reader.details(lamp.id, ALL)
        assert [(d.time - NOON, d.context, d.parent, d.user) for d in found] == [
            (0, "01A", None, "anna"),
            (1, "01B", "01A", None),
        ]

    def test_the_change_that_triggered_an_automation_is_found_afterwards(self, store):
        motion, lamp = power(store, "motion", kind=Kind.ON_OFF), power(store, "lamp", kind=Kind.ON_OFF)
        store.write([Row(motion, NOON, 1.0, cause=Cause("01M"))])
        store.compact()
        store.write([Row(lamp, NOON + 5, 1.0, cause=Cause("01L", parent="01M"))])
        for _ in range(2):
            with store.reader() as reader:
                assert [d.context for d in reader.details(motion.id, ALL)] == ["01M"]
                assert [d.parent for d in reader.details(lamp.id, ALL)] == ["01M"]
            store.compact()
        assert len(read_raw(store, motion)) == 1

    def test_a_shared_context_is_kept_for_both_rows(self, store):
        one, two = power(store, "one"), power(store, "two")
        store.write([Row(one, NOON, 1.0, cause=Cause("01S")), Row(two, NOON, 1.0, cause=Cause("01S"))])
        with store.reader() as reader:
            assert [d.context for d in reader.details(one.id, ALL)] == ["01S"]
            assert [d.context for d in reader.details(two.id, ALL)] == ["01S"]

    def test_old_details_go_but_the_attributes_in_force_stay(self, store):
        lamp, lock = power(store, "lamp", kind=Kind.ON_OFF), power(store, "lock", kind=Kind.ON_OFF)
        store.write(
            [
                Row(lock, NOON, 1.0, attributes={"code": "none"}),
                Row(lamp, NOON, 1.0, attributes={"brightness": 1}, cause=Cause("01A", None, "anna")),
                Row(lamp, NOON + 2 * HOUR, 1.0, attributes={"brightness": 2}),
            ]
        )
        store.compact()
        # The lamp's first attributes went: it has newer ones. The lock's are still in force.
        assert store.prune_details(NOON + DAY) == 1
        assert store.prune_details(NOON + DAY) == 0
        with store.reader() as reader:
            assert [d.attributes for d in reader.details(lamp.id, ALL)] == [{"brightness": 2}]
            assert [d.attributes for d in reader.details(lock.id, ALL)] == [{"code": "none"}]
            assert reader.connection.execute("SELECT COUNT(*) FROM cause").fetchone() == (0,)
            assert reader.connection.execute("SELECT COUNT(*) FROM attributes").fetchone() == (2,)
        store.write([Row(lamp, NOON + 3 * HOUR, 1.0, attributes={"brightness": 1})])
        with store.reader() as reader:
            assert [d.attributes for d in reader.details(lamp.id, ALL)][-1] == {"brightness": 1}

    @pytest.mark.parametrize(
        ("value", "stored"),
        [
            (datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01 00:00:00+00:00"),
            (
                {
                    1,
                },
                [1],
            ),
            (b"\xff", "b'\\xff'"),
            (Kind.TEXT, "text"),
        ],
    )
    def test_any_attribute_can_be_kept(self, store, value, stored):
        odd = power(store, "odd")
        store.write([Row(odd, NOON, 1.0, attributes={"odd": value})])
        with store.reader() as reader:
            assert reader.details(odd.id, ALL)[0].attributes == {"odd": stored}

    def test_attributes_json_cannot_hold_become_text(self):
        endless: dict[str, object] = {}
        endless["self"] = endless
        assert "self" in json.loads(as_json(endless))


def test_forecasts_are_kept_as_issued_and_once(store):
    key = SeriesKey.of_tags("electricity_pricing_forecast", {"currency": "EUR"}, "price")
    start = datetime(2026, 3, 10, 12, tzinfo=UTC)
    slots = tuple(Slot(start + timedelta(hours=n), start + timedelta(hours=n + 1), n / 10) for n in range(3))
    first = Forecast("EUR/kWh", start, slots)
    same = Forecast("EUR/kWh", start + timedelta(minutes=15), slots)
    other = Forecast("EUR/kWh", start + timedelta(minutes=30), slots[:2])
    store.write([], forecast=[("a", key, first)])
    store.write([], forecast=[("a", key, same), ("b", key, same)])
    store.write([], forecast=[("a", key, other)])
    with store.reader() as reader:
        assert [f.forecast for f in reader.forecasts("a", "price", limit=9)] == [other, first]
        assert reader.forecasts("a", issued_before=to_micros(start) + 1)[0].forecast == first
        assert reader.forecasts("a", "price")[0].key == key
        assert [f.forecast.issued_at for f in reader.forecasts("b")] == [same.issued_at]
    assert store.prune_forecasts(to_micros(start) + 1) == 1


def test_sizes_are_measured_by_tier_and_series(store, clock):
    kettle, lamp = power(store), power(store, "lamp")
    store.write([Row(kettle, NOON + n * SECOND, float(n)) for n in range(100)])
    clock.now = NOON + HOUR
    store.roll_up()
    store.write([Row(lamp, clock.now, 1.0)])
    with store.reader() as reader:
        sizes = reader.sizes(by_series=True)
    assert sizes.tiers["raw"].rows == 101
    assert sizes.tiers["hourly"].rows == 1
    assert sizes.by_series[kettle.id]["raw"].rows == 100
    assert 0 < sizes.by_series[kettle.id]["raw"].bytes < 100 * 10
    assert sizes.file_bytes >= store.path.stat().st_size
    assert lamp.id not in sizes.by_series


class TestDownsample:
    def fill(self, store, clock, days=9):
        kettle = power(store, fine=True)
        meter = power(store, "meter", kind=Kind.METER)
        rows = []
        for hour in range(days * 24):
            at = NOON + hour * HOUR
            rows += [Row(kettle, at + n * MINUTE, float((hour + n) % 7)) for n in range(0, 60, 7)]
            rows.append(Row(meter, at, hour * 0.25))
        store.write(rows)
        clock.now = NOON + days * DAY
        store.roll_up()
        return kettle, meter

    def test_raw_goes_once_its_hours_are_proven(self, store, clock):
        kettle, meter = self.fill(store, clock)
        before = read_raw(store, kettle)
        with store.reader() as reader:
            hours = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
        planned = store.downsample("raw", dry_run=True)
        assert len(read_raw(store, kettle)) == len(before)
        done = store.downsample("raw")
        assert (done.source_rows, done.problems) == (planned.source_rows, ())
        # Two of nine days are older than seven: 48 hours of 9 + 1 rows.
        assert done.source_rows == 48 * 10
        assert done.rows == 48 * 2
        assert done.bytes_freed == planned.bytes_freed > 0
        left = read_raw(store, kettle)
        assert left.times[0] == NOON + 2 * DAY
        with store.reader() as reader:
            after = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)
            assert reader.connection.execute("SELECT COUNT(*) FROM ladder_step").fetchone() == (1,)
        np.testing.assert_array_equal(after.columns["integral"], hours.columns["integral"])
        assert store.downsample("raw").source_rows == 0
        assert len(read_raw(store, meter)) == 7 * 24

    def test_rows_whose_roll_up_went_missing_are_rolled_up_again_first(self, store, clock):
        kettle, _ = self.fill(store, clock)
        connection = store._connection  # damage that only the file can show
        connection.execute("DELETE FROM hourly_chunk")
        done = store.downsample("raw")
        assert done.problems == ()
        with store.reader() as reader:
            hours = reader.tier("hourly", kettle.id, Kind.MEASUREMENT, TimeRange(NOON, NOON + 2 * DAY))
        assert len(hours) == 48

    def test_what_cannot_be_proven_stays(self, store, clock, monkeypatch):
        kettle, _ = self.fill(store, clock)
        connection = store._connection
        connection.execute("DELETE FROM hourly_chunk")
        monkeypatch.setattr("custom_components.strata.store.late.Settle._recompute", lambda self, series, late: None)
        done = store.downsample("raw")
        assert done.source_rows == 0
        assert len(done.problems) == 2
        assert len(store.downsample("raw").problems) == 2
        assert (
            "sensor.kettle: 216 rows have no bucket; its raw rows from 2026-03-10T12:00+00:00 on stay" in done.problems
        )
        assert len(read_raw(store, kettle)) == 9 * 24 * 9
        monkeypatch.undo()
        assert store.downsample("raw").problems == ()
        assert len(read_raw(store, kettle)) == 7 * 24 * 9

    def test_hours_and_five_minutes_go_once_days_and_hours_are_proven(self, store, clock):
        kettle, _ = self.fill(store, clock, days=3)
        clock.now = NOON + 40 * DAY
        store.roll_up()
        assert store.downsample("five_minute").problems == ()
        clock.now = NOON + 100 * DAY
        store.roll_up()
        done = store.downsample("hourly")
        assert done.problems == ()
        assert done.source_rows > 0
        with store.reader() as reader:
            days = reader.tier("daily", kettle.id, Kind.MEASUREMENT, TimeRange(0, NOON + 3 * DAY))
            assert len(reader.tier("five_minute", kettle.id, Kind.MEASUREMENT, TimeRange(0, NOON + DAY))) == 0
        assert days.columns["n"].sum() == 3 * 24 * 9

    def test_days_that_went_missing_are_made_again_before_their_hours_go(self, store, clock):
        kettle, _ = self.fill(store, clock, days=3)
        clock.now = NOON + 100 * DAY
        store.roll_up()
        with store.reader() as reader:
            before = reader.tier("daily", kettle.id, Kind.MEASUREMENT, ALL)
        store._connection.execute("DELETE FROM daily_chunk")
        assert store.downsample("hourly").problems == ()
        with store.reader() as reader:
            after = reader.tier("daily", kettle.id, Kind.MEASUREMENT, TimeRange(0, NOON + 3 * DAY))
            assert len(reader.tier("hourly", kettle.id, Kind.MEASUREMENT, TimeRange(0, NOON + 3 * DAY))) == 0
        assert len(after) == 4
        for name, column in after.columns.items():
            np.testing.assert_array_equal(column, before.columns[name][:4])

    def test_hours_that_disagree_with_their_day_stay(self, store, clock):
        self.fill(store, clock, days=3)
        clock.now = NOON + 100 * DAY
        store.roll_up()
        connection = store._connection
        key, blob = connection.execute("SELECT key, blob FROM hourly_chunk ORDER BY key LIMIT 1 OFFSET 2").fetchone()
        hours = decode_buckets(blob, Kind.MEASUREMENT)
        hours.columns["n"][3] += 1
        connection.execute("UPDATE hourly_chunk SET blob = ? WHERE key = ?", (encode_buckets(hours, "UTC"), key))
        done = store.downsample("hourly")
        assert any("sensor.kettle" in problem for problem in done.problems)

    def test_a_tier_without_successor_or_name_is_refused(self, store):
        with pytest.raises(StoreError, match="coarsest"):
            store.downsample("daily")
        with pytest.raises(KeyError, match="choose one of raw"):
            store.downsample("weekly")

    def test_nothing_to_do_is_fine(self, store):
        assert store.downsample("raw").source_rows == 0


def test_one_damaged_chunk_costs_one_hour_and_is_said_once(store, clock, caplog):
    kettle, mode = power(store), power(store, "mode", kind=Kind.TEXT)
    key = SeriesKey.of_tags("electricity_pricing_forecast", {}, "price")
    slot = Slot(datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 3, 10, 13, tzinfo=UTC), 1.0)
    for hour in range(3):
        at = NOON + hour * HOUR
        store.write([Row(kettle, at, float(hour), attributes={"hour": hour}), Row(mode, at, None, f"m{hour}")])
    store.write([], forecast=[("a", key, Forecast("EUR/kWh", slot.start, (slot,)))])
    clock.now = NOON + 3 * HOUR
    store.roll_up()
    connection = store._connection
    for table, number in (("raw_chunk", kettle.id), ("detail_chunk", 0)):
        connection.execute(
            f"UPDATE {table} SET blob = zeroblob(30) WHERE key >> 24 = ? AND (key >> 4 & 1048575) = ?",
            (NOON // HOUR + 1, number),
        )
    connection.execute("UPDATE hourly_chunk SET blob = CAST(x'04000000' || zeroblob(30) AS BLOB)")
    connection.execute("UPDATE forecast SET blob = zeroblob(30)")
    for _ in range(2):
        assert read_raw(store, kettle).values.tolist() == [0.0, 2.0]
        with store.reader() as reader:
            assert len(reader.tier("hourly", kettle.id, Kind.MEASUREMENT, ALL)) == 0
            assert len(reader.tier("hourly", mode.id, Kind.TEXT, ALL)) == 0
            assert [d.attributes for d in reader.details(kettle.id, ALL)] == [{"hour": 0}, {"hour": 2}]
            assert reader.forecasts("a")[0].forecast.slots == ()
    assert 1 <= caplog.text.count("cannot be read") <= 4
    store.write([Row(kettle, NOON + HOUR + 5, 7.0, attributes={"hour": 7})])
    store.roll_up()
    store.prune_details(NOON + DAY)
    assert read_raw(store, kettle).values.tolist() == [0.0, 7.0, 2.0]


class TestFile:
    def test_a_newer_file_is_left_alone(self, tmp_path):
        path = tmp_path / "strata.db"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(StoreTooNew, match="version 99"):
            SqliteStore(path).open()
        assert path.read_bytes()[100:] == before[100:]

    def test_a_file_that_is_no_database_is_damaged(self, tmp_path):
        path = tmp_path / "strata.db"
        path.write_bytes(b"this was a database once" * 400)
        with pytest.raises(StoreDamaged):
            SqliteStore(path).open()
        aside = set_aside(path, datetime(2026, 3, 10, tzinfo=UTC))
        assert aside.name == "strata.db.damaged-20260310T000000Z"
        path.write_bytes(b"x")
        path.with_name("strata.db-wal").write_bytes(b"wal")
        again = set_aside(path, datetime(2026, 3, 10, tzinfo=UTC))
        assert again.name.endswith("-2")
        assert again.with_name(again.name + "-wal").read_bytes() == b"wal"
        assert aside.read_bytes().startswith(b"this was")

    def test_a_folder_that_is_not_there_is_unusable(self, tmp_path):
        with pytest.raises(StoreUnusable):
            SqliteStore(tmp_path / "nowhere" / "strata.db").open()

    def test_a_migration_goes_on_where_it_stopped(self, tmp_path, clock):
        path = tmp_path / "strata.db"
        with SqliteStore(path, now=clock) as store:
            store.write([Row(power(store), NOON, 1.0)])

        def fails(connection):
            connection.execute("ALTER TABLE series ADD COLUMN colour TEXT")
            raise sqlite3.OperationalError("interrupted")

        def works(connection):
            connection.execute("ALTER TABLE series ADD COLUMN colour TEXT")

        with pytest.raises(StoreError, match="interrupted"):
            SqliteStore(path, steps=(*schema.STEPS, fails)).open()
        with SqliteStore(path, now=clock, steps=(*schema.STEPS, works)) as store:
            assert read_raw(store, power(store)).values.tolist() == [1.0]
        with pytest.raises(StoreTooNew):
            SqliteStore(path).open()

    def test_a_sound_file_passes_its_check_and_a_broken_page_does_not(self, tmp_path, clock):
        path = tmp_path / "strata.db"
        with SqliteStore(path, now=clock) as store:
            kettle = power(store)
            for hour in range(200):
                store.write([Row(kettle, NOON + hour * HOUR + n * SECOND, n * 1.37 % 1) for n in range(50)])
            store.compact()
            assert store.quick_check() is None
        content = bytearray(path.read_bytes())
        for page in range(3, len(content) // 4096):
            content[page * 4096 : page * 4096 + 40] = b"\xff" * 40
        path.write_bytes(content)
        broken = SqliteStore(path, now=clock)
        found = None
        try:
            broken.open()
            found = broken.quick_check()
        except StoreDamaged as error:
            found = str(error)
        broken.abandon()
        assert found

    def test_closing_twice_is_fine_and_a_closed_store_says_so(self, tmp_path):
        store = SqliteStore(tmp_path / "strata.db")
        store.open()
        store.close()
        store.close()
        store.abandon()
        with pytest.raises(StoreError, match="not open"):
            store.write([])

    def test_a_failed_write_stores_nothing_and_can_be_made_again(self, store):
        kettle = power(store)
        rows = [Row(kettle, NOON, 1.0, "on"), Row(kettle, NOON + 1, object())]  # type: ignore[arg-type]
        with pytest.raises(StoreError):
            store.write(rows)
        assert kettle.id is None
        assert store.counters.stored == 0
        store.write(rows[:1])
        assert read_raw(store, kettle).values.tolist() == [1.0]

    def test_a_full_disk_loses_nothing(self, tmp_path):
        # The limit on file sizes stands for a full disk; it needs a process of its own.
        script = """
import resource, signal, sys
from pathlib import Path
from custom_components.strata.core.model import Kind, Row, SeriesKey, TimeRange
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.sqlite import SqliteStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(Path(sys.argv[1]), now=lambda: 10**15)
store.open()
series = store.series(SeriesKey.of_entity("m", "e"), kind=Kind.MEASUREMENT)
store.write([Row(series, 10**15, 1.0)])
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
rows = [Row(series, 10**15 + n, n * 1.1) for n in range(1, 20_000)]
try:
    store.write(rows)
except StoreError as error:
    print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.write(rows)
with store.reader() as reader:
    print(len(reader.raw(series.id, TimeRange(0, 2**60))))
print(store.quick_check())
"""
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "strata.db")],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        kind, rows, check = done.stdout.split()
        assert kind in {"StoreFull", "StoreError"}
        assert (int(rows), check) == (20_000, "None")

    def test_sqlites_full_and_other_errors_get_the_stores_words(self, tmp_path):
        connection = sqlite3.connect(tmp_path / "tiny.db")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(StoreFull, match=r"tiny\.db"), in_store_words(tmp_path / "tiny.db"):
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
        with pytest.raises(StoreError, match="syntax"), in_store_words("tiny.db"):
            connection.execute("SELEC")
        connection.close()


def test_readers_see_one_state_and_never_block_the_writer(store):
    kettle = power(store)
    store.write([Row(kettle, NOON, 1.0)])
    with store.reader() as reader:
        reader.connection.execute("BEGIN")
        before = reader.raw_all(ALL)
        store.write([Row(kettle, NOON + 1, 2.0)])
        store.compact()
        assert len(reader.raw_all(ALL)[kettle.id]) == len(before[kettle.id]) == 1
        reader.connection.execute("ROLLBACK")
        assert len(reader.raw_all(ALL)[kettle.id]) == 2


def test_the_real_clock_is_the_present():
    assert abs(now_micros() - to_micros(datetime.now(UTC))) < 10 * SECOND
