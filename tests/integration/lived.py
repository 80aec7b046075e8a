"""A home that has lived before the test: weeks of history in the store's file, so that there is something to learn."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
import random

from custom_components.strata.core.model import Kind, Micros, Row, SeriesKey, to_micros
from custom_components.strata.store.sqlite import SqliteStore

MEASUREMENT = "home_assistant_events"
FIVE_MINUTES = 300_000_000


def lived(
    folder: Path,
    now: datetime,
    entities: dict[str, tuple[str, str, Callable[[random.Random, Micros, Micros], float]]],
    *,
    days: int = 35,
    minutes: int = 5,
) -> None:
    """Write `days` of history that end at `now`.

    `entities` gives, by entity id, device class, unit and what it was: a function of a random number generator, the
    time and the time left until `now`, in microseconds. Values of class `door` are 1 and 0.
    """
    (folder / "strata").mkdir(exist_ok=True)
    clock = [to_micros(now - timedelta(days=days))]
    end = to_micros(now)
    with SqliteStore(folder / "strata" / "strata.db", timezone="Europe/Berlin", now=lambda: clock[0]) as store:
        series = {
            entity_id: store.series(
                SeriesKey.of_entity(MEASUREMENT, entity_id),
                kind=Kind.ON_OFF if device_class == "door" else Kind.MEASUREMENT,
                unit=unit or None,
                labels={"entity_id": entity_id, "domain": entity_id.partition(".")[0], "device_class": device_class},
                fine=device_class != "door",
            )
            for entity_id, (device_class, unit, _) in entities.items()
        }
        dice = {entity_id: random.Random(entity_id) for entity_id in entities}
        times = range(clock[0], end, minutes * 60_000_000)
        rows = [
            Row(series[entity_id], time, value(dice[entity_id], time, end - time))
            for time in times
            for entity_id, (_, _, value) in entities.items()
        ]
        clock[0] = end
        store.write(rows, heartbeat=end)
        store.roll_up(end)


def steady(level: float, noise: float, *, fault: float | None = None, hours: float = 2) -> Callable[..., float]:
    """A level with noise, and perhaps another one in the last hours."""

    def value(dice: random.Random, _time: Micros, left: Micros) -> float:
        usual = level + dice.uniform(-noise, noise)
        return round(usual if fault is None or left > hours * 3_600_000_000 else fault, 1)

    return value
