"""What is shown of the ladder: what it does, when it last did it, and what it saves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfInformation, UnitOfRatio
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .const import DOMAIN, SUBENTRY_ARCHIVE
from .core.model import from_micros
from .entity import StrataHubEntity
from .import_entities import STATES as IMPORT_STATES, import_attributes, import_state
from .keeping import CONF_PRICE, retention_of
from .retention import ARCHIVE
from .runtime import StrataConfigEntry
from .store.base import Sizes
from .store.downsample import OPERATIONS
from .store.tiers import HOURLY, RAW

IDLE = "idle"
GIGABYTE = 1e9


@dataclass(frozen=True, kw_only=True)
class RetentionSensorDescription(SensorEntityDescription):
    """A figure about retention."""

    value_fn: Callable[[StrataConfigEntry, Sizes], StateType | datetime]
    attributes_fn: Callable[[StrataConfigEntry], Mapping[str, Any]] = lambda entry: {}
    wanted_fn: Callable[[StrataConfigEntry], bool] = lambda entry: True


def annual_savings(entry: StrataConfigEntry, sizes: Sizes) -> float | None:
    """Return what storing the deleted bytes would cost in a year; None where the user has named no price."""
    price: float | None = retention_of(entry.options).get(CONF_PRICE)
    return None if price is None else price * sizes.freed_bytes / GIGABYTE


def last(operation: str) -> Callable[[StrataConfigEntry, Sizes], datetime | None]:
    """Return what tells when an operation last ended well."""
    return lambda entry, sizes: from_micros(sizes.last[operation]) if operation in sizes.last else None


def _step(entry: StrataConfigEntry, sizes: Sizes) -> str:
    progress = entry.runtime_data.retention.progress
    if progress is None or (not progress.total and progress.step != ARCHIVE):
        # A step that has nothing to do is over at once, and not worth a state.
        return IDLE
    return progress.step


def _progress(entry: StrataConfigEntry) -> dict[str, Any]:
    retention = entry.runtime_data.retention
    progress = retention.progress
    told: dict[str, Any] = {"failures": dict(retention.failures)}
    if progress is not None:
        told |= {"done": progress.done, "total": progress.total, "percent": round(progress.percent, 1)}
    return told


RETENTION_SENSORS = (
    RetentionSensorDescription(
        key="ladder",
        device_class=SensorDeviceClass.ENUM,
        options=[IDLE, *OPERATIONS.values(), ARCHIVE],
        value_fn=_step,
        attributes_fn=_progress,
    ),
    RetentionSensorDescription(
        key="history_import",
        device_class=SensorDeviceClass.ENUM,
        options=IMPORT_STATES,
        value_fn=lambda entry, sizes: import_state(entry),
        attributes_fn=import_attributes,
    ),
    RetentionSensorDescription(
        key="storage_saved",
        device_class=SensorDeviceClass.DATA_SIZE,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
        suggested_display_precision=1,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda entry, sizes: sizes.freed_bytes,
    ),
    RetentionSensorDescription(
        key="storage_reduction",
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        value_fn=lambda entry, sizes: 100 * sizes.reduction,
    ),
    RetentionSensorDescription(
        key="annual_savings",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        value_fn=annual_savings,
        wanted_fn=lambda entry: CONF_PRICE in retention_of(entry.options),
    ),
    RetentionSensorDescription(
        key="last_downsample_hourly",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=last(OPERATIONS[RAW]),
    ),
    RetentionSensorDescription(
        key="last_downsample_daily",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_registry_enabled_default=False,
        value_fn=last(OPERATIONS[HOURLY]),
    ),
    RetentionSensorDescription(
        key="last_archive",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=last(ARCHIVE),
        wanted_fn=lambda entry: bool(entry.get_subentries_of_type(SUBENTRY_ARCHIVE)),
    ),
)


class RetentionSensor(StrataHubEntity, SensorEntity):
    """What the ladder does and saves."""

    entity_description: RetentionSensorDescription

    def __init__(self, entry: StrataConfigEntry, description: RetentionSensorDescription) -> None:
        """Take what is shown from `description`."""
        self.entity_description = description
        super().__init__(entry, description.key)
        if description.device_class is SensorDeviceClass.MONETARY:
            self._attr_native_unit_of_measurement = entry.runtime_data.store.hass.config.currency

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """What was last measured, or what goes on now."""
        if self.coordinator.data is None:
            return None
        return self.entity_description.value_fn(self.coordinator.config_entry, self.coordinator.data)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any]:
        """How far it has come, and what failed."""
        return self.entity_description.attributes_fn(self.coordinator.config_entry)


async def async_add_retention_sensors(
    hass: HomeAssistant, entry: StrataConfigEntry, add: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors a hub gets with its options, and later those that come and go with them."""
    registry = er.async_get(hass)
    there: set[str] = set()

    async def follow(_hass: HomeAssistant, _entry: StrataConfigEntry) -> None:
        sensors = [RetentionSensor(entry, each) for each in RETENTION_SENSORS]
        wanted = {each.key for each in RETENTION_SENSORS if each.wanted_fn(entry)}
        add(each for each in sensors if each.entity_description.key in wanted - there)
        for sensor in sensors:
            entity_id = registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, str(sensor.unique_id))
            if entity_id is not None and sensor.entity_description.key not in wanted:
                registry.async_remove(entity_id)
        there.clear()
        there.update(wanted)

    await follow(hass, entry)
    entry.async_on_unload(entry.add_update_listener(follow))
