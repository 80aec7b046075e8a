"""Makes the stores that `ladder_loop` works on: a process of its own, so that the one which is measured did none of it.

One is of a home of 150 entities whose ladder never ran: a night is due for every day. In the other all of that is done
but the last night, and there are days of some years before, month after month past its time, for the archive. Both
are as Strata leaves them: compacted, rolled up, seen by views.
"""

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
import shutil

from scripts.benchmarks import store_only  # noqa: F401 - Home Assistant stays out of this process
from scripts.benchmarks.home_events import HOUR
from scripts.benchmarks.year import DAY, Year

# isort: split
import numpy as np

from custom_components.strata.core.clock import day_range, floor_day, local_date
from custom_components.strata.core.model import Series, TimeRange
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store import buckets
from custom_components.strata.store.downsample import OPERATIONS
from custom_components.strata.store.sqlite import SqliteStore, now_micros
from custom_components.strata.store.tiers import DAILY
from custom_components.strata.store.words import codes_in, in_words

TIMEZONE = "Europe/Berlin"
_EVER = TimeRange(0, 2**62)


def make(never: Path, but_one: Path, *, days: int, per_day: int, months: int) -> None:
    """Make both stores.

    Args:
        never: the file of the store whose ladder never ran.
        but_one: the file of the one where one night is left to do.
        days: how many days of single values there are, up to the last midnight.
        per_day: changes a day.
        months: how many finished months of days are past their time.
    """
    now = now_micros()
    due = _opened(never)
    year = Year(due, per_day=per_day, start=floor_day(TIMEZONE, now) - days * DAY)
    for number in range(days):
        year.write_day(number)
        _look_after(due, year.start + (number + 1) * DAY)
    _call_done(due, now)
    due.close()
    shutil.copyfile(never, but_one)
    night = _opened(but_one)
    _add_days_before(night, months)
    yesterday = now - DAY
    for tier in OPERATIONS:
        night.downsample(tier, yesterday)
    _look_after(night, now)
    _call_done(night, now)
    night.close()


def _opened(path: Path) -> SqliteStore:
    store = SqliteStore(path, timezone=TIMEZONE)
    store.open()
    return store


def _look_after(store: SqliteStore, now: int) -> None:
    """Roll up what has closed, and let views see it."""
    store.roll_up(now)
    while store.refresh_views(now).waiting:
        pass


def _call_done(store: SqliteStore, now: int) -> None:
    """Say that the ladder ran just now, so that it does not begin by itself before it is measured."""
    store.transact(
        lambda connection: connection.executemany(
            "INSERT INTO ladder_step (tier, finished, source_rows, rows, bytes_freed, seconds, problems)"
            " VALUES (?, ?, 0, 0, 0, 0, '[]')",
            [(tier, now + HOUR) for tier in OPERATIONS],
        )
    )


def _add_days_before(store: SqliteStore, months: int) -> None:
    """Put the home's days into the store again, some years earlier, until so many months are past their time."""
    with store.reader() as reader:
        known = {series.id: series for series in reader.series()}
        found = buckets.read_all(reader.connection, store.ladder[DAILY], _EVER)
        texts = reader.texts({code for rolled in found.values() for code in codes_in(rolled)})
    parts = [(known[number], in_words(rolled, texts)) for (number, _), rolled in found.items()]
    oldest = min(local_date(TIMEZONE, int(rolled.starts[0])) for _, rolled in parts)
    newest = max(local_date(TIMEZONE, int(rolled.starts[-1])) for _, rolled in parts)
    length = (newest - oldest).days + 1
    keep = store.ladder[DAILY].keep or timedelta()
    first = newest - keep - timedelta(days=31 * (months + 1))
    for back in range(length, (oldest - first).days + length, length):
        store.put_buckets(DAILY, list(_earlier(parts, timedelta(days=back))))


def _earlier(parts: list[tuple[Series, Rollup]], by: timedelta) -> Iterator[tuple[Series, Rollup]]:
    """Yield days as they would be had they been that much earlier."""
    for series, rolled in parts:
        spans = [_day(local_date(TIMEZONE, start) - by) for start in rolled.starts.tolist()]
        starts = np.array([span.start for span in spans], np.int64)
        ends = np.array([span.end for span in spans], np.int64)
        columns = {name: column for name, column in rolled.columns.items() if name != buckets.OFFSET}
        moved = Rollup(rolled.kind, starts, ends, columns, rolled.states, rolled.names)
        yield series, buckets.with_offsets(moved, TIMEZONE)


def _day(day: date) -> TimeRange:
    return day_range(TIMEZONE, day)


def main() -> None:
    """Make them as the arguments say."""
    parser = argparse.ArgumentParser()
    for name in ("never", "but_one"):
        parser.add_argument(name, type=Path)
    for name in ("days", "per-day", "months"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    make(options.never, options.but_one, days=options.days, per_day=options.per_day, months=options.months)


if __name__ == "__main__":
    main()
