"""Events: what is unusual about the home, and what happens to the sources, as their roles declare it."""

from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .anomalies.event_entity import AnomalyEvent
from .coordinator import SourceCoordinator
from .entity import StrataSourceEntity
from .ranking import RankedRole
from .runtime import StrataConfigEntry
from .source_set import Speaker
from .sources.base import Occurrence, SourceEvent

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: StrataConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the event of the hub, and those of every source there is and is to come."""
    async_add_entities([AnomalyEvent(entry)])

    @callback
    def add(speaker: Speaker) -> None:
        # A role as a whole may change its speaker, and two sources that differ are no event.
        if not isinstance(speaker, RankedRole):
            events = [SourceEventEntity(entry, speaker, event) for event in speaker.role.events]
            async_add_entities(events, config_subentry_id=speaker.subentry_id)

    entry.runtime_data.source_set.async_add_platform(add)


class SourceEventEntity(StrataSourceEntity, EventEntity):
    """One kind of event of a source."""

    coordinator: SourceCoordinator

    def __init__(self, entry: StrataConfigEntry, source: SourceCoordinator, event: SourceEvent) -> None:
        """Take the types from `event`."""
        self._event = event
        self._attr_event_types = list(event.types)
        super().__init__(entry, source, event.key)

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for occurrences."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.occurrences.async_listen(self._event.key, self._occurred))

    @callback
    def _occurred(self, occurrence: Occurrence) -> None:
        self._trigger_event(occurrence.type, dict(occurrence.attributes))
        self.async_write_ha_state()

    @callback
    @override
    def _refresh(self) -> None:
        """Nothing follows from a reading alone."""
