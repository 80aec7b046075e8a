"""One step of the ladder: prove that the coarser rows are there, then delete the finer ones."""

from collections.abc import Iterator
from dataclasses import dataclass, field
import json
import time

import numpy as np
from numpy.typing import NDArray

from ..core.model import Flag, Kind, Micros, Series, TimeRange
from ..core.rollup import Rollup
from . import buckets, operations, rows
from .base import DownsampleReport, RawRows, StoreError
from .connection import transaction
from .job import StoreJob, set_watermark, watermark
from .keys import key_range, key_series
from .late import Settle
from .operations import Operation
from .roll_up import RollUp, load_carries, save_carries
from .tiers import DAILY, DAY, FIVE_MINUTE, HOURLY, HOURLY_FROM, RAW, RAW_FROM, Tier
from .timeline import Carry, series_values

OPERATIONS = {
    RAW: "downsample_hourly",
    FIVE_MINUTE: "downsample_five_minute",
    HOURLY: "downsample_daily",
}
"""What a step is called in the journal, by the tier it takes from."""
_TOLERANCE = 1e-9
"""Sums of the same floats in another order differ by rounding only."""
_VACUUM_PAGES = 4096
_NOT_SAMPLES = [int(flag) for flag in (Flag.GAP, Flag.SPIKE, Flag.RESET, Flag.IMPOSSIBLE)]


@dataclass(slots=True)
class _Tally:
    """What a step has done so far."""

    source_rows: int = 0
    rows: int = 0
    bytes_freed: int = 0
    problems: list[str] = field(default_factory=list)


