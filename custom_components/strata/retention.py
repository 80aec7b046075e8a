"""The ladder's schedule: once a night each tier is proven, handed down and shortened.

A step is due when its last success is older than its latest due moment, so a night without power
or a clock that skips 02:00 delays it and never loses it.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
import logging

from .core.clock import floor_day
from .core.model import MICROS_PER_SECOND, Micros
from .store.base import DownsampleReport, StoreError
from .store.sqlite import SqliteStore
from .store.tiers import FIVE_MINUTE, HOUR, HOURLY, RAW
from .store.worker import StoreWorker

_LOGGER = logging.getLogger(__name__)

STEPS = (RAW, FIVE_MINUTE, HOURLY)
"""Tiers in the order in which they are handed down."""
DUE_AFTER_MIDNIGHT = 2 * HOUR
CHECK_SECONDS = 600.0
DETAILS_KEPT = timedelta(days=30)
FORECASTS_KEPT = timedelta(days=365)


def latest_due(timezone: str, now: Micros) -> Micros:
    """Return the newest moment, two hours after a local midnight, that is not in the future."""
    midnight = floor_day(timezone, now)
    if midnight + DUE_AFTER_MIDNIGHT > now:
        midnight = floor_day(timezone, midnight - 1)
    return midnight + DUE_AFTER_MIDNIGHT


def is_due(timezone: str, now: Micros, last_success: Micros | None) -> bool:
    """Tell whether a step that last succeeded then has to run now."""
    return last_success is None or last_success < latest_due(timezone, now)


class Retention:
    """Runs the ladder when it is due, one step at a time, on the store's writing thread."""

    def __init__(
        self,
        worker: StoreWorker,
        now: Callable[[], Micros],
        report: Callable[[DownsampleReport], None] = lambda report: None,
    ) -> None:
        """Work on a store; `report` hears of each step, on the event loop."""
        self._worker = worker
        self._now = now
        self._report = report

    async def run(self) -> None:
        """Look every ten minutes whether a step is due, until cancelled."""
        while True:
            await self.catch_up()
            await asyncio.sleep(CHECK_SECONDS)

    async def catch_up(self) -> list[DownsampleReport]:
        """Run the steps that are due; one that fails is tried again at the next look."""
        done = await self._worker.write(SqliteStore.last_steps)
        reports = []
        for tier in STEPS:
            if not is_due(self._worker.timezone, self._now(), done.get(tier)):
                continue
            try:
                reports.append(await self._step(tier))
            except StoreError as error:
                _LOGGER.warning("Handing down the %s tier failed and is tried again: %s", tier, error)
                break
        return reports

    async def _step(self, tier: str) -> DownsampleReport:
        now = self._now()
        report = await self._worker.write(lambda store: store.downsample(tier, now))
        if tier == RAW:
            await self._worker.write(lambda store: _prune(store, now))
        for problem in report.problems:
            _LOGGER.warning("Kept beyond its time, because its roll-up could not be proven: %s", problem)
        self._report(report)
        return report


def _prune(store: SqliteStore, now: Micros) -> None:
    store.prune_details(now - int(DETAILS_KEPT.total_seconds()) * MICROS_PER_SECOND)
    store.prune_forecasts(now - int(FORECASTS_KEPT.total_seconds()) * MICROS_PER_SECOND)
