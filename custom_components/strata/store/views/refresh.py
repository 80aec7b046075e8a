"""Keeping views up to date: which days have changed, and working exactly those out again.

What was written is learnt from the change feed, so late rows, corrected prices and ordinary hours
are one and the same: days with hours that are new. They wait in `view_due` until they are worked
out, a few at a time. A day whose hours are partly gone already is not worked out again: rows that
are missing there are added, and those that are there stay.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
import json
import sqlite3
import time

from ...core.clock import day_range, local_date
from ...core.model import Kind, Micros, Series, TimeRange
from ...core.rollup import Rollup
from .. import buckets
from ..backlog import load_note
from ..borders import load_borders
from ..connection import transaction
from ..feed import load_cursor, newest
from ..job import StoreJob
from ..keys import KINDS, chunk_key, key_kind, key_period, key_range, key_series, periods
from ..tiers import DAILY, HOURLY, Tier
from . import VIEWS
from .areas import area_history, note_areas
from .base import Shape, View, ViewRow
from .day import CARBON, PRICES, Day, Inputs
from .facts import Facts
from .metering import is_meter, is_power

CURSOR = "views"
"""The name of the views' place in the change feed, and of their note in the file."""
REFRESHED = "views_refreshed"
"""The name of the note that says when views last were complete."""
_SILENT_PERIODS = 2
"""How many chunks of days are searched for a meter that is silent today."""


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh did, and whether days still wait."""

    days: int = 0
    rows: int = 0
    waiting: int = 0
    seconds: float = 0.0


class Refresh(StoreJob):
    """Works views out on one store; to be used after roll-ups."""

    def run(self, now: Micros, *, inputs: Inputs | None = None, most_days: int = 8) -> RefreshReport:
        """Work out up to `most_days` days that have changed, the oldest first.

        Without `inputs` those of the time before count. With others than before, every day whose
        hours are there is worked out again.
        """
        began = time.perf_counter()
        with transaction(self._connection):
            used = self._inputs(inputs)
            self._note_changes()
        due = [
            date.fromordinal(day)
            for (day,) in self._connection.execute("SELECT date FROM view_due ORDER BY date LIMIT ?", (most_days,))
        ]
        rows = 0
        if due:
            with transaction(self._connection):
                note_areas(self._connection, self._series, now)
                rows = self._days(due, used)
                self._connection.executemany("DELETE FROM view_due WHERE date = ?", [(d.toordinal(),) for d in due])
        (waiting,) = self._connection.execute("SELECT COUNT(*) FROM view_due").fetchone()
        if not waiting:
            with transaction(self._connection):
                if due:
                    self._finish(local_date(self._timezone, now))
                self._connection.execute(
                    "INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"note:{REFRESHED}", json.dumps(now))
                )
        return RefreshReport(len(due), rows, int(waiting), time.perf_counter() - began)

    def due_again(self, when: TimeRange) -> None:
        """Have every day that `when` touches worked out again."""
        with transaction(self._connection):
            self.note_again(when)

    def note_again(self, when: TimeRange) -> None:
        """Do the same inside of a transaction."""
        self._note_days([(when.start, when.end)])

    def _inputs(self, given: Inputs | None) -> Inputs:
        kept = load_note(self._connection, CURSOR)
        before = Inputs.from_json(kept)
        if given is None or given == before:
            return before
        self._connection.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"note:{CURSOR}", json.dumps(given.as_json()))
        )
        self._note_days(self._all_hours())
        return given

    def _note_changes(self) -> None:
        """Move along the change feed to its end, noting the days it speaks of."""
        cursor = load_cursor(self._connection, CURSOR)
        end = newest(self._connection).changes
        if cursor is None or end < cursor.changes:
            self._note_days(self._all_hours())
        else:
            relevant = {number for number, series in self._series.items() if _is_relevant(series)}
            spans = {
                (start, stop)
                for series, start, stop in self._connection.execute(
                    "SELECT series, start, stop FROM changes WHERE seq > ? AND seq <= ? AND tier = ?",
                    (cursor.changes, end, self._ladder[HOURLY].number),
                )
                if series in relevant
            }
            self._note_days(spans)
        self._connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, 0)", (CURSOR, end))

    def _note_days(self, spans: Iterable[tuple[Micros, Micros]]) -> None:
        days: set[int] = set()
        for start, stop in spans:
            if stop > start:
                first = local_date(self._timezone, start).toordinal()
                days.update(range(first, local_date(self._timezone, stop - 1).toordinal() + 1))
        self._connection.executemany("INSERT OR IGNORE INTO view_due VALUES (?)", [(day,) for day in sorted(days)])

    def _all_hours(self) -> list[tuple[Micros, Micros]]:
        tier = self._ladder[HOURLY]
        low, high = self._connection.execute(f"SELECT MIN(key), MAX(key) FROM {tier.table}").fetchone()
        if low is None:
            return []
        return [(key_period(low) * tier.span, (key_period(high) + 1) * tier.span)]

    def _days(self, due: Sequence[date], inputs: Inputs) -> int:
        kept = load_borders(self._connection, self._timezone, HOURLY)
        relevant = [number for number, series in self._series.items() if _is_relevant(series)]
        areas = area_history(self._connection)
        count = 0
        for run in _runs(due):
            ranges = {day: day_range(self._timezone, day) for day in run}
            hours = self._hours(TimeRange(ranges[run[0]].start, ranges[run[-1]].end))
            for day, when in ranges.items():
                today = {number: part for number, all_of in hours.items() if len(part := _cut(all_of, when))}
                seen = Day(self._timezone, day, when, self._series, today, inputs, areas)
                facts = Facts(seen, lambda series, when=when: self._is_only_silent(series, when))  # type: ignore[misc]
                gone = frozenset(number for number in relevant if kept[number] > when.start)
                for view in VIEWS:
                    if view.rows is not None:
                        count += _store(self._connection, view, seen.date, list(view.rows(facts)), gone)
        return count

    def _hours(self, when: TimeRange) -> dict[int, Rollup]:
        """Return the hours of every series that views look at."""
        tier = self._ladder[HOURLY]
        wanted = {(number, KINDS.index(series.kind)) for number, series in self._series.items() if _is_relevant(series)}
        parts: dict[int, list[Rollup]] = {}
        span = periods(tier.span, when)
        for key in [
            key
            for (key,) in self._connection.execute(
                f"SELECT key FROM {tier.table} WHERE key >= ? AND key < ?", key_range(span[0], span[-1])
            )
            if (key_series(key), key_kind(key)) in wanted
        ]:
            (blob,) = self._connection.execute(f"SELECT blob FROM {tier.table} WHERE key = ?", (key,)).fetchone()
            parts.setdefault(key_series(key), []).append(buckets.decode_buckets(blob, KINDS[key_kind(key)]))
        return {number: buckets.concatenate(found) for number, found in parts.items()}

    def _is_only_silent(self, series: Series, when: TimeRange) -> bool:
        """Tell whether a series that says nothing in `when` was there before and speaks again later."""
        found = self._connection.execute("SELECT time FROM last WHERE series = ?", (series.id,)).fetchone()
        if found is None or found[0] < when.end:
            return False
        return self._has_days(self._ladder[DAILY], series, when.start) or self._has_days(
            self._ladder[HOURLY], series, when.start
        )

    def _has_days(self, tier: Tier, series: Series, before: Micros) -> bool:
        last = (before - 1) // tier.span
        kind = KINDS.index(series.kind)
        keys = [chunk_key(last - back, series.id or 0, kind) for back in range(_SILENT_PERIODS)]
        for key in keys:
            found = self._connection.execute(f"SELECT blob FROM {tier.table} WHERE key = ?", (key,)).fetchone()
            if found and bool((buckets.decode_buckets(found[0], series.kind).starts < before).any()):
                return True
        return False

    def _finish(self, today: date) -> None:
        """Let old rows go, and derive what follows from the others."""
        for view in VIEWS:
            if view.derive is not None:
                rows = list(view.derive(self._connection, today.toordinal()))
                stored = self._connection.execute(f"SELECT * FROM {view.table}").fetchall()
                _replace(self._connection, view, rows, stored, today.toordinal())
            else:
                oldest = today.toordinal() - view.keep_days
                self._connection.execute(f"DELETE FROM {view.table} WHERE date < ?", (oldest,))


def _is_relevant(series: Series) -> bool:
    if series.kind is Kind.ON_OFF or is_meter(series) or is_power(series):
        return True
    return (series.key.measurement, series.key.field) == PRICES or series.key.measurement == CARBON[0]


def _runs(days: Sequence[date]) -> list[list[date]]:
    """Return days in runs without a gap, so that the chunks they share are read once."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day.toordinal() - runs[-1][-1].toordinal() == 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _cut(rollup: Rollup, when: TimeRange) -> Rollup:
    return rollup.select((rollup.starts >= when.start) & (rollup.starts < when.end))


