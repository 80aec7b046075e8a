"""Standby of a meter: night by night from what our store holds of it, with its cost and its trend."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ...analysis.baseload import Night, Standby, night_floors, sleeping_hours, trend
from ...core.model import FieldValue
from ...core.stretch import Past
from ...core.units import UnitError, convert
from ..answer import number
from ..base import Context, Json, Options, Param, ParamKind, Part
from .prices import MeanPrice, mean_price

STANDBY, COST, TREND, RISEN = "standby_power_w", "standby_cost_year", "standby_trend_w", "standby_risen"
NIGHTS: Final = "standby_load"
HOUSE: Final = "house_power_w"
ALWAYS_ON: Final = Param(key="always_on", kind=ParamKind.ENTITY, required=False, multiple=True, domains=("sensor",))
KEPT_NIGHTS: Final = 70
LOOKED_BACK: Final = timedelta(days=35)
"""As long as the 5-minute summaries are kept by default."""
PRICED_EVERY: Final = timedelta(hours=6)
SETTLED: Final = timedelta(minutes=75)
"""After so long the summaries of the last hour of sleep are surely there."""
_NIGHTS, _LOOKED = "nights", "nights_until"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the standby: fields of a reading, its parts, and what else there is to say."""

    fields: Mapping[str, FieldValue | None]
    parts: tuple[Part, ...] = ()
    notes: Mapping[str, Json] = field(default_factory=dict)


class StandbyWatch:
    """Adds each night once it is over, and says what the nights say together."""

    def __init__(self, options: Options) -> None:
        """Take the loads that are known to be always on."""
        known = options.get(ALWAYS_ON.key)
        self._price: MeanPrice | None = None
        self._priced: datetime | None = None
        self._loads = tuple(str(one) for one in known) if isinstance(known, list | tuple) else ()

    async def look(self, context: Context, tags: Mapping[str, str]) -> Standing:
        """Return what is known, with the nights that are new."""
        added = await self._add_nights(context, tags)
        nights = _kept(context)
        standby, course = Standby.of(nights), trend(nights)
        fields: dict[str, FieldValue | None] = {
            STANDBY: float(standby) if standby is not None else None,
            TREND: course.watts if course else None,
            RISEN: course.risen if course else None,
            COST: None,
        }
        notes: dict[str, Json] = {"standby_nights": len(nights)}
        if standby is not None and (price := await self._mean_price(context)) is not None:
            fields[COST] = standby.yearly_cost(price.value)
            notes |= {"standby_price": price.value, "standby_currency": price.currency}
        # The newest holds; those before it are told once, for the store.
        told = added or nights[-1:]
        parts = (Part(measurement=NIGHTS, tags=tags, fields={"power_w": one.watts}, at=one.end) for one in told)
        return Standing(fields, tuple(parts), notes)

    async def _mean_price(self, context: Context) -> MeanPrice | None:
        """Return the mean price, worked out again every six hours."""
        now = context.now()
        if self._priced is None or not timedelta() <= now - self._priced < PRICED_EVERY:
            self._price, self._priced = await mean_price(context), now
        return self._price

    async def _add_nights(self, context: Context, tags: Mapping[str, str]) -> tuple[Night, ...]:
        """Look for nights that are over and were not looked for yet."""
        memory, zone = context.memory, context.home.timezone
        last = _last_night(context.now(), zone)
        if memory.get(_LOOKED) == last.isoformat():
            return ()
        looked = memory.get(_LOOKED)
        start = context.now() - LOOKED_BACK
        if isinstance(looked, str):
            start = max(start, sleeping_hours(date.fromisoformat(looked), zone)[1])
        found = await self._nights(context, tags, start, sleeping_hours(last, zone)[1])
        kept: dict[str, Json] = {night.day.isoformat(): night.watts for night in [*_kept(context), *found]}
        memory[_NIGHTS] = dict(sorted(kept.items())[-KEPT_NIGHTS:])
        memory[_LOOKED] = last.isoformat()
        return found

    async def _nights(
        self, context: Context, tags: Mapping[str, str], start: datetime, end: datetime
    ) -> tuple[Night, ...]:
        access = context.access
        house = await access.stored("smart_meter", HOUSE, start, end, tier="five_minute", tags=tags)
        if not house.stretches:
            return ()
        loads = [await access.history(entity, start, end, tier="five_minute") for entity in self._loads]
        columns, known = _columns(house), [_columns(load) for load in loads]

        def work() -> tuple[Night, ...]:
            return night_floors(*columns, timezone=context.home.timezone, loads=known)

        return await asyncio.to_thread(work)


def _last_night(now: datetime, timezone: str) -> date:
    """Return the day of the newest night whose summaries are there."""
    today = now.astimezone(ZoneInfo(timezone)).date()
    return today if sleeping_hours(today, timezone)[1] + SETTLED <= now else today - timedelta(days=1)


def _kept(context: Context) -> list[Night]:
    kept = context.memory.get(_NIGHTS)
    nights = []
    for day, watts in sorted(kept.items()) if isinstance(kept, dict) else ():
        if (power := number(watts)) is not None:
            day_ = date.fromisoformat(day)
            nights.append(Night(day_, power, *sleeping_hours(day_, context.home.timezone)))
    return nights


def _columns(past: Past) -> tuple[list[datetime], list[float]]:
    """Return times and power in W, unknown after each stretch unless the next one goes on."""
    try:
        factor = convert(1.0, past.unit or "W", "W")
    except UnitError:
        return [], []
    rows: list[tuple[datetime, float]] = []
    for stretch in past.stretches:
        enough = stretch.mean is not None and stretch.known >= 0.8 * (stretch.end - stretch.start).total_seconds()
        rows.append((stretch.start, (stretch.mean or 0.0) * factor if enough else float("nan")))
        rows.append((stretch.end, float("nan")))
    return [moment for moment, _ in rows], [watts for _, watts in rows]
