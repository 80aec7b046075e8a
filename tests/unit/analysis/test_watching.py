"""Which series are watched, and how their history is read."""

from pathlib import Path

import numpy as np
import pytest

from custom_components.strata.analysis.watching import (
    MOST_BY_DEFAULT,
    WATCHABLE,
    Target,
    bounds,
    choose,
    downtimes,
    read_history,
    target_of,
)
from custom_components.strata.core.model import Kind, Row, Series, SeriesKey, TimeRange
from custom_components.strata.store.sqlite import SqliteStore

HOUR = 3_600_000_000
DAY = 24 * HOUR
BEGIN = 1_793_491_200_000_000
"""2026-11-01 00:00 UTC."""


def series(number: int, device_class: str | None, kind: Kind = Kind.MEASUREMENT, **more: str) -> Series:
    labels = {"entity_id": f"sensor.n{number}", **({"device_class": device_class} if device_class else {}), **more}
    return Series(SeriesKey.of_entity("home_assistant_events", f"n{number}"), kind, "W", labels, id=number)


def everywhere(found: list[Series]) -> set[str]:
    return {each.labels["entity_id"] for each in found}


def test_the_default_choice_is_bounded_varied_and_stays_the_same_while_the_home_grows() -> None:
    known = [series(number, "power") for number in range(1, 41)]
    known += [series(number, "temperature") for number in range(41, 60)]
    known += [series(number, "door", Kind.ON_OFF) for number in range(60, 70)]
    known += [series(number, None) for number in range(70, 90)]
    first = choose(known, everywhere(known))
    assert len(first) == MOST_BY_DEFAULT
    classes = [target.device_class for target in first]
    assert {classes.count(name) >= WATCHABLE[name].share for name in ("power", "temperature", "door")} == {True}
    grown = [*known, series(90, "power"), series(91, "door", Kind.ON_OFF)]
    assert [each.entity_id for each in choose(grown, everywhere(grown))] == [each.entity_id for each in first]


def test_an_entity_that_is_gone_or_was_never_written_is_not_watched() -> None:
    gone, unsaved = series(1, "power"), series(2, "power")
    unsaved.id = None
    assert choose([gone, unsaved], {"sensor.n2"}) == []


def test_what_the_user_chose_is_watched_in_that_order_whatever_its_class() -> None:
    known = [series(1, "power"), series(2, None), series(3, "signal_strength"), series(4, None, Kind.ON_OFF)]
    chosen = choose(known, everywhere(known), chosen=["sensor.n4", "sensor.n2", "sensor.n9"])
    assert [(each.entity_id, each.kind) for each in chosen] == [("sensor.n4", "event"), ("sensor.n2", "numeric")]


def test_texts_and_readings_of_sources_cannot_be_watched() -> None:
    assert target_of(series(1, None, Kind.TEXT)) is None
    assert target_of(Series(SeriesKey.of_tags("air_quality", {"location": "a"}, "aqi"), Kind.MEASUREMENT)) is None


def test_the_unit_of_a_meter_is_what_it_grows_by_in_an_hour() -> None:
    meter = series(1, "energy", Kind.METER)
    for unit, expected in (("kWh", "kW"), ("Wh", "W"), ("m³", "m³/h"), (None, "/h")):
        meter.unit = unit
        assert Target("sensor.n1", meter, "numeric", "energy").unit == expected


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "strata.db", now=lambda: BEGIN)


def written(store: SqliteStore, rows: list[tuple[int, float]], kind: Kind, *, fine: bool, until: int) -> Target:
    known = store.series(
        SeriesKey.of_entity("home_assistant_events", "one"),
        kind=kind,
        unit="kWh" if kind is Kind.METER else "W",
        labels={"entity_id": "sensor.one", "device_class": "door" if kind is Kind.ON_OFF else "power"},
        fine=fine,
    )
    store.write([Row(known, BEGIN + time, value) for time, value in rows], heartbeat=until)
    store.roll_up(until)
    target = target_of(known)
    assert target is not None
    return target


def test_numbers_come_in_five_minutes_and_the_running_hour_is_added(store: SqliteStore) -> None:
    with store:
        rows = [(hour * HOUR, float(hour)) for hour in range(12)]
        target = written(store, rows, Kind.MEASUREMENT, fine=True, until=BEGIN + 12 * HOUR)
        known = store.find(target.series.key)
        assert known is not None
        store.write([Row(known, BEGIN + 12 * HOUR + 6 * 60_000_000, 100.0)])
        with store.reader() as reader:
            closed = read_history(reader, target, BEGIN + 12 * HOUR)
            running = read_history(reader, target, BEGIN + 12 * HOUR + 15 * 60_000_000, newest=True)
    assert len(closed.times) == 144
    assert closed.values[::12].tolist() == [float(hour) for hour in range(12)]
    # 11 until minute 6, then 100: the second five minutes are 1 of 11 and 4 of 100.
    assert running.values[144:].tolist() == pytest.approx([11.0, (11 + 4 * 100) / 5, 100.0])


def test_a_meter_is_read_as_its_growth_per_hour(store: SqliteStore) -> None:
    with store:
        rows = [(hour * HOUR, 0.5 * hour) for hour in range(5)]
        target = written(store, rows, Kind.METER, fine=False, until=BEGIN + 5 * HOUR)
        with store.reader() as reader:
            history = read_history(reader, target, BEGIN + 5 * HOUR)
    assert history.values.tolist() == pytest.approx([0.0, 0.5, 0.5, 0.5, 0.5])


def test_events_are_counted_by_the_hour(store: SqliteStore) -> None:
    with store:
        minute = 60_000_000
        rows = [(0, 0.0), (5 * minute, 1.0), (6 * minute, 0.0), (20 * minute, 1.0), (21 * minute, 0.0)]
        rows += [(HOUR + 59 * minute, 1.0), (2 * HOUR + minute, 0.0)]
        target = written(store, rows, Kind.ON_OFF, fine=False, until=BEGIN + 3 * HOUR)
        with store.reader() as reader:
            history = read_history(reader, target, BEGIN + 3 * HOUR)
    assert target.kind == "event"
    assert history.values.tolist() == [2.0, 1.0, 1.0]


def test_bounds_are_what_was_ever_seen(store: SqliteStore) -> None:
    with store:
        target = written(store, [(0, 5.0), (HOUR, 9.0)], Kind.MEASUREMENT, fine=True, until=BEGIN + 2 * HOUR)
        with store.reader() as reader:
            assert bounds(read_history(reader, target, BEGIN + 2 * HOUR)) == (5.0, 9.0)
            assert bounds(read_history(reader, target, BEGIN)) is None


def test_downtimes_are_what_no_run_covers() -> None:
    runs = [(20, 30), (0, 10), (5, 12)]
    assert downtimes(runs, TimeRange(0, 40)) == [TimeRange(12, 20), TimeRange(30, 40)]
    assert downtimes([], TimeRange(3, 4)) == [TimeRange(3, 4)]
    assert downtimes([(0, 9)], TimeRange(1, 9)) == []


def test_no_series_no_history(store: SqliteStore) -> None:
    with store:
        nothing = Target("sensor.n1", series(1, "power"), "numeric", "power")
        nothing.series.id = None
        with store.reader() as reader:
            assert np.array_equal(read_history(reader, nothing, BEGIN).times, np.empty(0))
