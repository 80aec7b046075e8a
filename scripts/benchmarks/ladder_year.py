"""A simulated year of 150 entities: what the ladder takes for it, what it saves, and what the loop notices meanwhile.

The year is written as raw chunks, rolled up, and then handed down in one go, which is what happens after a year in
which the ladder never ran; one more day shows what a night takes. Sizes are those of files: the same rows as a plain
SQLite table, the year as raw chunks, and what is left of the year with the default keeps.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
import time

from scripts.benchmarks import store_only  # noqa: F401 - Home Assistant stays out of this process
from scripts.benchmarks.figures import Figure, Options, percentile, proc
from scripts.benchmarks.home_events import START
from scripts.benchmarks.year import DAY, PlainRows, Year, write_rows

# isort: split
from custom_components.strata.store.downsample import OPERATIONS
from custom_components.strata.store.sqlite import SqliteStore

DAYS = 365
SIZES = {10_000: (80.0, 70.0), 100_000: (95.0, 90.0)}
"""Events a day: how many percent the ladder has to save against plain rows, and against raw chunks."""
_PROBE = 0.005
_MINUTE = 60_000_000


def measure(options: Options) -> Iterator[Figure]:
    """Measure each size."""
    for per_day in SIZES:
        yield from _Home(options, per_day).figures()


class _Home:
    """One size of home."""

    def __init__(self, options: Options, per_day: int) -> None:
        self._days = 40 if options.quick else DAYS
        self._name = f"{per_day // 1000}K/day"
        # What is kept at all outweighs what a short year saves, so only a whole one is judged.
        self._limits = (None, None) if options.quick else SIZES[per_day]
        self._path = options.folder / f"year-{per_day}.db"
        self._plain = PlainRows(options.folder / f"plain-{per_day}.db")
        self._clock = START
        self._store = SqliteStore(self._path, timezone="Europe/Berlin", now=lambda: self._clock)
        self._store.open()
        self._year = Year(self._store, per_day=per_day)

    def _figure(self, name: str, value: float, unit: str, limit: float | None = None, note: str = "") -> Figure:
        return Figure(f"{self._name}: {name}", value, unit, limit, note=note)

    def figures(self) -> Iterator[Figure]:
        """Make the year, hand it down, look at what is left, and let one more night pass."""
        plain, raw = self._make()
        before = proc("status")["VmRSS"]
        began, cpu = time.monotonic(), time.process_time()
        for number in range(1, self._days + 1):
            self._midnight(number)
        yield self._figure("the year rolled up", time.monotonic() - began, "s", note=_since(cpu))
        cpu = time.process_time()
        run = asyncio.run(_ladder(self._store, self._clock + 120 * _MINUTE))
        memory = (proc("status")["VmHWM"] - before) / 1024
        yield self._figure("the year handed down", run.seconds, "s", 900, _since(cpu))
        yield self._figure("longest portion", run.longest * 1000, "ms", note="other writes wait so long at most")
        yield self._figure("memory added at its peak", memory, "MB", 150)
        yield from self._latency(run)
        yield from self._saved(plain, raw)
        write_rows(self._store, self._year.day(self._days))
        self._midnight(self._days + 1)
        cpu = time.process_time()
        night = asyncio.run(_ladder(self._store, self._clock + 120 * _MINUTE))
        yield self._figure("a night's ladder", night.seconds, "s", 10, _since(cpu))
        self._store.close()

    def _make(self) -> tuple[int, int]:
        """Write the year; return the bytes of its file as plain rows, and as raw chunks."""
        cpu, count = time.process_time(), 0
        for number in range(self._days):
            rows = self._year.day(number)
            count += write_rows(self._store, rows)
            self._plain.write(rows)
        self._store.checkpoint()
        print(f"  {self._name}: {count:,} rows of {self._days} days made, {_since(cpu)}", flush=True)
        plain = self._plain.close()
        self._plain.path.unlink()
        return plain, self._path.stat().st_size

    def _midnight(self, number: int) -> None:
        self._clock = START + number * DAY + _MINUTE
        self._store.write((), heartbeat=self._clock)
        self._store.roll_up(self._clock)

    def _latency(self, run: _Run) -> Iterator[Figure]:
        p99, quiet = percentile(run.late, 0.99), percentile(run.quiet, 0.99)
        note = f"{p99 * 1000:.1f} ms against {quiet * 1000:.1f} ms without the ladder"
        yield self._figure("loop latency added, p99", (p99 - quiet) * 1000, "ms", 10, note)
        note = f"{max(run.late) * 1000:.1f} ms against {max(run.quiet) * 1000:.1f} ms without the ladder"
        yield self._figure("loop latency added, longest", (max(run.late) - max(run.quiet)) * 1000, "ms", 50, note)

    def _saved(self, plain: int, raw: int) -> Iterator[Figure]:
        self._store.checkpoint()
        left = self._path.stat().st_size
        against_plain, against_raw = self._limits
        for what, before, limit in (("plain rows", plain, against_plain), ("raw chunks", raw, against_raw)):
            note = f"{before:,} B became {left:,} B"
            saved = 100 * (1 - left / before)
            yield Figure(f"{self._name}: saved against {what}", saved, "%", limit, at_least=True, note=note)
        with self._store.reader() as reader:
            sizes = reader.sizes().tiers
        for tier, size in sizes.items():
            note = f"{size.rows:,} rows of {size.bytes / max(1, size.rows):.1f} B"
            yield self._figure(f"{tier} tier", size.bytes / 1e6, "MB", note=note)


def _since(cpu: float) -> str:
    return f"{time.process_time() - cpu:.1f} s of CPU"


@dataclass
class _Run:
    """All times in seconds: of the whole ladder, its longest portion, and how late a probe of the loop was."""

    seconds: float = 0.0
    longest: float = 0.0
    late: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)


async def _ladder(store: SqliteStore, now: int) -> _Run:
    """Work the ladder off on a thread, portion by portion, while a loop is probed; then probe the idle loop.

    Raises:
        RuntimeError: it could not prove what it was to delete.
    """
    run = _Run()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as writer:
        probe = asyncio.create_task(_watch(run.late))
        began = time.monotonic()
        for tier in OPERATIONS:
            work = await loop.run_in_executor(writer, store.begin_downsample, tier, now)
            while await _timed(run, loop, writer, work.step):
                pass
            report = await loop.run_in_executor(writer, work.end)
            if report.problems:
                raise RuntimeError(f"not proven: {report.problems[:3]}")
            print(f"    {tier}: {report.source_rows:,} rows in {report.seconds:.2f} s", flush=True)
        run.seconds = time.monotonic() - began
        probe.cancel()
    probe = asyncio.create_task(_watch(run.quiet))
    await asyncio.sleep(min(20.0, max(2.0, run.seconds)))
    probe.cancel()
    return run


async def _timed(
    run: _Run, loop: asyncio.AbstractEventLoop, writer: ThreadPoolExecutor, step: Callable[[], bool]
) -> bool:
    began = time.monotonic()
    more = await loop.run_in_executor(writer, step)
    run.longest = max(run.longest, time.monotonic() - began)
    return more


async def _watch(late: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _PROBE
        await asyncio.sleep(_PROBE)
        late.append(loop.time() - due)
