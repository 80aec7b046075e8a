"""Attributes and causes of rows: kept apart from values, and for a shorter time."""

import json
import sqlite3
from typing import Any

import numpy as np

from ..core.model import Flag, Micros, TimeRange
from . import chunks
from .base import Detail
from .catalog import DEFINED_IN
from .connection import transaction
from .keys import NO_KIND, chunk_key
from .rows import RAW_SPAN, stored_periods


def read_series(connection: sqlite3.Connection, series: int, when: TimeRange) -> list[Detail]:
    """Return what is kept beside one series' rows in `when`, oldest first."""
    found: list[tuple[int, int, int]] = []
    for period in stored_periods(connection, "detail_chunk", RAW_SPAN, when):
        row = connection.execute(
            "SELECT blob FROM detail_chunk WHERE key = ?", (chunk_key(period, series, NO_KIND),)
        ).fetchone()
        if row and (columns := chunks.decode_sound(row[0])):
            found += zip(*(column.astype(np.int64).tolist() for column in columns), strict=True)
    found += connection.execute(
        "SELECT time, COALESCE(attributes, 0), COALESCE(cause, 0) FROM live WHERE series = ?"
        " AND flag < ? AND (attributes IS NOT NULL OR cause IS NOT NULL)",
        (series, int(Flag.ATTRIBUTES)),
    ).fetchall()
    merged: dict[int, tuple[int, int]] = {}
    for time, attributes, cause in sorted(found, key=lambda row: row[0]):
        if time in when:
            before = merged.get(time, (0, 0))
            merged[time] = (attributes or before[0], cause or before[1])
    return [_detail(connection, time, *ids) for time, ids in merged.items()]


def _detail(connection: sqlite3.Connection, time: Micros, attributes: int, cause: int) -> Detail:
    content = _defined(connection, Flag.ATTRIBUTES, attributes, "json")
    context = _defined(connection, Flag.CAUSE, cause, "json_array(context, parent, user)")
    return Detail(time, content, *(context or (None, None, None)))


def _defined(connection: sqlite3.Connection, what: Flag, number: int, column: str) -> Any:
    """Return what a number stands for: in its table, or still in `live`."""
    if not number:
        return None
    found = connection.execute(
        f"SELECT {column} FROM {DEFINED_IN[what]} WHERE id = ? UNION ALL"
        " SELECT cause FROM live WHERE flag = ? AND value = ? LIMIT 1",
        (number, int(what), number),
    ).fetchone()
    return json.loads(found[0]) if found else None


def prune(connection: sqlite3.Connection, before: Micros) -> int:
    """Delete details of periods that ended before an instant, and what only they referred to.

    Returns the number of chunks deleted. The attributes in force of each series stay: their last
    entry is what tells the attributes at every later moment.
    """
    limit = chunk_key(before // RAW_SPAN, 0, 0)
    keep = _newest_chunks(connection)
    old = [
        row[0]
        for row in connection.execute("SELECT key FROM detail_chunk WHERE key < ?", (limit,))
        if row[0] not in keep
    ]
    if not old:
        return 0
    with transaction(connection):
        connection.executemany("DELETE FROM detail_chunk WHERE key = ?", [(key,) for key in old])
        attributes, causes = _referred(connection)
        for table, used in (("attributes", attributes), ("cause", causes)):
            gone = [row for row in connection.execute(f"SELECT id FROM {table}").fetchall() if row[0] not in used]
            connection.executemany(f"DELETE FROM {table} WHERE id = ?", gone)
    return len(old)


def _newest_chunks(connection: sqlite3.Connection) -> set[int]:
    return {row[0] for row in connection.execute("SELECT MAX(key) FROM detail_chunk GROUP BY (key >> 4) & 1048575")}


def _referred(connection: sqlite3.Connection) -> tuple[set[int], set[int]]:
    attributes: set[int] = set()
    causes: set[int] = set()
    for (blob,) in connection.execute("SELECT blob FROM detail_chunk"):
        if columns := chunks.decode_sound(blob):
            attributes.update(columns[1].astype(np.int64).tolist())
            causes.update(columns[2].astype(np.int64).tolist())
    for attribute, cause in connection.execute(
        "SELECT attributes, cause FROM live WHERE flag < ? AND (attributes IS NOT NULL OR cause IS NOT NULL)",
        (int(Flag.ATTRIBUTES),),
    ):
        attributes.add(attribute)
        causes.add(cause)
    return attributes, causes
