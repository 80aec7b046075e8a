"""Outdoor temperature beside energy: a weather entity keeps it in an attribute, where no history would find it."""

from collections.abc import Callable
import math

from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event

from .core.entity_series import MEASUREMENT
from .core.model import MICROS_PER_SECOND, Flag, Kind, Series, SeriesKey
from .store.worker import StoreWorker

FIELD = "temperature"


class OutdoorTemperature:
    """Records the temperature of the chosen weather entity as a series of its own."""

    def __init__(self, hass: HomeAssistant, worker: StoreWorker) -> None:
        """Write to a store."""
        self._hass = hass
        self._worker = worker
        self._entity_id: str | None = None
        self._last: float | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @callback
    def async_follow(self, entity_id: str | None) -> None:
        """Record this entity from now on, None for nothing; what was recorded before stays and ends here."""
        if entity_id == self._entity_id:
            return
        self.async_stop()
        self._entity_id = entity_id
        if entity_id is None:
            return
        self._unsubscribe = async_track_state_change_event(self._hass, entity_id, self._changed)
        if (state := self._hass.states.get(entity_id)) is not None:
            self._record(state)

    @callback
    def async_stop(self) -> None:
        """Listen no longer."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._unsubscribe = self._entity_id = self._last = None

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        if (state := event.data["new_state"]) is not None:
            self._record(state)

    def _record(self, state: State) -> None:
        value = _number(state.attributes.get("temperature"))
        if value == self._last:
            return
        moment = round(state.last_updated_timestamp * MICROS_PER_SECOND)
        series = self._series(state)
        if value is None:
            self._worker.put(series, moment, flag=Flag.GAP)
        else:
            self._worker.put(series, moment, value)
        self._last = value

    def _series(self, state: State) -> Series:
        entry = er.async_get(self._hass).async_get(state.entity_id)
        key = SeriesKey.of_entity(MEASUREMENT, state.entity_id if entry is None else entry.id, FIELD)
        known = self._worker.find(key)
        said = state.attributes.get("temperature_unit")
        unit = known.unit if known is not None and known.unit else str(said) if said else None
        labels = {"entity_id": state.entity_id, "domain": "weather", "device_class": "temperature"}
        return self._worker.series(key, kind=Kind.MEASUREMENT, unit=unit, labels=labels)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
