"""Standby: what a home draws when everybody sleeps, found in its own power readings.

Per night it is the lowest mean of a quarter of an hour between 1 and 5 o'clock local time: what runs then
by chance (fridge, dishwasher on the cheap tariff, a charging car) raises the other quarters, not the lowest.
Of many nights the median counts, so that a single odd night does not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.model import MICROS_PER_SECOND, Micros, from_micros, to_micros

SLEEP: Final = (time(1), time(5))
"""Local hours of sleep."""
NIGHTS_NEEDED: Final = 14
NIGHTS_USED: Final = 30
QUARTER: Final[Micros] = 15 * 60 * MICROS_PER_SECOND
LONGEST_HOLD: Final = timedelta(hours=1)
"""A sample holds until the next one, at most so long: whoever says nothing for longer may be gone."""
ENOUGH_OF_QUARTER: Final = 0.8
ENOUGH_OF_NIGHT: Final = 0.5
"""Shares that have to be known of a quarter for its mean, and of a night's quarters for its minimum."""
STEP_SHARE: Final = 0.2
STEP_WATTS: Final = 15.0
STEP_NIGHTS: Final = 3
"""Standby has risen when it is higher by more than both for so many nights in a row."""
HOURS_A_YEAR: Final = 8760.0

type _Ints = NDArray[np.int64]
type _Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Night:
    """The standby power of the night that ends on the morning of `day`, in W, and its hours of sleep."""

    day: date
    watts: float
    start: datetime
    end: datetime


class Standby(float):
    """The standby power in W: a number that also tells the nights it is the median of."""

    nights: tuple[Night, ...]

    @classmethod
    def of(cls, nights: Sequence[Night]) -> Self | None:
        """Return the median of the newest nights (at most 30); None when there are fewer than 14."""
        used = tuple(sorted(nights, key=lambda night: night.day)[-NIGHTS_USED:])
        if len(used) < NIGHTS_NEEDED:
            return None
        standby = cls(np.median([night.watts for night in used]))
        standby.nights = used
        return standby

    @property
    def watts(self) -> float:
        """The power in W."""
        return float(self)

    @property
    def kwh_a_year(self) -> float:
        """Energy in kWh when it goes on like this for a year."""
        return float(self) * HOURS_A_YEAR / 1000

    def yearly_cost(self, price: float) -> float:
        """Return what a year of it costs at a mean `price` per kWh, in the price's currency."""
        return self.kwh_a_year * price


@dataclass(frozen=True, slots=True)
class Trend:
    """How the newest three nights compare with those before."""

    watts: float
    """Median of the three minus median of the (at least 14) before them."""
    risen: bool
    """All three are higher by more than 20 % and more than 15 W."""


def standby_power(
    times: ArrayLike | Sequence[datetime],
    watts: ArrayLike,
    *,
    timezone: str,
    sleep: tuple[time, time] = SLEEP,
    loads: Iterable[tuple[ArrayLike | Sequence[datetime], ArrayLike]] = (),
) -> Standby | None:
    """Return the standby power of a home, or None when fewer than 14 nights are known.

    Args:
        times: Microseconds since 1970 UTC, aware datetimes or numpy datetimes in UTC, in any order.
        watts: The power of the house from each time on; NaN where it became unknown. It must be what the
            house uses: grid plus solar minus battery charging. Negative means are left out.
        timezone: IANA name of the clock the home sleeps by.
        sleep: Local begin and end of the hours of sleep; a begin after the end lies on the evening before.
        loads: Series of loads that are known to be always on and are not to count, in the same form.
    """
    return Standby.of(night_floors(times, watts, timezone=timezone, sleep=sleep, loads=loads))


def night_floors(
    times: ArrayLike | Sequence[datetime],
    watts: ArrayLike,
    *,
    timezone: str,
    sleep: tuple[time, time] = SLEEP,
    loads: Iterable[tuple[ArrayLike | Sequence[datetime], ArrayLike]] = (),
) -> tuple[Night, ...]:
    """Return the standby power of each night that is known well enough; the arguments are those of `standby_power`."""
    house = _Power(times, watts)
    known = [_Power(*load) for load in loads]
    nights = []
    for day, start, end in house.nights(timezone, sleep):
        edges = np.arange(to_micros(start), to_micros(end) + 1, QUARTER)
        means = house.means(edges)
        for load in known:
            # A load that is not known in a quarter cannot be told from the rest.
            means = means - np.nan_to_num(load.means(edges))
        good = means[~np.isnan(means) & (means >= 0)]
        if len(good) and len(good) >= ENOUGH_OF_NIGHT * len(means):
            nights.append(Night(day, float(good.min()), start, end))
    return tuple(nights)


