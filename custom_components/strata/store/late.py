"""Late rows: which buckets they make stale, and rolling exactly those up again."""

from collections.abc import Iterable

import numpy as np

from ..core.clock import day_edges, floor_day, floor_hour, hour_edges, next_day, next_hour
from ..core.model import Micros, Series, TimeRange
from ..core.rollup import Rollup
from . import borders, buckets, rows, runs
from .base import RawRows
from .connection import transaction
from .job import StoreJob, watermark
from .keys import KINDS, NO_KIND, chunk_key
from .roll_up import days_of, load_carry, roll_tiers, save_carries
from .tiers import DAILY, FIVE_MINUTE, HOURLY, RAW
from .timeline import Carry, Timeline, build, series_values


class Settle(StoreJob):
    """Rolls up again what late rows touch; to be used after compaction."""

    def run(self) -> int:
        """Settle every series that has late rows, each in its own transaction; return how many."""
        stale = self.stale()
        for number in stale:
            self.settle(number)
        return len(stale)

    def stale(self) -> list[int]:
        """Return the series that have late rows."""
        return [number for (number,) in self._connection.execute("SELECT series FROM dirty")]

    def settle(self, number: int) -> None:
        """Settle one series in a transaction of its own, if it still has late rows."""
        with transaction(self._connection):
            late = self._connection.execute("SELECT start, stop FROM dirty WHERE series = ?", (number,)).fetchone()
            if late is not None and number in self._series:
                self._recompute(self._series[number], TimeRange(late[0], late[1] + 1))
            self._connection.execute("DELETE FROM dirty WHERE series = ?", (number,))

    def fill_days(self, series: Iterable[int], when: TimeRange) -> None:
        """Make the days of some series that are missing though there are hours of them; others stay as they are."""
        done = watermark(self._connection, DAILY)
        if done is None:
            return
        days = TimeRange(
            floor_day(self._timezone, when.start),
            min(done, next_day(self._timezone, when.end - 1)),
        )
        with transaction(self._connection):
            for number in series:
                self._days_from(number, days, only_missing=True)

    def _recompute(self, series: Series, late: TimeRange) -> None:
        done = watermark(self._connection, HOURLY)
        if done is None:
            return
        border = borders.border(self._connection, self._timezone, RAW, series.id or 0)
        begin = floor_hour(self._timezone, late.start)
        holds_on = False
        if begin < border:
            holds_on = self._fill(series, TimeRange(begin, border), late)
        if late.end <= border and not holds_on:
            return
        begin = max(begin, border)
        following = self._next_known(series, TimeRange(max(late.end, border), max(done, late.end, border)))
        end = done if following is None else min(done, next_hour(self._timezone, following))
        if begin < end:
            timeline = self._roll_up_again(series, TimeRange(begin, end))
            if end == done:
                self._carry_on(series, timeline.end())

    def _carry_on(self, series: Series, carry: Carry | None) -> None:
        """Let the next hours begin with what is known now; a row taken away may leave nothing."""
        if carry is None:
            self._connection.execute("DELETE FROM carry WHERE series = ?", (series.id,))
        else:
            save_carries(self._connection, "carry", self._series, [(series.id or 0, carry)])

    def _fill(self, series: Series, when: TimeRange, late: TimeRange) -> bool:
        """Fill hours whose raw rows are gone, up to the first one that is rolled up already.

        Returns whether the late value still holds where raw rows begin.
        """
        number = series.id or 0
        newest_late = min(late.end, when.end) - 1
        stored = buckets.read_series(self._connection, self._ladder[HOURLY], number, series.kind, when)
        later = stored.starts[stored.starts > newest_late]
        end = int(later[0]) if len(later) else when.end
        if end <= when.start:
            return False
        timeline = self._roll_up_again(series, TimeRange(when.start, end), only_missing=True)
        after = timeline.end()
        before = load_carry(self._connection, "base", series)
        if end < when.end or after is None or (before is not None and before.time > after.time):
            return False
        save_carries(self._connection, "base", self._series, [(number, after)])
        return True

    def _roll_up_again(self, series: Series, when: TimeRange, *, only_missing: bool = False) -> Timeline:
        number = series.id or 0
        inner = hour_edges(self._timezone, when.start, when.end)
        edges = np.unique(np.array([when.start, *inner, when.end], np.int64))
        timeline = self._timeline(series, when, self._carry_before(series, when.start))
        fine, hours = roll_tiers(series, timeline, edges)
        for tier, rolled in ((FIVE_MINUTE, fine), (HOURLY, hours)):
            if rolled is not None:
                self._write(tier, number, rolled, when, only_missing=only_missing)
        self._days_again(number, when)
        return timeline

    def _write(self, tier: str, number: int, rolled: Rollup, when: TimeRange, *, only_missing: bool) -> None:
        chosen = self._ladder[tier]
        if only_missing:
            rolled = self._with_stored(tier, number, rolled, when)
        buckets.replace(self._connection, chosen, self._timezone, [(number, rolled)], when)
        if not only_missing:
            # A series that has changed its kind leaves no buckets of the old one behind.
            for kind in KINDS:
                if kind is not rolled.kind:
                    buckets.replace(self._connection, chosen, self._timezone, [(number, buckets.empty(kind))], when)

    def _with_stored(self, tier: str, number: int, rolled: Rollup, when: TimeRange) -> Rollup:
        """Return the stored buckets plus those of `rolled` that are not stored yet."""
        stored = buckets.read_series(self._connection, self._ladder[tier], number, rolled.kind, when)
        new = buckets.with_offsets(rolled.select(~np.isin(rolled.starts, stored.starts)), self._timezone)
        return buckets.concatenate([part for part in (stored, new) if len(part)] or [stored])

    def _days_again(self, number: int, when: TimeRange) -> None:
        done = watermark(self._connection, DAILY)
        if done is None:
            return
        begin = floor_day(self._timezone, when.start)
        end = min(done, next_day(self._timezone, when.end - 1))
        border = borders.border(self._connection, self._timezone, HOURLY, number)
        if begin < min(end, border):
            self._days_from(number, TimeRange(begin, min(end, border)), only_missing=True)
        if max(begin, border) < end:
            self._days_from(number, TimeRange(max(begin, border), end), only_missing=False)

    def _days_from(self, number: int, days: TimeRange, *, only_missing: bool) -> None:
        inner = day_edges(self._timezone, days.start, days.end)
        edges = np.unique(np.array([days.start, *inner, days.end], np.int64))
        for kind in KINDS:
            hours = buckets.read_series(self._connection, self._ladder[HOURLY], number, kind, days)
            rolled = days_of(hours, edges)
            if only_missing:
                rolled = self._with_stored(DAILY, number, rolled, days)
            buckets.replace(self._connection, self._ladder[DAILY], self._timezone, [(number, rolled)], days)

    def _next_known(self, series: Series, when: TimeRange) -> Micros | None:
        """Return the time of the next row with a known value: until there, late rows matter."""
        number = series.id or 0
        for period in rows.stored_periods(self._connection, "raw_chunk", rows.RAW_SPAN, when):
            later = self._chunk(number, period, when)
            known = later.times[~np.isnan(series_values(series.kind, later))]
            if len(known):
                return int(known[0])
        return None

    def _chunk(self, number: int, period: int, when: TimeRange) -> RawRows:
        found = self._connection.execute(
            "SELECT blob FROM raw_chunk WHERE key = ?", (chunk_key(period, number, NO_KIND),)
        ).fetchone()
        return rows.counted(rows.cut(rows.decode_rows(found[0]), when)) if found else rows.NO_ROWS

    def _carry_before(self, series: Series, instant: Micros) -> Carry | None:
        """Return what was known of a series just before an instant in the past."""
        kept = borders.kept_from(self._connection, RAW, series.id or 0)
        searched = TimeRange(kept if instant >= kept else 0, instant)
        newest = self._newest_known(series, searched)
        if newest is not None:
            return self._timeline(series, TimeRange(newest, instant), None).end()
        if instant < kept:
            return self._last_bucket_before(series, instant)
        return self._timeline(series, searched, load_carry(self._connection, "base", series)).end()

    def _timeline(self, series: Series, when: TimeRange, carry: Carry | None) -> Timeline:
        number = series.id or 0
        return build(
            series.kind,
            rows.read_series(self._connection, number, when),
            runs.stops(self._connection, when),
            runs.resumes(self._connection, when, number).get(number, ()),
            carry,
        )

    def _newest_known(self, series: Series, when: TimeRange) -> Micros | None:
        """Return the time of the newest row in `when` with a known value."""
        spans = rows.stored_periods(self._connection, "raw_chunk", rows.RAW_SPAN, when)
        for period in reversed(spans):
            found = self._chunk(series.id or 0, period, when)
            known = found.times[~np.isnan(series_values(series.kind, found))]
            if len(known):
                return int(known[-1])
        return None

    def _last_bucket_before(self, series: Series, instant: Micros) -> Carry | None:
        """Return what the hours say, for instants whose raw rows are gone."""
        tier = self._ladder[HOURLY]
        span = TimeRange(max(0, instant - 2 * tier.span), instant)
        hours = buckets.read_series(self._connection, tier, series.id or 0, series.kind, span)
        if not len(hours):
            return None
        whole = hours.columns["covered"][-1] == hours.ends[-1] - hours.starts[-1]
        holds = bool(whole) and int(hours.ends[-1]) == instant
        return Carry(int(hours.ends[-1]), float(hours.columns["last"][-1]), in_force=holds)
