"""`windows`: the planned windows, when they run and why then."""

from typing import Any, override

from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.core import HomeAssistant
from homeassistant.util.json import JsonObjectType
import probatio

from ..http import BASE_PATH, ApiCall, StrataView
from ..runtime import StrataConfigEntry
from ..websocket import CONF_SUBSCRIBE, followed
from ..window_coordinator import WindowCoordinator
from ..window_set import WINDOWS_CHANGED


def answer_windows(entry: StrataConfigEntry) -> JsonObjectType:
    """Return every planned window, by rank and title."""
    windows = entry.runtime_data.window_set.running.values()
    ordered = sorted(windows, key=lambda window: (window.appointment.rank, window.title))
    return {"windows": [_of_window(window) for window in ordered]}


def _of_window(window: WindowCoordinator) -> JsonObjectType:
    booking, part = window.data, window.part
    return {
        **window.answer,
        "window": window.subentry_id,
        "title": window.title,
        "rank": window.appointment.rank,
        "on": window.is_on,
        "start": part[0].isoformat() if part else None,
        "end": part[1].isoformat() if part else None,
        "parts": [
            {"start": start.isoformat(), "end": end.isoformat()} for start, end in (booking.parts if booking else ())
        ],
        "foreseen": bool(window.answer),
        "overlaps": booking.overlaps if booking else False,
    }


class WindowsView(StrataView):
    """Every planned window."""

    url = f"{BASE_PATH}/windows"
    name = "api:strata:windows"

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return answer_windows(call.entry)


@websocket_command({probatio.Required("type"): "strata/windows", probatio.Optional(CONF_SUBSCRIBE): bool})
@followed(WINDOWS_CHANGED)
async def windows(_hass: HomeAssistant, entry: StrataConfigEntry, _msg: dict[str, Any]) -> JsonObjectType:
    """Say when every planned window runs."""
    return answer_windows(entry)


VIEWS = (WindowsView,)
COMMANDS = (windows,)
