"""Lets a home happen in Home Assistant: its changes at their times, restarts in between."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from homeassistant.core import CoreState, HomeAssistant

from .clock import SimulatedClock
from .core import boot, hub
from .home import GAPS, MINUTE, NOTHING, SECOND, Change, Downtime, Home, Micros
from .truth import Told

STEP = 15 * MINUTE
SETTLED = 25 * SECOND
"""The store rolls an hour up 20 s after its end; steps end a little later."""
COMING_UP = 15 * SECOND
"""How long after a start the last entity has said its state."""
PATIENCE = 20.0
"""Real seconds that background work may take before the clock moves on."""


class Replay:
    """A home on its way through its changes.

    `told` is what Home Assistant was told, in order; `hass` is the core that runs now.
    """

    def __init__(self, home: Home, clock: SimulatedClock, folder: Path, base_urls: dict[str, str]) -> None:
        """Prepare; `start` boots Home Assistant."""
        self.home = home
        self.told: list[Told] = []
        self.fired = 0
        self._clock = clock
        self._folder = folder
        self._base_urls = base_urls
        self._next = 0
        self._hass: HomeAssistant | None = None
        self._states: dict[str, Change] = {}
        self._full: dict[tuple[str, int], Mapping[str, object]] = {}
        self._downtimes = list(home.downtimes)
        self.starts = 0
        """How often Home Assistant was started."""
        self.overdue: set[str] = set()
        """Background work that did not end in time."""

    @property
    def hass(self) -> HomeAssistant:
        """The core that runs."""
        if self._hass is None:
            raise RuntimeError("Home Assistant is not running")
        return self._hass

    async def start(self) -> None:
        """Boot; after a restart, let every entity say its state, some before everything has started."""
        self._hass = await boot(self._folder, self.home, self._base_urls)
        self.starts += 1
        ready = self._clock.now + COMING_UP
        if self.starts > 1:
            self._skip_to(ready)
        waiting = [self._states[name] for name in sorted(self._states, key=self._comes_up)]
        step = (COMING_UP - SECOND) // max(1, len(waiting))
        for number, change in enumerate(waiting):
            if number == len(waiting) // 2:
                await self._hass.async_start()
            self._fire(change._replace(time=self._clock.now + step))
        if self._hass.state is CoreState.not_running:
            await self._hass.async_start()
        await self._hass.async_block_till_done()
        # What sources look up in the store at their start takes real time.
        await self.breathe()
        if self.starts > 1:
            self._clock.move_to(ready)

    def _comes_up(self, entity_id: str) -> tuple[bool, str]:
        """Sort the entities of the electricity supplier and its meter first, as local integrations are quick."""
        return not entity_id.startswith(("sensor.grid_", "sensor.house_power")), entity_id

    async def stop(self) -> None:
        """Stop Home Assistant as a restart does."""
        hass, self._hass = self.hass, None
        await hass.async_stop()
        self.told.append(Told(self._clock.now, None))

    async def end(self) -> None:
        """Stop Home Assistant if it runs."""
        if self._hass is not None:
            await self.stop()

    async def until(self, moment: Micros) -> None:
        """Let everything happen that happens before `moment`, restarts included."""
        while self._downtimes and self._downtimes[0].stop < moment:
            await self._be_down(self._downtimes.pop(0))
        await self._run_until(moment)

    async def _be_down(self, downtime: Downtime) -> None:
        await self._run_until(downtime.stop)
        await self.stop()
        self._clock.move_to(downtime.start)
        await self.start()

    async def _run_until(self, moment: Micros) -> None:
        while self._clock.now < moment:
            border = (self._clock.now - SETTLED) // STEP * STEP + STEP + SETTLED
            border = min(border, moment)
            changes = self.home.changes
            while self._next < len(changes) and changes[self._next].time < border:
                self._fire(changes[self._next])
                self._next += 1
            self._clock.move_to(border)
            await self.breathe()

    def _skip_to(self, moment: Micros) -> None:
        """Let changes happen that Home Assistant does not see."""
        changes = self.home.changes
        while self._next < len(changes) and changes[self._next].time < moment:
            if not changes[self._next].faulty:
                self._states[changes[self._next].entity_id] = changes[self._next]
            self._next += 1

    def _fire(self, change: Change) -> None:
        self._clock.move_to(change.time)
        self._states[change.entity_id] = change
        self.told.append(Told(change.time, change))
        self.fired += 1
        self.hass.states.async_set(
            change.entity_id, change.state, self._attributes(change), timestamp=change.time / SECOND
        )

    def _attributes(self, change: Change) -> Mapping[str, object]:
        if change.state in GAPS or change.attributes is NOTHING:
            return self.home.entities[change.entity_id].attributes
        key = (change.entity_id, id(change.attributes))
        if key not in self._full:
            self._full[key] = {**self.home.entities[change.entity_id].attributes, **change.attributes}
        return self._full[key]

    async def breathe(self) -> None:
        """Let what has become due be done before time goes on, as it would be in a real second."""
        entry = hub(self.hass) if self.hass.config_entries.async_entries("strata") else None
        if entry is not None and hasattr(entry, "runtime_data"):
            for _ in range(3):
                await self._turns()
                # The store has one writer: when it does this, what was asked of it before is done.
                await entry.runtime_data.worker.write(lambda store: None)
            if entry.subentries:
                await self._quiet(entry.runtime_data.tasks)
        await self._turns()

    async def _turns(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    async def _quiet(self, endless: Iterable[asyncio.Task[None]]) -> None:
        """Wait for fetches and the like; the hub's own background work never ends."""
        if working := asyncio.all_tasks() - {asyncio.current_task(), *endless}:
            _, late = await asyncio.wait(working, timeout=PATIENCE)
            self.overdue |= {task.get_name() for task in late}
