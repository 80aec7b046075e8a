"""The running sources: follows the hub's subentries and touches only what changed."""

import asyncio
from collections.abc import Callable, Iterable

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.util.signal_type import SignalType

from .const import CONF_PROVIDER, CONF_ROLE, DOMAIN, LOGGER, SUBENTRY_SOURCE
from .coordinator import SourceCoordinator
from .entity import StrataSourceEntity, owner_id, ranked_identifier
from .issues import async_clear_source_issues, async_report_unknown_source
from .ranking import RankedRole
from .runtime import StrataConfigEntry
from .sources import role as role_of
from .sources.base import Metric
from .store.worker import StoreWorker

type Speaker = SourceCoordinator | RankedRole
"""What entities are made for: one source, or a role with several."""

type AddSpeaker = Callable[[Speaker], None]

SOURCES_CHANGED: SignalType[()] = SignalType(f"{DOMAIN}_sources_changed")
"""Sent when a source may say something else, was added, or has left."""


class SourceSet:
    """Runs a coordinator for each source subentry, and a ranked role where a role has several.

    `running` is by subentry id, `ranked` by role. A role that has once had several sources keeps
    its entities while it has one, so that a provider can be exchanged under the automations.
    """

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry, worker: StoreWorker) -> None:
        """Begin with no sources; `async_follow` starts them."""
        self._hass = hass
        self._entry = entry
        self._worker = worker
        self._platforms: list[AddSpeaker] = []
        self._lock = asyncio.Lock()
        self._unknown: set[str] = set()
        self._stopped = False
        self.running: dict[str, SourceCoordinator] = {}
        self.ranked: dict[str, RankedRole] = {}
        # Who asks while the hub is being set up is not answered; it hears when that is done.
        entry.async_on_unload(entry.async_on_state_change(self._changed))

    @callback
    def async_add_platform(self, add: AddSpeaker) -> None:
        """Let a platform add its entities for every speaker there is and every one to come."""
        self._platforms.append(add)
        for speaker in self.speakers():
            add(speaker)

    def speakers(self) -> list[Speaker]:
        """Return the sources and the ranked roles."""
        return [*self.running.values(), *self.ranked.values()]

    def of_role(self, role: str) -> list[SourceCoordinator]:
        """Return the running sources of a role, the first to speak first."""
        sources = [source for source in self.running.values() if source.role.key == role]
        return sorted(sources, key=lambda source: (source.rank, source.title))

    async def async_follow(self) -> None:
        """Start what is new, end what is gone, make anew what changed; the others run on."""
        async with self._lock:
            if self._stopped:
                # A change that waited here while the hub was unloaded.
                return
            wanted = {subentry.subentry_id: subentry for subentry in self._subentries()}
            for subentry_id in self._unknown - {*wanted}:
                self._unknown.discard(subentry_id)
                async_clear_source_issues(self._hass, subentry_id)
            for subentry_id in [*self.running]:
                await self._end_if_changed(subentry_id, wanted.get(subentry_id))
            started = [
                source
                for subentry_id, subentry in wanted.items()
                if subentry_id not in self.running and (source := self._make(subentry)) is not None
            ]
            for source in started:
                await source.async_start()
                self.running[source.subentry_id] = source
                source.async_add_listener(self._changed)
                self._forget_entities(source)
            self._announce(started)
            await self._rank()
            self._changed()

    async def async_stop(self) -> None:
        """End all sources; what they keep is saved."""
        async with self._lock:
            if self._stopped:
                return
            self._stopped = True
            for role in self.ranked.values():
                role.async_stop()
            for source in self.running.values():
                await source.async_stop()

    @callback
    def _changed(self) -> None:
        async_dispatcher_send(self._hass, SOURCES_CHANGED)

    def _subentries(self) -> list[ConfigSubentry]:
        return self._entry.get_subentries_of_type(SUBENTRY_SOURCE)

    def _make(self, subentry: ConfigSubentry) -> SourceCoordinator | None:
        """Return the source of a subentry; None, and an issue, when this version does not know it."""
        wanted = f"{subentry.data[CONF_ROLE]}.{subentry.data[CONF_PROVIDER]}"
        try:
            role = role_of(subentry.data[CONF_ROLE])
            source = SourceCoordinator(self._hass, self._entry, subentry, role, self._worker)
        except KeyError:
            if subentry.subentry_id not in self._unknown:
                self._unknown.add(subentry.subentry_id)
                LOGGER.error("The source %s needs %s, which this version does not have", subentry.title, wanted)
                async_report_unknown_source(self._hass, subentry, wanted)
            return None
        if subentry.subentry_id in self._unknown:
            self._unknown.discard(subentry.subentry_id)
            async_clear_source_issues(self._hass, subentry.subentry_id)
        return source

    async def _end_if_changed(self, subentry_id: str, subentry: ConfigSubentry | None) -> None:
        source = self.running[subentry_id]
        if subentry is None:
            # Its entities and devices leave with the subentry: Home Assistant clears its registries.
            del self.running[subentry_id]
            await source.async_stop(forget=True, removed=True)
        elif source.configuration != (subentry.title, dict(subentry.data)):
            del self.running[subentry_id]
            await self._remove_entities(source)
            await source.async_stop(forget=not source.reads_the_same_as(subentry))

    @callback
    def _announce(self, speakers: Iterable[Speaker]) -> None:
        for speaker in speakers:
            for add in self._platforms:
                add(speaker)

    async def _remove_entities(self, speaker: Speaker) -> None:
        """Remove a speaker's entities; their places in the registry stay for those that follow."""
        for platform in async_get_platforms(self._hass, DOMAIN):
            for entity in [*platform.entities.values()]:
                if isinstance(entity, StrataSourceEntity) and entity.coordinator is speaker:
                    await entity.async_remove()

    @callback
    def _forget_entities(self, speaker: Speaker) -> None:
        """Take entities out of the registry that the parameters in force never give a value."""
        registry = er.async_get(self._hass)
        shown = shown_metrics(speaker)
        for metric in speaker.role.metrics:
            platform = Platform.BINARY_SENSOR if metric.binary else Platform.SENSOR
            unique_id = f"{owner_id(self._entry.entry_id, speaker)}_{metric.key}"
            entity_id = registry.async_get_entity_id(platform, DOMAIN, unique_id)
            if metric not in shown and entity_id is not None:
                registry.async_remove(entity_id)

    async def _rank(self) -> None:
        for key in {*self.ranked, *(source.role.key for source in self.running.values())}:
            sources = self.of_role(key)
            if key in self.ranked and sources:
                await self._follow_ranked(self.ranked[key], sources)
            elif key in self.ranked:
                self.ranked.pop(key).async_stop()
                self._remove_device(key)
            elif len(sources) > 1 or self._device(key) is not None:
                self.ranked[key] = RankedRole(role_of(key), sources)
                self._announce([self.ranked[key]])

    async def _follow_ranked(self, role: RankedRole, sources: list[SourceCoordinator]) -> None:
        """Let a role follow other sources, with the entities that these can fill."""
        shown = shown_metrics(role)
        role.async_follow(sources)
        if shown_metrics(role) != shown:
            await self._remove_entities(role)
            self._forget_entities(role)
            self._announce([role])

    def _device(self, role: str) -> dr.DeviceEntry | None:
        return dr.async_get(self._hass).async_get_device_by_identifier(
            ranked_identifier(self._entry.entry_id, role), self._entry.entry_id
        )

    @callback
    def _remove_device(self, role: str) -> None:
        if (device := self._device(role)) is not None:
            dr.async_get(self._hass).async_remove_device(device.id)


def shown_metrics(speaker: Speaker) -> list[Metric]:
    """Return the metrics that have a value with the parameters of the source (of any, for a role)."""
    sources = speaker.sources if isinstance(speaker, RankedRole) else (speaker,)
    lacking = frozenset[str].intersection(*(source.lacks() for source in sources))
    return [metric for metric in speaker.role.metrics if metric.key not in lacking]
