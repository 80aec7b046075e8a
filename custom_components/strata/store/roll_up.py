"""Rolling up: closed buckets from raw rows, and days from hours."""

from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
import sqlite3

import numpy as np
from numpy.typing import NDArray

from ..core.clock import DAY, HOUR, day_edges, floor_day, floor_hour, hour_edges
from ..core.combine import combine
from ..core.model import Flag, Kind, Micros, Series, TimeRange
from ..core.rollup import Rollup
from . import buckets, rows, runs
from .connection import transaction
from .job import SeriesById, StoreJob, set_watermark, watermark
from .keys import key_period
from .pace import paced
from .tiers import DAILY, FIVE_MINUTE, HOURLY, Ladder
from .timeline import Carry, Timeline, build

_HOURS_AT_ONCE = 25
_DAYS_AT_ONCE = 16
"""What a portion is at most: some tenths of a second for a home of 150 entities, whose chunks are written once or
twice. An hour alone takes almost as long as a day of them. The longest day has 25 hours."""
_FIVE_MINUTES = 300_000_000


class RollUp(StoreJob):
    """Rolls one store up, a portion at a time."""

    def __init__(self, connection: sqlite3.Connection, ladder: Ladder, timezone: str, series: SeriesById) -> None:
        """Take what to work on."""
        super().__init__(connection, ladder, timezone, series)
        self.written: dict[str, int] = {}
        """Rows by tier."""

    def next_hours(self, now: Micros) -> bool:
        """Roll up the oldest hours that closed before `now`, a day of them; return False when there are none left."""
        begin = watermark(self._connection, HOURLY)
        if begin is None:
            oldest = _oldest_row(self._connection)
            if oldest is None:
                return False
            begin = floor_hour(self._timezone, oldest)
        edges = hour_edges(self._timezone, begin + 1, min(now, begin + _HOURS_AT_ONCE * HOUR))
        if not edges:
            return False
        with transaction(self._connection):
            self._batch_of_hours(np.array([begin, *edges], np.int64))
        return True

    def _batch_of_hours(self, edges: NDArray[np.int64]) -> None:
        when = TimeRange(int(edges[0]), int(edges[-1]))
        ends: list[tuple[int, Carry]] = []
        rolled = [
            (series.id or 0, *roll_tiers(series, timeline, edges))
            for series, timeline in self.timelines(when, load_carries(self._connection, "carry", self._series), ends)
        ]
        self._write(HOURLY, [(number, hours) for number, _, hours in rolled], when)
        self._write(FIVE_MINUTE, [(number, fine) for number, fine, _ in rolled if fine is not None], when)
        save_carries(self._connection, "carry", self._series, ends)
        for tier in (FIVE_MINUTE, HOURLY):
            set_watermark(self._connection, tier, when.end)

    def timelines(
        self,
        when: TimeRange,
        carries: Mapping[int, Carry],
        ends: list[tuple[int, Carry]],
        only: AbstractSet[int] | None = None,
    ) -> Iterator[tuple[Series, Timeline]]:
        """Yield the series that did or held anything in `when`; append to `ends` what they end with."""
        found = rows.read_all(self._connection, when, only)
        stops = runs.stops(self._connection, when)
        resumes = runs.resumes(self._connection, when)
        for number, series in paced(list(self._series.items())):
            if only is not None and number not in only:
                continue
            carry = carries.get(number)
            if number not in found and number not in resumes and not (carry is not None and carry.in_force):
                continue
            timeline = build(
                series.kind,
                found.get(number, rows.NO_ROWS),
                stops,
                resumes.get(number, ()),
                carry,
            )
            end = timeline.end()
            if end is not None and end != carry:
                ends.append((number, end))
            yield series, timeline

    def _write(self, tier: str, rolled: Sequence[tuple[int, Rollup]], when: TimeRange) -> None:
        count = buckets.replace(self._connection, self._ladder[tier], self._timezone, rolled, when)
        self.written[tier] = self.written.get(tier, 0) + count

    def next_days(self) -> bool:
        """Roll up the oldest days whose hours are all there, some of them; return False when there are none left."""
        until = watermark(self._connection, HOURLY)
        if until is None:
            return False
        begin = watermark(self._connection, DAILY)
        if begin is None:
            oldest = _oldest_bucket(self._connection, self._ladder)
            if oldest is None:
                return False
            begin = floor_day(self._timezone, oldest)
        edges = day_edges(self._timezone, begin + 1, min(until, begin + _DAYS_AT_ONCE * DAY))
        if not edges:
            return False
        with transaction(self._connection):
            self._batch_of_days(np.array([begin, *edges], np.int64))
            set_watermark(self._connection, DAILY, edges[-1])
        return True

    def _batch_of_days(self, edges: NDArray[np.int64]) -> None:
        when = TimeRange(int(edges[0]), int(edges[-1]))
        hours = buckets.read_all(self._connection, self._ladder[HOURLY], when)
        self._write(
            DAILY,
            [(number, days_of(found, edges)) for (number, _), found in hours.items()],
            when,
        )


