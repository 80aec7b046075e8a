"""Binary sensors: the yes-or-no metrics of every role, and whether each source answers."""

from collections.abc import Sequence
from typing import cast, override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .anomalies.entities import ClassSensors
from .archive_coordinator import ArchiveCoordinator
from .archive_entities import ArchiveFailingSensor
from .coordinator import SourceCoordinator
from .entity import StrataMetricEntity, StrataSourceEntity
from .late_metrics import LateMetrics
from .mirror_coordinator import MirrorCoordinator
from .mirror_entities import MirrorConnectedSensor
from .ranking import RankedRole
from .runtime import StrataConfigEntry
from .source_set import Speaker
from .sources.base import Metric, Snapshot
from .window_coordinator import WindowCoordinator
from .window_entities import InWindowSensor

PARALLEL_UPDATES = 0

ATTR_FAILURE = "failure"


async def async_setup_entry(
    hass: HomeAssistant, entry: StrataConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the binary sensors of every source there is and is to come."""
    late = LateMetrics(hass, entry, Platform.BINARY_SENSOR)

    @callback
    def add(speaker: Speaker) -> None:
        subentry_id = None if isinstance(speaker, RankedRole) else speaker.subentry_id

        @callback
        def show(metrics: Sequence[Metric]) -> None:
            sensors = [MetricBinarySensor(entry, speaker, metric) for metric in metrics]
            async_add_entities(sensors, config_subentry_id=subentry_id)

        show(late.async_ready(speaker, show))
        if not isinstance(speaker, RankedRole):
            async_add_entities([HealthySensor(entry, speaker)], config_subentry_id=subentry_id)

    @callback
    def add_mirror(mirror: MirrorCoordinator) -> None:
        async_add_entities([MirrorConnectedSensor(entry, mirror)], config_subentry_id=mirror.subentry_id)

    @callback
    def add_archive(archive: ArchiveCoordinator) -> None:
        async_add_entities([ArchiveFailingSensor(entry, archive)], config_subentry_id=archive.subentry_id)

    ClassSensors(entry, async_add_entities)

    @callback
    def add_window(window: WindowCoordinator) -> None:
        async_add_entities([InWindowSensor(entry, window)], config_subentry_id=window.subentry_id)

    entry.runtime_data.source_set.async_add_platform(add)
    entry.runtime_data.mirror_set.async_add_platform(add_mirror)
    entry.runtime_data.archives.async_add_platform(add_archive)
    entry.runtime_data.window_set.async_add_platform(add_window)


class MetricBinarySensor(StrataMetricEntity, BinarySensorEntity):
    """One yes-or-no metric of a role."""

    def __init__(self, entry: StrataConfigEntry, speaker: Speaker, metric: Metric) -> None:
        """Take the device class from the metric."""
        self._attr_device_class = BinarySensorDeviceClass(metric.device_class) if metric.device_class else None
        super().__init__(entry, speaker, metric)

    @callback
    @override
    def _show(self, snapshot: Snapshot | None) -> None:
        self._attr_is_on = cast("bool | None", self.metric.value(snapshot)) if snapshot else None


class HealthySensor(StrataSourceEntity, BinarySensorEntity):
    """Whether the source answered the last time it was asked."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    coordinator: SourceCoordinator

    def __init__(self, entry: StrataConfigEntry, source: SourceCoordinator) -> None:
        """Watch `source`."""
        super().__init__(entry, source, "healthy")

    @callback
    @override
    def _refresh(self) -> None:
        self._attr_is_on = self.coordinator.health.healthy
        self._attr_extra_state_attributes = {ATTR_FAILURE: self.coordinator.health.failure}
