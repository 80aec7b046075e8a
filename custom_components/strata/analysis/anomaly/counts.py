"""Counts of events: more within an hour, three hours or a day than chance allows, or too long without any.

The expected number follows the hour of the day, on weekdays and weekends, as it was on earlier
days; how much days differ beyond chance makes the distribution a negative binomial one.
"""

from math import lgamma, log, log1p

import numpy as np

from ..base import AnomalyKind
from .channel import Channel, Family, Field, Measured, days_before
from .grid import Bools, Floats

HOUR_MANY = Channel(
    "hour_many",
    Family.COUNT,
    AnomalyKind.BURST,
    "events within an hour",
    0.0,
    handicap=1.5,
    judged=True,
    full_only=True,
    unit="",
    most="most",
)
THREE_MANY = Channel(
    "three_many",
    Family.COUNT,
    AnomalyKind.BURST,
    "events within 3 h",
    0.0,
    judged=True,
    full_only=True,
    unit="",
    most="most",
)
DAY_MANY = Channel(
    "day_many",
    Family.COUNT,
    AnomalyKind.BURST,
    "events since midnight",
    0.0,
    handicap=1.5,
    judged=True,
    full_only=True,
    unit="",
    most="most",
)
SILENCE = Channel(
    "silence",
    Family.GAP,
    AnomalyKind.SILENCE,
    "wait for an event, in events that should have come",
    0.5,
    in_range=False,
    full_only=True,
    unit="",
    most="longest",
)

_WINSOR = 3
"""Counts above the third largest of an hour of the day are taken down to it."""
_SHRUNK_DAYS = 3.0
"""The profile of weekdays or weekends counts as much as all days do after this many of them."""
_LEAST_RATE = 0.03
"""Events an hour that have to be reckoned with even where there never were any."""
_LEAST_EVENTS = 3
_LEAST_DAYS = 7
_PRIOR_DAYS = 3.0
"""The dispersion of the whole day counts as much as this many days of the hour with the most events."""
_MOST_TERMS = 400


def measure(field: Field) -> list[Measured]:
    """Return the channels of an event entity, from a grid of hourly counts."""
    counts = field.grid.values
    rate = _rates(field)
    known = ~np.isnan(counts)
    n, expected = np.where(known, counts, 0.0), np.where(known, rate, 0.0)
    three_n, three_expected = _last(n, 3), _last(expected, 3)
    day_n, day_expected = np.cumsum(n, axis=1), np.cumsum(expected, axis=1)
    waited = _waited(n, np.nan_to_num(expected))
    # A day may be busy early and quiet later: only more than whole days had says something.
    striking = day_n > _second_largest_day(day_n, field)[:, None]
    measured = [
        Measured(HOUR_MANY, _rarity(n, expected, field, 24.0), shown=n),
        Measured(THREE_MANY, _rarity(three_n, three_expected, field, 8.0), shown=three_n),
        Measured(DAY_MANY, np.where(striking, _rarity(day_n, day_expected, field, 1.0), 0.0), shown=day_n),
    ]
    return [*measured, Measured(SILENCE, np.where(np.isfinite(rate) & known, waited, np.nan))]


def _second_largest_day(running: Floats, field: Field) -> Floats:
    """Return the second largest total of the days each day is compared with."""
    before = np.sort(np.where(field.compared, days_before(running[:, -1]), -np.inf), axis=1)
    return np.asarray(before[:, -2])


def _rates(field: Field) -> Floats:
    """Return the expected events of each hour, NaN where too few days are known."""
    weekend = field.grid.weekend
    before = days_before(field.grid.values)
    same = days_before(weekend.astype(float), fill=-1.0) == weekend[:, None]
    out = np.full(field.shape, np.nan)
    for day in np.flatnonzero(field.compared.sum(axis=1) >= _LEAST_DAYS):
        used = field.compared[day]
        everyday, _ = _profile(before[day][used])
        alike, days = _profile(before[day][used & same[day]])
        mixed = (alike * days + everyday * _SHRUNK_DAYS) / (days + _SHRUNK_DAYS)
        out[day] = np.maximum(mixed, _LEAST_RATE)
    return out


