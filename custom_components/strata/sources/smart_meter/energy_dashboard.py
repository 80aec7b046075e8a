"""Anywhere: what the user told the Energy dashboard, found without asking."""

from collections.abc import Iterator
from typing import override

from ..answer import mapping, sequence
from ..base import Context, Json, Options, Provider, Reading, SourceNoData
from .meter import PAUSE, SHARED, Circuit, Measured, MeterReader, called, power_of, together
from .registers import Registers


class EnergyDashboard(Provider):
    """Grid, solar, batteries and devices of the Energy dashboard's settings.

    Where there is a power sensor it is read, elsewhere power follows from energy. Statistics that are no entities,
    as utilities' imports are, have no present and are left out.
    """

    key = "energy_dashboard"
    params = SHARED
    local = True
    pause = PAUSE

    def __init__(self, options: Options) -> None:
        """Keep the parameters; what to read is found with each fetch."""
        super().__init__(options)
        self._meter = MeterReader(options)
        self._registers = Registers()
        self._read: dict[str, None] = {}
        self._left_out: list[Json] = []

    @override
    def watched_entities(self) -> tuple[str, ...]:
        return tuple(self._read)

    @override
    async def fetch(self, context: Context) -> Reading:
        preferences = await context.access.energy_preferences()
        sources = list(_objects(preferences.get("energy_sources"), "the energy sources"))
        grids, solar, batteries = (_of_type(sources, kind) for kind in ("grid", "solar", "battery"))
        if not grids:
            raise SourceNoData("the Energy dashboard has no connection to the grid")
        self._read, self._left_out = {}, []
        devices = list(_objects(preferences.get("device_consumption"), "the devices"))
        measured = Measured(
            meter_type=self.key,
            grid=together([await self._flow(context, one) for one in grids]),
            solar=tuple([await self._flow(context, one) for one in solar]),
            battery=tuple([await self._flow(context, one) for one in batteries]),
            circuits=[one for device in devices if (one := await self._circuit(context, device)) is not None],
            today=await self._today(context, grids),
            notes={"left_out": self._left_out} if self._left_out else {},
        )
        return await self._meter.reading(context, measured)

    async def _flow(self, context: Context, source: dict[str, Json]) -> float | None:
        """Return the power a source gives: positive from the grid, from the roof and out of a battery."""
        if rate := self._entity(source.get("stat_rate")):
            return power_of(context, rate)
        out = await self._from_energy(context, source.get("stat_energy_from"))
        back = source.get("stat_energy_to")
        if not back:
            return out
        into = await self._from_energy(context, back)
        # Export only, or one of the two not read yet: half of it is no answer.
        given = 0.0 if source.get("stat_energy_from") is None else out
        return None if given is None or into is None else given - into

    async def _from_energy(self, context: Context, statistic: Json) -> float | None:
        entity = self._entity(statistic)
        if entity is None or not await self._registers.follow(context, entity):
            return None
        return self._registers.watts(entity, context.now())

    async def _today(self, context: Context, grids: list[dict[str, Json]]) -> float | None:
        entities = [entity for grid in grids if (entity := self._entity(grid.get("stat_energy_from")))]
        followed = [entity for entity in entities if await self._registers.follow(context, entity)]
        return together([self._registers.today(entity) for entity in followed])

    async def _circuit(self, context: Context, device: dict[str, Json]) -> Circuit | None:
        """Return a device with its power; it is known by its statistic, which others may say they are inside of."""
        statistic = str(device.get("stat_consumption") or "")
        rate = self._entity(device.get("stat_rate"))
        watts = power_of(context, rate) if rate else await self._from_energy(context, statistic)
        if watts is None:
            return None
        outer = device.get("included_in_stat")
        return Circuit(
            statistic, watts, str(outer) if outer else None, str(device.get("name") or called(context, statistic))
        )

    def _entity(self, statistic: Json) -> str | None:
        """Return a statistic that is an entity, and remember it to be watched; None and a note for any other."""
        if not isinstance(statistic, str) or not statistic:
            return None
        if ":" in statistic or "." not in statistic:
            if statistic not in self._left_out:
                self._left_out.append(statistic)
            return None
        self._read[statistic] = None
        return statistic


def _objects(value: Json, what: str) -> Iterator[dict[str, Json]]:
    for one in sequence(value or [], what):
        yield mapping(one, f"one of {what}")


def _of_type(sources: list[dict[str, Json]], kind: str) -> list[dict[str, Json]]:
    return [source for source in sources if source.get("type") == kind]
