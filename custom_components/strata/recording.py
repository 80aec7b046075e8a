"""Puts what a source says into the store."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
import math

from .core.model import FieldValue, Flag, Forecast, Kind, Micros, Series, SeriesKey, to_micros
from .recording_parts import PartsRecorder
from .sources.base import Reading, Role, Snapshot, StoredField
from .store.worker import StoreWorker


class Recorder:
    """Writes one source's readings as series of its role's measurement.

    A reading holds until the next, so the end of its validity is written as a gap, and a reading
    that began before this run of Home Assistant is taken up again where the run starts.
    """

    def __init__(self, worker: StoreWorker, role: Role, source: str) -> None:
        """Take the store, the role and the source's name in the store."""
        self._worker = worker
        self._role = role
        self._source = source
        self._written: dict[str, tuple[Micros, FieldValue]] = {}
        self._issued: dict[str, Forecast] = {}
        self._tags: Mapping[str, str] = {}
        self._parts = PartsRecorder(worker, role)

    def put(self, snapshot: Snapshot, implausible: Mapping[str, FieldValue] | None = None) -> None:
        """Store what the role's fields are now, at the time they are for, and forecasts as issued.

        Call it after each fetch and whenever a slot begins; what is stored already is not stored
        again. `implausible` fields are stored with their flag, which keeps them out of roll-ups.
        """
        reading = snapshot.reading
        if reading.tags != self._tags:
            # Other series from here on, for instance because the currency is another.
            self.put_gap(snapshot.now)
        self._tags = reading.tags
        now, time = to_micros(snapshot.now), to_micros(self._valid_from(snapshot))
        values = self._role.fields_at(snapshot)
        for field in self._role.fields:
            if (value := values.get(field.name)) is not None:
                self._put(field, reading, time, value, now, _text(values.get(field.label or "")))
            elif implausible and field.name in implausible:
                self._put_impossible(field, reading, time, implausible[field.name])
            elif field.name in self._written:
                self._end(field.name, time if time > self._written[field.name][0] else now)
        for stored in self._role.forecasts:
            forecast = reading.forecasts.get(stored.forecast)
            if forecast is not None and self._issued.get(stored.forecast) != forecast:
                self._issued[stored.forecast] = forecast
                key = SeriesKey.of_tags(stored.measurement, reading.tags, stored.field)
                self._worker.put_forecast(self._source, key, forecast)
        self._parts.put(snapshot)

    def _valid_from(self, snapshot: Snapshot) -> datetime:
        """Where slots decide the values, these hold from the start of their slot."""
        reading = snapshot.reading
        forecast = reading.forecasts.get(self._role.main) if self._role.slot_bound else None
        slot = forecast.at(snapshot.now) if forecast else None
        return slot.start if slot else reading.observed_at

    def put_gap(self, moment: datetime) -> None:
        """Store that nothing is known from `moment` on."""
        for name in [*self._written]:
            self._end(name, to_micros(moment))
        self._parts.put_gap(moment)

    def _end(self, name: str, moment: Micros) -> None:
        del self._written[name]
        field = next(field for field in self._role.fields if field.name == name)
        key = series_key(self._role, field, self._tags)
        if (series := self._worker.find(key)) is not None:
            self._worker.put(series, moment, flag=Flag.GAP)

    def _put(
        self, field: StoredField, reading: Reading, time: Micros, value: FieldValue, now: Micros, label: str | None
    ) -> None:
        if self._written.get(field.name) == (time, value):
            return
        first = field.name not in self._written
        self._written[field.name] = (time, value)
        series = self._series(field, reading)
        number, text = _as_columns(series.kind, value)
        known = self._worker.last(series)
        self._worker.put(series, time, number, label if text is None else text)
        stopped = self._worker.last_stop
        if first and known is not None and known.flag is Flag.GAP and time <= known.time:
            # A gap was stored after the instant this value is for; it holds again since we know of it.
            self._worker.put(series, max(now, known.time + 1), flag=Flag.RESUME)
        elif first and stopped is not None and time <= stopped:
            # Recording stopped in between, which ended the value; we know now that it held on.
            self._worker.put(series, self._worker.started, flag=Flag.RESUME)

    def _put_impossible(self, field: StoredField, reading: Reading, time: Micros, value: FieldValue) -> None:
        series = self._series(field, reading)
        number, text = _as_columns(series.kind, value)
        self._worker.put(series, time, number, text, Flag.IMPOSSIBLE)

    def _series(self, field: StoredField, reading: Reading) -> Series:
        key = series_key(self._role, field, reading.tags)
        unit = field.unit or reading.unit
        return self._worker.series(key, kind=Kind(field.kind), unit=unit, fine=field.fine)


def series_key(role: Role, field: StoredField, tags: Mapping[str, str]) -> SeriesKey:
    """Return the key of the series a role's field is stored as, under a reading's tags."""
    return SeriesKey.of_tags(role.measurement, {**tags, **field.tags}, field.stored_as or field.name)


def _text(value: FieldValue | None) -> str | None:
    return value if isinstance(value, str) else None


def _as_columns(kind: Kind, value: FieldValue) -> tuple[float | None, str | None]:
    if kind is Kind.TEXT or isinstance(value, str):
        return None, str(value)
    return float(value), None


def plausible(role: Role, reading: Reading) -> tuple[Reading, dict[str, FieldValue]]:
    """Return the reading without impossible values, and those values by field.

    A value is impossible when it is no finite number or lies outside its field's limits; slots of
    a forecast obey the limits of the field they foresee.
    """
    limits = {field.name: field for field in role.fields}
    impossible = {
        name: value
        for name, value in reading.fields.items()
        if value is not None and name in limits and not _possible(limits[name], value)
    }
    forecasts = {
        key: replace(forecast, slots=tuple(slot for slot in forecast.slots if _possible(limits.get(key), slot.value)))
        for key, forecast in reading.forecasts.items()
    }
    fields = {name: None if name in impossible else value for name, value in reading.fields.items()}
    return replace(reading, fields=fields, forecasts=forecasts), impossible


def _possible(field: StoredField | None, value: FieldValue) -> bool:
    if isinstance(value, str):
        return True
    if not math.isfinite(value):
        return False
    if field is None:
        return True
    return (field.minimum is None or value >= field.minimum) and (field.maximum is None or value <= field.maximum)
