"""What Home Assistant's event loop notices of Strata while 2,000 states change every second.

A probe asks to be called every 5 ms and notes how late it was. Strata's hub is set up through its flow; for the runs
without it the entry is unloaded. Each pair is one run without and one with; the figures are the medians of what is
added over the pairs. The load itself (setting the states) is the same in both, and so is a listener that does nothing:
Home Assistant makes an event of a change only when someone listens, as the recorder does in every home, and events and
their contexts refer to each other, so it is the garbage collector that frees them, in pauses of its own. Every 50,000
changes the store is compacted meanwhile, as in life. `influxdb` is Home Assistant's own integration, writing to a
server in another process that keeps nothing.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
import gc
from pathlib import Path
from statistics import median
import time

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback

from custom_components.strata.store.sqlite import now_micros
from scripts.benchmarks.figures import Figure, Options, percentile
from scripts.benchmarks.home_assistant import StateChanges, add_entry, home_assistant, null_influxdb, stored_since

RATE = 2_000
_TICK = 0.01
_PROBE = 0.005


@dataclass(frozen=True)
class Run:
    """One run; all times in seconds.

    How late the probe was, CPU per change of the loop's thread and of all threads, the longest pause of Python's
    garbage collector, how long the loop was ready to run but had no processor, and how long the run lasted.
    """

    late: list[float]
    loop_cpu: float
    cpu: float
    changes: int
    collector: float
    queued: float
    lasted: float

    @property
    def p99(self) -> float:
        """How late the probe was at most 99 times of 100."""
        return percentile(self.late, 0.99)

    @property
    def worst(self) -> float:
        """How late the probe was at worst."""
        return max(self.late)


def measure(options: Options) -> Iterator[Figure]:
    """Run the pairs, then the other integration."""
    seconds, pairs = (8.0, 2) if options.quick else (60.0, 5)
    without, with_strata, without_influx, with_influx, fired, stored = asyncio.run(_all(options, seconds, pairs))
    added = [(on, off) for on, off in zip(with_strata, without, strict=True)]
    note = f"median of {pairs} pairs of {seconds:.0f} s"
    yield Figure("loop latency added, p99", median((on.p99 - off.p99) * 1000 for on, off in added), "ms", 5, note=note)
    worst = median((on.worst - off.worst) * 1000 for on, off in added)
    yield Figure("loop latency added, longest", worst, "ms", 50)
    yield Figure("loop latency with Strata, longest of all", max(on.worst for on in with_strata) * 1000, "ms")
    yield Figure("loop latency without, longest of all", max(off.worst for off in without) * 1000, "ms")
    collector = max(run.collector for run in with_strata) * 1000
    others = max(run.collector for run in without) * 1000
    yield Figure("garbage collector's longest pause, with", collector, "ms", note=f"{others:.1f} ms without")
    queued = 100 * median(run.queued for run in without) / seconds
    yield Figure("loop waited for a processor, without", queued, "%", note="what else ran on this machine")
    yield Figure("on the loop per change", median((on.loop_cpu - off.loop_cpu) * 1e6 for on, off in added), "us", 40)
    yield Figure("CPU per change, all threads", median((on.cpu - off.cpu) * 1e6 for on, off in added), "us")
    influx = (with_influx.cpu - without_influx.cpu) * 1e6
    yield Figure("influxdb: CPU per change, all threads", influx, "us", note="Home Assistant's own integration")
    on_loop = (with_influx.loop_cpu - without_influx.loop_cpu) * 1e6
    yield Figure("influxdb: on the loop per change", on_loop, "us")
    late = (with_influx.p99 - without_influx.p99) * 1000
    yield Figure("influxdb: loop latency added, p99", late, "ms")
    yield Figure("changes not stored once", abs(fired - stored), "", 0, note=f"{fired} fired while Strata was on")


async def _all(options: Options, seconds: float, pairs: int) -> tuple[list[Run], list[Run], Run, Run, int, int]:
    without, with_strata = [], []
    fired = stored = 0
    async with AsyncExitStack() as stack:
        hass = await stack.enter_async_context(home_assistant(options.folder))
        stack.callback(hass.bus.async_listen(EVENT_STATE_CHANGED, _heard))
        changes = StateChanges(hass)
        entry = await add_entry(hass, "strata")
        for number in range(pairs):
            await _switch(hass, entry, on=False)
            without.append(await run(changes, seconds))
            await _switch(hass, entry, on=True)
            began, before = now_micros(), changes.count
            with_strata.append(await run(changes, seconds))
            fired += changes.count - before
            stored += await stored_since(entry, began)
            print(
                f"  pair {number + 1} of {pairs}: {said(without[-1])} without, {said(with_strata[-1])} with",
                flush=True,
            )
        await _switch(hass, entry, on=False)
        without_influx = await run(changes, seconds)
        settings = await stack.enter_async_context(null_influxdb())
        influx = await add_entry(hass, "influxdb", data=settings)
        with_influx = await run(changes, seconds)
        await hass.config_entries.async_unload(influx.entry_id)
    return without, with_strata, without_influx, with_influx, fired, stored


@callback
def _heard(_event: Event[EventStateChangedData]) -> None:
    """Do nothing with a change."""


def said(run: Run) -> str:
    """Return a run's figures in words."""
    return f"p99 {run.p99 * 1000:.1f} ms, longest {run.worst * 1000:.1f} ms"


