"""Keeps views up to date: every four hours, after each step of the ladder, and when much has changed at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from homeassistant.core import HomeAssistant

from .core.model import Micros, SeriesKey
from .home import HomeAssistantAccess
from .sources.base import Json
from .store.base import StoreError
from .store.sqlite import SqliteStore
from .store.tiers import DAY, HOUR
from .store.views.day import CARBON, PRICES, Inputs
from .store.views.query import MaterializedViews
from .store.views.refresh import RefreshReport
from .store.worker import StoreWorker

if TYPE_CHECKING:
    from .source_set import SourceSet

EVERY = 4 * HOUR
CHECK_SECONDS = 600.0
DAYS_AT_ONCE = 4
"""Days that are worked out before others may write."""

type AskInputs = Callable[[], Awaitable[Inputs | None]]


class ViewRefresh:
    """Has views worked out when they are due, on the store's writing thread."""

    def __init__(self, worker: StoreWorker, now: Callable[[], Micros], inputs: AskInputs) -> None:
        """Work on a store; `inputs` says what the home says about its energy, None while it is not known."""
        self._worker = worker
        self._now = now
        self._inputs = inputs
        self._asked = asyncio.Event()

    def soon(self) -> None:
        """Have views worked out now, in the background: after a step of the ladder, an import, an erasure."""
        self._asked.set()

    async def run(self) -> None:
        """Work views out when that is asked for; look every ten minutes whether they are due. Until cancelled."""
        while True:
            asked = await self._is_asked()
            if not (asked or await self.is_due()):
                continue
            try:
                await self.refresh()
            except StoreError:
                if asked:
                    self._asked.set()  # Whoever begins again does what was asked for.
                raise

    async def _is_asked(self) -> bool:
        """Wait until somebody asks, but no longer than until the next look; tell whether somebody did."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def is_due(self) -> bool:
        """Tell whether four hours have passed, or a step of the ladder was done, since views were complete."""
        refreshed = await self._worker.read(lambda reader: MaterializedViews(reader).refreshed())
        steps = await self._worker.write(lambda store: store.last_steps(self._now() + DAY))
        if refreshed is None or any(done > refreshed for done in steps.values()):
            return True
        # What lies in the future was said by a clock that was ahead.
        return not -EVERY < self._now() - refreshed < EVERY

    async def refresh(self) -> int:
        """Work out every day that has changed; return how many those were.

        Raises:
            StoreError: the store is closed or cannot be written.
        """
        inputs = await self._inputs()
        days = 0
        while True:
            report = await self._worker.write(lambda store: self._some(store, inputs))
            days += report.days
            if not report.waiting:
                return days

    def _some(self, store: SqliteStore, inputs: Inputs | None) -> RefreshReport:
        return store.refresh_views(self._now(), inputs=inputs, most_days=DAYS_AT_ONCE)


async def async_inputs(hass: HomeAssistant, source_set: SourceSet) -> Inputs | None:
    """Return what sources and the Energy dashboard say; None while some of it is not known yet.

    Every change has all views worked out again, so nothing is said before everything is there.
    """
    if not hass.is_running:
        return None
    prices, carbon = _series(source_set, PRICES), _series(source_set, CARBON)
    if prices is None or carbon is None:
        return None
    grid, apart = _meters(await HomeAssistantAccess(hass).energy_preferences())
    return Inputs(prices, carbon, frozenset(grid), frozenset(apart))


def _series(source_set: SourceSet, field: tuple[str, str]) -> tuple[SeriesKey, ...] | None:
    """Return the series of a role's sources by rank; None while one of them has said nothing yet."""
    readings = [source.reading for source in source_set.of_role(field[0])]
    if None in readings:
        return None
    return tuple(dict.fromkeys(SeriesKey.of_tags(field[0], reading.tags, field[1]) for reading in readings if reading))


def _meters(preferences: Mapping[str, Json]) -> tuple[list[str], list[str]]:
    """Return the meters of what comes from the grid, and of what is not used up."""
    grid: list[str] = []
    apart: list[str] = []
    for source in _mappings(preferences.get("energy_sources")):
        for flow in (source, *_mappings(source.get("flow_from")), *_mappings(source.get("flow_to"))):
            drawn, given = flow.get("stat_energy_from"), flow.get("stat_energy_to")
            if isinstance(drawn, str):
                (grid if source.get("type") == "grid" else apart).append(drawn)
            if isinstance(given, str):
                apart.append(given)
    return grid, apart


def _mappings(found: Json) -> Iterator[Mapping[str, Json]]:
    if isinstance(found, list):
        yield from (cast("Mapping[str, Json]", entry) for entry in found if isinstance(entry, dict))
