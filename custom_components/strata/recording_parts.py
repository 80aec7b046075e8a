"""Puts the parts of what a source says into the store, such as the circuits of a meter."""

from datetime import datetime
import math

from .core.model import FieldValue, Flag, Kind, Micros, SeriesKey, to_micros
from .sources.base import Role, Snapshot, StoredField
from .store.worker import StoreWorker


class PartsRecorder:
    """Writes a source's parts, each as series of its own; a part that is no longer named has a gap from then on."""

    def __init__(self, worker: StoreWorker, role: Role) -> None:
        """Take the store and the role that says what fields its parts have."""
        self._worker = worker
        self._fields = {(part.measurement, field.name): field for part in role.parts for field in part.fields}
        self._written: dict[SeriesKey, tuple[Micros, FieldValue]] = {}

    def put(self, snapshot: Snapshot) -> None:
        """Store what a reading's parts are; what is stored already is not stored again."""
        reading = snapshot.reading
        named: set[SeriesKey] = set()
        for part in reading.parts:
            moment = to_micros(part.at or reading.observed_at)
            for name, value in part.fields.items():
                field = self._fields.get((part.measurement, name))
                if field is not None and _possible(field, value):
                    key = SeriesKey.of_tags(part.measurement, part.tags, name)
                    named.add(key)
                    self._put(field, key, moment, value, to_micros(snapshot.now))
        for key in [*self._written.keys() - named]:
            self._end(key, max(to_micros(reading.observed_at), self._written[key][0] + 1))

    def put_gap(self, moment: datetime) -> None:
        """Store that nothing is known of any part from `moment` on."""
        for key in [*self._written]:
            self._end(key, to_micros(moment))

    def _put(self, field: StoredField, key: SeriesKey, moment: Micros, value: FieldValue, now: Micros) -> None:
        if self._written.get(key) == (moment, value):
            return
        first = key not in self._written
        self._written[key] = (moment, value)
        kind = Kind(field.kind)
        series = self._worker.series(key, kind=kind, unit=field.unit, fine=field.fine)
        known, stopped = self._worker.last(series), self._worker.last_stop
        text = str(value) if kind is Kind.TEXT or isinstance(value, str) else None
        self._worker.put(series, moment, None if text is not None else float(value), text)
        if first and known is not None and known.flag is Flag.GAP and moment <= known.time:
            # A gap was stored after the instant this value is for; it holds again since we know of it.
            self._worker.put(series, max(now, known.time + 1), flag=Flag.RESUME)
        elif first and stopped is not None and moment <= stopped:
            # Recording stopped in between, which ended the value; we know now that it held on.
            self._worker.put(series, self._worker.started, flag=Flag.RESUME)

    def _end(self, key: SeriesKey, moment: Micros) -> None:
        del self._written[key]
        if (series := self._worker.find(key)) is not None:
            self._worker.put(series, moment, flag=Flag.GAP)


def _possible(field: StoredField, value: FieldValue) -> bool:
    if isinstance(value, str):
        return True
    low, high = field.minimum, field.maximum
    return math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)
