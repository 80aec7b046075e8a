"""A mirror at work: it follows the change feed with its own cursor, and replays ranges beside it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
import contextlib
from dataclasses import asdict, dataclass, replace
import logging
import sqlite3
from typing import Any, Protocol

from ..core.model import Micros
from ..store import backlog
from ..store.backlog import Backlog
from ..store.base import Cursor, StoreError
from ..store.connection import in_store_words
from ..store.feed import load_cursor, newest
from ..store.reader import StoreReader
from ..store.sqlite import SqliteStore, now_micros
from ..store.tiers import DAY
from .delivery import Abandoned, Delivery, Writer
from .errors import MirrorError
from .figures import Figures, MirrorNotice, NoticeKind
from .parcels import Batch, FeedPlace, Parcel, Plan, Reading, Replay, replay_progress

_LOGGER = logging.getLogger(__name__)

BACKLOG_BYTES = 256 * 1024 * 1024
_BACKLOG_LEFT = 0.9
"""A full backlog is cut to this share, so that it is not full again at once."""
_POLL_SECONDS = 5.0
_AFTER_STORE_ERROR = 30.0
_MEASURE_SECONDS = 60.0
_SAVE_SECONDS = 300.0
_SAVE_POINTS = 200_000
"""The place is saved this often: rarely enough to spare an SD card, because points sent twice do no harm."""
_MOST_REPLAYS = 20
_AHEAD = 40 * DAY
_AT_ONCE = 2


class MirroredStore(Protocol):
    """The part of the store's worker that a mirror uses."""

    async def read[T](self, work: Callable[[StoreReader], T]) -> T:
        """Run `work` with a reader on a reading thread."""

    async def write[T](self, work: Callable[[SqliteStore], T]) -> T:
        """Run `work` with the store on the writer's thread."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How a mirror is doing now."""

    waiting: Backlog
    lag: float
    """Seconds since the mirror last had everything; 0 while it has."""
    replays: int
    replayed: float | None
    """Share of the present replay that is done, None without one."""
    trouble: MirrorError | None


