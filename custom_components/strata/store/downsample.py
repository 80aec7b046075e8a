"""One step of the ladder: prove that the coarser rows are there, then delete the finer ones.

Each series has its own limits, so a step works through the days that hold anything which is past its time, some series
of a day in one transaction. In between the writer is free for others, and a step that ends early has done what it has
done: the next one finds the rest.
"""

from collections.abc import Iterable, Set as AbstractSet
from dataclasses import dataclass, field
import json
import time

from ..core.model import Micros, TimeRange, from_micros
from . import borders, buckets, operations, rows
from .base import DownsampleReport, StoreError
from .compact import compact
from .connection import transaction
from .job import StoreJob
from .keys import key_ranges, key_series, periods
from .late import Settle
from .operations import Operation
from .pace import paced
from .portions import Portion, Portions, limits
from .proof import buckets_differ, rows_differ
from .release import forget, released
from .roll_up import RollUp, load_carries, save_carries
from .tiers import FIVE_MINUTE, HOURLY, RAW, Keeps
from .timeline import Carry

OPERATIONS = {
    RAW: "downsample_hourly",
    FIVE_MINUTE: "downsample_five_minute",
    HOURLY: "downsample_daily",
}
"""What a step is called in the journal, by the tier it takes from."""
_VACUUM_PAGES = 4096


