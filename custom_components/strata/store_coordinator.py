"""Measures the store from time to time."""

from datetime import timedelta
from typing import override

from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import DOMAIN, LOGGER
from .runtime import StrataConfigEntry
from .store.base import Counters, Sizes, StoreError
from .store.worker import StoreWorker

INTERVAL = timedelta(minutes=15)


class StoreCoordinator(DataUpdateCoordinator[Sizes | None]):
    """What fills the store."""

    config_entry: StrataConfigEntry

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry, worker: StoreWorker) -> None:
        """Measure the store of `worker`."""
        super().__init__(hass, LOGGER, config_entry=entry, name="store", update_interval=INTERVAL)
        self._worker = worker

    @property
    def counters(self) -> Counters:
        """What happened to rows since the store was opened."""
        return self._worker.counters

    @override
    async def _async_update_data(self) -> Sizes | None:
        try:
            return await self._worker.read(lambda reader: reader.sizes())
        except StoreError as error:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="store_failed",
                translation_placeholders={"reason": str(error)},
            ) from error
