"""The store from the event loop's side: rows in without waiting, work on threads of its own."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
import logging
from pathlib import Path
import random
import time

from ..core.clock import next_hour
from ..core.model import (
    EXCLUDED_FLAGS,
    Cause,
    Flag,
    Forecast,
    Kind,
    Micros,
    Series,
    SeriesKey,
    from_micros,
)
from . import health, salvage
from .base import (
    Counters,
    Last,
    NoticeKind,
    OpenReport,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreNotice,
)
from .reader import StoreReader
from .sqlite import SqliteStore, now_micros
from .threads import StoreThreads
from .tiers import DEFAULT_LADDER, Ladder
from .waiting import Newest, WaitingRows

_LOGGER = logging.getLogger(__name__)

FLUSH_SECONDS = 10.0
_FLUSH_ROWS = 2_000
"""As many waiting rows are flushed at once, so that no flush grows long."""
_WAITING_LIMIT = 500_000
"""Rows kept in memory while the disk is full (about 100 MB); beyond it the oldest go."""
_FORECASTS_LIMIT = 500
_SETTLE_SECONDS = 20
"""How long after a bucket closed it is rolled up: late enough for the last flush of its rows."""
_CHECK_EVERY = timedelta(days=7)
_RETRY_SECONDS = (10.0, 300.0)
_LIVE_LIMIT = 50_000
"""Rows in `live` that are compacted without waiting for the hour to end."""


class StoreWorker:
    """Feeds a `SqliteStore` from the event loop.

    `put` and `series` do no input or output. Rows wait in memory until the next flush, at most
    10 seconds. All writing happens on one thread, reading on two others.
    """

    def __init__(
        self,
        path: Path,
        *,
        timezone: str,
        listener: Callable[[StoreNotice], None] = lambda notice: None,
        now: Callable[[], Micros] = now_micros,
        ladder: Ladder = DEFAULT_LADDER,
    ) -> None:
        """Name the file; nothing is opened yet. `listener` is called on the event loop."""
        self._store = SqliteStore(path, timezone=timezone, ladder=ladder, now=now)
        self._listener = listener
        self._now = now
        self._waiting = WaitingRows()
        self._forecasts: list[tuple[str, SeriesKey, Forecast]] = []
        self._newest = Newest()
        self._threads = StoreThreads(self._store)
        self._flushing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._full = False
        self._failures = 0
        self._unmaintained = False
        self._compact_due: Micros = 0
        self._check_due: float = 0.0
        self._in_live = 0
        self._closed = False
        self.started: Micros = 0
        self.last_stop: Micros | None = None
        self.not_before: Micros = 0
        """Where the clock was behind at the start: when the run before ended, and what happens now is no older."""
        self.may_maintain: Callable[[], bool] = lambda: True
        """Whether the clock can be believed: what is rolled up by a wrong one cannot be taken back."""

    @property
    def counters(self) -> Counters:
        """What happened to rows since the start."""
        counters = self._store.counters
        counters.waiting = len(self._waiting)
        return counters

    @property
    def ladder(self) -> Ladder:
        """The tiers and how long they are kept."""
        return self._store.ladder

    @ladder.setter
    def ladder(self, ladder: Ladder) -> None:
        self._store.ladder = ladder

    @property
    def timezone(self) -> str:
        """The clock that hour and day buckets follow."""
        return self._store.timezone

    @timezone.setter
    def timezone(self, timezone: str) -> None:
        self._store.timezone = timezone

    @property
    def archived_only(self) -> bool:
        """Whether raw rows are deleted only when they are in a proven file of the archive."""
        return self._store.archived_only

    @archived_only.setter
    def archived_only(self, archived_only: bool) -> None:
        self._store.archived_only = archived_only

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    async def open(self) -> OpenReport:
        """Open the store; a damaged file is kept aside and a new one started.

        Raises:
            StoreTooNew, StoreUnusable: the user has to do something first.
        """
        report = await self._threads.write(self._open)
        self.started, self.last_stop = report.started, report.last_alive
        self._check_due = time.monotonic() + (0.0 if report.unclean else _CHECK_EVERY.total_seconds())
        if report.set_aside:
            self._listener(StoreNotice(NoticeKind.SET_ASIDE, report.set_aside.name))
        return report

    def _open(self) -> OpenReport:
        self._store.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            report = self._store.open()
            self._load_last()
        except StoreDamaged as error:
            _LOGGER.error("The store is damaged and kept aside: %s", error)
            return self._start_anew()
        return report

    def _start_anew(self) -> OpenReport:
        self._store.abandon()
        aside = health.set_aside(self._store.path, from_micros(self._now()))
        report = self._store.open()
        return OpenReport(report.created, False, aside, report.last_alive, report.started)

    def _load_last(self) -> None:
        with self._store.reader() as reader:
            self._newest.load({series.id: series for series in self._store.all_series()}, reader.last())

    def series(
        self,
        key: SeriesKey,
        *,
        kind: Kind,
        unit: str | None = None,
        labels: Mapping[str, str] | None = None,
        fine: bool = False,
        monotonic: bool = True,
    ) -> Series:
        """Return the one object of a series; what is new about it is written with the next flush."""
        return self._store.series(key, kind=kind, unit=unit, labels=labels, fine=fine, monotonic=monotonic)

    def find(self, key: SeriesKey) -> Series | None:
        """Return the series with this key, or None."""
        return self._store.find(key)

    def all_series(self) -> tuple[Series, ...]:
        """Return every series."""
        return self._store.all_series()

    def last(self, series: Series) -> Last | None:
        """Return the newest value known of a series, from previous runs too."""
        return self._newest.get(series)

    def forget_newest(self, series: Iterable[Series]) -> None:
        """Know no newest value of series that are being erased."""
        for one in series:
            self._newest.forget(one)

    def put(
        self,
        series: Series,
        time: Micros,
        value: float | None = None,
        text: str | None = None,
        flag: Flag = Flag.OK,
        attributes: Mapping[str, object] | None = None,
        cause: Cause | None = None,
    ) -> None:
        """Take a row; it is stored with the next flush."""
        time = max(time, self.not_before)
        self._waiting.put(series, time, value, text, flag, attributes, cause)
        self._store.counters.received += 1
        if not flag:
            self._newest.set(series, time, value, text)
        elif flag is Flag.GAP:
            self._newest.set_gap(series, time)
        elif flag is Flag.RESUME:
            self._newest.set_held(series)
        elif flag is not Flag.DETAIL:
            self._put_flagged(series, time, value, text, flag)
        if len(self._waiting) >= _FLUSH_ROWS:
            self._wake.set()

    def _put_flagged(self, series: Series, moment: Micros, value: float | None, text: str | None, flag: Flag) -> None:
        if flag not in EXCLUDED_FLAGS:
            self._newest.set(series, moment, value, text, flag)
        if flag is not Flag.CYCLE:
            flagged = self._store.counters.flagged
            flagged[flag.name.lower()] = flagged.get(flag.name.lower(), 0) + 1

    def put_forecast(self, source: str, series_key: SeriesKey, forecast: Forecast) -> None:
        """Take a forecast as issued; it is stored with the next flush."""
        self._forecasts.append((source, series_key, forecast))
        # Forecasts are as good as the newest: while the disk is full, old ones make way.
        del self._forecasts[:-_FORECASTS_LIMIT]

    async def run(self) -> None:
        """Flush, compact and roll up until cancelled."""
        while True:
            await self._pause()
            await self.flush()
            if not self.may_maintain():
                continue
            try:
                await self.maintain()
            except StoreError as error:
                if not self._closed:
                    await self._maintenance_failed(error)
            else:
                if self._unmaintained:
                    self._unmaintained = False
                    self._listener(StoreNotice(NoticeKind.MAINTENANCE_OK))

    async def _maintenance_failed(self, error: StoreError) -> None:
        if isinstance(error, StoreDamaged):
            await self._replace(error)
        elif not self._unmaintained:
            self._unmaintained = True
            _LOGGER.warning("Maintenance of the store failed and is tried again: %s", error)
            self._listener(StoreNotice(NoticeKind.MAINTENANCE_FAILED, str(error)))

    async def _pause(self) -> None:
        """Wait for the next flush: sooner when many rows wait, later while the disk is full."""
        if self._failures:
            low, high = _RETRY_SECONDS
            wait = min(high, low * 2 ** (self._failures - 1))
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))
            return
        self._wake.clear()
        if len(self._waiting) < _FLUSH_ROWS:
            try:
                await asyncio.wait_for(self._wake.wait(), FLUSH_SECONDS)
            except TimeoutError:
                return

    async def flush(self) -> bool:
        """Store what waits; return whether everything is stored."""
        async with self._flushing:
            waiting = self._waiting.take()
            foreseen, self._forecasts = self._forecasts, []
            writing = asyncio.ensure_future(
                self._threads.write(salvage.write, self._store, waiting, foreseen, self._now())
            )
            try:
                await asyncio.shield(writing)
            except StoreError as error:
                self._waiting.put_back(waiting)
                self._forecasts = foreseen + self._forecasts
                await self._write_failed(error)
                return False
            except asyncio.CancelledError:
                # The thread goes on writing; the lock is kept until it is known how that ended.
                if (await asyncio.wait([writing]))[0].pop().exception() is not None:
                    self._waiting.put_back(waiting)
                    self._forecasts = foreseen + self._forecasts
                raise
        self._in_live += len(waiting)
        self._failures = 0
        if self._full:
            self._full = False
            self._listener(StoreNotice(NoticeKind.DISK_OK))
        return True

    async def _write_failed(self, error: StoreError) -> None:
        self._failures += 1
        if isinstance(error, StoreDamaged):
            await self._replace(error)
            return
        if isinstance(error, StoreFull) and not self._full:
            self._full = True
            self._listener(StoreNotice(NoticeKind.DISK_FULL, str(error)))
        if self._failures == 1:
            _LOGGER.error("Rows wait in memory because the store cannot be written: %s", error)
        excess = len(self._waiting) - _WAITING_LIMIT
        if excess > 0:
            self._waiting.drop_oldest(excess)
            self._store.counters.dropped += excess
            self._listener(StoreNotice(NoticeKind.ROWS_DROPPED, str(excess)))

    async def _replace(self, error: StoreDamaged) -> None:
        """Keep a file that turned out damaged aside and go on in a new one."""
        _LOGGER.error("The store is damaged and kept aside: %s", error)
        await self._threads.end_readers()
        report = await self._threads.write(self._start_anew)
        self._threads.let_read()
        self._in_live = 0
        if report.set_aside:
            self._listener(StoreNotice(NoticeKind.SET_ASIDE, report.set_aside.name))

    async def maintain(self) -> None:
        """Do what is due: compact and roll up closed hours, check the file."""
        now = self._now()
        if now >= self._compact_due:
            await self.roll_up()
            self._compact_due = next_hour(self.timezone, now) + _SETTLE_SECONDS * 1_000_000
        elif self._in_live >= _LIVE_LIMIT:
            await self.compact()
        if time.monotonic() >= self._check_due:
            self._check_due = time.monotonic() + _CHECK_EVERY.total_seconds()
            await self._check()

    async def roll_up(self) -> None:
        """Roll up what has closed, a portion at a time; what waits is stored in between, and others have their turn.

        Raises:
            StoreError: it could not be done; what was done before stays done.
        """
        run = await self.write(SqliteStore.begin_roll_up)
        self._in_live = 0
        await self._in_portions(run.step)

    async def compact(self) -> None:
        """Move all rows from `live` into chunks, a portion at a time.

        Raises:
            StoreError: it could not be done; what was done before stays done.
        """
        self._in_live = 0
        await self._in_portions(self._store.compact_portion)

    async def _in_portions(self, step: Callable[[], bool]) -> None:
        flushed = time.monotonic()
        while not self._closed and await self._threads.write(step):
            if len(self._waiting) >= _FLUSH_ROWS or time.monotonic() - flushed >= FLUSH_SECONDS:
                await self.flush()
                flushed = time.monotonic()

    async def _check(self) -> None:
        """Look for damage, on a reader so that rows are stored meanwhile."""
        wrong = await self.read(lambda reader: health.quick_check(reader.connection))
        if wrong:
            await self._replace(StoreDamaged(wrong))
        else:
            self._listener(StoreNotice(NoticeKind.CHECKED))

    async def close(self) -> None:
        """Flush, end the run and close. Rows that cannot be stored even now are counted as lost."""
        if self._closed:
            return
        self._closed = True
        if self._store.is_open and not await self.flush():
            _LOGGER.error("%d rows could not be stored before closing", len(self._waiting))
            self._store.counters.dropped += len(self._waiting)
        await self._threads.end_readers()
        try:
            await self._threads.write(self._store.close)
        except StoreError as error:
            _LOGGER.error("The store could not be closed orderly: %s", error)
        # Whoever still wants to read hears that the store is closed.
        self._threads.let_read()
        await self._threads.shutdown()

    async def write[T](self, work: Callable[[SqliteStore], T]) -> T:
        """Run `work` with the store on the writer's thread.

        Raises:
            StoreError: the store is closed, or what `work` raises.
        """
        if self._closed:
            raise StoreError(f"{self._store.path.name} is closed")
        return await self._threads.write(work, self._store)

    async def read[T](self, work: Callable[[StoreReader], T]) -> T:
        """Run `work` with a reader on a reading thread; writing goes on meanwhile."""
        await self._threads.until_readable()
        if self._closed:
            raise StoreError(f"{self._store.path.name} is closed")
        return await self._threads.read(work)
