"""Measures the store from time to time."""

import asyncio
from datetime import datetime, timedelta
from typing import override

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import DOMAIN, LOGGER
from .runtime import StrataConfigEntry
from .store.base import Counters, Sizes, StoreError
from .store.worker import StoreWorker

INTERVAL = timedelta(minutes=15)
COUNTERS_INTERVAL = timedelta(minutes=1)
"""Measuring reads the file; counters are there for the asking."""


class StoreCoordinator(DataUpdateCoordinator[Sizes | None]):
    """What fills the store."""

    config_entry: StrataConfigEntry

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry, worker: StoreWorker) -> None:
        """Measure the store of `worker`."""
        super().__init__(hass, LOGGER, config_entry=entry, name="store", update_interval=INTERVAL)
        self._worker = worker
        self._measuring: asyncio.Future[Sizes] | None = None
        self._unsubscribe = async_track_time_interval(hass, self._counted, COUNTERS_INTERVAL)

    @callback
    def _counted(self, _now: datetime) -> None:
        self.async_update_listeners()

    @property
    def counters(self) -> Counters:
        """What happened to rows since the store was opened."""
        return self._worker.counters

    @override
    async def _async_update_data(self) -> Sizes | None:
        try:
            self._measuring = asyncio.ensure_future(self._worker.read(lambda reader: reader.sizes()))
            return await asyncio.shield(self._measuring)
        except StoreError as error:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="store_failed",
                translation_placeholders={"reason": str(error)},
            ) from error

    @override
    async def async_shutdown(self) -> None:
        """End, and wait for a measurement under way: nothing may read a store that is being closed."""
        self._unsubscribe()
        await super().async_shutdown()
        if self._measuring is not None:
            await asyncio.wait([self._measuring])
