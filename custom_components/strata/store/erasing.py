"""An erasure as the store's worker does it: piece by piece on the writer's thread, with anything else in between."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..core.model import Series
from .base import StoreError
from .connection import in_store_words
from .erase import Doomed, Erased, Erasure, Key
from .views.refresh import Refresh

if TYPE_CHECKING:
    from .maintenance import StoreMaintenance

type ForecastKey = Key


class ErasureRun:
    """An erasure under way; call it on the writer's thread, and `end` however it went."""

    def __init__(
        self, store: StoreMaintenance, doomed: Doomed, by_id: Mapping[int, Series], *, dry_run: bool = False
    ) -> None:
        """Begin; nothing is erased before the first step.

        Raises:
            StoreError: another erasure is under way, or the file cannot be used.
        """
        self._store = store
        connection = store._connection  # noqa: SLF001 - the other half of the store
        tiers = store.ladder.tiers
        views = Refresh(connection, store.ladder, store.timezone, by_id)
        dictionaries = store._dictionaries  # noqa: SLF001 - the other half of the store
        self._work = Erasure(connection, tiers, dictionaries, views.note_again, doomed, dry_run=dry_run)
        with in_store_words(store.path):
            self._work.begin()

    def step(self) -> bool:
        """Erase a piece, or look through one; return False when there was none left.

        Raises:
            StoreError: the file is closed, another one by now, or cannot be written; what was erased stays erased.
        """
        store = self._store
        with in_store_words(store.path):
            if self._work.connection is not store._connection:  # noqa: SLF001 - the other half of the store
                raise StoreError(f"{store.path.name} is another file than the erasing began with")
            try:
                return self._work.step()
            finally:
                store._load_borders(self._work.connection)  # noqa: SLF001 - the other half of the store

    def end(self) -> Erased:
        """Return what was erased.

        Raises:
            StoreError: the log could not be emptied, and may still tell of what was deleted.
        """
        with in_store_words(self._store.path):
            if self._work.connection is self._store._connection:  # noqa: SLF001 - the other half of the store
                self._work.end()
        return self._work.done
