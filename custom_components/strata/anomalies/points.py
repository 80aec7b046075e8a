"""Findings as points, so that they are kept in the store and reach mirrors: measurement `anomaly_alerts`."""

from typing import Final

from ..analysis.base import Severity
from ..core.model import Flag, Kind, Micros, Series, SeriesKey
from ..store.worker import StoreWorker
from .watched import Watched

MEASUREMENT: Final = "anomaly_alerts"
COUNT: Final = "anomalies_count"
SCORE: Final = "severity_score"


class AlertPoints:
    """Writes a level per entity and severity: how many episodes go on, and the highest score; a gap when none does."""

    def __init__(self, worker: StoreWorker) -> None:
        """Write to `worker`."""
        self._worker = worker
        self._written: dict[tuple[str, Severity], tuple[int, float]] = {}

    def put(self, watched: Watched, method: str, now: Micros) -> None:
        """Write what has changed about an entity; `severity_score` is 1 for low, 2 for medium, 3 for high."""
        for severity in Severity:
            open_now = [episode for episode in watched.open if episode.severity is severity]
            place = (watched.target.entity_id, severity)
            level = (len(open_now), float(severity.rank if open_now else 0))
            if level == self._written.get(place, (0, 0.0)):
                continue
            self._written[place] = level
            for field, value in zip((COUNT, SCORE), level, strict=True):
                series = self._series(watched.target.entity_id, severity, method, field)
                self._worker.put(series, now, float(value))
                if not open_now:
                    # Nothing goes on any more: a level that held on would be counted for ever.
                    self._worker.put(series, now + 1, flag=Flag.GAP)

    def forget(self, entity_id: str) -> None:
        """Know nothing of what was written about an entity, because it has been erased."""
        for severity in Severity:
            self._written.pop((entity_id, severity), None)

    def _series(self, entity_id: str, severity: Severity, method: str, field: str) -> Series:
        tags = {"entity_id": entity_id, "severity": severity.value, "method": method}
        return self._worker.series(SeriesKey.of_tags(MEASUREMENT, tags, field), kind=Kind.MEASUREMENT)
