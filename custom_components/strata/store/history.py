"""History of one entity over any span: which layers tell it, and their rows.

Each layer reaches back as far as it is kept, so a span is told by the layer that suits its length
as far back as that goes, and by coarser ones before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core.model import Flag, Kind, Micros, Series, SeriesKey, TimeRange, from_micros
from ..core.rollup import Bools, Rollup
from . import borders, buckets
from .answers import Answer, answers
from .base import RawRows
from .connection import snapshot
from .keys import MAX_SERIES
from .lineage import Lineage
from .rows import VALUE_FLAGS
from .tiers import DAILY, DAY, FIVE_MINUTE, HOUR, HOURLY, RAW
from .words import answers_in_words, codes_in, in_words, joined, parted

if TYPE_CHECKING:
    from .reader import StoreReader

ARCHIVE = "archive"
"""What days are told by that have left the store."""
ORDER = (RAW, FIVE_MINUTE, HOURLY, DAILY)
_LONGEST = ((RAW, 26 * HOUR), (FIVE_MINUTE, 8 * DAY), (HOURLY, 62 * DAY))
"""Up to which span a layer suits; beyond the last one it is days."""
_READ_AT_ONCE = {RAW: DAY, FIVE_MINUTE: 7 * DAY, HOURLY: 31 * DAY, DAILY: 366 * DAY}
_SPANS = {RAW: HOUR, DAILY: 32 * DAY}
"""What one chunk covers, where that is not a day."""

_EPOCH: Micros = 0
_NONE: Micros = 2**62

type TierRow = tuple[Micros, str, Answer]
"""When it starts, the layer it comes from, and what it says."""
type Archived = Mapping[tuple[SeriesKey, Kind], Sequence[Rollup]]
"""Days of an archive by series and kind, in words, no day twice."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch that one layer tells."""

    tier: str
    when: TimeRange


@dataclass(slots=True)
class SeriesHistory:
    """Rows of one series, each with the layer it comes from."""

    series: Series
    rows: list[TierRow] = field(default_factory=list)
    cut: Micros | None = None
    """Where the limit ended it: rows from there on are missing."""


@dataclass(frozen=True, slots=True)
class History:
    """What was asked for; `next` is where to go on when a limit has cut it off."""

    resolution: str
    series: tuple[SeriesHistory, ...]
    next: Micros | None = None

    @property
    def tiers(self) -> list[str]:
        """The layers that told it, from fine to coarse."""
        used = {tier for of in self.series for _, tier, _ in of.rows}
        return [tier for tier in (*ORDER, ARCHIVE) if tier in used]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store has of one series."""

    series: Series
    open: TimeRange | None
    """Where days may be missing that an archive has; None where none are, or nobody asks."""
    days: Rollup
    """Those of the store in there, in words."""
    rows: list[TierRow]
    """All after it, one more than the limit at most."""

    def told(self, archived: Sequence[Rollup], limit: int) -> SeriesHistory:
        """Return its rows, with the days that an archive has in the open part."""
        rows = [*self._days(archived, limit + 1), *self.rows] if self.open else self.rows
        return SeriesHistory(self.series, rows[:limit], rows[limit][0] if len(rows) > limit else None)

    def _days(self, archived: Sequence[Rollup], most: int) -> list[TierRow]:
        there = [of.select(self.is_open(of)) for of in archived]
        both = parted(joined(there), self.days) if there else (buckets.empty(self.series.kind), self.days)
        found: list[TierRow] = []
        for tier, days in zip((ARCHIVE, DAILY), both, strict=True):
            days = days.select(days.starts < days.starts[most]) if len(days) > most else days  # noqa: PLW2901
            told = answers_in_words(days, DAILY, self.series.unit)
            found += [(start, tier, row) for start, row in zip(days.starts.tolist(), told, strict=True)]
        return sorted(found, key=lambda row: row[0])

    def is_open(self, days: Rollup) -> Bools:
        """Return which days begin in the open part."""
        part = self.open or TimeRange(0, 0)
        return (days.starts >= part.start) & (days.starts < part.end)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the store: what it has of a span, and for which part an archive may have more."""

    resolution: str
    series: tuple[Seen, ...]
    limit: int

    @property
    def open(self) -> list[TimeRange]:
        """For which parts of the span an archive may have days that the store has not."""
        return [one.open for one in self.series if one.open is not None]

    def is_enough(self, archived: Archived) -> bool:
        """Tell whether days that are later than these cannot be in the answer, for the limit cuts it off before."""
        return any(
            sum(int(one.is_open(days).sum()) for days in archived.get((one.series.key, one.series.kind), ()))
            > self.limit
            for one in self.series
        )

    def told(self, archived: Archived | None = None) -> History:
        """Return the answer, with what an archive has."""
        given = archived or {}
        told = tuple(one.told(given.get((one.series.key, one.series.kind), ()), self.limit) for one in self.series)
        following = min((one.cut for one in told if one.cut is not None), default=None)
        if following is not None:
            for one in told:
                one.rows = [row for row in one.rows if row[0] < following]
        return History(self.resolution, told, following)


