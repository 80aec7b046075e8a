"""The ladder's schedule: each night every tier is proven, handed down and shortened, each week the archive is filled.

A step is due when its last success is older than its latest due moment, so a night without power or a clock that skips
02:00 delays it and never loses it. One step runs at a time, whoever asked for it, a portion of at most a day on the
store's writing thread; in between rows are written as always.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
import logging
from time import monotonic

from .core.clock import first_moment, local_date
from .core.model import MICROS_PER_SECOND, Micros
from .store.base import DownsampleReport, StoreError
from .store.downsample import OPERATIONS
from .store.operations import Operation
from .store.tiers import DAY, FIVE_MINUTE, HOUR, HOURLY, RAW, Keeps
from .store.worker import StoreWorker
from .tidying import tidy

_LOGGER = logging.getLogger(__name__)

ARCHIVE = "archive"
STEPS = (RAW, FIVE_MINUTE, HOURLY)
"""Tiers in the order in which they are handed down."""
CHECK_SECONDS = 600.0
TOO_LONG = 2 * 3600.0
"""Seconds after which a step that still runs is told of."""
SUNDAY = 6


@dataclass(frozen=True, slots=True)
class Schedule:
    """When steps are due by the clock on the wall: microseconds from 00:00; the archive on a weekday (Monday is 0)."""

    hourly: Micros = 2 * HOUR
    daily: Micros = 2 * HOUR + HOUR // 2
    archive: Micros = 3 * HOUR
    weekday: int = SUNDAY

    def time_of(self, step: str) -> Micros:
        """Return the time of day at which a step is due."""
        return {HOURLY: self.daily, ARCHIVE: self.archive}.get(step, self.hourly)


def latest_due(timezone: str, now: Micros, time: Micros = 2 * HOUR, weekday: int | None = None) -> Micros:
    """Return the newest moment that is not in the future at which a time of day came, on one weekday or on any.

    Where clocks skip that time it comes with the first moment after the gap, where they show it twice at the first.
    """
    # Clocks that go back across midnight show the old date again in the new day.
    day = local_date(timezone, now) + timedelta(days=1)
    while (due := first_moment(timezone, day, time)) > now or weekday not in {None, day.weekday()}:
        day -= timedelta(days=1)
    return due


def is_due(timezone: str, now: Micros, last_success: Micros | None, time: Micros = 2 * HOUR) -> bool:
    """Tell whether a nightly step that last succeeded then has to run now."""
    return last_success is None or last_success < latest_due(timezone, now, time)


@dataclass(frozen=True, slots=True)
class Progress:
    """What runs now: its name in the journal, and how many portions of how many are done."""

    step: str
    done: int
    total: int

    @property
    def percent(self) -> float:
        """How far it has come."""
        return 100.0 * self.done / self.total if self.total else 0.0


@dataclass(slots=True)
class Hooks:
    """What the ladder asks and tells others; everything is called on the event loop."""

    schedule: Callable[[], Schedule] = Schedule
    keeps: Callable[[], Awaitable[Keeps]] | None = None
    """How long single series are kept."""
    before_raw: Callable[[], Awaitable[None]] | None = None
    """What has to be done before raw rows go, such as archiving them."""
    archive: Callable[[], Awaitable[None]] | None = None
    """Hands days on to archives. It writes into the journal under `ARCHIVE` itself."""
    may_archive: Callable[[], bool] = lambda: True
    """Whether archiving by schedule makes sense now; somebody who asks for it is not held back."""
    believes_clock: Callable[[], bool] = lambda: True
    """Whether the clock can be believed; while it cannot, nothing is handed down by schedule."""
    expire_days: Callable[[], bool] = lambda: False
    """Whether days that are past their time are deleted although they are in no archive."""
    done: Callable[[DownsampleReport], None] = lambda report: None
    failed: Callable[[str, str], None] = lambda step, reason: None
    """A step failed, or takes too long."""
    succeeded: Callable[[str], None] = lambda step: None
    """A step came to its end."""
    changed: Callable[[], None] = lambda: None
    """Something began, went on or ended."""


class Retention:
    """Runs the ladder when it is due, and single steps when somebody asks."""

    def __init__(self, worker: StoreWorker, now: Callable[[], Micros], hooks: Hooks | None = None) -> None:
        """Work on a store."""
        self._worker = worker
        self._now = now
        self.hooks = hooks or Hooks()
        self._one_at_a_time = asyncio.Lock()
        self.progress: Progress | None = None
        self.failures: dict[str, str] = {}
        """By step: why it failed last; a step that succeeds is taken out."""

    async def run(self) -> None:
        """Look every ten minutes whether a step is due, until cancelled."""
        while True:
            await self.catch_up()
            await asyncio.sleep(CHECK_SECONDS)

    async def catch_up(self) -> list[DownsampleReport]:
        """Run the steps that are due; one that fails is tried again at the next look."""
        if not self.hooks.believes_clock():
            return []
        # What a clock that was ahead has said does not count: nothing would be due before that moment.
        done = await self._worker.write(lambda store: store.last_steps(self._now() + DAY))
        schedule, timezone = self.hooks.schedule(), self._worker.timezone
        reports = []
        for tier in STEPS:
            if not is_due(timezone, self._now(), done.get(tier), schedule.time_of(tier)):
                continue
            try:
                reports.append(await self.downsample(tier))
            except StoreError as error:
                _LOGGER.warning("Handing down the %s tier failed and is tried again: %s", tier, error)
                return reports
        await self._archive_when_due(schedule)
        return reports

    async def _archive_when_due(self, schedule: Schedule) -> None:
        if self.hooks.archive is None or not self.hooks.may_archive():
            return
        last = (await self._worker.write(lambda store: store.last_operations(self._now() + DAY))).get(ARCHIVE)
        due = latest_due(self._worker.timezone, self._now(), schedule.archive, schedule.weekday)
        if last is None or last < due:
            await self.archive()

    async def archive(self) -> None:
        """Hand days on to archives now; failures are theirs to tell."""
        if self.hooks.archive is not None:
            async with self._one_at_a_time, self._watched(ARCHIVE):
                await self.hooks.archive()

    async def downsample(self, tier: str, *, dry_run: bool = False) -> DownsampleReport:
        """Run one step of the ladder, when no other runs any more.

        Raises:
            StoreError: it could not be done; what was done before stays done.
        """
        if not dry_run and not self.hooks.believes_clock():
            raise StoreError("the system clock was just set or may be wrong, and what is past its time is deleted")
        async with self._one_at_a_time:
            now = self._now()
            keeps = await self.hooks.keeps() if self.hooks.keeps else {}
            step = OPERATIONS.get(tier, tier)
            async with self._watched(step):
                if tier == RAW and not dry_run and self.hooks.before_raw is not None:
                    await self.hooks.before_raw()
                report = await self._portions(step, tier, now, keeps, dry_run=dry_run)
                if not dry_run:
                    await self._tidy(tier, now, keeps)
        if not dry_run:
            self._tell(report)
        return report

    async def _portions(self, step: str, tier: str, now: Micros, keeps: Keeps, *, dry_run: bool) -> DownsampleReport:
        await self._worker.compact()
        run = await self._worker.write(lambda store: store.begin_downsample(tier, now, keeps=keeps, dry_run=dry_run))
        while await self._worker.write(lambda _store: run.step()):
            self.progress = Progress(step, *run.progress)
            self.hooks.changed()
        return await self._worker.write(lambda _store: run.end())

    async def _tidy(self, tier: str, now: Micros, keeps: Keeps) -> None:
        if tier == RAW:
            await tidy(self._worker, now)
        if tier == HOURLY and self.hooks.expire_days():
            await self._worker.write(lambda store: store.expire_days(now, keeps=keeps))

    def _tell(self, report: DownsampleReport) -> None:
        for problem in report.problems:
            _LOGGER.warning("Kept beyond its time, because its roll-up could not be proven: %s", problem)
        if report.source_rows:
            _LOGGER.info(
                "Handed down %d rows of the %s tier into %d in %.1f s: %d bytes freed, %.1f %% fewer rows, %d problems",
                report.source_rows,
                report.tier,
                report.rows,
                report.seconds,
                report.bytes_freed,
                100 * (1 - report.rows / report.source_rows),
                len(report.problems),
            )
        self.hooks.done(report)

    async def note_failure(self, step: str, seconds: float, reason: str) -> None:
        """Write into the journal that a step failed, if that can still be written."""
        operation = Operation(step, self._now(), seconds, errors=(reason,))
        with suppress(StoreError):
            await self._worker.write(lambda store: store.record_operation(operation))

    def _watched(self, step: str) -> _Watched:
        return _Watched(self, step)


@dataclass(slots=True)
class _Watched:
    """Shows that a step runs, and tells when it fails or takes too long."""

    retention: Retention
    step: str
    _began: float = field(default=0.0)
    _alarm: asyncio.TimerHandle | None = field(default=None)

    async def __aenter__(self) -> None:
        self.retention.progress = Progress(self.step, 0, 0)
        self.retention.hooks.changed()
        self._began = monotonic()
        self._alarm = asyncio.get_running_loop().call_later(TOO_LONG, self._too_long)

    def _too_long(self) -> None:
        self._fail(f"still running after {(monotonic() - self._began) / 3600:.1f} hours")

    def _fail(self, reason: str) -> None:
        if self.retention.failures.get(self.step) != reason:
            self.retention.failures[self.step] = reason
            self.retention.hooks.failed(self.step, reason)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self.retention.progress = None
        if isinstance(error, Exception):
            reason = str(error) or type(error).__name__
            self._fail(reason)
            await self.retention.note_failure(self.step, monotonic() - self._began, reason)
        elif error is None:
            self.retention.failures.pop(self.step, None)
            self.retention.hooks.succeeded(self.step)
        self.retention.hooks.changed()


def times_of(said: Mapping[str, object], default: Schedule) -> Schedule:
    """Return the schedule that options ask for: `hourly_at`, `daily_at`, `archive_at` as HH:MM:SS, `archive_on`."""
    return Schedule(
        _micros_of(said.get("hourly_at"), default.hourly),
        _micros_of(said.get("daily_at"), default.daily),
        _micros_of(said.get("archive_at"), default.archive),
        int(str(said.get("archive_on", default.weekday))),
    )


def _micros_of(time: object, default: Micros) -> Micros:
    if not isinstance(time, str):
        return default
    hours, minutes, *seconds = (int(part) for part in time.split(":"))
    return (hours * 3600 + minutes * 60 + sum(seconds)) * MICROS_PER_SECOND
