"""What the entities of mirrors and of archives share: both are places history goes to."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.helpers.typing import StateType

from .archive_coordinator import ArchiveCoordinator
from .core.model import Micros, from_micros
from .mirror_coordinator import MirrorCoordinator
from .runtime import StrataConfigEntry
from .subentry_entity import SubentryEntity


@dataclass(frozen=True, kw_only=True)
class DestinationSensorDescription[C: ArchiveCoordinator | MirrorCoordinator](SensorEntityDescription):
    """A sensor about a destination."""

    value_fn: Callable[[C], StateType | datetime]
    attributes_fn: Callable[[C], dict[str, Any]] = lambda destination: {}


def instant(micros: Micros | None) -> datetime | None:
    """Return a stored instant as a timestamp sensor wants it; None stays None."""
    return None if micros is None else from_micros(micros)


class DestinationEntity[C: ArchiveCoordinator | MirrorCoordinator](SubentryEntity[C]):
    """A diagnostic entity of a destination; available whatever the other side does."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC


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
