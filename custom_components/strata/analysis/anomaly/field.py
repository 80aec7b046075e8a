"""What all channels need to know about a series: its range, and which earlier days a day is compared with."""

import numpy as np

from .channel import Field, days_before
from .grid import HISTORY_DAYS, Bools, Floats, Grid, Ints

_LEAST_COVERED = 0.25
"""A day with less of it known is no history."""
_WHOLE = 0.9
"""A day with this much of it known is a whole one; others count as much as is known of them."""
_LOW, _HIGH = 0.005, 0.995
_SMALLEST_SPAN = 0.002
"""A range is at least this share of the level."""
_TINY = 1e-9
_THINNED = 3
"""Quantiles are read from every third cell: a sixth of the time, the same range."""
_UNIT_CHANGE = 30.0
"""A level that becomes this many times larger or smaller for two days is another unit, such as kW for W."""


def make_field(grid: Grid) -> Field:
    """Return the field of a grid."""
    covered = (~np.isnan(grid.values)).mean(axis=1)
    whole = covered >= _LEAST_COVERED
    since = _same_unit_since(grid.values, whole)
    day = np.arange(grid.days)
    earlier = day[:, None] - HISTORY_DAYS + np.arange(HISTORY_DAYS)
    compared: Bools = (earlier >= since[:, None]) & whole[np.maximum(earlier, 0)] & (earlier >= 0)
    span, low = _span(grid, compared)
    flat = grid.values.reshape(-1)
    # The first day began somewhere within itself: seven days are known after seven times 24 hours.
    credit = np.where((covered >= _WHOLE) & (np.cumsum(covered > 0) > 1), 1.0, covered)
    known = np.where(compared, credit[np.maximum(earlier, 0)], 0.0).sum(axis=1)
    return Field(grid, flat, span, low, _change(grid, compared), compared, known.astype(np.int64))


def _change(grid: Grid, compared: Bools) -> Floats:
    """Return, for each day, the smaller steps between two values that differ, of the days it is compared with."""
    steps = np.abs(np.diff(grid.values, axis=1))
    ordered = np.sort(np.where(steps > 0, steps, np.nan), axis=1)
    count = (~np.isnan(ordered)).sum(axis=1)
    # The lower quartile: what switches has its noise below it, what is rounded has nothing below its digit.
    typical = ordered[np.arange(grid.days), np.maximum(count - 1, 0) // 4]
    before = np.sort(np.where(compared, days_before(typical), np.nan), axis=1)
    days = (~np.isnan(before)).sum(axis=1)
    return np.asarray(np.nan_to_num(before[np.arange(grid.days), np.maximum(days - 1, 0) // 2]))


def _span(grid: Grid, compared: Bools) -> tuple[Floats, Floats]:
    """Return, for each day, the range of the values of the days it is compared with, and its lower end.

    NaN without any.
    """
    before = days_before(grid.values[:, :: max(1, min(_THINNED, grid.per_day // 96))])
    spans, lows = np.full(grid.days, np.nan), np.full(grid.days, np.nan)
    for day in np.flatnonzero(compared.any(axis=1)):
        known = before[day][compared[day]]
        known = np.sort(known[~np.isnan(known)])
        last = len(known) - 1
        low, middle, high = known[[round(_LOW * last), last // 2, round(_HIGH * last)]]
        spans[day] = max(high - low, _SMALLEST_SPAN * abs(middle), _TINY)
        lows[day] = low
    return spans, lows


def _same_unit_since(values: Floats, whole: Bools) -> Ints:
    """Return, for each day, the first day that has the unit it has.

    A change is believed when two whole days in a row have typical and largest values of another
    magnitude than the days before them; from the day after them on, what was before is no history.
    """
    since = np.zeros(len(values), np.int64)
    size = np.abs(values)
    past: list[tuple[int, float, float]] = []
    for day in range(len(values)):
        since[day] = since[max(day - 1, 0)]
        if past and past[0][0] > since[day]:
            since[day] = past[0][0]
        if not whole[day]:
            continue
        past.append((day, float(np.nanmedian(size[day])), float(np.nanmax(size[day]))))
        before, after = past[-8:-2], past[-2:]
        if len(before) >= 2 and all(_apart([p[i] for p in before], [p[i] for p in after]) for i in (1, 2)):
            past = after
    return since


def _apart(before: list[float], after: list[float]) -> bool:
    if min(before) <= 0 or min(after) <= 0:
        return False
    return min(after) > _UNIT_CHANGE * max(before) or max(after) * _UNIT_CHANGE < min(before)