def trend(nights: Sequence[Night]) -> Trend | None:
    """Return how the newest three nights compare with up to 30 before them; None when too few are known."""
    ordered = [night.watts for night in sorted(nights, key=lambda night: night.day)]
    newest, before = ordered[-STEP_NIGHTS:], ordered[-STEP_NIGHTS - NIGHTS_USED : -STEP_NIGHTS]
    if len(before) < NIGHTS_NEEDED:
        return None
    usual = float(np.median(before))
    limit = max(usual * (1 + STEP_SHARE), usual + STEP_WATTS)
    return Trend(float(np.median(newest)) - usual, all(watts > limit for watts in newest))


def sleeping_hours(day: date, timezone: str, sleep: tuple[time, time] = SLEEP) -> tuple[datetime, datetime]:
    """Return begin and end, in UTC, of the hours of sleep that end on the morning of `day`.

    They are as long as the clock makes them: from 1 to 5 there are 3 hours when clocks go forward at 2, and 5
    when they go back at 3.
    """
    zone = ZoneInfo(timezone)
    evening = day - timedelta(days=1) if sleep[0] > sleep[1] else day
    begin = datetime.combine(evening, sleep[0], zone).astimezone(UTC)
    # Of an hour that comes twice the second ends the night.
    return begin, datetime.combine(day, sleep[1].replace(fold=1), zone).astimezone(UTC)


class _Power:
    """Energy and known time since the first sample, as functions of time that any stretch's mean follows from."""

    def __init__(self, times: ArrayLike | Sequence[datetime], watts: ArrayLike) -> None:
        stamps, power = _micros(times), np.asarray(watts, np.float64)
        if stamps.shape != power.shape or stamps.ndim != 1:
            raise ValueError(f"{stamps.shape} times and {power.shape} values are not two columns of one length")
        order = np.argsort(stamps, kind="stable")
        self._times, power = stamps[order], power[order]
        longest = LONGEST_HOLD // timedelta(microseconds=1)
        held = np.minimum(np.diff(self._times, append=self._times[-1:] + longest), longest)
        known = np.where(np.isfinite(power), held, 0)
        energy = known * np.nan_to_num(power, posinf=0.0, neginf=0.0)
        self._knots = np.column_stack((self._times, self._times + held)).ravel()
        self._known, self._energy = (_running_total(part) for part in (known, energy))

    def means(self, edges: _Ints) -> _Floats:
        """Return the mean between each two edges, NaN where too little of it is known."""
        if not len(self._knots):
            return np.full(len(edges) - 1, np.nan)
        known = np.diff(np.interp(edges, self._knots, self._known))
        energy = np.diff(np.interp(edges, self._knots, self._energy))
        enough = known >= ENOUGH_OF_QUARTER * np.diff(edges)
        return np.where(enough, energy / np.where(enough, known, 1.0), np.nan)

    def nights(self, timezone: str, sleep: tuple[time, time]) -> Iterable[tuple[date, datetime, datetime]]:
        """Yield the day and the hours of sleep of each night that is over by the last sample's hold."""
        if not len(self._knots):
            return
        zone, last = ZoneInfo(timezone), from_micros(int(self._knots[-1]))
        day = from_micros(int(self._times[0])).astimezone(zone).date()
        while (hours := sleeping_hours(day, timezone, sleep))[1] <= last:
            yield day, *hours
            day += timedelta(days=1)


def _running_total(parts: NDArray[np.float64] | _Ints) -> _Floats:
    """Return the total before and after each part: it grows while a sample holds and stays until the next."""
    after = np.cumsum(parts, dtype=np.float64)
    return np.column_stack((after - parts, after)).ravel()


def _micros(times: ArrayLike | Sequence[datetime]) -> _Ints:
    """Return times as microseconds since 1970.

    Raises:
        ValueError: a datetime has no time zone.
    """
    if isinstance(times, Sequence) and times and isinstance(times[0], datetime):
        return np.array([to_micros(moment) for moment in times if isinstance(moment, datetime)], np.int64)
    column = np.asarray(times)
    if np.issubdtype(column.dtype, np.datetime64):
        column = column.astype("datetime64[us]")
    return column.astype(np.int64)
