"""A day of a busy home in a process without Home Assistant: what it costs the disk and the memory.

200K changes of 150 entities, flushed every 10 s of simulated time without waiting, with attributes and causes as
Home Assistant gives them; compaction and roll-up every hour, 20 s after it ended, the days as they close; the last
flush's checkpoint and an orderly close are included.
"""

from collections.abc import Iterator
import sqlite3
import sys
import time
from typing import TYPE_CHECKING

from scripts.benchmarks.figures import Figure, Options, file_system, percentile, proc

if TYPE_CHECKING:
    from custom_components.strata.store.sqlite import SqliteStore
    from scripts.benchmarks.home_events import HomeEvents

PER_DAY = 200_000
_MICROS = 1_000_000


def measure(options: Options) -> Iterator[Figure]:
    """Stream the day and look at what is left of it."""
    before = proc("status")["VmRSS"]
    # The generator comes first: it makes the store importable without Home Assistant.
    from scripts.benchmarks.home_events import START, HomeEvents

    # isort: split
    from custom_components.strata.store.sqlite import SqliteStore

    _check_without_home_assistant()

    path = options.folder / "day.db"
    clock = [START]
    store = SqliteStore(path, timezone="Europe/Berlin", now=lambda: clock[0])
    store.open()
    events = HomeEvents(store, per_day=PER_DAY)
    written = proc("io")["write_bytes"]
    stream = _Stream(store, events, clock)
    stream.hours(START, 6 if options.quick else 24)
    memory = proc("status")
    sizes = _kept(store)
    store.close()
    per_event = (proc("io")["write_bytes"] - written) / stream.count
    note = f"{stream.count} events on {file_system(options.folder)}"
    yield Figure("written to disk per event", per_event, "B", 600, note=note)
    yield Figure("raw value kept, in its table", sizes["raw"], "B", 10)
    yield Figure("hourly row kept, in its table", sizes["hourly"], "B", 20)
    yield Figure("5-minute row kept, in its table", sizes["five_minute"], "B")
    yield Figure("file after the day, per event", path.stat().st_size / stream.count, "B")
    yield Figure("compaction of an hour, median", percentile(stream.compactions, 0.5) * 1000, "ms", 30)
    yield Figure("compaction of an hour, p99", percentile(stream.compactions, 0.99) * 1000, "ms", 120)
    yield Figure("roll-up of an hour, median", percentile(stream.roll_ups, 0.5) * 1000, "ms")
    yield Figure("roll-up, longest (a day closes)", max(stream.roll_ups) * 1000, "ms")
    yield Figure("flush, p99", percentile(stream.flushes, 0.99) * 1000, "ms")
    yield Figure("memory added at its peak", (memory["VmHWM"] - before) / 1024, "MB", 60, note="numpy included")


def _check_without_home_assistant() -> None:
    """Raise RuntimeError where Home Assistant got in: its memory would be measured."""
    if "homeassistant" in sys.modules:
        raise RuntimeError("Home Assistant was imported into a process that measures the store alone")


class _Stream:
    """Writes hour after hour and keeps what each step took, in seconds."""

    def __init__(self, store: SqliteStore, events: HomeEvents, clock: list[int]) -> None:
        self._store, self._events, self._clock = store, events, clock
        self.count = 0
        self.flushes: list[float] = []
        self.compactions: list[float] = []
        self.roll_ups: list[float] = []

    def hours(self, start: int, count: int) -> None:
        hour = 3600 * _MICROS
        for number in range(count):
            begin = start + number * hour
            for flush, (clock, rows) in enumerate(self._events.by_flush(begin, begin + hour)):
                self._clock[0] = clock
                began = time.perf_counter()
                self._store.write(rows, heartbeat=clock)
                self.flushes.append(time.perf_counter() - began)
                self.count += len(rows)
                if number and flush == 1:
                    self._maintain(begin)
        self._clock[0] = start + count * hour + 20 * _MICROS
        self._maintain(start + count * hour)

    def _maintain(self, until: int) -> None:
        began = time.perf_counter()
        self._store.compact(until)
        compacted = time.perf_counter()
        self._store.roll_up(self._clock[0])
        self.compactions.append(compacted - began)
        self.roll_ups.append(time.perf_counter() - compacted)


def _kept(store: SqliteStore) -> dict[str, float]:
    """Return bytes per row of each tier: whole pages of its table where SQLite can say, else the chunks alone."""
    with store.reader() as reader:
        sizes = reader.sizes().tiers
        connection = reader.connection
        pages = {name: _table_bytes(connection, f"{name}_chunk") for name in sizes}
        rows = {
            name: connection.execute(f"SELECT COALESCE(SUM(rows), 0) FROM {name}_chunk").fetchone()[0]  # noqa: S608
            for name in sizes
        }
    return {name: (pages[name] or size.bytes) / max(1, rows[name]) for name, size in sizes.items()}


def _table_bytes(connection: sqlite3.Connection, table: str) -> int | None:
    try:
        found = connection.execute("SELECT SUM(pgsize) FROM dbstat WHERE name = ?", (table,)).fetchone()[0]
    except sqlite3.OperationalError:
        return None
    return int(found)
