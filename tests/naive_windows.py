"""Windows by trying everything, minute by minute and in whole numbers: what the search is held against.

It knows nothing of borders, integrals or floats: a home of minutes with a value or none, a load of minutes with a draw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import random
from zoneinfo import ZoneInfo

from custom_components.strata.core.model import Slot
from custom_components.strata.core.window import Window, find_windows

MINUTE = timedelta(minutes=1)
LENGTHS = (5, 15, 30, 60)

type Minutes = list[int | None]
"""The value of each minute, None where there is none."""


@dataclass(frozen=True)
class Case:
    """Slots, the same as minutes from `origin` on, and what is asked of them; all times in minutes from there."""

    origin: datetime
    slots: tuple[Slot, ...]
    minutes: tuple[int | None, ...]
    duration: int
    count: int
    earliest: int | None
    latest: int | None
    highest: bool

    def moment(self, minute: int | None) -> datetime | None:
        return None if minute is None else self.origin + minute * MINUTE

    def allowed(self) -> Minutes:
        first, last = self.earliest or 0, len(self.minutes) if self.latest is None else self.latest
        sign = -1 if self.highest else 1
        return [
            None if value is None or not first <= at < last else sign * value for at, value in enumerate(self.minutes)
        ]


def cases(seed: int, number: int) -> Iterator[Case]:
    """Yield random cases: mixed lengths, holes, many equal and negative values, nights on which the clock changes."""
    chance = random.Random(seed)
    for _ in range(number):
        yield _case(chance)


def _case(chance: random.Random) -> Case:
    zone = chance.choice([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")])
    # Three hours before Berlin, and half a day before Lord Howe, changes its clock, or any other day.
    origin = datetime(2026, 10, chance.choice([3, 24, 11]), 22, tzinfo=UTC)
    few = chance.random() < 0.5
    slots: list[Slot] = []
    minutes: Minutes = []
    wanted = chance.randint(10, 420)
    while len(minutes) < wanted:
        length = chance.choice(LENGTHS)
        value = chance.randint(-2, 2) if few else chance.randint(-5000, 20_000)
        hole = chance.random() < 0.12
        if not hole:
            start, end = (origin + (len(minutes) + more) * MINUTE for more in (0, length))
            slots.append(Slot(start.astimezone(zone), end.astimezone(zone), value))
        minutes.extend([None if hole else value] * length)
    chance.shuffle(slots)
    return Case(
        origin=origin,
        slots=tuple(slots),
        minutes=tuple(minutes),
        duration=chance.choice([chance.randint(1, 90), 5 * chance.randint(1, 20), 60]),
        count=chance.choice([1, 1, 2, 3, 5]),
        earliest=chance.choice([None, chance.randint(-30, len(minutes))]),
        latest=chance.choice([None, chance.randint(0, len(minutes) + 30)]),
        highest=chance.random() < 0.3,
    )


def stretches(case: Case) -> list[tuple[int, float]]:
    """Return start and mean of the best stretches, each in what the ones before leave."""
    return _greedy(case, [1] * case.duration)


def profile_stretches(case: Case, draws: Sequence[int]) -> list[tuple[int, float]]:
    """Return start and mean per energy of the best places of a load that draws this much in each of its minutes."""
    return _greedy(case, draws)


def _greedy(case: Case, draws: Sequence[int]) -> list[tuple[int, float]]:
    minutes = case.allowed()
    found: list[tuple[int, float]] = []
    while len(found) < case.count:
        costs = [
            (_cost(minutes, start, draws), start)
            for start in range(len(minutes) - len(draws) + 1)
            if None not in minutes[start : start + len(draws)]
        ]
        if not costs:
            break
        cost, start = min(costs)
        found.append((start, (-1 if case.highest else 1) * cost / sum(draws)))
        minutes[start : start + len(draws)] = [None] * len(draws)
    return found


def _cost(minutes: Minutes, start: int, draws: Sequence[int]) -> int:
    if len({*draws}) == 1:
        return draws[0] * sum(value or 0 for value in minutes[start : start + len(draws)])
    return sum(draw * (value or 0) for draw, value in zip(draws, minutes[start:], strict=False))


def loose(case: Case) -> list[tuple[list[int], float]]:
    """Return the minutes and the mean of the cheapest time, each time of what the ones before leave."""
    minutes = case.allowed()
    found: list[tuple[list[int], float]] = []
    while len(found) < case.count:
        known = sorted((value, at) for at, value in enumerate(minutes) if value is not None)[: case.duration]
        if len(known) < case.duration:
            break
        mean = sum(value for value, _ in known) / case.duration
        found.append((sorted(at for _, at in known), -mean if case.highest else mean))
        for _, at in known:
            minutes[at] = None
    return found


def found(case: Case, *, contiguous: bool) -> list[Window]:
    """Ask the search what the case asks."""
    return find_windows(
        case.slots,
        case.duration * MINUTE,
        count=case.count,
        contiguous=contiguous,
        earliest=case.moment(case.earliest),
        latest=case.moment(case.latest),
        highest=case.highest,
    )


def minutes_of(case: Case, window: Window) -> list[int]:
    """Return the minutes of a window, counted from the beginning of the case."""
    spans = [((start - case.origin) // MINUTE, (end - case.origin) // MINUTE) for start, end in window.parts]
    return [minute for start, end in spans for minute in range(start, end)]
