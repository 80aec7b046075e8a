"""What a step of the ladder works through: which rows of which series are past their time, in portions.

A portion is what the writer is held for. It is bounded by what proving and deleting it takes, so a home with four times
the series has four times the portions, not longer ones.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
import sqlite3

from ..core.model import Micros, TimeRange
from ..core.portioned import portioned
from .job import StoreJob, watermark
from .keys import MAX_SERIES, key_period, key_range
from .tiers import DAILY, DAY, HOURLY, Keeps, Tier

_MOST = 600
"""What a portion may weigh, in chunks of raw rows: some 50 ms of work."""
_SERIES_WEIGHS = 6
"""What a series weighs by itself: its coarser buckets are read whether it has many rows or none."""
_ROWS_OF_WEIGHT = 250
"""Rows that weigh as much as a chunk does by itself."""
_DAYS_AT_ONCE = 8
"""Days that are looked at before others have their turn."""

type Limits = Mapping[int, Micros]
"""By series: what is older is past its time."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows of some series in a stretch of at most a day, all of which are past their time."""

    when: TimeRange
    series: frozenset[int]


def limits(job: StoreJob, source: Tier, now: Micros, keeps: Keeps) -> Limits:
    """Return up to where each series' rows of a tier are past their time and rolled up."""
    rolled = watermark(job.connection, HOURLY if source.name != HOURLY else DAILY)
    if rolled is None:
        return {}
    found: dict[int, Micros] = {}
    for number in job.series:
        keep = keeps.get(number, {}).get(source.name, source.keep)
        if keep is not None:
            past = min(now - keep // timedelta(microseconds=1), rolled)
            found[number] = past // source.span * source.span
    return found


class Portions:
    """The portions of a tier that are past their time, oldest first; days end where one before the newest limit does.

    Each day is looked at when its turn comes, for to look at all of a year would hold the writer for long.
    """

    def __init__(self, connection: sqlite3.Connection, source: Tier, due: Limits) -> None:
        """Find out where to begin."""
        self._connection = connection
        self._source = source
        self._due = due
        self._newest = max(due.values(), default=0)
        self._found: deque[Portion] = deque()
        self._first = self._next = self._day_from(0)

    @property
    def total(self) -> int:
        """How many days there are between the oldest row and the newest limit."""
        return (self._newest - self._first) // DAY

    @property
    def done(self) -> int:
        """How many of them have been gone through."""
        return (self._next - self._first) // DAY - bool(self._found)

    def look(self) -> bool:
        """Look for the next day with portions, unless there are some of the last; return False at the end.

        Of days that hold only what stays some are looked at; it may be that none of them has any.
        """
        for _ in range(_DAYS_AT_ONCE):
            if self._found:
                break
            start = self._day_from(self._next)
            self._next = min(start + DAY, self._newest)
            if start >= self._newest:
                return False
            self._found.extend(self._of_day(start))
        return True

    def take(self) -> Portion | None:
        """Return the next portion, None where none was found."""
        return self._found.popleft() if self._found else None

    def _day_from(self, moment: Micros) -> Micros:
        """Return where the first day begins that holds a chunk of `moment` or later; the newest limit if none does."""
        low, _ = key_range(moment // self._source.span, 0)
        (key,) = self._connection.execute(
            f"SELECT MIN(key) FROM {self._source.table} WHERE key >= ?", (low,)
        ).fetchone()
        if key is None:
            return self._newest
        before = max(0, self._newest - key_period(key) * self._source.span)
        return self._newest + -before // DAY * DAY

    def _of_day(self, start: Micros) -> Iterator[Portion]:
        """Yield portions: on a day that holds anything of some series, all series whose rows end there alike.

        Series that have nothing on such a day are with the others, for what is known of them moves on, too.
        """
        span = self._source.span
        weights: dict[int, int] = dict(
            self._connection.execute(
                f"SELECT (key >> 4) & {MAX_SERIES}, COUNT(*) + SUM(rows) / {_ROWS_OF_WEIGHT}"
                f" FROM {self._source.table} WHERE key >= ? AND key < ? GROUP BY 1",
                key_range(start // span, (start + DAY) // span - 1),
            )
        )
        by_end: dict[Micros, list[int]] = {}
        for number, limit in sorted(self._due.items()):
            if limit > start:
                by_end.setdefault(min(start + DAY, limit), []).append(number)
        for end, series in sorted(by_end.items()):
            if not weights.keys().isdisjoint(series):
                for some in portioned(series, lambda number: _SERIES_WEIGHS + weights.get(number, 0), _MOST):
                    yield Portion(TimeRange(start, end), frozenset(some))
