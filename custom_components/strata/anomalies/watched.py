"""One watched entity: what is known of it, and one scan of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from homeassistant.core import HomeAssistant

from ..analysis.anomaly import METHODS, Answer, MethodUnavailableError, Scan, detect, mark_normal, scan
from ..analysis.anomaly.state import KEPT
from ..analysis.base import AnomalyKind, Episode
from ..analysis.watching import LOOKED_BACK, History, Target, bounds, downtimes, read_history
from ..core.clock import DAY
from ..core.model import Micros, TimeRange
from ..store.reader import StoreReader
from ..store.worker import StoreWorker

PAUSED: Final = "paused"
LEARNING: Final = "learning"
WATCHING: Final = "watching"
NO_DATA: Final = "no_data"
STATUSES: Final = (LEARNING, WATCHING, PAUSED, NO_DATA)
_MOSTLY: Final = 0.5
NUMERIC: Final = "numeric"
STATISTICAL: Final = "statistical"
ENSEMBLE: Final = "ensemble"
SECOND_OPINION: Final = 2 * DAY
"""How far back another method than the scan judges each time."""


@dataclass(frozen=True, slots=True)
class How:
    """How closely, and by which method, entities are judged."""

    sensitivity: str
    method: str = STATISTICAL


@dataclass(slots=True)
class Watched:
    """An entity that is watched; `state` is what scans leave behind for the next one."""

    target: Target
    status: str = NO_DATA
    days: int = 0
    """Earlier days that the newest was compared with."""
    episodes: tuple[Episode, ...] = ()
    state: Mapping[str, Any] | None = None
    bounds: tuple[float, float] | None = None
    forgiven: set[str] = field(default_factory=set)
    """Episodes that are no news: the home itself was not watched."""

    @property
    def open(self) -> list[Episode]:
        """What goes on and was not said to be normal."""
        return [each for each in self.episodes if each.open and not each.normal and each.key not in self.forgiven]

    def mark_normal(self, key: str) -> Episode:
        """Take an episode as normal and return it.

        Raises:
            KeyError: there is no such episode.
        """
        episode = next((each for each in self.episodes if each.key == key), None)
        if episode is None:
            raise KeyError(key)
        state = dict(self.state or {})
        if any(each["start"] == episode.start for each in state.get("episodes", ())):
            state |= mark_normal(state, key)
        for method in METHODS:
            if method in state:
                known = state[method]
                state[method] = [{**each, "normal": each["normal"] or each["start"] == episode.start} for each in known]
        self.state = state
        self.episodes = tuple(replace(each, normal=each.normal or each.key == key) for each in self.episodes)
        return replace(episode, normal=True)

    def take_over(self, answer: Answer, alerts: list[tuple[str, Micros]], until: Micros) -> list[tuple[str, Micros]]:
        """Take what another method found in place of the scan's episodes; return what somebody should be told of.

        The ensemble raises the severity of the scan's own episodes and opens none. The other methods look at the past
        as a whole, so an episode that overlaps with one they found before is that one, however its start has moved.
        """
        if answer.method == ENSEMBLE:
            raised = {episode.key: episode.severity for episode in answer.episodes}
            self.episodes = tuple(
                replace(each, severity=max(each.severity, raised.get(each.key, each.severity), key=lambda s: s.rank))
                for each in self.episodes
            )
            return alerts
        before = [Episode.from_json(each) for each in (self.state or {}).get(answer.method, [])]
        now = [_same(episode, before) for episode in answer.episodes]
        known = {episode.key for episode in before}
        gone = [each for each in before if each.key not in {one.key for one in now}]
        kept = [replace(each, end=until) if each.end is None else each for each in gone if until - each.start < KEPT]
        self.episodes = tuple(sorted((*kept, *now), key=lambda each: each.start))
        self.state = {**(self.state or {}), answer.method: [each.as_json() for each in self.episodes]}
        return [(episode.key, episode.start) for episode in now if episode.key not in known]


def _same(episode: Episode, before: list[Episode]) -> Episode:
    """Return an episode under the name of the one that it goes on from, if there is one."""
    for known in before:
        if episode.start < (known.end or episode.start + 1) and known.start < (episode.end or known.start + 1):
            return replace(episode, start=known.start, normal=known.normal, alerts=known.alerts)
    return episode


@dataclass(frozen=True, slots=True)
class Found:
    """What one scan of one entity brought: episodes that somebody should be told of, and when that was."""

    watched: Watched
    alerts: tuple[tuple[Episode, Micros], ...]


async def async_read(
    worker: StoreWorker, target: Target, until: Micros, *, newest: bool = False
) -> tuple[History, list[TimeRange]]:
    """Return a target's history, and when the home was not watched in it.

    Raises:
        StoreError: the store cannot be read.
    """

    def read(reader: StoreReader) -> tuple[History, list[TimeRange]]:
        span = TimeRange(until - LOOKED_BACK * DAY, until)
        return read_history(reader, target, until, newest=newest), downtimes(reader.runs(span), span)

    return await worker.read(read)


async def async_scan(
    hass: HomeAssistant, worker: StoreWorker, watched: Watched, until: Micros, how: How, *, newest: bool = False
) -> Found:
    """Judge what is new about an entity up to `until`, off the event loop.

    Raises:
        StoreError: the store cannot be read.
    """
    target = watched.target
    history, away = await async_read(worker, target, until, newest=newest)
    judge = partial(_judge, history, target, how, until, worker.timezone, watched.state)
    result, second = await hass.async_add_executor_job(judge)
    watched.status, watched.days, watched.episodes = result.status, result.days, result.episodes
    others = {method: known for method, known in (watched.state or {}).items() if method in METHODS}
    # Of what there is nothing to learn from nothing is kept: it may have been erased.
    known = watched.state is not None or len(history.times) > 0
    watched.state, watched.bounds = {**others, **result.state} if known else None, bounds(history)
    alerts = list(result.alerts)
    if second is not None:
        alerts = watched.take_over(second, alerts, until)
    by_key = {episode.key: episode for episode in watched.episodes}
    watched.forgiven = {key for key, episode in by_key.items() if _is_downtime(episode, away, until)}
    return Found(
        watched,
        tuple(
            (by_key[key], moment)
            for key, moment in alerts
            if key in by_key and not by_key[key].normal and key not in watched.forgiven
        ),
    )


def _judge(
    history: History, target: Target, how: How, until: Micros, timezone: str, state: Mapping[str, Any] | None
) -> tuple[Scan, Answer | None]:
    """Scan, and let another method judge the last days too where one was chosen that can read the series."""
    common = {"sensitivity": how.sensitivity, "kind": target.kind, "timezone": timezone, "unit": target.unit}
    result = scan(history.times, history.values, until=until, state=state, **common)
    if how.method == STATISTICAL or target.kind != NUMERIC or result.status != WATCHING:
        return result, None
    since = until - SECOND_OPINION
    try:
        return result, detect(history.times, history.values, method=how.method, since=since, until=until, **common)
    except MethodUnavailableError:
        # The repair issue of the missing library says so; what is built in goes on.
        return result, None


def _is_downtime(episode: Episode, away: list[TimeRange], until: Micros) -> bool:
    """Tell whether an entity was missing because Home Assistant was."""
    if episode.kind is not AnomalyKind.UNAVAILABLE:
        return False
    span = TimeRange(episode.start, max(episode.start + 1, until if episode.end is None else episode.end))
    missing = sum(part.duration for gap in away if (part := gap.intersection(span)))
    return missing >= _MOSTLY * span.duration
