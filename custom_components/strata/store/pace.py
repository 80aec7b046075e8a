"""Giving way: long work on a thread lets the event loop have the interpreter every millisecond.

A thread that keeps the interpreter is asked to let it go after 5 ms only, and one that lets go of it and takes it back
at once (as each step of a query and each chunk that is unpacked does) is not even asked: who waits is woken too late,
and begins to wait anew.
"""

from collections.abc import Iterable, Iterator
import time

_HOLD = 0.001
"""Seconds of Python between two pauses."""
_PAUSE = 0.0005
"""Long enough for a thread that waits for the interpreter to wake up and take it, on a busy machine too."""


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


def paced[T](things: Iterable[T]) -> Iterator[T]:
    """Yield what there is, pausing in between when it is time to."""
    pace = Pace()
    for thing in things:
        yield thing
        pace.step()
