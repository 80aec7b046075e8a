"""The sensor that says how far a source's forecast has lain from what came, computed from the store once an hour."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.components.sensor import SensorEntity, SensorStateClass
from homeassistant.const import EntityCategory
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .coordinator import SourceCoordinator
from .core.forecast_error import HOURS, ForecastError, forecast_error, held
from .core.model import Flag, Series, TimeRange, to_micros
from .entity import StrataSourceEntity
from .recording import series_key
from .runtime import StrataConfigEntry
from .sources.base import StoredForecast
from .store.base import StoreError
from .store.reader import StoreReader

REFRESHED: Final = timedelta(hours=1)
REACHES_BACK: Final = timedelta(hours=HOURS + 12)
"""A value that came before the first hour may hold in it."""


@callback
def async_add_when_foreseen(
    entry: StrataConfigEntry, source: SourceCoordinator, add: Callable[[ForecastErrorSensor], None]
) -> None:
    """Add the sensor once `source` has foreseen its main value, if that is a forecast that can be wrong."""
    judged = next((one for one in source.role.forecasts if one.forecast == source.main and one.judged_by), None)
    if judged is None or not source.provider.recorded:
        return
    done: list[CALLBACK_TYPE] = []

    @callback
    def look() -> None:
        if source.reading is not None and judged.forecast in source.reading.forecasts:
            while done:
                done.pop()()
            add(ForecastErrorSensor(entry, source, judged))

    done.append(source.async_add_listener(look))
    look()


class ForecastErrorSensor(StrataSourceEntity, SensorEntity):
    """Mean absolute error of the last 24 hours."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_state_class = SensorStateClass.MEASUREMENT
    _attr_suggested_display_precision = 1
    coordinator: SourceCoordinator

    def __init__(self, entry: StrataConfigEntry, source: SourceCoordinator, judged: StoredForecast) -> None:
        """Judge the forecast `judged` of `source`."""
        self._entry = entry
        self._judged = judged
        self._attr_extra_state_attributes = _attributes(None, judged.judged_by or timedelta())
        super().__init__(entry, source, "forecast_error")

    @override
    async def async_added_to_hass(self) -> None:
        """Compute now and every hour."""
        await super().async_added_to_hass()
        self.async_on_remove(async_track_time_interval(self.hass, self._compute_soon, REFRESHED))
        self._compute_soon(dt_util.utcnow())

    @callback
    @override
    def _refresh(self) -> None:
        source = self.coordinator
        for metric in source.role.metrics:
            if metric.key == source.main:
                from_reading = source.reading.unit if source.reading else None
                self._attr_native_unit_of_measurement = from_reading if metric.unit_from_reading else metric.unit

    @callback
    def _compute_soon(self, now: datetime) -> None:
        self._entry.async_create_background_task(self.hass, self._compute(now), f"{DOMAIN} forecast error")

    async def _compute(self, now: datetime) -> None:
        worker, series = self._entry.runtime_data.worker, self._series()
        if series is None or series.id is None:
            return
        lead, source, number = self._judged.judged_by, self.coordinator.stored_as, series.id
        assert lead is not None  # noqa: S101 - such a forecast is not judged
        try:
            found = await worker.read(
                lambda reader: _error(reader, number, source, self._judged.field, now=now, lead=lead)
            )
        except StoreError:
            LOGGER.debug("The forecast error of %s could not be read", self.coordinator.title, exc_info=True)
            return
        self._attr_native_value = found.mean_absolute if found else None
        self._attr_extra_state_attributes = _attributes(found, lead)
        self.async_write_ha_state()

    def _series(self) -> Series | None:
        """Return the series of what came, None while nothing has."""
        source = self.coordinator
        field = next(field for field in source.role.fields if field.name == source.main)
        if source.reading is None:
            return None
        return self._entry.runtime_data.worker.find(series_key(source.role, field, source.reading.tags))


def _error(
    reader: StoreReader, series: int, source: str, field: str, *, now: datetime, lead: timedelta
) -> ForecastError | None:
    rows = reader.raw(series, TimeRange.between(now - REACHES_BACK, now))
    flags = [Flag(flag) for flag in rows.flags.tolist()]
    came = held([*zip(rows.times.tolist(), rows.values.tolist(), flags, strict=True)], now)

    def in_force(moment: datetime) -> Any:
        found = reader.forecasts(source, field, issued_before=to_micros(moment) + 1)
        return found[0].forecast if found else None

    return forecast_error(came, in_force, now, lead)


def _attributes(found: ForecastError | None, lead: timedelta) -> dict[str, float]:
    attributes: dict[str, float] = {"lead_hours": lead / timedelta(hours=1)}
    if found is not None:
        attributes |= {"bias": found.bias, "hours_compared": found.hours}
    return attributes
