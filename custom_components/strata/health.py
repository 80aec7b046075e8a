"""How well a source does: its last fetches, and the share of time it answered."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

FETCHES_KEPT = 200
UPTIME_WINDOW = timedelta(days=7)

OK = "ok"


@dataclass(frozen=True, slots=True)
class Fetch:
    """One fetch: when it began, how long it took, and what came of it."""

    at: datetime
    seconds: float
    outcome: str
    """`ok`, or the key of the failure."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """From `at` on the source answered (True), failed (False), or was not watched (None)."""

    at: datetime
    up: bool | None


class Health:
    """The record of one source's fetches.

    `consecutive_failures` counts fetches since the last good one; `failure` is the key of the
    failure that lasts now, None while the source answers or before its first fetch.
    """

    def __init__(self) -> None:
        """Begin with an empty record."""
        self.fetches: deque[Fetch] = deque(maxlen=FETCHES_KEPT)
        self.consecutive_failures = 0
        self.failure: str | None = None
        self._turns: deque[Turn] = deque()

    @property
    def healthy(self) -> bool | None:
        """Whether the last fetch brought a reading, in an earlier run if need be; None before the first."""
        return next((turn.up for turn in reversed(self._turns) if turn.up is not None), None)

    def add(self, fetch: Fetch) -> None:
        """Record a fetch that has just ended."""
        self.fetches.append(fetch)
        up = fetch.outcome == OK
        self.failure = None if up else fetch.outcome
        self.consecutive_failures = 0 if up else self.consecutive_failures + 1
        if not self._turns or self._turns[-1].up is not up:
            self._turns.append(Turn(fetch.at, up))
        self._forget_before(fetch.at - UPTIME_WINDOW)

    def uptime(self, now: datetime) -> float | None:
        """Return the percentage of watched time in the last 7 days in which the source answered.

        A state holds from the fetch that showed it to the fetch that showed another. Returns None
        when nothing has been watched yet.
        """
        since = now - UPTIME_WINDOW
        up = watched = 0.0
        ends = [*(turn.at for turn in self._turns), now][1:]
        for turn, end in zip(self._turns, ends, strict=True):
            seconds = (end - max(turn.at, since)).total_seconds()
            if turn.up is None or seconds <= 0:
                continue
            watched += seconds
            up += seconds if turn.up else 0.0
        return 100 * up / watched if watched else None

    def turns(self, now: datetime) -> list[Turn]:
        """Return the record to keep over a restart: watching ends at `now`."""
        return [*self._turns, Turn(now, None)] if self._turns else []

    def restore(self, turns: Sequence[Turn]) -> None:
        """Take up a kept record before the first fetch."""
        self._turns = deque(turns)

    def _forget_before(self, moment: datetime) -> None:
        while len(self._turns) > 1 and self._turns[1].at <= moment:
            self._turns.popleft()
