"""The actions that answer from the history."""

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv
import probatio

from .api.history import ATTR_ENTITY, QUESTION as HISTORY_QUESTION, async_query_history
from .api.views import ATTR_VIEW, QUESTION, VIEW_NAMES, answer_view
from .const import DOMAIN
from .refusal import hub_of, store_failed
from .store.base import StoreError

SERVICE_QUERY_VIEW = "query_view"
SERVICE_QUERY_HISTORY = "query_history"

QUERY_VIEW_SCHEMA = probatio.Schema({probatio.Required(ATTR_VIEW): probatio.In(VIEW_NAMES), **QUESTION})
QUERY_HISTORY_SCHEMA = probatio.Schema({probatio.Required(ATTR_ENTITY): cv.entity_id, **HISTORY_QUESTION})


@callback
def async_setup_history_services(hass: HomeAssistant) -> None:
    """Register the actions that answer from the history."""
    hass.services.async_register(
        DOMAIN, SERVICE_QUERY_VIEW, _async_query_view, QUERY_VIEW_SCHEMA, SupportsResponse.ONLY
    )
    hass.services.async_register(
        DOMAIN, SERVICE_QUERY_HISTORY, _async_query_history, QUERY_HISTORY_SCHEMA, SupportsResponse.ONLY
    )


async def _async_query_view(call: ServiceCall) -> ServiceResponse:
    """Return rows of a view."""
    try:
        return await answer_view(hub_of(call.hass).runtime_data, call.data[ATTR_VIEW], call.data)
    except StoreError as error:
        raise store_failed(error) from error


async def _async_query_history(call: ServiceCall) -> ServiceResponse:
    """Return an entity's history over any span."""
    data = hub_of(call.hass).runtime_data
    try:
        return await async_query_history(call.hass, data, call.data[ATTR_ENTITY], call.data)
    except StoreError as error:
        raise store_failed(error) from error
