"""Local hours and days, against the clock itself: a scan of every minute with zoneinfo, and dates looked up by hand."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.strata.core.clock import (
    DAY,
    HOUR,
    day_edges,
    day_range,
    floor_day,
    floor_hour,
    hour_edges,
    local_date,
    next_day,
    next_hour,
    utc_offset,
)
from custom_components.strata.core.model import Micros, TimeRange, from_micros, to_micros

MINUTE: Micros = 60_000_000
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Chicago",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "America/St_Johns",
    "America/Havana",
    "America/Asuncion",
    "America/Nuuk",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Tehran",
    "Asia/Pyongyang",
)
# Samoa had no 30 December 2011; Newfoundland's clocks changed at 00:01 until November 2011.
FROM, UNTIL = datetime(2010, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)


def at(text: str, timezone: str = "UTC", *, fold: int = 0) -> Micros:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold))


def wall(timezone: str, t: Micros) -> datetime:
    return from_micros(t).astimezone(ZoneInfo(timezone))


def scanned_hours(timezone: str, start: Micros, end: Micros) -> list[Micros]:
    """Look at the clock every minute; all changes since 2010 happen on a full minute."""
    edges = []
    for t in range(-(-start // MINUTE) * MINUTE, end + 1, MINUTE):
        now = wall(timezone, t)
        if now.minute == 0 or now.utcoffset() != wall(timezone, t - MINUTE).utcoffset():
            edges.append(t)
    return edges


def scanned_days(timezone: str, start: Micros, end: Micros) -> list[Micros]:
    """Look at the calendar every minute: a day begins when a date is shown that was never shown before."""
    first = -(-start // MINUTE) * MINUTE
    # Clocks go back by two hours at most, so what the last three hours have shown is all that can come again.
    newest = max(wall(timezone, t).date() for t in range(first - 3 * HOUR, first, MINUTE))
    edges = []
    for t in range(first, end + 1, MINUTE):
        today = wall(timezone, t).date()
        if today > newest:
            newest = today
            edges.append(t)
    return edges


def changes_of(timezone: str) -> list[Micros]:
    """Every day after which the offset is another one."""
    days = [to_micros(FROM + timedelta(days=n)) for n in range((UNTIL - FROM).days)]
    return [b for a, b in pairwise(days) if wall(timezone, a).utcoffset() != wall(timezone, b).utcoffset()]


CHANGES = {zone: changes_of(zone) for zone in ZONES}


@st.composite
def zone_and_time(draw: st.DrawFn) -> tuple[str, Micros]:
    """A zone and an instant, near a change of its clocks as often as not."""
    zone = draw(st.sampled_from(ZONES))
    anywhere = st.integers(to_micros(FROM) + 3 * DAY, to_micros(UNTIL) - 3 * DAY)
    if CHANGES[zone] and draw(st.booleans()):
        anywhere = st.integers(-36, 12).map(lambda hours: draw(st.sampled_from(CHANGES[zone])) + hours * HOUR)
    near = st.sampled_from((0, 1, -1, MINUTE, HOUR - 1, 17 * MINUTE + 123_456))
    return zone, draw(anywhere) + draw(near)


@pytest.mark.parametrize("zone", ZONES)
def test_edges_are_those_of_a_minute_scan_around_clock_changes(zone: str) -> None:
    # Newfoundland, Samoa, Cairo, Greenland and Iran changed their rules in these years; others keep theirs.
    for change in CHANGES[zone][:5] + CHANGES[zone][-1:]:
        start, end = change - 30 * HOUR, change + 6 * HOUR
        assert hour_edges(zone, start, end) == scanned_hours(zone, start, end)
        assert day_edges(zone, start, end) == scanned_days(zone, start, end)


@settings(max_examples=60, deadline=None)
@given(zone_and_time(), st.integers(0, 40 * HOUR))
def test_edges_are_those_of_a_minute_scan_anywhere(zone_time: tuple[str, Micros], length: Micros) -> None:
    zone, start = zone_time
    assert hour_edges(zone, start, start + length) == scanned_hours(zone, start, start + length)
    assert day_edges(zone, start, start + length) == scanned_days(zone, start, start + length)


@settings(max_examples=200, deadline=None)
@given(zone_and_time())
def test_buckets_nest_and_cover(zone_time: tuple[str, Micros]) -> None:
    zone, t = zone_time
    start, end = floor_day(zone, t - 2 * DAY), next_day(zone, t + 2 * DAY)
    hours, days = hour_edges(zone, start, end), day_edges(zone, start, end)
    for edges in (hours, days):
        assert edges[0] == start
        assert edges[-1] == end
        assert all(a < b for a, b in pairwise(edges))
    assert set(days) <= set(hours)
    assert all(edge % (5 * MINUTE) == 0 for edge in hours if edge >= at("2012-01-01T00:00"))
    assert all(b - a <= HOUR for a, b in pairwise(hours))
    assert all(22 * HOUR <= b - a <= 26 * HOUR for a, b in pairwise(days))


@settings(max_examples=300, deadline=None)
@given(zone_and_time())
def test_every_instant_lies_in_its_hour_and_day(zone_time: tuple[str, Micros]) -> None:
    zone, t = zone_time
    assert floor_hour(zone, t) <= t < next_hour(zone, t)
    assert hour_edges(zone, floor_hour(zone, t), next_hour(zone, t)) == [floor_hour(zone, t), next_hour(zone, t)]
    assert floor_day(zone, t) <= t < next_day(zone, t)
    assert day_edges(zone, floor_day(zone, t), next_day(zone, t)) == [floor_day(zone, t), next_day(zone, t)]


@settings(max_examples=300, deadline=None)
@given(zone_and_time())
def test_offset_and_date_are_those_of_the_clock(zone_time: tuple[str, Micros]) -> None:
    zone, t = zone_time
    assert timedelta(seconds=utc_offset(zone, t)) == wall(zone, t).utcoffset()
    assert local_date(zone, t) == wall(zone, t).date()


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00", 23),
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00", 25),
        ("America/Chicago", date(2026, 3, 8), "2026-03-08T06:00", 23),
        ("Asia/Kolkata", date(2026, 1, 1), "2025-12-31T18:30", 24),
        ("Asia/Kathmandu", date(2026, 1, 1), "2025-12-31T18:15", 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00", 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T13:30", 23.5),
        ("Pacific/Chatham", date(2026, 4, 5), "2026-04-04T10:15", 25),
        # Cairo's clocks go from 24:00 to 01:00, so the day begins at 01:00; they go back from 24:00 to 23:00.
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00", 23),
        ("Africa/Cairo", date(2026, 10, 29), "2026-10-28T21:00", 25),
        # Havana shows 00:00 twice on the day its clocks go back, and never on the day they go forward.
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00", 25),
        ("America/Havana", date(2026, 3, 8), "2026-03-08T05:00", 23),
        # Newfoundland went from 00:01 back to 23:01 of the day before, which has begun its new day then.
        ("America/St_Johns", date(2010, 11, 7), "2010-11-07T02:30", 25),
    ],
)
def test_days_looked_up_by_hand(zone: str, day: date, start: str, hours: float) -> None:
    begin = at(start)
    assert day_range(zone, day) == TimeRange(begin, begin + int(hours * HOUR))
    assert floor_day(zone, begin) == begin
    assert floor_day(zone, begin - 1) < begin
    assert next_day(zone, begin - 1) == begin


def test_hours_of_lord_howe_when_its_clocks_change_by_half_an_hour() -> None:
    zone = "Australia/Lord_Howe"
    # 01:00 +11:00, then at 02:00 back to 01:30 +10:30, then 02:00 +10:30.
    assert hour_edges(zone, at("2026-04-04T14:00"), at("2026-04-04T16:00")) == [
        at("2026-04-04T14:00"),
        at("2026-04-04T15:00"),
        at("2026-04-04T15:30"),
    ]
    # 01:00 +10:30, then at 02:00 forward to 02:30 +11:00, then 03:00 +11:00.
    assert hour_edges(zone, at("2026-10-03T14:30"), at("2026-10-03T16:00")) == [
        at("2026-10-03T14:30"),
        at("2026-10-03T15:30"),
        at("2026-10-03T16:00"),
    ]


def test_repeated_hour_has_a_bucket_of_its_own() -> None:
    zone = "Europe/Berlin"
    first, second = at("2026-10-25T02:00", zone), at("2026-10-25T02:00", zone, fold=1)
    assert second - first == HOUR
    assert hour_edges(zone, first, second + HOUR) == [first, second, second + HOUR]
    assert floor_hour(zone, second + 1) == second
    assert floor_hour(zone, second - 1) == first


def test_date_that_never_was_is_empty() -> None:
    zone = "Pacific/Apia"
    skipped = day_range(zone, date(2011, 12, 30))
    assert skipped.duration == 0
    assert skipped.start == at("2011-12-30T10:00")
    assert day_edges(zone, at("2011-12-29T10:00"), at("2011-12-31T10:00")) == [
        at("2011-12-29T10:00"),
        at("2011-12-30T10:00"),
        at("2011-12-31T10:00"),
    ]
    assert next_day(zone, at("2011-12-29T12:00")) == at("2011-12-30T10:00")


def test_new_day_stays_begun_while_the_old_date_is_shown_again() -> None:
    zone = "America/St_Johns"
    shown_again = at("2010-11-07T03:00")
    assert local_date(zone, shown_again) == date(2010, 11, 6)
    assert floor_day(zone, shown_again) == at("2010-11-07T02:30")
    assert next_day(zone, shown_again) == at("2010-11-08T03:30")


def test_a_year_has_all_its_hours() -> None:
    start, end = at("2026-01-01T00:00", "Europe/Berlin"), at("2027-01-01T00:00", "Europe/Berlin")
    assert len(hour_edges("Europe/Berlin", start, end)) == 365 * 24 + 1
    assert len(day_edges("Europe/Berlin", start, end)) == 366


def test_edges_include_both_ends_and_nothing_of_a_backward_range() -> None:
    noon = at("2026-06-01T12:00")
    assert hour_edges("UTC", noon, noon) == [noon]
    assert hour_edges("UTC", noon + 1, noon + HOUR - 1) == []
    assert hour_edges("UTC", noon, noon - DAY) == []
    assert day_edges("UTC", noon - noon % DAY, noon - noon % DAY) == [noon - noon % DAY]
    assert day_edges("UTC", noon, noon - 2 * DAY) == []


def test_instants_before_the_epoch() -> None:
    assert floor_hour("Europe/Berlin", -1) == -HOUR
    assert local_date("America/Chicago", 0) == date(1969, 12, 31)
    # Until 1893 Berlin's clock was 53 minutes and 28 seconds ahead; the change is a border of its own.
    changed = at("1893-03-31T23:06:32")
    assert hour_edges("Europe/Berlin", changed - 1, changed + 1) == [changed]
    assert utc_offset("Europe/Berlin", changed - 1) == 53 * 60 + 28


@pytest.mark.parametrize("zone", ["", "Europe", "Mars/Olympus", "../etc/passwd"])
def test_unknown_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(ValueError, match=r"unknown time zone .*use an IANA name"):
        utc_offset(zone, 0)
