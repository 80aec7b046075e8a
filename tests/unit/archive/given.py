"""A home's days as an archive gets them: made from hours of random rows, as the store makes them."""

from collections.abc import Sequence
from datetime import datetime
import random
from zoneinfo import ZoneInfo

import numpy as np

from custom_components.strata.core.clock import day_edges, hour_edges
from custom_components.strata.core.combine import combine
from custom_components.strata.core.model import Kind, Series, SeriesKey, to_micros
from custom_components.strata.core.rollup import Rollup, rollup
from custom_components.strata.store.buckets import with_offsets

MODES = ("heat", "cool", "off", "", "Straße 7", "naïve \U0001f600")
UNITS = {"power": "W", "energy": "Wh", "temperature": "°C"}


def instant(timezone: str, *moment: int) -> int:
    return to_micros(datetime(*moment, tzinfo=ZoneInfo(timezone)))


def series(name: str, kind: Kind, **labels: str) -> Series:
    labels = {"entity_id": f"sensor.{name}", "domain": "sensor", "friendly_name": name.title(), **labels}
    key = SeriesKey.of_entity("home_assistant_events", f"id_{name}")
    return Series(key, kind, UNITS.get(name), labels, fine=kind is Kind.METER, monotonic=name != "net")


def hours_and_days(
    kind: Kind, times: Sequence[int], values: Sequence[object], timezone: str, start: int, end: int
) -> tuple[Rollup, Rollup]:
    """Roll rows up into the hours of a range's whole days, and those into the days; None or NaN is a gap."""
    edges = day_edges(timezone, start, end)
    hours = rollup(times, values, hour_edges(timezone, edges[0], edges[-1]), kind=kind)
    hours = hours.select(hours.known)
    days = combine(hours, np.array(edges))
    return with_offsets(hours, timezone), with_offsets(days.select(days.known), timezone)


def month(seed: int, timezone: str = "Europe/Berlin", moment: Sequence[int] = (2026, 10, 1), days: int = 31):
    """Return a month's series and days, one series of each kind."""
    chance = random.Random(seed)
    start = instant(timezone, *moment)
    edges = day_edges(timezone, start, start + (days + 1) * 86_400_000_000)[: days + 1]
    parts = []
    for name, kind in (
        ("power", Kind.MEASUREMENT),
        ("energy", Kind.METER),
        ("light", Kind.ON_OFF),
        ("mode", Kind.TEXT),
    ):
        times = sorted({chance.randrange(edges[0], edges[-1]) for _ in range(300)})
        values = [value_of(kind, chance) for _ in times]
        parts.append((series(name, kind), hours_and_days(kind, times, values, timezone, edges[0], edges[-1])[1]))
    return parts


def value_of(kind: Kind, chance: random.Random) -> object:
    if chance.random() < 0.05:
        return None if kind is Kind.TEXT else float("nan")
    match kind:
        case Kind.MEASUREMENT:
            return round(chance.gauss(200, 300), 2)
        case Kind.METER:
            return round(chance.uniform(0, 1000), 3)
        case Kind.ON_OFF:
            return float(chance.random() < 0.5)
        case Kind.TEXT:
            return chance.choice(MODES)
