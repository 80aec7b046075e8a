"""Reading the store: a connection of its own that never blocks the writer."""

from pathlib import Path
import sqlite3
from typing import Any, Self

from ..core.model import Flag, Kind, Micros, Series, SeriesKey, TimeRange
from ..core.rollup import Rollup
from . import anomalies, buckets, catalog, details, feed, forecasts, operations, rows, runs, sizes
from .base import Cursor, Detail, Last, RawRows, Sizes, StoredForecast
from .connection import connect_reader, in_store_words, snapshot
from .job import watermark
from .lineage import continued
from .tiers import DEFAULT_LADDER, HOURLY, Ladder


class StoreReader:
    """Answers questions from one read-only connection; use it on one thread at a time."""

    def __init__(self, path: Path, ladder: Ladder = DEFAULT_LADDER) -> None:
        """Open the file for reading.

        Raises:
            StoreError: it cannot be read.
        """
        self.path = path
        self._ladder = ladder
        with in_store_words(path):
            self._connection = connect_reader(path)

    def __enter__(self) -> Self:
        """Use the reader in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The read-only connection, for queries of views and analysis."""
        return self._connection

    def series(self) -> list[Series]:
        """Return every series and what is known about it."""
        with in_store_words(self.path):
            return catalog.load_series(self._connection)

    def continued(self) -> dict[SeriesKey, SeriesKey]:
        """Return, by the key of each series that goes on as another, the key of that one."""
        with in_store_words(self.path):
            return continued(self._connection)

    def raw(self, series: int, when: TimeRange) -> RawRows:
        """Return one series' rows in `when`, flagged ones included."""
        with in_store_words(self.path), snapshot(self._connection):
            return rows.read_series(self._connection, series, when)

    def raw_all(self, when: TimeRange) -> dict[int, RawRows]:
        """Return all series' rows in `when`."""
        with in_store_words(self.path), snapshot(self._connection):
            return rows.read_all(self._connection, when)

    def texts(self, codes: set[int]) -> dict[int, str]:
        """Return the texts of codes in `RawRows.texts` and text roll-ups."""
        with in_store_words(self.path):
            return {
                code: found[0]
                for code in codes
                if (found := self._connection.execute("SELECT value FROM text WHERE id = ?", (code,)).fetchone())
            }

    def tier(self, name: str, series: int, kind: Kind, when: TimeRange) -> Rollup:
        """Return one series' buckets that start in `when`; uncovered buckets are absent."""
        with in_store_words(self.path), snapshot(self._connection):
            return buckets.read_series(self._connection, self._ladder[name], series, kind, when)

    def tier_all(self, name: str, when: TimeRange) -> dict[tuple[int, Kind], Rollup]:
        """Return all series' buckets that start in `when`, by series and kind."""
        with in_store_words(self.path), snapshot(self._connection):
            return buckets.read_all(self._connection, self._ladder[name], when)

    def last(self) -> dict[int, Last]:
        """Return the newest known value of every series."""
        newest: dict[int, Last] = {}
        with in_store_words(self.path), snapshot(self._connection):
            for number, time, value, text, flag in self._connection.execute(
                "SELECT series, l.time, l.value, t.value, l.flag FROM last l"
                " LEFT JOIN text t ON t.id = l.text UNION ALL SELECT * FROM ("
                "SELECT series, l.time, l.value, t.value, l.flag FROM live l"
                f" LEFT JOIN text t ON t.id = l.text WHERE flag IN {_LAST_FLAGS} ORDER BY seq)"
            ):
                before = newest.get(number)
                if before and before.time > time:
                    continue
                if flag == Flag.GAP and before:
                    newest[number] = Last(time, before.value, before.text, Flag.GAP)
                else:
                    newest[number] = Last(time, value, text, Flag(flag))
        return newest

    def details(self, series: int, when: TimeRange) -> list[Detail]:
        """Return attributes and causes of one series' changes in `when`, oldest first."""
        with in_store_words(self.path), snapshot(self._connection):
            return details.read_series(self._connection, series, when)

    def forecasts(
        self,
        source: str,
        field: str | None = None,
        *,
        issued_before: Micros | None = None,
        limit: int = 1,
    ) -> list[StoredForecast]:
        """Return a source's newest forecasts, newest first."""
        with in_store_words(self.path), snapshot(self._connection):
            return forecasts.read(self._connection, source, field, issued_before=issued_before, limit=limit)

    def changes(self, cursor: Cursor, limit: int = 5000) -> feed.FeedBatch:
        """Return what was written after `cursor`."""
        with in_store_words(self.path):
            return feed.read(self._connection, self._ladder, cursor, limit)

    def newest_cursor(self) -> Cursor:
        """Return the cursor that skips everything written so far."""
        with in_store_words(self.path), snapshot(self._connection):
            return feed.newest(self._connection)

    def operations(self, since: Micros = 0) -> list[operations.Operation]:
        """Return what was done to the history since an instant, newest first."""
        with in_store_words(self.path):
            return operations.since(self._connection, since)

    def runs(self, when: TimeRange) -> list[tuple[Micros, Micros]]:
        """Return when the home was watched in `when`: start and end of each run."""
        with in_store_words(self.path):
            return runs.during(self._connection, when)

    def rolled_until(self) -> Micros | None:
        """Return up to when hours are rolled up, None before the first."""
        with in_store_words(self.path):
            return watermark(self._connection, HOURLY)

    def anomalies(self) -> dict[str, dict[str, Any]]:
        """Return what scans for anomalies left behind, by entity identity."""
        with in_store_words(self.path):
            return anomalies.load(self._connection)

    def sizes(self, *, by_series: bool = False) -> Sizes:
        """Measure what fills the file."""
        with in_store_words(self.path), snapshot(self._connection):
            return sizes.measure(self._connection, self._ladder, by_series=by_series)


_LAST_FLAGS = f"({int(Flag.OK)}, {int(Flag.GAP)}, {int(Flag.STUCK)}, {int(Flag.CYCLE)})"
