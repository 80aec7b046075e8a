"""Erasing series: their rows in every layer, and everything that only they referred to.

It is done a piece at a time, so that rows which come meanwhile never wait long. The rows of a few series go in one
transaction each; what only they referred to (attributes, causes, texts) is found out afterwards by looking through
what is left. Wherever it is cut off, the series are still known, so the same erasure can be asked for again: it finds
whatever is left, also what nothing refers to any more since the first attempt.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
import json
import sqlite3

import numpy as np

from ..core.model import Flag, Kind, TimeRange
from . import details
from .base import StoreError
from .catalog import Dictionaries
from .connection import transaction
from .keys import KINDS, MAX_SERIES, key_period
from .pace import Pace
from .sweep import WITH_TEXTS, text_codes
from .tiers import HOURLY, RAW, Tier
from .views import VIEWS
from .views.base import Shape

_BY_SERIES = ("live", "resume", "last", "carry", "base", "dirty", "changes", "kept_from", "view_area")
"""Tables with a column `series` whose rows go."""
_SERIES_AT_ONCE = 8
_CHUNKS_AT_ONCE = 100
"""Chunks read in one piece: some milliseconds."""
_DELETED_AT_ONCE = 2000
_PAGES_AT_ONCE = 1024
_NAME = "erasure"

type Key = tuple[str, str]
"""A measurement and an identity, by which forecasts are kept."""


@dataclass(slots=True)
class Erased:
    """What went, or would go: rows by layer and table, and the bytes of their chunks."""

    rows: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    texts: int = 0

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())

    def add(self, name: str, count: int) -> None:
        """Count rows of a layer or table."""
        self.rows[name] = self.rows.get(name, 0) + count


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is to be erased: series by number, names under which findings are kept, and forecasts.

    Series of `tellers` stay, without attributes that speak of one of the names.
    """

    series: Sequence[int]
    names: Collection[str] = ()
    forecasts: Collection[Key] = ()
    tellers: Collection[int] = ()


