"""What is done with a store's file beside writing rows: maintenance, retention, and notes of its followers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
import sqlite3
from typing import Any

from ..core.clock_watch import AHEAD
from ..core.model import Micros, Series, TimeRange
from ..core.rollup import Rollup
from . import (
    anomalies,
    backlog,
    details,
    expire,
    feed,
    forecasts,
    health,
    imported,
    operations,
    words,
)
from .base import CompactReport, Cursor, DownsampleReport, RollUpReport, StoreError
from .catalog import Dictionaries
from .compact import compact, compact_portion
from .connection import WAL_PAGES, in_store_words, transaction
from .downsample import Downsample
from .operations import Operation
from .reader import StoreReader
from .rolling import RollUpRun
from .rows import RAW_SPAN
from .sweeping import SweepRun
from .tiers import HOURLY, Keeps, Ladder
from .views.day import Inputs
from .views.refresh import Refresh, RefreshReport

_ALL = 2**63 - 1
"""Later than any row."""
_VIEW_DAYS_AT_ONCE = 2
_PAGES_AT_ONCE = 1024
"""Pages given back at once: 4 MB, some milliseconds."""


class LadderRun:
    """A step of the ladder under way; call it on the writer's thread, with anything else in between."""

    def __init__(self, store: StoreMaintenance, work: Downsample, views_at: Micros | None = None) -> None:
        """Take the work, begun. With `views_at`, views are first brought up to that moment."""
        self._store, self._work, self._views_at = store, work, views_at

    @property
    def progress(self) -> tuple[int, int]:
        """How many days have been gone through, and of how many."""
        return self._work.progress

    def step(self) -> bool:
        """Prove and delete a portion; return False when there was none left.

        Raises:
            StoreError: the file is closed, or cannot be written; what was done before stays done.
        """
        store = self._store
        with in_store_words(store.path):
            if self._work.connection is not store._connection:  # noqa: SLF001 - the other half of the store
                raise StoreError(f"{store.path.name} is another file than the step began with")
            try:
                return self._see_hours() or self._work.step() or self._give_back()
            finally:
                store._load_borders(self._work.connection)  # noqa: SLF001 - the other half of the store

    def _see_hours(self) -> bool:
        """Let views see some of the hours that are about to go; return False when they have seen all."""
        if (
            self._views_at is not None
            and self._store.refresh_views(self._views_at, most_days=_VIEW_DAYS_AT_ONCE).waiting
        ):
            return True
        self._views_at = None
        return False

    def _give_back(self) -> bool:
        """Return some free pages to the disk; return False when there are none left."""
        connection = self._work.connection
        if self._work.dry_run or not connection.execute("PRAGMA freelist_count").fetchone()[0]:
            return False
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
        return True

    def end(self) -> DownsampleReport:
        """Write what was done into the journal and report it."""
        with in_store_words(self._store.path):
            return self._work.end()


