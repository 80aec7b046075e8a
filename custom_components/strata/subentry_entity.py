"""What the entities of mirrors, archives and windows share: each subentry has a device of its own."""

from typing import ClassVar

from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .archive_coordinator import ArchiveCoordinator
from .const import DOMAIN, TITLE
from .mirror_coordinator import MirrorCoordinator
from .runtime import StrataConfigEntry
from .window_coordinator import WindowCoordinator


class SubentryEntity[C: ArchiveCoordinator | MirrorCoordinator | WindowCoordinator](CoordinatorEntity[C]):
    """An entity of a subentry that a coordinator runs."""

    _attr_has_entity_name = True
    _model: ClassVar[str | None] = None
    """What an action's device picker filters by."""

    def __init__(self, entry: StrataConfigEntry, coordinator: C, key: str) -> None:
        """Name the entity after `key`, which is also its translation and icon key."""
        super().__init__(coordinator)
        self._attr_unique_id = f"{coordinator.subentry_id}_{key}"
        self._attr_translation_key = key
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, coordinator.subentry_id)},
            name=coordinator.title,
            manufacturer=TITLE,
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=entry.runtime_data.hub_device_id,
        )
        if self._model is not None:
            self._attr_device_info["model"] = self._model
