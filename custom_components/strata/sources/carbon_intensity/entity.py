"""Anywhere: carbon intensity from an entity the home already has."""

from collections.abc import Mapping
from typing import Final, override

from ...core.units import UnitError, convert
from ..answer import number
from ..base import (
    Context,
    EntityState,
    Param,
    ParamKind,
    Provider,
    Reading,
    SourceBadAnswer,
    SourceNoData,
)
from .intensity import (
    FORESEEN,
    FOSSIL,
    INTENSITY,
    MARGINAL,
    MARGINAL_ONLY,
    MARGINAL_UNIT,
    PERCENT,
    PERCENTILE,
    RENEWABLE,
    UNIT,
)

SHARES = {"renewable_entity": RENEWABLE, "fossil_entity": FOSSIL}
"""Optional parameters and the fields they fill."""


AVERAGE: Final = "average"
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    AVERAGE: (INTENSITY, UNIT),
    "marginal": (MARGINAL, MARGINAL_UNIT),
    "percentile": (PERCENTILE, PERCENT),
}
"""What an entity may tell, with field and unit. Electricity Maps tells the mean, WattTime a percentile."""


ALL_KINDS: Final = MARGINAL_ONLY | {INTENSITY}


class Entity(Provider):
    """Intensity from any sensor with a unit of intensity, shares from two more where there are any.

    Nothing is concluded from one share about the other: nuclear power is neither.
    """

    key = "entity"
    params = (
        Param(key="entity", kind=ParamKind.ENTITY, domains=("sensor", "input_number", "number")),
        Param(key="intensity_kind", kind=ParamKind.SELECT, required=False, translated=True, choices=(*KINDS,)),
        *(
            Param(key=key, kind=ParamKind.ENTITY, required=False, domains=("sensor", "input_number", "number"))
            for key in SHARES
        ),
    )
    local = True

    @override
    def title(self) -> str:
        return str(self.options["entity"])

    @override
    def main(self) -> str:
        return KINDS[str(self.options.get("intensity_kind") or AVERAGE)][0]

    @override
    def lacks(self) -> frozenset[str]:
        missing = {field for key, field in SHARES.items() if not self.options.get(key)}
        return FORESEEN | ALL_KINDS - {self.main()} | missing

    @override
    def watched_entities(self) -> tuple[str, ...]:
        return (self.title(), *(str(self.options[key]) for key in SHARES if self.options.get(key)))

    @override
    async def fetch(self, context: Context) -> Reading:
        state = context.access.state(self.title())
        value = None if state is None else number(state.state)
        if state is None or value is None:
            raise SourceNoData(f"{self.title()} has no number")
        now = context.now()
        shares = {
            field: _percentage(context.access.state(str(self.options[key])))
            for key, field in SHARES.items()
            if self.options.get(key)
        }
        main, unit = KINDS[str(self.options.get("intensity_kind") or AVERAGE)]
        return Reading(
            fields={main: _converted(state, value, unit), **shares},
            tags={"region": self.title(), "grid_operator": "home_assistant"},
            # A state holds until the next one, so it is for the present however long ago it came.
            observed_at=now,
            fetched_at=now,
            unit=unit,
        )


def _converted(state: EntityState, value: float, unit: str) -> float:
    try:
        return convert(value, state.unit or "", unit)
    except UnitError as error:
        hint = ": is it a percentile?" if state.unit == PERCENT else ""
        raise SourceBadAnswer(f"{state.entity_id} is not in a unit of carbon intensity ({error}){hint}") from None


def _percentage(state: EntityState | None) -> float | None:
    """Return the state where it is a percentage; a share that is not there does not spoil the intensity."""
    return number(state.state) if state is not None and state.unit == PERCENT else None
