"""The solar forecast of the Energy dashboard: what the integrations that the user chose there foresee."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration
from homeassistant.util import dt as dt_util

from .const import LOGGER
from .core.forecast import infer_slots
from .core.model import Forecast, Slot
from .home import HomeAssistantAccess

UNIT = "W"
HOUR = timedelta(hours=1)
NAMES_ENDS = frozenset({"forecast_solar"})
"""Integrations that name the end of a period; the others name its beginning."""


async def async_solar_forecast(hass: HomeAssistant) -> Forecast | None:
    """Return the production that is foreseen in W, summed over all roofs; None when none is or nobody was asked."""
    sources = (await HomeAssistantAccess(hass).energy_preferences()).get("energy_sources")
    wanted: list[str] = []
    for source in sources if isinstance(sources, list) else ():
        if isinstance(source, Mapping) and source.get("type") == "solar":
            chosen = source.get("config_entry_solar_forecast")
            wanted.extend(str(entry_id) for entry_id in (chosen if isinstance(chosen, list) else ()))
    roofs = [slots for entry_id in wanted if (slots := await _of_entry(hass, entry_id))]
    return Forecast(UNIT, dt_util.utcnow(), summed(roofs)) if roofs else None


async def _of_entry(hass: HomeAssistant, entry_id: str) -> tuple[Slot, ...]:
    if (entry := hass.config_entries.async_get_entry(entry_id)) is None:
        return ()
    try:
        platform: Any = await (await async_get_integration(hass, entry.domain)).async_get_platform("energy")
        answer = await platform.async_get_solar_forecast(hass, entry_id)
        return slots_of(answer["wh_hours"], names_ends=entry.domain in NAMES_ENDS) if answer else ()
    except Exception as error:  # noqa: BLE001 - whatever another integration raises, windows are planned without its sun
        LOGGER.debug("%s gives no solar forecast: %r", entry.title, error)
        return ()


def slots_of(wh_hours: Mapping[str, float], *, names_ends: bool) -> tuple[Slot, ...]:
    """Return mean powers in W from energies in Wh by the time of their period.

    Raises:
        ValueError: a time is none, or has no time zone, or nothing says how long a period is.
    """
    known = sorted((datetime.fromisoformat(moment), float(energy)) for moment, energy in wh_hours.items())
    if not names_ends:
        return tuple(
            Slot(slot.start, slot.end, slot.value * (HOUR / (slot.end - slot.start))) for slot in infer_slots(known)
        )
    # Days begin and end with the sun, at any minute: a period is what lies between two times of one day.
    return tuple(
        Slot(start, end, energy * (HOUR / (end - start)))
        for (start, _), (end, energy) in pairwise(known)
        if timedelta() < end - start <= HOUR
    )


def summed(roofs: Iterable[tuple[Slot, ...]]) -> tuple[Slot, ...]:
    """Return the sum of several forecasts, on the grid of all their borders; where one is silent it adds nothing."""
    slots = [slot for roof in roofs for slot in roof]
    borders = sorted({border for slot in slots for border in (slot.start, slot.end)})
    totals = [
        (start, end, [slot.value for slot in slots if slot.start <= start < slot.end])
        for start, end in pairwise(borders)
    ]
    return tuple(Slot(start, end, sum(values)) for start, end, values in totals if values)
