"""What the killed process writes: the same for the same seed, so that the parent can tell what has to be there."""

from collections.abc import Mapping
from datetime import timedelta
import random
from typing import NamedTuple

from scripts.benchmarks import store_only  # noqa: F401

# isort: split
from custom_components.strata.core.model import Flag, Kind, Row, Series, SeriesKey
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DEFAULT_LADDER

TIMEZONE = "Europe/Berlin"
LADDER = DEFAULT_LADDER.keeping(
    {
        "raw": timedelta(hours=4),
        "five_minute": timedelta(days=1),
        "hourly": timedelta(days=2),
        "daily": timedelta(days=300),
    }
)
START = 1_792_843_200_000_000
"""2026-10-24 12:00 UTC, a night before the clock is moved."""
STEP = 20
"""Batches per hour of the stream."""
_ROWS = 40
_LATE_EVERY = 7
_MINUTE = 60_000_000
SERIES: Mapping[str, Kind] = {
    **{f"power_{n}": Kind.MEASUREMENT for n in range(8)},
    **{f"energy_{n}": Kind.METER for n in range(4)},
    **{f"light_{n}": Kind.ON_OFF for n in range(4)},
    **{f"mode_{n}": Kind.TEXT for n in range(4)},
}
_MODES = ("heat", "cool", "off")
_IMPLAUSIBLE = 0.1


class StreamRow(NamedTuple):
    """One row by the name of its series."""

    name: str
    time: int
    value: float | str | None
    flag: Flag

    def of(self, series: Mapping[str, Series]) -> Row:
        """Return the row as the store takes it."""
        number, text = (None, self.value) if isinstance(self.value, str) else (self.value, None)
        return Row(series[self.name], self.time, number, text, self.flag)


def series_of(store: SqliteStore) -> dict[str, Series]:
    """Return the stream's series in a store."""
    return {
        name: store.series(SeriesKey.of_entity("kill", name), kind=kind, fine=name.endswith("_0"))
        for name, kind in SERIES.items()
    }


def rows_of_batch(seed: int, batch: int, clock: int, stopped: int | None) -> list[StreamRow]:
    """Return the rows of one batch, written at `clock` (microseconds).

    With `stopped`, the batch is the first after a start, and half of the series say that they are as they were when
    recording stopped.
    """
    chance = random.Random(seed << 32 | batch)
    rows = []
    if stopped is not None:
        rows = [StreamRow(name, stopped, None, Flag.RESUME) for name in SERIES if chance.random() < 0.5]
    names = list(SERIES)
    for _ in range(_ROWS):
        rows.append(_row(chance, batch, chance.choice(names), clock - chance.randrange(1, 3 * _MINUTE)))
    if batch % _LATE_EVERY == 0:
        late = clock - chance.randrange(30 * _MINUTE, 100 * _MINUTE)
        rows.append(_row(chance, batch, chance.choice(names), late))
    return rows


def _row(chance: random.Random, batch: int, name: str, time: int) -> StreamRow:
    if chance.random() < 0.03:
        return StreamRow(name, time, None, Flag.GAP)
    value: float | str
    match SERIES[name]:
        case Kind.MEASUREMENT:
            value = round(chance.gauss(300, 100), 1)
        case Kind.METER:
            value = round(batch + chance.random(), 3)
        case Kind.ON_OFF:
            value = float(chance.random() < 0.5)
        case Kind.TEXT:
            if chance.random() < _IMPLAUSIBLE:
                # No roll-up knows such a word, so it is swept when its row is handed down.
                return StreamRow(name, time, f"only at {time}", Flag.IMPOSSIBLE)
            value = chance.choice(_MODES)
    return StreamRow(name, time, value, Flag.OK)
