"""Hours that archived single values make, as the store would have made them.

Files of single values say, beside the values, when recording stopped and from when a value held again, so what was not
known then is not known now. Rows are taken a local day at a time, because days follow from whole hours.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..core.clock import DAY, floor_day, floor_hour, hour_edges, next_hour
from ..core.model import Flag, Kind, Micros, Series, SeriesKey, TimeRange
from ..core.rollup import Rollup
from ..store import buckets
from ..store.base import RawRows
from ..store.pace import paced
from ..store.timeline import Carry, Timeline, build
from ..store.words import in_words
from .content import merge_rows
from .errors import ArchiveError
from .restore import Restorer
from .tables import RawColumns, SeriesBuckets, SeriesRows

_NO_STOPS = np.empty(0, np.int64)


@dataclass(slots=True)
class _One:
    """A series under way: rows that are not in hours yet, and what was known where those begin."""

    series: Series
    rows: list[RawColumns] = field(default_factory=list)
    carry: Carry | None = None
    codes: dict[str, int] = field(default_factory=dict)


class Hours:
    """Makes hours of what a restorer reads."""

    def __init__(self, restorer: Restorer, timezone: str) -> None:
        """Read from `restorer`; hours follow the clock of `timezone`."""
        self._restorer = restorer
        self._timezone = timezone
        self._series: dict[tuple[SeriesKey, Kind], _One] = {}
        self._begin: Micros = 0
        self._end: Micros | None = None

    def run(self, when: TimeRange, entities: Container[str] | None = None) -> Iterator[SeriesBuckets]:
        """Yield the hours of `when`, series by series, day by day; text hours are in words.

        What a value was before the first file is not known. A day without a file is a gap.
        """
        # A day more before, so that what held where the range begins is known.
        wide = TimeRange(max(0, when.start - DAY), when.end)
        for file, parts in self._restorer.event_files(wide, entities):
            try:
                given = list(paced(parts))
            except ArchiveError as error:
                # Half of a day would have what held before it go on to its end.
                self._restorer.report.problems.append(f"{file.key}: {error}")
                continue
            if file.start != self._end:
                yield from self._hours(when, None)
                self._begin_at(file.start)
            self._end = file.end
            self._take(given, file.start)
            yield from self._hours(when, floor_day(self._timezone, file.end))
        yield from self._hours(when, None)

    def _take(self, parts: list[SeriesRows], start: Micros) -> None:
        """Take the rows of a file; where a series is of another kind from it on, nothing of the one before holds."""
        for series, rows in parts:
            self._series.setdefault((series.key, series.kind), _One(series)).rows.append(rows)
        given = {(series.key, series.kind) for series, _ in parts}
        keys = {key for key, _ in given}
        for (key, kind), one in self._series.items():
            if key in keys and (key, kind) not in given:
                one.rows.append((np.array([start]), np.array([np.nan]), [None], np.array([int(Flag.GAP)])))

    def _begin_at(self, start: Micros) -> None:
        self._series.clear()
        hour = floor_hour(self._timezone, start)
        self._begin = start if hour == start else next_hour(self._timezone, start)

    def _hours(self, when: TimeRange, until: Micros | None) -> Iterator[SeriesBuckets]:
        """Yield what there is up to an instant, or with None up to the last whole hour; rows from there on wait."""
        if self._end is None:
            return
        until = floor_hour(self._timezone, self._end) if until is None else until
        if until <= self._begin:
            return
        edges = hour_edges(self._timezone, self._begin, until)
        for one in paced(self._series.values()):
            rolled = self._rolled(one, np.array(edges, np.int64))
            rolled = rolled.select(rolled.known & (rolled.starts >= when.start) & (rolled.starts < when.end))
            if len(rolled):
                words = {code: text for text, code in one.codes.items()}
                yield one.series, in_words(buckets.with_offsets(rolled, self._timezone), words)
        self._begin = until

    def _rolled(self, one: _One, edges: NDArray[np.int64]) -> Rollup:
        joined = one.rows[0] if one.rows else _NOTHING
        for more in one.rows[1:]:
            joined = merge_rows(joined, more)
        first, last = (int(at) for at in np.searchsorted(joined[0], (edges[0], edges[-1])))
        one.rows = [_cut(joined, last, None)] if last < len(joined[0]) else []
        before = _timeline(one, _cut(joined, 0, first))
        one.carry = before.end()
        timeline = _timeline(one, _cut(joined, first, last))
        rolled = timeline.roll_up(one.series, edges)
        one.carry = timeline.end()
        return rolled


_NOTHING: RawColumns = (np.empty(0, np.int64), np.empty(0, np.float64), (), np.empty(0, np.int64))


def _cut(rows: RawColumns, first: int, last: int | None) -> RawColumns:
    times, values, texts, flags = rows
    return times[first:last], values[first:last], texts[first:last], flags[first:last]


def _timeline(one: _One, rows: RawColumns) -> Timeline:
    times, values, texts, flags = rows
    codes = [0 if text is None else one.codes.setdefault(text, len(one.codes) + 1) for text in texts]
    resumed = flags == Flag.RESUME
    held = RawRows(times[~resumed], values[~resumed], np.array(codes, np.int64)[~resumed], flags[~resumed])
    return build(one.series.kind, held, _NO_STOPS, times[resumed].tolist(), one.carry)
