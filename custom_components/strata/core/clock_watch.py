"""Whether the system clock can be believed, and when it was set while nobody looked.

A board without a battery starts in 1970, or where it was switched off, until it has asked a time server; a bad battery
may say any year. A machine that was paused wakes up hours later. A second clock that only ever runs on tells all of it:
it stands still while the machine does, and nobody sets it.
"""

from collections.abc import Callable
from typing import NamedTuple

from .model import MICROS_PER_SECOND, Micros

STEP: Micros = 2 * 3600 * MICROS_PER_SECOND
"""A clock that moves by less than that beside the other one is not noticed."""
AHEAD: Micros = 7 * 86_400 * MICROS_PER_SECOND
"""A clock that is so far after all that was seen before is doubted: what is past its time by it is deleted."""
DOUBT_SECONDS = 6 * 3600.0
"""How long it is doubted: until then it has been set right, or nobody will set it."""


class Jump(NamedTuple):
    """A stretch in which nobody watched, by a clock that was set ahead or stood still."""

    ended: Micros
    began: Micros


class ClockWatch:
    """Looks at the clock; `look` has to be called every now and then, and before anything rests on what it says."""

    def __init__(self, now: Callable[[], Micros], steady: Callable[[], float]) -> None:
        """Take the clock, and one that only ever runs on, in seconds."""
        self._now = now
        self._steady = steady
        self._seen = self._believed = now()
        self._at = self._steady()
        self._doubted_at: float | None = None
        self._jump: Jump | None = None
        self._set_back: Micros = 0

    def begin(self, alive: Micros | None) -> None:
        """Begin to look; `alive` is the newest moment known from before."""
        self._seen, self._at = self._now(), self._steady()
        self._believed = self._seen if alive is None else alive
        self._doubted_at = self._at if self._seen > self._believed + AHEAD else None

    @property
    def doubted(self) -> bool:
        """Whether the clock may be wrong, as far as was looked."""
        return self._doubted_at is not None

    @property
    def believed(self) -> Micros:
        """The newest moment that is certain to have been."""
        return self._believed

    def look(self) -> bool:
        """Look at the clock; return whether it can be believed and was not set."""
        now, at = self._now(), self._steady()
        moved = now - self._seen - int((at - self._at) * MICROS_PER_SECOND)
        if moved >= STEP:
            self._jump = Jump(self._seen if self._jump is None else self._jump.ended, now)
            if now > self._believed + AHEAD:
                self._doubted_at = at
        elif moved <= -STEP and self.doubted:
            self._set_back += moved
            if now <= self._believed + AHEAD:
                self._doubted_at = self._jump = None
        self._seen, self._at = now, at
        if self._doubted_at is not None and at - self._doubted_at >= DOUBT_SECONDS:
            self._doubted_at, self._set_back = None, 0
        if not self.doubted:
            self._believed = max(self._believed, now)
        return not self.doubted and self._jump is None and not self._set_back

    def jumped(self) -> Jump | None:
        """Return, once, the stretch in which nobody watched, if there was one; none while the clock is doubted."""
        if self.doubted:
            return None
        found, self._jump = self._jump, None
        return found

    def set_back(self) -> Micros:
        """Return, once, by how much a clock that was ahead was set back, below 0; 0 while it is doubted still."""
        if self.doubted:
            return 0
        found, self._set_back = self._set_back, 0
        return found
