"""What is answered over REST and WebSocket, by topic. A new view or command is one line here."""

from homeassistant.components import websocket_api
from homeassistant.core import HomeAssistant, callback

from ..http import StrataView
from ..websocket import Command
from . import external, history, insights, views

VIEWS: tuple[type[StrataView], ...] = (*external.VIEWS, *history.VIEWS, *insights.VIEWS, *views.VIEWS)
COMMANDS: tuple[Command, ...] = (*external.COMMANDS, *history.COMMANDS, *insights.COMMANDS, *views.COMMANDS)


@callback
def async_register_api(hass: HomeAssistant) -> None:
    """Register every view and command; they are there whether or not the hub is set up."""
    for view in VIEWS:
        hass.http.register_view(view())
    for command in COMMANDS:
        websocket_api.async_register_command(hass, command)
