"""What is shown of anomalies: how many episodes go on, in which kinds of devices, and who is watched."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory
from homeassistant.core import callback
from homeassistant.helpers.typing import StateType
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from ..analysis.base import Episode, Evidence, Severity
from ..analysis.watching import WATCHABLE
from ..core.model import from_micros
from ..entity import hub_device_info
from ..runtime import StrataConfigEntry
from .coordinator import AnomalyCoordinator
from .watched import LEARNING, STATUSES, Watched

ATTR_EPISODES: Final = "episodes"
_SHOWN: Final = 20


def shown(watched: Watched, episode: Episode) -> dict[str, Any]:
    """Return an episode as attributes, events and answers show it."""
    return {
        "entity_id": watched.target.entity_id,
        "episode": episode.key,
        "kind": episode.kind.value,
        "severity": episode.severity.value,
        "since": from_micros(episode.start).isoformat(),
        "until": None if episode.end is None else from_micros(episode.end).isoformat(),
        "score": round(episode.score, 2),
        "text": episode.text,
        "normal": episode.normal,
    }


def with_evidence(watched: Watched, episode: Episode) -> dict[str, Any]:
    """Return an episode with every reason for it."""
    return {
        **shown(watched, episode),
        "peak": from_micros(episode.peak).isoformat(),
        "evidence": [_reason(each) for each in episode.evidence],
    }


def _reason(evidence: Evidence) -> dict[str, Any]:
    return {**asdict(evidence), "time": from_micros(evidence.time).isoformat()}


@dataclass(frozen=True, kw_only=True)
class AnomalySensorDescription(SensorEntityDescription):
    """A figure about all that is watched."""

    value_fn: Callable[[AnomalyCoordinator], StateType]
    attributes_fn: Callable[[AnomalyCoordinator], Mapping[str, Any]] = lambda anomalies: {}


def _episodes(anomalies: AnomalyCoordinator) -> Mapping[str, Any]:
    return {ATTR_EPISODES: [shown(*pair) for pair in anomalies.open[:_SHOWN]]}


def _by_status(anomalies: AnomalyCoordinator) -> Mapping[str, Any]:
    return {
        status: sorted(each.target.entity_id for each in anomalies.watched.values() if each.status == status)
        for status in STATUSES
    }


def _of(severity: Severity) -> Callable[[AnomalyCoordinator], StateType]:
    return lambda anomalies: sum(episode.severity is severity for _, episode in anomalies.open)


ANOMALY_SENSORS = (
    AnomalySensorDescription(
        key="open_anomalies",
        # Strata records no diagnostics of its own: what is found has points of its own in the store.
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda anomalies: len(anomalies.open),
        attributes_fn=_episodes,
    ),
    *(
        AnomalySensorDescription(
            key=f"{severity}_anomalies",
            entity_category=EntityCategory.DIAGNOSTIC,
            state_class=SensorStateClass.MEASUREMENT,
            entity_registry_enabled_default=False,
            value_fn=_of(severity),
        )
        for severity in Severity
    ),
    AnomalySensorDescription(
        key="watched_entities",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda anomalies: len(anomalies.watched),
        attributes_fn=_by_status,
    ),
    AnomalySensorDescription(
        key="learning_entities",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda anomalies: sum(each.status == LEARNING for each in anomalies.watched.values()),
    ),
)


class AnomalyEntity(CoordinatorEntity[AnomalyCoordinator]):
    """An entity of the hub about what is watched."""

    _attr_has_entity_name = True
    _unrecorded_attributes = frozenset({ATTR_EPISODES, *STATUSES})

    def __init__(self, entry: StrataConfigEntry, key: str) -> None:
        """Name the entity after `key`, which is also its translation and icon key."""
        super().__init__(entry.runtime_data.anomalies)
        self._attr_unique_id = f"{entry.entry_id}_{key}"
        self._attr_translation_key = key
        self._attr_device_info = hub_device_info(entry)


class AnomalySensor(AnomalyEntity, SensorEntity):
    """One figure about all that is watched."""

    entity_description: AnomalySensorDescription

    def __init__(self, entry: StrataConfigEntry, description: AnomalySensorDescription) -> None:
        """Take what is shown from `description`."""
        self.entity_description = description
        super().__init__(entry, description.key)

    @property
    @override
    def native_value(self) -> StateType:
        """The figure."""
        return self.entity_description.value_fn(self.coordinator)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any]:
        """What explains the figure."""
        return self.entity_description.attributes_fn(self.coordinator)


class AnomalyBinarySensor(AnomalyEntity, BinarySensorEntity):
    """Whether anything is unusual about the entities of one device class."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM

    def __init__(self, entry: StrataConfigEntry, device_class: str) -> None:
        """Watch over the entities of `device_class`."""
        self._of = device_class
        super().__init__(entry, f"{device_class}_anomaly")

    def _open(self) -> list[tuple[Watched, Episode]]:
        return [pair for pair in self.coordinator.open if pair[0].target.device_class == self._of]

    @property
    @override
    def is_on(self) -> bool:
        """Whether an episode goes on."""
        return bool(self._open())

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any]:
        """The episodes that go on."""
        return {ATTR_EPISODES: [shown(*pair) for pair in self._open()[:_SHOWN]]}


class ClassSensors:
    """Adds a binary sensor for each device class as soon as one of its entities is watched."""

    def __init__(self, entry: StrataConfigEntry, add: Callable[[list[AnomalyBinarySensor]], None]) -> None:
        """Add what there is now, and follow."""
        self._entry = entry
        self._add = add
        self._known: set[str] = set()
        anomalies = entry.runtime_data.anomalies
        entry.async_on_unload(anomalies.async_add_listener(self.follow))
        self.follow()

    @callback
    def follow(self) -> None:
        """Add what has become watched."""
        watched = self._entry.runtime_data.anomalies.watched.values()
        classes = {each.target.device_class for each in watched if each.target.device_class in WATCHABLE}
        if new := sorted(name for name in classes if name is not None and name not in self._known):
            self._known.update(new)
            self._add([AnomalyBinarySensor(self._entry, name) for name in new])
