"""Actions: parse, call, answer."""

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, service
import probatio

from .adoption_services import async_setup_adoption_services
from .anomaly_services import async_setup_anomaly_services
from .api.current import ROLE_KEYS, answer_for_all
from .api.forecast import ATTR_SOURCE, FORECAST_FIELDS, answer_forecast
from .archive_services import async_setup_archive_services
from .const import CONF_ROLE, DOMAIN
from .data_services import async_setup_data_services
from .history_services import async_setup_history_services
from .import_services import async_setup_import_services
from .mirror_services import async_setup_mirror_services
from .refusal import hub_of
from .retention_services import async_setup_retention_services
from .store.base import StoreError
from .store.tiers import DEFAULT_LADDER
from .window_services import async_setup_window_services

ATTR_TIER = "tier"
ATTR_DRY_RUN = "dry_run"

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
    probatio.Schema(dict(FORECAST_FIELDS)), cv.has_at_least_one_key(ATTR_SOURCE, CONF_ROLE)
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
    async_setup_data_services(hass)
    async_setup_history_services(hass)
    async_setup_import_services(hass)
    async_setup_mirror_services(hass)
    async_setup_window_services(hass)
    async_setup_retention_services(hass)
    async_setup_archive_services(hass)
    async_setup_adoption_services(hass)
    async_setup_anomaly_services(hass)


async def _async_downsample(call: ServiceCall) -> ServiceResponse:
    """Move what a tier has kept long enough into the next coarser one."""
    data = hub_of(call.hass).runtime_data
    tier: str = call.data[ATTR_TIER]
    dry_run: bool = call.data[ATTR_DRY_RUN]
    try:
        await data.worker.flush()
        # As at night: rules and pins count, and what is to be archived first is.
        report = await data.retention.downsample(tier, dry_run=dry_run)
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
    return answer_forecast(call.hass, hub_of(call.hass), call.data)