class MirrorFeed:
    """Brings everything that is written in the store to one server, at least once.

    `name` is the mirror's for life: its place, its counts and its open replays are kept under it in the store.
    """

    def __init__(
        self,
        name: str,
        store: MirroredStore,
        writer: Writer,
        plan: Plan,
        *,
        listener: Callable[[MirrorNotice], None] = lambda notice: None,
        now: Callable[[], Micros] = now_micros,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        backlog_bytes: int = BACKLOG_BYTES,
    ) -> None:
        """Take where points come from, where they go and which; nothing happens before `open`."""
        self.name = f"mirror:{name}"
        self.plan = plan
        self.figures = Figures()
        self._store = store
        self._listener = listener
        self._now = now
        self._sleep = sleep
        self._backlog_bytes = backlog_bytes
        self._delivery = Delivery(writer, self.figures, now=now, listener=listener, sleep=sleep)
        self._place = FeedPlace()
        self._replays: list[Replay] = []
        self._wake = asyncio.Event()
        self._replay_asked = asyncio.Event()
        self._backlog = Backlog()
        self._backlog_full = False
        self._bounding = asyncio.Lock()
        self._measured = self._saved = float("-inf")
        self._saved_points = 0

    # -------------------------------------------------------------------------------------------- life
    async def open(self, *, since: Micros | None = None) -> None:
        """Take up where the mirror was. One that is new begins now, or with what the store holds from `since` on.

        Raises:
            StoreError: the store cannot be read or written.
        """
        saved = await self._ask(self._load)
        if saved is None:
            await self._begin(since)
            return
        cursor, note = saved
        self._place = FeedPlace(cursor, int(note.get("forecast", 0)))
        self._replays = [_replay_of(each) for each in note.get("replays", ())]
        self.figures.restore(note.get("figures", {}))
        if self._replays:
            self._replay_asked.set()

    def _load(self, connection: sqlite3.Connection) -> tuple[Cursor, dict[str, Any]] | None:
        cursor = load_cursor(connection, self.name)
        return None if cursor is None else (cursor, backlog.load_note(connection, self.name) or {})

    async def _begin(self, since: Micros | None) -> None:
        def newest_place(connection: sqlite3.Connection) -> FeedPlace:
            return FeedPlace(newest(connection), backlog.newest_forecast(connection))

        self._place = await self._ask(newest_place)
        self.figures.complete_at = self._now()
        if since is not None:
            # Prices are stored ahead of their time.
            self.replay(since, self._now() + _AHEAD)
        await self.save()

    async def close(self) -> None:
        """Keep the place; call it when `run` has ended."""
        with contextlib.suppress(StoreError):
            await self.save()

    async def forget(self) -> None:
        """Remove what the store keeps about this mirror: it is gone for good.

        Raises:
            StoreError: the store cannot be written.
        """

        def drop(store: SqliteStore) -> None:
            store.drop_cursor(self.name)
            store.save_note(self.name, None)

        await self._store.write(drop)

    async def save(self) -> None:
        """Keep place, counts and open replays in the store.

        Raises:
            StoreError: the store cannot be written.
        """
        note = {
            "forecast": self._place.forecast,
            "replays": [_note_of(each) for each in self._replays],
            "figures": self.figures.note(),
        }
        cursor = self._place.cursor

        def keep(store: SqliteStore) -> None:
            store.save_cursor(self.name, cursor)
            store.save_note(self.name, note)

        await self._store.write(keep)
        self._saved, self._saved_points = _monotonic(), self.figures.acknowledged

    # -------------------------------------------------------------------------------------------- asking
    def replay(self, start: Micros, end: Micros, series: frozenset[int] | None = None) -> None:
        """Send everything the store holds between two instants again, of some series or of all.

        Raises:
            ValueError: the range is empty, or too many replays are open already.
        """
        if end <= start:
            raise ValueError("the range to replay ends before it starts")
        if len(self._replays) >= _MOST_REPLAYS:
            raise ValueError(f"{_MOST_REPLAYS} replays are open already: wait until one is done")
        self._replays.append(Replay(start, end, series))
        self._replay_asked.set()
        self._saved = float("-inf")

    async def hold(self) -> None:
        """Begin no further request, and return when those under way have ended: their time limit bounds the wait."""
        await self._delivery.hold()

    def release(self) -> None:
        """Send again after `hold`."""
        self._delivery.release()

    def wake(self) -> None:
        """Look for something new at once."""
        self._wake.set()

    def progress(self) -> Progress:
        """Return how the mirror is doing, from what was last measured."""
        complete = self.figures.complete_at
        behind = self._backlog or self._delivery.trouble is not None
        lag = 0.0 if complete is None or not behind else max(0.0, (self._now() - complete) / 1e6)
        replayed = replay_progress(self._replays[0], self.plan.ladder) if self._replays else None
        return Progress(self._backlog, lag, len(self._replays), replayed, self._delivery.trouble)

    # -------------------------------------------------------------------------------------------- working
    async def run(self) -> None:
        """Follow the feed until cancelled. Trouble with the server or the store is waited out, never raised."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._persistently(self._follow))
            group.create_task(self._persistently(self._replay_all))

    async def _persistently(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Abandoned:
                continue
            except StoreError as error:
                _LOGGER.warning("The mirror cannot use the store and tries again: %s", error)
                await self._sleep(_AFTER_STORE_ERROR)

    async def _follow(self) -> None:
        while True:
            await self.catch_up()
            await self._measure()
            await self._save_when_due()
            await self._idle()

    async def catch_up(self) -> None:
        """Bring everything that is in the feed now.

        Raises:
            Abandoned: the backlog had to be cut meanwhile; call again.
            StoreError: the store cannot be read or written.
        """
        cursor = self._place.cursor
        if await self._ask(lambda connection: backlog.begins_anew(connection, cursor)):
            _LOGGER.info("The store was started anew, and its mirror %s with it", self.name)
            self._place = FeedPlace()

        async def arrived(place: FeedPlace) -> None:
            self._place = place
            await self._save_when_due()
            await self._measure_when_due()

        await self._pump(self._place, Reading.feed, arrived, self._bound_backlog)
        self.figures.complete_at = self._now()
        self._backlog_full = False

    async def _idle(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)
        self._wake.clear()

    async def _replay_all(self) -> None:
        while True:
            while self._replays:
                await self.replay_first()
            self._replay_asked.clear()
            await self._replay_asked.wait()

    async def replay_first(self) -> None:
        """Do the oldest open replay."""

        async def arrived(job: Replay) -> None:
            self._replays[0] = job
            await self._save_when_due()

        await self._pump(self._replays[0], Reading.replay, arrived, _nothing)
        self._replays.pop(0)
        await self.save()

    async def _pump[P](
        self,
        place: P,
        read: Callable[[Reading, P], Parcel[P]],
        arrived: Callable[[P], Awaitable[None]],
        before_retry: Callable[[], Awaitable[None]],
    ) -> None:
        """Read and send parcels until there are none; the next is read while one is being sent."""
        ahead = asyncio.create_task(self._read(read, place))
        try:
            while True:
                parcel = await ahead
                if not parcel.end:
                    ahead = asyncio.create_task(self._read(read, parcel.place))
                self._count(parcel)
                await self._send(parcel.batches, before_retry, at_once=1 if parcel.ordered else _AT_ONCE)
                if parcel.end:
                    return
                await arrived(parcel.place)
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _send(
        self, batches: Sequence[Batch], before_retry: Callable[[], Awaitable[None]], *, at_once: int
    ) -> None:
        """Send batches, several at a time: one is on its way while the server works on another."""
        turn = asyncio.Semaphore(at_once)

        async def send(batch: Batch) -> None:
            async with turn:
                await self._delivery.send(batch, before_retry)

        tasks = [asyncio.create_task(send(batch)) for batch in batches]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read[P](self, read: Callable[[Reading, P], Parcel[P]], place: P) -> Parcel[P]:
        def visit(reader: StoreReader) -> Parcel[P]:
            with in_store_words(reader.path):
                return read(Reading(self.plan, reader), place)

        return await self._store.read(visit)

    def _count(self, parcel: Parcel[Any]) -> None:
        self.figures.expired += parcel.expired
        for unfit in parcel.unfit:
            self.figures.quarantine(self._now(), unfit.database, unfit.measurement, unfit.reason, unfit.points)

    # -------------------------------------------------------------------------------------------- bounds
    async def _save_when_due(self) -> None:
        due = _monotonic() - self._saved >= _SAVE_SECONDS
        if due or self.figures.acknowledged - self._saved_points >= _SAVE_POINTS:
            await self.save()

    async def _measure_when_due(self) -> None:
        if _monotonic() - self._measured >= _MEASURE_SECONDS:
            await self._measure()

    async def _measure(self) -> None:
        self._measured = _monotonic()
        place, ladder = self._place, self.plan.ladder
        self._backlog = await self._ask(lambda connection: backlog.measure(connection, ladder, place.cursor))

    async def _ask[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on a reading thread.

        Raises:
            StoreError: it failed.
        """

        def visit(reader: StoreReader) -> T:
            with in_store_words(reader.path):
                return work(reader.connection)

        return await self._store.read(visit)

    async def _bound_backlog(self) -> None:
        """Cut what waits where it has grown too large.

        Raises:
            Abandoned: it was cut, and what was being sent may be part of what was given up.
        """
        # One at a time, or what two sendings give up would be counted twice.
        async with self._bounding:
            await self._cut_backlog()

    async def _cut_backlog(self) -> None:
        if _monotonic() - self._measured < _MEASURE_SECONDS and self._backlog.bytes <= self._backlog_bytes:
            return
        await self._measure()
        await self._save_when_due()
        if self._backlog.bytes <= self._backlog_bytes:
            return
        limit = int(self._backlog_bytes * _BACKLOG_LEFT)
        cursor, ladder = self._place.cursor, self.plan.ladder
        kept, dropped = await self._ask(lambda connection: backlog.shorten(connection, ladder, cursor, limit))
        self._place = replace(self._place, cursor=kept)
        self.figures.dropped += dropped.rows
        if not self._backlog_full:
            self._backlog_full = True
            self._listener(MirrorNotice(NoticeKind.BACKLOG_FULL, str(dropped.rows)))
        await self.save()
        await self._measure()
        raise Abandoned


async def _nothing() -> None:
    """A replay is bounded by its range."""


def _monotonic() -> float:
    return asyncio.get_running_loop().time()


def _note_of(job: Replay) -> dict[str, Any]:
    return {**asdict(job), "series": None if job.series is None else sorted(job.series)}


def _replay_of(note: dict[str, Any]) -> Replay:
    series = note.get("series")
    return Replay(**{**note, "series": None if series is None else frozenset(series)})
