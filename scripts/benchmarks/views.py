"""A view against the best query we know over the same raw rows: 30 days of 100K changes a day, every device and day.

Both answers are compared before anything is timed. While the view is asked, another thread commits rows.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
import statistics
import threading
import time

from scripts.benchmarks.figures import Figure, Options
from scripts.benchmarks.year import DAY, Year

# isort: split
import numpy as np

from custom_components.strata.core.clock import day_edges, local_date
from custom_components.strata.core.model import Row, Series, TimeRange
from custom_components.strata.core.units import convert
from custom_components.strata.store import rows as raw_rows
from custom_components.strata.store.keys import key_range, key_series, periods
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.timeline import build
from custom_components.strata.store.views.metering import is_meter, is_power
from custom_components.strata.store.views.query import MaterializedViews

TIMEZONE = "Europe/Berlin"
VIEW = "daily_energy_by_device"
_NO_TIMES = np.empty(0, np.int64)

type Energy = dict[tuple[str, str], float]
"""Kilowatt-hours by date and entity."""


def build_store(path: Path, *, per_day: int, days: int, seed: int = 1) -> tuple[SqliteStore, TimeRange]:
    """Return an open store with some days of raw rows, rolled up and seen by views, and their span."""
    clock = [0]
    store = SqliteStore(path, timezone=TIMEZONE, now=lambda: clock[0])
    store.open()
    year = Year(store, per_day=per_day, seed=seed)
    for day in range(days):
        year.write_day(day)
    span = TimeRange(year.start, year.start + days * DAY)
    clock[0] = span.end
    store.roll_up(span.end)
    while store.refresh_views(span.end).waiting:
        pass
    return store, span


def from_raw(reader: StoreReader, when: TimeRange) -> Energy:
    """Return every device's energy by day, from raw chunks: each is read once, and rolled up into days at once."""
    series = {one.id or 0: one for one in reader.series() if is_meter(one) or is_power(one)}
    span = periods(raw_rows.RAW_SPAN, when)
    parts: dict[int, list[raw_rows.RawRows]] = {number: [] for number in series}
    for key, blob in reader.connection.execute(
        "SELECT key, blob FROM raw_chunk WHERE key >= ? AND key < ? ORDER BY key", key_range(span[0], span[-1])
    ):
        if (number := key_series(key)) in parts:
            parts[number].append(raw_rows.decode_rows(blob))
    edges = sorted({when.start, *day_edges(TIMEZONE, when.start, when.end), when.end})
    dates = [local_date(TIMEZONE, edge).isoformat() for edge in edges[:-1]]
    told: Energy = {}
    for number, one in series.items():
        for day, kwh in zip(dates, _daily(one, raw_rows.merge(parts[number]), edges), strict=True):
            told[day, one.labels["entity_id"]] = kwh
    return told


def _daily(series: Series, found: raw_rows.RawRows, edges: Sequence[int]) -> list[float]:
    rolled = build(series.kind, found, _NO_TIMES, (), None).roll_up(series, edges)
    unit = series.unit or ""
    if is_meter(series):
        kwh = np.multiply(rolled.columns["increase"], convert(1.0, unit, "kWh"))
    else:
        kwh = np.multiply(rolled.columns["integral"], convert(1.0, unit, "kW") / 3600)
    return [float(value) for value in kwh]


def from_view(reader: StoreReader, start: date, end: date) -> Energy:
    """Return the same from the view."""
    answer = MaterializedViews(reader).query(VIEW, start=start, end=end)
    place = answer.columns.index("date"), answer.columns.index("entity_id"), answer.columns.index("total_kwh")
    return {(str(row[place[0]]), str(row[place[1]])): float(str(row[place[2]])) for row in answer.rows}


def compare(view: Energy, raw: Energy) -> None:
    """Refuse to measure two different answers.

    Raises:
        AssertionError: they differ.
    """
    used = {name for name, kwh in raw.items() if kwh}
    wrong = [name for name, kwh in view.items() if abs(kwh - raw.get(name, 1e9)) > 1e-9 * max(1.0, abs(kwh))]
    if not used <= view.keys() or wrong:
        raise AssertionError(f"the view says otherwise of {wrong or used - view.keys()}")


class _Writer(threading.Thread):
    """Commits thirty rows twenty times a second, as ten seconds of a home would be, until it is ended."""

    def __init__(self, store: SqliteStore, start: int) -> None:
        super().__init__(daemon=True)
        self.commits = 0
        self._store, self._start = store, start
        self._over = threading.Event()

    def run(self) -> None:
        series = self._store.all_series()[:30]
        while not self._over.wait(0.05):
            moment = self._start + self.commits * 1000
            self._store.write(Row(one, moment, 1.0) for one in series)
            self.commits += 1

    def end(self) -> None:
        self._over.set()
        self.join()


def _times(work: Callable[[], object], count: int) -> list[float]:
    """Return milliseconds of `count` runs."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def _p99(taken: Sequence[float]) -> float:
    return taken[min(len(taken) - 1, int(len(taken) * 0.99))]


def measure(options: Options) -> Iterator[Figure]:
    """Yield what views take, and how many times faster they are."""
    per_day, days = (10_000, 8) if options.quick else (100_000, 30)
    began = time.perf_counter()
    store, span = build_store(options.folder / "views.db", per_day=per_day, days=days)
    yield Figure("making the history", time.perf_counter() - began, "s", note=f"{days} days of {per_day} changes")
    chance = np.random.default_rng(1)
    first, last = local_date(TIMEZONE, span.start), local_date(TIMEZONE, span.end) + timedelta(days=1)
    with store.reader() as reader:
        began = time.perf_counter()
        raw = from_raw(reader, span)
        raw_ms = [(time.perf_counter() - began) * 1000, *_times(lambda: from_raw(reader, span), 2)]
        view = from_view(reader, first, last)
        compare(view, raw)
        entities = sorted({entity for _, entity in view})
        views = MaterializedViews(reader)
        quiet = _times(lambda: views.query(VIEW, start=first, end=last), 100)
        writer = _Writer(store, span.end)
        writer.start()
        busy = _times(lambda: views.query(VIEW, start=first, end=last), 500)
        one = _times(lambda: _one(reader, entities[chance.integers(len(entities))], first, days, chance), 3000)
        writer.end()
    yield Figure("rows of the view over the span", len(view), "rows", note=f"{len(entities)} devices")
    yield Figure(
        "one entity and day, p99 with a writer", _p99(one), "ms", 5.0, note=f"median {statistics.median(one):.3g}"
    )
    yield Figure("all devices and days, p99 with a writer", _p99(busy), "ms", 20.0, note=f"{writer.commits} commits")
    yield Figure("all devices and days, median, no writer", statistics.median(quiet), "ms")
    yield Figure("the same from raw chunks, best of 3", min(raw_ms), "ms")
    ratio = min(raw_ms) / statistics.median(quiet)
    yield Figure("times faster", ratio, "x", None if options.quick else 100.0, at_least=True)
    store.close()


def _one(reader: StoreReader, entity: str, first: date, days: int, chance: np.random.Generator) -> None:
    day = first + timedelta(days=int(chance.integers(days)))
    MaterializedViews(reader).query(VIEW, entities=[entity], start=day, end=day + timedelta(days=1))
