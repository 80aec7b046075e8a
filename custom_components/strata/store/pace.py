"""Giving way: long work on a store's thread lets the event loop have the interpreter every millisecond."""

import time

_HOLD = 0.001
"""Seconds of Python between two pauses."""
_PAUSE = 0.00005
"""Long enough for a thread that waits for the interpreter to wake up and take it."""


class Pace:
    """Call `step` between small pieces of work."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        """Begin to count."""
        self._since = time.perf_counter()

    def step(self) -> None:
        """Pause for a moment when it is time to."""
        if time.perf_counter() - self._since >= _HOLD:
            time.sleep(_PAUSE)
            self._since = time.perf_counter()
