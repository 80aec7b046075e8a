"""Looking back on one series: what held when, in the layer that is asked for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from custom_components.strata.core.model import Flag, Kind, Row, SeriesKey, to_micros
from custom_components.strata.core.stretch import Past, Stretch
from custom_components.strata.store.look_back import look_back
from custom_components.strata.store.sqlite import SqliteStore

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return NOON + MINUTE * minutes


class Clock:
    def __init__(self) -> None:
        self.now = to_micros(NOON)

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock):
    with SqliteStore(tmp_path / "strata.db", now=clock) as opened:
        yield opened


def series(store: SqliteStore, kind: Kind, unit: str | None = None):
    return store.series(SeriesKey.of_tags("meter", {"a": "b"}, str(kind)), kind=kind, unit=unit)


def test_states_in_quarters(store: SqliteStore, clock: Clock) -> None:
    person = series(store, Kind.TEXT)
    store.write(
        [
            Row(person, to_micros(at(5)), 1.0, "home"),
            Row(person, to_micros(at(20)), 0.0, "not_home"),
            Row(person, to_micros(at(25)), flag=Flag.GAP),
            Row(person, to_micros(at(40)), 0.0, "Work"),
        ]
    )
    clock.now = to_micros(at(50))
    with store.reader() as reader:
        past = look_back(reader, person, at(0), at(50), "raw")
    assert past.unit is None
    assert past.stretches == (
        Stretch(start=at(0), end=at(15), known=600, seconds={"home": 600}),
        Stretch(start=at(15), end=at(30), known=600, seconds={"home": 300, "not_home": 300}),
        Stretch(start=at(30), end=at(45), known=300, seconds={"Work": 300}),
        # What is still to come is not known.
        Stretch(start=at(45), end=at(50), known=300, seconds={"Work": 300}),
    )


def test_hours_are_those_that_are_rolled_up(store: SqliteStore, clock: Clock) -> None:
    power = series(store, Kind.MEASUREMENT, "W")
    meter = series(store, Kind.METER, "kWh")
    switch = series(store, Kind.ON_OFF)
    store.write(
        [
            Row(power, to_micros(at(0)), 100.0),
            Row(power, to_micros(at(45)), 300.0),
            Row(meter, to_micros(at(0)), 5.0),
            Row(meter, to_micros(at(30)), 6.5),
            Row(switch, to_micros(at(0)), 1.0),
            Row(switch, to_micros(at(15)), 0.0),
        ]
    )
    clock.now = to_micros(at(70))
    store.compact(clock.now)
    store.roll_up(clock.now)
    with store.reader() as reader:
        (hour,) = look_back(reader, power, at(0), at(120), "hourly").stretches
        assert (hour.start, hour.end, hour.known, hour.mean) == (at(0), at(60), 3600, 150.0)
        (hour,) = look_back(reader, meter, at(0), at(120), "hourly").stretches
        assert (hour.increase, hour.mean) == (1.5, None)
        (hour,) = look_back(reader, switch, at(0), at(120), "hourly").stretches
        assert hour.mean == 0.25
        assert look_back(reader, power, at(0), at(120), "hourly").unit == "W"


def test_nothing_is_stored(store: SqliteStore, clock: Clock) -> None:
    power = series(store, Kind.MEASUREMENT, "W")
    with store.reader() as reader:
        assert look_back(reader, power, at(0), at(60), "raw") == Past(unit="W")
    store.write([Row(power, to_micros(at(0)), 100.0)])
    with store.reader() as reader:
        assert look_back(reader, power, at(-60), at(-30), "raw") == Past(unit="W")
        assert look_back(reader, power, at(0), at(-30), "raw") == Past(unit="W")
