"""Levels and seasons: is it unusual for this time of day, and is it as restless as always?"""

import numpy as np

from ..base import AnomalyKind
from .channel import Channel, Family, Field, Measured, days_before, rolling_max, rolling_mean
from .grid import HISTORY_DAYS, Bools, Floats

SEAS_HI = Channel(
    "seas_hi", Family.SEASON, AnomalyKind.LEVEL_SHIFT, "value above that of the time of day", 0.15, handicap=4.0
)
SEAS_LO = Channel(
    "seas_lo", Family.SEASON, AnomalyKind.MISSING_PATTERN, "value below that of the time of day", 0.15, handicap=4.0
)
LVL6_HI = Channel(
    "lvl6_hi",
    Family.SEASON,
    AnomalyKind.LEVEL_SHIFT,
    "deviation of the 6-h mean from that of the time of day",
    3.0,
    in_range=False,
    unit="MAD",
    handicap=4.0,
)
LVL6_LO = Channel(
    "lvl6_lo",
    Family.SEASON,
    AnomalyKind.MISSING_PATTERN,
    "deviation of the 6-h mean from that of the time of day",
    3.0,
    in_range=False,
    unit="MAD",
    handicap=4.0,
)
LVL24 = Channel(
    "lvl24",
    Family.SEASON,
    AnomalyKind.LEVEL_SHIFT,
    "deviation of the 24-h mean from that of the time of day",
    3.0,
    in_range=False,
    unit="MAD",
    handicap=3.0,
)
SD_HI = Channel(
    "sd_hi", Family.RESTLESSNESS, AnomalyKind.VARIABILITY, "restlessness of 24 h", 0.1, in_range=False, log=True
)
SD_LO = Channel(
    "sd_lo",
    Family.RESTLESSNESS,
    AnomalyKind.MISSING_PATTERN,
    "restlessness of 24 h",
    0.3,
    in_range=False,
    log=True,
    sign=-1,
    handicap=2.0,
)
AR = Channel("ar6", Family.EXTREME, AnomalyKind.SPIKE, "surprise after the half hour before", 0.05, handicap=3.0)

_ENVELOPE_DAYS = 14
_NEIGHBOURS_H = 1.0
_WEEKDAYS_FROM = 21
"""Days of history from which on weekends are compared with weekends."""
_EXPLAINED = 0.08
"""The time of day has to explain this share of the variance before a season is spoken of."""
_SMALLEST_MAD = 0.03
_LAGS = 6
_RIDGE = 1e-3
_FIT_FROM = 576
"""Cells an autoregression needs at least, two days of five minutes."""


def measure(field: Field) -> list[Measured]:
    """Return the channels of levels, seasons and restlessness."""
    grid, flat = field.grid, field.flat
    alike = _alike(field)
    seasonal = _is_seasonal(field)
    above, below = _outside(field, alike)
    six = _deviation(rolling_mean(flat, grid.cells(6)).reshape(field.shape), field, alike)
    day = _deviation(rolling_mean(flat, grid.cells(24)).reshape(field.shape), field, alike)
    sd = _restlessness(field)
    rows = {
        SEAS_HI: np.where(seasonal, above, np.nan),
        SEAS_LO: np.where(seasonal, below, np.nan),
        LVL6_HI: np.where(seasonal, six, np.nan),
        LVL6_LO: np.where(seasonal, -six, np.nan),
        LVL24: np.where(seasonal, np.abs(day), np.nan),
        SD_HI: sd,
        SD_LO: -sd,
        AR: _autoregression(field),
    }
    return [Measured(channel, numbers) for channel, numbers in rows.items()]


def _alike(field: Field) -> Bools:
    """Return which earlier days are compared by time of day: weekends with weekends, once there are enough."""
    weekend = field.grid.weekend
    before = days_before(weekend.astype(float), fill=-1.0)
    same = before == weekend[:, None]
    enough = (field.compared.sum(axis=1) >= _WEEKDAYS_FROM) & ((field.compared & same).sum(axis=1) >= 4)
    return np.where(enough[:, None], field.compared & same, field.compared)


