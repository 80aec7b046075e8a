"""`forecast`: the slots a source foresees, for charts; the action `get_forecast` answers the same."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, override

from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.util.json import JsonObjectType, JsonValueType
import probatio

from ..asking import moment
from ..const import CONF_ROLE, DOMAIN
from ..coordinator import SourceCoordinator
from ..core.model import Forecast
from ..entity import ranked_identifier
from ..http import BASE_PATH, ApiCall, StrataView
from ..refusal import not_there, refusal
from ..runtime import StrataConfigEntry, StrataData
from ..source_set import SOURCES_CHANGED
from ..websocket import CONF_SUBSCRIBE, followed
from .current import ROLE_KEYS

ATTR_SOURCE = "source"
ATTR_FORECAST = "forecast"
ATTR_START = "start"
ATTR_END = "end"

FORECAST_FIELDS: Mapping[Any, Any] = {
    probatio.Optional(ATTR_SOURCE): cv.string,
    probatio.Optional(CONF_ROLE): probatio.In(ROLE_KEYS),
    probatio.Optional(ATTR_FORECAST): cv.string,
    probatio.Optional(ATTR_START): cv.datetime,
    probatio.Optional(ATTR_END): cv.datetime,
}
"""What to ask for: a source, or a role, of which the first source by rank answers that has the forecast."""


def answer_forecast(hass: HomeAssistant, entry: StrataConfigEntry, asked: Mapping[str, Any]) -> JsonObjectType:
    """Return the slots of a forecast from `start` (default: now) to `end`.

    Raises:
        NotThere: there is no such source or forecast.
        ServiceValidationError: the source has no good reading, or the times make no sense.
    """
    source, key = find_forecast(hass, entry, asked)
    snapshot = source.snapshot()
    if snapshot is None:
        raise refusal("source_has_no_reading", source=source.title)
    forecast = snapshot.reading.forecasts.get(key)
    if forecast is None:
        raise not_there("no_such_forecast", source=source.title, forecast=key)
    start = moment(asked, ATTR_START) or snapshot.now
    end = moment(asked, ATTR_END)
    if end is not None and end <= start:
        raise refusal("end_before_start")
    return {
        "source": source.subentry_id,
        "title": source.title,
        "role": source.role.key,
        "provider": source.provider.key,
        "forecast": key,
        "unit": forecast.unit,
        "issued_at": forecast.issued_at.isoformat(),
        "slots": _slots(forecast, start, end),
    }


def _slots(forecast: Forecast, start: datetime, end: datetime | None) -> list[JsonValueType]:
    return [
        {
            "start": slot.start.isoformat(),
            "end": slot.end.isoformat(),
            "value": slot.value,
            "unit": forecast.unit,
        }
        for slot in forecast.slots
        if slot.end > start and (end is None or slot.start < end)
    ]


def find_forecast(
    hass: HomeAssistant, entry: StrataConfigEntry, asked: Mapping[str, Any]
) -> tuple[SourceCoordinator, str]:
    """Return the source and the name of the forecast that is asked for.

    Of a role it is the first source by rank that has this forecast.

    Raises:
        NotThere: there is none.
    """
    data = entry.runtime_data
    role: str = asked.get(CONF_ROLE, "")
    if (name := asked.get(ATTR_SOURCE)) is not None:
        for source in data.sources.values():
            own = _device_id(hass, entry, (DOMAIN, source.subentry_id))
            if name in (source.subentry_id, source.title, own):
                return source, asked.get(ATTR_FORECAST, source.main)
        # The device of a role stands for whichever of its sources speaks.
        roles = (key for key in ROLE_KEYS if name == _device_id(hass, entry, ranked_identifier(entry.entry_id, key)))
        if (role := next(roles, "")) == "":
            raise not_there("no_such_source", source=name)
    sources = data.source_set.of_role(role)
    if not sources:
        raise not_there("no_source_of_role", role=role)
    key: str = asked.get(ATTR_FORECAST, sources[0].main)
    return next((source for source in sources if forecast_of(source, key)), sources[0]), key


def forecast_of_role(data: StrataData, role: str, key: str | None = None) -> Forecast | None:
    """Return a forecast (by default the main one) of the first source by rank that has it; None when none does."""
    found = (forecast_of(source, key or source.main) for source in data.source_set.of_role(role))
    return next((forecast for forecast in found if forecast is not None), None)


def forecast_of(source: SourceCoordinator, key: str) -> Forecast | None:
    """Return a forecast of a source whose reading is good."""
    snapshot = source.snapshot()
    return None if snapshot is None else snapshot.reading.forecasts.get(key)


def _device_id(hass: HomeAssistant, entry: StrataConfigEntry, identifier: tuple[str, str]) -> str | None:
    device = dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)
    return device.id if device else None


class ForecastView(StrataView):
    """The forecast of a role; its key is written with dashes, as in `carbon-intensity`."""

    url = f"{BASE_PATH}/forecast/{{role}}"
    name = "api:strata:forecast"
    query = probatio.Schema({key: check for key, check in FORECAST_FIELDS.items() if key != CONF_ROLE})

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        if (role := call.parts[CONF_ROLE].replace("-", "_")) not in ROLE_KEYS:
            raise not_there("no_such_role", role=role)
        return answer_forecast(call.hass, call.entry, {**call.query, CONF_ROLE: role})


@websocket_command(
    probatio.All(
        probatio.Schema(
            {probatio.Required("type"): "strata/forecast", **FORECAST_FIELDS, probatio.Optional(CONF_SUBSCRIBE): bool}
        ),
        cv.has_at_least_one_key(ATTR_SOURCE, CONF_ROLE),
    )
)
@followed(SOURCES_CHANGED)
async def forecast(hass: HomeAssistant, entry: StrataConfigEntry, msg: dict[str, Any]) -> JsonObjectType:
    """Say what a source, or a role, foresees."""
    return answer_forecast(hass, entry, msg)


VIEWS = (ForecastView,)
COMMANDS = (forecast,)
