"""A store that only remembers: what the recording side is tested against where no file is needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from custom_components.strata.core.model import Cause, Flag, Kind, Micros, Row, Series, SeriesKey


@dataclass(frozen=True)
class LastRow:
    time: Micros
    value: float | None
    text: str | None
    flag: Flag = Flag.OK


@dataclass
class RecordedRows:
    """Takes rows as the store's worker does and keeps them in a list."""

    last_stop: Micros | None = None
    started: Micros = 0
    rows: list[Row] = field(default_factory=list)
    known: dict[SeriesKey, Series] = field(default_factory=dict)
    newest: dict[SeriesKey, LastRow] = field(default_factory=dict)

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
        series = self.known.setdefault(key, Series(key, kind))
        series.kind, series.unit, series.fine, series.monotonic = kind, unit, fine, monotonic
        if labels is not None:
            series.labels = dict(labels)
        return series

    def find(self, key: SeriesKey) -> Series | None:
        return self.known.get(key)

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
        self.rows.append(Row(series, time, value, text, flag, attributes, cause))
        last = self.newest.get(series.key)
        if flag is Flag.GAP:
            self.newest[series.key] = LastRow(time, last.value if last else None, last.text if last else None, flag)
        elif flag in {Flag.OK, Flag.STUCK, Flag.CYCLE}:
            self.newest[series.key] = LastRow(time, value, text, flag)

    def last(self, series: Series) -> LastRow | None:
        return self.newest.get(series.key)

    def next_run(self, stop: Micros, start: Micros) -> RecordedRows:
        """Return what a run that starts later finds: series and last values, no rows."""
        return RecordedRows(last_stop=stop, started=start, known=self.known, newest=dict(self.newest))

    @property
    def told(self) -> list[tuple[str, Micros, float | str | None, Flag]]:
        """The rows as (field, time, text or value, flag)."""
        return [
            (row.series.key.field, row.time, row.value if row.text is None else row.text, row.flag) for row in self.rows
        ]
