"""A simulated home: 25 entities that a user would watch, with the gaps and restarts of real ones."""

from dataclasses import dataclass, replace

import numpy as np

from .climate import CLIMATE
from .devices import DEVICES, house
from .happenings import HAPPENINGS
from .simulated import DAY, HOUR, Events, Floats, Series, World, make_world

DESIGN = range(12)
"""Seeds of homes that detectors may be tuned on."""
TEST = range(1000, 1012)
"""Seeds of homes that are for figures only."""
LEFT_OUT = ("outdoor_temperature", "desk", "freezer")
"""Simulated as well, and used for the figures by entity, but not in the default watched set of 25."""


@dataclass(frozen=True)
class Home:
    """The entities of one home over five weeks."""

    world: World
    numeric: tuple[Series, ...]
    events: tuple[Events, ...]

    @property
    def watched(self) -> tuple[str, ...]:
        """Names of the default watched set: 19 numeric and 6 event entities."""
        names = [s.name for s in self.numeric if s.name not in LEFT_OUT]
        return (*names, *(e.name for e in self.events))


def make_home(seed: int) -> Home:
    """Return the home of a seed; the same one every time."""
    world = make_world(seed)
    series = {name: make(world) for name, make in {**DEVICES, **CLIMATE}.items()}
    series["house"] = house(world, series)
    events = {name: make(world) for name, make in HAPPENINGS.items()}
    down = _restarts(world)
    numeric = tuple(replace(s, values=_with_gaps(world, s.values, down)) for s in series.values())
    return Home(world, numeric, tuple(Events(name, np.where(down, np.nan, counts)) for name, counts in events.items()))


def _restarts(world: World) -> np.ndarray:
    """Return when Home Assistant was down: a restart a week, and one longer outage in some homes."""
    down = np.zeros(len(world), bool)
    for at in np.flatnonzero(world.rng.random(len(world)) < 1 / (7 * DAY)):
        down[at : at + int(world.rng.integers(1, 4))] = True
    if world.rng.random() < 0.4:
        at = int(world.rng.integers(0, len(world)))
        down[at : at + int(world.rng.integers(HOUR, 5 * HOUR))] = True
    return down


def _with_gaps(world: World, values: Floats, down: np.ndarray) -> Floats:
    """Return a series with the time Home Assistant was down, and a few short losses of its own."""
    gone = down.copy()
    for at in np.flatnonzero(world.rng.random(len(world)) < 1.5 / (7 * DAY)):
        gone[at : at + int(np.clip(world.rng.lognormal(1.0, 1.0), 1, 3 * HOUR))] = True
    return np.where(gone, np.nan, values)
