"""What providers keep for themselves from fetch to fetch: tokens that rotate, places that were looked up."""

from collections.abc import MutableMapping
import copy
import hashlib
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, LOGGER
from .sources.base import Json, Provider

VERSION = 1


def _file(hass: HomeAssistant, subentry_id: str) -> Store[dict[str, Any]]:
    return Store(hass, VERSION, f"{DOMAIN}.memory.{subentry_id}", private=True)


async def async_remove_memory(hass: HomeAssistant, subentry_id: str) -> None:
    """Delete what a source's provider kept."""
    await _file(hass, subentry_id).async_remove()


class Memory:
    """One provider's memory; `values` is what the provider sees.

    It belongs to the provider's parameters it was made with, secrets included: with others it begins empty.
    """

    def __init__(self, provider: Provider, values: MutableMapping[str, Json] | None = None) -> None:
        """Begin with `values`, or empty."""
        self.fingerprint = _fingerprint(provider)
        self.values: MutableMapping[str, Json] = {} if values is None else values
        self._saved: MutableMapping[str, Json] = {}

    async def async_load(self, hass: HomeAssistant, subentry_id: str) -> None:
        """Take up what was kept for these parameters: by the form that has just saved them, else in the file."""
        handed_over = hass.data.setdefault(_HANDED_OVER, {}).pop(self.fingerprint, None)
        if handed_over is not None:
            self.values.update(handed_over)
            await self.async_save(hass, subentry_id)
            return
        try:
            kept = await _file(hass, subentry_id).async_load()
            if kept is not None and kept["fingerprint"] != self.fingerprint:
                await async_remove_memory(hass, subentry_id)
            elif kept is not None:
                self.values.update(kept["values"])
                self._saved = copy.deepcopy(self.values)
        except HomeAssistantError, NotImplementedError, AttributeError, KeyError, TypeError, ValueError:
            # Of another version or not readable: the provider looks things up anew.
            LOGGER.debug("What a source kept could not be read", exc_info=True)

    async def async_save(self, hass: HomeAssistant, subentry_id: str) -> None:
        """Write what has changed, at once: a token that has been exchanged must not be lost."""
        if self.values == self._saved:
            return
        self._saved = copy.deepcopy(self.values)
        await _file(hass, subentry_id).async_save({"fingerprint": self.fingerprint, "values": dict(self._saved)})

    def hand_over(self, hass: HomeAssistant) -> None:
        """Let the source that is now made of the form's parameters take up what its test fetch left."""
        hass.data.setdefault(_HANDED_OVER, {})[self.fingerprint] = self.values


_HANDED_OVER: HassKey[dict[str, MutableMapping[str, Json]]] = HassKey(f"{DOMAIN}.memories")


def _fingerprint(provider: Provider) -> str:
    own = {param.key: provider.options.get(param.key) for param in provider.params}
    text = json.dumps([type(provider).__module__, provider.key, own], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