def resolution(series: Sequence[Series], when: TimeRange) -> str:
    """Return the layer that suits a span."""
    found = next((tier for tier, longest in _LONGEST if when.duration <= longest), DAILY)
    if found == FIVE_MINUTE and not any(one.fine for one in series):
        return HOURLY
    return found


def segments(reader: StoreReader, timezone: str, told: Lineage, when: TimeRange, finest: str) -> list[Segment]:
    """Return which layer tells which part of `when`, oldest first, none finer than `finest`."""
    left = when.end
    found: list[Segment] = []
    for tier in ORDER[ORDER.index(finest) :]:
        if tier == FIVE_MINUTE and not told.series.fine:
            continue
        begin = max(when.start, min(left, _kept_from(reader, timezone, tier, told)))
        if begin < left:
            found.append(Segment(tier, TimeRange(begin, left)))
            left = begin
    return found[::-1]


def _kept_from(reader: StoreReader, timezone: str, tier: str, told: Lineage) -> Micros:
    """Return from when a layer tells all of a series; what is kept for different times, only from the later on."""
    if tier in {RAW, HOURLY}:
        return max(borders.border(reader.connection, timezone, tier, one.id or 0) for one in told.all)
    if tier == DAILY:
        return 0
    # Five-minute rows go by whole periods, and hours tell what is older.
    first = {one.key: _period(reader, "MIN", FIVE_MINUTE, one) for one in told.all}
    if all(period is None for period in first.values()):
        return _NONE
    return max(DAY * (_after_hours(reader, one) if (at := first[one.key]) is None else at) for one in told.all)


def _after_hours(reader: StoreReader, series: Series) -> int:
    """Return the day after a series' last hours; one that has hours only is told by them."""
    period = _period(reader, "MAX", HOURLY, series)
    return 0 if period is None else period + 1


def _period(reader: StoreReader, which: str, tier: str, series: Series) -> int | None:
    found: int | None = reader.connection.execute(
        f"SELECT {which}(key) >> 24 FROM {tier}_chunk WHERE (key >> 4) & ? = ?", (MAX_SERIES, series.id or 0)
    ).fetchone()[0]
    return found


def look(
    reader: StoreReader,
    timezone: str,
    told: Sequence[Lineage],
    when: TimeRange,
    *,
    tier: str | None = None,
    limit: int = 5_000,
    archive: bool = False,
) -> Look:
    """Read what the store has of an entity's series in `when`, up to `limit` rows of each.

    Args:
        reader: the store.
        timezone: the home's clock.
        told: the entity's series.
        when: the span.
        tier: the finest layer to use; the one that suits the span when None.
        limit: how many rows of a series at most.
        archive: whether an archive may have what is older than the days that are kept.
    """
    chosen = tier or resolution([one.series for one in told], when)
    # Rows that are handed down between two looks would be in neither, or in both.
    with snapshot(reader.connection):
        seen = tuple(_seen(reader, timezone, one, when, chosen, limit, archive=archive) for one in told)
    return Look(chosen, seen, limit)


