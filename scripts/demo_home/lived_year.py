"""A home that has lived for a year before Home Assistant starts.

Its rows go straight into the store, as they would lie there by then, so that a year takes seconds. Its last five weeks
are those of a simulated home in which things went wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom_components.strata.core.model import Flag, Kind, Series, SeriesKey
from custom_components.strata.store.base import RawRows
from custom_components.strata.store.sqlite import SqliteStore
from scripts.benchmarks.anomaly.faults import NUMERIC, inject
from scripts.benchmarks.anomaly.home import make_home
from scripts.benchmarks.year import write_rows

from .home import DAY, HOUR, MINUTE, SECOND, Micros

SEED = 1005
"""A home in Berlin that no detector was tuned on."""
TIMEZONE = "Europe/Berlin"
BLOCK = 35 * DAY
DAYS = 365
MEASUREMENT = "home_assistant_events"
PRICES, PRICE = "electricity_pricing", "current_price"
CARBON, INTENSITY = "carbon_intensity", "carbon_intensity_gco2_kwh"

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sort:
    """What Home Assistant knows of an entity: domain, device class, room."""

    domain: str
    device_class: str
    area: str


SORTS: Mapping[str, Sort] = {
    **{
        name: Sort("sensor", "power", area)
        for name, area in {
            "fridge": "Kitchen",
            "car": "Garage",
            "water_heater": "Utility room",
            "washer": "Utility room",
            "television": "Living room",
            "server": "Office",
            "lights": "Living room",
            "heat_pump": "Utility room",
            "solar": "Utility room",
            "house": "Utility room",
        }.items()
    },
    "latency": Sort("sensor", "duration", "Office"),
    "traffic": Sort("sensor", "data_rate", "Office"),
    "living_temperature": Sort("sensor", "temperature", "Living room"),
    "bedroom_temperature": Sort("sensor", "temperature", "Bedroom"),
    "living_humidity": Sort("sensor", "humidity", "Living room"),
    "bath_humidity": Sort("sensor", "humidity", "Bathroom"),
    "pressure": Sort("sensor", "atmospheric_pressure", "Garden"),
    "co2": Sort("sensor", "carbon_dioxide", "Bedroom"),
    "battery": Sort("sensor", "battery", "Bedroom"),
    "front_door": Sort("binary_sensor", "door", "Hall"),
    "fridge_door": Sort("binary_sensor", "door", "Kitchen"),
    "hall_motion": Sort("binary_sensor", "motion", "Hall"),
    "bath_motion": Sort("binary_sensor", "motion", "Bathroom"),
    "light_switch": Sort("binary_sensor", "opening", "Living room"),
    "garage_door": Sort("binary_sensor", "garage_door", "Garage"),
}
"""The watched set of the simulated home, by name."""

FROM_THE_START = ("fridge", "heat_pump", "solar", "house", "living_temperature", "bath_humidity", "hall_motion")
"""What has been there all year; the other devices came five weeks ago."""

PLANTED: Mapping[str, tuple[str, float]] = {
    "living_temperature": ("spike", 4),
    "server": ("level", 2),
    "bedroom_temperature": ("drift", 2),
    "fridge": ("stuck_on", 24),
    "television": ("base_load", 0.5),
    "bath_humidity": ("flatline", 24),
    "latency": ("unavailable", 48),
}
"""What goes wrong, and in which size; all of them clear faults of the bench's table."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault: which entity it befell, and when."""

    entity_id: str
    kind: str
    start: Micros
    end: Micros


@dataclass(slots=True)
class LivedYear:
    """The home; `means` are the 5-minute means of its last five weeks by entity id, NaN where nothing is known."""

    end: Micros
    times: Ints
    means: dict[str, Floats]
    usual: dict[str, Floats]
    """The same without faults."""
    counts: dict[str, Floats]
    planted: list[Planted]
    rows: int = 0
    identities: Mapping[str, str] = field(default_factory=dict)

    @property
    def begin(self) -> Micros:
        """The first midnight of the year."""
        return self.end - DAYS * DAY

    def price(self, times: Ints) -> Floats:
        """Return the price at each time in EUR/kWh: dearest at 18 UTC."""
        return np.round(0.27 + 0.08 * np.cos((times % DAY / HOUR - 18) / 24 * 2 * np.pi), 4)

    def carbon(self, times: Ints) -> Floats:
        """Return the carbon intensity at each time in gCO2eq/kWh: lowest at noon UTC."""
        return np.round(300 - 90 * np.cos((times % DAY / HOUR - 12) / 24 * 2 * np.pi), 1)


def lived_year(seed: int = SEED) -> LivedYear:
    """Return the home with its faults planted."""
    home = make_home(seed)
    rng = np.random.default_rng(seed)
    known = {fault.kind: fault for fault in NUMERIC}
    means, usual, planted = {}, {}, []
    for series in home.numeric:
        if series.name not in SORTS:
            continue
        entity_id, values = entity_of(series.name), series.values
        usual[entity_id] = np.round(values, 3)
        if series.name in PLANTED:
            kind, size = PLANTED[series.name]
            values, where = inject(values, known[kind], size, series.traits, rng)
            start, end = (int(home.world.times[0]) + cell * 5 * MINUTE for cell in (where.start, where.stop))
            planted.append(Planted(entity_id, kind, start, end))
        means[entity_id] = np.round(values, 3)
    counts = {entity_of(events.name): events.counts for events in home.events}
    return LivedYear(int(home.world.times[-1]) + 5 * MINUTE, home.world.times, means, usual, counts, planted)


