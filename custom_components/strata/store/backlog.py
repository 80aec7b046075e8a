"""What a reader of the change feed has still to read: how much, in which portions, and what to give up of it.

The feed keeps no copy of anything: what waits are entries in `changes` with the chunks they point to, and rows in
`live`. The size of a backlog is the size of those.
"""

from dataclasses import dataclass, replace
import json
import sqlite3
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.model import Micros, SeriesKey
from . import chunks
from .base import Cursor, RawRows
from .connection import snapshot, transaction
from .feed import FeedBatch, newest, read as read_feed
from .keys import NO_KIND, chunk_key, key_series
from .rows import RAW_SPAN, VALUE_FLAGS, decode_rows
from .tiers import Ladder
from .views import VIEWS

_ENTRY_BYTES = 40
"""What one entry of `changes` takes, its share of the page included."""
_BUCKET_BYTES = 20
"""Upper bound of a stored roll-up row; several entries may point into one chunk, so its size cannot be used."""
_LIVE_BYTES = 40
_MOST_ENTRIES = 2_000
_RAW_NUMBER = 0
_FIRST_VIEW = min(view.number for view in VIEWS)
# SQLite gives << and | the same rank, so each has its own parentheses.
_KEY = f"((c.start / {RAW_SPAN}) << 24) | (c.series << 4) | {NO_KIND}"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits behind a cursor: feed entries, rows in them and in `live`, stored bytes."""

    entries: int = 0
    rows: int = 0
    bytes: int = 0

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return self.entries > 0 or self.rows > 0


def portion(connection: sqlite3.Connection, ladder: Ladder, cursor: Cursor, rows: int) -> FeedBatch:
    """Return the next entries of the feed, as many as hold about `rows` rows, at least one."""
    with snapshot(connection):
        wanted = count = 0
        for (size,) in connection.execute(
            f"SELECT CASE WHEN c.tier = 0 THEN r.rows WHEN c.tier < {_FIRST_VIEW} THEN 12 ELSE 200 END FROM changes c"
            f" LEFT JOIN raw_chunk r ON c.tier = 0 AND r.key = ({_KEY})"
            " WHERE c.seq > ? ORDER BY c.seq LIMIT ?",
            (cursor.changes, _MOST_ENTRIES),
        ):
            wanted, count = wanted + 1, count + (size or 0)
            if count >= rows:
                break
        return read_feed(connection, ladder, cursor, wanted or rows)


def begins_anew(connection: sqlite3.Connection, cursor: Cursor) -> bool:
    """Tell whether the file is not the one the cursor comes from: it has not come that far yet."""
    with snapshot(connection):
        return newest(connection).live < cursor.live


def chunk(connection: sqlite3.Connection, series: int, start: Micros) -> RawRows | None:
    """Return the raw rows of one series and hour that have left `live`, None when they are no longer kept."""
    key = chunk_key(start // RAW_SPAN, series, NO_KIND)
    found = connection.execute("SELECT blob FROM raw_chunk WHERE key = ?", (key,)).fetchone()
    return decode_rows(found[0]) if found else None


def measure(connection: sqlite3.Connection, ladder: Ladder, cursor: Cursor) -> Backlog:
    """Return what waits behind a cursor."""
    with snapshot(connection):
        entries = rows = size = 0
        for _, count, stored in _entries(connection, ladder, cursor):
            entries, rows, size = entries + 1, rows + count, size + stored
        (live,) = connection.execute(
            f"SELECT COUNT(*) FROM live WHERE seq > ? AND flag IN {VALUE_FLAGS}", (cursor.live,)
        ).fetchone()
    return Backlog(entries, rows + live, size + live * _LIVE_BYTES)


def shorten(connection: sqlite3.Connection, ladder: Ladder, cursor: Cursor, limit: int) -> tuple[Cursor, Backlog]:
    """Return a cursor behind which at most `limit` bytes of entries wait, and what it passes over: the oldest."""
    with snapshot(connection):
        waiting = list(_entries(connection, ladder, cursor))
    excess = sum(size for _, _, size in waiting) - limit
    entries = rows = passed = 0
    for seq, count, size in waiting:
        if passed >= excess:
            break
        entries, rows, passed = entries + 1, rows + count, passed + size
        cursor = replace(cursor, changes=seq)
    return cursor, Backlog(entries, rows, passed)


def _entries(connection: sqlite3.Connection, ladder: Ladder, cursor: Cursor) -> list[tuple[int, int, int]]:
    """Return sequence number, rows and bytes of each entry behind the cursor that has something for its reader."""
    steps = {tier.number: tier.step.total_seconds() * 1e6 for tier in ladder.tiers if tier.step is not None}
    found = []
    for seq, tier, rows, size, span in connection.execute(
        "SELECT c.seq, c.tier, r.rows, LENGTH(r.blob), c.stop - c.start FROM changes c"
        f" LEFT JOIN raw_chunk r ON c.tier = {_RAW_NUMBER} AND r.key = ({_KEY})"
        " WHERE c.seq > ? AND (c.tier != 0 OR c.upto > ?) ORDER BY c.seq",
        (cursor.changes, cursor.live),
    ):
        if tier == _RAW_NUMBER:
            found.append((seq, rows or 0, (size or 0) + _ENTRY_BYTES))
        else:
            buckets = max(1, round(span / steps.get(tier, span)))
            found.append((seq, buckets, buckets * _BUCKET_BYTES + _ENTRY_BYTES))
    return found


def chunk_keys(
    connection: sqlite3.Connection, table: str, after: int, before: int, series: frozenset[int] | None, limit: int
) -> list[tuple[int, int]]:
    """Return keys and row counts of a tier's chunks with `after` < key < `before`, in order, of some series or all."""
    if series is None:
        return list(
            connection.execute(
                f"SELECT key, rows FROM {table} WHERE key > ? AND key < ? ORDER BY key LIMIT ?", (after, before, limit)
            )
        )
    found = []
    for key, rows in connection.execute(
        f"SELECT key, rows FROM {table} WHERE key > ? AND key < ? ORDER BY key", (after, before)
    ):
        if key_series(key) in series:
            found.append((key, rows))
            if len(found) >= limit:
                break
    return found


