"""Anywhere: carbon intensity from an entity the home already has."""

from typing import override

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
from .intensity import FOSSIL, INTENSITY, NEXT_DAY, NEXT_HOUR, PERCENT, RENEWABLE, UNIT

SHARES = {"renewable_entity": RENEWABLE, "fossil_entity": FOSSIL}
"""Optional parameters and the fields they fill."""


class Entity(Provider):
    """Intensity from any sensor with a unit of intensity, shares from two more where there are any.

    Nothing is concluded from one share about the other: nuclear power is neither.
    """

    key = "entity"
    params = (
        Param(key="entity", kind=ParamKind.ENTITY, domains=("sensor", "input_number", "number")),
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
    def lacks(self) -> frozenset[str]:
        missing = {field for key, field in SHARES.items() if not self.options.get(key)}
        return frozenset({NEXT_HOUR, NEXT_DAY} | missing)

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
        return Reading(
            fields={INTENSITY: _converted(state, value), **shares},
            tags={"region": self.title(), "grid_operator": "home_assistant"},
            # A state holds until the next one, so it is for the present however long ago it came.
            observed_at=now,
            fetched_at=now,
            unit=UNIT,
        )


def _converted(state: EntityState, value: float) -> float:
    try:
        return convert(value, state.unit or "", UNIT)
    except UnitError as error:
        raise SourceBadAnswer(f"{state.entity_id} is not in a unit of carbon intensity: {error}") from None


def _percentage(state: EntityState | None) -> float | None:
    """Return the state where it is a percentage; a share that is not there does not spoil the intensity."""
    return number(state.state) if state is not None and state.unit == PERCENT else None
