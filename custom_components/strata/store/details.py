"""Attributes and causes of rows: kept apart from values, and for a shorter time.

Few rows have any, so one chunk holds those of all series in an hour: columns series, time, number
of attributes, number of cause (0 for none), in the order of series and time.
"""

from dataclasses import dataclass
import json
import sqlite3
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.model import Flag, Micros, TimeRange
from . import chunks
from .base import Detail
from .catalog import DEFINED_IN
from .connection import transaction
from .keys import NO_KIND, chunk_key, key_period
from .pace import paced
from .rows import RAW_SPAN, stored_periods

type Columns = NDArray[np.int64]
"""Four rows: series, time, attributes, cause."""

_HOURS_AT_ONCE = 24
_NONE = np.empty((4, 0), np.int64)


def add(connection: sqlite3.Connection, fresh: Columns) -> int:
    """Put details into the chunks of their hours; return how many chunks that were."""
    period = fresh[1] // RAW_SPAN
    hours = np.unique(period).tolist()
    for hour in hours:
        _write(connection, hour, np.concatenate((_stored(connection, hour), fresh[:, period == hour]), axis=1))
    return len(hours)


def _write(connection: sqlite3.Connection, hour: int, columns: Columns) -> None:
    columns = columns[:, np.lexsort((columns[1], columns[0]))]
    connection.execute(
        "INSERT OR REPLACE INTO detail_chunk VALUES (?, ?, ?)",
        (chunk_key(hour, 0, NO_KIND), columns.shape[1], chunks.encode(list(columns))),
    )


def _stored(connection: sqlite3.Connection, hour: int) -> Columns:
    found = connection.execute("SELECT blob FROM detail_chunk WHERE key = ?", (chunk_key(hour, 0, NO_KIND),)).fetchone()
    return _NONE if found is None else decoded(found[0])


def decoded(blob: bytes) -> Columns:
    """Return the details of a chunk; none where it is damaged."""
    columns = chunks.decode_sound(blob)
    return _NONE if columns is None else np.array(columns, np.int64)


def read_series(connection: sqlite3.Connection, series: int, when: TimeRange) -> list[Detail]:
    """Return what is kept beside one series' rows in `when`, oldest first."""
    found: list[tuple[int, int, int]] = []
    for period in stored_periods(connection, "detail_chunk", RAW_SPAN, when):
        columns = _stored(connection, period)
        found += zip(*columns[1:, columns[0] == series].tolist(), strict=True)
    found += connection.execute(
        "SELECT time, COALESCE(attributes, 0), COALESCE(cause, 0) FROM live WHERE series = ?"
        " AND flag < ? AND (attributes IS NOT NULL OR cause IS NOT NULL) ORDER BY seq",
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


class Pruning:
    """Deletes details of hours that ended before an instant, some hours in each transaction; `step` until it is done.

    The newest attributes of each series stay: they are in force until there are others. So the newest hours come first;
    where it is cut off, the older ones are left for the next time.
    """

    def __init__(self, connection: sqlite3.Connection, before: Micros) -> None:
        """Begin; nothing is deleted before the first step."""
        self._connection = connection
        self._until = chunk_key(before // RAW_SPAN, 0, 0)
        self._met = np.empty(0, np.int64)
        self.deleted = 0

    def step(self) -> bool:
        """Look at a few hours; return False when there were none left."""
        old = self._connection.execute(
            f"SELECT key, blob FROM detail_chunk WHERE key < ? ORDER BY key DESC LIMIT {_HOURS_AT_ONCE}", (self._until,)
        ).fetchall()
        if not old:
            return False
        self._until = int(old[-1][0])
        columns = np.concatenate([decoded(blob) for _, blob in paced(old)], axis=1)
        newest = _newest_attributes(columns)
        kept = columns[:, newest[~np.isin(columns[0, newest], self._met)]]
        self._met = np.union1d(self._met, kept[0])
        if gone := int(columns.shape[1] - kept.shape[1]):
            with transaction(self._connection):
                self._connection.executemany("DELETE FROM detail_chunk WHERE key = ?", [(key,) for key, _ in old])
                add(self._connection, kept)
            self.deleted += gone
        return True


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is to go: all beside the rows of `series`, and certain attributes beside those of `tellers`."""

    series: frozenset[int]
    tellers: frozenset[int] = frozenset()
    attributes: frozenset[int] = frozenset()

    def among(self, columns: Columns) -> NDArray[np.bool_]:
        """Return which details of a chunk go."""
        telling = np.isin(columns[0], [*self.tellers]) & np.isin(columns[2], [*self.attributes])
        return np.isin(columns[0], [*self.series]) | telling


def erase(
    connection: sqlite3.Connection, doomed: Doomed, keys: tuple[int, int], *, dry_run: bool = False
) -> tuple[int, set[int], set[int]]:
    """Delete what is kept beside the rows of some series in the chunks after one key and up to another.

    Returns how many there were, and the numbers of attributes and causes that the others in these chunks refer to.
    Call it in a transaction.
    """
    count = 0
    attributes: set[int] = set()
    causes: set[int] = set()
    for key, blob in connection.execute(
        "SELECT key, blob FROM detail_chunk WHERE key > ? AND key <= ?", keys
    ).fetchall():
        columns = decoded(blob)
        gone = doomed.among(columns)
        attributes.update(columns[2, ~gone].tolist())
        causes.update(columns[3, ~gone].tolist())
        count += int(gone.sum())
        if dry_run or not gone.any():
            continue
        if gone.all():
            connection.execute("DELETE FROM detail_chunk WHERE key = ?", (key,))
        else:
            _write(connection, key_period(key), columns[:, ~gone])
    return count, attributes, causes


def _newest_attributes(columns: Columns) -> NDArray[np.int64]:
    """Return the places of the newest entry with attributes of each series."""
    with_any = np.flatnonzero(columns[2] > 0)
    order = with_any[np.lexsort((columns[1, with_any], columns[0, with_any]))]
    newest = np.append(np.diff(columns[0, order]) != 0, [True])[: len(order)]
    return np.compress(newest, order)
