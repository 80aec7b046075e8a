"""The simulated home as an integration of a running Home Assistant: it lives on, in real time."""

import asyncio
from datetime import datetime, timedelta
import time
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.core import HomeAssistant

from .floor_plan import ENTITIES
from .home import GAPS, SECOND, Change, Micros
from .simulated_home import TIMEZONE, life, micros

BASE_URLS = "strata.base_urls"
"""Strata's key for the services the demo plays."""


async def async_setup(hass: HomeAssistant, config: dict[str, Any]) -> bool:
    """Let Strata ask the played services, and the home live."""
    settings = config["simulated_home"]
    hass.data[BASE_URLS] = settings["base_urls"]
    if settings["alive"]:
        today = await hass.async_add_executor_job(_today)
        now = _now()
        for change in {change.entity_id: change for change in today if change.time <= now}.values():
            _say(hass, change)
        hass.async_create_background_task(_live(hass, [change for change in today if change.time > now]), "live")
    return True


async def _live(hass: HomeAssistant, changes: list[Change]) -> None:
    while True:
        for change in changes:
            await asyncio.sleep(max(0, change.time - _now()) / SECOND)
            _say(hass, change)
        changes = await hass.async_add_executor_job(_today)
        changes = [change for change in changes if change.time > _now()]


def _say(hass: HomeAssistant, change: Change) -> None:
    attributes = _ATTRIBUTES[change.entity_id]
    if change.state not in GAPS and change.attributes:
        attributes = {**attributes, **change.attributes}
    hass.states.async_set(change.entity_id, change.state, attributes)


def _today() -> list[Change]:
    """Return what happens between the last local midnight and the one after the next."""
    date = datetime.now(ZoneInfo(TIMEZONE)).date()
    begin, end = (
        micros(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(TIMEZONE)))
        for day in (date, date + timedelta(days=2))
    )
    return life(begin, end, seed=date.toordinal(), faults=False)


def _now() -> Micros:
    return time.time_ns() // 1000


_ATTRIBUTES = {plan.entity.entity_id: plan.entity.attributes for plan in ENTITIES}
