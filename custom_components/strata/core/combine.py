"""Coarser roll-ups from finer ones: how each column of several buckets becomes that of one."""

import numpy as np
from numpy.typing import ArrayLike

from .rollup import COLUMNS, NO_STATE, Bools, Column, Ints, Rollup
from .state_time import state_time


def combine(fine: Rollup, buckets: ArrayLike, *, strict: bool = True) -> Rollup:
    """Roll buckets up into coarser adjacent ones whose borders they do not cross.

    Counts, covered time, integrals, increases and time per state add up; extremes, first and
    last follow. The result is the same as rolling the rows up into `buckets` directly; but for
    which states are named where there are more than a bucket names. With `strict` off, a bucket
    that crosses a border counts where it starts (the home has moved to another time zone).

    Raises:
        ValueError: borders do not ascend, or a fine bucket crosses one.
    """
    edges = np.asarray(buckets, np.int64)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError("bucket borders need at least two instants in ascending order")
    place = np.searchsorted(edges, fine.starts, "right") - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    if not inside.all():
        fine, place = fine.select(inside), place[inside]
    if strict and (fine.ends > edges[place + 1]).any():
        raise ValueError("a bucket crosses a border of the coarser buckets")
    size = len(edges) - 1
    columns = {name: _MERGE.get(name, _add)(place, fine.columns[name], size) for name in COLUMNS[fine.kind]}
    states, names = state_time(place[fine.states.bucket], fine.states.code, fine.states.micros, fine.names)
    return Rollup(fine.kind, edges[:-1], edges[1:], columns, states, names)


def _add(place: Ints, column: Column, size: int) -> Column:
    total = np.zeros(size, np.float64)
    whole = np.zeros(size, np.int64)
    target: Column = total if column.dtype == np.float64 else whole
    np.add.at(target, place, column)
    return target


def _low(place: Ints, column: Column, size: int) -> Column:
    low = np.full(size, np.nan)
    np.fmin.at(low, place, column)
    return low


def _high(place: Ints, column: Column, size: int) -> Column:
    high = np.full(size, np.nan)
    np.fmax.at(high, place, column)
    return high


def _nothing(column: Column, size: int) -> Column:
    if column.dtype == np.float64:
        return np.full(size, np.nan)
    return np.full(size, NO_STATE, np.int64)


def _present(column: Column) -> Bools:
    present: Bools = ~np.isnan(column) if column.dtype == np.float64 else column != NO_STATE
    return present


def _first(place: Ints, column: Column, size: int) -> Column:
    first = _nothing(column, size)
    here = _present(column)
    first[place[here][::-1]] = column[here][::-1]
    return first


def _last(place: Ints, column: Column, size: int) -> Column:
    last = _nothing(column, size)
    here = _present(column)
    last[place[here]] = column[here]
    return last


_MERGE = {"min": _low, "max": _high, "first": _first, "last": _last}
