"""What presence sensors saw in each room, hour by hour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.model import MICROS_PER_SECOND, Kind
from ...core.rollup import Ints, Rollup
from .day import Day, Floats

PRESENCE_CLASSES = frozenset({"motion", "occupancy", "presence", "moving"})
"""Device classes of sensors that are on while somebody is there."""


@dataclass(frozen=True, slots=True)
class RoomHours:
    """One room on one day: arrays have one entry per hour."""

    area: str
    motion_count: Ints
    """How often a sensor of the room went on."""
    occupied: Floats
    """Seconds for which the sensor that was on the longest was on."""
    covered: Floats
    """Seconds for which at least the best known sensor was known."""
    rate: Floats
    """The same as a share of the time that sensor was known, 0 to 1; NaN where none was known."""


def times_on(rollup: Rollup) -> Ints:
    """Return how often an on/off went on in each bucket.

    Going on and going off take turns, so half of the transitions went on, and of an odd number
    one more where it ended on.
    """
    transitions = rollup.columns["transitions"].astype(np.int64)
    ended_on = np.nan_to_num(rollup.columns["last"].astype(np.float64)) != 0
    halves: Ints = (transitions + (ended_on & (transitions % 2 == 1))) // 2
    return halves


def rooms(day: Day) -> list[RoomHours]:
    """Return what happened in each room that has a sensor of presence."""
    found: dict[str, RoomHours] = {}
    size = len(day.starts)
    for series, rollup in day.of_kind(Kind.ON_OFF):
        if series.labels.get("device_class") not in PRESENCE_CLASSES:
            continue
        counts = np.nan_to_num(day.spread(rollup, times_on(rollup))).astype(np.int64)
        seconds = np.nan_to_num(day.spread(rollup, rollup.columns["on"])) / MICROS_PER_SECOND
        covered = np.nan_to_num(day.spread(rollup, rollup.columns["covered"])) / MICROS_PER_SECOND
        present = np.isin(np.arange(size), np.searchsorted(day.edges, rollup.starts, "right") - 1)
        areas = np.array([day.area(series, start) for start in day.starts], object)
        for area in sorted({*areas[present].tolist()} - {""}):
            _add(found, area, present & (areas == area), counts, seconds, covered)
    return [found[area] for area in sorted(found)]


def _add(
    found: dict[str, RoomHours], area: str, here: NDArray[np.bool_], counts: Ints, seconds: Floats, covered: Floats
) -> None:
    size = len(here)
    room = found.get(area)
    if room is None:
        zeros = np.zeros(size)
        room = found[area] = RoomHours(area, np.zeros(size, np.int64), zeros, zeros.copy(), np.full(size, np.nan))
    known = here & (covered > 0)
    room.motion_count[here] += counts[here]
    room.occupied[here] = np.maximum(room.occupied[here], seconds[here])
    room.covered[here] = np.maximum(room.covered[here], covered[here])
    room.rate[known] = np.fmax(room.rate[known], seconds[known] / covered[known])
