"""The store: one SQLite file, one writer, any number of readers.

>>> store = SqliteStore(path, timezone="Europe/Berlin")      # doctest: +SKIP
>>> store.open()                                             # doctest: +SKIP
>>> power = store.series(key, kind=Kind.MEASUREMENT)         # doctest: +SKIP
>>> store.write([Row(power, time, 230.0)])                   # doctest: +SKIP
>>> store.roll_up(now)                                       # doctest: +SKIP
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
import sqlite3
import time
from typing import Self, override

from ..core.model import Flag, Forecast, Kind, Micros, Row, Series, SeriesKey, TimeRange
from ..core.texts import storable
from . import borders, buckets, catalog, forecasts, runs, schema
from .base import Counters, OpenReport, StoreError
from .connection import connect_writer, in_store_words, transaction
from .erase import Doomed, Erased, forget
from .erasing import ErasureRun, ForecastKey
from .job import watermark
from .maintenance import StoreMaintenance
from .reader import StoreReader
from .tiers import DAILY, DAY, DEFAULT_LADDER, HOUR, HOURLY, RAW, Ladder

_SLICE = 250
"""Rows per executemany: the work between two releases of the interpreter stays under 1 ms."""
_EARLIEST = 946_684_800_000_000
"""2000-01-01: rows dated before are a clock that was not set."""
_AHEAD = 30 * DAY
"""How far ahead of the clock a row may be dated: prices and forecasts are points, too."""
_INSERT = "INSERT INTO live VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_MARKS = frozenset({Flag.RESUME, Flag.DETAIL, Flag.HEARTBEAT})
"""Rows with these flags are not counted as values."""
_UNDATED = frozenset({Flag.DETAIL, Flag.HEARTBEAT})
"""Rows with these flags change no roll-up, however late they come."""


def now_micros() -> Micros:
    """Return the present."""
    return time.time_ns() // 1000


class SqliteStore(StoreMaintenance):
    """Writes and maintains the file. Not thread-safe: use it from one thread at a time.

    Every method that writes returns after COMMIT, and raises a `StoreError` otherwise: then
    nothing of that call was stored and the same call can be made again.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        timezone: str = "UTC",
        ladder: Ladder = DEFAULT_LADDER,
        now: Callable[[], Micros] = now_micros,
        steps: Sequence[schema.Step] = schema.STEPS,
    ) -> None:
        """Name the file; nothing is opened yet.

        Args:
            path: the database file; its folder has to exist.
            timezone: IANA name of the home's clock, which hour and day buckets follow.
            ladder: the tiers and how long they are kept.
            now: the clock.
            steps: schema migrations.
        """
        self.path = Path(path)
        self.timezone = timezone
        self.ladder = ladder
        self.counters = Counters()
        self._clock = now
        self._steps = steps
        self._opened: sqlite3.Connection | None = None
        self._catalog: dict[SeriesKey, Series] = {}
        self._by_id: dict[int, Series] = {}
        self._unsaved: dict[SeriesKey, Series] = {}
        self._run = 0
        self._alive: Micros = 0
        self._seq = 0
        self._rolled: Micros | None = None
        self._raw_from = self._hourly_from = borders.Kept()

    def __enter__(self) -> Self:
        """Open the store in a `with` block."""
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def open(self) -> OpenReport:
        """Open or create the file, bring its schema up to date and start a run.

        Raises:
            StoreTooNew: a newer Strata wrote it.
            StoreDamaged: it is not a sound database; see `health.set_aside`.
            StoreUnusable: it cannot be created or opened.
        """
        with in_store_words(self.path):
            connection = connect_writer(self.path)
            try:
                created = schema.version(connection) == 0
                schema.migrate(connection, self._steps)
                self._load(connection)
                started = self._now()
                with transaction(connection):
                    self._run, unclean, alive = runs.begin(connection, started)
                self._alive = max(started, alive or 0)
            except BaseException:
                connection.close()
                raise
        self._opened = connection
        self._dictionaries = catalog.Dictionaries(connection)
        return OpenReport(created, unclean, None, alive, started)

    def _load(self, connection: sqlite3.Connection) -> None:
        # Series objects given out before a reopening stay the ones that count.
        stored = catalog.load_series(connection)
        self._by_id.clear()
        for known in self._catalog.values():
            known.id = None
        for found in stored:
            series = self._catalog.setdefault(found.key, found)
            series.id = found.id
            self._by_id[found.id or 0] = series
        self._unsaved = {key: series for key, series in self._catalog.items() if series.id is None}
        self._seq = self._newest_number(connection)
        self._load_borders(connection)

    @staticmethod
    def _newest_number(connection: sqlite3.Connection) -> int:
        found = connection.execute(
            "SELECT MAX((SELECT COALESCE(MAX(seq), 0) FROM live),"
            " COALESCE((SELECT value FROM meta WHERE name = 'live_seq'), 0))"
        ).fetchone()
        return int(found[0])

    @override
    def _load_borders(self, connection: sqlite3.Connection) -> None:
        self._rolled = watermark(connection, HOURLY)
        self._raw_from = borders.load_borders(connection, self.timezone, RAW)
        self._hourly_from = borders.load_borders(connection, self.timezone, HOURLY)

    def split_run(self, ended: Micros, began: Micros) -> None:
        """End the run that is under way at one instant and begin another: nobody watched in between."""
        with in_store_words(self.path), transaction(self._connection):
            runs.end(self._connection, self._run, ended)
            self._run = runs.begin_another(self._connection, began)

    def doubt_clock(self, certain: Micros | None) -> None:
        """Keep that the clock is doubted, and the newest moment that was certain before; None: it is believed again."""
        with in_store_words(self.path), transaction(self._connection):
            runs.doubt(self._connection, certain)
        self._doubted = certain

    def move_rows(self, after: Micros, by: Micros) -> int:
        """Give rows of this run that a wrong clock dated after an instant another time; return how many those were.

        They have to be in `live` still: nothing is compacted while a clock is doubted.
        """
        with in_store_words(self.path), transaction(self._connection):
            moved = runs.move(self._connection, self._run, after, by)
            runs.keep_newest_number(self._connection)
        self._alive, self._seq = after, self._newest_number(self._connection)
        self._doubted = None
        return moved

    def close(self) -> None:
        """End the run, copy the WAL back into the file and close. Does nothing when closed."""
        if self._opened is None:
            return
        connection, self._opened = self._opened, None
        try:
            with in_store_words(self.path):
                with transaction(connection):
                    runs.end(connection, self._run, self._now())
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()

    def abandon(self) -> None:
        """Close without writing anything, as a damaged file has to be."""
        if self._opened is not None:
            connection, self._opened = self._opened, None
            connection.close()

    @override
    def _now(self) -> Micros:
        return self._clock()

    @property
    @override
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            raise StoreError(f"{self.path.name} is not open")
        return self._opened

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._opened is not None

    def reader(self) -> StoreReader:
        """Return a new reader of the same file."""
        return StoreReader(self.path, self.ladder)

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
        """Return the one object of a series, with what is known about it now.

        What changed is written with the next rows, or by `save_series`.
        """
        unit = storable(unit)
        labels = None if labels is None else {name: storable(label) for name, label in labels.items()}
        series = self._catalog.get(key)
        if series is None:
            series = Series(key, kind, unit, labels or {}, fine, monotonic)
            self._catalog[key] = self._unsaved[key] = series
            return series
        known = (series.kind, series.unit, series.labels, series.fine, series.monotonic)
        named = series.labels if labels is None else catalog.relabelled(series.labels, labels)
        given = (kind, unit, named, fine, monotonic)
        if known != given:
            series.kind, series.unit, series.labels, series.fine, series.monotonic = given
            self._unsaved[key] = series
        return series

    def find(self, key: SeriesKey) -> Series | None:
        """Return the series with this key, or None."""
        return self._catalog.get(key)

    def all_series(self) -> tuple[Series, ...]:
        """Return every series."""
        return tuple(self._catalog.values())

    def save_series(self) -> None:
        """Write what changed about series since the last write."""
        if self._unsaved:
            self.write(())

    def begin_erase(
        self,
        series: Sequence[Series],
        *,
        forecasts: Collection[ForecastKey] = (),
        tellers: Sequence[Series] = (),
        dry_run: bool = False,
    ) -> ErasureRun:
        """Return the erasing of series from every layer, which is then worked off a piece at a time; see `erase`.

        Series of `tellers` stay, without attributes that speak of entities whose series go.

        Raises:
            StoreError: another erasure is under way, or the file cannot be used.
        """
        doomed = Doomed(
            [one.id for one in series if one.id is not None],
            {name for one in series for name in (one.key.identity, one.labels.get("entity_id", "")) if name},
            forecasts,
            [one.id for one in tellers if one.id is not None],
        )
        self.compact()
        return ErasureRun(self, doomed, self._by_id, dry_run=dry_run)

    def erase(self, series: Sequence[Series], *, forget: bool = False, dry_run: bool = False) -> Erased:
        """Erase the rows of series from every layer, or say what that would be.

        With `forget` the series themselves go, too: those that nobody writes to any more.
        """
        run = self.begin_erase(series, dry_run=dry_run)
        try:
            while run.step():
                pass
        finally:
            done = run.end()
        if forget and not dry_run:
            self.forget(series)
        return done

    def forget(self, series: Sequence[Series]) -> None:
        """Forget series that nobody writes to any more and whose rows are erased."""
        with in_store_words(self.path):
            forget(self._connection, [one.id for one in series if one.id is not None])
        for one in series:
            self._catalog.pop(one.key, None)
            self._unsaved.pop(one.key, None)
            self._by_id.pop(one.id or 0, None)

    def write(
        self,
        rows: Iterable[Row],
        *,
        forecast: Iterable[tuple[str, SeriesKey, Forecast]] = (),
        heartbeat: Micros | None = None,
    ) -> int:
        """Store rows and forecasts in one transaction; return how many rows were taken.

        A row whose series and time are stored already replaces that one. Rows for hours whose
        raw rows are no longer kept are taken only where the hour has no roll-up yet; others are
        counted in `counters.too_late`. Rows older than the coarsest tier keeps, or more than 30
        days ahead of the clock, are counted in `counters.misdated`.

        `heartbeat` is an instant at which the home was certainly being watched. Should the process
        be killed, the run ends at the newest one: what was held after it is not known.

        Raises:
            StoreFull, StoreDamaged, StoreError: nothing was stored.
        """
        connection = self._connection
        seq, too_late, misdated = self._seq, self.counters.too_late, self.counters.misdated
        unsaved = dict(self._unsaved)
        try:
            with in_store_words(self.path), transaction(connection):
                self._save_series(connection, unsaved.values())
                stale: dict[int, tuple[Micros, Micros]] = {}
                count = self._insert(connection, rows, stale)
                self._mark_stale(connection, stale)
                for source, key, foreseen in forecast:
                    forecasts.save(connection, source, key, foreseen)
                if heartbeat is not None:
                    self._seq += 1
                    mark = (self._seq, 0, heartbeat, None, 0, int(Flag.HEARTBEAT), None, None)
                    connection.execute(_INSERT, mark)
        except BaseException:
            self._seq, self.counters.too_late, self.counters.misdated = seq, too_late, misdated
            self._dictionaries.forget()
            for key in unsaved:
                self._forget_unwritten(key)
            raise
        for key, series in unsaved.items():
            if self._unsaved.get(key) is series:
                del self._unsaved[key]
        self.counters.stored += count
        return count

    def _forget_unwritten(self, key: SeriesKey) -> None:
        series = self._catalog[key]
        if (
            series.id is not None
            and not self._connection.execute("SELECT 1 FROM series WHERE id = ?", (series.id,)).fetchone()
        ):
            self._by_id.pop(series.id, None)
            series.id = None

    def _save_series(self, connection: sqlite3.Connection, unsaved: Iterable[Series]) -> None:
        for series in unsaved:
            series.id = catalog.save_series(connection, series)
            self._by_id[series.id] = series

    def _insert(
        self,
        connection: sqlite3.Connection,
        rows: Iterable[Row],
        stale: dict[int, tuple[Micros, Micros]],
    ) -> int:
        waiting: list[tuple[object, ...]] = []
        count = 0
        rolled = self._rolled if self._rolled is not None else 0
        earliest, latest = self._believable()
        for row in rows:
            if not earliest <= row.time < latest:
                self.counters.misdated += 1
                continue
            if row.time < rolled and row.flag not in _UNDATED and not self._late(connection, row, stale):
                continue
            waiting.append(self._encode(row, waiting))
            count += row.flag not in _MARKS
            if len(waiting) >= _SLICE:
                connection.executemany(_INSERT, waiting)
                waiting.clear()
        connection.executemany(_INSERT, waiting)
        return count

    def _believable(self) -> tuple[Micros, Micros]:
        """Return from when to when a row may be dated.

        A board without a clock starts in 1970, and a row from there would have its value held for
        half a century of hours. Rows are dated after the run before, whatever the clock says.
        """
        keep = self.ladder.tiers[-1].keep
        now = self._now()
        oldest = _EARLIEST if keep is None else now - int(keep.total_seconds()) * 1_000_000
        return max(oldest, _EARLIEST), max(now, self._alive) + _AHEAD

    def _encode(self, row: Row, waiting: list[tuple[object, ...]]) -> tuple[object, ...]:
        series, moment, value, text, flag, attributes, cause = row
        number = series.id or 0
        content = reason = None
        if attributes is not None:
            content = self._dictionaries.attributes(number, attributes)
        if cause is not None:
            reason, linked = self._dictionaries.cause(number, moment, cause)
            for other, when, shared in linked:
                self._seq += 1
                waiting.append((self._seq, other, when, None, 0, int(Flag.DETAIL), None, shared))
        for what, defined, meaning in self._dictionaries.definitions:
            self._seq += 1
            waiting.append((self._seq, 0, moment, defined, 0, int(what), None, meaning))
        self._dictionaries.definitions.clear()
        self._seq += 1
        code = 0 if text is None else self._dictionaries.text(text)
        return (self._seq, number, moment, value, code, int(flag), content, reason)

    def _late(self, connection: sqlite3.Connection, row: Row, stale: dict[int, tuple[Micros, Micros]]) -> bool:
        """Note a row for a bucket that is rolled up already; return False when it is too late."""
        number = row.series.id or 0
        if self._has_bucket(connection, row):
            self.counters.too_late += 1
            return False
        low, high = stale.get(number, (row.time, row.time))
        stale[number] = (min(low, row.time), max(high, row.time))
        return True

    def _has_bucket(self, connection: sqlite3.Connection, row: Row) -> bool:
        """Tell whether the row's time is rolled up already in a tier whose source is gone."""
        for tier, kept, longest in ((HOURLY, self._raw_from, 2 * HOUR), (DAILY, self._hourly_from, 2 * DAY)):
            if row.time >= kept[row.series.id or 0]:
                continue
            around = TimeRange(row.time - longest, row.time + 1)
            rolled = buckets.read_series(connection, self.ladder[tier], row.series.id or 0, row.series.kind, around)
            if bool(((rolled.starts <= row.time) & (row.time < rolled.ends)).any()):
                return True
        return False

    def _mark_stale(self, connection: sqlite3.Connection, stale: Mapping[int, tuple[Micros, Micros]]) -> None:
        connection.executemany(
            "INSERT INTO dirty VALUES (?, ?, ?) ON CONFLICT (series) DO UPDATE SET"
            " start = MIN(start, excluded.start), stop = MAX(stop, excluded.stop)",
            [(number, low, high) for number, (low, high) in stale.items()],
        )
