"""What can go wrong in a simulated home, in which sizes; drawn up before any detector was tuned.

A numeric fault's size is in ranges of the entity (q99.5 − q0.5 of its clean history), or in hours
where its length is what makes it large. Sizes of 1 range and more, and all lengths, count as clear
faults: the promised recall is over these. Smaller ones are measured and published all the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .simulated import DAY, HOUR, Trait

type Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fault:
    """A kind of fault with its sizes. `needs` are traits of the entities it can befall."""

    kind: str
    sizes: tuple[float, ...]
    clear_from: float
    hours: float | None
    """How long it lasts; None: the size is the length in hours."""
    put: Callable[[Floats, slice, float, np.random.Generator, frozenset[Trait]], None]
    """Changes the values in place: (values, where, size in units of the series, random, traits)."""
    needs: frozenset[Trait] = frozenset()
    spares: frozenset[Trait] = frozenset()
    """Traits that make it no fault: a register that stands still at zero is switched off."""

    def befalls(self, traits: frozenset[Trait]) -> bool:
        """Whether an entity with these traits can have it."""
        return self.needs <= traits and not self.spares & traits


def _sign(rng: np.random.Generator, traits: frozenset[Trait]) -> float:
    return 1.0 if Trait.POSITIVE in traits or rng.random() < 0.5 else -1.0


def _shift(values: Floats, where: slice, size: float, rng: np.random.Generator, traits: frozenset[Trait]) -> None:
    values[where] += _sign(rng, traits) * size


def _drift(values: Floats, where: slice, size: float, rng: np.random.Generator, traits: frozenset[Trait]) -> None:
    length = where.stop - where.start
    values[where] += _sign(rng, traits) * size * np.linspace(0, 1, length)


def _flat(values: Floats, where: slice, size: float, rng: np.random.Generator, traits: frozenset[Trait]) -> None:
    known = values[where][~np.isnan(values[where])]
    if len(known):
        values[where] = known[0]


def _high(values: Floats, where: slice, size: float, rng: np.random.Generator, traits: frozenset[Trait]) -> None:
    """Stay at a high level with the noise of a running device."""
    level = np.nanquantile(values[: where.start], 0.99)
    values[where] = level * rng.normal(1, 0.01, where.stop - where.start)


def _off(values: Floats, where: slice, size: float, rng: np.random.Generator, traits: frozenset[Trait]) -> None:
    """Stay at the low level, with its noise."""
    before = values[max(0, where.start - 14 * DAY) : where.start]
    low = before[before <= np.nanquantile(before, 0.2)]
    values[where] = rng.choice(low, where.stop - where.start)


def _base(values: Floats, where: slice, size: float, rng: np.random.Generator, traits: frozenset[Trait]) -> None:
    """Something is left running: the minimum rises, the peaks do not."""
    low = np.nanquantile(values[: where.start], 0.05)
    values[where] = np.maximum(values[where], low + size * rng.normal(1, 0.02, where.stop - where.start))


def _noise(values: Floats, where: slice, size: float, rng: np.random.Generator, traits: frozenset[Trait]) -> None:
    noise = rng.normal(0, size, where.stop - where.start)
    values[where] += np.abs(noise) if Trait.POSITIVE in traits else noise


def _gone(values: Floats, where: slice, size: float, rng: np.random.Generator, traits: frozenset[Trait]) -> None:
    values[where] = np.nan


NUMERIC: tuple[Fault, ...] = (
    Fault("spike", (0.5, 1, 2, 4), 1, 0.25, _shift),
    Fault("level", (0.5, 1, 2), 1, 72, _shift),
    Fault("drift", (0.5, 1, 2), 1, 144, _drift),
    Fault("flatline", (6, 12, 24, 48), 12, None, _flat, spares=frozenset({Trait.RESTS, Trait.SLOW})),
    Fault("stuck_on", (6, 12, 24, 48), 12, None, _high, needs=frozenset({Trait.SWITCHES})),
    Fault("missing_pattern", (24, 48, 96), 48, None, _off, needs=frozenset({Trait.DAILY})),
    Fault("base_load", (0.1, 0.25, 0.5), 0.25, 72, _base, needs=frozenset({Trait.BASE})),
    Fault("noise", (0.25, 0.5, 1), 1, 24, _noise),
    Fault("unavailable", (12, 24, 48), 24, None, _gone),
)
"""Every numeric fault. `clear_from` is the size from which on it counts as clear."""


@dataclass(frozen=True)
class EventFault:
    """A kind of fault of an entity that only has events. The size's meaning is the kind's own."""

    kind: str
    sizes: tuple[float, ...]
    clear_from: float
    meaning: str


EVENTS: tuple[EventFault, ...] = (
    EventFault("silence", (12, 24, 48), 48, "hours without any event, in entities with 8 and more a day"),
    EventFault("burst", (1, 2, 3), 2, "times the busiest hour there was, more events within one hour"),
    EventFault("busy_day", (2, 3, 5), 3, "times the busiest day there was, spread over the waking hours of one day"),
    EventFault("night", (3, 6, 12), 6, "events between 02:00 and 04:00, where there were none or few"),
)
"""Every fault of event entities."""

FIRST_DAY, LAST_DAY = 20, 26
"""The days in which a fault begins; what a scan judges are days 14 to 35."""


def inject(
    values: Floats, fault: Fault, size: float, traits: frozenset[Trait], rng: np.random.Generator
) -> tuple[Floats, slice]:
    """Return the series with a fault, and where it is.

    A fault begins at a random time of a day where the series is known.
    """
    changed = values.copy()
    hours = size if fault.hours is None else fault.hours
    length = max(1, round(hours * HOUR))
    known = np.flatnonzero(~np.isnan(values[FIRST_DAY * DAY : LAST_DAY * DAY])) + FIRST_DAY * DAY
    start = int(rng.choice(known))
    where = slice(start, min(start + length, len(values)))
    span = np.nanquantile(values[:start], 0.995) - np.nanquantile(values[:start], 0.005)
    fault.put(changed, where, size if fault.hours is None else size * float(span), rng, traits)
    if fault.kind != "unavailable":
        changed[np.isnan(values)] = np.nan
    return changed, where


TRAITS: Mapping[Trait, str] = {
    Trait.POSITIVE: "cannot be negative, so faults go up",
    Trait.RESTS: "stands still by itself for hours or days",
    Trait.SLOW: "changes so slowly that standing still is usual",
    Trait.SWITCHES: "is either on or off",
    Trait.DAILY: "has a pattern of the day that is worth missing",
    Trait.BASE: "comes down to a base load every day",
}
"""What the traits mean."""