def _seen(
    reader: StoreReader, timezone: str, told: Lineage, when: TimeRange, finest: str, limit: int, *, archive: bool
) -> Seen:
    seen = Seen(told.series, None, buckets.empty(told.series.kind), [])
    for segment in segments(reader, timezone, told, when, finest):
        if segment.tier == DAILY and archive:
            seen = _days(reader, told, segment.when, limit)
            continue
        for row in _rows(reader, told, segment):
            if len(seen.rows) > limit:
                return seen
            seen.rows.append(row)
    return seen


def _days(reader: StoreReader, told: Lineage, when: TimeRange, limit: int) -> Seen:
    """Return the days of a span, those after the last one that is not here as rows."""
    days = told.tier(reader, DAILY, when)
    whole = when.end
    # Days that were put back may leave holes.
    for start, end in zip(days.starts[::-1].tolist(), days.ends[::-1].tolist(), strict=True):
        if end < whole:
            break
        whole = start
    days = in_words(days, reader.texts(codes_in(days)))
    begin = max(when.start, _EPOCH)
    after = days.select(days.starts >= whole)
    after = after.select(after.starts <= after.starts[limit]) if len(after) > limit else after
    rows = zip(after.starts.tolist(), answers_in_words(after, DAILY, told.series.unit), strict=True)
    return Seen(
        told.series,
        TimeRange(begin, whole) if begin < whole else None,
        days.select(days.starts < whole),
        [(start, DAILY, row) for start, row in rows],
    )


def stretches(reader: StoreReader, tier: str, when: TimeRange) -> Iterator[TimeRange]:
    """Yield the part of a range that a layer has rows for, in stretches that are read at once."""
    connection, live = reader.connection, None
    # Rows that are compacted between two looks would be in neither.
    with snapshot(connection):
        low, high = connection.execute(f"SELECT MIN(key) >> 24, MAX(key) >> 24 FROM {tier}_chunk").fetchone()
        if tier == RAW:
            live, newest = connection.execute(
                f"SELECT MIN(time), MAX(time) FROM live WHERE flag IN {VALUE_FLAGS}"
            ).fetchone()
    span = _SPANS.get(tier, DAY)
    oldest = None if low is None else low * span
    end = when.end if high is None else min(when.end, (high + 1) * span)
    if live is not None:
        oldest, end = min(live, live if oldest is None else oldest), min(when.end, max(end, newest + 1))
    begin = when.end if oldest is None else max(when.start, oldest)
    while begin < end:
        yield TimeRange(begin, min(begin + _READ_AT_ONCE[tier], end))
        begin += _READ_AT_ONCE[tier]


def _rows(reader: StoreReader, told: Lineage, segment: Segment) -> Iterator[TierRow]:
    for part in stretches(reader, segment.tier, segment.when):
        for start, row in read_rows(reader, segment.tier, told, part):
            yield start, segment.tier, row


def read_rows(reader: StoreReader, tier: str, told: Lineage, when: TimeRange) -> Iterator[tuple[Micros, Answer]]:
    """Yield one layer's rows of a series, each with its start, as they are told."""
    if tier == RAW:
        rows = told.raw(reader, when)
        yield from zip(rows.times.tolist(), _changes(reader, told.series, rows), strict=True)
        return
    rolled = told.tier(reader, tier, when)
    yield from zip(rolled.starts.tolist(), answers(rolled, tier, told.series.unit, reader.texts), strict=True)


def _changes(reader: StoreReader, series: Series, rows: RawRows) -> list[Answer]:
    words = reader.texts({code for code in rows.texts.tolist() if code})
    return [
        {
            "time": from_micros(time).isoformat(),
            "value": None if flag == Flag.GAP or series.kind is Kind.TEXT or value != value else value,  # noqa: PLR0124
            "state": words.get(text),
            "flag": Flag(flag).name.lower(),
        }
        for time, value, text, flag in zip(
            rows.times.tolist(), rows.values.tolist(), rows.texts.tolist(), rows.flags.tolist(), strict=True
        )
    ]


def initial(reader: StoreReader, told: Lineage, instant: Micros) -> Answer | None:
    """Return the change that was in force at an instant, looked for in the day before; None where there is none."""
    rows = told.raw(reader, TimeRange(instant - DAY, instant))
    found = _changes(reader, told.series, rows)
    return found[-1] if found else None
