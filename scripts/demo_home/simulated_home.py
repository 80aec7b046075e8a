"""A home of four, seeded: what its devices report over some days around the end of summer time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
import random
from zoneinfo import ZoneInfo

from . import generators as make
from .floor_plan import ENTITIES, Plan
from .home import DAY, GAPS, HOUR, MINUTE, SECOND, Change, Downtime, Home, Micros

TIMEZONE = "Europe/Berlin"
END = datetime(2026, 10, 27, 18, 5, tzinfo=ZoneInfo(TIMEZONE))
"""Two days after the clocks went back, past the hour so that it is whole and every source has news."""
SHORTEST = 3
"""Days that hold the change of the clocks and something old enough for each step of the ladder."""


def simulated_home(*, seed: int = 1, days: int = 9) -> Home:
    """Return a home that is watched for `days` days and 18 hours; the same seed gives the same home.

    Raises:
        ValueError: fewer than 3 days.
    """
    if days < SHORTEST:
        raise ValueError(f"a simulated home lives for at least {SHORTEST} days, not {days}")
    first = (END - timedelta(days=days)).date()
    begin = micros(datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(TIMEZONE)))
    end = micros(END)
    return Home(
        title=f"simulated home, seed {seed}, {days} days and 18 hours until the clocks have gone back",
        timezone=TIMEZONE,
        begin=begin,
        end=end,
        entities={plan.entity.entity_id: plan.entity for plan in ENTITIES},
        changes=life(begin, end, seed=seed),
        downtimes=_downtimes(begin, end),
        sources_from=end // HOUR * HOUR - 20 * HOUR,
    )


def life(begin: Micros, end: Micros, *, seed: int, faults: bool = True) -> list[Change]:
    """Return what the home's devices report from a local midnight, `begin`, until `end`, in time order."""
    days = make.Calendar(TIMEZONE, begin, end)
    changes: list[Change] = []
    for plan in ENTITIES:
        rng = random.Random(f"{seed}:{plan.entity.entity_id}")
        lived = _without_repeats(_with_outages(plan, plan.life(rng, days), days, rng))
        changes += _with_fault(plan, lived, days) if faults else lived
    return sorted(changes, key=lambda change: change.time)


def micros(moment: datetime) -> Micros:
    """Return the moment in microseconds since 1970, exactly."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _downtimes(begin: Micros, end: Micros) -> tuple[Downtime, ...]:
    """A power cut that swallows a whole hour, and restarts as updates bring them."""
    cut = begin + 13 * HOUR + 20 * MINUTE
    update = begin + DAY + 10 * HOUR + 7 * MINUTE
    late = end - 9 * HOUR - 11 * MINUTE
    return (
        Downtime(cut, cut + 2 * HOUR + 30 * MINUTE),
        Downtime(update, update + 95 * SECOND),
        Downtime(late, late + 4 * MINUTE),
    )


def _with_outages(plan: Plan, changes: list[Change], days: make.Calendar, rng: random.Random) -> list[Change]:
    """Let a device drop out of the network now and then, as battery and Wi-Fi devices do."""
    for _ in range(sum(rng.random() < plan.outages_per_day for _ in days.midnights)):
        lost = rng.randrange(days.begin + 2 * HOUR, days.end - 4 * HOUR)
        back = lost + round(rng.uniform(3 * MINUTE, 90 * MINUTE))
        before = [change for change in changes if change.time < lost]
        missed = [change for change in changes if lost <= change.time <= back]
        after = [change for change in changes if change.time > back]
        if not (missed or before) or (newest := (missed or before)[-1]).state in GAPS:
            continue
        gone = Change(lost, newest.entity_id, rng.choice(("unavailable", "unavailable", "unknown")))
        changes = [*before, gone, newest._replace(time=back), *after]
    return changes


def _without_repeats(changes: list[Change]) -> list[Change]:
    """Leave out what is no change."""
    return changes[:1] + [later for before, later in pairwise(changes) if later.state != before.state]


def _with_fault(plan: Plan, changes: list[Change], days: make.Calendar) -> list[Change]:
    """Put a reading that cannot be true between two good ones of the first evening."""
    if plan.fault is None:
        return changes
    evening = days.begin + 20 * HOUR
    place = next(
        index
        for index in range(1, len(changes))
        if changes[index].time >= evening and GAPS.isdisjoint(change.state for change in changes[index - 1 : index + 1])
    )
    before, after = changes[place - 1], changes[place]
    middle = (before.time + after.time) // 2
    wrong = Change(middle, plan.entity.entity_id, plan.fault, faulty=True)
    back = before._replace(time=middle + (after.time - middle) // 2)
    return [*changes[:place], wrong, back, *changes[place:]]
