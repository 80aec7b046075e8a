"""What a series did over time, gaps included, ready to be rolled up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.model import Flag, Kind, Micros, Series
from ..core.rollup import NO_STATE, Rollup, rollup
from .base import RawRows
from .rows import counted


@dataclass(frozen=True, slots=True)
class Carry:
    """The last known value before a range, and whether it still holds where the range begins."""

    time: Micros
    value: float
    in_force: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """Changes of one series: values (text as codes), NaN where it became unknown.

    `samples` is False where a value merely holds again; `cycles` is True where a meter began
    again at zero.
    """

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    samples: NDArray[np.bool_]
    cycles: NDArray[np.bool_]
    carry: Carry | None

    def roll_up(self, series: Series, edges: ArrayLike) -> Rollup:
        """Roll the timeline up into the buckets between `edges`."""
        text = series.kind is Kind.TEXT
        values: NDArray[np.int64] | NDArray[np.float64] = self.values
        carry: float | None = self.carry.value if self.carry else None
        if text:
            values = np.where(np.isnan(self.values), NO_STATE, self.values).astype(np.int64)
        return rollup(
            self.times,
            values,
            edges,
            kind=series.kind,
            carry=carry,
            in_force=bool(self.carry and self.carry.in_force),
            samples=self.samples,
            cycles=self.cycles,
            monotonic=series.monotonic,
        )

    def end(self) -> Carry | None:
        """Return the carry for a range that begins where this one ends."""
        if not len(self.times):
            return self.carry
        known = np.flatnonzero(~np.isnan(self.values))
        if not len(known):
            return self.carry and Carry(self.carry.time, self.carry.value, in_force=False)
        newest = int(known[-1])
        return Carry(
            int(self.times[newest]),
            float(self.values[newest]),
            in_force=newest == len(self.times) - 1,
        )


def series_values(kind: Kind, rows: RawRows) -> NDArray[np.float64]:
    """Return what counts as the value of each row: the number, or the code of the text."""
    if kind is Kind.TEXT:
        values = rows.texts.astype(np.float64)
        values[rows.texts == 0] = np.nan
    else:
        values = rows.values.copy()
    values[(rows.flags == Flag.GAP) | np.isinf(values)] = np.nan
    return values


def build(
    kind: Kind,
    rows: RawRows,
    stops: NDArray[np.int64],
    resumes: Sequence[Micros],
    carry: Carry | None,
) -> Timeline:
    """Join a series' rows with the moments recording stopped and values held again.

    A row on the very instant of a stop is the last thing that run saw, so it ends right after. A
    resumption there wins: the value is known from there on.
    """
    rows = counted(rows)
    values = series_values(kind, rows)
    if not len(stops) and not len(resumes):
        return Timeline(rows.times, values, np.ones(len(values), bool), rows.flags == Flag.CYCLE, carry)
    resumed_at = np.array(resumes, np.int64)
    gaps = stops[~np.isin(stops, resumed_at)]
    gaps = np.unique(gaps + np.isin(gaps, rows.times))
    gaps = gaps[~np.isin(gaps, rows.times) & ~np.isin(gaps, resumed_at)]
    again = resumed_at[~np.isin(resumed_at, rows.times)]
    times = np.concatenate((rows.times, gaps, again))
    held = np.concatenate((values, np.full(len(gaps) + len(again), np.nan)))
    samples = np.concatenate((np.ones(len(values), bool), np.zeros(len(gaps) + len(again), bool)))
    cycles = np.concatenate((rows.flags == Flag.CYCLE, np.zeros(len(gaps) + len(again), bool)))
    resumed = np.concatenate((np.zeros(len(values) + len(gaps), bool), np.ones(len(again), bool)))
    order = np.argsort(times, kind="stable")
    held = np.take(held, order)
    _hold_again(held, np.take(resumed, order), carry.value if carry else np.nan)
    return Timeline(times[order], held, np.take(samples, order), np.take(cycles, order), carry)


def _hold_again(held: NDArray[np.float64], resumed: NDArray[np.bool_], carried: float) -> None:
    """Give each resumption the last value known before it."""
    source = np.maximum.accumulate(np.where(np.isnan(held), -1, np.arange(len(held))))
    known = np.append(held, carried)[source]
    held[resumed] = known[resumed]
