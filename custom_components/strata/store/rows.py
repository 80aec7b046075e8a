"""Raw rows: from objects to `live`, from `live` and chunks to arrays."""

from collections.abc import Iterable, Iterator, Sequence, Set as AbstractSet
from dataclasses import dataclass
import sqlite3
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.model import EXCLUDED_FLAGS, Flag, TimeRange
from . import chunks
from .base import RawRows
from .keys import NO_KIND, chunk_key, key_period, key_ranges, key_series, periods
from .pace import paced
from .tiers import HOUR

RAW_SPAN = HOUR
NO_ROWS = RawRows(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int64), np.empty(0, np.int64))
_NO_VALUES = {Flag.RESUME, Flag.HEARTBEAT, Flag.DETAIL, Flag.ATTRIBUTES, Flag.CAUSE}
VALUE_FLAGS = f"({', '.join(str(int(flag)) for flag in Flag if flag not in _NO_VALUES)})"
"""SQL list of the flags whose rows are part of a series' history."""
_BATCH = 2000


def encode_rows(rows: RawRows) -> bytes:
    """Return rows as a chunk."""
    return chunks.encode([rows.times, rows.values, rows.texts, rows.flags])


def decode_rows(blob: bytes) -> RawRows:
    """Return a chunk's rows; none where it is damaged."""
    columns = chunks.decode_sound(blob)
    if columns is None:
        return NO_ROWS
    times, values, texts, flags = columns
    return RawRows(
        times.astype(np.int64, copy=False),
        values.astype(np.float64, copy=False),
        texts.astype(np.int64, copy=False),
        flags.astype(np.int64, copy=False),
    )


def cut(rows: RawRows, when: TimeRange) -> RawRows:
    """Return the rows inside `when`."""
    low, high = np.searchsorted(rows.times, (when.start, when.end))
    if low == 0 and high == len(rows):
        return rows
    return take(rows, slice(int(low), int(high)))


def take(rows: RawRows, which: slice | NDArray[np.int64] | NDArray[np.bool_]) -> RawRows:
    """Return some of the rows."""
    return RawRows(rows.times[which], rows.values[which], rows.texts[which], rows.flags[which])


