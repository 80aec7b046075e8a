"""Outdoor temperature beside energy: a weather entity keeps it in an attribute, where no history would find it.

A temperature holds until the next one. Where there is none it ends: while the weather entity is unavailable or shows
no temperature, when it is removed, and when another one or none is chosen. What it was meanwhile is not known.
"""

from collections.abc import Callable
import math
from time import time as now

from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event

from .core.entity_series import MEASUREMENT
from .core.model import MICROS_PER_SECOND, Flag, Kind, Micros, Series, SeriesKey
from .core.units import UnitError, convert
from .keeping import current_id
from .store.worker import StoreWorker

FIELD = "temperature"


class OutdoorTemperature:
    """Records the temperature of the chosen weather entity as a series of its own."""

    def __init__(self, hass: HomeAssistant, worker: StoreWorker) -> None:
        """Write to a store."""
        self._hass = hass
        self._worker = worker
        self._entity_id: str | None = None
        self._holds: tuple[Series, float] | None = None
        """What is known now, and of which series."""
        self._unsubscribe: Callable[[], None] | None = None

    @callback
    def async_follow(self, entity_id: str | None) -> None:
        """Record this entity from now on, None for nothing; what was recorded before stays and ends here."""
        if entity_id == self._entity_id:
            return
        moment = _now()
        self._end(moment)
        self.async_stop()
        self._listen(entity_id)
        if entity_id is not None and (state := self._hass.states.get(entity_id)) is not None:
            # What it was while nobody wanted it is not ours to tell.
            self._record(state, moment)

    @callback
    def async_rename(self, entity_id: str | None) -> None:
        """Go on with the same entity under another id."""
        if entity_id != self._entity_id:
            holds = self._holds
            self.async_stop()
            self._listen(entity_id)
            self._holds = holds

    @callback
    def async_stop(self) -> None:
        """Listen no longer. The store knows when a run ends, so what is known needs no row."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._unsubscribe = self._entity_id = self._holds = None

    def _listen(self, entity_id: str | None) -> None:
        self._entity_id = entity_id
        if entity_id is not None:
            self._unsubscribe = async_track_state_change_event(self._hass, entity_id, self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        old, new = event.data["old_state"], event.data["new_state"]
        if new is not None:
            self._record(new, _micros(new.last_updated_timestamp))
        elif old is not None and not self._is_renamed():
            self._end(_micros(event.time_fired_timestamp))

    def _is_renamed(self) -> bool:
        """Tell whether the entity that holds is another by name already: its state only moves."""
        if self._holds is None:
            return False
        series, _ = self._holds
        current = current_id(self._hass, series)
        return current is not None and current != self._entity_id

    def _record(self, state: State, moment: Micros) -> None:
        series = self._series(state)
        value = None if series is None else self._value(state, series)
        if series is None or value is None:
            self._end(moment)
        elif (series, value) != self._holds:
            self._worker.put(series, moment, value)
            self._holds = series, value

    def _end(self, moment: Micros) -> None:
        if self._holds is not None:
            series, _ = self._holds
            self._worker.put(series, moment, flag=Flag.GAP)
            self._holds = None

    def _value(self, state: State, series: Series) -> float | None:
        """Return the temperature in the unit of the series, None where the entity does not show one."""
        if state.state == STATE_UNAVAILABLE:
            return None
        value, unit = _number(state.attributes.get("temperature")), state.attributes.get("temperature_unit")
        if value is None or series.unit is None or unit is None:
            return value
        try:
            return convert(value, str(unit), series.unit)
        except UnitError:
            return None

    def _series(self, state: State) -> Series | None:
        """Return the series of an entity, None before it has shown a temperature for the first time."""
        entry = er.async_get(self._hass).async_get(state.entity_id)
        key = SeriesKey.of_entity(MEASUREMENT, state.entity_id if entry is None else entry.id, FIELD)
        known = self._worker.find(key)
        said = state.attributes.get("temperature_unit")
        if known is None and _number(state.attributes.get("temperature")) is None:
            return None
        unit = known.unit if known is not None and known.unit else str(said) if said else None
        labels = {"entity_id": state.entity_id, "domain": "weather", "device_class": "temperature"}
        return self._worker.series(key, kind=Kind.MEASUREMENT, unit=unit, labels=labels)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _micros(timestamp: float) -> Micros:
    return round(timestamp * MICROS_PER_SECOND)


def _now() -> Micros:
    return _micros(now())
