"""What each mirror shows: whether it is connected, what has arrived, what waits, what was set aside."""

from typing import Any, override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import UnitOfTime

from .core.model import from_micros
from .destination_entities import DestinationEntity, DestinationSensor, DestinationSensorDescription, instant
from .mirror_coordinator import MirrorCoordinator
from .runtime import StrataConfigEntry

ATTR_FAILURE = "failure"
ATTR_LINES = "lines"
_LINES_SHOWN = 10


_Description = DestinationSensorDescription[MirrorCoordinator]


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
    _Description(
        key="mirror_acknowledged",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda mirror: mirror.figures.acknowledged,
    ),
    _Description(
        key="mirror_last_acknowledged",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda mirror: instant(mirror.figures.acknowledged_at),
    ),
    _Description(
        key="mirror_lag",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda mirror: mirror.data.lag,
    ),
    _Description(
        key="mirror_waiting",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda mirror: mirror.data.waiting.rows,
    ),
    _Description(
        key="mirror_quarantined",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda mirror: mirror.figures.quarantined,
        attributes_fn=_lines,
    ),
    _Description(
        key="mirror_dropped",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda mirror: mirror.figures.dropped,
    ),
    _Description(
        key="mirror_beyond_retention",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value_fn=lambda mirror: mirror.figures.beyond_retention,
    ),
    _Description(
        key="mirror_replay",
        native_unit_of_measurement="%",
        suggested_display_precision=0,
        entity_registry_enabled_default=False,
        value_fn=_replayed,
    ),
)


class MirrorEntity(DestinationEntity[MirrorCoordinator]):
    """A diagnostic entity of a mirror."""

    _model = "Mirror"


class MirrorSensor(MirrorEntity, DestinationSensor[MirrorCoordinator]):
    """One figure of a mirror."""

    _unrecorded_attributes = frozenset({ATTR_LINES})


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
