"""A roll-up as the store's worker does it: a portion at a time on the writer's thread, with anything else in between.

Nothing is remembered from one portion to the next but what has to be done at least: each looks at the watermarks and
does what comes next. So it makes no difference whether rows are written in between, somebody else rolls up, the home's
clock is another one, or the process is killed.
"""

from collections import Counter
import time
from typing import TYPE_CHECKING

from ..core.model import Micros
from .base import RollUpReport, StoreError
from .compact import compact_portion
from .connection import in_store_words
from .job import SeriesById
from .late import Settle
from .roll_up import RollUp
from .tiers import DAILY, FIVE_MINUTE, HOURLY

if TYPE_CHECKING:
    from .maintenance import StoreMaintenance


class RollUpRun:
    """A roll-up under way; call it on the writer's thread."""

    def __init__(self, store: StoreMaintenance, by_id: SeriesById, moment: Micros) -> None:
        """Begin; every bucket that closed before `moment` is rolled up. Nothing is done before the first step."""
        self._store, self._by_id, self._moment = store, by_id, moment
        self._connection = store._connection  # noqa: SLF001 - the other half of the store
        self._compacted = False
        self._stale: list[int] | None = None
        self._rows: Counter[str] = Counter()
        self._seconds = 0.0

    def step(self) -> bool:
        """Do a portion; return False when there was none left.

        Raises:
            StoreError: the file is closed, another one by now, or cannot be written; what was done before stays done.
        """
        store, began = self._store, time.perf_counter()
        with in_store_words(store.path):
            if self._connection is not store._connection:  # noqa: SLF001 - the other half of the store
                raise StoreError(f"{store.path.name} is another file than the roll-up began with")
            try:
                return self._portion()
            finally:
                store._load_borders(self._connection)  # noqa: SLF001 - the other half of the store
                self._seconds += time.perf_counter() - began

    def _portion(self) -> bool:
        if not self._compacted:
            self._compacted = not compact_portion(self._connection, self._moment)
            return True
        parts = (self._connection, self._store.ladder, self._store.timezone, self._by_id)
        settle = Settle(*parts)
        if self._stale is None:
            # Those that late rows touch from now on are left to the next roll-up, so that this one comes to an end.
            self._stale = settle.stale()
        if self._stale:
            settle.settle(self._stale.pop())
            return True
        work = RollUp(*parts)
        more = work.next_hours(self._moment) or work.next_days()
        self._rows.update(work.written)
        return more

    def end(self) -> RollUpReport:
        """Report what was done."""
        return RollUpReport({tier: self._rows[tier] for tier in (FIVE_MINUTE, HOURLY, DAILY)}, self._seconds)
