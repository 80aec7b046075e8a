"""Actions: parse, call, answer."""

from datetime import datetime
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, device_registry as dr, service
from homeassistant.util import dt as dt_util
import probatio

from .anomaly_services import async_setup_anomaly_services
from .api.current import ROLE_KEYS, answer_for_all
from .const import CONF_ROLE, DOMAIN
from .coordinator import SourceCoordinator
from .core.model import Forecast, to_micros
from .entity import ranked_identifier
from .history_services import async_setup_history_services
from .mirror_services import async_setup_mirror_services
from .refusal import hub_of, not_there, refusal
from .retention_services import async_setup_retention_services
from .runtime import StrataConfigEntry
from .store.base import StoreError
from .store.tiers import DEFAULT_LADDER

ATTR_TIER = "tier"
ATTR_DRY_RUN = "dry_run"
ATTR_SOURCE = "source"
ATTR_FORECAST = "forecast"
ATTR_START = "start"
ATTR_END = "end"

SERVICE_DOWNSAMPLE = "downsample"
SERVICE_GET_CURRENT = "get_current"
SERVICE_GET_FORECAST = "get_forecast"

DOWNSAMPLED_TIERS = tuple(tier.name for tier in DEFAULT_LADDER.tiers if tier.successor)

DOWNSAMPLE_SCHEMA = probatio.Schema(
    {
        probatio.Required(ATTR_TIER): probatio.In(DOWNSAMPLED_TIERS),
        probatio.Optional(ATTR_DRY_RUN, default=False): cv.boolean,
    }
)
GET_CURRENT_SCHEMA = probatio.Schema({probatio.Optional(CONF_ROLE): probatio.In(ROLE_KEYS)})
GET_FORECAST_SCHEMA = probatio.All(
    probatio.Schema(
        {
            probatio.Optional(ATTR_SOURCE): cv.string,
            probatio.Optional(CONF_ROLE): probatio.In(ROLE_KEYS),
            probatio.Optional(ATTR_FORECAST): cv.string,
            probatio.Optional(ATTR_START): cv.datetime,
            probatio.Optional(ATTR_END): cv.datetime,
        }
    ),
    cv.has_at_least_one_key(ATTR_SOURCE, CONF_ROLE),
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    service.async_register_admin_service(
        hass, DOMAIN, SERVICE_DOWNSAMPLE, _async_downsample, DOWNSAMPLE_SCHEMA, SupportsResponse.OPTIONAL
    )
    hass.services.async_register(
        DOMAIN, SERVICE_GET_CURRENT, _async_get_current, GET_CURRENT_SCHEMA, SupportsResponse.ONLY
    )
    hass.services.async_register(
        DOMAIN, SERVICE_GET_FORECAST, _async_get_forecast, GET_FORECAST_SCHEMA, SupportsResponse.ONLY
    )
    async_setup_history_services(hass)
    async_setup_mirror_services(hass)
    async_setup_retention_services(hass)
    async_setup_anomaly_services(hass)


async def _async_downsample(call: ServiceCall) -> ServiceResponse:
    """Move what a tier has kept long enough into the next coarser one."""
    worker = hub_of(call.hass).runtime_data.worker
    tier: str = call.data[ATTR_TIER]
    dry_run: bool = call.data[ATTR_DRY_RUN]
    now = to_micros(dt_util.utcnow())
    try:
        await worker.flush()
        report = await worker.write(lambda store: store.downsample(tier, now, dry_run=dry_run))
    except StoreError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="downsample_failed",
            translation_placeholders={"tier": tier, "reason": str(error)},
        ) from error
    return {
        "tier": report.tier,
        "dry_run": report.dry_run,
        "source_rows": report.source_rows,
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
        "bytes_freed": report.bytes_freed,
        "problems": list(report.problems),
    }


async def _async_get_current(call: ServiceCall) -> ServiceResponse:
    """Say what every source says now."""
    return answer_for_all(hub_of(call.hass).runtime_data, call.data.get(CONF_ROLE))


async def _async_get_forecast(call: ServiceCall) -> ServiceResponse:
    """Return the slots a source foresees."""
    source, key = _find_forecast(call)
    snapshot = source.snapshot()
    if snapshot is None:
        raise refusal("source_has_no_reading", source=source.title)
    forecast = snapshot.reading.forecasts.get(key)
    if forecast is None:
        raise not_there("no_such_forecast", source=source.title, forecast=key)
    start = _moment(call, ATTR_START) or snapshot.now
    end = _moment(call, ATTR_END)
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


def _slots(forecast: Forecast, start: datetime, end: datetime | None) -> list[Any]:
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


def _moment(call: ServiceCall, key: str) -> datetime | None:
    """Return a time of the call; one without an offset is in the home's time zone.

    Raises:
        ServiceValidationError: in UTC it lies outside the years 1 to 9999.
    """
    moment: datetime | None = call.data.get(key)
    try:
        return None if moment is None else dt_util.as_utc(moment)
    except OverflowError:
        raise refusal("time_out_of_range", time=str(moment)) from None


def _find_forecast(call: ServiceCall) -> tuple[SourceCoordinator, str]:
    """Return the source and the name of the forecast the call is for.

    Of a role it is the first source by rank that has this forecast.

    Raises:
        ServiceValidationError: there is none.
    """
    entry = hub_of(call.hass)
    data = entry.runtime_data
    role: str = call.data.get(CONF_ROLE, "")
    if (name := call.data.get(ATTR_SOURCE)) is not None:
        for source in data.sources.values():
            own = _device_id(call.hass, entry, (DOMAIN, source.subentry_id))
            if name in (source.subentry_id, source.title, own):
                return source, call.data.get(ATTR_FORECAST, source.main)
        # The device of a role stands for whichever of its sources speaks.
        roles = (
            key for key in ROLE_KEYS if name == _device_id(call.hass, entry, ranked_identifier(entry.entry_id, key))
        )
        if (role := next(roles, "")) == "":
            raise not_there("no_such_source", source=name)
    sources = data.source_set.of_role(role)
    if not sources:
        raise not_there("no_source_of_role", role=role)
    key: str = call.data.get(ATTR_FORECAST, sources[0].main)
    return next((source for source in sources if _foresees(source, key)), sources[0]), key


def _foresees(source: SourceCoordinator, key: str) -> bool:
    snapshot = source.snapshot()
    return snapshot is not None and key in snapshot.reading.forecasts


def _device_id(hass: HomeAssistant, entry: StrataConfigEntry, identifier: tuple[str, str]) -> str | None:
    device = dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)
    return device.id if device else None
