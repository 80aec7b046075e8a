"""Simulated time for a whole process: the wall clock stands still until it is moved, and timers follow it."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import override

import time_machine

from .home import SECOND, Micros


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop for which skipped time has passed, so that timers become due."""

    skipped = 0.0

    @override
    def time(self) -> float:
        return super().time() + self.skipped


class SimulatedClock:
    """What `time.time()` and `datetime.now()` say, everywhere in the process and on every thread.

    Everything else is real: the event loop, threads, sockets and the file all run as they always do.
    """

    def __init__(self, traveller: time_machine.Traveller, now: Micros) -> None:
        """Begin at `now`."""
        self._traveller = traveller
        self.now = now

    def move_to(self, moment: Micros) -> None:
        """Let the time until `moment` have passed; a moment that is over is ignored."""
        if moment <= self.now:
            return
        loop = asyncio.get_running_loop()
        if isinstance(loop, SimulatedLoop):
            loop.skipped += (moment - self.now) / SECOND
        # A difference in whole microseconds is exact; a float of seconds since 1970 would not be.
        self._traveller.shift(timedelta(microseconds=moment - self.now))
        self.now = moment


@contextmanager
def simulated_clock(start: Micros) -> Generator[SimulatedClock]:
    """Stop the process's wall clock at `start`."""
    with time_machine.travel(start // SECOND, tick=False) as traveller:
        yield SimulatedClock(traveller, start // SECOND * SECOND)