class Downsample(StoreJob):
    """Runs ladder steps on one store."""

    def run(self, tier: str, now: Micros, *, dry_run: bool = False) -> DownsampleReport:
        """Delete what is older than the tier keeps, after proving its roll-up.

        Args:
            tier: `raw`, `five_minute` or `hourly`.
            now: the present, in microseconds.
            dry_run: count only.

        Raises:
            StoreError: the tier has no successor in this file.
            KeyError: there is no such tier.
        """
        source = self._ladder[tier]
        if source.successor is None:
            raise StoreError(f"{tier} is the coarsest tier in the store: there is nothing to roll it into")
        began = time.perf_counter()
        tally = _Tally()
        for day in self._due(source, now):
            self._step(source, day, tally, dry_run=dry_run)
        report = DownsampleReport(
            tier,
            tally.source_rows,
            tally.rows,
            time.perf_counter() - began,
            tally.bytes_freed,
            dry_run,
            tuple(tally.problems),
        )
        if not dry_run:
            self._journal(report, now)
        return report

    def _due(self, source: Tier, now: Micros) -> Iterator[TimeRange]:
        """Yield the days, oldest first, that are past their keep and rolled up."""
        rolled = watermark(self._connection, HOURLY if source.name != HOURLY else DAILY)
        oldest = self._connection.execute(f"SELECT MIN(key) FROM {source.table}").fetchone()[0]
        if source.keep is None or rolled is None or oldest is None:
            return
        limit = min(now - source.keep.total_seconds() * 1_000_000, rolled) // source.span
        limit = int(limit) * source.span
        begin = (oldest >> 24) * source.span
        while begin < limit:
            end = min(begin + DAY, limit)
            yield TimeRange(begin, end)
            begin = end

    def _step(self, source: Tier, when: TimeRange, tally: _Tally, *, dry_run: bool) -> None:
        if not dry_run:
            self._settle()
        low, high = key_range(when.start // source.span, when.end // source.span - 1)
        weights = {
            key: (count, size)
            for key, count, size in self._connection.execute(
                f"SELECT key, rows, length(blob) FROM {source.table} WHERE key >= ? AND key < ?",
                (low, high),
            )
        }
        if not weights:
            return
        refused = set() if dry_run else self._unproven(source, when, tally)
        gone = [key for key in weights if key_series(key) not in refused]
        tally.source_rows += sum(weights[key][0] for key in gone)
        tally.bytes_freed += sum(weights[key][1] for key in gone)
        tally.rows += self._coarser_rows(source, when)
        if dry_run:
            return
        with transaction(self._connection):
            if source.name == RAW:
                self._leave_raw(when)
            if source.name == HOURLY:
                set_watermark(self._connection, HOURLY_FROM, when.end)
            self._connection.executemany(
                f"DELETE FROM {source.table} WHERE key = ?",
                [(key,) for key in gone],
            )

    def _leave_raw(self, when: TimeRange) -> None:
        """Keep what is known of each series where raw rows now begin."""
        kept = watermark(self._connection, RAW_FROM) or 0
        if when.end <= kept:
            return
        ends: list[tuple[int, Carry]] = []
        span = TimeRange(max(when.start, kept), when.end)
        work = self._like_this(RollUp)
        for _ in work.timelines(span, load_carries(self._connection, "base", self._series), ends):
            pass
        save_carries(self._connection, "base", self._series, ends)
        set_watermark(self._connection, RAW_FROM, when.end)
        self._connection.execute("DELETE FROM resume WHERE time < ?", (when.end,))

    def _settle(self) -> None:
        self._like_this(Settle).run()

    def _coarser_rows(self, source: Tier, when: TimeRange) -> int:
        coarser = self._ladder[source.successor or ""]
        return sum(len(rolled) for rolled in buckets.read_all(self._connection, coarser, when).values())

    def _unproven(self, source: Tier, when: TimeRange, tally: _Tally) -> set[int]:
        """Return the series whose coarser rows do not account for the finer ones.

        What does not agree is rolled up once more before it is refused.
        """
        wrong = self._disagreeing(source, when)
        if wrong and source.name == RAW:
            with transaction(self._connection):
                self._connection.executemany(
                    "INSERT OR REPLACE INTO dirty VALUES (?, ?, ?)",
                    [(number, when.start, when.end - 1) for number in wrong],
                )
            self._settle()
            wrong = self._disagreeing(source, when)
        for number, reason in sorted(wrong.items()):
            tally.problems.append(f"{self._name(number)}: {reason}; its {source.name} rows stay")
        return set(wrong)

    def _name(self, number: int) -> str:
        series = self._series.get(number)
        return series.labels.get("entity_id", series.key.identity) if series else f"series {number}"

    def _disagreeing(self, source: Tier, when: TimeRange) -> dict[int, str]:
        if source.name == RAW:
            return self._disagreeing_raw(when)
        return self._disagreeing_buckets(source, when)

    def _disagreeing_raw(self, when: TimeRange) -> dict[int, str]:
        # Local hours can straddle the range's ends (half-hour zones), so one more raw period is
        # read on either side, and a straddling hour is compared as a whole.
        wide = TimeRange(when.start - rows.RAW_SPAN, when.end + rows.RAW_SPAN)
        found = rows.read_all(self._connection, wide)
        raw_from = watermark(self._connection, RAW_FROM) or 0
        wrong: dict[int, str] = {}
        for tier in (HOURLY, FIVE_MINUTE):
            stored = buckets.read_all(self._connection, self._ladder[tier], wide)
            for number, history in found.items():
                series = self._series.get(number)
                if series is None or (tier == FIVE_MINUTE and not series.fine):
                    continue
                rolled = stored.get((number, series.kind), buckets.empty(series.kind))
                reason = _compare(series, history, rolled, when, raw_from)
                if reason:
                    wrong.setdefault(number, reason)
        return wrong

    def _disagreeing_buckets(self, source: Tier, when: TimeRange) -> dict[int, str]:
        coarser = self._ladder[source.successor or ""]
        span = coarser.step.total_seconds() * 1_000_000 if coarser.step else 0
        wide = TimeRange(when.start - 2 * int(span), when.end + 2 * int(span))
        fine = buckets.read_all(self._connection, source, wide)
        coarse = buckets.read_all(self._connection, coarser, wide)
        wrong: dict[int, str] = {}
        for (number, kind), found in fine.items():
            reason = _account(found, coarse.get((number, kind)), when)
            if reason:
                wrong[number] = reason
        return wrong

    def _journal(self, report: DownsampleReport, now: Micros) -> None:
        with transaction(self._connection):
            self._connection.execute(
                "INSERT INTO ladder_step (tier, finished, source_rows, rows, bytes_freed, seconds,"
                " problems) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    report.tier,
                    now,
                    report.source_rows,
                    report.rows,
                    report.bytes_freed,
                    report.seconds,
                    json.dumps(report.problems),
                ),
            )
            operations.record(
                self._connection,
                Operation(
                    OPERATIONS[report.tier],
                    now,
                    report.seconds,
                    report.source_rows,
                    report.bytes_freed,
                    report.problems,
                ),
            )
        self._connection.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()


