"""How far what was foreseen lay from what came.

Each whole hour of the last 24 that is over is compared: the mean that the forecast in force some time before foresaw
for it, with the mean of what came. Only an hour that is known from begin to end on both sides counts, or nearly so
(`core.forecast.FULL_ENOUGH`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import math
from typing import Final

from .forecast import HOUR, mean
from .model import Flag, Forecast, Micros, Slot, from_micros, to_micros

HOURS: Final = 24
FEWEST_HOURS: Final = 6
"""Hours that have to be compared before their mean says anything."""
_CHANGES: Final = frozenset({Flag.OK, Flag.GAP, Flag.STUCK, Flag.RESUME, Flag.CYCLE})


@dataclass(frozen=True, slots=True)
class ForecastError:
    """The error of one forecast, in its unit."""

    mean_absolute: float
    bias: float
    """Mean of foreseen minus come: positive where too much was foreseen."""
    hours: int
    """How many were compared."""


def forecast_error(
    came: Sequence[Slot], in_force: Callable[[datetime], Forecast | None], now: datetime, lead: timedelta
) -> ForecastError | None:
    """Return the error over the last 24 whole hours (UTC); None unless at least 6 of them can be compared.

    Args:
        came: What came, as slots in which it held.
        in_force: Gives the newest forecast issued before a moment.
        now: The present.
        lead: How long before an hour begins the forecast that is judged was in force.
    """
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    errors: list[float] = []
    for hour in (end - age * HOUR for age in range(HOURS, 0, -1)):
        actual = mean(came, hour, hour + HOUR)
        forecast = None if actual is None else in_force(hour - lead)
        foreseen = mean(forecast.slots, hour, hour + HOUR) if forecast else None
        if actual is not None and foreseen is not None:
            errors.append(foreseen - actual)
    if len(errors) < FEWEST_HOURS:
        return None
    return ForecastError(math.fsum(map(abs, errors)) / len(errors), math.fsum(errors) / len(errors), len(errors))


def held(rows: Sequence[tuple[Micros, float, Flag]], until: datetime) -> tuple[Slot, ...]:
    """Return stored rows, in time order, as slots: a value holds until the next row, a gap ends it.

    After a gap the value that holds again is the last one. Implausible rows and those without a value change nothing.
    """
    slots: list[Slot] = []
    value = last = math.nan
    since: Micros = 0
    changes = [row for row in rows if row[2] in _CHANGES]
    for time, number, flag in [*changes, (to_micros(until), math.nan, Flag.GAP)]:
        if math.isfinite(value) and time > since:
            slots.append(Slot(from_micros(since), from_micros(time), value))
        if flag not in (Flag.GAP, Flag.RESUME):
            last = number
        value, since = (math.nan if flag is Flag.GAP else last), time
    return tuple(slots)