async def _switch(hass: HomeAssistant, entry: ConfigEntry, *, on: bool) -> None:
    loaded = entry.state.value == "loaded"
    if on and not loaded:
        await hass.config_entries.async_setup(entry.entry_id)
    elif loaded and not on:
        await hass.config_entries.async_unload(entry.entry_id)
    await asyncio.sleep(1)


async def run(
    changes: StateChanges, seconds: float, rate: int = RATE, begin: Callable[[], Callable[[], bool]] | None = None
) -> Run:
    """Change states at the rate for some seconds, probing; the first second does not count.

    Args:
        changes: what changes.
        seconds: how long, at most.
        rate: changes a second.
        begin: called when it begins to count; what it returns is asked whether the run is over before its time.
    """
    await load(changes, 1.0, rate)
    gc.collect()
    late: list[float] = []
    probe = asyncio.create_task(_watch(late))
    pauses = _Pauses()
    queued = _queued()
    before, loop_before, all_before = changes.count, time.thread_time(), time.process_time()
    began = time.monotonic()
    await load(changes, seconds, rate, begin() if begin else None)
    lasted = time.monotonic() - began
    count = changes.count - before
    loop_cpu, cpu = time.thread_time() - loop_before, time.process_time() - all_before
    probe.cancel()
    return Run(late, loop_cpu / count, cpu / count, count, pauses.end(), _queued() - queued, lasted)


class _Pauses:
    """Listens to Python's garbage collector."""

    def __init__(self) -> None:
        self._began = 0.0
        self._longest = 0.0
        gc.callbacks.append(self._heard)

    def _heard(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._longest = max(self._longest, time.perf_counter() - self._began)

    def end(self) -> float:
        """Stop listening and return the longest pause in seconds."""
        gc.callbacks.remove(self._heard)
        return self._longest


def _queued() -> float:
    """Return how many seconds this thread has been ready to run without a processor."""
    return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


async def load(changes: StateChanges, seconds: float, rate: int, over: Callable[[], bool] | None = None) -> None:
    """Fire at the rate; what a late tick missed is made up for in the next."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    first = changes.count
    while (passed := loop.time() - began) < seconds and not (over and over()):
        due = int(passed * rate) - (changes.count - first)
        changes.change(min(due, max(1, rate // 20)))
        await asyncio.sleep(_TICK)


async def _watch(late: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _PROBE
        await asyncio.sleep(_PROBE)
        late.append(loop.time() - due)
