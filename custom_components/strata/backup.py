"""Backups of Home Assistant: the store is whole in each of them."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .const import DOMAIN, LOGGER
from .store.base import StoreError
from .store.hold import Hold


def _hold(hass: HomeAssistant) -> Hold | None:
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.state is ConfigEntryState.LOADED:
            hold: Hold = entry.runtime_data.hold
            return hold
    return None


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Store what waits, and hold what comes until the copy is done.

    A store that cannot be written, for instance because the disk is full, is copied as it is.
    """
    if (hold := _hold(hass)) is not None:
        try:
            await hold.begin()
        except StoreError as error:
            LOGGER.warning("The store is backed up as it is on the disk: %s", error)


async def async_post_backup(hass: HomeAssistant) -> None:
    """Go on writing."""
    if (hold := _hold(hass)) is not None:
        await hold.end()
