"""From the store to batches of lines: what follows a place in the feed, or in a replay.

Everything here runs on one of the store's reading threads. Pure Python work is cut into slices of less than a
millisecond, with the interpreter released in between, so that the event loop never waits for it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
import time

from ..core.clock import local_date
from ..core.model import Micros, Series, TimeRange
from ..store import backlog
from ..store.base import Change, Cursor
from ..store.buckets import decode_buckets, read_series
from ..store.keys import KINDS, NO_KIND, key_kind, key_period, key_range, key_series, periods
from ..store.reader import StoreReader
from ..store.rows import RAW_SPAN, LiveRows, cut, decode_rows, live_by_series, read_live
from ..store.tiers import RAW, Ladder
from ..store.views import VIEWS
from ..store.views.base import Shape, View
from ..store.views.query import next_day, rows_of
from .influx import pack
from .line_protocol import LineError, PointBlock, encode, encode_block
from .render import Renderer
from .selection import ROLL_UPS, Content, Layout, wants_rows
from .view_points import view_blocks

BATCH_LINES = 5_000
_PARCEL_ROWS = 20_000
_SLICE = 500
"""Points encoded at once: about a third of a millisecond."""
_BREATH = 0.0005
"""Seconds of work between two releases of the interpreter."""
_FORECASTS_AT_ONCE = 20
_VIEWS: Mapping[str, View] = {view.name: view for view in VIEWS}


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines for one database, and the same as the body of a request."""

    database: str
    lines: Sequence[str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Unfit:
    """Points that cannot be written as lines at all, and why."""

    database: str
    measurement: str
    points: int
    reason: str


@dataclass(frozen=True, slots=True)
class Parcel[P]:
    """The next batches, and the place behind them; `end` when there is nothing there now."""

    place: P
    batches: tuple[Batch, ...] = ()
    unfit: tuple[Unfit, ...] = ()
    expired: int = 0
    """Chunks that retention has taken before they were read."""
    end: bool = False
    ordered: bool = False
    """Whether its batches have to arrive in their order: later ones replace points of earlier ones."""


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """How far the feed and the forecasts have been read."""

    cursor: Cursor = field(default_factory=Cursor)
    forecast: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """A range to be sent again, and how far that has come: `stage` of `STAGES`, up to chunk `key`."""

    start: Micros
    end: Micros
    series: frozenset[int] | None = None
    """Only these; None for all."""
    stage: int = 0
    key: int = -1


LIVE = "live"
STAGES = (LIVE, RAW, LIVE, "five_minute", "hourly", "daily", "forecasts", "views")
"""Rows in `live` come first, because some leave it for chunks that were read already; and again behind the chunks,
because some take the place of a row that still stands in one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one mirror gets, and how it is written. `series_of` gives a series by its number, None when unknown."""

    contents: frozenset[Content]
    layout: Layout
    ladder: Ladder
    series_of: Callable[[int], Series | None]
    offset_fields: Mapping[tuple[str, str], str] = field(default_factory=dict)
    strings: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    timezone: Callable[[], str] = lambda: "UTC"
    """The home's, by whose days views are made."""

    def wants_tier(self, tier: str) -> bool:
        """Tell whether a roll-up tier is mirrored."""
        return tier in {content.value for content in self.contents & ROLL_UPS}


class Packing:
    """Collects lines by database and closes batches."""

    def __init__(self, layout: Layout) -> None:
        """Start empty."""
        self._layout = layout
        self._lines: dict[str, list[str]] = {}
        self.unfit: list[Unfit] = []
        self.count = 0
        self._released = time.perf_counter()

    def add(self, tier: str, block: PointBlock) -> None:
        """Take a block's points."""
        database = self._layout.name(tier)
        lines = self._lines.setdefault(database, [])
        for low in range(0, len(block), _SLICE):
            part = block.cut(low, low + _SLICE) if len(block) > _SLICE else block
            try:
                lines += encode_block(part)
            except LineError:
                lines += self._one_by_one(database, part)
            self.count += len(part)
            self._give_way()

    def _one_by_one(self, database: str, block: PointBlock) -> Iterator[str]:
        """Yield the points that can be written, and set aside those that cannot."""
        for point in block.points():
            try:
                yield encode(point)
            except LineError as error:
                self.unfit.append(Unfit(database, block.measurement, 1, str(error)))
            self._give_way()

    def _give_way(self) -> None:
        """Let another thread have the interpreter, if this one has had it for long."""
        if time.perf_counter() - self._released >= _BREATH:
            time.sleep(0.00005)
            self._released = time.perf_counter()

    def batches(self) -> tuple[Batch, ...]:
        """Return what was collected, in batches of at most `BATCH_LINES` lines."""
        return tuple(
            Batch(database, part, pack(part))
            for database, lines in self._lines.items()
            for part in _parts(lines, BATCH_LINES)
        )


def _parts(lines: list[str], size: int) -> Iterator[list[str]]:
    return (lines[low : low + size] for low in range(0, len(lines), size))


class Reading:
    """One visit to the store: reads, renders and packs."""

    def __init__(self, plan: Plan, reader: StoreReader) -> None:
        """Take what is wanted and where it is read."""
        self._plan = plan
        self._reader = reader
        self._connection = reader.connection
        self._known_texts: dict[int, str] = {}
        self._renderer = Renderer(self._texts, plan.offset_fields, plan.strings, plan.labels)
        self._packing = Packing(plan.layout)
        self._expired = 0
        self._ordered = False

    def _texts(self, codes: set[int]) -> Mapping[int, str]:
        if missing := codes - self._known_texts.keys():
            self._known_texts |= self._reader.texts(missing)
        return self._known_texts

    # -------------------------------------------------------------------------------------------- feed
    def feed(self, place: FeedPlace) -> Parcel[FeedPlace]:
        """Return what was written after `place`."""
        batch = backlog.portion(self._connection, self._plan.ladder, place.cursor, _PARCEL_ROWS)
        after = replace(place, cursor=batch.cursor)
        if batch.live is not None:
            self._live(batch.live)
        for change in batch.changes:
            self._change(change)
        moved = after != place
        if not moved:
            after = self._forecasts(place)
        return self._parcel(after, end=after == place)

    def _parcel[P](self, place: P, *, end: bool) -> Parcel[P]:
        packing = self._packing
        return Parcel(place, packing.batches(), tuple(packing.unfit), self._expired, end, self._ordered)

    def _live(self, live: LiveRows, wanted: frozenset[int] | None = None) -> None:
        for number, rows in live_by_series(live).items():
            series = self._plan.series_of(number)
            if series is not None and (wanted is None or number in wanted) and wants_rows(self._plan.contents, series):
                self._add_all(RAW, self._renderer.blocks(series, rows))

    def _change(self, change: Change) -> None:
        if (view := _VIEWS.get(change.tier)) is not None:
            self._view(view, change.start)
            return
        series = self._plan.series_of(change.series)
        if series is None:
            self._expired += 1
        elif change.tier == RAW:
            if wants_rows(self._plan.contents, series):
                rows = backlog.chunk(self._connection, change.series, change.start)
                if rows is None:
                    self._expired += 1
                else:
                    self._add_all(RAW, self._renderer.blocks(series, rows))
        elif self._plan.wants_tier(change.tier):
            tier = self._plan.ladder[change.tier]
            found = read_series(self._connection, tier, change.series, series.kind, TimeRange(change.start, change.end))
            self._add_all(change.tier, self._renderer.buckets(series, change.tier, found))

    def _view(self, view: View, day: int, wanted: frozenset[int] | None = None) -> None:
        if Content.VIEWS not in self._plan.contents:
            return
        rows = rows_of(self._connection, view, day)
        if wanted is not None:
            by = next((place for place, column in enumerate(view.columns) if column.shape is Shape.ENTITY), None)
            rows = [] if by is None else [row for row in rows if row[by] in wanted]
        plan = self._plan
        blocks = view_blocks(view, rows, day, plan.timezone(), plan.series_of, strings=plan.strings)
        self._add_all(Content.VIEWS.value, blocks)

    def _add_all(self, tier: str, blocks: Iterable[PointBlock]) -> None:
        for block in blocks:
            self._packing.add(tier, block)

    def _forecasts(self, place: FeedPlace) -> FeedPlace:
        newest = backlog.newest_forecast(self._connection)
        if newest < place.forecast:
            # The table ran empty and counts from the beginning again.
            place = replace(place, forecast=0)
        numbers = backlog.forecast_ids(self._connection, place.forecast, None, _FORECASTS_AT_ONCE)
        if Content.FORECASTS in self._plan.contents:
            self._foreseen(numbers)
        return replace(place, forecast=numbers[-1]) if numbers else place

    def _foreseen(self, numbers: Iterable[int], since: Micros | None = None) -> None:
        self._ordered = True
        for number in numbers:
            found = backlog.forecast(self._connection, number)
            if found is not None and (since is None or found.issued >= since):
                self._packing.add(RAW, self._renderer.forecast(found))

    # -------------------------------------------------------------------------------------------- replay
    def replay(self, job: Replay) -> Parcel[Replay]:
        """Return what follows in a replay."""
        stage = STAGES[job.stage]
        if stage == LIVE:
            after = self._replay_live(job)
        elif stage == "forecasts":
            after = self._replay_forecasts(job)
        elif stage == "views":
            after = self._replay_views(job)
        else:
            after = self._replay_chunks(job, stage)
        done = after.stage >= len(STAGES)
        return self._parcel(after, end=done)

    def _replay_live(self, job: Replay) -> Replay:
        live = read_live(
            self._connection,
            "seq IN (SELECT seq FROM live WHERE seq > ? AND time >= ? AND time < ? ORDER BY seq LIMIT ?)",
            (job.key, job.start, job.end, BATCH_LINES),
        )
        if not len(live):
            return replace(job, stage=job.stage + 1, key=-1)
        self._live(live, job.series)
        return replace(job, key=int(live.seq[-1]))

    def _replay_forecasts(self, job: Replay) -> Replay:
        # To the newest, whatever the range: an older forecast must not stay where a newer one was.
        numbers = backlog.forecast_ids(self._connection, job.key, None, _FORECASTS_AT_ONCE)
        if not numbers or job.series is not None or Content.FORECASTS not in self._plan.contents:
            return replace(job, stage=job.stage + 1, key=-1)
        self._foreseen(numbers, job.start)
        return replace(job, key=numbers[-1])

    def _replay_views(self, job: Replay) -> Replay:
        """Send whole days; what follows from several weeks comes by itself when the next day begins."""
        timezone = self._plan.timezone()
        first = local_date(timezone, job.start).toordinal()
        last = local_date(timezone, job.end - 1).toordinal()
        while self._packing.count < _PARCEL_ROWS:
            day = next_day(self._connection, max(job.key, first - 1), last)
            if day is None or Content.VIEWS not in self._plan.contents:
                return replace(job, stage=job.stage + 1, key=-1)
            for view in VIEWS:
                if view.derive is None:
                    self._view(view, day, job.series)
            job = replace(job, key=day)
        return job

    def _replay_chunks(self, job: Replay, name: str) -> Replay:
        over = replace(job, stage=job.stage + 1, key=-1)
        tier = self._plan.ladder[name]
        spans = periods(RAW_SPAN if name == RAW else tier.span, TimeRange(job.start, job.end))
        if not len(spans) or (name != RAW and not self._plan.wants_tier(name)):
            return over
        low, high = key_range(spans[0], spans[-1])
        keys = backlog.chunk_keys(self._connection, tier.table, max(job.key, low - 1), high, job.series, 500)
        if not keys:
            return over
        for key, _ in keys:
            self._chunk(name, tier.table, key, TimeRange(job.start, job.end))
            job = replace(job, key=key)
            if self._packing.count >= _PARCEL_ROWS:
                break
        return job

    def _chunk(self, tier: str, table: str, key: int, when: TimeRange) -> None:
        series = self._plan.series_of(key_series(key))
        content = backlog.blob(self._connection, table, key)
        if series is None or content is None:
            self._expired += 1
        elif key_kind(key) != NO_KIND:
            found = decode_buckets(content, KINDS[key_kind(key)])
            inside = (found.starts >= when.start) & (found.starts < when.end)
            self._add_all(tier, self._renderer.buckets(series, tier, found.select(inside)))
        elif wants_rows(self._plan.contents, series):
            self._add_all(tier, self._renderer.blocks(series, cut(decode_rows(content), when)))


def replay_progress(job: Replay, ladder: Ladder) -> float:
    """Return how much of a replay is done, between 0 and 1, by stages and by time within them."""
    if job.stage >= len(STAGES):
        return 1.0
    name, part = STAGES[job.stage], 0.0
    if name in ladder.names and job.key >= 0 and job.end > job.start:
        span = RAW_SPAN if name == RAW else ladder[name].span
        reached = key_period(job.key) * span
        part = min(1.0, max(0.0, (reached - job.start) / (job.end - job.start)))
    return (job.stage + part) / len(STAGES)