def entity_of(name: str) -> str:
    """Return the entity id of a name."""
    sort = SORTS[name]
    return f"{sort.domain}.{name}_power" if sort.device_class == "power" else f"{sort.domain}.{name}"


def unit_of(entity_id: str) -> str:
    """Return the unit of an entity's numbers; empty for what is on or off."""
    units = {"power": "W", "duration": "ms", "data_rate": "Mbit/s", "temperature": "°C", "humidity": "%"}
    units |= {"atmospheric_pressure": "hPa", "carbon_dioxide": "ppm", "battery": "%"}
    return units.get(sort_of(entity_id).device_class, "")


def sort_of(entity_id: str) -> Sort:
    """Return what is known of an entity."""
    return next(sort for name, sort in SORTS.items() if entity_of(name) == entity_id)


def write_year(year: LivedYear, path: Path, identities: Mapping[str, tuple[str, str]]) -> int:
    """Write the year into a new store; return the bytes of the file before anything was handed down.

    `identities` are registry id and area id by entity id.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clock = [year.begin]
    with SqliteStore(path, timezone=TIMEZONE, now=lambda: clock[0]) as store:
        series = {entity_id: _series(store, entity_id, *identities[entity_id]) for entity_id in identities}
        price = _reading(store, PRICES, {"provider": "demo", "currency": "EUR"}, PRICE, "EUR/kWh")
        carbon = _reading(store, CARBON, {"region": "DE", "provider": "demo"}, INTENSITY, "gCO2eq/kWh")
        clock[0] = year.end
        store.save_series()
        hours = np.arange(year.begin, year.end, HOUR, dtype=np.int64)
        found = {price.id or 0: _rows(hours, year.price(hours)), carbon.id or 0: _rows(hours, year.carbon(hours))}
        year.rows = write_rows(store, found)
        for back in range(-(-DAYS * DAY // BLOCK) - 1, -1, -1):
            year.rows += write_rows(store, _block(year, series, back))
        store.write((), heartbeat=year.end)
        for day in range(1, DAYS + 1):
            store.roll_up(year.begin + day * DAY)
        store.roll_up(year.end)
    return path.stat().st_size


def _series(store: SqliteStore, entity_id: str, identity: str, area: str) -> Series:
    sort = sort_of(entity_id)
    labels = {"entity_id": entity_id, "domain": sort.domain, "device_class": sort.device_class, "area_id": area}
    return store.series(
        SeriesKey.of_entity(MEASUREMENT, identity),
        kind=Kind.ON_OFF if sort.domain == "binary_sensor" else Kind.MEASUREMENT,
        unit=unit_of(entity_id) or None,
        labels=labels,
        fine=sort.domain == "sensor",
    )


def _reading(store: SqliteStore, measurement: str, tags: dict[str, str], name: str, unit: str) -> Series:
    return store.series(SeriesKey.of_tags(measurement, tags, name), kind=Kind.MEASUREMENT, unit=unit)


def _block(year: LivedYear, series: Mapping[str, Series], back: int) -> dict[int, RawRows]:
    """Return the rows of five weeks; those before the last ones are the same weeks without faults, in quarters."""
    shift = back * BLOCK
    found = {}
    there = {entity_of(name) for name in FROM_THE_START} if back else {*year.means, *year.counts}
    for entity_id in there & year.means.keys():
        values, step = (year.usual[entity_id], 3) if back else (year.means[entity_id], 1)
        found[series[entity_id].id or 0] = _cut(_rows(year.times[::step] - shift, values[::step]), year.begin)
    for entity_id in there & year.counts.keys():
        rows = _switches(year.times - shift, year.counts[entity_id])
        found[series[entity_id].id or 0] = _cut(rows, year.begin)
    return found


def _cut(rows: RawRows, begin: Micros) -> RawRows:
    keep = rows.times >= begin
    return RawRows(rows.times[keep], rows.values[keep], rows.texts[keep], rows.flags[keep])


def _rows(times: Ints, values: Floats) -> RawRows:
    """Return rows where a value changes; what is unknown is a gap."""
    unknown = np.isnan(values)
    before = np.concatenate(([np.inf], values[:-1]))
    changed = np.where(unknown, ~np.isnan(before), values != before)
    zeros = np.zeros(int(changed.sum()), np.int64)
    flags = np.where(unknown[changed], int(Flag.GAP), int(Flag.OK)).astype(np.int64)
    return RawRows(times[changed], values[changed], zeros, flags)


def _switches(times: Ints, counts: Floats) -> RawRows:
    """Return rows of "on" and "off" for how often something happened in each five minutes."""
    at, values = [int(times[0])], [0.0]
    for time, count in zip(times.tolist(), counts.tolist(), strict=True):
        if np.isnan(count):
            continue
        for number in range(int(count)):
            begin = time + number * (5 * MINUTE // max(1, int(count))) + SECOND
            at += [begin, begin + 500_000]
            values += [1.0, 0.0]
    zeros = np.zeros(len(at), np.int64)
    return RawRows(np.array(at, np.int64), np.array(values), zeros, zeros)
