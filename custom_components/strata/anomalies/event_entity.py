"""The event entity of anomalies, and what is fired on the bus."""

from typing import Any, Final, override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from ..analysis.base import Severity
from ..entity import hub_device_info
from ..runtime import StrataConfigEntry
from .coordinator import ANOMALIES_ERASED, AnomalyCoordinator
from .entities import shown
from .telling import Alert, Told
from .watched import Watched

EVENT_ANOMALY: Final = "strata_anomaly"
"""Fired on the bus with the same data as the event entity's attributes."""


def _about(hass: HomeAssistant, anomalies: AnomalyCoordinator, alert: Alert) -> dict[str, Any]:
    """Return an alert as data, with the name that people know the entity by."""
    entity_id = alert.target.entity_id
    watched = anomalies.watched.get(entity_id)
    state = hass.states.get(entity_id)
    # Of what is not watched only the rule of quiet hours tells.
    about = shown(watched or Watched(alert.target), alert.episode)
    return {"name": state.name if state else entity_id, "device_class": alert.target.device_class, **about}


def told_as_data(hass: HomeAssistant, anomalies: AnomalyCoordinator, told: Told) -> dict[str, Any]:
    """Return what goes out as data: the main alert, `related` ones, whether to `notify`, and where it is."""
    entry = er.async_get(hass).async_get(told.main.target.entity_id)
    return {
        **_about(hass, anomalies, told.main),
        "area_id": er.async_get_effective_area_id(hass, entry) if entry else None,
        "method": anomalies.options.method,
        "notify": told.notify,
        "related": [_about(hass, anomalies, alert) for alert in told.related],
    }


class AnomalyEvent(EventEntity):
    """Fires when somebody should be told of something unusual; its types are the severities."""

    _attr_has_entity_name = True
    _attr_translation_key = "anomaly"
    _attr_should_poll = False
    _unrecorded_attributes = frozenset({"related"})

    def __init__(self, entry: StrataConfigEntry) -> None:
        """Belong to the hub."""
        self._anomalies = entry.runtime_data.anomalies
        self._attr_event_types = [severity.value for severity in Severity]
        self._attr_unique_id = f"{entry.entry_id}_anomaly"
        self._attr_device_info = hub_device_info(entry)

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to what goes out."""
        await super().async_added_to_hass()
        self.async_on_remove(self._anomalies.async_listen_told(self._told))
        self.async_on_remove(async_dispatcher_connect(self.hass, ANOMALIES_ERASED, self._erased))

    @callback
    def _told(self, told: Told) -> None:
        data = told_as_data(self.hass, self._anomalies, told)
        self._trigger_event(told.main.episode.severity.value, data)
        self.async_write_ha_state()

    @callback
    def _erased(self, entities: frozenset[str]) -> None:
        """Take the last event back if it tells of an entity that has been erased."""
        known = self.state_attributes
        if entities.isdisjoint({known.get("entity_id"), *(each["entity_id"] for each in known.get("related", ()))}):
            return
        # Home Assistant keeps it over restarts, and has no word for taking it back.
        for name in ("triggered", "type", "attributes"):
            setattr(self, f"_EventEntity__last_event_{name}", None)
        self.async_write_ha_state()


@callback
def async_fire_on_bus(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Fire what goes out on the bus too, whether or not the event entity is enabled."""
    anomalies = entry.runtime_data.anomalies

    @callback
    def fire(told: Told) -> None:
        hass.bus.async_fire(EVENT_ANOMALY, told_as_data(hass, anomalies, told))

    entry.async_on_unload(anomalies.async_listen_told(fire))
