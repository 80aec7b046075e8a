"""The proof before anything is deleted: do coarser buckets account for the finer rows they stand for?"""

import numpy as np
from numpy.typing import NDArray

from ..core.model import Flag, Kind, Micros, Series, TimeRange
from ..core.rollup import Rollup
from .base import RawRows
from .timeline import series_values

_TOLERANCE = 1e-9
"""Sums of the same floats in another order differ by rounding only."""
_NOT_SAMPLES = [int(flag) for flag in (Flag.GAP, Flag.SPIKE, Flag.RESET, Flag.IMPOSSIBLE)]


def rows_differ(
    series: Series,
    history: RawRows,
    rolled: Rollup,
    when: TimeRange,
    raw_from: Micros,
) -> str | None:
    """Say how the roll-up fails to account for the rows in `when`, or None."""
    values = series_values(series.kind, history)
    sample = ~np.isnan(values) & ~np.isin(history.flags, _NOT_SAMPLES)
    times, values = history.times[sample], values[sample]
    due = (times >= when.start) & (times < when.end)
    if not due.any():
        return None
    place = np.searchsorted(rolled.starts, times, "right") - 1
    held = (place >= 0) & (times < rolled.ends[place]) if len(rolled) else np.zeros(len(times), bool)
    if not held[due].all():
        return f"{int((~held[due]).sum())} rows have no bucket"
    touched = np.unique(place[due])
    if raw_from >= when.start:
        # A bucket that begins before the range also stands for rows a step before has deleted.
        touched = touched[rolled.starts[touched] >= when.start]
    # So does one that begins before and ends after the instant from which rows are kept.
    touched = touched[(rolled.starts[touched] >= raw_from) | (rolled.ends[touched] <= raw_from)]
    return _counts_differ(series.kind, rolled, touched, place[held], values[held])


def _counts_differ(
    kind: Kind,
    rolled: Rollup,
    touched: NDArray[np.int64],
    place: NDArray[np.int64],
    values: NDArray[np.float64],
) -> str | None:
    count = np.bincount(place, minlength=len(rolled))
    if (count[touched] != rolled.columns["n"][touched]).any():
        return "the buckets count other rows than there are"
    if kind is Kind.MEASUREMENT:
        total = np.bincount(place, weights=values, minlength=len(rolled))
        size = np.bincount(place, weights=np.abs(values), minlength=len(rolled))
        difference = np.abs(total - rolled.columns["sum"])
        if (difference[touched] > _TOLERANCE * (size[touched] + 1)).any():
            return "the buckets sum up to something else than the rows"
    return None


def buckets_differ(fine: Rollup, coarse: Rollup | None, when: TimeRange) -> str | None:
    """Say how coarser buckets fail to account for finer ones that start in `when`, or None."""
    due = (fine.starts >= when.start) & (fine.starts < when.end)
    if not due.any():
        return None
    if coarse is None or not len(coarse):
        return "there are no coarser buckets"
    place = np.searchsorted(coarse.starts, fine.starts, "right") - 1
    held = (place >= 0) & (fine.starts < coarse.ends[place])
    if not held[due].all():
        return f"{int((~held[due]).sum())} buckets have no coarser one"
    whole = np.bincount(place[held], weights=(fine.ends - fine.starts)[held], minlength=len(coarse))
    touched = np.unique(place[due])
    # Finer buckets that a step before deleted, or that were never covered, cannot be compared
    # with; where all are there, counts and covered time must agree to the unit.
    complete = touched[whole[touched] == (coarse.ends - coarse.starts)[touched]]
    for name in ("n", "covered"):
        total = np.zeros(len(coarse), np.int64)
        np.add.at(total, place[held], fine.columns[name][held])
        if (total[complete] != coarse.columns[name][complete]).any():
            return f"the coarser buckets hold another {name} than the finer ones"
        if (total[touched] > coarse.columns[name][touched]).any():
            return f"the coarser buckets hold less {name} than the finer ones"
    return None