def _store(connection: sqlite3.Connection, view: View, day: int, rows: list[ViewRow], gone: frozenset[int]) -> int:
    """Make the view's rows of a day these; nothing that rests on series whose hours are `gone` is replaced."""
    stored: list[ViewRow] = connection.execute(f"SELECT * FROM {view.table} WHERE date = ?", (day,)).fetchall()
    if gone:
        by = next((place for place, column in enumerate(view.columns) if column.shape is Shape.ENTITY), None)
        keep = [row for row in stored if by is None or row[by] in gone]
        there = {row[: view.key_size] for row in keep}
        rows = [*keep, *(row for row in rows if row[: view.key_size] not in there)]
    return _replace(connection, view, rows, stored, day)


def _replace(connection: sqlite3.Connection, view: View, rows: list[ViewRow], stored: list[ViewRow], day: int) -> int:
    """Write rows in place of those stored, unless they are the same; return how many were written.

    The change feed is told of the day, not of the rows: who follows it reads them where they are.
    """
    if set(stored) == set(rows):
        return 0
    connection.execute(
        "INSERT INTO changes (tier, series, start, stop, upto) VALUES (?, 0, ?, ?, 0)", (view.number, day, day + 1)
    )
    marks = ", ".join("?" * len(view.columns))
    if view.derive is not None:
        connection.execute(f"DELETE FROM {view.table}")
    else:
        connection.execute(f"DELETE FROM {view.table} WHERE date = ?", (day,))
    connection.executemany(f"INSERT INTO {view.table} VALUES ({marks})", rows)
    return len(rows)
