"""Anywhere: prices from an entity the home already has."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, override

from ...core.model import Slot
from ..answer import number
from ..base import Context, EntityState, Param, ParamKind, Provider, Reading, SourceNoData
from .prices import PRICE, per_kwh, price_reading, price_zone
from .rows import priced_slots

LISTS: Final = (
    ("raw_today", "raw_tomorrow"),
    ("prices_today", "prices_tomorrow"),
    ("today_interval_prices", "tomorrow_interval_prices"),
    ("data",),
    ("prices",),
    ("forecast",),
    ("forecasts",),
    ("rates",),
)
"""Attributes that hold rows of prices: the first group with any is taken."""
DOMAINS: Final = ("sensor", "event", "input_number", "number")


class Entity(Provider):
    """Prices of any entity: its list of coming prices where an attribute has one, else its state.

    Known are the lists of EPEX Spot, Nord Pool (HACS), ENTSO-E, Frank Energie, GE-Spot, Zonneplan, Octopus
    Energy and Amber. The unit decides what is divided by what.
    """

    key = "entity"
    params = (
        Param(key="entity", kind=ParamKind.ENTITY, domains=DOMAINS),
        # Octopus Energy keeps tomorrow's rates in an event entity of their own.
        Param(key="tomorrow_entity", kind=ParamKind.ENTITY, required=False, domains=DOMAINS),
    )
    local = True

    @override
    def title(self) -> str:
        return str(self.options["entity"])

    @override
    def watched_entities(self) -> tuple[str, ...]:
        tomorrow = self.options.get("tomorrow_entity")
        return (self.title(), str(tomorrow)) if tomorrow else (self.title(),)

    @override
    async def fetch(self, context: Context) -> Reading:
        states = [state for name in self.watched_entities() if (state := context.access.state(name)) is not None]
        if not states or states[0].entity_id != self.title():
            raise SourceNoData(f"there is no entity {self.title()}")
        zone = price_zone(context.home)
        code, slots = "", dict[datetime, Slot]()
        for state in states:
            rows = _rows(state.attributes)
            if rows:
                code, found = priced_slots(rows, state.unit, _currency(state, context), zone)
                slots.update((slot.start, slot) for slot in found)
        if not slots:
            return self._of_state(context, states[0])
        ordered = tuple(sorted(slots.values(), key=lambda slot: slot.start))
        return price_reading(context, f"{self.key}:{self.title()}", f"{code}/kWh", ordered, None)

    def _of_state(self, context: Context, state: EntityState) -> Reading:
        price = number(state.state)
        if price is None:
            raise SourceNoData(f"{state.entity_id} has neither a price nor a list of prices")
        code, factor = per_kwh(state.unit or "", _currency(state, context))
        now = context.now()
        return Reading(
            fields={PRICE: price * factor},
            tags={"provider": f"{self.key}:{self.title()}", "currency": code},
            # A state holds until the next one, so it is for the present however long ago it came.
            observed_at=now,
            fetched_at=now,
            unit=f"{code}/kWh",
        )


def _rows(attributes: Mapping[str, object]) -> list[object]:
    for names in LISTS:
        rows = [row for name in names if isinstance(found := attributes.get(name), list | tuple) for row in found]
        if any(isinstance(row, Mapping) for row in rows):
            return rows
    return []


def _currency(state: EntityState, context: Context) -> str:
    named = state.attributes.get("currency")
    return named if isinstance(named, str) and len(named) == 3 else context.home.currency
