"""What all channels need to know about a series: its range, and which earlier days a day is compared with."""

import numpy as np

from .channel import Field, days_before
from .grid import HISTORY_DAYS, Bools, Floats, Grid, Ints

_LEAST_COVERED = 0.25
"""A day with less of it known is no history."""
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
    whole = (~np.isnan(grid.values)).mean(axis=1) >= _LEAST_COVERED
    since = _same_unit_since(grid.values, whole)
    day = np.arange(grid.days)
    earlier = day[:, None] - HISTORY_DAYS + np.arange(HISTORY_DAYS)
    compared: Bools = (earlier >= since[:, None]) & whole[np.maximum(earlier, 0)] & (earlier >= 0)
    return Field(grid, grid.values.reshape(-1), _span(grid, compared), compared)


def _span(grid: Grid, compared: Bools) -> Floats:
    """Return, for each day, the range of the values of the days it is compared with; NaN without any."""
    before = days_before(grid.values[:, :: max(1, min(_THINNED, grid.per_day // 96))])
    spans = np.full(grid.days, np.nan)
    for day in np.flatnonzero(compared.any(axis=1)):
        known = before[day][compared[day]]
        known = np.sort(known[~np.isnan(known)])
        last = len(known) - 1
        low, middle, high = known[[round(_LOW * last), last // 2, round(_HIGH * last)]]
        spans[day] = max(high - low, _SMALLEST_SPAN * abs(middle), _TINY)
    return spans


def _same_unit_since(values: Floats, whole: Bools) -> Ints:
    """Return, for each day, the first day that has the unit it has.

    A change is believed when two whole days in a row have typical values of another magnitude than
    the two before them; from the day after them on, what was before is no history.
    """
    since = np.zeros(len(values), np.int64)
    typical = [float(np.nanmedian(np.abs(row))) if full else np.nan for row, full in zip(values, whole, strict=True)]
    past: list[tuple[int, float]] = []
    for day in range(len(values)):
        since[day] = past[0][0] if past and past[0][0] > since[max(day - 1, 0)] else since[max(day - 1, 0)]
        if not typical[day] > 0:
            continue
        past.append((day, typical[day]))
        if len(past) >= 4 and _apart([level for _, level in past[-8:-2]], [level for _, level in past[-2:]]):
            past = past[-2:]
    return since


def _apart(before: list[float], after: list[float]) -> bool:
    return min(after) > _UNIT_CHANGE * max(before) or max(after) * _UNIT_CHANGE < min(before)
