"""Compaction: rows leave `live` for chunks, all in one transaction."""

from collections.abc import Iterator
import sqlite3
import time

import numpy as np
from numpy.typing import NDArray

from ..core.model import Flag, Micros
from . import details
from .base import CompactReport, RawRows
from .catalog import move_definitions
from .connection import transaction
from .keys import NO_KIND, chunk_key, key_period, key_range, key_series
from .pace import paced
from .rows import (
    RAW_SPAN,
    LiveRows,
    decode_rows,
    encode_rows,
    merge,
    read_live,
    take,
)
from .runs import keep_newest_number

_ROWS_AT_ONCE = 20_000
"""A transaction stays short and small in memory however much has piled up."""
_CHANGES_KEPT = 200_000
"""Change feed entries kept when nobody follows the feed."""


def compact(connection: sqlite3.Connection, until: Micros | None = None) -> CompactReport:
    """Move the rows of `live` that are older than `until` (None: all) into chunks."""
    began = time.perf_counter()
    rows = written = 0
    limit = 2**63 - 1 if until is None else until
    while True:
        with transaction(connection):
            taken, moved, count = _compact_batch(connection, limit)
        rows += moved
        written += count
        if taken < _ROWS_AT_ONCE:
            return CompactReport(rows, written, time.perf_counter() - began)


def compact_portion(connection: sqlite3.Connection, until: Micros) -> bool:
    """Move some of the rows that are older than `until`; return False when there are none left."""
    with transaction(connection):
        taken, _, _ = _compact_batch(connection, until)
    return taken == _ROWS_AT_ONCE


def _compact_batch(connection: sqlite3.Connection, until: Micros) -> tuple[int, int, int]:
    """Move one batch; return the rows of `live` taken, the values among them, and the chunks written."""
    taken, upto = connection.execute(
        "SELECT COUNT(*), MAX(seq) FROM (SELECT seq FROM live WHERE time < ? ORDER BY seq LIMIT ?)",
        (until, _ROWS_AT_ONCE),
    ).fetchone()
    if not taken:
        return 0, 0, 0
    live = read_live(connection, "time < ? AND seq <= ?", (until, upto))
    written = _move_values(connection, live)
    written += _move_details(connection, live)
    _move_resumes(connection, live)
    _move_heartbeats(connection, live)
    move_definitions(connection, upto, until)
    _save_last(connection, live)
    keep_newest_number(connection)
    connection.execute("DELETE FROM live WHERE seq <= ? AND time < ?", (upto, until))
    connection.execute(
        "DELETE FROM changes WHERE seq <= COALESCE((SELECT MIN(changes) FROM cursor),"
        " (SELECT MAX(seq) FROM changes) - ?)",
        (_CHANGES_KEPT,),
    )
    return taken, len(live), written


def _is(live: LiveRows, *flags: Flag) -> NDArray[np.bool_]:
    return np.isin(live.rows.flags, [int(flag) for flag in flags])


