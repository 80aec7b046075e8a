"""A simulated year of a home, written day by day as fast as chunks can be made; the same for the same seed.

The sorts of entities and their shares of all changes are those of `home_events`; values are drawn with numpy and go
into raw chunks without passing `live`, which is how they would lie there after compaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from pathlib import Path
import sqlite3

from scripts.benchmarks.home_events import SORTS, START, Sort, series_of

# isort: split
import numpy as np
from numpy.typing import NDArray

from custom_components.strata.core.model import Kind, Series
from custom_components.strata.store.base import RawRows
from custom_components.strata.store.connection import transaction
from custom_components.strata.store.keys import NO_KIND, chunk_key
from custom_components.strata.store.rows import RAW_SPAN, encode_rows, take
from custom_components.strata.store.sqlite import SqliteStore

DAY = 24 * 3_600_000_000
MODES = ("idle", "heating", "cooling", "drying", "defrosting")


@dataclass(slots=True)
class _Entity:
    """One entity: its series, its share of all changes, the value it has."""

    sort: Sort
    series: Series
    share: float
    value: float


class Year:
    """Writes one day after another into a store, raw rows only; `roll_up` and the ladder are the caller's."""

    def __init__(
        self, store: SqliteStore, *, per_day: int, start: int = START, seed: int = 1, sorts: Sequence[Sort] = SORTS
    ) -> None:
        """Make the home's entities, 150 unless other sorts are given, known to an open store."""
        self.start = start
        self._store = store
        self._per_day = per_day
        self._random = np.random.default_rng(seed)
        every = [(sort, number) for sort in sorts for number in range(sort.count)]
        weights = np.array([sort.share / sort.count for sort, _ in every])
        weights = weights * self._random.uniform(0.3, 1.7, len(every))
        starts = self._random.uniform(0.8, 1.2, len(every))
        self._entities = [
            _Entity(sort, series_of(store, sort, number), share, sort.start * begin)
            for (sort, number), share, begin in zip(every, weights / weights.sum(), starts, strict=True)
        ]
        store.save_series()
        self._codes = np.array(store.transact(_codes), np.int64)

    def day(self, number: int) -> dict[int, RawRows]:
        """Return the rows of a day by series."""
        begin = self.start + number * DAY
        counts = self._random.poisson([self._per_day * entity.share for entity in self._entities])
        return {
            entity.series.id or 0: self._rows(entity, begin, int(count))
            for entity, count in zip(self._entities, counts, strict=True)
        }

    def write_day(self, number: int) -> int:
        """Write a day in one transaction; return how many rows it had."""
        return write_rows(self._store, self.day(number))

    def _rows(self, entity: _Entity, begin: int, count: int) -> RawRows:
        times = np.unique(self._random.integers(begin, begin + DAY, count))
        count = len(times)
        zeros = np.zeros(count, np.int64)
        if entity.sort.kind is Kind.TEXT:
            return RawRows(times, np.full(count, np.nan), self._random.choice(self._codes, count), zeros)
        return RawRows(times, self._values(entity, count), zeros, zeros)

    def _values(self, entity: _Entity, count: int) -> NDArray[np.float64]:
        sort = entity.sort
        if not count:
            return np.empty(0)
        if sort.kind is Kind.ON_OFF:
            values = (np.arange(count) + round(min(1.0, max(0.0, entity.value))) + 1) % 2.0
        elif sort.kind is Kind.METER:
            values = np.round(entity.value + np.cumsum(self._random.exponential(sort.step, count)), sort.decimals)
        else:
            # A walk that is drawn back to where it began: a temperature is not 200 degrees after a year.
            steps = self._random.normal(0, sort.step, count)
            walk = np.cumsum(steps)
            pull = np.linspace(0, 1, count) * (walk[-1] + (entity.value - sort.start) * 0.5)
            values = np.round(entity.value + walk - pull, sort.decimals)
        entity.value = float(values[-1])
        return values


def _codes(connection: sqlite3.Connection) -> list[int]:
    """Return the codes of `MODES`."""
    connection.executemany(
        "INSERT OR IGNORE INTO text (id, value) SELECT MAX(MAX(id), 0) + 1, ? FROM text", [(mode,) for mode in MODES]
    )
    codes = dict(connection.execute("SELECT value, id FROM text").fetchall())
    return [codes[mode] for mode in MODES]


def write_rows(store: SqliteStore, found: dict[int, RawRows]) -> int:
    """Write rows by series into raw chunks; return how many there were."""
    written: list[tuple[int, int, bytes]] = []
    for number, rows in found.items():
        periods = rows.times // RAW_SPAN
        borders = np.flatnonzero(np.diff(periods)) + 1
        for part in np.split(np.arange(len(rows)), borders) if len(rows) else []:
            key = chunk_key(int(periods[part[0]]), number, NO_KIND)
            written.append((key, len(part), encode_rows(take(rows, slice(int(part[0]), int(part[-1]) + 1)))))
    written.sort()
    store.transact(lambda connection: connection.executemany("INSERT INTO raw_chunk VALUES (?, ?, ?)", written))
    return sum(count for _, count, _ in written)


class PlainRows:
    """The same rows as a plain SQLite table, one row for each, found by series and time."""

    def __init__(self, path: Path) -> None:
        """Make the file."""
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(
            "CREATE TABLE state (series INTEGER, time INTEGER, value REAL, text INTEGER,"
            " PRIMARY KEY (series, time)) WITHOUT ROWID"
        )

    def write(self, found: dict[int, RawRows]) -> None:
        """Append a day."""
        with transaction(self._connection):
            for number, rows in found.items():
                values = [None if math.isnan(value) else value for value in rows.values.tolist()]
                texts = [text or None for text in rows.texts.tolist()]
                same = [number] * len(rows)
                self._connection.executemany(
                    "INSERT INTO state VALUES (?, ?, ?, ?)",
                    zip(same, rows.times.tolist(), values, texts, strict=True),
                )

    def close(self) -> int:
        """Write everything into the file, and return its bytes."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.close()
        return self.path.stat().st_size
