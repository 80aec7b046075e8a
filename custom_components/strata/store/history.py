"""History of one entity over any span: which layers tell it, and their rows.

Each layer reaches back as far as it is kept, so a span is told by the layer that suits its length
as far back as that goes, and by coarser ones before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core.model import Flag, Kind, Micros, Series, TimeRange, from_micros
from ..core.rollup import Rollup
from . import borders
from .answers import Answer, answers, count_field
from .base import RawRows
from .connection import snapshot
from .keys import MAX_SERIES
from .rows import VALUE_FLAGS
from .tiers import DAILY, DAY, FIVE_MINUTE, HOUR, HOURLY, RAW

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

type ReadArchive = Callable[[Series, TimeRange], Iterator[tuple[Micros, Answer]]]
"""Gives archived days of a series, each with its start, oldest first."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch that one layer tells."""

    tier: str
    when: TimeRange


@dataclass(slots=True)
class SeriesHistory:
    """Rows of one series, each with the layer it comes from."""

    series: Series
    rows: list[tuple[Micros, str, Answer]] = field(default_factory=list)
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


def resolution(series: Sequence[Series], when: TimeRange) -> str:
    """Return the layer that suits a span."""
    found = next((tier for tier, longest in _LONGEST if when.duration <= longest), DAILY)
    if found == FIVE_MINUTE and not any(one.fine for one in series):
        return HOURLY
    return found


def segments(reader: StoreReader, timezone: str, series: Series, when: TimeRange, finest: str) -> list[Segment]:
    """Return which layer tells which part of `when`, oldest first, none finer than `finest`."""
    left = when.end
    found: list[Segment] = []
    for tier in ORDER[ORDER.index(finest) :]:
        if tier == FIVE_MINUTE and not series.fine:
            continue
        begin = max(when.start, min(left, _kept_from(reader, timezone, tier, series)))
        if begin < left:
            found.append(Segment(tier, TimeRange(begin, left)))
            left = begin
    return found[::-1]


def _kept_from(reader: StoreReader, timezone: str, tier: str, series: Series) -> Micros:
    number = series.id or 0
    if tier in {RAW, HOURLY}:
        return borders.border(reader.connection, timezone, tier, number)
    if tier == DAILY:
        return 0
    # Five-minute rows go by whole periods, and hours tell what is older.
    period = reader.connection.execute(
        "SELECT MIN(key) >> 24 FROM five_minute_chunk WHERE (key >> 4) & ? = ?", (MAX_SERIES, number)
    ).fetchone()[0]
    return 2**62 if period is None else int(period) * DAY


def history(
    reader: StoreReader,
    timezone: str,
    series: Sequence[Series],
    when: TimeRange,
    *,
    tier: str | None = None,
    limit: int = 5_000,
    archive: ReadArchive | None = None,
) -> History:
    """Return rows of an entity's series in `when`, up to `limit` rows of each.

    Args:
        reader: the store.
        timezone: the home's clock.
        series: the entity's series.
        when: the span.
        tier: the finest layer to use; the one that suits the span when None.
        limit: how many rows of a series at most.
        archive: gives what is older than the days that are kept.
    """
    chosen = tier or resolution(series, when)
    told = tuple(_of_series(reader, timezone, one, when, chosen, limit, archive) for one in series)
    following = min((one.cut for one in told if one.cut is not None), default=None)
    if following is not None:
        for one in told:
            one.rows = [row for row in one.rows if row[0] < following]
    return History(chosen, told, following)


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


def _of_series(
    reader: StoreReader,
    timezone: str,
    series: Series,
    when: TimeRange,
    finest: str,
    limit: int,
    archive: ReadArchive | None,
) -> SeriesHistory:
    told = SeriesHistory(series)
    for tier, start, row in _rows(reader, timezone, series, when, finest, archive):
        if len(told.rows) >= limit:
            told.cut = start
            break
        told.rows.append((start, tier, row))
    return told


def _rows(
    reader: StoreReader, timezone: str, series: Series, when: TimeRange, finest: str, archive: ReadArchive | None
) -> Iterator[tuple[str, Micros, Answer]]:
    for segment in segments(reader, timezone, series, when, finest):
        begin = segment.when.start
        if segment.tier == DAILY and archive is not None and (part := _not_whole(reader, series, segment.when)):
            yield from _with_archived(reader, series, part, archive)
            begin = part.end
        if segment.tier != RAW:
            begin = max(begin, _first(reader, segment.tier))
        while begin < segment.when.end:
            end = min(begin + _READ_AT_ONCE[segment.tier], segment.when.end)
            for start, row in read_rows(reader, segment.tier, series, TimeRange(begin, end)):
                yield segment.tier, start, row
            begin = end


def archived_part(reader: StoreReader, timezone: str, series: Series, when: TimeRange, finest: str) -> TimeRange | None:
    """Return the part of a span for which days of a series may be in the archive only; None where there is none."""
    for segment in segments(reader, timezone, series, when, finest):
        if segment.tier == DAILY:
            return _not_whole(reader, series, segment.when)
    return None


def _not_whole(reader: StoreReader, series: Series, when: TimeRange) -> TimeRange | None:
    """Return the part of a span up to the last day that is not kept here; days that were put back may leave holes."""
    days = reader.tier(DAILY, series.id or 0, series.kind, when)
    whole = when.end
    for start, end in zip(days.starts[::-1].tolist(), days.ends[::-1].tolist(), strict=True):
        if end < whole:
            break
        whole = start
    begin = max(when.start, _EPOCH)
    return TimeRange(begin, whole) if begin < whole else None


def _with_archived(
    reader: StoreReader, series: Series, when: TimeRange, archive: ReadArchive
) -> Iterator[tuple[str, Micros, Answer]]:
    """Yield archived days and those kept here; of two of one day the one that knows more, as in the archive's files."""
    here = dict(read_rows(reader, DAILY, series, when))
    there = dict(archive(series, when))
    for start in sorted(here.keys() | there.keys()):
        kept = start not in there or (start in here and _knowledge(here[start]) >= _knowledge(there[start]))
        yield (DAILY, start, here[start]) if kept else (ARCHIVE, start, there[start])


def _knowledge(day: Answer) -> tuple[bool, float, float]:
    samples, covered = (float(str(day[name])) for name in (count_field(DAILY), "covered_seconds"))
    return samples > 0 or day["first_value"] is not None, covered, samples


def _first(reader: StoreReader, tier: str) -> Micros:
    """Return no later than where a tier's oldest chunk begins."""
    span = _SPANS.get(tier, DAY)
    found = reader.connection.execute(f"SELECT MIN(key) >> 24 FROM {tier}_chunk").fetchone()[0]
    return 2**62 if found is None else int(found) * span


def read_rows(reader: StoreReader, tier: str, series: Series, when: TimeRange) -> Iterator[tuple[Micros, Answer]]:
    """Yield one layer's rows of a series, each with its start, as they are told."""
    if tier == RAW:
        rows = reader.raw(series.id or 0, when)
        yield from zip(rows.times.tolist(), _changes(reader, series, rows), strict=True)
        return
    rolled: Rollup = reader.tier(tier, series.id or 0, series.kind, when)
    yield from zip(rolled.starts.tolist(), answers(rolled, tier, series.unit, reader.texts), strict=True)


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


def initial(reader: StoreReader, series: Series, instant: Micros) -> Answer | None:
    """Return the change that was in force at an instant, looked for in the day before; None where there is none."""
    rows = reader.raw(series.id or 0, TimeRange(max(0, instant - DAY), instant))
    found = _changes(reader, series, rows)
    return found[-1] if found else None
