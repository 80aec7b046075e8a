"""A channel: one way in which a series can be unusual, as numbers that are large when it is."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..base import AnomalyKind
from .grid import HISTORY_DAYS, Bools, Floats, Grid, Ints


class Family(StrEnum):
    """Channels of one family see the same thing; two of different families confirm each other."""

    EXTREME = "extreme"
    LEVEL = "level"
    SEASON = "season"
    RESTLESSNESS = "restlessness"
    RUN = "run"
    GAP = "gap"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Channel:
    """What a channel is called and how its numbers are read.

    `floor` is the smallest scale of its surprise: a share of the series' range where `in_range`,
    else in the channel's own numbers. `sign` is −1 where the numbers are the negated quantity.
    """

    name: str
    family: Family
    kind: AnomalyKind
    label: str
    """Reads after "highest" or "lowest": what the number is."""
    floor: float
    handicap: float = 0.0
    """Taken from its score: a channel that is easily surprised in calm homes has to be surprised more."""
    lag: int = 0
    """How many of the newest days it is not compared with: what changes slowly hides itself in them."""
    in_range: bool = True
    sign: int = 1
    judged: bool = False
    """Its numbers are scores already."""
    full_only: bool = False
    """It may alert only once the home is fully known."""
    while_learning: bool = False
    """It may alert before the home is known."""
    unit: str | None = None
    """Of what is shown; None: that of the series."""
    log: bool = False
    """The numbers are logarithms of what is shown."""
    most: str | None = None
    """Said in place of "highest" or "lowest"."""

    def shown(self, number: float) -> float:
        """Return a number as people read it."""
        return float(np.exp(number * self.sign)) if self.log else float(number * self.sign)


@dataclass(frozen=True, slots=True)
class Measured:
    """The numbers of a channel for each cell, NaN where it has nothing to say."""

    channel: Channel
    numbers: Floats
    shown: Floats | None = None
    """What people are shown in place of the numbers."""


@dataclass(frozen=True, slots=True)
class Field:
    """A grid and what every channel needs to know about it.

    `span` is each day's range of the days before it (q0.5 to q99.5), and `compared` tells which of
    the 28 days before each day, oldest first, may be compared with it.
    """

    grid: Grid
    flat: Floats
    """The values as one row."""
    span: Floats
    low: Floats
    """The lower end of that range."""
    change: Floats
    """The smaller steps from one value to the next on the days before each day, 0 where there were none."""
    compared: Bools
    known: Ints
    """Whole days of history before each day: what is learned and what is not."""

    @property
    def shape(self) -> tuple[int, int]:
        """Days and cells a day."""
        days, cells = self.grid.values.shape
        return days, cells


type Measure = Callable[[Field], list[Measured]]
"""What a channel family is: from the field to its channels."""


def rolling_mean(flat: Floats, cells: int, least: float = 2 / 3) -> Floats:
    """Return the mean of the last `cells` values, NaN where less than a share `least` of them is known."""
    known = ~np.isnan(flat)
    # Sums of differences from one value stay exact where the level is far from zero.
    level = flat[known][0] if known.any() else 0.0
    total = np.concatenate(([0.0], np.cumsum(np.where(known, flat - level, 0.0))))
    count = np.concatenate(([0], np.cumsum(known)))
    first = np.maximum(np.arange(1, len(flat) + 1) - cells, 0)
    n = count[1:] - count[first]
    mean: Floats = np.full(len(flat), np.nan)
    np.divide(total[1:] - total[first], n, out=mean, where=n >= max(1, least * cells))
    mean += level
    return mean


def rolling_max(flat: Floats, cells: int, least: float = 2 / 3) -> Floats:
    """Return the largest of the last `cells` values, NaN where less than a share `least` of them is known."""
    known = ~np.isnan(flat)
    high = np.where(known, flat, -np.inf)
    width = 1
    while width < cells:
        step = min(width, cells - width)
        high[step:] = np.maximum(high[step:], high[:-step])
        width += step
    count = np.concatenate(([0], np.cumsum(known)))
    first = np.maximum(np.arange(1, len(flat) + 1) - cells, 0)
    return np.where(count[1:] - count[first] >= max(1, least * cells), high, np.nan)


def rolling_min(flat: Floats, cells: int, least: float = 2 / 3) -> Floats:
    """Return the smallest of the last `cells` values, NaN where less than a share `least` of them is known."""
    return -rolling_max(-flat, cells, least)


def days_before(rows: Floats, fill: float = np.nan, days: int = HISTORY_DAYS) -> Floats:
    """Return, for each row, the `days` rows before it, oldest first: (rows, days, ...); no copy is made of them."""
    padded = np.concatenate((np.full((days, *rows.shape[1:]), fill), rows[:-1]))
    return np.moveaxis(sliding_window_view(padded, days, axis=0), -1, 1)
