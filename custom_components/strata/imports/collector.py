"""Turns another system's states into rows of our series, as the live ingest would have."""

from collections.abc import Mapping

import numpy as np

from ..core.entity_series import MEASUREMENT, EntitySeries
from ..core.model import Cause, Flag, Kind, Micros, Row, Series, SeriesKey
from ..core.rollup import Rollup
from ..core.row_sink import LastSample
from ..core.states import FIELD_OF_KIND
from ..store.base import RawRows
from ..store.timeline import Carry, build
from ..store.worker import StoreWorker

_NO_CAUSE = Cause("")
_NONE: frozenset[str] = frozenset()


class Collector:
    """Collects the rows of one entity. What it knows of the present stays as it is."""

    def __init__(self, worker: StoreWorker, entity_id: str, identity: str) -> None:
        """Begin with no rows; `identity` is the registry id, or the entity id without one."""
        self.rows: list[Row] = []
        self.started: Micros = 0
        self.last_stop: Micros | None = None
        self._worker = worker
        self._foreign: dict[SeriesKey, Series] = {}
        domain = entity_id.partition(".")[0]
        self._own = EntitySeries(self, identity, domain)
        keys = [SeriesKey.of_entity(MEASUREMENT, identity, field) for field in dict.fromkeys(FIELD_OF_KIND.values())]
        known = next((found for key in keys if (found := worker.find(key)) is not None), None)
        labels = known.labels if known is not None else {"entity_id": entity_id, "domain": domain}
        self._own.relabel(dict(labels))

    def add(self, time: Micros, state: str, attributes: Mapping[str, object]) -> None:
        """Take a state."""
        self._own.change(state, attributes, _NONE, time, _NO_CAUSE)

    def take(self) -> list[Row]:
        """Return the rows collected so far, without those of series that are of another kind today."""
        rows, self.rows = self.rows, []
        return [row for row in rows if row.series.key not in self._foreign]

    def series(
        self,
        key: SeriesKey,
        *,
        kind: Kind,
        unit: str | None = None,
        labels: Mapping[str, str] | None = None,
        fine: bool = False,
        monotonic: bool = True,
    ) -> Series:
        """Return the series as it is today; what is of another kind goes nowhere."""
        known = self._worker.find(key)
        if known is None:
            return self._worker.series(key, kind=kind, unit=unit, labels=labels, fine=fine, monotonic=monotonic)
        if known.kind is not kind or known.unit != unit:
            return self._foreign.setdefault(key, Series(key, kind, unit))
        return known

    def find(self, key: SeriesKey) -> Series | None:
        """Return the series of the key if there is one."""
        return self._worker.find(key)

    def last(self, series: Series) -> LastSample | None:
        """Return nothing: what comes is older than all that is known."""
        return None

    def put(
        self,
        series: Series,
        time: Micros,
        value: float | None = None,
        text: str | None = None,
        flag: Flag = Flag.OK,
        attributes: Mapping[str, object] | None = None,
        cause: Cause | None = None,
    ) -> None:
        """Take a row; attributes and causes of long ago are not kept."""
        self.rows.append(Row(series, time, value, text, flag))


def hours_of(
    series: Series, rows: list[Row], edges: list[Micros], codes: Mapping[str, int], carry: Carry | None
) -> tuple[Rollup, Carry | None]:
    """Return the hours between `edges` that rows of one series make, and what is known where they end."""
    newest = {row.time: row for row in rows}
    found = [newest[time] for time in sorted(newest)]
    held = RawRows(
        np.array([row.time for row in found], np.int64),
        np.array([np.nan if row.value is None else row.value for row in found], np.float64),
        np.array([0 if row.text is None else codes[row.text] for row in found], np.int64),
        np.array([int(row.flag) for row in found], np.int64),
    )
    timeline = build(series.kind, held, np.empty(0, np.int64), (), carry)
    rolled = timeline.roll_up(series, edges)
    return rolled.select(rolled.known), timeline.end()
