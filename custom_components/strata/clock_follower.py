"""What the store does about a system clock that is wrong for a while.

While the clock is doubted, rows are stored and nothing rests on them: no roll-up, no step of the ladder, no deletion of
archives. When it is set right, they get the time they would have had. Where the clock was set ahead, or the machine was
paused, the run ends where it was last watched, and another begins.
"""

import asyncio
from collections.abc import Callable
import time

from .const import LOGGER
from .core.clock_watch import AHEAD, DOUBT_SECONDS, STEP, ClockWatch
from .core.model import Micros, from_micros
from .store.worker import StoreWorker

LOOK_SECONDS = 10.0


class ClockFollower:
    """Watches the clock of one store."""

    def __init__(
        self,
        worker: StoreWorker,
        now: Callable[[], Micros],
        begin_anew: Callable[[], None],
        steady: Callable[[], float] = lambda: time.monotonic(),  # noqa: PLW0108 - tests stop it
    ) -> None:
        """Follow a store that is open.

        Args:
            worker: the store.
            now: the clock.
            begin_anew: has everything that remembers moments begin anew.
            steady: seconds of a clock that only ever runs on.
        """
        self._worker = worker
        self._now = now
        self._begin_anew = begin_anew
        self._steady = steady
        self._began = steady()
        self.watch = ClockWatch(now, steady)
        alive = worker.last_stop
        self.watch.begin(alive)
        self._noted = False
        if alive is not None and self._now() < alive - STEP:
            LOGGER.warning("The clock is behind: it was %s before", from_micros(alive).isoformat(timespec="minutes"))
            worker.not_before = alive
        self._say_doubt()
        worker.may_maintain = self.believes

    def _say_doubt(self) -> None:
        if self.watch.doubted:
            LOGGER.warning(
                "The clock says %s, long after the last moment known, %s. Until it was right for some hours, or is set"
                " right, nothing is rolled up, handed down or deleted",
                from_micros(self._now()).isoformat(timespec="minutes"),
                from_micros(self.watch.believed).isoformat(timespec="minutes"),
            )

    def believes(self) -> bool:
        """Look at the clock; return whether what it says can be built on."""
        before = self.watch.doubted
        believed = self.watch.look()
        if not before:
            self._say_doubt()
        return believed

    async def run(self) -> None:
        """Look at the clock every few seconds, until cancelled."""
        while True:
            await self.follow()
            await asyncio.sleep(LOOK_SECONDS)

    async def follow(self) -> None:
        """Do what has to be done about a clock that was set.

        Raises:
            StoreError: the store cannot be written.
        """
        believed = self.believes()
        if self._worker.not_before and self._steady() - self._began >= DOUBT_SECONDS:
            # Nobody sets it: it was the time before that was wrong.
            self._worker.not_before = 0
        if self.watch.doubted != self._noted:
            self._noted = self.watch.doubted
            certain = self.watch.believed if self._noted else None
            await self._worker.write(lambda store: store.doubt_clock(certain))
        if believed:
            return
        if by := self.watch.set_back():
            after = self._now() + AHEAD // 2
            await self._worker.flush()
            moved = await self._worker.write(lambda store: store.move_rows(after, by))
            LOGGER.warning("The clock was set back; %d rows that it dated ahead have the right time now", moved)
            self._begin_anew()
        elif (jump := self.watch.jumped()) is not None:
            await self._worker.flush()
            await self._worker.write(lambda store: store.split_run(*jump))
            LOGGER.info(
                "The clock went from %s to %s at once; nothing is known of the time between",
                *(from_micros(moment).isoformat(timespec="seconds") for moment in jump),
            )
            self._begin_anew()
