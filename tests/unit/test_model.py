"""The words of the core: instants, ranges, identities, slots."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.strata.core.model import (
    EXCLUDED_FLAGS,
    Cause,
    Flag,
    Forecast,
    Kind,
    Point,
    Row,
    Series,
    SeriesKey,
    Slot,
    TimeRange,
    from_micros,
    to_micros,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("moment", "micros"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(2001, 9, 9, 1, 46, 40, 1, tzinfo=UTC), 1_000_000_000_000_001),
        (datetime(2001, 9, 9, 3, 46, 40, tzinfo=ZoneInfo("Europe/Berlin")), 1_000_000_000_000_000),
        (datetime(2001, 9, 9, 7, 31, 40, tzinfo=timezone(timedelta(hours=5, minutes=45))), 1_000_000_000_000_000),
    ],
)
def test_instants_are_microseconds_since_1970(moment: datetime, micros: int) -> None:
    assert to_micros(moment) == micros
    assert from_micros(micros) == moment
    assert from_micros(micros).tzinfo is UTC


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds are naive
def test_no_microsecond_is_lost(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment


def test_repeated_hour_keeps_its_two_instants_apart() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    assert to_micros(first.replace(fold=1)) - to_micros(first) == 3_600_000_000


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-06-01T12:00:00 has no time zone"):
        to_micros(NOON.replace(tzinfo=None))


def test_range_holds_its_start_and_not_its_end() -> None:
    hour = TimeRange(10, 20)
    assert [t in hour for t in (9, 10, 19, 20)] == [False, True, True, False]
    assert hour.duration == 10
    assert 10 not in TimeRange(10, 10)


def test_range_between_datetimes() -> None:
    assert TimeRange.between(NOON, NOON + HOUR).duration == 3_600_000_000


def test_backward_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ends \(9\) before it starts \(10\)"):
        TimeRange(10, 9)


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (TimeRange(0, 10), None),
        (TimeRange(20, 30), None),
        (TimeRange(0, 11), TimeRange(10, 11)),
        (TimeRange(19, 30), TimeRange(19, 20)),
        (TimeRange(12, 15), TimeRange(12, 15)),
        (TimeRange(0, 99), TimeRange(10, 20)),
    ],
)
def test_what_two_ranges_share(other: TimeRange, shared: TimeRange | None) -> None:
    hour = TimeRange(10, 20)
    assert hour.overlaps(other) is (shared is not None)
    assert other.overlaps(hour) is (shared is not None)
    assert hour.intersection(other) == shared
    assert other.intersection(hour) == shared


def test_identity_of_an_entity_is_its_registry_id() -> None:
    key = SeriesKey.of_entity("home_assistant_events", "abc123")
    assert key == SeriesKey("home_assistant_events", "entity:abc123", "value")
    assert key.tags == {}
    assert SeriesKey.of_entity("home_assistant_events", "abc123", "state") != key


def test_identity_of_a_reading_does_not_depend_on_the_order_of_its_tags() -> None:
    tags = {"region": "DE", "grid_operator": '50Hertz: größte "Zone"'}
    key = SeriesKey.of_tags("carbon_intensity", tags, "carbon_intensity_gco2_kwh")
    assert key == SeriesKey.of_tags("carbon_intensity", dict(reversed(tags.items())), "carbon_intensity_gco2_kwh")
    assert hash(key) == hash(SeriesKey("carbon_intensity", key.identity, "carbon_intensity_gco2_kwh"))
    assert key.tags == tags


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_identities_differ_exactly_when_tags_do(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = (SeriesKey.of_tags("m", tags, "f") for tags in (one, other))
    assert (first == second) is (one == other)
    assert first.tags == one


def test_series_are_told_apart_by_themselves() -> None:
    key = SeriesKey.of_entity("home_assistant_events", "abc123")
    one, other = Series(key, Kind.METER), Series(key, Kind.METER)
    assert one != other
    assert len({one, other}) == 2
    one.labels["area_id"] = "kitchen"
    assert other.labels == {}
    assert one.id is None


def test_row_says_only_what_it_is_given() -> None:
    series = Series(SeriesKey.of_entity("home_assistant_events", "abc123"), Kind.MEASUREMENT)
    assert Row(series, 5, 1.5) == (series, 5, 1.5, None, Flag.OK, None, None)
    assert Cause("01ABC") == Cause("01ABC", None, None)
    assert Point("m", {"a": "b"}, {"value": 1.5}, 5).fields == {"value": 1.5}


def test_what_is_stored_under_a_number_keeps_it() -> None:
    assert {flag.name: int(flag) for flag in Flag} == {
        "OK": 0,
        "GAP": 1,
        "SPIKE": 2,
        "RESET": 3,
        "IMPOSSIBLE": 4,
        "STUCK": 5,
        "RESUME": 6,
        "HEARTBEAT": 7,
        "CYCLE": 8,
        "DETAIL": 9,
        "ATTRIBUTES": 10,
        "CAUSE": 11,
    }
    assert {kind.value for kind in Kind} == {"measurement", "meter", "on_off", "text"}
    assert {flag.name for flag in EXCLUDED_FLAGS} == {"SPIKE", "RESET", "IMPOSSIBLE"}


def test_forecast_finds_the_slot_of_a_moment() -> None:
    # 15, 30 and 60 minutes, and a hole before the last.
    lengths = ((0, 15), (15, 45), (45, 105), (120, 135))
    slots = tuple(
        Slot(NOON + timedelta(minutes=a), NOON + timedelta(minutes=b), -0.01 * number)
        for number, (a, b) in enumerate(lengths)
    )
    forecast = Forecast("EUR/kWh", NOON, slots)
    found = [forecast.at(NOON + timedelta(minutes=m)) for m in (-1, 0, 14, 15, 104, 105, 120, 135)]
    assert found == [None, slots[0], slots[0], slots[1], slots[2], None, slots[3], None]
    assert list(forecast.after(NOON + timedelta(minutes=44))) == list(slots[1:])
    assert list(forecast.after(NOON + timedelta(minutes=45))) == list(slots[2:])
    assert list(forecast.after(NOON - HOUR)) == list(slots)


@pytest.mark.parametrize(
    ("start", "end", "complaint"),
    [
        (NOON, NOON, "ends .* before it starts"),
        (NOON, NOON - HOUR, "ends .* before it starts"),
        (NOON.replace(tzinfo=None), NOON, "time zone"),
        (NOON, NOON.replace(tzinfo=None), "time zone"),
    ],
)
def test_slot_needs_length_and_time_zones(start: datetime, end: datetime, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Slot(start, end, 0.1)
