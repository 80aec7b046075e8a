"""What each archive target shows: whether it works, what it holds, and when it last took something."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfInformation
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.typing import StateType
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .archive_coordinator import ArchiveCoordinator
from .const import DOMAIN, TITLE
from .core.model import from_micros
from .runtime import StrataConfigEntry

ATTR_FAILURE = "failure"
ATTR_DAMAGED = "damaged"


@dataclass(frozen=True, kw_only=True)
class ArchiveSensorDescription(SensorEntityDescription):
    """A sensor about an archive target."""

    value_fn: Callable[[ArchiveCoordinator], StateType | datetime]


def _last(archive: ArchiveCoordinator) -> datetime | None:
    moment = archive.data.last_verified
    return None if moment is None else from_micros(moment)


ARCHIVE_SENSORS = (
    ArchiveSensorDescription(key="archive_last_success", device_class=SensorDeviceClass.TIMESTAMP, value_fn=_last),
    ArchiveSensorDescription(
        key="archive_months",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda archive: archive.data.months,
    ),
    ArchiveSensorDescription(
        key="archive_size",
        device_class=SensorDeviceClass.DATA_SIZE,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
        suggested_display_precision=2,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda archive: archive.data.bytes,
    ),
    ArchiveSensorDescription(
        key="archive_raw_days",
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value_fn=lambda archive: archive.data.raw_days,
    ),
)


class ArchiveEntity(CoordinatorEntity[ArchiveCoordinator]):
    """A diagnostic entity of an archive target; available whatever the target does."""

    _attr_has_entity_name = True
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, entry: StrataConfigEntry, archive: ArchiveCoordinator, key: str) -> None:
        """Name the entity after `key`, which is also its translation and icon key."""
        super().__init__(archive)
        self._attr_unique_id = f"{archive.subentry_id}_{key}"
        self._attr_translation_key = key
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, archive.subentry_id)},
            name=archive.title,
            manufacturer=TITLE,
            # What the action's device picker filters by.
            model="Archive",
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=entry.runtime_data.hub_device_id,
        )


class ArchiveSensor(ArchiveEntity, SensorEntity):
    """One figure of an archive target."""

    entity_description: ArchiveSensorDescription

    def __init__(
        self, entry: StrataConfigEntry, archive: ArchiveCoordinator, description: ArchiveSensorDescription
    ) -> None:
        """Take what is shown from `description`."""
        self.entity_description = description
        super().__init__(entry, archive, description.key)

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """The figure."""
        return self.entity_description.value_fn(self.coordinator)


class ArchiveFailingSensor(ArchiveEntity, BinarySensorEntity):
    """Whether something is wrong with the target."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM

    def __init__(self, entry: StrataConfigEntry, archive: ArchiveCoordinator) -> None:
        """Watch `archive`."""
        super().__init__(entry, archive, "archive_failing")

    @property
    @override
    def is_on(self) -> bool:
        """Whether the last run failed here, or a file turned out damaged."""
        return self.coordinator.failure is not None or bool(self.coordinator.data.damaged)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """What is wrong."""
        return {ATTR_FAILURE: self.coordinator.failure, ATTR_DAMAGED: list(self.coordinator.data.damaged)}
