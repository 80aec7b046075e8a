"""Slot logic against truths computed by hand, and windows of time against brute force by minutes."""

from datetime import UTC, datetime, timedelta
import random
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core import forecast
from custom_components.strata.core.model import Slot

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
BRUSSELS = ZoneInfo("Europe/Brussels")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def slots(*values: float, length: float = 60, start: datetime = T0) -> tuple[Slot, ...]:
    step = minutes(length)
    return tuple(Slot(start + index * step, start + (index + 1) * step, value) for index, value in enumerate(values))


def lengths(*starts: float) -> list[float]:
    """The lengths in minutes that are inferred for slots that begin `starts` minutes after T0."""
    found = forecast.infer_slots((T0 + minutes(start), 1.0) for start in starts)
    assert [slot.start for slot in found] == [T0 + minutes(start) for start in starts]
    return [(slot.end - slot.start) / minutes(1) for slot in found]


@pytest.mark.parametrize("length", [5, 15, 30, 60])
def test_slot_length_is_the_step_between_starts_and_the_last_is_like_the_one_before(length: int) -> None:
    assert lengths(0, length, 2 * length) == [length] * 3


def test_slot_length_may_change_within_a_list() -> None:
    assert lengths(0, 60, 120, 135, 150) == [60, 60, 15, 15, 15]
    assert lengths(0, 15, 30, 90, 150) == [15, 15, 60, 60, 60]


@pytest.mark.parametrize("starts", [(0, 15, 45, 60), (0, 30, 45, 60), (0, 15, 30, 60), (0, 15, 105, 120)])
def test_a_missing_slot_stretches_none(starts: tuple[int, ...]) -> None:
    assert lengths(*starts) == [15] * 4


def test_a_null_is_a_hole() -> None:
    points = [(T0, 1.0), (T0 + minutes(15), None), (T0 + minutes(30), 3.0)]
    assert forecast.infer_slots(points) == (slots(1.0, length=15)[0], slots(0, 0, 3.0, length=15)[2])


def test_order_does_not_matter_and_the_last_of_two_equal_starts_counts() -> None:
    points = [(T0 + minutes(60), 2.0), (T0, 1.0), (T0, 7.0)]
    assert forecast.infer_slots(points) == slots(7.0, 2.0)


@pytest.mark.parametrize("starts", [(0,), (0, 7), (0, 24 * 60)])
def test_no_slot_length_is_guessed(starts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="how long a slot is"):
        lengths(*starts)


def test_no_points_make_no_slots() -> None:
    assert forecast.infer_slots([]) == ()


@pytest.mark.parametrize(
    ("day", "hours", "start"),
    [
        ((2026, 3, 29), 23, (2026, 3, 28, 23)),
        ((2026, 6, 1), 24, (2026, 5, 31, 22)),
        ((2026, 10, 25), 25, (2026, 10, 24, 22)),
    ],
)
def test_market_days_have_23_24_or_25_hours(day: tuple[int, ...], hours: int, start: tuple[int, ...]) -> None:
    noon = datetime(*day, 12, tzinfo=BRUSSELS)
    begin, end = forecast.day_around(noon, BRUSSELS)
    assert begin == datetime(*start, tzinfo=UTC)
    assert end - begin == timedelta(hours=hours)
    assert forecast.day_around(begin, BRUSSELS) == (begin, end)
    assert forecast.day_around(end, BRUSSELS)[0] == end
    quarters = slots(*range(hours * 4 + 8), length=15, start=begin - timedelta(hours=1))
    assert len(forecast.within(quarters, begin, end)) == hours * 4


def test_hours_are_means_over_time_and_only_whole_ones_count() -> None:
    # 12:00 four quarters, 13:00 one hour, 14:00 a half and two quarters, 15:00 only three quarters.
    mixed = (
        *slots(1, 2, 3, 6, length=15),
        *slots(5.0, start=T0 + minutes(60)),
        *slots(2.0, length=30, start=T0 + minutes(120)),
        *slots(4.0, 6.0, length=15, start=T0 + minutes(150)),
        *slots(0.0, 0.0, 0.0, length=15, start=T0 + minutes(180)),
    )
    assert forecast.hourly(mixed) == slots(3.0, 5.0, 3.5)


def test_a_slot_over_an_hour_border_belongs_to_both_hours() -> None:
    half_past = (
        *slots(1.0, length=30),
        *slots(4.0, start=T0 + minutes(30)),
        *slots(2.0, 9.0, length=30, start=T0 + minutes(90)),
    )
    # 12:00 half of 1 and half of 4, 13:00 half of 4 and half of 2; 14:00 is known to its half only.
    assert forecast.hourly(half_past) == slots(2.5, 3.0)