def _groups(
    period: NDArray[np.int64], series: NDArray[np.int64], times: NDArray[np.int64]
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Yield (period, series, indices in time order), writes of equal times in their order."""
    if not len(times):
        return
    order = np.lexsort((times, series, period))
    borders = np.flatnonzero((np.diff(period[order]) != 0) | (np.diff(series[order]) != 0)) + 1
    for group in np.split(order, borders):
        yield int(period[group[0]]), int(series[group[0]]), group


def _existing(connection: sqlite3.Connection, period: NDArray[np.int64]) -> set[int]:
    """Return the keys of the raw chunks there already in these periods."""
    return {
        key
        for wanted in np.unique(period).tolist()
        for (key,) in connection.execute(
            "SELECT key FROM raw_chunk WHERE key >= ? AND key < ?", key_range(wanted, wanted)
        )
    }


def _move_values(connection: sqlite3.Connection, live: LiveRows) -> int:
    which = np.flatnonzero(~_is(live, Flag.RESUME, Flag.HEARTBEAT, Flag.DETAIL))
    rows, series, seq = take(live.rows, which), live.series[which], live.seq[which]
    period = rows.times // RAW_SPAN
    existing = _existing(connection, period)
    written: list[tuple[int, int, bytes]] = []
    upto: list[int] = []
    for hour, number, group in paced(_groups(period, series, rows.times)):
        fresh = take(rows, group)
        newest = np.append(np.diff(fresh.times) > 0, [True])
        if not newest.all():
            fresh = take(fresh, newest)
        key = chunk_key(hour, number, NO_KIND)
        if key in existing:
            fresh = merge([_stored(connection, key), fresh])
        written.append((key, len(fresh), encode_rows(fresh)))
        upto.append(int(seq[group].max()))
    connection.executemany("INSERT OR REPLACE INTO raw_chunk VALUES (?, ?, ?)", paced(written))
    connection.executemany(
        "INSERT INTO changes (tier, series, start, stop, upto) VALUES (0, ?, ?, ?, ?)",
        [
            (key_series(key), key_period(key) * RAW_SPAN, (key_period(key) + 1) * RAW_SPAN, newest)
            for (key, _, _), newest in zip(written, upto, strict=True)
        ],
    )
    return len(written)


def _stored(connection: sqlite3.Connection, key: int) -> RawRows:
    return decode_rows(connection.execute("SELECT blob FROM raw_chunk WHERE key = ?", (key,)).fetchone()[0])


def _move_details(connection: sqlite3.Connection, live: LiveRows) -> int:
    which = np.flatnonzero((live.attributes > 0) | (live.causes > 0))
    return details.add(
        connection,
        np.stack((live.series[which], live.rows.times[which], live.attributes[which], live.causes[which])),
    )


def _move_resumes(connection: sqlite3.Connection, live: LiveRows) -> None:
    which = _is(live, Flag.RESUME)
    connection.executemany(
        "INSERT OR IGNORE INTO resume VALUES (?, ?)",
        zip(live.series[which].tolist(), live.rows.times[which].tolist(), strict=True),
    )


def _move_heartbeats(connection: sqlite3.Connection, live: LiveRows) -> None:
    which = _is(live, Flag.HEARTBEAT)
    if which.any():
        connection.execute(
            "UPDATE run SET alive = MAX(alive, ?) WHERE stop IS NULL",
            (int(live.rows.times[which].max()),),
        )


def _save_last(connection: sqlite3.Connection, live: LiveRows) -> None:
    # The known value first, then the gap that may follow it: a gap leaves the value standing.
    for flags in ((Flag.OK, Flag.STUCK, Flag.CYCLE), (Flag.GAP,)):
        which = np.flatnonzero(_is(live, *flags))
        if len(which):
            order = which[np.lexsort((live.rows.times[which], live.series[which]))]
            newest = order[np.append(np.diff(live.series[order]) != 0, [True])]
            save_newest(connection, "last", live.series[newest].tolist(), take(live.rows, newest))


def save_newest(connection: sqlite3.Connection, table: str, series: list[int], rows: RawRows) -> None:
    """Keep one row per series in `last` or `carry`, unless a newer one is there.

    A gap keeps the value before it: it no longer holds, but it is still the last one known.
    """
    connection.executemany(
        f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (series) DO UPDATE SET time = excluded.time, flag = excluded.flag,"
        f" value = IIF(excluded.flag = {int(Flag.GAP)}, value, excluded.value),"
        f" text = IIF(excluded.flag = {int(Flag.GAP)}, text, excluded.text)"
        " WHERE excluded.time >= time",
        [
            (number, moment, None if value != value else value, text, flag)  # noqa: PLR0124
            for number, moment, value, text, flag in zip(
                series,
                rows.times.tolist(),
                rows.values.tolist(),
                rows.texts.tolist(),
                rows.flags.tolist(),
                strict=True,
            )
        ],
    )
