"""One watched entity: what is known of it, and one scan of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from homeassistant.core import HomeAssistant

from ..analysis.anomaly import Scan, scan
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
    hass: HomeAssistant, worker: StoreWorker, watched: Watched, until: Micros, sensitivity: str, *, newest: bool = False
) -> Found:
    """Judge what is new about an entity up to `until`, off the event loop.

    Raises:
        StoreError: the store cannot be read.
    """
    target = watched.target
    history, away = await async_read(worker, target, until, newest=newest)
    result: Scan = await hass.async_add_executor_job(
        partial(
            scan,
            history.times,
            history.values,
            sensitivity=sensitivity,
            kind=target.kind,
            timezone=worker.timezone,
            unit=target.unit,
            until=until,
            state=watched.state,
        )
    )
    watched.status, watched.days, watched.episodes = result.status, result.days, result.episodes
    watched.state, watched.bounds = result.state, bounds(history)
    by_key = {episode.key: episode for episode in result.episodes}
    watched.forgiven = {key for key, episode in by_key.items() if _is_downtime(episode, away, until)}
    alerts = tuple(
        (by_key[key], moment)
        for key, moment in result.alerts
        if key in by_key and not by_key[key].normal and key not in watched.forgiven
    )
    return Found(watched, alerts)


def _is_downtime(episode: Episode, away: list[TimeRange], until: Micros) -> bool:
    """Tell whether an entity was missing because Home Assistant was."""
    if episode.kind is not AnomalyKind.UNAVAILABLE:
        return False
    span = TimeRange(episode.start, max(episode.start + 1, until if episode.end is None else episode.end))
    missing = sum(part.duration for gap in away if (part := gap.intersection(span)))
    return missing >= _MOSTLY * span.duration
