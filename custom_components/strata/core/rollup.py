"""Time-weighted roll-ups: what a series did in each bucket, and how coarser buckets follow.

A value holds until the next one, so a bucket's mean is `integral / covered`, never the mean of
its rows. All times are integer microseconds; buckets are half-open `[start, end)`.

>>> day = rollup([0, 30_000_000], [100.0, 200.0], [0, 60_000_000], kind="measurement")
>>> float(day.columns["integral"][0] / (day.columns["covered"][0] / 1e6))
150.0
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .model import MICROS_PER_SECOND, Kind
from .state_time import NO_STATES, StateTime, state_time

type Ints = NDArray[np.int64]
type Floats = NDArray[np.float64]
type Bools = NDArray[np.bool_]
type Column = Ints | Floats

COLUMNS: Mapping[Kind, Mapping[str, type]] = {
    Kind.MEASUREMENT: {
        "n": int,
        "covered": int,
        "integral": float,
        "sum": float,
        "min": float,
        "max": float,
        "first": float,
        "last": float,
    },
    Kind.METER: {
        "n": int,
        "covered": int,
        "increase": float,
        "resets": int,
        "first": float,
        "last": float,
    },
    Kind.ON_OFF: {
        "n": int,
        "covered": int,
        "on": int,
        "transitions": int,
        "first": float,
        "last": float,
    },
    Kind.TEXT: {"n": int, "covered": int, "transitions": int, "first": int, "last": int},
}
"""The columns of each kind. `n` counts samples; `covered` and `on` are microseconds; `integral`
is value x seconds over covered time; `first` and `last` are the values in force at the first and
last covered instant (for text: state codes, -1 for none)."""

NO_STATE = -1
RESET_RATIO = 0.9
"""A growing meter that falls below this share of its last value has started again; a smaller
dip is noise and counts as a negative increase (Home Assistant's rule for `total_increasing`)."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """Buckets of one series in time order: `starts`, `ends` and the kind's `COLUMNS`.

    Buckets without a sample and without covered time may be left out by whoever stores them.
    `names` gives the text of a state code when the values were given as text.
    """

    kind: Kind
    starts: Ints
    ends: Ints
    columns: Mapping[str, Column]
    states: StateTime = field(default_factory=lambda: NO_STATES)
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of buckets."""
        return len(self.starts)

    @property
    def covered_seconds(self) -> Floats:
        """Seconds of each bucket during which the value was known."""
        return self.columns["covered"] / MICROS_PER_SECOND

    @property
    def mean(self) -> Floats:
        """Time-weighted mean of a measurement, or the share of covered time an on/off was on.

        NaN where nothing is covered. Raises KeyError for kinds without a mean.
        """
        covered: Floats = np.where(self.columns["covered"] > 0, self.columns["covered"], np.nan)
        if self.kind is Kind.ON_OFF:
            return np.divide(self.columns["on"], covered)
        return np.divide(self.columns["integral"] * MICROS_PER_SECOND, covered)

    def seconds(self, bucket: int) -> dict[str | int, float]:
        """Return the seconds spent in each state of one text bucket."""
        here = self.states.bucket == bucket
        return {
            self.names[code] if self.names else int(code): float(micros) / MICROS_PER_SECOND
            for code, micros in zip(self.states.code[here], self.states.micros[here], strict=True)
        }

    def select(self, keep: Bools) -> Rollup:
        """Return the buckets for which `keep` is true."""
        position = np.cumsum(keep) - 1
        stays = keep[self.states.bucket] if len(self.states.bucket) else np.empty(0, bool)
        states = StateTime(position[self.states.bucket[stays]], self.states.code[stays], self.states.micros[stays])
        columns = {name: column[keep] for name, column in self.columns.items()}
        return Rollup(self.kind, self.starts[keep], self.ends[keep], columns, states, self.names)

    @property
    def known(self) -> Bools:
        """True for buckets that hold a sample or covered time."""
        return np.logical_or(self.columns["n"] > 0, self.columns["covered"] > 0)


@dataclass(frozen=True, slots=True)
class _Segments:
    """Stretches of constant value: each starts at a bucket border or at a row."""

    first_of_bucket: Ints
    bucket: Ints
    value: Floats
    duration: Ints
    in_force: Bools

    def total(self, amounts: Column) -> Column:
        """Sum per bucket."""
        return np.add.reduceat(amounts, self.first_of_bucket)

    def ends_of(self, *, last: bool) -> Floats:
        """Value in force at the first (or last) covered instant of each bucket."""
        index = np.arange(len(self.value))
        if last:
            chosen = np.maximum.reduceat(np.where(self.in_force, index, -1), self.first_of_bucket)
            found = chosen >= 0
        else:
            chosen = np.minimum.reduceat(np.where(self.in_force, index, len(index)), self.first_of_bucket)
            found = chosen < len(index)
        return np.where(found, self.value[np.where(found, chosen, 0)], np.nan)

    def spent(self, names: tuple[str, ...]) -> tuple[StateTime, tuple[str, ...]]:
        """Return the time spent in each state, whose texts `names` may give."""
        held = self.in_force
        return state_time(self.bucket[held], self.value[held].astype(np.int64), self.duration[held], names)


def rollup(
    times: ArrayLike,
    values: ArrayLike | Sequence[str | None],
    buckets: ArrayLike,
    *,
    kind: Kind | str,
    carry: float | str | None = None,
    in_force: bool = True,
    samples: ArrayLike | None = None,
    cycles: ArrayLike | None = None,
    monotonic: bool = True,
) -> Rollup:
    """Roll rows up into adjacent buckets, weighting each value by how long it held.

    Args:
        times: int64 microseconds of the rows, strictly ascending.
        values: the rows' values, NaN (or None for text) where the value became unknown. On/off
            is 1 and 0. Text is str, or int codes with -1 for unknown.
        buckets: n + 1 ascending borders of n adjacent buckets, in microseconds.
        kind: one of `Kind`.
        carry: the last value known before the first border, None when there is none.
        in_force: whether `carry` still holds at the first border (False inside a gap).
        samples: False for rows that only say that a value holds again; default all True.
        cycles: for meters, True where a row is the first of a new cycle that began at zero.
        monotonic: for meters, treat a drop below 90 % as a new cycle.

    Returns:
        One row per bucket, uncovered buckets included.

    Raises:
        ValueError: borders or times do not ascend, or lengths differ.
    """
    kind = Kind(kind)
    edges = np.asarray(buckets, np.int64)
    moments = np.asarray(times, np.int64)
    numbers, carried, names = _numbers(kind, values, carry)
    real = np.ones(len(moments), bool) if samples is None else np.asarray(samples, bool)
    starts_new = np.zeros(len(moments), bool) if cycles is None else np.asarray(cycles, bool)
    _check(edges, moments, numbers, real)
    inside = (moments >= edges[0]) & (moments < edges[-1])
    if not inside.all():
        moments, numbers, real, starts_new = (a[inside] for a in (moments, numbers, real, starts_new))
    segments = _segments(moments, numbers, edges, carried if in_force else np.nan)
    counted = real & ~np.isnan(numbers)
    place = np.searchsorted(edges, moments[counted], "right") - 1
    sample = _Samples(place, numbers[counted], starts_new[counted], carried, len(edges) - 1)
    columns: dict[str, Column] = {
        "n": sample.count(),
        "covered": segments.total(np.where(segments.in_force, segments.duration, 0)),
        **_own_columns(kind, segments, sample, monotonic=monotonic),
    }
    states = NO_STATES
    if kind is Kind.TEXT:
        states, names = segments.spent(names)
    return Rollup(kind, edges[:-1], edges[1:], columns, states, names)


def _own_columns(kind: Kind, segments: _Segments, sample: _Samples, *, monotonic: bool) -> dict[str, Column]:
    match kind:
        case Kind.MEASUREMENT:
            return _measurement(segments, sample)
        case Kind.METER:
            return sample.meter(monotonic=monotonic)
        case Kind.ON_OFF:
            on = np.where(segments.in_force & (segments.value != 0), segments.duration, 0)
            return {
                "on": segments.total(on),
                "transitions": sample.transitions(),
                "first": segments.ends_of(last=False),
                "last": segments.ends_of(last=True),
            }
        case Kind.TEXT:
            return {
                "transitions": sample.transitions(),
                "first": _as_codes(segments.ends_of(last=False)),
                "last": _as_codes(segments.ends_of(last=True)),
            }


def _numbers(
    kind: Kind, values: ArrayLike | Sequence[str | None], carry: float | str | None
) -> tuple[Floats, float, tuple[str, ...]]:
    if kind is Kind.TEXT:
        return _codes(values, carry)
    return np.asarray(values, np.float64), np.nan if carry is None else float(carry), ()


def _check(edges: Ints, moments: Ints, numbers: Floats, real: Bools) -> None:
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError("bucket borders need at least two instants in ascending order")
    if len(moments) != len(numbers) or len(moments) != len(real):
        raise ValueError(f"{len(moments)} times for {len(numbers)} values and {len(real)} marks")
    if len(moments) > 1 and (np.diff(moments) <= 0).any():
        raise ValueError("times have to ascend strictly: keep the last row of equal times")


def _codes(
    values: ArrayLike | Sequence[str | None], carry: float | str | None
) -> tuple[Floats, float, tuple[str, ...]]:
    """Give text states numbers; unknown is NaN like everywhere else."""
    given: Any = values
    if isinstance(given, np.ndarray) and given.dtype != object:
        codes = given.astype(np.float64)
        codes[given == NO_STATE] = np.nan
        return codes, np.nan if carry in {None, NO_STATE} else float(carry or 0), ()
    known = [value for value in (carry, *given) if value is not None]
    names = tuple(dict.fromkeys(str(value) for value in known))
    number = {name: index for index, name in enumerate(names)}
    codes = np.array([np.nan if v is None else number[str(v)] for v in given], np.float64)
    return codes, np.nan if carry is None else float(number[str(carry)]), names


def _as_codes(values: Floats) -> Ints:
    return np.where(np.isnan(values), NO_STATE, values).astype(np.int64)


def _segments(moments: Ints, numbers: Floats, edges: Ints, carried: float) -> _Segments:
    borders = len(edges) - 1
    points = np.concatenate((edges[:-1], moments))
    # A stable sort puts a border before a row at the same instant, so the value it replaces
    # there is in force for no time at all.
    order = np.argsort(points, kind="stable")
    is_row = order >= borders
    source = np.maximum.accumulate(np.where(is_row, order - borders, -1))
    given = np.append(numbers, carried)
    value = given[source]
    start = points[order]
    duration = np.append(start[1:], edges[-1]) - start
    return _Segments(
        first_of_bucket=np.flatnonzero(~is_row),
        bucket=np.cumsum(~is_row) - 1,
        value=value,
        duration=duration,
        in_force=~np.isnan(value) & (duration > 0),
    )


def _measurement(segments: _Segments, sample: _Samples) -> dict[str, Column]:
    held = np.where(segments.in_force, segments.value, 0.0)
    low = np.minimum.reduceat(np.where(segments.in_force, segments.value, np.inf), segments.first_of_bucket)
    high = np.maximum.reduceat(np.where(segments.in_force, segments.value, -np.inf), segments.first_of_bucket)
    return {
        "integral": segments.total(held * segments.duration) / MICROS_PER_SECOND,
        "sum": sample.total(),
        "min": np.where(np.isinf(low), np.nan, low),
        "max": np.where(np.isinf(high), np.nan, high),
        "first": segments.ends_of(last=False),
        "last": segments.ends_of(last=True),
    }


@dataclass(frozen=True, slots=True)
class _Samples:
    """Known samples in time order, with the bucket each falls into."""

    bucket: Ints
    value: Floats
    starts_new: Bools
    carried: float
    buckets: int

    def count(self) -> Ints:
        return np.bincount(self.bucket, minlength=self.buckets).astype(np.int64)

    def total(self, amounts: Floats | None = None) -> Floats:
        weights = self.value if amounts is None else amounts
        return np.bincount(self.bucket, weights=weights, minlength=self.buckets).astype(np.float64)

    @property
    def before(self) -> Floats:
        return np.concatenate(([self.carried], self.value))[:-1]

    def transitions(self) -> Ints:
        changed = ~np.isnan(self.before) & (self.before != self.value)
        return np.bincount(self.bucket[changed], minlength=self.buckets).astype(np.int64)

    def meter(self, *, monotonic: bool) -> dict[str, Column]:
        new = self.starts_new.copy()
        if monotonic:
            new |= self.value < RESET_RATIO * self.before
        growth = np.where(new, self.value, self.value - self.before)
        growth[np.isnan(growth)] = 0.0
        first = np.full(self.buckets, np.nan)
        last = np.full(self.buckets, np.nan)
        first[self.bucket[::-1]] = self.value[::-1]
        last[self.bucket] = self.value
        return {
            "increase": self.total(growth),
            "resets": np.bincount(self.bucket[new], minlength=self.buckets).astype(np.int64),
            "first": first,
            "last": last,
        }
