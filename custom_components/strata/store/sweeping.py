"""A sweep of the dictionaries as the store's worker does it: looking on a reader's thread, deleting on the writer's."""

from datetime import timedelta
from typing import TYPE_CHECKING

from ..core.model import Micros
from .base import StoreError
from .connection import in_store_words, snapshot
from .sweep import DETAILS, TEXTS, Sweep

if TYPE_CHECKING:
    from .maintenance import StoreMaintenance
    from .reader import StoreReader

TEXTS_EVERY = timedelta(days=6, hours=12)
"""Once a week, for a night's hour differs: what refers to texts is all of the store, and few homes have many new ones.
What refers to attributes and causes is thirty days of details, and most homes have new ones all the time."""
_SWEPT = "texts_swept"


class SweepRun:
    """A sweep under way: `look` until it returns False, then `step` until it does, then `end` however it went."""

    def __init__(self, store: StoreMaintenance, now: Micros, *, texts: bool | None = None) -> None:
        """Begin, on the writer's thread; nothing is deleted before the first step.

        Args:
            store: the open store.
            now: the present.
            texts: whether texts are swept too; None: when that was not done for a week.

        Raises:
            StoreError: the file cannot be used.
        """
        self._store, self._now = store, now
        connection = store._connection  # noqa: SLF001 - the other half of the store
        with in_store_words(store.path):
            self._texts = self._texts_due() if texts is None else texts
            dictionaries = store._dictionaries  # noqa: SLF001 - the other half of the store
            tables = (*DETAILS, TEXTS) if self._texts else DETAILS
            self._work = Sweep(connection, store.ladder.tiers, dictionaries, tables)
            self._work.begin()

    def _texts_due(self) -> bool:
        found = self._store._connection.execute(  # noqa: SLF001 - the other half of the store
            "SELECT value FROM meta WHERE name = ?", (_SWEPT,)
        ).fetchone()
        recent = self._now - TEXTS_EVERY // timedelta(microseconds=1)
        # A time to come is that of a clock that was ahead.
        return found is None or not recent < int(found[0]) <= self._now

    def look(self, reader: StoreReader) -> bool:
        """Look at a few things that may refer to entries; return False when everything was looked at.

        Raises:
            StoreError: the file cannot be read.
        """
        with in_store_words(self._store.path), snapshot(reader.connection):
            return self._work.look(reader.connection)

    def step(self) -> bool:
        """Delete some entries that nothing refers to, on the writer's thread; return False when there are none left.

        Raises:
            StoreError: the file is closed, another one by now, or cannot be written; what was deleted stays deleted.
        """
        store = self._store
        with in_store_words(store.path):
            if self._work.connection is not store._connection:  # noqa: SLF001 - the other half of the store
                raise StoreError(f"{store.path.name} is another file than the sweep began with")
            if self._work.step():
                return True
            if self._texts:
                self._work.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_SWEPT, self._now))
            return False

    def end(self) -> None:
        """Have nothing noted any more, on the writer's thread."""
        self._work.end()

    @property
    def deleted(self) -> dict[str, int]:
        """How many entries were deleted, by table."""
        return self._work.deleted
