"""What follows from a list of slots: hours, extremes, means, ranks, the market's day.

Slots are reckoned with by their start, end and length, never by their place in the list: days have 23 to
25 hours, slots 5 to 60 minutes, lists have holes. Values may be negative or all the same.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise

from .model import Slot

HOUR = timedelta(hours=1)
SLOT_LENGTHS = frozenset(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60))
PEAK_QUANTILE = 0.75
"""A slot is peak when at least this share of its day's time is cheaper."""
FULL_ENOUGH = 0.9
"""A mean is given when at least this share of its time is known."""


def infer_slots(points: Iterable[tuple[datetime, float | None]]) -> tuple[Slot, ...]:
    """Return slots, in time order, from starts alone; a None is a hole, of two equal starts the last counts.

    A slot lasts until the next start where that is a slot length (5, 15, 30 or 60 minutes); where it is
    not, where it is longer than both its neighbours (something is missing there), and for the last slot,
    it lasts as long as the slot before it.

    Raises:
        ValueError: no two starts are a slot length apart, so nothing says how long a slot is.
    """
    known = dict(points)
    starts = sorted(known)
    lengths = _lengths([later - earlier for earlier, later in pairwise(starts)])
    if starts and not lengths:
        raise ValueError("the times do not tell how long a slot is")
    return tuple(
        Slot(start, start + length, value)
        for start, length in zip(starts, lengths, strict=True)
        if (value := known[start]) is not None
    )


def _lengths(steps: list[timedelta]) -> list[timedelta]:
    """Return the length of each slot from the steps between starts; empty when no step is a slot length."""
    sound = [step if step in SLOT_LENGTHS and not _is_hole(steps, index) else None for index, step in enumerate(steps)]
    first = next((step for step in sound if step is not None), None)
    if first is None:
        return []
    lengths = []
    for step in [*sound, None]:
        first = first if step is None else step
        lengths.append(first)
    return lengths


def _is_hole(steps: list[timedelta], index: int) -> bool:
    neighbours = steps[max(index - 1, 0) : index] + steps[index + 1 : index + 2]
    return bool(neighbours) and all(steps[index] > neighbour for neighbour in neighbours)


def day_around(moment: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return start and end, in UTC, of the local day of `zone` that contains `moment`."""
    today = moment.astimezone(zone).date()
    start, end = (datetime.combine(today + timedelta(days=days), time(), zone).astimezone(UTC) for days in (0, 1))
    return start, end


def within(slots: Iterable[Slot], start: datetime, end: datetime) -> tuple[Slot, ...]:
    """Return the slots that begin in `[start, end)`."""
    return tuple(slot for slot in slots if start <= slot.start < end)


def hourly(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """Return the means of the clock hours (UTC) that are known from begin to end, in time order."""
    hours: dict[datetime, tuple[timedelta, float]] = {}
    for slot in slots:
        start = slot.start
        while start < slot.end:
            hour = _hour(start)
            end = min(slot.end, hour + HOUR)
            covered, weighted = hours.get(hour, (timedelta(), 0.0))
            hours[hour] = (covered + (end - start), weighted + (end - start) / HOUR * slot.value)
            start = end
    return tuple(Slot(hour, hour + HOUR, hours[hour][1]) for hour in sorted(hours) if hours[hour][0] == HOUR)


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def mean(slots: Iterable[Slot], start: datetime, end: datetime, *, enough: float = FULL_ENOUGH) -> float | None:
    """Return the time-weighted mean over `[start, end)`; None when less than the share `enough` of it is known."""
    covered = weighted = 0.0
    for slot in slots:
        seconds = (min(slot.end, end) - max(slot.start, start)).total_seconds()
        if seconds > 0:
            covered += seconds
            weighted += seconds * slot.value
    if covered <= 0 or covered < enough * (end - start).total_seconds():
        return None
    return weighted / covered


def average(slots: Sequence[Slot]) -> float | None:
    """Return the time-weighted mean of the slots, or None when there are none."""
    if not slots:
        return None
    return mean(slots, min(slot.start for slot in slots), max(slot.end for slot in slots), enough=0.0)


def lowest(slots: Iterable[Slot]) -> Slot | None:
    """Return the slot with the lowest value, of equals the first; None when there is none."""
    return min(slots, key=lambda slot: (slot.value, slot.start), default=None)


def highest(slots: Iterable[Slot]) -> Slot | None:
    """Return the slot with the highest value, of equals the first; None when there is none."""
    return min(slots, key=lambda slot: (-slot.value, slot.start), default=None)


def extreme_hours(slots: Sequence[Slot], count: int, *, dearest: bool = False) -> tuple[Slot, ...]:
    """Return the `count` hours with the lowest (or highest) means, in time order; of equals the earliest."""
    sign = -1 if dearest else 1
    chosen = sorted(hourly(slots), key=lambda hour: (sign * hour.value, hour.start))[:count]
    return tuple(sorted(chosen, key=lambda hour: hour.start))


def quantile(slots: Iterable[Slot], value: float) -> float | None:
    """Return the share (0 to 1) of the slots' time with a lower value; None when there are no slots.

    The lowest value has 0 whatever its sign, and so has every value of a flat day.
    """
    total = below = 0.0
    for slot in slots:
        seconds = (slot.end - slot.start).total_seconds()
        total += seconds
        below += seconds if slot.value < value else 0.0
    return below / total if total else None


def rank(slots: Iterable[Slot], value: float) -> int | None:
    """Return the place of `value` among the slots, 1 for the lowest; equal values share it. None without slots."""
    values = [slot.value for slot in slots]
    return 1 + sum(other < value for other in values) if values else None


def is_peak(day: Iterable[Slot], value: float) -> bool | None:
    """Tell whether `value` belongs to the dearest quarter of its day; None when the day is unknown.

    No market says which of its slots are peak, so the day's own prices do: peak is a price that at least
    three quarters of the day's time lie below. A flat day has no peak.
    """
    share = quantile(day, value)
    return None if share is None else share >= PEAK_QUANTILE


def next_after(slots: Iterable[Slot], moment: datetime) -> Slot | None:
    """Return the first slot that begins after `moment`, or None."""
    return min((slot for slot in slots if slot.start > moment), key=lambda slot: slot.start, default=None)


def hours_ahead(slots: Sequence[Slot], issued_at: datetime) -> tuple[float, ...]:
    """Return for each slot how many hours after the slot that ran at `issued_at` it begins.

    That slot has 0, slots before it are negative. Where none ran, hours count from `issued_at` itself.
    """
    origin = next((slot.start for slot in slots if slot.start <= issued_at < slot.end), issued_at)
    return tuple((slot.start - origin) / HOUR for slot in slots)
