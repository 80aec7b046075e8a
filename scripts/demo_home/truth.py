"""What a home's history adds up to, computed from what happened: plain Python, nothing of the integration.

A value holds from its change until the next one, until the entity is not available, or until Home Assistant stops.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
import math
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .home import GAPS, MINUTE, NUMBERS, SECOND, Change, Home, HomeEntity, Micros, Nature

NEW_CYCLE = 0.9
"""Home Assistant's rule for `total_increasing`: below this share of the last value, a register has started again."""


class Told(NamedTuple):
    """What Home Assistant was told: a change, or with None that it stopped."""

    time: Micros
    change: Change | None


@dataclass(slots=True)
class Bucket:
    """What one entity did between two borders; `covered` and `seconds` count known time."""

    start: Micros
    end: Micros
    covered: float = 0.0
    parts: list[float] = field(default_factory=list)
    """Value times seconds, stretch by stretch."""
    increases: list[float] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def integral(self) -> float:
        """Value times seconds over the covered time."""
        return math.fsum(self.parts)

    @property
    def mean(self) -> float:
        """The mean weighted by time."""
        return self.integral / self.covered

    @property
    def increase(self) -> float:
        """How much a register grew."""
        return math.fsum(self.increases)


def borders(timezone: str, start: Micros, end: Micros) -> tuple[list[Micros], list[Micros]]:
    """Return the local hours' and the local days' borders from before `start` to after `end`.

    Found by looking at the local clock every quarter of an hour.
    """
    zone = ZoneInfo(timezone)
    hours: list[Micros] = []
    days: list[Micros] = []
    moment = datetime.fromtimestamp((start - 26 * 60 * MINUTE) // (15 * MINUTE) * 15 * MINUTE / SECOND, zone)
    before = None
    while round(moment.timestamp()) * SECOND <= end + 26 * 60 * MINUTE:
        instant = round(moment.timestamp()) * SECOND
        if moment.minute == 0:
            hours.append(instant)
        if before is not None and moment.date() != before:
            days.append(instant)
        before = moment.date()
        moment = (moment.astimezone(ZoneInfo("UTC")) + timedelta(minutes=15)).astimezone(zone)
    return _around(hours, start, end), _around(days, start, end)


def _around(edges: list[Micros], start: Micros, end: Micros) -> list[Micros]:
    first = bisect_right(edges, start) - 1
    last = next(index for index, edge in enumerate(edges) if edge >= end)
    return edges[first : last + 1]


def told_by_entity(told: Iterable[Told], home: Home) -> dict[str, list[Told]]:
    """Return what was told of each entity; that Home Assistant stopped concerns all."""
    apart: dict[str, list[Told]] = {name: [] for name in home.entities}
    for one in told:
        if one.change is None:
            for listed in apart.values():
                listed.append(one)
        else:
            apart[one.change.entity_id].append(one)
    return apart


def add_up(entity: HomeEntity, told: list[Told], edges: list[Micros]) -> list[Bucket]:
    """Return what the entity did between the borders."""
    buckets = [Bucket(start, end) for start, end in pairwise(edges)]
    good = [one for one in told if one.change is None or not one.change.faulty]
    for index, (time, change) in enumerate(good):
        if change is None or change.state in GAPS:
            continue
        until = good[index + 1].time if index + 1 < len(good) else edges[-1]
        _hold(entity, change.state, time, until, buckets, edges)
    if entity.nature in {Nature.REGISTER, Nature.BALANCE}:
        _grow(entity, good, buckets, edges)
    return buckets


def _hold(
    entity: HomeEntity, state: str, start: Micros, end: Micros, buckets: list[Bucket], edges: list[Micros]
) -> None:
    place = bisect_right(edges, start) - 1
    while start < end and place < len(buckets):
        bucket = buckets[place]
        seconds = (min(end, bucket.end) - start) / SECOND
        bucket.covered += seconds
        if entity.nature in NUMBERS:
            bucket.parts.append(float(state) * seconds)
        else:
            bucket.seconds[state] = bucket.seconds.get(state, 0.0) + seconds
        start, place = bucket.end, place + 1


def _grow(entity: HomeEntity, told: list[Told], buckets: list[Bucket], edges: list[Micros]) -> None:
    """Add up how much a register grew; growth belongs to the hour in which it was read."""
    before: float | None = None
    cycle: object = None
    for time, change in told:
        if change is None or change.state in GAPS:
            continue
        value = float(change.state)
        if before is not None:
            if entity.nature is Nature.REGISTER:
                again = value < NEW_CYCLE * before
            else:
                again = change.attributes.get("last_reset") != cycle
            buckets[bisect_right(edges, time) - 1].increases.append(value if again else value - before)
        before, cycle = value, change.attributes.get("last_reset")


def news(told: list[Told]) -> int:
    """Count what is news about an entity: what it takes to tell its whole history again.

    No news are a state told again, a gap that goes on, a gap before there was anything, and the first state after a
    restart when it is the one known from before.
    """
    count = 0
    known: str | None = None
    state: str | None = None
    first = True
    for _, change in told:
        if change is None:
            state, first = None, True
        elif change.state in GAPS:
            count += state is not None
            state = None
        elif change.state != state:
            count += not (first and change.state == known)
            first, state = False, change.state
            known = known if change.faulty else state
    return count
