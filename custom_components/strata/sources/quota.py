"""Counting requests per host and key, so that all sources together keep a server's limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
import hashlib
import math
from typing import Final, Self

from .answer import number
from .base import Json, Quota, SourceRateLimited

LONGEST_BLOCK: Final = 24 * 3600.0
"""Seconds. Taken from a file, a longer one comes from a clock that was wrong."""


class QuotaBook:
    """Counts requests; one book for all sources.

    Keys are kept as digests. What `dump` returns survives a restart through `load`.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Take the clock."""
        self._now = now
        self._accounts: dict[str, _Account] = {}

    def take(self, host: str, key: str, quota: Quota | None) -> None:
        """Count one request.

        Raises:
            SourceRateLimited: the quota is used up or the server asked us to wait; says how long.
        """
        now = self._now().timestamp()
        account = self._account(host, key)
        wait = account.blocked_until - now
        if quota is not None:
            wait = max(wait, account.wait(now, quota))
        if wait > 0:
            raise SourceRateLimited(f"the request limit of {host} is used up for {math.ceil(wait)} s", wait)
        if quota is not None:
            account.times.append(now)

    def block(self, host: str, key: str, seconds: float) -> None:
        """Let no request through for `seconds`: the server said so."""
        account = self._account(host, key)
        account.blocked_until = max(account.blocked_until, self._now().timestamp() + seconds)

    def dump(self) -> dict[str, Json]:
        """Return what has been counted, as JSON."""
        return {name: account.dump() for name, account in self._accounts.items()}

    def load(self, data: Json) -> None:
        """Add what `dump` returned in an earlier run; what it did not write is ignored."""
        latest = self._now().timestamp() + LONGEST_BLOCK
        for name, saved in data.items() if isinstance(data, dict) else ():
            self._accounts[name] = _Account.of(saved, latest)

    def _account(self, host: str, key: str) -> _Account:
        digest = hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""
        return self._accounts.setdefault(f"{host}|{digest}", _Account())


@dataclass(slots=True)
class _Account:
    """The requests to one host with one key; times are in seconds since 1970."""

    times: list[float] = field(default_factory=list)
    horizon: float = 0.0
    """Seconds: the longest period any quota asked for."""
    blocked_until: float = 0.0

    def wait(self, now: float, quota: Quota) -> float:
        """Return the seconds until a request is within `quota`, and forget what no quota asks for."""
        period = quota.period.total_seconds()
        self.horizon = max(self.horizon, period)
        # Times ahead of now are from before the clock was set back: they say nothing.
        self.times = [at for at in self.times if now - self.horizon < at <= now]
        recent = [at for at in self.times if at > now - period]
        if len(recent) < quota.requests:
            return 0.0
        return recent[-quota.requests] + period - now

    def dump(self) -> dict[str, Json]:
        return {"times": [*self.times], "horizon": self.horizon, "blocked_until": self.blocked_until}

    @classmethod
    def of(cls, saved: Json, latest: float) -> Self:
        """Return the account `dump` wrote; a block that ends after `latest` is not believed."""
        if not isinstance(saved, dict):
            return cls()
        times = saved.get("times")
        read = [number(at) for at in times] if isinstance(times, list) else []
        blocked_until = number(saved.get("blocked_until")) or 0.0
        return cls(
            [at for at in read if at is not None],
            number(saved.get("horizon")) or 0.0,
            blocked_until if blocked_until <= latest else 0.0,
        )
