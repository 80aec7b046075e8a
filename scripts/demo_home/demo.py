"""The demo, step by step."""

from collections.abc import Callable, Mapping
from pathlib import Path
import time
import traceback

from homeassistant import block_async_io

from .clock import SimulatedClock
from .core import AddedSource, add_hub, add_source, hub, keep_days, watch_nothing
from .findings import Findings
from .home import DAY, Home, Micros
from .ladder import run_ladder
from .log_watch import LogWatch
from .meter_days import history_report
from .mirroring import is_there, mirror_everything
from .outside import choices, look_at, prove_sources, prove_stored
from .planning import find_windows
from .proof import (
    Truth,
    prove_clock_change,
    prove_downtime,
    prove_faults,
    prove_last,
    prove_rows,
    prove_tiers,
    read_all,
    tell_truth,
)
from .recorded_server import recorded_services
from .replay import Replay
from .report import Report

type Say = Callable[[str], None]


def progress() -> Say:
    """Return what prints lines with the seconds since now."""
    began = time.monotonic()
    return lambda line: print(f"[{time.monotonic() - began:6.1f} s] {line}", flush=True)


class Demo:
    """One run of the demo in a configuration folder that is thrown away."""

    def __init__(self, home: Home, folder: Path, clock: SimulatedClock, log: LogWatch, say: Say) -> None:
        """Prepare; `run` does it all."""
        self._home = home
        self._folder = folder
        self._clock = clock
        self._log = log
        self._say = say
        self._findings = Findings()
        self._keep = _keep(home)
        self.report = Report(home=home, findings=self._findings)

    async def run(self, *, is_history: bool) -> Report:
        """Do every step; what fails is in the report."""
        began = time.monotonic()
        # Once for the process, as Home Assistant's own start does: it reports what blocks the event loop.
        block_async_io.enable()
        asked: list[str] = []
        async with recorded_services(asked) as base_urls:
            replay = Replay(self._home, self._clock, self._folder, base_urls)
            try:
                await self._steps(replay, is_history=is_history)
            except Exception as error:  # noqa: BLE001 - whatever it is, the report has to say it
                self._findings.complaints.append(where(error))
            finally:
                await replay.end()
        self._findings.complaints += [f"background work did not end: {name}" for name in sorted(replay.overdue)]
        self._findings.complaints += [*self._log.complaints]
        self.report.requests = len(asked)
        self.report.told = replay.fired
        self.report.seconds = time.monotonic() - began
        return self.report

    async def _steps(self, replay: Replay, *, is_history: bool) -> None:
        flow_id = await self._set_up(replay)
        if self._home.sources_from > self._home.begin:
            await self._live_until(replay, self._home.sources_from)
        if replay.starts > 1:
            # A form that was open does not survive a restart.
            flow_id = None
        added = await self._add_sources(replay, flow_id)
        await self._live_until(replay, self._home.end)
        await self._prove(replay, added, is_history=is_history)

    async def _set_up(self, replay: Replay) -> str | None:
        """Boot and add the hub; return the flow of the first source, into which the hub's leads."""
        self._say("starting Home Assistant")
        await replay.start()
        self._say("adding Strata through its config flow")
        flow_id = await add_hub(replay.hass)
        # Being watched adds 5-minute summaries to entities; here it is compared who has them from the first moment on.
        await watch_nothing(replay.hass)
        # Nothing is to be handed down by the nightly ladder before everything has been compared.
        await keep_days(replay.hass, {tier: days + 400 for tier, days in self._keep.items()})
        return flow_id

    async def _live_until(self, replay: Replay, moment: Micros) -> None:
        """Replay in whole days, saying how far it is."""
        while self._clock.now < moment:
            border = min(moment, (self._clock.now // DAY + 1) * DAY)
            told = replay.fired
            await replay.until(border)
            worker = hub(replay.hass).runtime_data.worker
            self._say(
                f"{_date(self._clock.now)}: {replay.fired - told:,} states, {replay.starts} starts of Home Assistant so"
                f" far, {worker.counters.stored:,} rows stored since the last"
            )

    async def _add_sources(self, replay: Replay, flow_id: str | None) -> list[AddedSource]:
        added = []
        for choice in choices(self._home):
            source = await add_source(replay.hass, choice, flow_id)
            flow_id = None
            shown = source.preview.get("value", "")
            slots = f", {source.preview['slots']} slots" if "slots" in source.preview else ""
            self._say(f"added {choice.role}: {source.title} ({choice.mode}), {shown}{slots}")
            added.append(source)
        await replay.breathe()
        return added

    async def _prove(self, replay: Replay, added: list[AddedSource], *, is_history: bool) -> None:
        hass, findings = replay.hass, self._findings
        self.report.sources = await look_at(hass, added)
        prove_sources(hass, self.report.sources, findings)
        await prove_stored(hass, self.report.sources, findings)
        if not is_history:
            self.report.windows = await find_windows(hass, findings)
        worker = hub(hass).runtime_data.worker
        await worker.flush()
        self._say("adding the history up independently")
        truth = tell_truth(self._home, replay.told, self._clock.now)
        self._say("comparing with what is stored")
        stored = await read_all(worker, self._home, findings)
        self.report.fired, self.report.stored = prove_rows(truth, stored, findings)
        prove_faults(truth, stored, findings)
        prove_tiers(self._home, truth, stored, findings, since={})
        prove_downtime(self._home, truth, stored, findings)
        prove_clock_change(self._home, truth, stored, findings)
        prove_last(worker, self._home, truth, findings)
        if is_history:
            self.report.history = history_report(self._home, truth, stored)
        await self._mirror(replay)
        await self._climb_down(replay, truth)

    async def _mirror(self, replay: Replay) -> None:
        """Mirror everything, before the ladder takes away what the server is compared with."""
        if not is_there():
            self._say("no InfluxDB to mirror to: scripts/setup --full fetches one")
            return
        self._say("mirroring everything to a real InfluxDB")
        self.report.mirror = await mirror_everything(replay.hass, self._folder, self._findings)

    async def _climb_down(self, replay: Replay, truth: Truth) -> None:
        """Run the ladder, and compare again what it has to leave."""
        kept = ", ".join(f"{tier} {days} d" for tier, days in self._keep.items())
        self._say(f"running the ladder with short keeps, set through the options: {kept}")
        await keep_days(replay.hass, self._keep)
        self.report.ladder = await run_ladder(replay.hass, self._findings)
        worker = hub(replay.hass).runtime_data.worker
        left = await read_all(worker, self._home, Findings())
        # Whole days in UTC go; what is left begins no later than the keep before now.
        since = {"hourly": (self._clock.now - self._keep["hourly"] * DAY) // DAY * DAY + DAY}
        trimmed = {name: stored.since("hourly", since["hourly"]) for name, stored in left.items()}
        prove_tiers(self._home, truth, trimmed, self._findings, since=since)


def _keep(home: Home) -> Mapping[str, int]:
    """Return keeps so short that every step of the ladder has something to do."""
    days = max(3, (home.end - home.begin) // DAY - 1)
    raw = max(1, days // 3)
    return {"raw": raw, "five_minute": raw + 1, "hourly": max(raw + 2, days * 2 // 3), "daily": 365}


def where(error: Exception) -> str:
    """Say what failed and in which line of the demo."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "demo_home" in frame.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"a step failed{place}: {type(error).__name__}: {error}"


def _date(moment: Micros) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment // 1_000_000))
