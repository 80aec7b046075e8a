"""From what a series holds to what is judged: levels, increases of a register, events."""

from collections.abc import Callable

import numpy as np

from ...core.clock import HOUR
from ...core.model import Micros
from ...core.rollup import RESET_RATIO
from .grid import Floats, Ints, usual_step

type Prepare = Callable[[Ints, Floats, Micros | None], tuple[Ints, Floats]]
"""(times, values, until) → times and values to lay out."""


def as_they_are(times: Ints, values: Floats, until: Micros | None) -> tuple[Ints, Floats]:
    """Return levels unchanged."""
    return times, values


def increases(times: Ints, values: Floats, until: Micros | None) -> tuple[Ints, Floats]:
    """Return how much a register grew until each reading.

    A fall below 90 % is a new start, and what grew before it is unknown; a smaller one is a
    correction that counts as nothing. What has grown during a gap belongs to no cell.
    """
    known = ~np.isnan(values)
    at, what = times[known], values[known]
    if len(at) < 2:
        return times, np.full(len(times), np.nan)
    grown = np.diff(what)
    started = (grown < 0) & (what[1:] < RESET_RATIO * what[:-1])
    grown = np.where(started, np.nan, np.maximum(grown, 0.0))
    grown[np.diff(at) > 2 * usual_step(times)] = np.nan
    return at[1:], grown


def occurrences(times: Ints, values: Floats, until: Micros | None) -> tuple[Ints, Floats]:
    """Return counts; rows that are all events are completed by hours without any, up to `until`."""
    counts = np.where(values < 0, np.nan, values)
    if not len(times) or not (counts > 0).all():
        return times, counts
    end = max(int(times[-1]), (until or 0) - 1)
    hours = np.arange(int(times[0]), end + 1, HOUR, dtype=np.int64)
    at, what = np.concatenate((times, hours)), np.concatenate((counts, np.zeros(len(hours))))
    order = np.argsort(at, kind="stable")
    return at[order], what[order]


def switched_on(times: Ints, values: Floats, until: Micros | None) -> tuple[Ints, Floats]:
    """Return 1 where a state has changed to on, or a bucket has begun to hold time that is on."""
    known = ~np.isnan(values)
    events = np.full(len(values), np.nan)
    on = values[known] > 0
    events[known] = on & ~np.concatenate(([True], on[:-1]))
    return times, events
