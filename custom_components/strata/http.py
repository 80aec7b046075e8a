"""The REST API: what all views have in common. Which there are is in `api`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from aiohttp import web
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView
from homeassistant.util.json import JsonObjectType
import probatio

from .refusal import NotThere, hub_of
from .runtime import StrataConfigEntry
from .store.base import StoreError

BASE_PATH = "/api/strata/v2"

INVALID_FORMAT = "invalid_format"
STORE_FAILED = "store_failed"
UNKNOWN = "unknown_error"

STATUSES: tuple[tuple[type[HomeAssistantError], HTTPStatus], ...] = (
    (NotThere, HTTPStatus.NOT_FOUND),
    (ServiceValidationError, HTTPStatus.BAD_REQUEST),
)
"""How errors are answered, the first that fits; others mean that the hub cannot answer now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """What a request asks for: checked query parameters and the variable parts of the path."""

    hass: HomeAssistant
    entry: StrataConfigEntry
    query: Mapping[str, Any]
    parts: Mapping[str, str]


class StrataView(HomeAssistantView):
    """A path of the API. A subclass names its `url` and `name`, its `query`, and answers in `async_answer`.

    Whatever goes wrong is answered as `{"error": key, "message": text}`: 400 for what the caller got wrong, 404 for
    what is not there, 503 while the hub or its store cannot answer.
    """

    query: ClassVar[probatio.Schema] = probatio.Schema({})
    """The query parameters; they arrive as text."""
    admin: ClassVar[bool] = False
    """True when only administrators may ask."""

    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        """Return what a GET asks for."""
        raise NotImplementedError

    async def get(self, request: web.Request, **parts: str) -> web.Response:
        """Answer a GET."""
        return await self.async_serve(request, parts, self.async_answer)

    async def async_serve(
        self, request: web.Request, parts: Mapping[str, str], work: Callable[[ApiCall], Awaitable[JsonObjectType]]
    ) -> web.Response:
        """Answer a request with what `work` returns, or with what went wrong."""
        if self.admin and not request[KEY_HASS_USER].is_admin:
            raise Unauthorized
        hass = request.app[KEY_HASS]
        try:
            entry = hub_of(hass)
        except ServiceValidationError as error:
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, error.translation_key, str(error))
        try:
            query = self.query(dict(request.query))
            return self.json(await work(ApiCall(hass=hass, entry=entry, query=query, parts=parts)))
        except probatio.Invalid as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, INVALID_FORMAT, str(error))
        except HomeAssistantError as error:
            status = next((of for kind, of in STATUSES if isinstance(error, kind)), HTTPStatus.SERVICE_UNAVAILABLE)
            return self._refuse(status, error.translation_key, str(error))
        except StoreError as error:
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, STORE_FAILED, str(error))

    def _refuse(self, status: HTTPStatus, key: str | None, message: str) -> web.Response:
        return self.json({"error": key or UNKNOWN, "message": message}, status)
