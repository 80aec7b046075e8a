"""Anywhere: a Sense monitor through the entities of Home Assistant's Sense integration."""

from typing import Final, override

from ..answer import number
from ..base import Context, Options, Provider, Reading, SourceNoData
from .meter import PAUSE, SHARED, Circuit, Measured, MeterReader, called, power_of
from .registers import in_unit

PLATFORM: Final = "sense"
USED, PRODUCED = "active-usage", "active-production"
"""How the unique ids of the house's power sensors end; those of devices end with `-usage` too."""
DEVICE: Final = "-usage"
TODAY, PRODUCED_TODAY, FROM_GRID_TODAY = "daily-usage", "daily-production", "daily-from_grid"


class Sense(Provider):
    """Power of the house, of its solar system and of the devices Sense has found, by the entities' unique ids.

    What comes from the grid is what the house uses less what the roof gives.
    """

    key = "sense"
    params = SHARED
    local = True
    pause = PAUSE

    def __init__(self, options: Options) -> None:
        """Keep the parameters; the entities are found with each fetch."""
        super().__init__(options)
        self._meter = MeterReader(options)
        self._watched: tuple[str, ...] = ()

    @override
    def watched_entities(self) -> tuple[str, ...]:
        return self._watched

    @override
    async def fetch(self, context: Context) -> Reading:
        found = _by_unique_id(context)
        monitors = sorted(key.removesuffix(f"-{USED}") for key in found if key.endswith(f"-{USED}"))
        if not monitors:
            raise SourceNoData("the Sense integration has no sensor of the house's power")
        # One source is one house; a second monitor has a source of its own, made of entities.
        monitor = monitors[0]
        used = power_of(context, found[f"{monitor}-{USED}"])
        solar = power_of(context, found.get(f"{monitor}-{PRODUCED}"))
        devices = {
            key: name
            for key, name in found.items()
            if key.startswith(f"{monitor}-") and key.endswith(DEVICE) and not key.startswith(_of_the_house(monitor))
        }
        self._watched = tuple(filter(None, (found.get(f"{monitor}-{key}") for key in (USED, PRODUCED))))
        circuits = [
            Circuit(name, watts, None, called(context, name).removesuffix(" Power"))
            for name in devices.values()
            if (watts := power_of(context, name)) is not None
        ]
        measured = Measured(
            meter_type=self.key,
            grid=None if used is None else used - (solar or 0.0),
            solar=() if solar is None else (solar,),
            circuits=circuits,
            today=_today(context, found, monitor),
        )
        return await self._meter.reading(context, measured)


def _by_unique_id(context: Context) -> dict[str, str]:
    found = {}
    for entity_id in context.access.entities(PLATFORM):
        origin = context.access.origin(entity_id)
        if origin is not None and origin.unique_id:
            found[origin.unique_id] = entity_id
    return found


def _of_the_house(monitor: str) -> tuple[str, ...]:
    return tuple(f"{monitor}-{scale}-" for scale in ("active", "daily", "weekly", "monthly", "yearly", "bill"))


def _today(context: Context, found: dict[str, str], monitor: str) -> float | None:
    """Return what came from the grid today: where nothing is produced, all that was used."""
    values = {}
    for key in (TODAY, PRODUCED_TODAY, FROM_GRID_TODAY):
        state = context.access.state(found.get(f"{monitor}-{key}", ""))
        value = number(state.state) if state is not None else None
        values[key] = None if state is None or value is None else in_unit(state, value, "kWh")
    return values[FROM_GRID_TODAY] if values[PRODUCED_TODAY] else values[TODAY]
