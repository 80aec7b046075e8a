"""The running mirrors: follows the hub's subentries and touches only what changed."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import async_get_platforms

from .const import CONF_SERVER, DOMAIN, LOGGER, SUBENTRY_MIRROR
from .mirror_coordinator import MirrorCoordinator
from .mirror_issues import async_clear_mirror_held, async_report_unknown_mirror
from .runtime import StrataConfigEntry
from .store.base import StoreError
from .store.worker import StoreWorker

type AddMirror = Callable[[MirrorCoordinator], None]


class MirrorSet:
    """Runs a coordinator for each mirror subentry; `running` is by subentry id."""

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry, worker: StoreWorker) -> None:
        """Begin with no mirrors; `async_follow` starts them."""
        self._hass = hass
        self._entry = entry
        self._worker = worker
        self._platforms: list[AddMirror] = []
        self._lock = asyncio.Lock()
        self._stopped = False
        self.running: dict[str, MirrorCoordinator] = {}

    @callback
    def async_add_platform(self, add: AddMirror) -> None:
        """Let a platform add its entities for every mirror there is and every one to come."""
        self._platforms.append(add)
        for mirror in self.running.values():
            add(mirror)

    async def async_follow(self) -> None:
        """Start what is new, end what is gone, make anew what changed; the others run on."""
        async with self._lock:
            if self._stopped:
                return
            wanted = {each.subentry_id: each for each in self._entry.get_subentries_of_type(SUBENTRY_MIRROR)}
            for subentry_id in [*self.running]:
                await self._end_if_changed(subentry_id, wanted.get(subentry_id))
            for subentry_id, subentry in wanted.items():
                if subentry_id not in self.running:
                    await self._begin(subentry)

    def not_running(self) -> list[str]:
        """Return the titles of mirrors that are set up and could not be started."""
        return [
            each.title
            for each in self._entry.get_subentries_of_type(SUBENTRY_MIRROR)
            if each.subentry_id not in self.running
        ]

    @asynccontextmanager
    async def async_paused(self) -> AsyncGenerator[None]:
        """Have no mirror send anything meanwhile; what is written waits in the store."""
        async with AsyncExitStack() as paused:
            for mirror in [*self.running.values()]:
                await paused.enter_async_context(mirror.async_paused())
            yield

    async def async_stop(self) -> None:
        """End all mirrors; their places are kept."""
        async with self._lock:
            self._stopped = True
            for mirror in self.running.values():
                await mirror.async_stop()
            self.running.clear()

    async def _begin(self, subentry: ConfigSubentry) -> None:
        try:
            mirror = MirrorCoordinator(self._hass, self._entry, subentry, self._worker)
            await mirror.async_start()
        except KeyError:
            LOGGER.error("The mirror %s needs a kind of server that this version does not know", subentry.title)
            async_report_unknown_mirror(self._hass, subentry, str(subentry.data[CONF_SERVER]))
            return
        except StoreError as error:
            LOGGER.error("The mirror %s could not be started: %s", subentry.title, error)
            return
        self.running[subentry.subentry_id] = mirror
        for add in self._platforms:
            add(mirror)

    async def _end_if_changed(self, subentry_id: str, subentry: ConfigSubentry | None) -> None:
        mirror = self.running[subentry_id]
        if subentry is None:
            # Its entities and device leave with the subentry: Home Assistant clears its registries.
            del self.running[subentry_id]
            await mirror.async_stop(forget=True)
        elif mirror.configuration != (subentry.title, dict(subentry.data)):
            del self.running[subentry_id]
            await self._remove_entities(mirror)
            await mirror.async_stop()
            async_clear_mirror_held(self._hass, subentry_id)

    async def _remove_entities(self, mirror: MirrorCoordinator) -> None:
        """Remove a mirror's entities; their places in the registry stay for those that follow."""
        for platform in async_get_platforms(self._hass, DOMAIN):
            for entity in [*platform.entities.values()]:
                if getattr(entity, "coordinator", None) is mirror:
                    await entity.async_remove()