@dataclass(slots=True)
class _Tally:
    """What a step has done so far."""

    source_rows: int = 0
    rows: int = 0
    bytes_freed: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class Downsample(StoreJob):
    """Runs one step of the ladder, a portion at a time: `begin`, then `step` until it returns False, then `end`."""

    archived_only = False
    """Whether raw rows go only when they are in a proven file of the archive."""

    def run(self, tier: str, now: Micros, keeps: Keeps, *, dry_run: bool = False) -> DownsampleReport:
        """Run a step from its beginning to its end; see `begin`."""
        self.begin(tier, now, keeps, dry_run=dry_run)
        while self.step():
            pass
        return self.end()

    def begin(self, tier: str, now: Micros, keeps: Keeps, *, dry_run: bool = False) -> None:
        """Find out what is to be done.

        Args:
            tier: `raw`, `five_minute` or `hourly`.
            now: the present, in microseconds.
            keeps: how long series are kept that are kept otherwise than the ladder says.
            dry_run: count only.

        Raises:
            StoreError: the tier has no successor in this file.
            KeyError: there is no such tier.
        """
        self._source = self._ladder[tier]
        if self._source.successor is None:
            raise StoreError(f"{tier} is the coarsest tier in the store: there is nothing to roll it into")
        began = time.perf_counter()
        self._now = now
        self.dry_run = dry_run
        self._tally = _Tally()
        self._staying: set[int] = set()
        self._portions = Portions(self._connection, self._source, limits(self, self._source, now, keeps))
        self._tally.seconds = time.perf_counter() - began

    def step(self) -> bool:
        """Prove and delete one portion; return False when there is none left.

        Where some days turn out to hold nothing that is past its time, to have looked at them was the step.
        """
        began = time.perf_counter()
        more = self._portions.look()
        portion = self._portions.take()
        if portion is not None:
            self._step(portion, self._tally)
        self._tally.seconds += time.perf_counter() - began
        return more

    @property
    def progress(self) -> tuple[int, int]:
        """How many days have been gone through, and of how many."""
        return self._portions.done, self._portions.total

    def end(self) -> DownsampleReport:
        """Write into the journal what was done, give pages back and report."""
        report = DownsampleReport(
            self._source.name,
            self._tally.source_rows,
            self._tally.rows,
            self._tally.seconds,
            self._tally.bytes_freed,
            self.dry_run,
            tuple(self._tally.problems),
        )
        if not self.dry_run:
            self._journal(report, self._now)
        return report

    def _step(self, portion: Portion, tally: _Tally) -> None:
        source, when = self._source, portion.when
        if not self.dry_run:
            self._settle(portion.series)
        weights = {
            key: (count, size)
            for low, high in key_ranges(periods(source.span, when), portion.series)
            for key, count, size in paced(
                self._connection.execute(
                    f"SELECT key, rows, length(blob) FROM {source.table} WHERE key >= ? AND key < ?", (low, high)
                )
            )
            if key_series(key) in portion.series
        }
        if self.archived_only and source.name == RAW:
            self._hold_unreleased(weights)
        portion = self._without_staying(portion)
        if not self.dry_run:
            self._hold_unproven(portion, tally)
            portion = self._without_staying(portion)
        if not portion.series:
            return
        gone = [key for key in weights if key_series(key) in portion.series]
        tally.source_rows += sum(weights[key][0] for key in gone)
        tally.bytes_freed += sum(weights[key][1] for key in gone)
        tally.rows += self._coarser_rows(portion)
        if self.dry_run:
            return
        with transaction(self._connection):
            if source.name == RAW:
                self._leave_raw(portion)
            if source.name in {RAW, HOURLY}:
                borders.move(self._connection, source.name, portion.series, when.end)
            self._connection.executemany(
                f"DELETE FROM {source.table} WHERE key = ?",
                paced((key,) for key in gone),
            )
            if source.name == RAW:
                forget(self._connection, gone)

    def _without_staying(self, portion: Portion) -> Portion:
        """Leave out the series that wait: from a day that has to stay on, all later days stay, too.

        Where a series' rows begin says what its answers are made of, so there is one such instant and no hole after it.
        """
        return Portion(portion.when, portion.series - self._staying)

    def _hold_unreleased(self, chunks: Iterable[int]) -> None:
        """Let the series wait of which an hour is in no file yet; late rows are still welcome to what stays."""
        free = set(released(self._connection, chunks))
        self._staying |= {key_series(key) for key in chunks if key not in free}

    def _leave_raw(self, portion: Portion) -> None:
        """Keep what is known of each series where its raw rows now begin."""
        kept = borders.load(self._connection, RAW)
        together: dict[Micros, set[int]] = {}
        for number in portion.series:
            if kept[number] < portion.when.end:
                together.setdefault(kept[number] or portion.when.start, set()).add(number)
        carries = load_carries(self._connection, "base", self._series)
        ends: list[tuple[int, Carry]] = []
        work = self._like_this(RollUp)
        for since, series in together.items():
            for _ in work.timelines(TimeRange(since, portion.when.end), carries, ends, series):
                pass
        save_carries(self._connection, "base", self._series, ends)
        self._connection.executemany(
            "DELETE FROM resume WHERE series = ? AND time < ?",
            [(number, portion.when.end) for number in portion.series],
        )

    def _settle(self, series: AbstractSet[int]) -> None:
        """Let late rows of some series have their effect; those of others wait for their own portion."""
        settle = self._like_this(Settle)
        if not series.isdisjoint(settle.stale()):
            compact(self._connection)
            for number in series & {*settle.stale()}:
                settle.settle(number)

    def _coarser_rows(self, portion: Portion) -> int:
        coarser = self._ladder[self._source.successor or ""]
        found = buckets.read_all(self._connection, coarser, portion.when, portion.series)
        return sum(len(rolled) for rolled in found.values())

    def _hold_unproven(self, portion: Portion, tally: _Tally) -> None:
        """Let the series wait whose coarser rows do not account for the finer ones.

        What does not agree is rolled up once more before that.
        """
        wrong = self._disagreeing(portion)
        if wrong:
            self._roll_up_again(portion.when, wrong.keys())
            wrong = self._disagreeing(portion)
        since = from_micros(portion.when.start).isoformat(timespec="minutes")
        for number, reason in sorted(wrong.items()):
            tally.problems.append(f"{self._name(number)}: {reason}; its {self._source.name} rows from {since} on stay")
        self._staying |= wrong.keys()

    def _roll_up_again(self, when: TimeRange, series: AbstractSet[int]) -> None:
        if self._source.name == RAW:
            # An hour of which rows are gone stays as it is: what is left of it does not tell what it was.
            whole = borders.load_borders(self._connection, self._timezone, RAW)
            with transaction(self._connection):
                self._connection.executemany(
                    "INSERT OR REPLACE INTO dirty VALUES (?, ?, ?)",
                    [(each, max(when.start, whole[each]), when.end - 1) for each in series if whole[each] < when.end],
                )
            self._settle(series)
        elif self._source.name == HOURLY:
            self._like_this(Settle).fill_days(series, when)

    def _name(self, number: int) -> str:
        series = self._series.get(number)
        return series.labels.get("entity_id", series.key.identity) if series else f"series {number}"

    def _disagreeing(self, portion: Portion) -> dict[int, str]:
        return self._disagreeing_raw(portion) if self._source.name == RAW else self._disagreeing_buckets(portion)

    def _disagreeing_raw(self, portion: Portion) -> dict[int, str]:
        # Local hours can straddle the range's ends (half-hour zones), so one more raw period is
        # read on either side, and a straddling hour is compared as a whole.
        when = portion.when
        wide = TimeRange(when.start - rows.RAW_SPAN, when.end + rows.RAW_SPAN)
        found = rows.read_all(self._connection, wide, portion.series)
        kept = borders.load(self._connection, RAW)
        whole = kept.whole(self._timezone, RAW)
        wrong: dict[int, str] = {}
        for tier in (HOURLY, FIVE_MINUTE):
            stored = buckets.read_all(self._connection, self._ladder[tier], wide, portion.series)
            for number, history in paced(found.items()):
                series = self._series.get(number)
                if series is None or (tier == FIVE_MINUTE and not series.fine):
                    continue
                rolled = stored.get((number, series.kind), buckets.empty(series.kind))
                # The hour in which a series' rows begin was proven as a whole before; it may be a day by now.
                due = TimeRange(max(when.start, min(whole[number], when.end)), when.end)
                reason = rows_differ(series, history, rolled, due, kept[number])
                if reason:
                    wrong.setdefault(number, reason)
        return wrong

    def _disagreeing_buckets(self, portion: Portion) -> dict[int, str]:
        coarser = self._ladder[self._source.successor or ""]
        when = portion.when
        span = coarser.step.total_seconds() * 1_000_000 if coarser.step else 0
        wide = TimeRange(when.start - 2 * int(span), when.end + 2 * int(span))
        fine = buckets.read_all(self._connection, self._source, wide, portion.series)
        coarse = buckets.read_all(self._connection, coarser, wide, portion.series)
        wrong: dict[int, str] = {}
        for (number, kind), found in paced(fine.items()):
            reason = buckets_differ(found, coarse.get((number, kind)), when)
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
