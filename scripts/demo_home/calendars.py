"""The calendar of the demo's Anna: its entity, and the action that answers its events."""

from datetime import datetime, time, timedelta, tzinfo

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType

CALENDAR = "calendar.anna"


def add_calendar(hass: HomeAssistant) -> None:
    """Answer `calendar.get_events` as Home Assistant does: at home from 7 to 22, tomorrow a day in the office."""

    async def get_events(call: ServiceCall) -> ServiceResponse:
        today = dt_util.now().date()

        def event(day: int, begin: int, end: int, **said: str) -> JsonValueType:
            times = (datetime.combine(today + timedelta(days=day), time(hour), _zone()) for hour in (begin, end))
            return {**dict(zip(("start", "end"), (moment.isoformat() for moment in times), strict=True)), **said}

        events: list[JsonValueType] = [
            event(0, 7, 22, summary="WFH"),
            event(1, 9, 17, summary="Workshop", location="Alexanderplatz 1"),
        ]
        return {CALENDAR: {"events": events}}

    hass.services.async_register("calendar", "get_events", get_events, None, SupportsResponse.ONLY)
    hass.states.async_set(CALENDAR, "on", {"friendly_name": "Anna"})


def _zone() -> tzinfo:
    return dt_util.get_default_time_zone()