def merge(parts: Sequence[RawRows]) -> RawRows:
    """Return the parts as one, in time order; of equal times the later part's row stays."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return NO_ROWS
    if len(parts) == 1:
        return parts[0]
    joined = RawRows(
        np.concatenate([p.times for p in parts]),
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.texts for p in parts]),
        np.concatenate([p.flags for p in parts]),
    )
    if (np.diff(joined.times) > 0).all():
        return joined
    order = np.argsort(joined.times, kind="stable")
    newest = np.append(np.diff(joined.times[order]) > 0, [True])
    return take(joined, order[newest])


def counted(rows: RawRows) -> RawRows:
    """Return the rows that roll-ups look at: everything but implausible values."""
    implausible = np.isin(rows.flags, [int(flag) for flag in EXCLUDED_FLAGS])
    return take(rows, ~implausible) if implausible.any() else rows


@dataclass(frozen=True, slots=True)
class LiveRows:
    """Rows of `live`, in the order they were written."""

    seq: NDArray[np.int64]
    series: NDArray[np.int64]
    rows: RawRows
    attributes: NDArray[np.int64]
    causes: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.seq)


def read_live(connection: sqlite3.Connection, where: str, parameters: Iterable[object]) -> LiveRows:
    """Return the rows of `live` that a condition selects, oldest write first, without definitions.

    Call it inside a snapshot or a transaction: what most rows do not have is read apart.
    """
    chosen = tuple(parameters)
    where = f"({where}) AND flag < {int(Flag.ATTRIBUTES)}"
    seq, series, time, value = _columns(connection, f"SELECT seq, series, time, value FROM live WHERE {where}", chosen)
    more = _columns(
        connection,
        "SELECT seq, text, flag, COALESCE(attributes, 0), COALESCE(cause, 0) FROM live"
        f" WHERE {where} AND (text != 0 OR flag != 0 OR attributes IS NOT NULL OR cause IS NOT NULL)",
        chosen,
    )
    place = np.searchsorted(seq, more[0])
    text, flag, attributes, cause = (_spread(column, place, len(seq)) for column in more[1:])
    rows = RawRows(time.astype(np.int64), value.astype(np.float64), text, flag)
    return LiveRows(seq.astype(np.int64), series.astype(np.int64), rows, attributes, cause)


def _columns(
    connection: sqlite3.Connection, statement: str, parameters: tuple[object, ...]
) -> list[NDArray[np.int64] | NDArray[np.float64]]:
    """Return a query's columns, in the order of the first one; `value` as floats, NULL as NaN.

    Rows are fetched in batches, so that no stretch of work under the interpreter's lock is long.
    """
    cursor = connection.execute(f"{statement} ORDER BY seq", parameters)
    types: list[type[Any]] = [np.float64 if column[0] == "value" else np.int64 for column in cursor.description]
    batches: list[list[Any]] = []
    while batch := cursor.fetchmany(_BATCH):
        columns = zip(types, zip(*batch, strict=True), strict=True)
        batches.append([np.array(column, kind) for kind, column in columns])
    if not batches:
        return [np.array([], kind) for kind in types]
    return [np.concatenate(columns) for columns in zip(*batches, strict=True)]


def _spread(
    column: NDArray[np.int64] | NDArray[np.float64], place: NDArray[np.int64], length: int
) -> NDArray[np.int64]:
    """Return the column with a 0 for every row that has none."""
    spread = np.zeros(length, np.int64)
    spread[place] = column
    return spread


def live_by_series(live: LiveRows) -> dict[int, RawRows]:
    """Return live rows apart by series, each in time order with the newest of equal times."""
    order = np.lexsort((live.rows.times, live.series))
    series = live.series[order]
    borders = np.flatnonzero(np.diff(series)) + 1
    return {int(live.series[group[0]]): _newest(take(live.rows, group)) for group in np.split(order, borders)}


def _newest(rows: RawRows) -> RawRows:
    keep = np.append(np.diff(rows.times) > 0, [True])
    return rows if keep.all() else take(rows, keep)


def stored_periods(connection: sqlite3.Connection, table: str, span: int, when: TimeRange) -> range:
    """Return the periods of `when` for which the table can hold anything."""
    low, high = connection.execute(f"SELECT (SELECT MIN(key) FROM {table}), (SELECT MAX(key) FROM {table})").fetchone()
    wanted = periods(span, when)
    if low is None or not len(wanted):
        return range(0)
    return range(max(wanted[0], key_period(low)), min(wanted[-1], key_period(high)) + 1)


def read_chunks(
    connection: sqlite3.Connection, table: str, spans: range, only: AbstractSet[int] | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield key and content of the chunks of all series, or of some, in the order of their keys."""
    for low, high in key_ranges(spans, only):
        for key, blob in connection.execute(
            f"SELECT key, blob FROM {table} WHERE key >= ? AND key < ? ORDER BY key", (low, high)
        ):
            if only is None or key_series(key) in only:
                yield key, blob


def read_series(connection: sqlite3.Connection, series: int, when: TimeRange) -> RawRows:
    """Return one series' rows in `when`, from chunks and `live` alike.

    Call it inside a snapshot: a compaction between the two reads would hide rows.
    """
    parts = []
    for period in stored_periods(connection, "raw_chunk", RAW_SPAN, when):
        found = connection.execute(
            "SELECT blob FROM raw_chunk WHERE key = ?", (chunk_key(period, series, NO_KIND),)
        ).fetchone()
        if found:
            parts.append(cut(decode_rows(found[0]), when))
    live = read_live(
        connection,
        f"series = ? AND time >= ? AND time < ? AND flag IN {VALUE_FLAGS}",
        (series, when.start, when.end),
    )
    if len(live):
        parts.append(live_by_series(live)[series])
    return merge(parts)


def read_all(
    connection: sqlite3.Connection, when: TimeRange, only: AbstractSet[int] | None = None
) -> dict[int, RawRows]:
    """Return every series' rows in `when`, or those of some; series without rows are left out."""
    parts: dict[int, list[RawRows]] = {}
    spans = stored_periods(connection, "raw_chunk", RAW_SPAN, when)
    for key, blob in paced(read_chunks(connection, "raw_chunk", spans, only)):
        rows = cut(decode_rows(blob), when)
        if len(rows):
            parts.setdefault(key_series(key), []).append(rows)
    live = read_live(
        connection,
        f"time >= ? AND time < ? AND flag IN {VALUE_FLAGS}",
        (when.start, when.end),
    )
    if len(live):
        for series, rows in live_by_series(live).items():
            if only is not None and series not in only:
                continue
            parts.setdefault(series, []).append(rows)
    return {series: merge(found) for series, found in paced(parts.items())}
