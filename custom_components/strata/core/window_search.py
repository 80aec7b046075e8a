"""The search for windows: where over a course of values a load costs least.

All times are microseconds since the epoch, so neither summer time nor the length of a slot matters. What something
costs is the integral of the value over the time it runs. Arrays may be long: call from an executor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .model import Micros

type Times = NDArray[np.int64]
type Values = NDArray[np.float64]

_SAME = 1e-10
"""Costs that differ by less than this share of the largest possible one are equal: that much is rounding."""
MOST_CELLS = 4_000_000
"""What the search for runs of a shortest length may look at, about 32 MB twice."""


class Draw(NamedTuple):
    """A stretch of a load, relative to its start: it draws `weight` from `begin` to `end`, priced by `row`."""

    begin: Micros
    end: Micros
    weight: float
    row: int = 0


class Placed(NamedTuple):
    """A load at its place: the stretches in which it runs, in time order, and what it costs."""

    spans: tuple[tuple[Micros, Micros], ...]
    cost: float


@dataclass(frozen=True, slots=True)
class Course:
    """Values over time: piece i holds `values[row, i]` in `[starts[i], ends[i])`; in time order, with holes.

    There is one row of values for each way in which a moment can be priced.
    """

    starts: Times
    ends: Times
    values: Values

    @classmethod
    def of(cls, pieces: Iterable[tuple[Micros, Micros, float]]) -> Self:
        """Return the course of some (start, end, value) in any order.

        A piece ends at the latest where the next one begins; of two that begin together the last given counts; what
        is not a number is a hole.
        """
        table = np.array([*pieces], dtype=np.float64).reshape(-1, 3)
        table = table[np.isfinite(table[:, 2])][::-1]
        starts, first = np.unique(table[:, 0].astype(np.int64), return_index=True)
        ends = table[first, 1].astype(np.int64)
        ends[:-1] = np.minimum(ends[:-1], starts[1:])
        return cls(starts, ends, table[first, 2][np.newaxis, :])

    def between(self, start: Micros | None, end: Micros | None) -> Self:
        """Return the part of the course in `[start, end)`; None is no border."""
        starts = self.starts if start is None else np.maximum(self.starts, start)
        ends = self.ends if end is None else np.minimum(self.ends, end)
        left = starts < ends
        return type(self)(starts[left], ends[left], self.values[:, left])

    def without(self, spans: Iterable[tuple[Micros, Micros]]) -> Self:
        """Return the course with holes at `spans`."""
        course = self
        for start, end in spans:
            before, after = course.between(None, start), course.between(end, None)
            course = type(self)(
                np.concatenate((before.starts, after.starts)),
                np.concatenate((before.ends, after.ends)),
                np.concatenate((before.values, after.values), axis=1),
            )
        return course

    def integrals(self) -> tuple[Times, Values]:
        """Return all borders, and for each row the integral from the first border up to each; holes add nothing."""
        borders = np.unique(np.concatenate((self.starts, self.ends)))
        sums = np.cumsum(self.values * (self.ends - self.starts), axis=1)
        known = np.zeros((len(self.values), len(borders)))
        known[:, np.searchsorted(borders, self.ends)] = sums
        known[:, np.searchsorted(borders, self.starts[1:])] = sums[:, :-1]
        return borders, known

    def runs(self) -> tuple[Times, Times]:
        """Return begin and end of each stretch without a hole."""
        if not len(self.starts):
            return self.starts, self.ends
        breaks = np.flatnonzero(self.starts[1:] != self.ends[:-1])
        begins = self.starts[np.concatenate(([0], breaks + 1))]
        return begins, self.ends[np.concatenate((breaks, [len(self.ends) - 1]))]


def place(course: Course, load: Sequence[Draw]) -> Placed | None:
    """Return where a load that runs in one go costs least; of equals the earliest; None where it fits nowhere.

    The cost as a function of the start is made of straight lines: it bends only where one of the load's own borders
    (start, change of draw, end) meets a border of the course. A straight line is lowest at one of its ends, and a
    level one also at its earlier end, so the earliest cheapest start is among those meetings. The ends of what is
    allowed are borders of the course too.
    """
    total = load[-1].end
    begins, ends = course.runs()
    borders, sums = course.integrals()
    own = np.unique([moment for draw in load for moment in (draw.begin, draw.end)])
    starts = np.unique(borders[:, np.newaxis] - own)
    run = np.searchsorted(begins, starts, side="right") - 1
    starts = starts[(run >= 0) & (starts + total <= ends[run])] if len(begins) else starts[:0]
    if not len(starts):
        return None
    # Relative to the first border the numbers are small enough for floats to be exact.
    origin = borders[0]
    at, since = (borders - origin).astype(np.float64), (starts - origin).astype(np.float64)
    costs = np.zeros(len(starts))
    for draw in load:
        until = np.interp(since + draw.end, at, sums[draw.row])
        costs += draw.weight * (until - np.interp(since + draw.begin, at, sums[draw.row]))
    largest = np.abs(course.values).max() * sum(abs(draw.weight) * (draw.end - draw.begin) for draw in load)
    best = int(np.flatnonzero(costs <= costs.min() + _SAME * largest)[0])
    return Placed(((int(starts[best]), int(starts[best]) + total),), float(costs[best]))


def place_loose(course: Course, amount: Micros) -> Placed | None:
    """Return the cheapest time of `amount` in all, in as many stretches as it takes; of equals the earliest.

    The cheapest pieces are taken whole, and of the dearest one its beginning. None when there is not enough time.
    """
    lengths = course.ends - course.starts
    if int(lengths.sum()) < amount:
        return None
    order = np.lexsort((course.starts, course.values[0]))
    taken = np.clip(amount - (np.cumsum(lengths[order]) - lengths[order]), 0, lengths[order])
    used = taken > 0
    begins = course.starts[order][used]
    cost = float((course.values[0][order][used] * taken[used]).sum())
    spans = sorted(zip(begins.tolist(), (begins + taken[used]).tolist(), strict=True))
    return Placed(_joined(spans), cost)


def place_runs(course: Course, amount: Micros, shortest: Micros) -> Placed | None:
    """Return the cheapest time of `amount` in all, in stretches of at least `shortest`; None when it does not fit.

    All borders lie on a grid, and so does one of the best answers: moving the one border that does not would move the
    cost along a straight line. The grid is searched from left to right: `free[i][k]` is the least cost of k cells
    among the first i, `open[i][k]` that with a finished or growing stretch that ends at i.

    Raises:
        ValueError: the borders have no grid that is coarse enough.
    """
    shortest = min(shortest, amount)
    if not len(course.starts) or int((course.ends - course.starts).sum()) < amount:
        return None
    origin = int(course.starts[0])
    step = gcd(int(np.gcd.reduce(np.concatenate((course.starts, course.ends)) - origin)), amount, shortest)
    count, wanted, least = (int(course.ends[-1]) - origin) // step, amount // step, shortest // step
    if count * wanted > MOST_CELLS:
        raise ValueError("the times are too uneven to look for stretches of a shortest length")
    costs = np.full(count, np.inf)
    for start, end, value in zip(course.starts.tolist(), course.ends.tolist(), course.values[0].tolist(), strict=True):
        costs[(start - origin) // step : (end - origin) // step] = value * step
    cells = _cheapest_cells(costs, wanted, least)
    if cells is None:
        return None
    spans = [(origin + cell * step, origin + (cell + 1) * step) for cell in cells]
    return Placed(_joined(spans), float(costs[cells].sum()))


def _cheapest_cells(costs: Values, wanted: int, least: int) -> list[int] | None:
    """Return which `wanted` cells cost least, in stretches of at least `least`; infinite costs are holes."""
    count = len(costs)
    free = np.full((count + 1, wanted + 1), np.inf)
    ending = np.full((count + 1, wanted + 1), np.inf)
    free[:, 0] = 0.0
    stretches = np.array([costs[max(end - least, 0) : end].sum() for end in range(count + 1)])
    for end in range(1, count + 1):
        ending[end, 1:] = ending[end - 1, :-1] + costs[end - 1]
        if end >= least:
            begun = free[end - least, : wanted + 1 - least] + stretches[end]
            np.minimum(ending[end, least:], begun, out=ending[end, least:])
        np.minimum(free[end - 1], ending[end], out=free[end])
    if not np.isfinite(free[count, wanted]):
        return None
    cells: list[int] = []
    end, left = count, wanted
    while left:
        if free[end, left] == free[end - 1, left]:
            end -= 1
            continue
        # A stretch ends here; it goes back until it is as cheap to have begun it.
        while ending[end, left] != _begun(free, stretches, end, left, least):
            end, left = end - 1, left - 1
            cells.append(end)
        cells.extend(range(end - least, end))
        end, left = end - least, left - least
    return sorted(cells)


def _begun(free: Values, stretches: Values, end: int, left: int, least: int) -> float:
    """Return the cost of a stretch of exactly `least` cells that ends at `end`, with the best before it."""
    return float(free[end - least, left - least] + stretches[end]) if min(end, left) >= least else np.inf


def _joined(spans: Iterable[tuple[Micros, Micros]]) -> tuple[tuple[Micros, Micros], ...]:
    """Return spans, which are in time order, with those that touch made one."""
    joined: list[tuple[Micros, Micros]] = []
    for begin, end in spans:
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return tuple(joined)
