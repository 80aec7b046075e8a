"""When somebody is usually at home: the share of each quarter of an hour of the week, learned from what was."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

QUARTER: Final = timedelta(minutes=15)
_QUARTERS_A_DAY: Final = 96
_CAUTION: Final = QUARTER.total_seconds()
"""Weight of what is known of other days against a quarter's own past: as much as one observation."""
SHARE_LIMITS: Final = (0.02, 0.98)
"""No habit is without exception."""


@dataclass(frozen=True, slots=True)
class Presence:
    """How much of `[start, end)` somebody was at home and how much it is known, in seconds."""

    start: datetime
    end: datetime
    home: float
    known: float


class WeeklyProfile:
    """The share of time at home by weekday and quarter of an hour of the local clock.

    Where a weekday's quarter was seen seldom, what was seen on the other working days, or on the other
    day of the weekend, counts too; what was never seen is one half, which says nothing either way.
    """

    def __init__(self, shares: tuple[float, ...] | None = None, known: timedelta = timedelta()) -> None:
        """Take the shares of 7 x 96 quarters, Monday first; without them nothing is known."""
        self._shares = shares or (0.5,) * (7 * _QUARTERS_A_DAY)
        self.known = known
        """How much time it was learned from."""

    @classmethod
    def learned(cls, past: Iterable[Presence], timezone: str) -> Self:
        """Return the profile of what was; a stretch longer than a quarter is spread evenly over its quarters."""
        home = [0.0] * (7 * _QUARTERS_A_DAY)
        known = [0.0] * (7 * _QUARTERS_A_DAY)
        zone = ZoneInfo(timezone)
        for stretch in past:
            pieces = list(_quarters(stretch.start, stretch.end))
            length = (stretch.end - stretch.start).total_seconds()
            for start, seconds in pieces:
                at = _index(start.astimezone(zone))
                home[at] += stretch.home * seconds / length
                known[at] += stretch.known * seconds / length
        return cls(_smoothed(home, known), timedelta(seconds=sum(known)))

    def share(self, moment: datetime, timezone: str) -> float:
        """Return the usual share of time at home at this time of the week, 0 to 1."""
        return self._shares[_index(moment.astimezone(ZoneInfo(timezone)))]


def _index(local: datetime) -> int:
    return local.weekday() * _QUARTERS_A_DAY + local.hour * 4 + local.minute // 15


def _quarters(start: datetime, end: datetime) -> Iterable[tuple[datetime, float]]:
    """Yield the pieces of `[start, end)` by quarters of an hour: where each begins and its seconds.

    Every offset from UTC in use is a multiple of a quarter of an hour, so quarters of UTC are local ones.
    """
    piece = start.astimezone(UTC)
    while piece < end:
        border = piece.replace(minute=piece.minute // 15 * 15, second=0, microsecond=0) + QUARTER
        after = min(border, end)
        yield piece, (after - piece).total_seconds()
        piece = after


def _smoothed(home: list[float], known: list[float]) -> tuple[float, ...]:
    """Return the share of each quarter, with the same quarter of the like days as its one doubt."""
    shares = []
    for at, (seconds, of) in enumerate(zip(home, known, strict=True)):
        weekday, quarter = divmod(at, _QUARTERS_A_DAY)
        alike = [day * _QUARTERS_A_DAY + quarter for day in (range(5) if weekday < 5 else range(5, 7))]
        usual = _leaning(sum(home[day] for day in alike), sum(known[day] for day in alike), 0.5)
        shares.append(min(max(_leaning(seconds, of, usual), SHARE_LIMITS[0]), SHARE_LIMITS[1]))
    return tuple(shares)


def _leaning(seconds: float, of: float, towards: float) -> float:
    return (seconds + _CAUTION * towards) / (of + _CAUTION)
