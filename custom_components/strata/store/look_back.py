"""One series over a range, in stretches of one layer."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ..core.model import MICROS_PER_SECOND, Kind, Micros, Series, TimeRange, from_micros
from ..core.rollup import Rollup
from ..core.stretch import Past, Stretch
from . import runs
from .answers import NO_TEXTS
from .reader import StoreReader
from .tiers import RAW
from .timeline import build

QUARTER: Micros = 15 * 60 * MICROS_PER_SECOND
"""Length of the stretches that single changes are told in."""


def look_back(reader: StoreReader, series: Series, start: datetime, end: datetime, tier: str) -> Past:
    """Return what is stored of `series` between two instants.

    Of the tier `raw` in quarters of an hour of UTC, which contain `start` and `end`; of other tiers in their buckets
    that start in the range. What the layer has not got (yet, or any more) is left out.
    """
    if series.id is None or end <= start:
        return Past(unit=series.unit)
    when = TimeRange.between(start, end)
    rolled = _of_changes(reader, series, when) if tier == RAW else reader.tier(tier, series.id, series.kind, when)
    return Past(_stretches(reader, rolled), series.unit)


def _of_changes(reader: StoreReader, series: Series, when: TimeRange) -> Rollup:
    edges = np.arange(when.start // QUARTER * QUARTER, when.end + QUARTER, QUARTER, np.int64)
    whole = TimeRange(int(edges[0]), when.end)
    found = reader.raw(series.id or 0, whole)
    stops = runs.stops(reader.connection, whole)
    resumes = runs.resumes(reader.connection, whole, series.id).get(series.id or 0, ())
    # Before its first change in the range a value is not known to have held.
    rolled = build(series.kind, found, stops, resumes, None).roll_up(series, _until(edges, when.end))
    return rolled.select(rolled.columns["covered"] > 0)


def _until(edges: NDArray[np.int64], end: Micros) -> NDArray[np.int64]:
    """Return the edges up to `end`: what is still to come is not known."""
    return np.append(edges[edges < end], end)


def _stretches(reader: StoreReader, rolled: Rollup) -> tuple[Stretch, ...]:
    if not len(rolled):
        return ()
    seconds: list[dict[str, float]] = [{} for _ in range(len(rolled))]
    if rolled.kind is Kind.TEXT:
        spent = rolled.states
        words = reader.texts(set(spent.code.tolist()) - NO_TEXTS)
        for bucket, code, micros in zip(spent.bucket.tolist(), spent.code.tolist(), spent.micros.tolist(), strict=True):
            if code in words:
                seconds[bucket][words[code]] = micros / MICROS_PER_SECOND
    nothing: list[float | None] = [None] * len(rolled)
    means = rolled.mean.tolist() if rolled.kind in {Kind.MEASUREMENT, Kind.ON_OFF} else nothing
    increases = rolled.columns["increase"].tolist() if rolled.kind is Kind.METER else nothing
    return tuple(
        Stretch(
            start=from_micros(start),
            end=from_micros(end),
            known=known,
            mean=None if mean is None or np.isnan(mean) else mean,
            increase=increase,
            seconds=states,
        )
        for start, end, known, mean, increase, states in zip(
            rolled.starts.tolist(),
            rolled.ends.tolist(),
            rolled.covered_seconds.tolist(),
            means,
            increases,
            seconds,
            strict=True,
        )
    )
