"""Comparing a store's tiers and rows with the naive history."""

import math

from custom_components.strata.core.model import Kind, Series, TimeRange
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.reader import StoreReader
from tests.naive_history import Bucket, NaiveSeries

EXACT = ("start", "end", "n", "covered", "on", "transitions", "resets", "first", "last", "min", "max", "states")
CLOSE = ("integral", "sum", "increase")
ALWAYS = TimeRange(0, 2**62)


def stored_buckets(reader: StoreReader, tier: str, series: Series) -> list[Bucket]:
    """Return the store's buckets of a series in the naive history's words."""
    rolled = reader.tier(tier, series.id or 0, series.kind, ALWAYS)
    return [_bucket(reader, rolled, index) for index in range(len(rolled))]


def _bucket(reader: StoreReader, rolled: Rollup, index: int) -> Bucket:
    said = {name: column[index].item() for name, column in rolled.columns.items() if name != "offset"}
    if rolled.kind is Kind.TEXT:
        names = reader.texts(set(rolled.states.code.tolist()) | {said["first"], said["last"]})
        said["first"], said["last"] = names.get(said["first"]), names.get(said["last"])
        here = rolled.states.bucket == index
        said["states"] = {
            names[code]: micros
            for code, micros in zip(rolled.states.code[here].tolist(), rolled.states.micros[here].tolist(), strict=True)
        }
        said["on"] = sum(said["states"].values())
    for name in ("first", "last"):
        if isinstance(said[name], float) and math.isnan(said[name]):
            said[name] = None
    return Bucket(int(rolled.starts[index]), int(rolled.ends[index]), **said)


def _same(found: object, expected: object) -> bool:
    if isinstance(found, float) and isinstance(expected, float) and math.isnan(expected):
        return math.isnan(found)
    return found == expected


def differences(found: list[Bucket], expected: list[Bucket]) -> list[str]:
    """Say where two lists of buckets differ: exact where numbers are exact, else to 1e-9 of what was added up."""
    there = {bucket.start: bucket for bucket in found}
    due = {bucket.start: bucket for bucket in expected}
    said = [f"{start}: not stored, expected {due[start]}" for start in sorted(due.keys() - there.keys())]
    said += [f"{start}: stored but not expected {there[start]}" for start in sorted(there.keys() - due.keys())]
    if len(there) != len(found):
        said.append("a bucket is stored twice")
    for start in sorted(there.keys() & due.keys()):
        one, other = there[start], due[start]
        wrong = [name for name in EXACT if not _same(getattr(one, name), getattr(other, name))]
        wrong += [name for name in CLOSE if not _close(getattr(one, name), getattr(other, name), other)]
        said += [f"{start}: {name} {getattr(one, name)}, expected {getattr(other, name)}" for name in wrong]
    return said


def _close(found: float, expected: float, bucket: Bucket) -> bool:
    values = (bucket.first, bucket.last, bucket.min, bucket.max, expected, 1.0)
    size = max(abs(value) for value in values if isinstance(value, float) and math.isfinite(value))
    return abs(found - expected) <= 1e-9 * size


def stored_rows(reader: StoreReader, series: Series, when: TimeRange = ALWAYS) -> list[tuple[int, object, int]]:
    """Return (time, value or text, flag) of a series' raw rows."""
    rows = reader.raw(series.id or 0, when)
    names = reader.texts({code for code in rows.texts.tolist() if code})
    return [
        (time, names[text] if text else None if math.isnan(value) else value, flag)
        for time, value, text, flag in zip(
            rows.times.tolist(), rows.values.tolist(), rows.texts.tolist(), rows.flags.tolist(), strict=True
        )
    ]


def expected_rows(series: NaiveSeries, since: int = 0) -> list[tuple[int, object, int]]:
    """Return what `stored_rows` should say of everything from `since` on."""
    return [
        (time, None if isinstance(value, float) and math.isnan(value) else value, flag)
        for time, (value, flag) in sorted(series.rows.items())
        if time >= since
    ]
