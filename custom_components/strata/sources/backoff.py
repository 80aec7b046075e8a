"""How long to wait after failures."""

from collections.abc import Callable
from datetime import timedelta
import random

from .errors import SourceError, SourceRateLimited


class Backoff:
    """How long to wait after failures: doubled each time, with jitter, 1 minute to 1 hour."""

    def __init__(
        self,
        *,
        shortest: timedelta = timedelta(minutes=1),
        longest: timedelta = timedelta(hours=1),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Take the bounds and a source of numbers in `[0, 1)`."""
        self._shortest = shortest
        self._longest = longest
        self._jitter = jitter
        self.failures = 0

    def failed(self, error: SourceError | None = None) -> timedelta:
        """Count a failure and return how long to wait, never less than the server asked for.

        The wait is 75 to 125 % of shortest x 2^(failures - 1), within the bounds, so that sources
        which failed together do not come back together.
        """
        # The exponent is bounded for the float, not for the wait.
        wait = self._shortest * 2.0 ** min(self.failures, 30) * (0.75 + 0.5 * self._jitter())
        self.failures += 1
        wait = min(max(wait, self._shortest), self._longest)
        asked = error.retry_after if isinstance(error, SourceRateLimited) else None
        if asked is None:
            return wait
        return max(wait, timedelta(seconds=asked) + self._shortest * 0.5 * self._jitter())

    def succeeded(self) -> None:
        """Start again at the shortest wait."""
        self.failures = 0
