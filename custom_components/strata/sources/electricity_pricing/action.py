"""Anywhere: prices from the action of an integration the home already has."""

from dataclasses import replace
from datetime import datetime, time, timedelta
import random
from typing import ClassVar, Final, override

from ...core.forecast import day_around
from ..answer import mapping, sequence
from ..base import Context, Json, Param, ParamKind, Provider, Reading, SourceBadAnswer, SourceNoData
from .actions import ACTIONS, Ask
from .prices import after_publication, per_kwh, price_reading, price_zone
from .rows import priced_slots

ROLLING_PAUSE: Final = timedelta(minutes=15)


class Action(Provider):
    """Prices that an integration gives only as the answer of an action.

    The user points at the integration's price entity: it tells the integration, its config entry and the
    currency. `area` chooses where an answer is for several areas, countries or homes.
    """

    key = "action"
    params = (
        Param(key="entity", kind=ParamKind.ENTITY, domains=("sensor",)),
        Param(key="area", kind=ParamKind.TEXT, required=False),
    )
    local = True
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return " ".join(filter(None, (str(self.options["entity"]), self._area)))

    @property
    def _area(self) -> str:
        return str(self.options.get("area") or "").strip()

    @override
    async def fetch(self, context: Context) -> Reading:
        entity_id = str(self.options["entity"])
        origin, state = context.access.origin(entity_id), context.access.state(entity_id)
        if origin is None or state is None:
            raise SourceNoData(f"there is no entity {entity_id} of an integration")
        if (action := ACTIONS.get(origin.platform)) is None:
            known = ", ".join(ACTIONS)
            raise SourceBadAnswer(f"{origin.platform} has no action that answers prices; these have: {known}")
        currency = per_kwh(state.unit, context.home.currency)[0] if state.unit else context.home.currency
        zone = action.zone or price_zone(context.home)
        rows: list[Json] = []
        for days in range(action.days):
            noon = datetime.combine(context.now().astimezone(zone).date() + timedelta(days=days), time(12), zone)
            start, _ = day_around(noon, zone)
            ask = Ask(entry=origin.config_entry or "", day=noon.date(), start=start, currency=currency)
            try:
                answer = await context.access.action(origin.platform, action.name, action.parameters(ask))
                rows += _rows(answer, self._area)
            except SourceNoData:
                # Tomorrow may not be published yet; without today there is nothing to say.
                if days == 0:
                    raise
        unit = action.unit.replace("CUR", currency)
        code, slots = priced_slots(rows, unit, currency, zone)
        provider = f"{self.key}:{self.title()}"
        reading = price_reading(context, provider, f"{code}/kWh", slots, None, zone=action.zone)
        return replace(reading, notes={"action": f"{origin.platform}.{action.name}"})

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        platform = str(reading.notes.get("action")).partition(".")[0] if reading else ""
        if platform in ACTIONS and ACTIONS[platform].rolling:
            return now + ROLLING_PAUSE
        return after_publication(now, reading, self.jitter)


def _rows(answer: Json, area: str) -> list[Json]:
    """Return the rows of an answer: a list, or lists by the name of an area, country or home."""
    whole = mapping(answer, "the answer")
    found = whole.get("prices", whole.get("forecasts", answer))
    if isinstance(found, list):
        return found
    lists = mapping(found, "the prices")
    chosen = [rows for name, rows in lists.items() if not area or name.casefold() == area.casefold()]
    if len(chosen) != 1:
        raise SourceBadAnswer(f"the answer is for {', '.join(lists) or 'no area'}: name one of them as the area")
    return sequence(chosen[0], "the prices")
