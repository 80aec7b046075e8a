"""What the entities of mirrors and of archives share: both are places history goes to, each with its own device."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.typing import StateType
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .archive_coordinator import ArchiveCoordinator
from .const import DOMAIN, TITLE
from .core.model import Micros, from_micros
from .mirror_coordinator import MirrorCoordinator
from .runtime import StrataConfigEntry


@dataclass(frozen=True, kw_only=True)
class DestinationSensorDescription[C: ArchiveCoordinator | MirrorCoordinator](SensorEntityDescription):
    """A sensor about a destination."""

    value_fn: Callable[[C], StateType | datetime]
    attributes_fn: Callable[[C], dict[str, Any]] = lambda destination: {}


def instant(micros: Micros | None) -> datetime | None:
    """Return a stored instant as a timestamp sensor wants it; None stays None."""
    return None if micros is None else from_micros(micros)


class DestinationEntity[C: ArchiveCoordinator | MirrorCoordinator](CoordinatorEntity[C]):
    """A diagnostic entity of a destination; available whatever the other side does."""

    _attr_has_entity_name = True
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _model: ClassVar[str]
    """What the action's device picker filters by."""

    def __init__(self, entry: StrataConfigEntry, destination: C, key: str) -> None:
        """Name the entity after `key`, which is also its translation and icon key."""
        super().__init__(destination)
        self._attr_unique_id = f"{destination.subentry_id}_{key}"
        self._attr_translation_key = key
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, destination.subentry_id)},
            name=destination.title,
            manufacturer=TITLE,
            model=self._model,
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=entry.runtime_data.hub_device_id,
        )


class DestinationSensor[C: ArchiveCoordinator | MirrorCoordinator](DestinationEntity[C], SensorEntity):
    """One figure of a destination."""

    entity_description: DestinationSensorDescription[C]

    def __init__(self, entry: StrataConfigEntry, destination: C, description: DestinationSensorDescription[C]) -> None:
        """Take what is shown from `description`."""
        self.entity_description = description
        super().__init__(entry, destination, description.key)

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """The figure."""
        return self.entity_description.value_fn(self.coordinator)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """What explains the figure."""
        return self.entity_description.attributes_fn(self.coordinator)
