"""History from elsewhere: hours that enter only where there are none, and when each series' own history begins."""

import sqlite3

import numpy as np

from ..core.clock import floor_hour
from ..core.model import Micros, Series, TimeRange
from ..core.rollup import Bools, Rollup
from . import buckets, rows
from .borders import border
from .connection import transaction
from .job import set_watermark, watermark
from .keys import KINDS, MAX_SERIES, NO_KIND, chunk_key
from .late import Settle
from .lineage import continued
from .tiers import DAILY, FIVE_MINUTE, HOURLY, Tier


class Imported(Settle):
    """Takes hours that were made elsewhere; to be used after roll-ups."""

    def prepare(self, now: Micros) -> None:
        """Say that every hour before the present one is told, so that what comes for them counts as late."""
        if watermark(self._connection, HOURLY) is None:
            with transaction(self._connection):
                for tier in (FIVE_MINUTE, HOURLY):
                    set_watermark(self._connection, tier, floor_hour(self._timezone, now))

    def add_hours(self, series: Series, hours: Rollup) -> int:
        """Store the hours that are missing and the days they make; return how many were missing."""
        if not len(hours):
            return 0
        number = series.id or 0
        when = TimeRange(int(hours.starts[0]), int(hours.starts[-1]) + 1)
        told = np.zeros(len(hours), np.bool_)
        for one in (number, *self._earlier(series)):
            stored = buckets.read_series(self._connection, self._ladder[HOURLY], one, series.kind, when)
            days = buckets.read_series(self._connection, self._ladder[DAILY], one, series.kind, when)
            told |= np.isin(hours.starts, stored.starts) | _inside(hours, stored) | self._handed_down(one, hours, days)
        missing = hours.select(~told)
        if len(missing):
            with transaction(self._connection):
                self._write(HOURLY, number, missing, when, only_missing=True)
                self._days_again(number, TimeRange(int(missing.starts[0]), int(missing.ends[-1])))
        return len(missing)

    def _earlier(self, series: Series) -> list[int]:
        """Return the series that go on as this one: what they tell is not told again under its name."""
        before = {key for key, now in continued(self._connection).items() if now == series.key}
        return [number for number, one in self._series.items() if one.key in before]

    def _handed_down(self, series: int, hours: Rollup, days: Rollup) -> Bools:
        """Tell which hours lie in days that are told by a day already and whose own hours are gone."""
        gone = hours.starts < border(self._connection, self._timezone, HOURLY, series)
        both: Bools = np.logical_and(gone, _inside(hours, days))
        return both


def _inside(hours: Rollup, others: Rollup) -> Bools:
    """Tell which hours begin inside one of the other buckets."""
    if not len(others):
        return np.zeros(len(hours), np.bool_)
    place = np.searchsorted(others.starts, hours.starts, "right") - 1
    inside: Bools = np.logical_and(place >= 0, hours.starts < others.ends[np.maximum(place, 0)])
    return inside


def begins(connection: sqlite3.Connection, tiers: tuple[Tier, ...]) -> dict[int, Micros]:
    """Return when the history of each series begins, in whatever layer."""
    found: dict[int, Micros] = dict(
        connection.execute(f"SELECT series, MIN(time) FROM live WHERE flag IN {rows.VALUE_FLAGS} GROUP BY series")
    )
    for tier in tiers:
        span = tier.span
        for series, kind, period in connection.execute(
            f"SELECT (key >> 4) & {MAX_SERIES}, key & 15, MIN(key >> 24) FROM {tier.table} GROUP BY 1, 2"
        ).fetchall():
            if period * span >= found.get(series, 2**62):
                continue
            (blob,) = connection.execute(
                f"SELECT blob FROM {tier.table} WHERE key = ?", (chunk_key(period, series, kind),)
            ).fetchone()
            first = _first(blob, kind)
            # A day begins at midnight, and the hours and rows that are there say when in it the history does.
            if first is not None and not first.start <= found.get(series, 2**62) < first.end:
                found[series] = min(found.get(series, 2**62), first.start)
    return found


def _first(blob: bytes, kind: int) -> TimeRange | None:
    """Return what the first row or bucket of a chunk covers, None where it has none."""
    if kind == NO_KIND:
        times = rows.decode_rows(blob).times
        return TimeRange(int(times[0]), int(times[0]) + 1) if len(times) else None
    rolled = buckets.decode_buckets(blob, KINDS[kind])
    return TimeRange(int(rolled.starts[0]), int(rolled.ends[0])) if len(rolled) else None
