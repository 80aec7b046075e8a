"""The slow truth about a store's content: plain Python walks over everything ever written.

Shares no code with the store or its roll-ups. What it says follows from three sentences: a value holds until the
next one, a stop of recording or a gap ends it, and a resumption makes the last known value hold again.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
import math
from typing import Any
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
QUARTER = 15 * MINUTE

GAP, SPIKE, RESET, IMPOSSIBLE, STUCK, CYCLE = 1, 2, 3, 4, 5, 8
"""The flags' numbers in the file."""
LEFT_OUT = (SPIKE, RESET, IMPOSSIBLE)

type Value = float | str | None
type _Sample = tuple[Any, Any, int]
"""The value known before, the value, the flag."""


@dataclass(frozen=True)
class Bucket:
    """What one series did in one bucket; which fields mean something depends on the kind."""

    start: int
    end: int
    n: int
    covered: int
    integral: float = 0.0
    sum: float = 0.0
    min: float = math.nan
    max: float = math.nan
    first: Value = None
    last: Value = None
    on: int = 0
    transitions: int = 0
    increase: float = 0.0
    resets: int = 0
    states: dict[str, int] = field(default_factory=dict)


@dataclass
class NaiveSeries:
    """Everything written to one series, the last write of each instant winning."""

    kind: str
    monotonic: bool = True
    rows: dict[int, tuple[Value, int]] = field(default_factory=dict)
    resumes: set[int] = field(default_factory=set)

    def known(self) -> Iterator[tuple[int, Value, int]]:
        """Yield (time, value or None, flag) of the rows that count, in time order."""
        for time in sorted(self.rows):
            value, flag = self.rows[time]
            if flag in LEFT_OUT:
                continue
            unknown = flag == GAP or value is None or (isinstance(value, float) and not math.isfinite(value))
            yield time, None if unknown else value, flag

    def held(self, stops: Iterable[int]) -> list[tuple[int, Value]]:
        """Return from when on which value holds, None for none."""
        known = [(time, value) for time, value, _ in self.known()]
        there = {time for time, _ in known}
        # A row on the very instant of a stop is the last thing that was seen: it ends right after.
        ends = {stop + (stop in there) for stop in stops if stop not in self.resumes}
        changes: dict[int, Value] = dict.fromkeys(ends - there)
        values = [(time, value) for time, value in known if value is not None]
        times = [time for time, _ in values]
        for time in self.resumes:
            before = bisect_right(times, time)
            changes[time] = values[before - 1][1] if before else None
        changes.update(known)
        return sorted(changes.items())

    def buckets(self, edges: Sequence[int], stops: Iterable[int]) -> list[Bucket]:
        """Return the buckets between `edges` that hold a sample or covered time."""
        held = self.held(stops)
        samples = [(time, value, flag) for time, value, flag in self.known() if value is not None]
        inside: dict[int, list[tuple[Value, Value, int]]] = defaultdict(list)
        before: Value = None
        for time, value, flag in samples:
            inside[bisect_right(edges, time) - 1].append((before, value, flag))
            before = value
        found = []
        segments = _segments(held, edges)
        for index, (start, end) in enumerate(pairwise(edges)):
            here, there = inside.get(index, []), segments.get(index, [])
            if here or there:
                found.append(self._bucket(start, end, here, there))
        return found

    def _bucket(self, start: int, end: int, samples: list[_Sample], segments: list[tuple[Any, int]]) -> Bucket:
        covered = sum(length for _, length in segments)
        values = [value for value, _ in segments]
        said: dict[str, Any] = {"n": len(samples), "covered": covered}
        if self.kind == "meter":
            said |= self._meter(samples)
        else:
            said["first"], said["last"] = (values[0], values[-1]) if values else (None, None)
        if self.kind == "measurement":
            said["integral"] = math.fsum(value * length for value, length in segments) / SECOND
            said["sum"] = math.fsum(value for _, value, _ in samples)
            if values:
                said["min"], said["max"] = min(values), max(values)
        if self.kind in {"on_off", "text"}:
            said["transitions"] = sum(before is not None and before != value for before, value, _ in samples)
            said["on"] = sum(length for value, length in segments if value not in {0, None})
        if self.kind == "text":
            states: dict[str, int] = defaultdict(int)
            for value, length in segments:
                states[value] += length
            said["states"] = dict(states)
        return Bucket(start, end, **said)

    def _meter(self, samples: list[_Sample]) -> dict[str, Any]:
        increase, resets = [], 0
        for before, value, flag in samples:
            starts_new = flag == CYCLE or (self.monotonic and before is not None and value < 0.9 * before)
            resets += starts_new
            increase.append(value if starts_new else 0.0 if before is None else value - before)
        return {
            "increase": math.fsum(increase),
            "resets": resets,
            "first": samples[0][1] if samples else None,
            "last": samples[-1][1] if samples else None,
        }


def _segments(held: list[tuple[int, Value]], edges: Sequence[int]) -> dict[int, list[tuple[Value, int]]]:
    """Cut what held at the edges: by bucket, the values in force and how long, in time order."""
    found: dict[int, list[tuple[Value, int]]] = defaultdict(list)
    for number, (time, value) in enumerate(held):
        end = held[number + 1][0] if number + 1 < len(held) else edges[-1]
        if value is None or end <= edges[0]:
            continue
        position, end = max(time, edges[0]), min(end, edges[-1])
        while position < end:
            index = bisect_right(edges, position) - 1
            until = min(end, edges[index + 1])
            found[index].append((value, until - position))
            position = until
    return found


def _local(timezone: ZoneInfo, micros: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).astimezone(timezone)


def borders(timezone: str, start: int, end: int) -> tuple[list[int], list[int]]:
    """Return the local hour borders and the local midnights in `[start, end]`, looking every quarter of an hour.

    An hour also ends where the clock is moved.
    """
    zone = ZoneInfo(timezone)
    hours, days = [], []
    for moment in range(-(-start // QUARTER) * QUARTER, end + 1, QUARTER):
        now, before = _local(zone, moment), _local(zone, moment - QUARTER)
        if now.minute == 0 or now.utcoffset() != before.utcoffset():
            hours.append(moment)
        if now.date() > before.date():
            days.append(moment)
    return hours, days
