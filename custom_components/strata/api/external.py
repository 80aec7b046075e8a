"""`external`: what the sources say now, all of them or those of one role."""

from typing import Any, override

from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.core import HomeAssistant
from homeassistant.util.json import JsonObjectType
import probatio

from ..const import CONF_ROLE
from ..http import BASE_PATH, ApiCall, StrataView
from ..runtime import StrataConfigEntry
from ..source_set import SOURCES_CHANGED
from ..websocket import CONF_SUBSCRIBE, followed
from .current import answer_for_all, answer_for_role


class ExternalView(StrataView):
    """Every source."""

    url = f"{BASE_PATH}/external"
    name = "api:strata:external"

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return answer_for_all(call.entry.runtime_data)


class ExternalRoleView(StrataView):
    """One role; its key is written with dashes, as in `carbon-intensity`."""

    url = f"{BASE_PATH}/external/{{role}}"
    name = "api:strata:external:role"

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return answer_for_role(call.entry.runtime_data, call.parts["role"].replace("-", "_"))


@websocket_command(
    {
        probatio.Required("type"): "strata/external",
        probatio.Optional(CONF_ROLE): str,
        probatio.Optional(CONF_SUBSCRIBE): bool,
    }
)
@followed(SOURCES_CHANGED)
async def external(_hass: HomeAssistant, entry: StrataConfigEntry, msg: dict[str, Any]) -> JsonObjectType:
    """Say what every source, or one role, says now."""
    data = entry.runtime_data
    return answer_for_role(data, msg[CONF_ROLE]) if CONF_ROLE in msg else answer_for_all(data)


VIEWS = (ExternalView, ExternalRoleView)
COMMANDS = (external,)
