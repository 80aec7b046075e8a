"""What each planned window shows: whether it is time, when it is next, what it costs, emits and saves."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast, override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription
from homeassistant.const import UnitOfMass
from homeassistant.helpers.typing import StateType

from .runtime import StrataConfigEntry
from .subentry_entity import SubentryEntity
from .window_coordinator import WindowCoordinator

ATTR_PARTS = "parts"
ATTR_REASONS = "reasons"
ATTR_FORESEEN = "foreseen"
ATTR_OVERLAPS = "overlaps"
_TOLD = ("score", "running_seconds", "energy_kwh", "solar_kwh", "saving", ATTR_REASONS)


@dataclass(frozen=True, kw_only=True)
class WindowSensorDescription(SensorEntityDescription):
    """A sensor about a planned window."""

    value_fn: Callable[[WindowCoordinator], StateType | datetime]
    in_currency: bool = False


def _start(window: WindowCoordinator) -> datetime | None:
    return window.part[0] if window.part else None


def _end(window: WindowCoordinator) -> datetime | None:
    return window.part[1] if window.part else None


def _told(key: str) -> Callable[[WindowCoordinator], StateType]:
    return lambda window: cast("StateType", window.answer.get(key))


def _saving(window: WindowCoordinator) -> StateType:
    saving = window.answer.get("saving")
    return cast("StateType", saving.get("cost")) if isinstance(saving, dict) else None


WINDOW_SENSORS = (
    WindowSensorDescription(key="window_start", device_class=SensorDeviceClass.TIMESTAMP, value_fn=_start),
    WindowSensorDescription(key="window_end", device_class=SensorDeviceClass.TIMESTAMP, value_fn=_end),
    WindowSensorDescription(
        key="window_cost",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        in_currency=True,
        value_fn=_told("cost"),
    ),
    WindowSensorDescription(
        key="window_carbon",
        native_unit_of_measurement=UnitOfMass.KILOGRAMS,
        suggested_display_precision=2,
        value_fn=_told("carbon_kg"),
    ),
    WindowSensorDescription(
        key="window_saving",
        device_class=SensorDeviceClass.MONETARY,
        suggested_display_precision=2,
        entity_registry_enabled_default=False,
        in_currency=True,
        value_fn=_saving,
    ),
)


class WindowEntity(SubentryEntity[WindowCoordinator]):
    """An entity of a planned window."""


class WindowSensor(WindowEntity, SensorEntity):
    """One figure of a planned window."""

    entity_description: WindowSensorDescription

    def __init__(
        self, entry: StrataConfigEntry, window: WindowCoordinator, description: WindowSensorDescription
    ) -> None:
        """Take what is shown from `description`."""
        self.entity_description = description
        super().__init__(entry, window, description.key)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """The currency of the price where there is one."""
        if self.entity_description.in_currency:
            return cast("str | None", self.coordinator.answer.get("currency")) or self.hass.config.currency
        return self.entity_description.native_unit_of_measurement

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """The figure."""
        return self.entity_description.value_fn(self.coordinator)


class InWindowSensor(WindowEntity, BinarySensorEntity):
    """Whether it is time to run."""

    _unrecorded_attributes = frozenset({ATTR_PARTS, ATTR_REASONS})

    def __init__(self, entry: StrataConfigEntry, window: WindowCoordinator) -> None:
        """Watch `window`."""
        super().__init__(entry, window, "in_window")

    @property
    @override
    def is_on(self) -> bool:
        """Whether it is time to run."""
        return self.coordinator.is_on

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """When it runs, and why then."""
        booking, answer = self.coordinator.data, self.coordinator.answer
        parts = booking.parts if booking else ()
        return {
            ATTR_PARTS: [{"start": start.isoformat(), "end": end.isoformat()} for start, end in parts],
            **{key: answer.get(key) for key in _TOLD},
            ATTR_FORESEEN: bool(answer),
            ATTR_OVERLAPS: booking.overlaps if booking else False,
        }
