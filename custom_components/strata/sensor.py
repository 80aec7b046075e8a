"""Sensors: the metrics of every role, how each source does, and what is in the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, Platform, UnitOfInformation, UnitOfRatio
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .anomalies.entities import ANOMALY_SENSORS, AnomalySensor
from .archive_coordinator import ArchiveCoordinator
from .archive_entities import ARCHIVE_SENSORS, ArchiveSensor
from .coordinator import SourceCoordinator
from .entity import StrataHubEntity, StrataMetricEntity, StrataSourceEntity
from .forecast_errors import async_add_when_foreseen
from .late_metrics import LateMetrics
from .mirror_coordinator import MirrorCoordinator
from .mirror_entities import MIRROR_SENSORS, MirrorSensor
from .ranking import RankedRole
from .retention_entities import async_add_retention_sensors
from .runtime import StrataConfigEntry
from .source_set import Speaker
from .sources.base import Metric, Snapshot
from .store.base import Counters, Sizes
from .window_coordinator import WindowCoordinator
from .window_entities import WINDOW_SENSORS, WindowSensor

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SourceSensorDescription(SensorEntityDescription):
    """A sensor about a source itself."""

    value_fn: Callable[[SourceCoordinator], StateType | datetime]
    attributes_fn: Callable[[SourceCoordinator], dict[str, str]] = lambda source: {}


@dataclass(frozen=True, kw_only=True)
class HubSensorDescription(SensorEntityDescription):
    """A sensor about the store."""

    value_fn: Callable[[Sizes, Counters], StateType]


SOURCE_SENSORS = (
    SourceSensorDescription(
        key="last_update",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda source: source.reading.fetched_at if source.reading else None,
        attributes_fn=lambda source: {"observed_at": source.reading.observed_at.isoformat()} if source.reading else {},
    ),
    SourceSensorDescription(
        key="uptime",
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        suggested_display_precision=1,
        entity_registry_enabled_default=False,
        value_fn=lambda source: source.health.uptime(dt_util.utcnow()),
    ),
)

HUB_SENSORS = (
    HubSensorDescription(
        key="store_size",
        device_class=SensorDeviceClass.DATA_SIZE,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda sizes, counters: sizes.file_bytes,
    ),
    HubSensorDescription(
        key="stored_events",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda sizes, counters: counters.stored,
    ),
    HubSensorDescription(
        key="waiting_rows",
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value_fn=lambda sizes, counters: counters.waiting,
    ),
    HubSensorDescription(
        key="dropped_rows",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value_fn=lambda sizes, counters: counters.dropped,
    ),
    HubSensorDescription(
        key="flagged_rows",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value_fn=lambda sizes, counters: sum(counters.flagged.values()),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: StrataConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of the hub, and those of every source there is and is to come."""
    async_add_entities(HubSensor(entry, description) for description in HUB_SENSORS)
    async_add_entities(AnomalySensor(entry, description) for description in ANOMALY_SENSORS)
    await async_add_retention_sensors(hass, entry, async_add_entities)
    late = LateMetrics(hass, entry, Platform.SENSOR)

    @callback
    def add(speaker: Speaker) -> None:
        subentry_id = None if isinstance(speaker, RankedRole) else speaker.subentry_id

        @callback
        def show(metrics: Sequence[Metric]) -> None:
            sensors = [MetricSensor(entry, speaker, metric) for metric in metrics]
            async_add_entities(sensors, config_subentry_id=subentry_id)

        show(late.async_ready(speaker, show))
        if isinstance(speaker, RankedRole):
            return
        sensors = [SourceSensor(entry, speaker, description) for description in SOURCE_SENSORS]
        async_add_entities(sensors, config_subentry_id=subentry_id)
        async_add_when_foreseen(
            entry, speaker, lambda sensor: async_add_entities([sensor], config_subentry_id=speaker.subentry_id)
        )

    @callback
    def add_mirror(mirror: MirrorCoordinator) -> None:
        sensors = [MirrorSensor(entry, mirror, description) for description in MIRROR_SENSORS]
        async_add_entities(sensors, config_subentry_id=mirror.subentry_id)

    @callback
    def add_archive(archive: ArchiveCoordinator) -> None:
        sensors = [ArchiveSensor(entry, archive, description) for description in ARCHIVE_SENSORS]
        async_add_entities(sensors, config_subentry_id=archive.subentry_id)

    @callback
    def add_window(window: WindowCoordinator) -> None:
        sensors = [WindowSensor(entry, window, description) for description in WINDOW_SENSORS]
        async_add_entities(sensors, config_subentry_id=window.subentry_id)

    entry.runtime_data.source_set.async_add_platform(add)
    entry.runtime_data.mirror_set.async_add_platform(add_mirror)
    entry.runtime_data.archives.async_add_platform(add_archive)
    entry.runtime_data.window_set.async_add_platform(add_window)


class MetricSensor(StrataMetricEntity, SensorEntity):
    """One metric of a role."""

    def __init__(self, entry: StrataConfigEntry, speaker: Speaker, metric: Metric) -> None:
        """Take device class, state class and precision from the metric."""
        self._attr_device_class = SensorDeviceClass(metric.device_class) if metric.device_class else None
        self._attr_state_class = SensorStateClass(metric.state_class) if metric.state_class else None
        self._attr_suggested_display_precision = metric.precision
        self._attr_options = list(metric.options) or None
        super().__init__(entry, speaker, metric)

    @callback
    @override
    def _show(self, snapshot: Snapshot | None) -> None:
        reading = self.coordinator.reading
        self._attr_native_unit_of_measurement = (
            reading.unit if self.metric.unit_from_reading and reading else self.metric.unit
        )
        if self.metric.unit_of is not None and snapshot:
            self._attr_native_unit_of_measurement = self.metric.unit_of(snapshot)
        self._attr_native_value = self.metric.value(snapshot) if snapshot else None


class SourceSensor(StrataSourceEntity, SensorEntity):
    """How a source does; available whatever the source does."""

    entity_description: SourceSensorDescription
    coordinator: SourceCoordinator

    def __init__(
        self, entry: StrataConfigEntry, source: SourceCoordinator, description: SourceSensorDescription
    ) -> None:
        """Take what is shown from `description`."""
        self.entity_description = description
        super().__init__(entry, source, description.key)

    @callback
    @override
    def _refresh(self) -> None:
        self._attr_native_value = self.entity_description.value_fn(self.coordinator)
        self._attr_extra_state_attributes = self.entity_description.attributes_fn(self.coordinator)


class HubSensor(StrataHubEntity, SensorEntity):
    """What is in the store."""

    entity_description: HubSensorDescription

    def __init__(self, entry: StrataConfigEntry, description: HubSensorDescription) -> None:
        """Take what is shown from `description`."""
        self.entity_description = description
        super().__init__(entry, description.key)

    @property
    @override
    def native_value(self) -> StateType:
        """What the store was last measured to hold."""
        if self.coordinator.data is None:
            return None
        return self.entity_description.value_fn(self.coordinator.data, self.coordinator.counters)