class StoreMaintenance(ABC):
    """The half of the store that works on what is written already."""

    path: Path
    timezone: str
    ladder: Ladder
    archived_only = False
    """Whether raw rows are deleted only when they are in a proven file of the archive."""
    _doubted: Micros | None = None
    """While the clock is doubted: the newest moment that was certain."""
    _by_id: Mapping[int, Series]
    _dictionaries: Dictionaries

    @property
    @abstractmethod
    def _connection(self) -> sqlite3.Connection:
        """The open file."""

    @abstractmethod
    def _now(self) -> Micros:
        """Return the present."""

    @abstractmethod
    def _load_borders(self, connection: sqlite3.Connection) -> None:
        """Learn anew up to where tiers are complete and from where they are kept."""

    def compact(self, until: Micros | None = None) -> CompactReport:
        """Move rows older than `until` (None: all) from `live` into chunks."""
        with in_store_words(self.path):
            return compact(self._connection, self._certain(until))

    def _certain(self, until: Micros | None) -> Micros | None:
        """Return up to when rows leave `live`: what a doubted clock dated ahead stays, and can be dated anew there."""
        if self._doubted is None:
            return until
        latest = self._doubted + AHEAD // 2
        return latest if until is None else min(until, latest)

    def compact_portion(self) -> bool:
        """Move some rows from `live` into chunks; return False when there are none left."""
        with in_store_words(self.path):
            return compact_portion(self._connection, self._certain(None) or _ALL)

    def roll_up(self, now: Micros | None = None) -> RollUpReport:
        """Compact, then roll up every bucket that closed before `now`."""
        run = self.begin_roll_up(now)
        while run.step():
            pass
        return run.end()

    def begin_roll_up(self, now: Micros | None = None) -> RollUpRun:
        """Return a roll-up that is then worked off a portion at a time; while the clock is doubted, it ends before."""
        moment = self._now() if now is None else now
        return RollUpRun(self, self._by_id, moment if self._doubted is None else min(moment, self._doubted))

    def downsample(
        self, tier: str, now: Micros | None = None, *, keeps: Keeps | None = None, dry_run: bool = False
    ) -> DownsampleReport:
        """Delete what is older than `tier` keeps, after proving that its roll-up is there.

        `keeps` says of single series that they are kept longer or shorter.

        Raises:
            StoreError: the tier is the coarsest.
            KeyError: there is no such tier.
        """
        run = self.begin_downsample(tier, now, keeps=keeps, dry_run=dry_run)
        while run.step():
            pass
        return run.end()

    def begin_downsample(
        self, tier: str, now: Micros | None = None, *, keeps: Keeps | None = None, dry_run: bool = False
    ) -> LadderRun:
        """Return a step of the ladder that is then worked off a day at a time.

        Raises:
            StoreError: the tier is the coarsest.
            KeyError: there is no such tier.
        """
        moment = self._now() if now is None else now
        with in_store_words(self.path):
            compact(self._connection, self._certain(None))
            work = Downsample(self._connection, self.ladder, self.timezone, self._by_id)
            work.archived_only = self.archived_only
            work.begin(tier, moment, keeps or {}, dry_run=dry_run)
        return LadderRun(self, work, moment if tier == HOURLY and not dry_run else None)

    def refresh_views(
        self, now: Micros | None = None, *, inputs: Inputs | None = None, most_days: int = 8
    ) -> RefreshReport:
        """Work out views for days that have changed, a few at a time; see `views.refresh`."""
        moment = self._now() if now is None else now
        with in_store_words(self.path):
            work = Refresh(self._connection, self.ladder, self.timezone, self._by_id)
            return work.run(moment, inputs=inputs, most_days=most_days)

    def recompute_views(self, when: TimeRange) -> None:
        """Have views worked out again for every day that `when` touches, with the next refresh."""
        with in_store_words(self.path):
            Refresh(self._connection, self.ladder, self.timezone, self._by_id).due_again(when)

    def begin_import(self, now: Micros | None = None) -> dict[int, Micros]:
        """Get ready for history from elsewhere; return when the history of each series begins as it is."""
        moment = self._now() if now is None else now
        self.roll_up(moment)
        with in_store_words(self.path):
            parts = (self._connection, self.ladder, self.timezone, self._by_id)
            imported.Imported(*parts).prepare(moment)
            self._load_borders(self._connection)
            return imported.begins(self._connection, self.ladder.tiers)

    def codes(self, texts: Iterable[str]) -> dict[str, int]:
        """Return the codes of texts, each stored if it is new."""
        with in_store_words(self.path), transaction(self._connection):
            return {text: self._dictionaries.text(text) for text in texts}

    def import_hours(self, series: Series, hours: Rollup) -> int:
        """Take hours from elsewhere where there are none; return how many those were."""
        with in_store_words(self.path):
            return imported.Imported(self._connection, self.ladder, self.timezone, self._by_id).add_hours(series, hours)

    def last_steps(self, until: Micros = _ALL) -> dict[str, Micros]:
        """Return when each tier was last handed down before `until`, by tier."""
        with in_store_words(self.path):
            found = self._connection.execute(
                "SELECT tier, MAX(finished) FROM ladder_step WHERE finished < ? GROUP BY tier", (until,)
            )
            return dict(found.fetchall())

    def transact[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the open file as one transaction: all of it or nothing."""
        with in_store_words(self.path), transaction(self._connection):
            return work(self._connection)

    def put_buckets(self, tier: str, given: Sequence[tuple[Series, Rollup]]) -> int:
        """Store buckets that come from elsewhere, text buckets in words; return how many were not there before.

        Where a bucket is there already, the one that knows more stays. The series have to be saved.
        """
        try:
            return self.transact(lambda c: words.put(c, self.ladder[tier], self.timezone, self._dictionaries, given))
        except BaseException:
            self._dictionaries.forget()
            raise

    def record_operation(self, operation: Operation) -> None:
        """Keep in the journal what was done to the history."""
        with in_store_words(self.path), transaction(self._connection):
            operations.record(self._connection, operation)

    def save_anomalies(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep what scans for anomalies left behind, by entity identity; that of other entities stays."""
        with in_store_words(self.path):
            anomalies.save(self._connection, states)

    def last_operations(self, until: Micros = _ALL) -> dict[str, Micros]:
        """Return when each type of operation in the journal last ended well, of those that began before `until`."""
        with in_store_words(self.path):
            return operations.last_successes(self._connection, until)

    def expire_days(self, now: Micros | None = None, *, keeps: Keeps | None = None) -> Operation:
        """Delete days that are past their time though nothing stands for them, a whole chunk of 32 days at a time."""
        with in_store_words(self.path):
            moment = self._now() if now is None else now
            return expire.expire_days(self._connection, self.ladder, self._by_id, moment, keeps or {})

    def begin_pruning(self, before: Micros) -> details.Pruning:
        """Return the deleting of attributes and causes of rows before an instant, which is then worked off."""
        return details.Pruning(self._connection, before // RAW_SPAN * RAW_SPAN)

    def prune_portion(self, pruning: details.Pruning) -> bool:
        """Delete the details of some hours; return False when there are none left."""
        with in_store_words(self.path):
            return pruning.step()

    def prune_details(self, before: Micros) -> int:
        """Delete attributes and causes older than an instant, and what only they referred to; return how many."""
        pruning = self.begin_pruning(before)
        while self.prune_portion(pruning):
            pass
        self.sweep(texts=False)
        return pruning.deleted

    def begin_sweep(self, now: Micros | None = None, *, texts: bool | None = None) -> SweepRun:
        """Return a sweep of the dictionaries, begun: see `SweepRun`."""
        return SweepRun(self, self._now() if now is None else now, texts=texts)

    def sweep(self, now: Micros | None = None, *, texts: bool = True) -> dict[str, int]:
        """Delete texts, attributes and causes that nothing refers to any more; return how many, by table."""
        run = self.begin_sweep(now, texts=texts)
        try:
            with StoreReader(self.path, self.ladder) as reader:
                while run.look(reader):
                    pass
            while run.step():
                pass
        finally:
            run.end()
        return run.deleted

    def prune_forecasts(self, before: Micros) -> int:
        """Delete forecasts issued before an instant; return how many."""
        with in_store_words(self.path), transaction(self._connection):
            return forecasts.prune(self._connection, before)

    def save_cursor(self, name: str, cursor: Cursor) -> None:
        """Keep how far a reader of the change feed has come."""
        with in_store_words(self.path):
            feed.save_cursor(self._connection, name, cursor)

    def load_cursor(self, name: str) -> Cursor | None:
        """Return a feed reader's saved cursor."""
        with in_store_words(self.path):
            return feed.load_cursor(self._connection, name)

    def drop_cursor(self, name: str) -> None:
        """Forget a feed reader."""
        with in_store_words(self.path):
            feed.drop_cursor(self._connection, name)

    def save_note(self, name: str, note: object) -> None:
        """Keep a small JSON value that a reader of the change feed wants to find again; None forgets it."""
        with in_store_words(self.path):
            backlog.save_note(self._connection, name, note)

    def quick_check(self) -> str | None:
        """Return what is wrong with the file, or None when it is sound."""
        with in_store_words(self.path):
            return health.quick_check(self._connection)

    def begin_copy(self) -> None:
        """Empty the WAL into the file, and leave the file as it is until `end_copy`."""
        self.checkpoint()
        with in_store_words(self.path):
            self._connection.execute("PRAGMA wal_autocheckpoint = 0")

    def end_copy(self) -> None:
        """Write into the file again."""
        with in_store_words(self.path):
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")

    def checkpoint(self) -> None:
        """Copy the WAL back into the file and empty it."""
        with in_store_words(self.path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
