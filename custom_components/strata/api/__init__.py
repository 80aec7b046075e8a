"""What is answered over REST and WebSocket, by topic. A new topic is one line here."""

from homeassistant.components import websocket_api
from homeassistant.core import HomeAssistant, callback

from ..http import StrataView
from ..websocket import Command
from . import external, forecast, history, insights, retention, views, windows

TOPICS = (external, forecast, history, insights, retention, views, windows)
VIEWS: tuple[type[StrataView], ...] = tuple(view for topic in TOPICS for view in topic.VIEWS)
COMMANDS: tuple[Command, ...] = tuple(command for topic in TOPICS for command in topic.COMMANDS)


@callback
def async_register_api(hass: HomeAssistant) -> None:
    """Register every view and command; they are there whether or not the hub is set up."""
    for view in VIEWS:
        hass.http.register_view(view())
    for command in COMMANDS:
        websocket_api.async_register_command(hass, command)
