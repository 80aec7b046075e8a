"""What all entities of Strata have in common."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, override

from homeassistant.const import EntityCategory
from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.update_coordinator import BaseCoordinatorEntity, CoordinatorEntity

from .const import DOMAIN, TITLE
from .coordinator import SourceCoordinator
from .ranking import RankedRole
from .runtime import StrataConfigEntry
from .sources import ROLES
from .sources.base import Metric, Snapshot
from .store_coordinator import StoreCoordinator

if TYPE_CHECKING:
    from .source_set import Speaker

ATTR_PROVIDER = "provider"


def hub_device_info(entry: StrataConfigEntry) -> DeviceInfo:
    """Return the device of the hub itself."""
    return DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        manufacturer=TITLE,
        entry_type=DeviceEntryType.SERVICE,
    )


def speaker_device_info(entry: StrataConfigEntry, speaker: Speaker, hub_device_id: str) -> DeviceInfo:
    """Return the device of a source, or that of a role as a whole."""
    if isinstance(speaker, RankedRole):
        return DeviceInfo(
            identifiers={ranked_identifier(entry.entry_id, speaker.role.key)},
            translation_key=speaker.role.key,
            manufacturer=TITLE,
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=hub_device_id,
        )
    return DeviceInfo(
        identifiers={(DOMAIN, speaker.subentry_id)},
        name=speaker.title,
        manufacturer=TITLE,
        entry_type=DeviceEntryType.SERVICE,
        via_device_id=hub_device_id,
    )


def ranked_identifier(entry_id: str, role: str) -> tuple[str, str]:
    """Return the device identifier of a role as a whole."""
    return (DOMAIN, f"{entry_id}_{role}")


def owner_id(entry_id: str, speaker: Speaker) -> str:
    """Return what the unique ids of a speaker's entities begin with."""
    return f"{entry_id}_{speaker.role.key}" if isinstance(speaker, RankedRole) else speaker.subentry_id


class StrataSourceEntity(BaseCoordinatorEntity[SourceCoordinator | RankedRole]):
    """An entity of a source, or of a role with several."""

    _attr_has_entity_name = True

    def __init__(self, entry: StrataConfigEntry, speaker: Speaker, key: str) -> None:
        """Name the entity after `key`, which is also its translation and icon key."""
        super().__init__(speaker)
        self._attr_unique_id = f"{owner_id(entry.entry_id, speaker)}_{key}"
        self._attr_translation_key = key
        self._attr_device_info = speaker_device_info(entry, speaker, entry.runtime_data.hub_device_id)
        self._refresh()

    @override
    async def async_update(self) -> None:
        """Fetch now, as the user asked for it."""
        if self.enabled and (source := self.coordinator.speaker) is not None:
            await source.async_request_refresh()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._refresh()
        self.async_write_ha_state()

    @callback
    @abstractmethod
    def _refresh(self) -> None:
        """Take over what the source says now."""


class StrataMetricEntity(StrataSourceEntity):
    """An entity that shows one metric of a role."""

    # One set for all: an attribute that is too long for the recorder is so wherever it appears.
    _unrecorded_attributes = frozenset[str]().union(*(metric.unrecorded for role in ROLES for metric in role.metrics))

    def __init__(self, entry: StrataConfigEntry, speaker: Speaker, metric: Metric) -> None:
        """Show `metric` of what `speaker` says."""
        self.metric = metric
        if metric.diagnostic:
            self._attr_entity_category = EntityCategory.DIAGNOSTIC
        self._attr_entity_registry_enabled_default = metric.enabled
        super().__init__(entry, speaker, metric.key)

    @callback
    @override
    def _refresh(self) -> None:
        snapshot = self.coordinator.snapshot()
        self._attr_available = snapshot is not None
        reading = self.coordinator.reading
        self._attr_attribution = reading.attribution if reading else None
        self._attr_extra_state_attributes = self._attributes(snapshot) if snapshot else {}
        self._show(snapshot)

    def _attributes(self, snapshot: Snapshot) -> dict[str, Any]:
        attributes: dict[str, Any] = dict(self.metric.attributes(snapshot)) if self.metric.attributes else {}
        if self.metric.key == self.coordinator.role.main:
            attributes |= snapshot.reading.notes
        if isinstance(self.coordinator, RankedRole):
            attributes[ATTR_PROVIDER] = snapshot.provider
        return attributes

    @callback
    @abstractmethod
    def _show(self, snapshot: Snapshot | None) -> None:
        """Take over the metric's value; None when there is no good reading."""


class StrataHubEntity(CoordinatorEntity[StoreCoordinator]):
    """A diagnostic entity of the hub."""

    _attr_has_entity_name = True
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, entry: StrataConfigEntry, key: str) -> None:
        """Name the entity after `key`, which is also its translation and icon key."""
        super().__init__(entry.runtime_data.store)
        self._attr_unique_id = f"{entry.entry_id}_{key}"
        self._attr_translation_key = key
        self._attr_device_info = hub_device_info(entry)
