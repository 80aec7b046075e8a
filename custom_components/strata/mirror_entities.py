"""What each mirror shows: whether it is connected, what has arrived, what waits, what was set aside."""

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
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.typing import StateType
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN, TITLE
from .core.model import from_micros
from .mirror_coordinator import MirrorCoordinator
from .runtime import StrataConfigEntry

ATTR_FAILURE = "failure"
ATTR_LINES = "lines"
_LINES_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class MirrorSensorDescription(SensorEntityDescription):
    """A sensor about a mirror."""

    value_fn: Callable[[MirrorCoordinator], StateType | datetime]
    attributes_fn: Callable[[MirrorCoordinator], dict[str, Any]] = lambda mirror: {}


def _last(mirror: MirrorCoordinator) -> datetime | None:
    moment = mirror.figures.acknowledged_at
    return None if moment is None else from_micros(moment)


def _lines(mirror: MirrorCoordinator) -> dict[str, Any]:
    newest = list(mirror.figures.poison)[-_LINES_SHOWN:]
    return {
        ATTR_LINES: [
            {
                "time": from_micros(each.time).isoformat(),
                "database": each.database,
                "line": each.line,
                "reason": each.reason,
            }
            for each in newest
        ]
    }


def _replayed(mirror: MirrorCoordinator) -> float | None:
    share = mirror.data.replayed
    return None if share is None else share * 100


MIRROR_SENSORS = (
    MirrorSensorDescription(
        key="mirror_acknowledged",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda mirror: mirror.figures.acknowledged,
    ),
    MirrorSensorDescription(
        key="mirror_last_acknowledged",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_last,
    ),
    MirrorSensorDescription(
        key="mirror_lag",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda mirror: mirror.data.lag,
    ),
    MirrorSensorDescription(
        key="mirror_waiting",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda mirror: mirror.data.waiting.rows,
    ),
    MirrorSensorDescription(
        key="mirror_quarantined",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda mirror: mirror.figures.quarantined,
        attributes_fn=_lines,
    ),
    MirrorSensorDescription(
        key="mirror_dropped",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda mirror: mirror.figures.dropped,
    ),
    MirrorSensorDescription(
        key="mirror_beyond_retention",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value_fn=lambda mirror: mirror.figures.beyond_retention,
    ),
    MirrorSensorDescription(
        key="mirror_replay",
        native_unit_of_measurement="%",
        suggested_display_precision=0,
        entity_registry_enabled_default=False,
        value_fn=_replayed,
    ),
)


class MirrorEntity(CoordinatorEntity[MirrorCoordinator]):
    """A diagnostic entity of a mirror; available whatever its server does."""

    _attr_has_entity_name = True
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, entry: StrataConfigEntry, mirror: MirrorCoordinator, key: str) -> None:
        """Name the entity after `key`, which is also its translation and icon key."""
        super().__init__(mirror)
        self._attr_unique_id = f"{mirror.subentry_id}_{key}"
        self._attr_translation_key = key
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, mirror.subentry_id)},
            name=mirror.title,
            manufacturer=TITLE,
            # What the action's device picker filters by.
            model="Mirror",
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=entry.runtime_data.hub_device_id,
        )


class MirrorSensor(MirrorEntity, SensorEntity):
    """One figure of a mirror."""

    _unrecorded_attributes = frozenset({ATTR_LINES})
    entity_description: MirrorSensorDescription

    def __init__(
        self, entry: StrataConfigEntry, mirror: MirrorCoordinator, description: MirrorSensorDescription
    ) -> None:
        """Take what is shown from `description`."""
        self.entity_description = description
        super().__init__(entry, mirror, description.key)

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


class MirrorConnectedSensor(MirrorEntity, BinarySensorEntity):
    """Whether points arrive."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY

    def __init__(self, entry: StrataConfigEntry, mirror: MirrorCoordinator) -> None:
        """Watch `mirror`."""
        super().__init__(entry, mirror, "mirror_connected")

    @property
    @override
    def is_on(self) -> bool:
        """Whether the last points that were sent have arrived."""
        return self.coordinator.connected

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Why points do not arrive."""
        trouble = self.coordinator.data.trouble
        return {ATTR_FAILURE: None if trouble is None else str(trouble)}
