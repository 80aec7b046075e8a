"""Anywhere: air quality from entities the home already has, told apart by their device class."""

from collections.abc import Mapping
from typing import Final, override

from ...core.aqi import CO, NO2, O3, PM2_5, PM10, SO2
from ..answer import number
from ..base import Context, EntityState, Param, ParamKind, Provider, Reading, SourceBadAnswer, SourceNoData
from .air import AQI, OVERALL, UV, Air, air_reading, in_micrograms, remembered

POLLUTANT_OF: Final[Mapping[str, str]] = {
    "pm25": PM2_5,
    "pm10": PM10,
    "ozone": O3,
    "nitrogen_dioxide": NO2,
    "sulphur_dioxide": SO2,
    "carbon_monoxide": CO,
}
"""By Home Assistant's device class."""
DOMAINS: Final = ("sensor", "input_number", "number")


class Entity(Provider):
    """Concentrations, an index and a UV index from any entities; those of one source are for one place.

    What has the device class `aqi` is taken as a US index, and only where no concentration is known. An hour's
    values are kept together, so that after three quarters of their hours the means of the EPA are known.
    """

    key = "entity"
    params = (
        Param(key="entity", kind=ParamKind.ENTITY, domains=DOMAINS),
        Param(key="more_entities", kind=ParamKind.ENTITY, required=False, multiple=True, domains=DOMAINS),
    )
    local = True

    @override
    def title(self) -> str:
        return str(self.options["entity"])

    @override
    def watched_entities(self) -> tuple[str, ...]:
        more = self.options.get("more_entities")
        others = [str(entity) for entity in more] if isinstance(more, list | tuple) else []
        return tuple(dict.fromkeys((self.title(), *others)))

    @override
    async def fetch(self, context: Context) -> Reading:
        states = [state for entity in self.watched_entities() if (state := context.access.state(entity)) is not None]
        known = dict(_value(state) for state in states if number(state.state) is not None)
        if not known:
            raise SourceNoData(f"{self.title()} has no number")
        now = context.now()
        concentrations = {name: known.get(name) for name in POLLUTANT_OF.values() if name in known}
        air = Air(
            location=self.title(),
            # States hold until the next ones, so they are for the present however long ago they came.
            observed_at=now,
            hours=remembered(context, now, concentrations, mean=True),
            hourly=False,
            given={OVERALL: known.get(AQI)},
            uv=known.get(UV),
        )
        return air_reading(context, air, None)


def _value(state: EntityState) -> tuple[str, float]:
    """Return what a state is of, and its value in the role's unit.

    Raises:
        SourceBadAnswer: it is nothing of air quality.
    """
    value, unit = float(state.state), state.unit or ""
    device_class = str(state.attributes.get("device_class"))
    if device_class == "aqi" or unit.casefold() == "aqi":
        return AQI, value
    if unit.casefold() == "uv index":
        return UV, value
    pollutant = POLLUTANT_OF.get(device_class)
    if pollutant is None:
        raise SourceBadAnswer(f"{state.entity_id} has no device class of air quality; its unit is {unit!r}")
    return pollutant, in_micrograms(pollutant, value, unit, state.entity_id)
