"""Totals, time-of-use rates and feed-in prices, against amounts worked out by hand."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.strata.core.model import Slot
from custom_components.strata.core.tariff import FeedIn, Period, Schedule, Tariff

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def local(*parts: int, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=zone, fold=fold).astimezone(UTC)  # type: ignore[arg-type,misc]


# Totals


@pytest.mark.parametrize(
    ("spot", "percent", "fixed", "tax", "total"),
    [
        # (0.10 + 0.003 + 0.1193) * 1.19 = 0.2223 * 1.19
        (0.10, 3, 0.1193, 19, 0.264537),
        # The surcharge is on the amount: (-0.10 + 0.003 + 0.1193) * 1.19 = 0.0223 * 1.19
        (-0.10, 3, 0.1193, 19, 0.026537),
        # A total may be negative: (-0.50 + 0.015 + 0.1193) * 1.19 = -0.3657 * 1.19
        (-0.50, 3, 0.1193, 19, -0.435183),
        (0.0, 3, 0.1193, 19, 0.141967),
        (0.25, 0, 0, 0, 0.25),
        (0.25, 0, 0, 20, 0.30),
        (0.25, 10, 0, 0, 0.275),
    ],
)
def test_total_by_hand(spot: float, percent: float, fixed: float, tax: float, total: float) -> None:
    tariff = Tariff(percent=percent, fixed=fixed, tax=tax)
    assert tariff.total(spot, NOON, BERLIN) == pytest.approx(total)
    (slot,) = tariff.totals([Slot(NOON, NOON + timedelta(hours=1), spot)], BERLIN)
    assert (slot.start, slot.end) == (NOON, NOON + timedelta(hours=1))
    assert slot.value == pytest.approx(total)


def test_a_slot_is_cut_where_its_fee_changes() -> None:
    fees = Schedule(otherwise=0.02, periods=(Period(rate=0.08, start=time(17, 30), end=time(20)),))
    slots = [
        Slot(local(2026, 11, 20, 17), local(2026, 11, 20, 18), 0.10),
        Slot(local(2026, 11, 20, 18), local(2026, 11, 20, 19), 0.20),
    ]
    cut = Tariff(fees=fees, tax=10).totals(slots, BERLIN)
    assert [(slot.start, slot.end) for slot in cut] == [
        (local(2026, 11, 20, 17), local(2026, 11, 20, 17, 30)),
        (local(2026, 11, 20, 17, 30), local(2026, 11, 20, 18)),
        (local(2026, 11, 20, 18), local(2026, 11, 20, 19)),
    ]
    # Each is the price and its fee, and a tenth more.
    assert [slot.value for slot in cut] == pytest.approx([0.132, 0.198, 0.308])


@pytest.mark.parametrize(
    ("spot", "percent", "fixed", "paid"),
    [(0.10, 100, -0.02, 0.08), (-0.05, 100, 0, -0.05), (0.30, 0, 0.081, 0.081), (0.20, 90, 0.01, 0.19)],
)
def test_feeding_in_by_hand(spot: float, percent: float, fixed: float, paid: float) -> None:
    feed_in = FeedIn(percent=percent, fixed=fixed)
    assert feed_in.price(spot) == pytest.approx(paid)
    (slot,) = feed_in.prices([Slot(NOON, NOON + timedelta(minutes=30), spot)])
    assert slot.value == pytest.approx(paid)
    assert slot.end == NOON + timedelta(minutes=30)


# Time of use

WINTER = frozenset({11, 12, 1, 2, 3})
WORKDAYS = frozenset(range(5))
TIME_OF_USE = Schedule(
    otherwise=0.20,
    periods=(
        Period(rate=0.40, months=WINTER, weekdays=WORKDAYS, start=time(16), end=time(20)),
        Period(rate=0.30, weekdays=WORKDAYS, start=time(7), end=time(22)),
        Period(rate=0.10, start=time(23), end=time(5)),
    ),
)


@pytest.mark.parametrize(
    ("at", "rate"),
    [
        (local(2026, 11, 20, 15, 59), 0.30),  # a Friday
        (local(2026, 11, 20, 16), 0.40),
        (local(2026, 11, 20, 19, 59, 59), 0.40),
        (local(2026, 11, 20, 20), 0.30),
        (local(2026, 11, 20, 22), 0.20),
        (local(2026, 11, 20, 23), 0.10),
        (local(2026, 11, 21, 4, 59), 0.10),
        (local(2026, 11, 21, 5), 0.20),
        (local(2026, 11, 21, 17), 0.20),  # a Saturday
        (local(2026, 7, 17, 17), 0.30),  # a Friday in summer
    ],
)
def test_the_first_period_that_holds_decides(at: datetime, rate: float) -> None:
    assert TIME_OF_USE.at(at, BERLIN) == rate


def test_after_midnight_it_is_another_weekday() -> None:
    friday_night = Schedule(periods=(Period(rate=1.0, weekdays=frozenset({4}), start=time(22), end=time(6)),))
    assert friday_night.at(local(2026, 11, 20, 23), BERLIN) == 1.0
    assert friday_night.at(local(2026, 11, 21, 1), BERLIN) == 0.0
    assert friday_night.at(local(2026, 11, 20, 1), BERLIN) == 1.0


def test_equal_times_are_the_whole_day() -> None:
    weekend = Schedule(periods=(Period(rate=1.0, weekdays=frozenset({5, 6}), start=time(8), end=time(8)),))
    pieces = list(weekend.pieces(local(2026, 11, 20, 0), local(2026, 11, 24, 0), BERLIN))
    assert [(slot.start, slot.value) for slot in pieces] == [
        (local(2026, 11, 20, 0), 0.0),
        (local(2026, 11, 21, 0), 1.0),
        (local(2026, 11, 23, 0), 0.0),
    ]


def test_a_rate_without_periods_is_one_piece() -> None:
    assert list(Schedule(otherwise=0.3).pieces(NOON, NOON + timedelta(days=3), BERLIN)) == [
        Slot(NOON, NOON + timedelta(days=3), 0.3)
    ]


NIGHT = Schedule(otherwise=2.0, periods=(Period(rate=1.0, start=time(2, 30), end=time(6)),))


def test_on_the_day_of_23_hours_a_skipped_time_begins_where_the_clock_jumps() -> None:
    # At 02:00 the clock in Berlin is put to 03:00, so what begins at 02:30 begins with the jump.
    pieces = list(NIGHT.pieces(local(2026, 3, 29, 0), local(2026, 3, 30, 0), BERLIN))
    assert [(slot.start, slot.end, slot.value) for slot in pieces] == [
        (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC), 2.0),
        (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 3, 29, 4, tzinfo=UTC), 1.0),
        (datetime(2026, 3, 29, 4, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC), 2.0),
    ]


def test_on_the_day_of_25_hours_a_repeated_time_begins_twice() -> None:
    # At 03:00 the clock in Berlin is put back to 02:00: 02:30 comes at 00:30 UTC and again at 01:30 UTC.
    pieces = list(NIGHT.pieces(local(2026, 10, 25, 0), local(2026, 10, 26, 0), BERLIN))
    assert [(slot.start, slot.value) for slot in pieces] == [
        (datetime(2026, 10, 24, 22, tzinfo=UTC), 2.0),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 1.0),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), 2.0),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), 1.0),
        (datetime(2026, 10, 25, 5, tzinfo=UTC), 2.0),
    ]


def test_hours_are_cut_at_changes() -> None:
    slots = TIME_OF_USE.hours(local(2026, 11, 20, 0), local(2026, 11, 21, 0), BERLIN)
    assert len(slots) == 24
    half = Schedule(periods=(Period(rate=1.0, start=time(6, 30), end=time(7)),))
    slots = half.hours(local(2026, 11, 20, 6), local(2026, 11, 20, 8), BERLIN)
    assert [(slot.end - slot.start, slot.value) for slot in slots] == [
        (timedelta(minutes=30), 0.0),
        (timedelta(minutes=30), 1.0),
        (timedelta(hours=1), 0.0),
    ]


CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 45)))
PERIODS = st.builds(
    Period,
    rate=st.integers(1, 9).map(float),
    months=st.frozensets(st.integers(1, 12), min_size=1),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    start=CLOCKS,
    end=CLOCKS,
)


@given(
    st.lists(PERIODS, max_size=4),
    st.sampled_from((BERLIN, LORD_HOWE)),
    st.sampled_from(("2026-03-28T07:00Z", "2026-04-03T09:00Z", "2026-10-23T01:00Z")),
    st.integers(1, 72),
)
def test_pieces_agree_with_the_clock_at_every_quarter(
    periods: list[Period], zone: ZoneInfo, begin: str, hours: int
) -> None:
    schedule = Schedule(periods=tuple(periods))
    start = datetime.fromisoformat(begin)
    end = start + timedelta(hours=hours)
    pieces = list(schedule.pieces(start, end, zone))
    assert pieces[0].start == start
    assert pieces[-1].end == end
    assert all(one.end == two.start and one.value != two.value for one, two in pairwise(pieces))
    at = start
    while at < end:
        (piece,) = [piece for piece in pieces if piece.start <= at < piece.end]
        here = at.astimezone(zone)
        expected = next((period.rate for period in periods if period.holds(here)), 0.0)
        assert piece.value == expected
        at += timedelta(minutes=15)