def roll_tiers(series: Series, timeline: Timeline, edges: NDArray[np.int64]) -> tuple[Rollup | None, Rollup]:
    """Return the known 5-minute buckets, for series that have them, and the known hourly ones."""
    if not series.fine:
        hours = timeline.roll_up(series, edges)
        return None, hours.select(hours.known)
    fine = timeline.roll_up(series, _five_minute_edges(edges))
    hours = combine(fine, edges)
    return fine.select(fine.known), hours.select(hours.known)


def days_of(hours: Rollup, edges: NDArray[np.int64]) -> Rollup:
    """Return the known days that follow from hours."""
    if not len(hours):
        return buckets.empty(hours.kind)
    days = combine(hours, edges, strict=False)
    return days.select(days.known)


def load_carries(connection: sqlite3.Connection, table: str, series: SeriesById) -> dict[int, Carry]:
    """Return what `carry` or `base` says about each series."""
    return {
        number: _carry(series[number], moment, value, text, flag)
        for number, moment, value, text, flag in connection.execute(
            f"SELECT series, time, value, text, flag FROM {table}"
        )
        if number in series
    }


def load_carry(connection: sqlite3.Connection, table: str, series: Series) -> Carry | None:
    """Return what `carry` or `base` says about one series."""
    found = connection.execute(f"SELECT time, value, text, flag FROM {table} WHERE series = ?", (series.id,)).fetchone()
    return _carry(series, *found) if found else None


def _carry(series: Series, moment: Micros, value: float | None, text: int, flag: int) -> Carry:
    number = float(text) if series.kind is Kind.TEXT else value
    return Carry(moment, np.nan if number is None else number, in_force=flag != Flag.GAP)


def save_carries(
    connection: sqlite3.Connection, table: str, series: SeriesById, carries: Sequence[tuple[int, Carry]]
) -> None:
    """Keep what is known of series in `carry` or `base`."""
    connection.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)",
        [_carry_row(series[number], carry) for number, carry in carries],
    )


def _carry_row(series: Series, carry: Carry) -> tuple[int, int, float | None, int, int]:
    flag = int(Flag.OK if carry.in_force else Flag.GAP)
    if series.kind is Kind.TEXT:
        return series.id or 0, carry.time, None, 0 if np.isnan(carry.value) else int(carry.value), flag
    return series.id or 0, carry.time, None if np.isnan(carry.value) else carry.value, 0, flag


def _five_minute_edges(edges: NDArray[np.int64]) -> NDArray[np.int64]:
    inner = np.arange(edges[0] // _FIVE_MINUTES * _FIVE_MINUTES, edges[-1] + 1, _FIVE_MINUTES, np.int64)
    inside = inner[(inner > edges[0]) & (inner < edges[-1])]
    return np.unique(np.concatenate((edges, inside)))


def _oldest_row(connection: sqlite3.Connection) -> Micros | None:
    chunk = connection.execute("SELECT key FROM raw_chunk ORDER BY key LIMIT 1").fetchone()
    live = connection.execute(f"SELECT MIN(time) FROM live WHERE flag IN {rows.VALUE_FLAGS}").fetchone()[0]
    times = [] if live is None else [int(live)]
    if chunk:
        times.append(key_period(chunk[0]) * rows.RAW_SPAN)
    return min(times, default=None)


def _oldest_bucket(connection: sqlite3.Connection, ladder: Ladder) -> Micros | None:
    tier = ladder[HOURLY]
    found = connection.execute(f"SELECT MIN(key) FROM {tier.table}").fetchone()[0]
    if found is None:
        return None
    period = key_period(found)
    whole = TimeRange(period * tier.span, (period + 1) * tier.span)
    hours = buckets.read_all(connection, tier, whole)
    # A chunk that is damaged says nothing; what it was of begins with it.
    return min((int(rolled.starts[0]) for rolled in hours.values()), default=whole.start)
