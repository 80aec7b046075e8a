"""Rolling up: closed buckets from raw rows, days from hours, and again where rows came late."""

from collections.abc import Iterator, Mapping, Sequence
import sqlite3
import time

import numpy as np
from numpy.typing import NDArray

from ..core.clock import day_edges, floor_day, floor_hour, hour_edges, next_day, next_hour
from ..core.model import Flag, Kind, Micros, Series, TimeRange
from ..core.rollup import Rollup, combine
from . import buckets, rows, runs
from .base import RawRows, RollUpReport
from .connection import transaction
from .keys import KINDS, NO_KIND, chunk_key
from .tiers import DAILY, FIVE_MINUTE, HOURLY, RAW, Ladder
from .timeline import Carry, Timeline, build, series_values

type SeriesById = Mapping[int, Series]

_HOURS_AT_ONCE = 24
_DAYS_AT_ONCE = 31
_FIVE_MINUTES = 300_000_000


def watermark(connection: sqlite3.Connection, tier: str) -> Micros | None:
    """Return the instant up to which a tier is complete; for `raw`, from which rows are there."""
    found = connection.execute("SELECT until FROM watermark WHERE tier = ?", (tier,)).fetchone()
    return None if found is None else int(found[0])


def set_watermark(connection: sqlite3.Connection, tier: str, until: Micros) -> None:
    """Move a tier's watermark."""
    connection.execute("INSERT OR REPLACE INTO watermark VALUES (?, ?)", (tier, until))


