"""Event entities: doors, motion, switches. And the faults they can have."""

from collections.abc import Callable, Mapping

import numpy as np

from .faults import FIRST_DAY, LAST_DAY, EventFault
from .simulated import DAY, HOUR, Events, Floats, World


def _poisson(world: World, rate: Floats, swing: float = 0.25) -> Floats:
    """Return counts of five minutes at a rate per hour; whole days are busier or calmer than others."""
    mood = world.rng.lognormal(0, swing, int(world.day[-1]) + 1)[world.day]
    return world.rng.poisson(np.clip(rate * mood / HOUR, 0, None)).astype(float)


def front_door(world: World) -> Floats:
    """Return openings as people come and go."""
    moves = np.abs(np.diff(world.home, prepend=world.home[0]))
    return moves + _poisson(world, 0.12 * world.awake * world.home)


def fridge_door(world: World) -> Floats:
    """Return openings around meals."""
    meal = sum(np.exp(-(((world.hour - at) / 0.8) ** 2)) for at in (7.5, 12.5, 18.8))
    return _poisson(world, world.awake * world.home * (0.3 + 1.6 * meal))


def hall_motion(world: World) -> Floats:
    """Return motion in a hall, which everybody crosses."""
    return _poisson(world, world.awake * world.home * 3.2 + 0.06 * world.home)


def bath_motion(world: World) -> Floats:
    """Return motion in a bathroom: mornings, evenings, and now and then at night."""
    peak = np.exp(-(((world.hour - 7.2) / 0.8) ** 2)) + 0.6 * np.exp(-(((world.hour - 22) / 1) ** 2))
    return _poisson(world, world.home * (world.awake * (0.5 + 3 * peak) + 0.12))


def light_switch(world: World) -> Floats:
    """Return a switch used when it is dark."""
    return _poisson(world, world.awake * world.home * (0.1 + 0.9 * (world.sun < 0.05)))


def garage_door(world: World) -> Floats:
    """Return a door that opens twice or four times on most days."""
    moves = np.abs(np.diff(world.home, prepend=world.home[0])) > 0
    return (moves & (world.rng.random(len(world)) < 0.6)).astype(float) + _poisson(world, 0.04 * world.awake)


HAPPENINGS: Mapping[str, Callable[[World], Floats]] = {
    make.__name__: make for make in (front_door, fridge_door, hall_motion, bath_motion, light_switch, garage_door)
}
"""Event entities by name."""


def befalls(events: Events, fault: EventFault) -> bool:
    """Whether the entity can have the fault."""
    return fault.kind != "silence" or float(np.nansum(events.counts)) / (len(events.counts) / DAY) >= 8


def inject(
    world: World, events: Events, fault: EventFault, size: float, rng: np.random.Generator
) -> tuple[Floats, slice]:
    """Return the counts with a fault, and where it is."""
    counts = events.counts.copy()
    day = int(rng.integers(FIRST_DAY, LAST_DAY))
    cells = np.flatnonzero(world.day == day)
    hour = world.hour[cells]
    before = np.nan_to_num(counts[: cells[0]])
    if fault.kind == "silence":
        start = int(cells[0] + rng.integers(0, len(cells)))
        where = slice(start, start + round(size * HOUR))
        counts[where] = 0
    elif fault.kind == "burst":
        start = int(rng.choice(cells[(hour > 9) & (hour < 20)]))
        where = slice(start, start + HOUR)
        busiest = np.convolve(before, np.ones(HOUR), "valid").max()
        np.add.at(counts, rng.integers(start, start + HOUR, round(size * busiest)), 1)
    elif fault.kind == "busy_day":
        busiest = np.bincount(world.day[: cells[0]], weights=before).max()
        awake = cells[(hour > 7) & (hour < 22)]
        where = slice(int(awake[0]), int(awake[-1]) + 1)
        np.add.at(counts, rng.choice(awake, round((size - 1) * busiest)), 1)
    else:
        night = cells[(hour >= 2) & (hour < 4)]
        where = slice(int(night[0]), int(night[-1]) + 1)
        np.add.at(counts, rng.choice(night, round(size)), 1)
    counts[np.isnan(events.counts)] = np.nan
    return counts, where
