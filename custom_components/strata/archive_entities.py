"""What each archive target shows: whether it works, what it holds, and when it last took something."""

from typing import Any, override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import UnitOfInformation

from .archive_coordinator import ArchiveCoordinator
from .destination_entities import DestinationEntity, DestinationSensor, DestinationSensorDescription, instant
from .runtime import StrataConfigEntry

ATTR_FAILURE = "failure"
ATTR_DAMAGED = "damaged"


_Description = DestinationSensorDescription[ArchiveCoordinator]

ARCHIVE_SENSORS = (
    _Description(
        key="archive_last_success",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda archive: instant(archive.data.last_verified),
    ),
    _Description(
        key="archive_months",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda archive: archive.data.months,
    ),
    _Description(
        key="archive_size",
        device_class=SensorDeviceClass.DATA_SIZE,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
        suggested_display_precision=2,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda archive: archive.data.bytes,
    ),
    _Description(
        key="archive_raw_days",
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value_fn=lambda archive: archive.data.raw_days,
    ),
)


class ArchiveEntity(DestinationEntity[ArchiveCoordinator]):
    """A diagnostic entity of an archive target."""

    _model = "Archive"


class ArchiveSensor(ArchiveEntity, DestinationSensor[ArchiveCoordinator]):
    """One figure of an archive target."""


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