def blob(connection: sqlite3.Connection, table: str, key: int) -> bytes | None:
    """Return one chunk as it is stored, None when it is no longer kept."""
    found = connection.execute(f"SELECT blob FROM {table} WHERE key = ?", (key,)).fetchone()
    return None if found is None else found[0]


def forecast_ids(connection: sqlite3.Connection, after: int, before: Micros | None, limit: int) -> list[int]:
    """Return the numbers of forecasts after one, in order; with `before`, only those issued before it."""
    return [
        number
        for (number,) in connection.execute(
            "SELECT id FROM forecast WHERE id > ? AND (? IS NULL OR issued < ?) ORDER BY id LIMIT ?",
            (after, before, before, limit),
        )
    ]


@dataclass(frozen=True, slots=True)
class ForecastRows:
    """A forecast as it was issued, as columns: when each slot starts, and its value."""

    key: SeriesKey
    unit: str
    issued: Micros
    starts: NDArray[np.int64]
    values: NDArray[np.float64]


def forecast(connection: sqlite3.Connection, number: int) -> ForecastRows | None:
    """Return one forecast, None when it is no longer kept or damaged."""
    found = connection.execute(
        "SELECT measurement, identity, field, unit, issued, blob FROM forecast WHERE id = ?", (number,)
    ).fetchone()
    if found is None:
        return None
    measurement, identity, field, unit, issued, content = found
    columns = chunks.decode_sound(content)
    if columns is None:
        return None
    starts, _, values = columns
    key = SeriesKey(measurement, identity, field)
    return ForecastRows(key, unit, issued, starts.astype(np.int64), values.astype(np.float64))


def newest_forecast(connection: sqlite3.Connection) -> int:
    """Return the number of the newest forecast, 0 when there is none."""
    return int(connection.execute("SELECT COALESCE(MAX(id), 0) FROM forecast").fetchone()[0])


def save_note(connection: sqlite3.Connection, name: str, note: object) -> None:
    """Keep a small JSON value by name, for a reader of the feed to find again after a restart; None forgets it."""
    with transaction(connection):
        if note is None:
            connection.execute("DELETE FROM meta WHERE name = ?", (f"note:{name}",))
        else:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"note:{name}", json.dumps(note)))


def load_note(connection: sqlite3.Connection, name: str) -> Any:
    """Return a value kept by `save_note`, None when there is none."""
    found = connection.execute("SELECT value FROM meta WHERE name = ?", (f"note:{name}",)).fetchone()
    return None if found is None else json.loads(found[0])
