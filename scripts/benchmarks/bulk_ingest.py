"""A week of changes, 1.4 million, as fast as they go in.

Timed: from the first `write` until the last row is acknowledged and compacted into chunks. Batches of 2,000 rows, as
the worker flushes when many wait, each committed; compaction whenever 50,000 rows have gathered. Making the row
objects is not timed, as that is the caller's work. Rolling the week up afterwards is printed apart.
"""

from collections.abc import Iterator
import time

from scripts.benchmarks.figures import Figure, Options
from scripts.benchmarks.home_events import HOUR, START, HomeEvents

# isort: split
from custom_components.strata.store.sqlite import SqliteStore

_BATCH = 2_000
_COMPACT_EVERY = 50_000


def measure(options: Options) -> Iterator[Figure]:
    """Write, compact, then roll up."""
    days = 1 if options.quick else 7
    end = START + days * 24 * HOUR
    store = SqliteStore(options.folder / "bulk.db", timezone="Europe/Berlin", now=lambda: end)
    store.open()
    events = HomeEvents(store, per_day=200_000)
    seconds, count, gathered = 0.0, 0, 0
    for hour in range(START, end, 6 * HOUR):
        rows = events.between(hour, hour + 6 * HOUR)
        began = time.perf_counter()
        for first in range(0, len(rows), _BATCH):
            gathered += store.write(rows[first : first + _BATCH], heartbeat=end)
            if gathered >= _COMPACT_EVERY:
                store.compact()
                gathered = 0
        seconds += time.perf_counter() - began
        count += len(rows)
    began = time.perf_counter()
    store.compact()
    seconds += time.perf_counter() - began
    with store.reader() as reader:
        kept = reader.sizes().tiers["raw"].rows
    yield Figure("changes written and compacted per second", count / seconds, "/s", 100_000, at_least=True)
    note = "two changes of an entity in one microsecond are one row"
    yield Figure("changes written", count, "", 200_000 * days, at_least=True, note=note)
    yield Figure("changes missing", count - kept, "", count / 10_000)
    began = time.perf_counter()
    report = store.roll_up(end)
    took = time.perf_counter() - began
    yield Figure("roll-up of all of it", took, "s", note=f"{sum(report.rows.values())} rows")
    store.close()
