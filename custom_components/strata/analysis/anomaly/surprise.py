"""How surprising a number is: how many days since a channel last showed something this large.

The only thing looked at is each earlier day's maximum. Above the (m+1)-th largest of them, the
excesses of the m larger ones say how quickly such maxima become rare. The score is the natural
logarithm of the return period in days, and says nothing about whether anybody should be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .channel import Field, Measured, days_before
from .grid import HISTORY_DAYS, Floats, Ints

LEAST_DAYS = 2
"""Days needed before anything can be said."""
_MOST_EXCESSES = 6
_MEDIAN_OF_EXPONENTIAL = 0.69
_FEW_DAYS = 5.0
"""The scale is widened by (1 + this / days): little history is no proof."""
UNKNOWN = 0.0
_LEAST_STEPS = 0.5
"""The scale is at least this many of the steps in which the series changes,"""
_MOST_STEPS = 0.15
"""but for that alone never more than this share of its range."""


@dataclass(frozen=True, slots=True)
class Surprise:
    """Scores by (channel, day, cell of the day), and what they were judged by, by (channel, day)."""

    score: Floats
    usual: Floats
    """The level above which a day's maximum is one of the few largest."""
    days: Ints


def daily_maxima(numbers: Floats) -> Floats:
    """Return the largest number of each day, NaN for days without any."""
    high = np.where(np.isnan(numbers), -np.inf, numbers).max(axis=-1)
    return np.where(np.isfinite(high), high, np.nan)


def surprise(measured: Sequence[Measured], field: Field) -> Surprise:
    """Return the surprise of each cell.

    Args:
        measured: channels of one grid.
        field: that grid; the range and the usual step of the series are the least scales.
    """
    numbers = np.stack([m.numbers for m in measured])
    floors = np.array([m.channel.floor for m in measured])
    in_range = np.array([m.channel.in_range for m in measured])
    steps = np.minimum(_LEAST_STEPS * field.change, _MOST_STEPS * field.span)
    in_units = np.maximum(floors[:, None] * field.span, steps)
    floor = np.where(in_range[:, None], in_units, floors[:, None])
    maxima = np.moveaxis(days_before(np.moveaxis(daily_maxima(numbers), 0, -1)), -1, 0)
    lag = np.array([m.channel.lag for m in measured])
    old_enough = np.arange(HISTORY_DAYS, 0, -1) > lag[:, None, None]
    ordered = np.where(field.compared & old_enough & ~np.isnan(maxima), maxima, -np.inf)
    ordered = -np.sort(-ordered, axis=-1)
    days = np.isfinite(ordered).sum(axis=-1)
    largest = np.clip(days // 2, 2, _MOST_EXCESSES)
    enough = days > LEAST_DAYS
    usual = np.take_along_axis(ordered, np.minimum(largest, HISTORY_DAYS - 1)[..., None], axis=-1)[..., 0]
    usual = np.where(enough, usual, np.nan)
    scale = np.maximum(_scale(ordered, usual, largest), floor) * (1 + _FEW_DAYS / np.maximum(days, 1))
    handicap = np.array([m.channel.handicap for m in measured])
    ratio = np.log(np.maximum(days, 1) / largest) - handicap[:, None]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        score = (numbers - usual[..., None]) / scale[..., None] + ratio[..., None]
    for index, m in enumerate(measured):
        if m.channel.judged:
            score[index], usual[index] = m.numbers - m.channel.handicap, 0.0
    return Surprise(np.where(np.isfinite(score), score, UNKNOWN), usual, days)


def _scale(ordered: Floats, usual: Floats, largest: Ints) -> Floats:
    """Return the mean excess as robustly as few values allow: by their median, or half of all but the largest."""
    scale = np.zeros(usual.shape)
    for m in range(2, _MOST_EXCESSES + 1):
        here = (largest == m) & ~np.isnan(usual)
        excess = ordered[here][:, :m] - usual[here][:, None]
        by_median = np.median(excess, axis=-1) / _MEDIAN_OF_EXPONENTIAL
        scale[here] = np.maximum(by_median, excess[:, 1:].mean(axis=-1) / 2)
    return scale