class RollUp:
    """Rolls one store up; used on the writer's thread only."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        ladder: Ladder,
        timezone: str,
        series: SeriesById,
    ) -> None:
        """Work on a store's connection; `series` is the store's live mapping by id."""
        self._connection = connection
        self._ladder = ladder
        self._timezone = timezone
        self._series = series
        self._written: dict[str, int] = {}

    def run(self, now: Micros) -> RollUpReport:
        """Roll up every bucket that closed before `now`, and settle what late rows made stale."""
        began = time.perf_counter()
        self._written = dict.fromkeys((FIVE_MINUTE, HOURLY, DAILY), 0)
        self.settle()
        self._hours(now)
        self._days()
        return RollUpReport(self._written, time.perf_counter() - began)

    def settle(self) -> None:
        """Recompute the buckets that late rows touch, one series at a time."""
        for series, start, stop in self._connection.execute("SELECT series, start, stop FROM dirty").fetchall():
            with transaction(self._connection):
                if series in self._series:
                    self._recompute(self._series[series], TimeRange(start, stop + 1))
                self._connection.execute("DELETE FROM dirty WHERE series = ?", (series,))

    def _hours(self, now: Micros) -> None:
        begin = watermark(self._connection, HOURLY)
        if begin is None:
            oldest = _oldest_row(self._connection)
            if oldest is None:
                return
            begin = floor_hour(self._timezone, oldest)
        edges = [begin, *(e for e in hour_edges(self._timezone, begin, now) if e > begin)]
        for low in range(0, len(edges) - 1, _HOURS_AT_ONCE):
            with transaction(self._connection):
                self._batch_of_hours(np.array(edges[low : low + _HOURS_AT_ONCE + 1], np.int64))

    def _batch_of_hours(self, edges: NDArray[np.int64]) -> None:
        when = TimeRange(int(edges[0]), int(edges[-1]))
        stops = runs.stops(self._connection, when)
        ends: list[tuple[int, Carry]] = []
        rolled = [
            (series, *self._tiers_of(series, timeline, edges))
            for series, timeline in self._timelines(when, stops, ends)
        ]
        self._write(HOURLY, [(series.id or 0, hours) for series, _, hours in rolled], when)
        self._write(
            FIVE_MINUTE,
            [(series.id or 0, fine) for series, fine, _ in rolled if fine is not None],
            when,
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO carry VALUES (?, ?, ?, ?, ?)",
            [_carry_row(self._series[number], carry) for number, carry in ends],
        )
        for tier in (FIVE_MINUTE, HOURLY):
            set_watermark(self._connection, tier, when.end)

    def _timelines(
        self, when: TimeRange, stops: NDArray[np.int64], ends: list[tuple[int, Carry]]
    ) -> Iterator[tuple[Series, Timeline]]:
        """Yield the series that did or held anything in `when`; append the carry of each."""
        found = rows.read_all(self._connection, when)
        resumes = runs.resumes(self._connection, when)
        carries = self._carries()
        for number, series in list(self._series.items()):
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

    def _tiers_of(self, series: Series, timeline: Timeline, edges: NDArray[np.int64]) -> tuple[Rollup | None, Rollup]:
        """Return the 5-minute buckets, for series that have them, and the hourly ones."""
        if not series.fine:
            hours = timeline.roll_up(series, edges)
            return None, hours.select(hours.known)
        fine = timeline.roll_up(series, _five_minute_edges(edges))
        hours = combine(fine, edges)
        return fine.select(fine.known), hours.select(hours.known)

    def _write(self, tier: str, rolled: Sequence[tuple[int, Rollup]], when: TimeRange) -> None:
        count = buckets.replace(self._connection, self._ladder[tier], self._timezone, rolled, when)
        self._written[tier] = self._written.get(tier, 0) + count

    def _carries(self) -> dict[int, Carry]:
        return {
            number: Carry(
                moment,
                float(text) if self._kind(number) is Kind.TEXT else (np.nan if value is None else value),
                flag != Flag.GAP,
            )
            for number, moment, value, text, flag in self._connection.execute(
                "SELECT series, time, value, text, flag FROM carry"
            )
        }

    def _kind(self, number: int) -> Kind:
        series = self._series.get(number)
        return series.kind if series else Kind.MEASUREMENT

    def _days(self) -> None:
        until = watermark(self._connection, HOURLY)
        if until is None:
            return
        begin = watermark(self._connection, DAILY)
        if begin is None:
            oldest = _oldest_bucket(self._connection, self._ladder)
            if oldest is None:
                return
            begin = floor_day(self._timezone, oldest)
        edges = [begin, *(e for e in day_edges(self._timezone, begin, until) if e > begin)]
        for low in range(0, len(edges) - 1, _DAYS_AT_ONCE):
            some = edges[low : low + _DAYS_AT_ONCE + 1]
            with transaction(self._connection):
                self._batch_of_days(np.array(some, np.int64))
                set_watermark(self._connection, DAILY, some[-1])

    def _batch_of_days(self, edges: NDArray[np.int64]) -> None:
        when = TimeRange(int(edges[0]), int(edges[-1]))
        hours = buckets.read_all(self._connection, self._ladder[HOURLY], when)
        self._write(
            DAILY,
            [(number, _days_of(found, edges)) for (number, _), found in hours.items()],
            when,
        )

    def _recompute(self, series: Series, late: TimeRange) -> None:
        """Roll up again every bucket that rows in `late` can have changed."""
        done = watermark(self._connection, HOURLY)
        if done is None or series.id is None:
            return
        begin = floor_hour(self._timezone, late.start)
        following = self._first_row_after(series.id, TimeRange(late.end, max(done, late.end)))
        end = done if following is None else min(done, next_hour(self._timezone, following))
        if end <= begin:
            return
        floor = watermark(self._connection, RAW) or begin
        if begin < floor:
            self._fill_before(series, TimeRange(begin, min(end, floor)))
            begin = floor
        if begin < end:
            self._roll_up_again(series, TimeRange(begin, end))

    def _roll_up_again(self, series: Series, when: TimeRange, *, only_missing: bool = False) -> None:
        number = series.id or 0
        inner = hour_edges(self._timezone, when.start, when.end)
        edges = np.unique(np.array([when.start, *inner, when.end], np.int64))
        timeline = build(
            series.kind,
            rows.read_series(self._connection, number, when),
            runs.stops(self._connection, when),
            runs.resumes(self._connection, when, number).get(number, ()),
            self._carry_before(series, when.start),
        )
        fine, hours = self._tiers_of(series, timeline, edges)
        for tier, rolled in ((FIVE_MINUTE, fine), (HOURLY, hours)):
            if rolled is None:
                continue
            if only_missing:
                self._write(tier, [(number, self._missing(tier, number, rolled, when))], when)
                continue
            for kind in KINDS:
                self._write(tier, [(number, rolled if kind is rolled.kind else buckets.empty(kind))], when)
        self._days_again(number, when)

    def _missing(self, tier: str, number: int, rolled: Rollup, when: TimeRange) -> Rollup:
        """Return the stored buckets plus those of `rolled` that are not stored yet."""
        stored = buckets.read_series(self._connection, self._ladder[tier], number, rolled.kind, when)
        new = buckets.with_offsets(rolled.select(~np.isin(rolled.starts, stored.starts)), self._timezone)
        return buckets.concatenate([part for part in (stored, new) if len(part)] or [stored])

    def _fill_before(self, series: Series, when: TimeRange) -> None:
        """Fill hours whose raw rows are no longer kept, but only where there is none yet."""
        self._roll_up_again(series, when, only_missing=True)

    def _days_again(self, number: int, when: TimeRange) -> None:
        done = watermark(self._connection, DAILY)
        if done is None:
            return
        begin = floor_day(self._timezone, when.start)
        end = min(done, next_day(self._timezone, when.end - 1))
        if end <= begin:
            return
        days = TimeRange(begin, end)
        edges = np.unique(np.array([begin, *day_edges(self._timezone, begin, end), end], np.int64))
        for kind in KINDS:
            hours = buckets.read_series(self._connection, self._ladder[HOURLY], number, kind, days)
            self._write(DAILY, [(number, _days_of(hours, edges))], days)

    def _first_row_after(self, number: int, when: TimeRange) -> Micros | None:
        for period in rows.stored_periods(self._connection, "raw_chunk", rows.RAW_SPAN, when):
            found = self._connection.execute(
                "SELECT blob FROM raw_chunk WHERE key = ?", (chunk_key(period, number, NO_KIND),)
            ).fetchone()
            if found:
                later = rows.counted(rows.cut(rows.decode_rows(found[0]), when))
                if len(later):
                    return int(later.times[0])
        return None

    def _carry_before(self, series: Series, instant: Micros) -> Carry | None:
        """Return what was known of a series just before an instant in the past."""
        number = series.id or 0
        carry = self._newest_row_before(series, instant)
        if carry is None:
            hours = self._last_bucket_before(series, instant)
            if hours is None:
                return None
            carry = hours
        between = TimeRange(carry.time + 1, max(instant, carry.time + 1))
        resumed = runs.resumes(self._connection, between, number).get(number, [0])[-1]
        stops = runs.stops(self._connection, between)
        held = not len(stops) or resumed >= int(stops[-1])
        return Carry(carry.time, carry.value, in_force=carry.in_force and held)

    def _newest_row_before(self, series: Series, instant: Micros) -> Carry | None:
        number = series.id or 0
        known: Carry | None = None
        gap = False
        searched = TimeRange(0, instant)
        for period in reversed(rows.stored_periods(self._connection, "raw_chunk", rows.RAW_SPAN, searched)):
            found = self._connection.execute(
                "SELECT blob FROM raw_chunk WHERE key = ?", (chunk_key(period, number, NO_KIND),)
            ).fetchone()
            if not found:
                continue
            before = rows.counted(rows.cut(rows.decode_rows(found[0]), searched))
            known, gap = _newest_known(series.kind, before, gap=gap)
            if known is not None:
                return known
        return None

    def _last_bucket_before(self, series: Series, instant: Micros) -> Carry | None:
        tier = self._ladder[HOURLY]
        span = TimeRange(max(0, instant - 2 * tier.span), instant)
        hours = buckets.read_series(self._connection, tier, series.id or 0, series.kind, span)
        if not len(hours):
            return None
        covered = int(hours.columns["covered"][-1])
        whole = covered == int(hours.ends[-1] - hours.starts[-1]) and hours.ends[-1] == instant
        return Carry(int(hours.ends[-1]), float(hours.columns["last"][-1]), in_force=bool(whole))


def _newest_known(kind: Kind, before: RawRows, *, gap: bool) -> tuple[Carry | None, bool]:
    """Return the newest value among rows, and whether a gap has been met behind it."""
    if not len(before):
        return None, gap
    values = series_values(kind, before)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return None, True
    newest = int(known[-1])
    held = not gap and newest == len(values) - 1
    return Carry(int(before.times[newest]), float(values[newest]), in_force=held), True


def _carry_row(series: Series, carry: Carry) -> tuple[int, int, float | None, int, int]:
    flag = int(Flag.OK if carry.in_force else Flag.GAP)
    if series.kind is Kind.TEXT:
        return series.id or 0, carry.time, None, int(carry.value), flag
    return series.id or 0, carry.time, carry.value, 0, flag


def _days_of(hours: Rollup, edges: NDArray[np.int64]) -> Rollup:
    if not len(hours):
        return buckets.empty(hours.kind)
    days = combine(hours, edges, strict=False)
    return days.select(days.known)


def _five_minute_edges(edges: NDArray[np.int64]) -> NDArray[np.int64]:
    inner = np.arange(edges[0] // _FIVE_MINUTES * _FIVE_MINUTES, edges[-1] + 1, _FIVE_MINUTES, np.int64)
    inside = inner[(inner > edges[0]) & (inner < edges[-1])]
    return np.unique(np.concatenate((edges, inside)))


def _oldest_row(connection: sqlite3.Connection) -> Micros | None:
    chunk = connection.execute("SELECT key, blob FROM raw_chunk ORDER BY key LIMIT 1").fetchone()
    live = connection.execute(f"SELECT MIN(time) FROM live WHERE flag IN {rows.VALUE_FLAGS}").fetchone()[0]
    times = [] if live is None else [int(live)]
    if chunk:
        times.append((chunk[0] >> 24) * rows.RAW_SPAN)
    return min(times, default=None)


def _oldest_bucket(connection: sqlite3.Connection, ladder: Ladder) -> Micros | None:
    tier = ladder[HOURLY]
    found = connection.execute(f"SELECT MIN(key) FROM {tier.table}").fetchone()[0]
    if found is None:
        return None
    period = found >> 24
    whole = TimeRange(period * tier.span, (period + 1) * tier.span)
    hours = buckets.read_all(connection, tier, whole)
    return min(int(rolled.starts[0]) for rolled in hours.values())