def _profile(past: Floats) -> tuple[Floats, float]:
    """Return the mean count of each hour of the day, smoothed and without its largest, and over how many days."""
    if not len(past):
        return np.zeros(past.shape[1]), 0.0
    known = ~np.isnan(past)
    counts = np.where(known, past, -1.0)
    if len(past) > 2 * _WINSOR:
        counts = np.minimum(counts, np.sort(counts, axis=0)[-_WINSOR])
    mean = np.where(known, counts, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return 0.25 * np.roll(mean, 1) + 0.5 * mean + 0.25 * np.roll(mean, -1), float(len(past))


def _last(rows: Floats, hours: int) -> Floats:
    """Return the sums of the last hours, over midnight as well."""
    total = np.concatenate((np.zeros(hours), np.cumsum(rows.reshape(-1))))
    return np.asarray((total[hours:] - total[:-hours]).reshape(rows.shape))


def _waited(n: Floats, expected: Floats) -> Floats:
    """Return how many events should have come since the last one."""
    total = np.cumsum(expected.reshape(-1))
    at_last = np.maximum.accumulate(np.where(n.reshape(-1) > 0, total, 0.0))
    return np.asarray((total - at_last).reshape(n.shape))


def _rarity(got: Floats, expected: Floats, field: Field, a_day: float) -> Floats:
    """Return the logarithm of how many days pass until chance brings as many events.

    Args:
        got: events of each window.
        expected: their expected number, NaN for unknown.
        field: tells which days are compared.
        a_day: windows in a day.
    """
    spread = _dispersion(got, expected, field.compared)
    out = np.full(got.shape, np.nan)
    known = np.isfinite(expected)
    out[known] = 0.0
    for day, cell in np.argwhere(known & (got >= _LEAST_EVENTS) & (got > 2 * expected)):
        tail = _log_tail(float(got[day, cell]), max(float(expected[day, cell]), _LEAST_RATE), float(spread[day, cell]))
        out[day, cell] = -tail - log(a_day)
    return out


def _dispersion(got: Floats, expected: Floats, compared: Bools) -> Floats:
    """Return by how much the variance exceeded the mean on earlier days, in squares of the mean.

    By (day, hour): people who may or may not be at home make some hours less certain than others.
    Each hour is taken with its neighbours and, as far as it has seen little, with the whole day.
    """
    usable = np.isfinite(expected)
    over = np.where(usable, (got - expected) ** 2 - expected, 0.0)
    square = np.where(usable, expected**2, 0.0)
    used = compared[..., None]
    over_before = np.where(used, days_before(over, fill=0.0), 0.0)
    # One wild day is no property of the home: the largest is left out.
    over_sum = over_before.sum(axis=1) - np.maximum(over_before.max(axis=1), 0.0)
    square_sum = np.where(used, days_before(square, fill=0.0), 0.0).sum(axis=1)
    over_near, square_near = _near(over_sum), _near(square_sum)
    whole = square_sum.sum(axis=1, keepdims=True)
    everywhere = np.divide(over_sum.sum(axis=1, keepdims=True), whole, out=np.full(whole.shape, 0.5), where=whole > 0)
    prior = _PRIOR_DAYS * square_near.max(axis=1, keepdims=True) / np.maximum(compared.sum(axis=1), 1)[:, None]
    ratio = np.divide(
        over_near + prior * everywhere, square_near + prior, out=np.full(got.shape, 0.5), where=square_near + prior > 0
    )
    return np.asarray(np.clip(ratio, 0.1, 5.0))


def _near(rows: Floats) -> Floats:
    """Return the sums over each hour and its neighbours."""
    return np.asarray(np.roll(rows, 1, axis=1) + rows + np.roll(rows, -1, axis=1))


def _log_tail(n: float, mean: float, spread: float) -> float:
    """Return ln P(N >= n) of a negative binomial with this mean and variance mean + spread · mean²."""
    size = 1 / spread
    share = mean / (mean + size)
    first = lgamma(n + size) - lgamma(size) - lgamma(n + 1) + size * log1p(-share) + n * log(share)
    term, total, k = 1.0, 1.0, n
    for _ in range(_MOST_TERMS):
        term *= (k + size) / (k + 1) * share
        total += term
        k += 1
        if term < 1e-6 * total:
            break
    return float(min(0.0, first + log(total)))
