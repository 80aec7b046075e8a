"""What a simulated home is made of: time, weather, people, and the entities they move."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

HOUR = 12
"""Cells of five minutes in an hour."""
DAY = 24 * HOUR
MICROS = 300_000_000
DAYS = 35
ZONES = ("Europe/Berlin", "America/New_York", "Europe/London", "Australia/Adelaide", "Asia/Kolkata")


class Trait(Enum):
    """What an entity is like, as far as faults care."""

    POSITIVE = "positive"
    RESTS = "rests"
    SLOW = "slow"
    SWITCHES = "switches"
    DAILY = "daily"
    BASE = "base"


@dataclass(frozen=True)
class Series:
    """A numeric entity: the means of five minutes, NaN for unknown."""

    name: str
    unit: str
    values: Floats
    traits: frozenset[Trait]


@dataclass(frozen=True)
class Events:
    """An event entity: how many events each five minutes had, NaN for unknown."""

    name: str
    counts: Floats


@dataclass(frozen=True)
class World:
    """Time and what drives a home: weather outside and people inside, per cell of five minutes."""

    seed: int
    timezone: str
    times: Ints
    """Microseconds UTC."""
    hour: Floats
    """Local time of day in hours."""
    day: Ints
    """Number of the local day, from 0."""
    weekend: NDArray[np.bool_]
    outdoor: Floats
    sun: Floats
    """0 to 1: clear-sky sun times clouds."""
    home: Floats
    """People at home."""
    awake: NDArray[np.bool_]
    rng: np.random.Generator

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.times)

    def noise(self, scale: float, memory: float = 0.0) -> Floats:
        """Return noise of a standard deviation; `memory` (0 to 1) is how much of it stays from cell to cell."""
        white = self.rng.normal(0, scale * np.sqrt(1 - memory**2), len(self))
        return white if memory == 0 else smooth(white, memory)


def smooth(white: Floats, memory: float) -> Floats:
    """Return x[i] = memory · x[i−1] + white[i], computed in blocks short enough for the powers to stay finite."""
    out = np.empty_like(white)
    carry = 0.0
    block = max(1, min(512, int(-600 / np.log(memory)))) if memory > 0 else len(white)
    powers = memory ** np.arange(1, block + 1)
    for start in range(0, len(white), block):
        part = white[start : start + block]
        p = powers[: len(part)]
        out[start : start + block] = p * (carry + np.cumsum(part / p))
        carry = out[min(start + block, len(white)) - 1]
    return out


def make_world(seed: int) -> World:
    """Return the world of a home. Every third one has a change of the clocks in its weeks."""
    rng = np.random.default_rng(seed)
    timezone = ZONES[seed % len(ZONES)]
    start = _start(seed, rng)
    zone = ZoneInfo(timezone)
    local_start = datetime(start.year, start.month, start.day, tzinfo=zone).astimezone(UTC)
    first = int(local_start.timestamp()) * 1_000_000
    times = first + np.arange(DAYS * DAY, dtype=np.int64) * MICROS
    offsets = np.array([_offset(zone, t) for t in times[::HOUR]]).repeat(HOUR)
    local = times // 1_000_000 + offsets
    day = local // 86400
    weekend = (day + 3) % 7 >= 5
    hour = local % 86400 / 3600
    clouds = np.clip(smooth(rng.normal(0, 0.05, len(times)), 0.995) + 0.5 + 0.2 * rng.normal(), 0.05, 1.0)
    season = np.cos((local / 86400 / 365.25 - 0.55) * 2 * np.pi) * (-1 if timezone.startswith("Australia") else 1)
    length = 12 + 3.5 * season
    sun = np.clip(np.sin((hour - 13 + length / 2) / length * np.pi), 0, None) * (np.abs(hour - 13) < length / 2)
    weather = smooth(rng.normal(0, 0.15, len(times)), 0.999)
    outdoor = 10 + 10 * season + weather + (3 + 3 * clouds) * np.sin((hour - 9) / 24 * 2 * np.pi)
    home, awake = _people(rng, day - day[0], hour, weekend)
    return World(seed, timezone, times, hour, day - day[0], weekend, outdoor, sun * clouds, home, awake, rng)


def _start(seed: int, rng: np.random.Generator) -> datetime:
    if seed % 3 == 0:  # Clocks change late in March and October, where they do.
        return datetime(2026, 3 if seed % 2 else 10, 8, tzinfo=UTC) + timedelta(days=int(rng.integers(0, 7)))
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=int(rng.integers(0, 330)))


def _offset(zone: ZoneInfo, micros: int) -> int:
    offset = datetime.fromtimestamp(int(micros) // 1_000_000, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _people(
    rng: np.random.Generator, day: Ints, hour: Floats, weekend: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return how many people are at home, and whether anybody is awake there."""
    count = int(rng.integers(1, 5))
    days = int(day[-1]) + 1
    is_weekend = np.array([weekend[day == d][0] for d in range(days)])
    up = np.where(is_weekend, 8.3, 6.6) + rng.normal(0, 0.4, days)
    bed = np.where(is_weekend, 23.6, 22.9) + rng.normal(0, 0.5, days)
    bed = np.minimum(bed, 23.95)
    home = np.zeros(len(day))
    for _ in range(count):
        works = rng.random() < 0.75
        out = works & ~is_weekend & (rng.random(days) > 0.15) | is_weekend & (rng.random(days) < 0.4)
        leaves = np.where(is_weekend, 11.0, 7.8) + rng.normal(0, 0.5, days)
        back = np.where(is_weekend, 16.0, 17.3) + rng.normal(0, 1.0, days)
        home += ~(out[day] & (hour >= leaves[day]) & (hour < back[day]))
    awake = (hour >= up[day]) & (hour < bed[day])
    return home, awake & (home > 0)