class Erasure:
    """An erasure under way; call `step` on the writer's thread, with anything else in between.

    `due_again` has views of a range worked out again, inside a transaction. Finished rows of views that tell of several
    entities together stay until then.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        tiers: Collection[Tier],
        dictionaries: Dictionaries,
        due_again: Callable[[TimeRange], None],
        doomed: Doomed,
        *,
        dry_run: bool,
    ) -> None:
        """Take what is to go; nothing has been done yet."""
        self.connection = connection
        self.done = Erased()
        self._tiers = tiers
        self._dictionaries = dictionaries
        self._due_again = due_again
        self._doomed = doomed
        self._dry_run = dry_run
        self._noted: dict[str, set[int]] = {}
        self._work = self._pieces()

    def step(self) -> bool:
        """Do one piece; return False when there was none left."""
        return next(self._work, False)

    def begin(self) -> None:
        """Have what is deleted from now on overwritten in the file; call it after compaction.

        Raises:
            StoreError: another erasure is under way, which would not know what this one deletes, nor this one it.
        """
        if self._dry_run:
            return
        if self._dictionaries.watched_by(_NAME):
            raise StoreError("an erasure is under way")
        self.connection.execute("PRAGMA secure_delete = ON").fetchall()
        # What is in use is looked up piece by piece; whatever gets into use meanwhile is noted here.
        self._noted = self._dictionaries.watch(_NAME)
        self._dictionaries.forget()

    def end(self) -> None:
        """Empty the log, which remembers what was deleted; call it however the erasure ended."""
        if self._dry_run:
            return
        self._dictionaries.unwatch(_NAME)
        _end(self.connection)

    def _pieces(self) -> Iterator[bool]:
        series = self._doomed.series
        for low in range(0, len(series), _SERIES_AT_ONCE):
            self._rows_of(series[low : low + _SERIES_AT_ONCE])
            yield True
        self._named()
        yield True
        yield from self._details()
        if self._dry_run:
            return
        yield from self._texts()
        while self.connection.execute("PRAGMA freelist_count").fetchone()[0]:
            # Free pages may still hold what was deleted before, when it was merely old.
            self.connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
            yield True

    # Rows

    def _rows_of(self, series: Sequence[int]) -> None:
        """Erase the rows of some series; all of them in one transaction, or a roll-up might bring some back."""
        which = f"({', '.join(str(int(number)) for number in series)})"
        with transaction(self.connection):
            for tier in self._tiers:
                self._chunks_of(tier, which)
            for table in (*_BY_SERIES, *(view.table for view in VIEWS if view.column(Shape.ENTITY))):
                self._delete(table, f"series IN {which}")

    def _chunks_of(self, tier: Tier, which: str) -> None:
        where = f"(key >> 4) & {MAX_SERIES} IN {which}"
        found = self.connection.execute(f"SELECT key, rows, length(blob) FROM {tier.table} WHERE {where}").fetchall()
        self.done.add(tier.name, sum(count for _, count, _ in found))
        self.done.bytes += sum(size for _, _, size in found)
        if self._dry_run or not found:
            return
        self.connection.executemany(f"DELETE FROM {tier.table} WHERE key = ?", [(key,) for key, _, _ in found])
        if tier.name == HOURLY:
            for period in sorted({key_period(key) for key, _, _ in found}):
                self._due_again(TimeRange(period * tier.span, (period + 1) * tier.span))

    def _named(self) -> None:
        with transaction(self.connection):
            for name in self._doomed.names:
                self._delete("anomaly", "entity = ?", name)
            for measurement, identity in self._doomed.forecasts:
                self._delete("forecast", "measurement = ? AND identity = ?", measurement, identity)

    def _delete(self, table: str, where: str, *values: object) -> None:
        count = self.connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}", values).fetchone()[0]
        self.done.add(table, int(count))
        if count and not self._dry_run:
            self.connection.execute(f"DELETE FROM {table} WHERE {where}", values)

    # What only they referred to

    def _details(self) -> Iterator[bool]:
        """Erase attributes and causes of the series' rows, then those that nothing refers to any more."""
        unused = {table: self._ids(table) for table in ("attributes", "cause")}
        for number, cause in self.connection.execute(
            "SELECT attributes, cause FROM live WHERE flag < ? AND (attributes IS NOT NULL OR cause IS NOT NULL)",
            (int(Flag.ATTRIBUTES),),
        ):
            unused["attributes"].discard(number)
            unused["cause"].discard(cause)
        self.done.add("detail", 0)
        doomed = details.Doomed(frozenset(self._doomed.series), frozenset(self._doomed.tellers), self._speaking())
        for low, high in self._ranges("detail_chunk"):
            with transaction(self.connection):
                count, *used = details.erase(self.connection, doomed, (low, high), dry_run=self._dry_run)
            self.done.add("detail", count)
            for left, numbers in zip(unused.values(), used, strict=True):
                left.difference_update(numbers)
            yield True
        if not self._dry_run:
            for table, left in unused.items():
                yield from self._forget(table, left)

    def _speaking(self) -> frozenset[int]:
        """Return the numbers of attributes that speak of one of the names."""
        return frozenset(
            number
            for name in self._doomed.names
            for (number,) in self.connection.execute(
                "SELECT id FROM attributes WHERE instr(json, ?)", (json.dumps(name, ensure_ascii=False),)
            )
        )

    def _texts(self) -> Iterator[bool]:
        """Erase the texts that nothing speaks of any more.

        Finer tiers are looked at before coarser ones: texts only ever move that way.
        """
        unused = self._ids("text")
        for table in WITH_TEXTS:
            unused -= {code for (code,) in self.connection.execute(f"SELECT DISTINCT text FROM {table}")}
        pace = Pace()
        text = KINDS.index(Kind.TEXT)
        for tier in self._tiers:
            where = "1" if tier.name == RAW else f"key & 15 = {text}"
            for low, high in self._ranges(tier.table):
                for key, blob in self.connection.execute(
                    f"SELECT key, blob FROM {tier.table} WHERE key > ? AND key <= ? AND {where}", (low, high)
                ):
                    for codes in text_codes(key, blob):
                        unused.difference_update(np.unique(codes).tolist())
                    pace.step()
                yield True
        yield from self._forget("text", unused)

    def _ids(self, table: str) -> set[int]:
        return {number for (number,) in self.connection.execute(f"SELECT id FROM {table} WHERE id > 0")}

    def _ranges(self, table: str) -> Iterator[tuple[int, int]]:
        """Yield half-open ranges of a table's keys as `(after, up to)`, with a few chunks in each."""
        low = -1
        while True:
            high = self.connection.execute(
                f"SELECT MAX(key) FROM (SELECT key FROM {table} WHERE key > ? ORDER BY key LIMIT {_CHUNKS_AT_ONCE})",
                (low,),
            ).fetchone()[0]
            if high is None:
                return
            yield low, high
            low = high

    def _forget(self, table: str, unused: set[int]) -> Iterator[bool]:
        """Delete entries of a dictionary, but those that have come into use meanwhile."""
        waiting = sorted(unused)
        for low in range(0, len(waiting), _DELETED_AT_ONCE):
            gone = [(number,) for number in waiting[low : low + _DELETED_AT_ONCE] if number not in self._noted[table]]
            with transaction(self.connection):
                self.connection.executemany(f"DELETE FROM {table} WHERE id = ?", gone)
            # Or it would go on giving out their numbers.
            self._dictionaries.forget()
            if table == "text":
                self.done.texts += len(gone)
            yield True


def forget(connection: sqlite3.Connection, series: Collection[int]) -> None:
    """Forget series whose rows are erased, without a trace of what they were called."""
    connection.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        with transaction(connection):
            connection.executemany("DELETE FROM series WHERE id = ?", [(number,) for number in series])
    finally:
        _end(connection)


def _end(connection: sqlite3.Connection) -> None:
    """Empty the log, which remembers what was deleted."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.execute("PRAGMA secure_delete = OFF").fetchall()


def forecast_keys(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Return measurement, identity and field of every forecast that is kept."""
    return connection.execute("SELECT DISTINCT measurement, identity, field FROM forecast").fetchall()
