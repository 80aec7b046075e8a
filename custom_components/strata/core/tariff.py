"""What a kilowatt-hour costs in the end: surcharges, time-of-use fees, taxes, and what is paid for feeding in.

Pure and exact: rates follow the home's wall clock, days have 23 to 25 hours, prices may be negative.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo

from .model import Slot

EVERY_MONTH = frozenset(range(1, 13))
EVERY_DAY = frozenset(range(7))
HOUR = timedelta(hours=1)
_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A rate for part of the year, the week and the day.

    It holds from `start` to `end` by the clock on the wall, over midnight where `end` is not after `start`, all day
    where both are equal. Month and weekday (Monday is 0) are those of the instant itself: after midnight a period of
    Fridays is over unless it is one of Saturdays too.
    """

    rate: float
    months: frozenset[int] = EVERY_MONTH
    weekdays: frozenset[int] = EVERY_DAY
    start: time = time()
    end: time = time()

    def holds(self, local: datetime) -> bool:
        """Tell whether it holds at a local time."""
        if local.month not in self.months or local.weekday() not in self.weekdays:
            return False
        clock = local.time()
        if self.start < self.end:
            return self.start <= clock < self.end
        return self.start == self.end or clock >= self.start or clock < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Rates by time: that of the first period that holds, else `otherwise`."""

    otherwise: float = 0.0
    periods: tuple[Period, ...] = ()

    def at(self, moment: datetime, zone: tzinfo) -> float:
        """Return the rate at an instant."""
        local = moment.astimezone(zone)
        return next((period.rate for period in self.periods if period.holds(local)), self.otherwise)

    def pieces(self, start: datetime, end: datetime, zone: tzinfo) -> Iterator[Slot]:
        """Yield `[start, end)` cut where the rate changes, each piece with its rate."""
        begin, rate = start, self.at(start, zone)
        for border in self._borders(start, end, zone):
            if (new := self.at(border, zone)) != rate:
                yield Slot(begin, border, rate)
                begin, rate = border, new
        yield Slot(begin, end, rate)

    def hours(self, start: datetime, end: datetime, zone: tzinfo) -> tuple[Slot, ...]:
        """Return the rates from `start` to `end` by the hours from `start` on, cut where the rate changes."""
        slots: list[Slot] = []
        while start < end:
            until = min(start + HOUR, end)
            slots.extend(self.pieces(start, until, zone))
            start = until
        return tuple(slots)

    def _borders(self, start: datetime, end: datetime, zone: tzinfo) -> list[datetime]:
        """Return the instants within `(start, end)` at which the rate may change, in order."""
        if not self.periods:
            return []
        clocks = {time(), *(clock for period in self.periods for clock in (period.start, period.end))}
        day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        found: set[datetime] = set(_offset_changes(start, end, zone))
        while day <= last:
            for clock in clocks:
                # A time that the clock shows twice is a border both times; one it skips is none, but the skip is.
                for fold in (0, 1):
                    found.add(datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC))
            day += timedelta(days=1)
        return sorted(border for border in found if start < border < end)


def _offset_changes(start: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield when the clock is put forward or back; everywhere that is at a whole quarter of an hour in UTC."""
    offset = start.astimezone(zone).utcoffset()
    if offset == end.astimezone(zone).utcoffset():
        return
    moment = start.astimezone(UTC).replace(minute=start.minute // 15 * 15, second=0, microsecond=0)
    while moment < end:
        moment += _QUARTER
        if (new := moment.astimezone(zone).utcoffset()) != offset:
            yield moment
            offset = new


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a contract adds to a price per kWh: `(spot + |spot| x percent + fixed + fee) x (1 + tax)`.

    `fixed` and `fees` are per kWh and before tax, `percent` and `tax` in percent. The surcharge in percent is on the
    amount of the price, so that it is never negative.
    """

    percent: float = 0.0
    fixed: float = 0.0
    tax: float = 0.0
    fees: Schedule = field(default_factory=Schedule)

    def total(self, spot: float, moment: datetime, zone: tzinfo) -> float:
        """Return the total price at an instant."""
        return self._total(spot, self.fees.at(moment, zone))

    def totals(self, slots: Iterable[Slot], zone: tzinfo) -> tuple[Slot, ...]:
        """Return the total prices of slots, which are cut where a fee changes within them."""
        return tuple(
            Slot(piece.start, piece.end, self._total(slot.value, piece.value))
            for slot in slots
            for piece in self.fees.pieces(slot.start, slot.end, zone)
        )

    def _total(self, spot: float, fee: float) -> float:
        before_tax = spot + abs(spot) * self.percent / 100 + self.fixed + fee
        return before_tax * (1 + self.tax / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedIn:
    """What is paid for a kWh fed into the grid: `spot x percent + fixed`."""

    percent: float = 0.0
    fixed: float = 0.0

    def price(self, spot: float) -> float:
        """Return what is paid; negative when feeding in costs money."""
        return spot * self.percent / 100 + self.fixed

    def prices(self, slots: Iterable[Slot]) -> tuple[Slot, ...]:
        """Return what is paid in each slot."""
        return tuple(Slot(slot.start, slot.end, self.price(slot.value)) for slot in slots)