def _is_seasonal(field: Field) -> Floats:
    """Return, for each day, whether the time of day explained enough of the days before it: (days, 1)."""
    values = field.grid.values[:, :: max(1, field.grid.per_day // 24)]
    answers = np.zeros((field.grid.days, 1), bool)
    before = days_before(values)
    for day in np.flatnonzero(field.compared.sum(axis=1) >= 3):
        past = before[day][field.compared[day]]
        known = ~np.isnan(past)
        count = known.sum(axis=0)
        filled = np.where(known, past, 0.0)
        profile = filled.sum(axis=0) / np.maximum(count, 1)
        total = float(((filled - filled.sum() / max(1, count.sum())) ** 2)[known].sum())
        left = float(((filled - profile) ** 2)[known].sum())
        # A profile of noise explains 1 / days of it by itself.
        answers[day] = total > 0 and 1 - left / total > _EXPLAINED + 1 / len(past)
    return answers


def _outside(field: Field, alike: Bools) -> tuple[Floats, Floats]:
    """Return how far values are above and below the envelope of the time of day."""
    reach = field.grid.cells(_NEIGHBOURS_H)
    high = _second(_around(field.flat, reach).reshape(field.shape), alike)
    low = -_second(_around(-field.flat, reach).reshape(field.shape), alike)
    values = field.grid.values
    return values - high, low - values


def _around(flat: Floats, reach: int) -> Floats:
    """Return the largest value within `reach` cells on either side."""
    padded = np.concatenate((flat, np.full(reach, np.nan)))
    return rolling_max(padded, 2 * reach + 1, least=0.0)[reach:]


def _second(rows: Floats, alike: Bools) -> Floats:
    """Return the second largest of the last 14 comparable days, by time of day."""
    recent = alike & (np.cumsum(alike[:, ::-1], axis=1)[:, ::-1] <= _ENVELOPE_DAYS)
    before = days_before(rows)
    out = np.full(rows.shape, np.nan)
    for day in np.flatnonzero(recent.sum(axis=1) >= 3):
        past = before[day][recent[day]]
        past = np.where(np.isnan(past), -np.inf, past)
        second = np.partition(past, len(past) - 2, axis=0)[-2]
        out[day] = np.where(np.isfinite(second), second, np.nan)
    return out


def _deviation(rows: Floats, field: Field, alike: Bools) -> Floats:
    """Return how far a rolling mean is from its median at the same time of earlier days, in MADs."""
    thin = max(1, field.grid.per_day // 48)
    coarse = rows[:, thin - 1 :: thin]
    before = days_before(coarse)
    out = np.full(rows.shape, np.nan)
    for day in np.flatnonzero(alike.sum(axis=1) >= 4):
        past = before[day][alike[day]]
        middle = _median(past)
        spread = np.maximum(1.4826 * _median(np.abs(past - middle)), _SMALLEST_MAD * field.span[day])
        # Each half hour's cells are compared with the means at its end on the days before.
        out[day] = (rows[day] - np.repeat(middle, thin)) / np.repeat(spread, thin)
    return out


def _median(past: Floats) -> Floats:
    """Return the median over days, NaN where fewer than half of them are known."""
    ordered = np.sort(past, axis=0)
    count = (~np.isnan(past)).sum(axis=0)
    at = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    return np.where(count * 2 >= len(past), at, np.nan)


def _restlessness(field: Field) -> Floats:
    """Return the logarithm of the standard deviation of the last 24 hours."""
    cells = field.grid.cells(24)
    known = field.flat[~np.isnan(field.flat)]
    centred = field.flat - (known[0] if len(known) else 0.0)
    mean, square = rolling_mean(centred, cells), rolling_mean(centred**2, cells)
    variance = np.maximum(square - mean**2, 0.0).reshape(field.shape)
    smallest = (1e-3 * field.span[:, None]) ** 2
    return np.asarray(np.log(np.maximum(variance, smallest)) / 2)


def _autoregression(field: Field) -> Floats:
    """Return how far each value is from what the six before it lead to expect, fitted on earlier days only."""
    grid, flat = field.grid, field.flat
    out = np.full(len(flat), np.nan)
    if len(flat) < _FIT_FROM:
        return out.reshape(field.shape)
    lags = np.stack([np.concatenate((np.full(lag, np.nan), flat[:-lag])) for lag in range(1, _LAGS + 1)], axis=-1)
    level = np.nan_to_num(field.flat[~np.isnan(flat)][:1])[0]
    lags, target = lags - level, flat - level
    whole = ~np.isnan(lags).any(axis=1) & ~np.isnan(target)
    x = np.where(whole[:, None], np.column_stack((lags, np.ones(len(flat)))), 0.0)
    y = np.where(whole, target, 0.0)
    width = _LAGS + 1
    x_days, y_days = x.reshape(*field.shape, width), y.reshape(field.shape)
    gram = np.einsum("dci,dcj->dij", x_days, x_days)
    right = np.einsum("dci,dc->di", x_days, y_days)
    for day in np.flatnonzero(field.compared.sum(axis=1) >= 3):
        used = day - HISTORY_DAYS + np.flatnonzero(field.compared[day])
        a, b = gram[used].sum(axis=0), right[used].sum(axis=0)
        a = a + np.eye(width) * (_RIDGE * max(float(np.trace(a)) / width, 1e-12))
        rows = slice(day * grid.per_day, (day + 1) * grid.per_day)
        predicted = x[rows] @ np.linalg.solve(a, b)
        out[rows] = np.where(whole[rows], np.abs(y[rows] - predicted), np.nan)
    return out.reshape(field.shape)
