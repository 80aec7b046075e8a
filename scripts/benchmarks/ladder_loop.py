"""What Home Assistant's event loop notices of the ladder, and of archiving, while a home's ordinary changes arrive.

Strata runs in both runs of a pair, on one and the same store, and the load is the same in both: what is added is the
work's. First comes the run with the work, for as long as it lasts or until its time is up, then an idle one of the
same length. Every pair begins with a fresh copy of a store that another process has made. The works are

    ladder: nights that are due because the ladder has not run for a long time;
    archive: finished months, written as Parquet and proven in a folder;
    single values: what is asked of the archive before raw rows go, where no value may be lost: a file for each day.

The probe is that of `loop_latency`. Its longest delay holds the pauses of Python's garbage collector, which stops all
threads whoever made it run; so the longest pause of either run is printed beside it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
import shutil
from statistics import median
import subprocess
import sys
import time
from types import MappingProxyType

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant

from custom_components.strata.archive.targets.local import CONF_PATH, LocalTarget
from custom_components.strata.const import (
    CONF_ARCHIVES,
    CONF_RAW_ROWS,
    CONF_TARGET,
    STORE_FILE,
    STORE_FOLDER,
    SUBENTRY_ARCHIVE,
)
from custom_components.strata.retention import STEPS
from custom_components.strata.runtime import StrataData
from scripts.benchmarks.figures import Figure, Options, proc
from scripts.benchmarks.home_assistant import StateChanges, add_entry, home_assistant
from scripts.benchmarks.loop_latency import Run, load, run, said

RATE = 50
"""State changes a second: a busy home."""
PER_DAY = 100_000
NEVER, BUT_ONE = "never.db", "but_one.db"
"""Stores whose ladder never ran, and where one night is left to do."""
_SETTLED = 12.0
"""Seconds until the first flush and what it brings with it are over."""

type Work = Callable[[HomeAssistant, ConfigEntry[StrataData]], Awaitable[object]]


@dataclass
class _Pairs:
    """Runs with a work and idle ones, in pairs, and what the work did."""

    store: str
    work: Work
    with_work: list[Run] = field(default_factory=list)
    idle: list[Run] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    ended: list[bool] = field(default_factory=list)


def measure(options: Options) -> Iterator[Figure]:
    """Make the stores, run the pairs, then one night alone."""
    days, months, seconds, pairs = (24, 12, 8.0, 2) if options.quick else (100, 60, 30.0, 4)
    began = time.monotonic()
    _make(options.folder, days, months)
    note = f"{days} days of {PER_DAY:,} changes, {months} months before"
    yield Figure("making the stores, in another process", time.monotonic() - began, "s", note=note)
    found, nights = asyncio.run(_all(options, seconds, pairs))
    for name, each in found.items():
        yield from _figures(name, each)
    yield Figure("a night's ladder", max(nights), "s", 10, note=f"the slowest of {len(nights)}, changes arriving")


def _make(folder: Path, days: int, months: int) -> None:
    given = {"days": days, "per-day": PER_DAY, "months": months}
    asked = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    files = [str(folder / NEVER), str(folder / BUT_ONE)]
    subprocess.run([sys.executable, "-P", "-m", "scripts.benchmarks.ladder_loop_store", *files, *asked], check=True)


def _figures(name: str, pairs: _Pairs) -> Iterator[Figure]:
    both = list(zip(pairs.with_work, pairs.idle, strict=True))
    seconds = sum(run.lasted for run in pairs.with_work)
    note = f"{len(both)} pairs, {seconds:.0f} s of work" + (", ended before its time" if all(pairs.ended) else "")
    p99 = median((on.p99 - off.p99) * 1000 for on, off in both)
    yield Figure(f"{name}: added to p99", p99, "ms", 10, note=note)
    longest = median((on.worst - off.worst) * 1000 for on, off in both)
    yield Figure(f"{name}: added to the longest", longest, "ms", 50)
    worst, idle = (max(run.worst for run in runs) * 1000 for runs in (pairs.with_work, pairs.idle))
    yield Figure(f"{name}: longest of all", worst, "ms", note=f"{idle:.1f} ms idle")
    pause, others = (max(run.collector for run in runs) * 1000 for runs in (pairs.with_work, pairs.idle))
    yield Figure(f"{name}: garbage collector's longest pause", pause, "ms", note=f"{others:.1f} ms idle")
    queued = [100 * median(run.queued / run.lasted for run in runs) for runs in (pairs.with_work, pairs.idle)]
    yield Figure(f"{name}: loop waited for a processor", queued[0], "%", note=f"{queued[1]:.2f} % idle")
    yield Figure(f"{name}: memory added at its peak", max(pairs.memory), "MB", 150, note="to what Strata had when idle")


# The works


async def _ladder(hass: HomeAssistant, entry: ConfigEntry[StrataData]) -> None:
    for tier in STEPS:
        report = await entry.runtime_data.retention.downsample(tier)
        if report.problems:
            raise RuntimeError(f"not proven: {report.problems[:3]}")


async def _archive(hass: HomeAssistant, entry: ConfigEntry[StrataData]) -> None:
    await _add_archive(hass, entry)
    await entry.runtime_data.retention.archive()
    _check(entry)


async def _archive_raw(hass: HomeAssistant, entry: ConfigEntry[StrataData]) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_ARCHIVES: {CONF_RAW_ROWS: True}})
    await _add_archive(hass, entry)
    await entry.runtime_data.archives.async_archive_raw()
    _check(entry)


def _check(entry: ConfigEntry[StrataData]) -> None:
    problems = entry.runtime_data.archives.problems
    if problems:
        raise RuntimeError(f"not archived: {problems[:3]}")


async def _add_archive(hass: HomeAssistant, entry: ConfigEntry[StrataData]) -> None:
    """Add an archive in a folder, as its form would."""
    folder = Path(hass.config.path("archive"))

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        LocalTarget(folder).prepare()

    await hass.async_add_executor_job(prepare)
    data = {CONF_TARGET: LocalTarget.key, CONF_PATH: str(folder)}
    subentry = ConfigSubentry(
        data=MappingProxyType(data), subentry_type=SUBENTRY_ARCHIVE, title="Archive", unique_id=None
    )
    hass.config_entries.async_add_subentry(entry, subentry)
    await entry.runtime_data.archives.async_follow()


# Running them


async def _all(options: Options, seconds: float, pairs: int) -> tuple[dict[str, _Pairs], list[float]]:
    found = {
        "ladder": _Pairs(NEVER, _ladder),
        "archive": _Pairs(BUT_ONE, _archive),
        "single values": _Pairs(NEVER, _archive_raw),
    }
    nights: list[float] = []
    async with home_assistant(options.folder) as hass:
        changes = StateChanges(hass)
        entry = await add_entry(hass, "strata")
        await run(changes, _SETTLED, RATE)
        idle = proc("status")["VmRSS"]
        for number in range(pairs):
            for name, each in found.items():
                async with _on_a_copy(hass, entry, options.folder / each.store):
                    await _pair(hass, entry, changes, each, seconds)
                each.memory.append((proc("status")["VmHWM"] - idle) / 1024)
                print(
                    f"  {name}, pair {number + 1} of {pairs}: {said(each.with_work[-1])} with,"
                    f" {said(each.idle[-1])} idle, {each.with_work[-1].lasted:.1f} s",
                    flush=True,
                )
            async with _on_a_copy(hass, entry, options.folder / BUT_ONE):
                nights.append(await _night(hass, entry, changes))
    return found, nights


@asynccontextmanager
async def _on_a_copy(hass: HomeAssistant, entry: ConfigEntry[StrataData], store: Path) -> AsyncGenerator[None]:
    """Let Strata run on a fresh copy of a store, without archives before and after."""
    await hass.config_entries.async_unload(entry.entry_id)
    folder = Path(hass.config.path(STORE_FOLDER))

    def copy() -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        shutil.copyfile(store, folder / STORE_FILE)

    await hass.async_add_executor_job(copy)
    await hass.config_entries.async_setup(entry.entry_id)
    await asyncio.sleep(_SETTLED)
    try:
        yield
    finally:
        for subentry_id in [*entry.subentries]:
            hass.config_entries.async_remove_subentry(entry, subentry_id)
        hass.config_entries.async_update_entry(entry, options={})
        await hass.async_block_till_done()


async def _pair(
    hass: HomeAssistant, entry: ConfigEntry[StrataData], changes: StateChanges, pairs: _Pairs, seconds: float
) -> None:
    # From here on the peak is counted anew.
    await hass.async_add_executor_job(lambda: Path("/proc/self/clear_refs").write_text("5", encoding="ascii"))
    works: list[asyncio.Task[None]] = []

    def begin() -> Callable[[], bool]:
        works.append(asyncio.create_task(_awaited(pairs.work(hass, entry))))
        return works[0].done

    pairs.with_work.append(await run(changes, seconds, RATE, begin))
    work = works[0]
    pairs.ended.append(work.done())
    await _end(entry, work)
    pairs.idle.append(await run(changes, pairs.with_work[-1].lasted, RATE))


async def _awaited(work: Awaitable[object]) -> None:
    await work


async def _end(entry: ConfigEntry[StrataData], work: asyncio.Task[None]) -> None:
    """Let the work end at its next step, or say why it failed."""
    if work.done():
        work.result()
        return
    await entry.runtime_data.archives.async_stop()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    await entry.runtime_data.worker.flush()


async def _night(hass: HomeAssistant, entry: ConfigEntry[StrataData], changes: StateChanges) -> float:
    """Return how many seconds a night's ladder takes while changes arrive."""
    began = time.monotonic()
    work = asyncio.create_task(_ladder(hass, entry))
    await load(changes, 60.0, RATE, work.done)
    await work
    return time.monotonic() - began