def test_extreme_hours_do_not_count_list_places() -> None:
    # Ten quarters: hour means 1.5, -2.0, and a half hour that is cheaper still but no whole hour.
    quarters = slots(0, 1, 2, 3, -5, -1, -1, -1, -50, -50, length=15)
    first, second = slots(1.5, -2.0)
    assert forecast.extreme_hours(quarters, 1) == (second,)
    assert forecast.extreme_hours(quarters, 1, dearest=True) == (first,)
    assert forecast.extreme_hours(quarters, 9) == (first, second)


def test_extreme_hours_come_in_time_order_and_of_equals_the_earliest() -> None:
    day = slots(3, 1, 2, 1, 3, 3)
    assert forecast.extreme_hours(day, 3) == (day[1], day[2], day[3])
    assert forecast.extreme_hours(day, 2, dearest=True) == (day[0], day[4])
    assert forecast.extreme_hours((), 4) == ()


def test_mean_is_weighted_by_time_within_the_range() -> None:
    known = (*slots(10.0, length=60), *slots(40.0, length=30, start=T0 + minutes(60)))
    # 30 of the 60 minutes at 10 and 30 at 40.
    assert forecast.mean(known, T0 + minutes(30), T0 + minutes(90)) == pytest.approx(25.0)


def test_mean_wants_nine_tenths_of_the_range() -> None:
    assert forecast.mean(slots(7.0, length=60), T0, T0 + minutes(66)) == pytest.approx(7.0)
    assert forecast.mean(slots(7.0, length=60), T0, T0 + minutes(67)) is None
    assert forecast.mean((), T0, T0 + minutes(1), enough=0.0) is None


def test_mean_equals_brute_force_by_minutes() -> None:
    seed = random.Random(7)
    for _ in range(50):
        known = slots(*(seed.uniform(-100, 300) for _ in range(40)), length=seed.choice([5, 15, 30, 60]))
        begin = T0 + minutes(seed.randrange(60))
        end = begin + minutes(seed.randrange(1, 120))
        values = []
        for minute in range(int((end - begin) / minutes(1))):
            at = begin + minutes(minute)
            values += [slot.value for slot in known if slot.start <= at < slot.end]
        expected = sum(values) / len(values) if len(values) * minutes(1) >= 0.9 * (end - begin) else None
        assert forecast.mean(known, begin, end) == (None if expected is None else pytest.approx(expected))


def test_average_is_over_known_time_only() -> None:
    with_hole = (*slots(10.0), *slots(20.0, length=30, start=T0 + minutes(120)))
    assert forecast.average(with_hole) == pytest.approx((10 * 60 + 20 * 30) / 90)
    assert forecast.average(()) is None


def test_extremes_are_the_first_of_equals() -> None:
    day = slots(2, -1, 5, -1, 5)
    assert forecast.lowest(day) == day[1]
    assert forecast.highest(day) == day[2]
    assert forecast.lowest(()) is None
    assert forecast.highest(()) is None


def test_quantile_is_the_share_of_time_that_is_lower() -> None:
    # Two hours at -3, half an hour at 0, half an hour at 5.
    day = (*slots(-3, -3), *slots(0, 5, length=30, start=T0 + minutes(120)))
    assert forecast.quantile(day, -3) == 0
    assert forecast.quantile(day, 0) == pytest.approx(2 / 3)
    assert forecast.quantile(day, 5) == pytest.approx(2.5 / 3)
    assert forecast.quantile((), 5) is None


def test_peak_is_the_dearest_quarter_of_the_day_whatever_its_sign() -> None:
    for shift in (0, -100):
        day = slots(*(value + shift for value in (1, 2, 3, 4)))
        assert [forecast.is_peak(day, slot.value) for slot in day] == [False, False, False, True]
    assert forecast.is_peak(slots(2, 2, 2, 2), 2) is False
    assert forecast.is_peak((), 2) is None


def test_next_slot_begins_after_the_moment() -> None:
    day = slots(1, 2, 3)
    assert forecast.next_after(day, T0) == day[1]
    assert forecast.next_after(day, T0 - minutes(1)) == day[0]
    assert forecast.next_after(reversed(day), T0 + minutes(59)) == day[1]
    assert forecast.next_after(day, T0 + minutes(120)) is None


def test_hours_ahead_count_from_the_running_slot() -> None:
    quarters = slots(1, 2, 3, 4, 5, length=15)
    assert forecast.hours_ahead(quarters, T0 + minutes(20)) == (-0.25, 0.0, 0.25, 0.5, 0.75)
    assert forecast.hours_ahead(quarters, T0 - minutes(30)) == (0.5, 0.75, 1.0, 1.25, 1.5)