def _compare(
    series: Series,
    history: RawRows,
    rolled: Rollup,
    when: TimeRange,
    raw_from: Micros,
) -> str | None:
    """Say how the roll-up fails to account for the rows in `when`, or None."""
    values = series_values(series.kind, history)
    sample = ~np.isnan(values) & ~np.isin(history.flags, _NOT_SAMPLES)
    times, values = history.times[sample], values[sample]
    due = (times >= when.start) & (times < when.end)
    if not due.any():
        return None
    place = np.searchsorted(rolled.starts, times, "right") - 1
    held = (place >= 0) & (times < rolled.ends[place]) if len(rolled) else np.zeros(len(times), bool)
    if not held[due].all():
        return f"{int((~held[due]).sum())} rows have no bucket"
    touched = np.unique(place[due])
    if raw_from >= when.start:
        # A bucket that begins before the range also stands for rows a step before has deleted.
        touched = touched[rolled.starts[touched] >= when.start]
    return _counts_differ(series.kind, rolled, touched, place[held], values[held])


def _counts_differ(
    kind: Kind,
    rolled: Rollup,
    touched: NDArray[np.int64],
    place: NDArray[np.int64],
    values: NDArray[np.float64],
) -> str | None:
    count = np.bincount(place, minlength=len(rolled))
    if (count[touched] != rolled.columns["n"][touched]).any():
        return "the buckets count other rows than there are"
    if kind is Kind.MEASUREMENT:
        total = np.bincount(place, weights=values, minlength=len(rolled))
        size = np.bincount(place, weights=np.abs(values), minlength=len(rolled))
        difference = np.abs(total - rolled.columns["sum"])
        if (difference[touched] > _TOLERANCE * (size[touched] + 1)).any():
            return "the buckets sum up to something else than the rows"
    return None


def _account(fine: Rollup, coarse: Rollup | None, when: TimeRange) -> str | None:
    """Say how coarser buckets fail to account for finer ones that start in `when`, or None."""
    due = (fine.starts >= when.start) & (fine.starts < when.end)
    if not due.any():
        return None
    if coarse is None or not len(coarse):
        return "there are no coarser buckets"
    place = np.searchsorted(coarse.starts, fine.starts, "right") - 1
    held = (place >= 0) & (fine.starts < coarse.ends[place])
    if not held[due].all():
        return f"{int((~held[due]).sum())} buckets have no coarser one"
    whole = np.bincount(place[held], weights=(fine.ends - fine.starts)[held], minlength=len(coarse))
    touched = np.unique(place[due])
    # Finer buckets that a step before deleted, or that were never covered, cannot be compared
    # with; where all are there, counts and covered time must agree to the unit.
    complete = touched[whole[touched] == (coarse.ends - coarse.starts)[touched]]
    for name in ("n", "covered"):
        total = np.zeros(len(coarse), np.int64)
        np.add.at(total, place[held], fine.columns[name][held])
        if (total[complete] != coarse.columns[name][complete]).any():
            return f"the coarser buckets hold another {name} than the finer ones"
        if (total[touched] > coarse.columns[name][touched]).any():
            return f"the coarser buckets hold less {name} than the finer ones"
    return None
