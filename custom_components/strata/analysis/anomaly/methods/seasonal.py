"""A forecast with the rhythm of the day and the week, and what falls outside its interval.

The model is a profile of the local time of day, for weekdays and weekends apart once three weeks
are known, moved by how the last day differed from it. The interval is that of its own errors on
earlier days at the same time of day.
"""

from dataclasses import dataclass, replace

import numpy as np

from ....core.clock import DAY
from ..channel import Field, days_before, rolling_mean
from ..field import make_field
from ..grid import Floats, clean, lay_out
from .base import LEARNING_DAYS, Answer, Request, episodes_of

_CARRIED = 0.3
"""How much of the last day's mean error is expected again."""
_NEIGHBOURS = 6
"""Cells on either side whose errors count for a cell's interval."""
_QUANTILE = 0.95
_WIDTHS = {"low": 3.0, "medium": 2.5, "high": 2.0}
"""An hour's mean counts when it is this many intervals away from the forecast."""
_WEEKDAYS_FROM = 21


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was expected of each cell, and half the width of the interval around it."""

    middle: Floats
    half: Floats


def seasonal(request: Request) -> Answer:
    """Return stretches outside the forecast's interval, and the forecast of the next 24 hours."""
    at, what = clean(request.times, request.values)
    if not len(at) or np.isnan(what).all():
        return Answer("seasonal", "seasonal", (), {"forecast_next_24h": [], "expected_values": {}})
    with np.errstate(all="ignore"):
        # One day more than there is: its cells are the next 24 hours.
        present = lay_out(at, what, timezone=request.timezone, until=request.until)
        now = int(present.times[present.seen - 1])
        ahead = lay_out(at, what, timezone=request.timezone, until=now + DAY)
        grid = replace(ahead, seen=int(np.searchsorted(ahead.times, now, "right")))
        field = make_field(ahead)
        forecast = _forecast(field)
        off = (field.flat - forecast.middle.reshape(-1)) / forecast.half.reshape(-1)
        score = np.abs(rolling_mean(off, ahead.cells(1)))
        known = np.repeat(field.compared.sum(axis=1) >= LEARNING_DAYS, ahead.per_day) & ~np.isnan(field.flat)
        flagged = known & (score > _WIDTHS[request.sensitivity])
        low, high = forecast.middle - forecast.half, forecast.middle + forecast.half
        episodes = episodes_of(
            np.nan_to_num(score), flagged, grid, (low.reshape(-1), high.reshape(-1)), "forecast_interval", request
        )
    start = grid.seen
    steps = range(start, min(start + ahead.per_day, ahead.values.size), ahead.cells(1))
    cells = [
        {
            "time": int(ahead.times[cell]),
            "value": float(forecast.middle.reshape(-1)[cell]),
            "low": float(low.reshape(-1)[cell]),
            "high": float(high.reshape(-1)[cell]),
        }
        for cell in steps
        if np.isfinite(high.reshape(-1)[cell])
    ]
    expected = {e.key: [e.evidence[0].expected_low, e.evidence[0].expected_high] for e in episodes}
    return Answer("seasonal", "seasonal", episodes, {"forecast_next_24h": cells, "expected_values": expected})


def _forecast(field: Field) -> Forecast:
    profile = _profile(field)
    error = field.grid.values - profile
    yesterday = np.concatenate(([0.0], np.nan_to_num(_means(error)[:-1])))
    middle = profile + _CARRIED * yesterday[:, None]
    return Forecast(middle, _half_width(field, np.abs(field.grid.values - middle)))


def _means(rows: Floats) -> Floats:
    known = ~np.isnan(rows)
    return np.asarray(np.where(known, rows, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _profile(field: Field) -> Floats:
    """Return the median of each time of day on the days before, weekdays and weekends apart when known enough."""
    weekend = field.grid.weekend
    same = days_before(weekend.astype(float), fill=-1.0) == weekend[:, None]
    enough = field.compared.sum(axis=1) >= _WEEKDAYS_FROM
    used = np.where(enough[:, None], field.compared & same, field.compared)
    before = days_before(field.grid.values)
    out = np.full(field.shape, np.nan)
    for day in np.flatnonzero(used.sum(axis=1) >= 3):
        out[day] = _quantile(before[day][used[day]], 0.5)
    return out


def _half_width(field: Field, error: Floats) -> Floats:
    """Return the error that 95 % of earlier days stayed below around each time of day."""
    wide = error.copy()
    for shift in (-_NEIGHBOURS, -_NEIGHBOURS // 2, _NEIGHBOURS // 2, _NEIGHBOURS):
        wide = np.fmax(wide, np.roll(error, shift, axis=1))
    before = days_before(wide)
    out = np.full(field.shape, np.nan)
    for day in np.flatnonzero(field.compared.sum(axis=1) >= 3):
        out[day] = np.maximum(_quantile(before[day][field.compared[day]], _QUANTILE), 0.02 * field.span[day])
    return out


def _quantile(rows: Floats, share: float) -> Floats:
    """Return a quantile over days, NaN where no day is known."""
    ordered = np.sort(rows, axis=0)
    last = np.maximum((~np.isnan(rows)).sum(axis=0) - 1, 0)
    return np.asarray(np.take_along_axis(ordered, np.ceil(last * share).astype(np.int64)[None], axis=0)[0])
