"""The WebSocket API: what all commands have in common. Which there are is in `api`."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.const import ERR_HOME_ASSISTANT_ERROR
from homeassistant.components.websocket_api.decorators import async_response
from homeassistant.components.websocket_api.messages import event_message
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util.json import JsonObjectType
from homeassistant.util.signal_type import SignalType

from .refusal import hub_of
from .runtime import StrataConfigEntry
from .store.base import StoreError

type Answer = Callable[[HomeAssistant, StrataConfigEntry, dict[str, Any]], Awaitable[JsonObjectType]]
"""Returns what a command asks for; raises HomeAssistantError or StoreError."""
type Command = Callable[[HomeAssistant, ActiveConnection, dict[str, Any]], None]

CONF_SUBSCRIBE = "subscribe"
"""A command with this field set to true is answered again whenever the answer may have changed."""
STORE_FAILED = "store_failed"


async def _send_answer(
    hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any], answer: Answer
) -> JsonObjectType | None:
    """Return the answer; None when the error was sent in its place."""
    try:
        return await answer(hass, hub_of(hass), msg)
    except HomeAssistantError as error:
        connection.send_error(
            msg["id"],
            error.translation_key or ERR_HOME_ASSISTANT_ERROR,
            str(error),
            translation_domain=error.translation_domain,
            translation_key=error.translation_key,
            translation_placeholders=error.translation_placeholders,
        )
    except StoreError as error:
        connection.send_error(msg["id"], STORE_FAILED, str(error))
    return None


def answered(answer: Answer) -> Command:
    """Make a command out of what returns its answer; errors are sent with their key as code."""

    @async_response
    @wraps(answer)
    async def command(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
        if (result := await _send_answer(hass, connection, msg, answer)) is not None:
            connection.send_result(msg["id"], result)

    return command


def followed(signal: SignalType[()]) -> Callable[[Answer], Command]:
    """Make a command that can be subscribed to: answered now, and again after each `signal`.

    Signals of one moment are answered once. A subscription outlives a reload of the hub; while the hub is not there,
    or cannot answer, nothing is sent.
    """

    def decorate(answer: Answer) -> Command:
        @async_response
        @wraps(answer)
        async def command(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
            result = await _send_answer(hass, connection, msg, answer)
            if result is None:
                return
            if not msg.get(CONF_SUBSCRIBE):
                connection.send_result(msg["id"], result)
                return
            follower = _Follower(hass, connection, msg, answer)
            connection.subscriptions[msg["id"]] = async_dispatcher_connect(hass, signal, follower.changed)
            connection.send_result(msg["id"])
            connection.send_message(event_message(msg["id"], result))

        return command

    return decorate


class _Follower:
    """One subscription: sends a new answer after something changed."""

    def __init__(self, hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any], answer: Answer) -> None:
        self._hass = hass
        self._connection = connection
        self._msg = msg
        self._answer = answer
        self._due = False

    @callback
    def changed(self) -> None:
        """Answer again soon, once for all that changes until then."""
        if not self._due:
            self._due = True
            self._hass.async_create_task(self._send(), "strata subscription", eager_start=False)

    async def _send(self) -> None:
        self._due = False
        number = self._msg["id"]
        try:
            answer = await self._answer(self._hass, hub_of(self._hass), self._msg)
        except HomeAssistantError, StoreError:
            # The hub is being reloaded, or what was asked for is gone for now.
            return
        if number in self._connection.subscriptions:
            self._connection.send_message(event_message(number, answer))
