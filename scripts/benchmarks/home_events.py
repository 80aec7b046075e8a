"""The state changes of a home: 150 entities of the kinds a home has, seeded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import random

from scripts.benchmarks import store_only  # noqa: F401

# isort: split
from custom_components.strata.core.model import Cause, Kind, Row, Series, SeriesKey
from custom_components.strata.store.sqlite import SqliteStore

HOUR = 3_600_000_000
START = 1_792_540_800_000_000
"""2026-10-21 00:00 UTC."""


@dataclass(frozen=True)
class Sort:
    """A sort of entity: how many, their share of all changes, and how their values move."""

    name: str
    count: int
    share: float
    kind: Kind
    unit: str | None
    decimals: int
    start: float
    step: float
    fine: bool = False


SORTS = (
    Sort("power", 40, 0.52, Kind.MEASUREMENT, "W", 1, 120.0, 25.0, fine=True),
    Sort("voltage", 12, 0.12, Kind.MEASUREMENT, "V", 1, 231.0, 0.4),
    Sort("temperature", 30, 0.10, Kind.MEASUREMENT, "°C", 2, 21.0, 0.04),
    Sort("humidity", 18, 0.06, Kind.MEASUREMENT, "%", 1, 48.0, 0.3),
    Sort("signal", 10, 0.05, Kind.MEASUREMENT, "dBm", 0, -67.0, 2.0),
    Sort("energy", 20, 0.11, Kind.METER, "kWh", 3, 1500.0, 0.004, fine=True),
    Sort("motion", 12, 0.03, Kind.ON_OFF, None, 0, 0.0, 1.0),
    Sort("mode", 8, 0.01, Kind.TEXT, None, 0, 0.0, 1.0),
)
_DEVICE_CLASSES = frozenset({"power", "voltage", "temperature", "humidity", "energy"})
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MODES = ("idle", "heating", "cooling", "drying", "defrosting")


def series_of(store: SqliteStore, sort: Sort, number: int) -> Series:
    """Return the series of an entity, new to the store."""
    name = f"{sort.name}_{number}"
    labels = {"entity_id": f"sensor.{name}", "domain": "sensor", "friendly_name": name, "device_id": f"d{name}"}
    return store.series(
        SeriesKey.of_entity("home_assistant_events", f"{number:032x}{sort.name}"),
        kind=sort.kind,
        unit=sort.unit,
        labels=labels | ({"device_class": sort.name} if sort.name in _DEVICE_CLASSES else {}),
        fine=sort.fine,
    )


class HomeEvents:
    """Hands out the changes of one period after another; the same for the same seed."""

    def __init__(self, store: SqliteStore, *, per_day: int, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self._per_day = per_day
        self._entities = [(sort, series_of(store, sort, number)) for sort in SORTS for number in range(sort.count)]
        self._weights = [sort.share / sort.count * self._chance.uniform(0.3, 1.7) for sort, _ in self._entities]
        self._values = [sort.start * self._chance.uniform(0.8, 1.2) for sort, _ in self._entities]
        self._attributes = [self._attributes_of(sort, series) for sort, series in self._entities]

    @staticmethod
    def _attributes_of(sort: Sort, series: Series) -> Mapping[str, object]:
        return {"state_class": str(sort.kind), "unit_of_measurement": sort.unit, **series.labels}

    def between(self, start: int, end: int) -> list[Row]:
        """Return the changes in `[start, end)` in time order."""
        count = round(self._per_day * (end - start) / (24 * HOUR))
        times = sorted(self._chance.randrange(start, end) for _ in range(count))
        chosen = self._chance.choices(range(len(self._entities)), self._weights, k=count)
        return [self._row(number, time) for number, time in zip(chosen, times, strict=True)]

    def by_flush(self, start: int, end: int, seconds: int = 10) -> Iterator[tuple[int, list[Row]]]:
        """Yield (clock, rows) for every flush of one hour, generating the hour's rows first."""
        rows = self.between(start, end)
        position = 0
        for clock in range(start + seconds * 1_000_000, end + 1, seconds * 1_000_000):
            first = position
            while position < len(rows) and rows[position].time < clock:
                position += 1
            yield clock, rows[first:position]

    def _row(self, number: int, time: int) -> Row:
        sort, series = self._entities[number]
        chance = self._chance
        value: float | None = None
        text = None
        if sort.kind is Kind.TEXT:
            text = chance.choice(_MODES)
        elif sort.kind is Kind.ON_OFF:
            self._values[number] = value = 1.0 - round(min(1.0, max(0.0, self._values[number])))
        else:
            moved = chance.expovariate(1 / sort.step) if sort.kind is Kind.METER else chance.gauss(0, sort.step)
            self._values[number] = value = round(self._values[number] + moved, sort.decimals)
        parent = self._ulid(time - 20_000) if chance.random() < 0.03 else None
        cause = Cause(self._ulid(time), parent)
        return Row(series, time, value, text, attributes=self._attributes[number], cause=cause)

    def _ulid(self, time: int) -> str:
        """Return an id as Home Assistant gives a context: 10 characters that grow with time, 16 random ones."""
        milliseconds = time // 1000
        moment = "".join(_DIGITS[milliseconds >> shift & 31] for shift in range(45, -1, -5))
        return moment + "".join(self._chance.choices(_DIGITS, k=16))
