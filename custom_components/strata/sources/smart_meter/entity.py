"""Anywhere: a meter made of power and energy entities the home already has."""

from typing import Final, override

from ...core.units import UnitError, convert
from ..answer import number
from ..base import Context, Options, Param, ParamKind, Provider, Reading, SourceBadAnswer, SourceNoData
from .meter import PAUSE, SENSORS, SHARED, Circuit, Measured, MeterReader, called, power_of
from .registers import Registers

_LISTS: Final = ("solar_entities", "battery_entities", "circuit_entities")


class Entity(Provider):
    """The power or the energy at the grid from one entity, and more about it from others.

    With an energy register alone, power follows from how it moves.
    """

    key = "entity"
    params = (
        Param(key="entity", kind=ParamKind.ENTITY, domains=SENSORS),
        Param(key="inverted", kind=ParamKind.BOOLEAN, required=False),
        Param(key="energy_entity", kind=ParamKind.ENTITY, required=False, domains=SENSORS),
        *(Param(key=key, kind=ParamKind.ENTITY, required=False, multiple=True, domains=SENSORS) for key in _LISTS),
        *SHARED,
    )
    local = True
    pause = PAUSE

    def __init__(self, options: Options) -> None:
        """Keep the parameters."""
        super().__init__(options)
        self._meter = MeterReader(options)
        self._registers = Registers()
        self._solar, self._battery, self._circuits = (self._listed(key) for key in _LISTS)

    def _listed(self, key: str) -> tuple[str, ...]:
        chosen = self.options.get(key)
        return tuple(str(one) for one in chosen) if isinstance(chosen, list | tuple) else ()

    @override
    def title(self) -> str:
        return str(self.options["entity"])

    @override
    def watched_entities(self) -> tuple[str, ...]:
        energy = str(self.options.get("energy_entity") or "")
        return tuple(filter(None, (self.title(), energy, *self._solar, *self._battery, *self._circuits)))

    @override
    async def fetch(self, context: Context) -> Reading:
        grid, energy = await self._grid(context), str(self.options.get("energy_entity") or "")
        if energy and not _is_energy(context, self.title()):
            await self._registers.follow(context, energy)
        else:
            energy = self.title()
        powers = [(name, power_of(context, name)) for name in self._circuits]
        measured = Measured(
            meter_type=f"{self.key}:{self.title()}",
            grid=-grid if grid is not None and self.options.get("inverted") else grid,
            solar=tuple(power_of(context, name) for name in self._solar),
            battery=tuple(power_of(context, name) for name in self._battery),
            circuits=[Circuit(name, watts, None, called(context, name)) for name, watts in powers if watts is not None],
            today=self._registers.today(energy),
        )
        return await self._meter.reading(context, measured)

    async def _grid(self, context: Context) -> float | None:
        state = context.access.state(self.title())
        if state is None or number(state.state) is None:
            raise SourceNoData(f"{self.title()} has no number")
        if not _is_energy(context, self.title()):
            try:
                return power_of(context, self.title())
            except SourceBadAnswer as error:
                raise SourceBadAnswer(f"{error}; an energy such as kWh would do too") from None
        await self._registers.follow(context, self.title())
        return self._registers.watts(self.title(), context.now())


def _is_energy(context: Context, entity_id: str) -> bool:
    state = context.access.state(entity_id)
    try:
        convert(1.0, (state.unit if state else None) or "", "kWh")
    except UnitError:
        return False
    return True
