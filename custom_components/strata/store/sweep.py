"""Dictionaries without what nothing refers to any more: texts, attributes and causes whose last row is gone.

Two parts: looking, through whatever can refer to an entry, and deleting the entries that nothing does. Looking needs
no more than a reader, so rows are written meanwhile; whatever comes into use in that time is noted by the dictionaries.
Nothing is deleted before everything was looked at, and an entry is deleted for good in one transaction, so it makes no
difference where it is cut off.

References move while they are looked for, but only towards where nobody has looked yet: from `live` into chunks of
rows, from rows into roll-ups, from finer ones into coarser ones. So they are looked for in this order.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
import sqlite3

import numpy as np
from numpy.typing import NDArray

from ..core.model import Flag, Kind
from . import buckets, details, rows
from .catalog import DEFINED_IN, Dictionaries
from .connection import snapshot, transaction
from .keys import KINDS, NO_KIND, key_kind
from .pace import Pace, paced
from .tiers import RAW, Tier

TEXTS = "text"
DETAILS = tuple(DEFINED_IN.values())
WITH_TEXTS = ("live", "last", "carry", "base")
"""Tables whose rows refer to texts by themselves."""
_CHUNKS_AT_ONCE = 100
"""Chunks looked at in one piece: some milliseconds."""
_ENTRIES_AT_ONCE = 20_000
"""Entries of a dictionary compared with what is in use, in one piece."""
_DELETED_AT_ONCE = 500
"""Entries deleted in one transaction: their pages lie anywhere in the file."""
_BATCH = 1000
_OVERWRITE_FAST = 2
"""Of `PRAGMA secure_delete`: what is deleted is overwritten where that costs no page more."""


type Ids = NDArray[np.int64]
type Piece = Callable[[sqlite3.Connection], bool]
"""Looks at a few things; returns whether there are more."""


def text_codes(key: int, blob: bytes) -> Iterator[Ids]:
    """Yield the codes of texts that a chunk speaks of, and perhaps some that no text has."""
    if key_kind(key) == NO_KIND:
        yield rows.decode_rows(blob).texts
    elif KINDS[key_kind(key)] is Kind.TEXT:
        rolled = buckets.decode_buckets(blob, Kind.TEXT)
        yield rolled.states.code
        for end in ("first", "last"):
            yield rolled.columns[end].astype(np.int64, copy=False)


class _Used:
    """Numbers that are in use."""

    def __init__(self) -> None:
        self._known: Ids = np.empty(0, np.int64)
        self._fresh: list[Ids] = []
        self._waiting = 0

    def add(self, numbers: Ids) -> None:
        """Note some, in any order."""
        distinct = _distinct(numbers)
        self._fresh.append(distinct)
        self._waiting += len(distinct)
        if self._waiting > len(self._known) + _ENTRIES_AT_ONCE:
            self.all()

    def all(self) -> Ids:
        """Return them in order, each once."""
        if self._fresh:
            self._known = _distinct(np.concatenate((self._known, *self._fresh)))
            self._fresh, self._waiting = [], 0
        return self._known

    def without(self, numbers: Ids) -> Ids:
        """Return those of some numbers that are not in use."""
        used = self.all()
        if not len(used):
            return numbers
        place = np.minimum(np.searchsorted(used, numbers), len(used) - 1)
        unused: Ids = numbers[used[place] != numbers]
        return unused


def _distinct(numbers: Ids) -> Ids:
    """Return numbers in order, each once. Millions of them: `np.unique` keeps the interpreter for all of it."""
    ordered = np.sort(numbers)
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    distinct: Ids = ordered[first]
    return distinct


class Sweep:
    """A sweep under way: `begin` on the writer's thread, `look` anywhere, then `step` on the writer's until it is done.

    `end` it however it went.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        tiers: Collection[Tier],
        dictionaries: Dictionaries,
        tables: Collection[str] = (*DETAILS, TEXTS),
    ) -> None:
        """Take the dictionaries to sweep; nothing has been done yet."""
        self.connection = connection
        self._dictionaries = dictionaries
        self._used = {table: _Used() for table in tables}
        self._pieces = deque(self._all_pieces(tiers))
        self._unused: deque[tuple[str, Ids]] = deque()
        self._noted: dict[str, set[int]] = {}
        self._newest: dict[str, int] = {}
        self.deleted = dict.fromkeys(tables, 0)

    def begin(self) -> None:
        """Have whatever comes into use from now on noted."""
        self._noted = self._dictionaries.watch(self)
        for table in self._used:
            newest = self.connection.execute(f"SELECT MAX(id) FROM {table}").fetchone()[0]
            self._newest[table] = 0 if newest is None else int(newest)

    def end(self) -> None:
        """Note nothing any more."""
        self._dictionaries.unwatch(self)

    # Looking

    def look(self, connection: sqlite3.Connection) -> bool:
        """Look at a few things with any connection to the file; return False when everything was looked at."""
        if not self._pieces:
            return False
        if not self._pieces[0](connection):
            self._pieces.popleft()
        return True

    def _all_pieces(self, tiers: Collection[Tier]) -> Iterator[Piece]:
        yield self._rows
        if self._used.keys() & {*DETAILS}:
            yield self._chunks("detail_chunk", self._details)
        if TEXTS in self._used:
            text = KINDS.index(Kind.TEXT)
            for tier in tiers:
                yield self._chunks(tier.table, self._texts, "1" if tier.name == RAW else f"key & 15 = {text}")
        for table in self._used:
            yield self._entries(table)

    def _rows(self, connection: sqlite3.Connection) -> bool:
        """Look at what refers to entries row by row: all at once, for such rows move from table to table."""
        with snapshot(connection):
            for table in self._used.keys() & {*DETAILS}:
                # The column is called `attributes` or `cause`, as its table is.
                self._add(table, connection, f"SELECT DISTINCT {table} FROM live WHERE flag < {int(Flag.ATTRIBUTES)}")
            if TEXTS in self._used:
                for table in WITH_TEXTS:
                    self._add(TEXTS, connection, f"SELECT DISTINCT text FROM {table}")
        return False

    def _add(self, table: str, connection: sqlite3.Connection, query: str) -> None:
        found = [number for (number,) in paced(connection.execute(query)) if number]
        self._used[table].add(np.array(found, np.int64))

    def _chunks(self, table: str, look: Callable[[int, bytes], None], where: str = "1") -> Piece:
        """Return a piece for the chunks of a table that look like anything, oldest first."""
        after = -1

        def piece(connection: sqlite3.Connection) -> bool:
            nonlocal after
            count = 0
            for key, blob in paced(
                connection.execute(
                    f"SELECT key, blob FROM {table} WHERE key > ? AND {where} ORDER BY key LIMIT {_CHUNKS_AT_ONCE}",
                    (after,),
                )
            ):
                look(key, blob)
                after = key
                count += 1
            return count == _CHUNKS_AT_ONCE

        return piece

    def _details(self, _key: int, blob: bytes) -> None:
        _, _, *numbers = details.decoded(blob)
        for table, column in zip(DETAILS, numbers, strict=True):
            if table in self._used:
                self._used[table].add(column)

    def _texts(self, key: int, blob: bytes) -> None:
        for codes in text_codes(key, blob):
            if codes.any():
                self._used[TEXTS].add(codes)

    def _entries(self, table: str) -> Piece:
        """Return a piece for a dictionary's entries, of which those that nothing refers to are to be deleted.

        The newest one stays in any case, so that no number of a text is ever given to another one.
        """
        after = 0

        def piece(connection: sqlite3.Connection) -> bool:
            nonlocal after
            found = _column(
                connection,
                f"SELECT id FROM {table} WHERE id > ? AND id < ? ORDER BY id LIMIT {_ENTRIES_AT_ONCE}",
                (after, self._newest[table] + (table != TEXTS)),
            )
            unused = self._used[table].without(found)
            self._unused.extend(
                (table, unused[low : low + _DELETED_AT_ONCE]) for low in range(0, len(unused), _DELETED_AT_ONCE)
            )
            after = int(found[-1]) if len(found) else after
            return len(found) == _ENTRIES_AT_ONCE

        return piece

    # Deleting

    def step(self) -> bool:
        """Delete some of the entries that nothing refers to; return False when there are none left."""
        if self._pieces or not self._unused:
            return False
        table, numbers = self._unused.popleft()
        gone = [number for number in numbers.tolist() if number not in self._noted[table]]
        before = self.connection.execute("PRAGMA secure_delete").fetchone()[0]
        if not before:
            self.connection.execute(f"PRAGMA secure_delete = {_OVERWRITE_FAST}").fetchall()
        try:
            with transaction(self.connection):
                self.connection.executemany(f"DELETE FROM {table} WHERE id = ?", paced((number,) for number in gone))
        finally:
            if not before:
                self.connection.execute("PRAGMA secure_delete = OFF").fetchall()
        self._dictionaries.drop(table, frozenset(gone))
        self.deleted[table] += len(gone)
        return True


def _column(connection: sqlite3.Connection, query: str, parameters: tuple[int, ...]) -> Ids:
    """Return a query's numbers, without keeping the interpreter for long."""
    cursor, pace = connection.execute(query, parameters), Pace()
    found = [np.empty(0, np.int64)]
    while batch := cursor.fetchmany(_BATCH):
        found.append(np.fromiter((number for (number,) in batch), np.int64, len(batch)))
        pace.step()
    return np.concatenate(found)
