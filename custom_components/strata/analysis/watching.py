"""Which series are worth watching for anomalies, and their history as a scan reads it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..core.clock import DAY
from ..core.entity_series import MEASUREMENT
from ..core.model import MICROS_PER_SECOND, Kind, Micros, Series, TimeRange
from ..core.rollup import Floats, Ints, Rollup, rollup
from ..store.reader import StoreReader
from ..store.rows import counted
from ..store.tiers import FIVE_MINUTE, HOUR, HOURLY

MOST_BY_DEFAULT: Final = 25
STEP: Final = 300 * MICROS_PER_SECOND
"""Five minutes: what is watched is judged in steps of these."""
LOOKED_BACK: Final = 35
"""Days of history that a scan reads: 28 to compare with, and what it is about."""
LOOKED_BACK_BY_HOURS: Final = 90

_EVENT, _NUMERIC = "event", "numeric"
_HOUR_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Watchable:
    """A device class in which anomalies matter: how it is scanned, and how many of its entities by default."""

    kind: str
    share: int


WATCHABLE: Final[Mapping[str, Watchable]] = {
    "power": Watchable(_NUMERIC, 6),
    "energy": Watchable(_NUMERIC, 2),
    "temperature": Watchable(_NUMERIC, 5),
    "humidity": Watchable(_NUMERIC, 3),
    "atmospheric_pressure": Watchable(_NUMERIC, 1),
    "pressure": Watchable(_NUMERIC, 1),
    "battery": Watchable(_NUMERIC, 2),
    "door": Watchable(_EVENT, 2),
    "garage_door": Watchable(_EVENT, 1),
    "opening": Watchable(_EVENT, 1),
    "window": Watchable(_EVENT, 1),
    "motion": Watchable(_EVENT, 2),
    "occupancy": Watchable(_EVENT, 1),
    "data_rate": Watchable(_NUMERIC, 1),
}
"""What is watched unless the user chooses otherwise, the most telling first."""

_CHOSEN: Final[Mapping[Kind, str]] = {
    Kind.MEASUREMENT: _NUMERIC,
    Kind.METER: _NUMERIC,
    Kind.ON_OFF: _EVENT,
}
"""How a series of another device class is scanned when the user chose it."""


@dataclass(frozen=True, slots=True)
class Target:
    """An entity whose series is watched."""

    entity_id: str
    series: Series
    kind: str
    """`numeric` or `event`: how it is scanned."""
    device_class: str | None

    @property
    def identity(self) -> str:
        """What the entity is for life."""
        return self.series.key.identity

    @property
    def unit(self) -> str:
        """The unit of what is scanned: of a meter, its increase per hour."""
        if self.kind == _EVENT:
            return ""
        if self.series.kind is Kind.METER:
            return _PER_HOUR.get(self.series.unit or "", f"{self.series.unit or ''}/h")
        return self.series.unit or ""


_PER_HOUR: Final[Mapping[str, str]] = {"Wh": "W", "kWh": "kW", "MWh": "MW"}
"""An energy per hour is a power."""


def target_of(series: Series) -> Target | None:
    """Return how a series can be watched, None where it cannot: texts, and readings of sources."""
    entity_id = series.labels.get("entity_id")
    if series.key.measurement != MEASUREMENT or series.kind not in _CHOSEN or entity_id is None:
        return None
    device_class = series.labels.get("device_class")
    return Target(entity_id, series, _CHOSEN[series.kind], device_class)


def _by_entity(series: Iterable[Series], now: Collection[str]) -> dict[str, Target]:
    """Return what can be watched by entity id, of entities that there are; the first series of an entity counts."""
    found: dict[str, Target] = {}
    for each in sorted((one for one in series if one.id is not None), key=lambda one: one.id or 0):
        target = target_of(each)
        if target is not None and target.entity_id in now:
            found.setdefault(target.entity_id, target)
    return found


def choose(
    series: Iterable[Series], entities: Collection[str], *, chosen: Collection[str] = (), most: int = MOST_BY_DEFAULT
) -> list[Target]:
    """Return what is watched.

    Args:
        series: every series of the store.
        entities: the ids of the entities that there are now.
        chosen: entities the user chose; none of them takes the defaults of `WATCHABLE`, at most `most`, the series
            known for longest first, so that the choice stays the same while the home grows.
        most: how many by default.
    """
    known = _by_entity(series, entities)
    if chosen:
        return [known[entity_id] for entity_id in dict.fromkeys(chosen) if entity_id in known]
    by_class: dict[str, list[Target]] = {name: [] for name in WATCHABLE}
    for target in known.values():
        watchable = WATCHABLE.get(target.device_class or "")
        if watchable is not None and watchable.kind == target.kind:
            by_class[target.device_class or ""].append(target)
    first = [target for name, found in by_class.items() for target in found[: WATCHABLE[name].share]]
    rest = [target for name, found in by_class.items() for target in found[WATCHABLE[name].share :]]
    return [*first, *rest][:most]


@dataclass(frozen=True, slots=True)
class History:
    """A series as a scan reads it: starts of buckets (UTC microseconds) and what it was in each, NaN for unknown."""

    times: Ints
    values: Floats
    until: Micros
    """Up to where it is known whether there was a value."""


def read_history(reader: StoreReader, target: Target, until: Micros, *, newest: bool = False) -> History:
    """Return the history of a target up to `until`.

    Numbers come from the 5-minute tier, or from the hourly one where that reaches further back (a series that has
    only just been given 5-minute buckets); events are counts per hour. With `newest`, the rows of the hour that is
    not over yet are added in 5-minute buckets.
    """
    series = target.series
    if series.id is None:
        return History(np.empty(0, np.int64), np.empty(0), until)
    span = TimeRange(until - LOOKED_BACK * DAY, until)
    fine = reader.tier(FIVE_MINUTE, series.id, series.kind, span) if target.kind != _EVENT else None
    hours = reader.tier(HOURLY, series.id, series.kind, TimeRange(until - LOOKED_BACK_BY_HOURS * DAY, until))
    use_fine = fine is not None and len(fine) and (not len(hours) or fine.starts[0] <= _two_weeks_in(hours))
    found = fine if fine is not None and use_fine else hours
    times, values = found.starts, _values(found, target.kind)
    if newest and use_fine:
        times, values = _with_newest(reader, series, found, times, values, until)
    return History(times, values, until)


def _two_weeks_in(hours: Rollup) -> Micros:
    """Return from when 5-minute buckets are worth more than the hours before them: two weeks, or all there are."""
    return int(max(hours.starts[0] + DAY, hours.ends[-1] - 14 * DAY))


def _values(found: Rollup, kind: str) -> Floats:
    """Return what is scanned of each bucket."""
    if found.kind is Kind.METER:
        hours = (found.ends - found.starts) / MICROS_PER_SECOND / _HOUR_SECONDS
        covered = found.columns["covered"] > 0
        return np.where(covered, found.columns["increase"] / hours, np.nan)
    if kind == _EVENT:
        # Each event is a change to "on" and one back.
        counts: Floats = np.ceil(found.columns["transitions"] / 2.0)
        return np.where(found.columns["covered"] > 0, counts, np.nan)
    return found.mean


def _with_newest(
    reader: StoreReader, series: Series, found: Rollup, times: Ints, values: Floats, until: Micros
) -> tuple[Ints, Floats]:
    """Add the rows since the last bucket, as means over whole 5 minutes."""
    begin = int(found.ends[-1])
    if series.id is None or series.kind is not Kind.MEASUREMENT or until - begin > 2 * HOUR or until - begin < STEP:
        return times, values
    rows = counted(reader.raw(series.id, TimeRange(begin, until)))
    edges = np.arange(begin, until + 1, STEP)
    fresh = rollup(rows.times, rows.values, edges, kind=Kind.MEASUREMENT, carry=float(found.columns["last"][-1]))
    return np.concatenate((times, fresh.starts)), np.concatenate((values, fresh.mean))


def bounds(history: History) -> tuple[float, float] | None:
    """Return the lowest and highest of what was seen, outside of which a new value is worth a look at once."""
    known = history.values[~np.isnan(history.values)]
    return (float(known.min()), float(known.max())) if len(known) else None


def downtimes(runs: Sequence[tuple[Micros, Micros]], span: TimeRange) -> list[TimeRange]:
    """Return the stretches of `span` in which the home was not watched, from the runs (start, end) in it."""
    found, at = [], span.start
    for start, end in sorted(runs):
        if start > at:
            found.append(TimeRange(at, min(start, span.end)))
        at = max(at, end)
    if at < span.end:
        found.append(TimeRange(at, span.end))
    return [gap for gap in found if gap.duration]
