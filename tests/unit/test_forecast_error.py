"""How far what was foreseen lay from what came, by hand."""

from datetime import UTC, datetime, timedelta
import math

import pytest

from custom_components.strata.core.forecast_error import ForecastError, forecast_error, held
from custom_components.strata.core.model import Flag, Forecast, Slot, to_micros

NOW = datetime(2026, 11, 21, 10, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
END = NOW.replace(minute=0)
LEAD = timedelta(hours=6)


def hours(value_of: dict[int, float]) -> tuple[Slot, ...]:
    """Slots by how many hours before the running hour they begin."""
    return tuple(
        Slot(END - age * HOUR, END - age * HOUR + HOUR, value) for age, value in sorted(value_of.items())[::-1]
    )


def issued(value: float, at: datetime = END - 40 * HOUR) -> Forecast:
    return Forecast("W", at, tuple(Slot(END + n * HOUR, END + (n + 1) * HOUR, value) for n in range(-48, 24)))


def test_error_and_bias_of_the_hours_that_are_over() -> None:
    # 12 hours came 8 above, 12 hours 2 below what was foreseen; the running hour does not count.
    came = hours({age: 108.0 if age <= 12 else 98.0 for age in range(1, 25)} | {0: 500.0, 25: 500.0})
    found = forecast_error(came, lambda moment: issued(100.0), NOW, LEAD)
    assert found == ForecastError(mean_absolute=5.0, bias=-3.0, hours=24)


def test_the_forecast_in_force_before_the_lead_is_judged() -> None:
    asked = []

    def in_force(moment: datetime) -> Forecast:
        asked.append(moment)
        return issued(110.0 if moment >= END - 12 * HOUR else 100.0)

    found = forecast_error(hours(dict.fromkeys(range(1, 25), 100.0)), in_force, NOW, LEAD)
    assert asked == [END - age * HOUR - LEAD for age in range(24, 0, -1)]
    # The hours that begin 6 to 1 hours before the running one were foreseen by the later forecast.
    assert found is not None
    assert found.mean_absolute == pytest.approx(6 * 10 / 24)


def test_too_few_hours_say_nothing() -> None:
    five, six = (dict.fromkeys(range(1, count + 1), 1.0) for count in (5, 6))
    assert forecast_error(hours(five), lambda moment: issued(0.0), NOW, LEAD) is None
    found = forecast_error(hours(six), lambda moment: issued(0.0), NOW, LEAD)
    assert found is not None
    assert found.hours == 6
    assert forecast_error(hours(six), lambda moment: None, NOW, LEAD) is None
    assert forecast_error((), lambda moment: issued(0.0), NOW, LEAD) is None
    # Half an hour is no hour.
    halves = tuple(Slot(slot.start, slot.start + HOUR / 2, 1.0) for slot in hours(six))
    assert forecast_error(halves, lambda moment: issued(0.0), NOW, LEAD) is None


def test_rows_hold_until_the_next() -> None:
    def at(minutes: int) -> int:
        return to_micros(END + timedelta(minutes=minutes))

    rows = [
        (at(0), 5.0, Flag.OK),
        (at(10), 900.0, Flag.SPIKE),
        (at(20), 7.0, Flag.OK),
        (at(30), math.nan, Flag.GAP),
        (at(40), math.nan, Flag.RESUME),
        (at(45), math.nan, Flag.DETAIL),
        (at(50), 9.0, Flag.STUCK),
    ]
    spans = [(0, 20, 5.0), (20, 30, 7.0), (40, 50, 7.0), (50, 60, 9.0)]
    minute = timedelta(minutes=1)
    assert held(rows, END + HOUR) == tuple(Slot(END + a * minute, END + b * minute, value) for a, b, value in spans)
    assert held([], NOW) == ()
