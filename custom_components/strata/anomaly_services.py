"""Actions about anomalies: look now, say that something is normal, the digest."""

from datetime import timedelta
from functools import partial
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
import probatio

from .analysis.watching import Target, choose
from .anomalies.coordinator import AnomalyCoordinator
from .anomalies.entities import shown
from .anomalies.options import METHODS, NEEDS, OFF, SENSITIVITIES
from .anomalies.report import async_report
from .anomalies.search import async_search
from .const import DOMAIN
from .dependencies import async_require
from .refusal import hub_of, refusal, store_failed
from .store.base import StoreError

ATTR_ENTITIES = "entities"
ATTR_LOOKBACK_HOURS = "lookback_hours"
ATTR_METHOD = "method"
ATTR_SENSITIVITY = "sensitivity"
ATTR_ENTITY_ID = "entity_id"
ATTR_EPISODE = "episode"
ATTR_DAYS = "days"
ATTR_SAVE = "save"

SERVICE_SCAN_ANOMALIES = "scan_anomalies"
SERVICE_MARK_NORMAL = "mark_normal"
SERVICE_ANOMALY_REPORT = "anomaly_report"

LONGEST_LOOKBACK = 60 * 24
_LEVELS = tuple(level for level in SENSITIVITIES if level != OFF)

SCAN_SCHEMA = probatio.Schema(
    {
        probatio.Optional(ATTR_ENTITIES): cv.entity_ids,
        probatio.Optional(ATTR_LOOKBACK_HOURS, default=24): probatio.All(
            probatio.Coerce(int), probatio.Range(min=1, max=LONGEST_LOOKBACK)
        ),
        probatio.Optional(ATTR_METHOD): probatio.In(METHODS),
        probatio.Optional(ATTR_SENSITIVITY): probatio.In(_LEVELS),
    }
)
MARK_NORMAL_SCHEMA = probatio.Schema(
    {probatio.Required(ATTR_ENTITY_ID): cv.entity_id, probatio.Optional(ATTR_EPISODE): cv.string}
)
REPORT_SCHEMA = probatio.Schema(
    {
        probatio.Optional(ATTR_DAYS, default=7): probatio.All(probatio.Coerce(int), probatio.Range(min=1, max=60)),
        probatio.Optional(ATTR_SAVE, default=True): cv.boolean,
    }
)


@callback
def async_setup_anomaly_services(hass: HomeAssistant) -> None:
    """Register the actions about anomalies."""
    register = partial(hass.services.async_register, DOMAIN)
    register(SERVICE_SCAN_ANOMALIES, _async_scan, SCAN_SCHEMA, SupportsResponse.ONLY)
    register(SERVICE_MARK_NORMAL, _async_mark_normal, MARK_NORMAL_SCHEMA, SupportsResponse.OPTIONAL)
    register(SERVICE_ANOMALY_REPORT, _async_report, REPORT_SCHEMA, SupportsResponse.ONLY)


def _anomalies(call: ServiceCall) -> AnomalyCoordinator:
    return hub_of(call.hass).runtime_data.anomalies


async def _async_scan(call: ServiceCall) -> ServiceResponse:
    """Look at entities now, by any method; what is found here is answered and told to nobody."""
    anomalies = _anomalies(call)
    options = anomalies.options
    sensitivity = call.data.get(ATTR_SENSITIVITY) or (options.sensitivity if options.active else "medium")
    method = call.data.get(ATTR_METHOD, options.method)
    targets = _targets(call, anomalies)
    since = timedelta(hours=call.data[ATTR_LOOKBACK_HOURS])
    try:
        if (feature := NEEDS.get(method)) is not None:
            await async_require(call.hass, feature)
        results = await async_search(call.hass, anomalies.worker, targets, since, method, sensitivity)
    except StoreError as error:
        raise store_failed(error) from error
    return {
        "method": method,
        "sensitivity": sensitivity,
        "lookback_hours": call.data[ATTR_LOOKBACK_HOURS],
        "anomalies_count": sum(len(result["episodes"]) for result in results),
        "entities": results,
    }


def _targets(call: ServiceCall, anomalies: AnomalyCoordinator) -> list[Target]:
    """Return what the call is about: the entities it names, or all that are watched.

    Raises:
        ServiceValidationError: an entity is not recorded, or holds texts.
    """
    if ATTR_ENTITIES not in call.data:
        return [watched.target for watched in anomalies.watched.values()]
    targets: list[Target] = []
    for entity_id in call.data[ATTR_ENTITIES]:
        found = choose(anomalies.worker.all_series(), {entity_id}, chosen=[entity_id])
        if not found:
            raise refusal("entity_not_watchable", entity=entity_id)
        targets += found
    return targets


async def _async_mark_normal(call: ServiceCall) -> ServiceResponse:
    """Take an episode as normal."""
    anomalies = _anomalies(call)
    entity_id: str = call.data[ATTR_ENTITY_ID]
    try:
        episode = await anomalies.async_mark_normal(entity_id, call.data.get(ATTR_EPISODE))
    except KeyError:
        raise refusal("no_such_episode", entity=entity_id) from None
    except StoreError as error:
        raise store_failed(error) from error
    answer: dict[str, Any] = shown(anomalies.watched[entity_id], episode)
    return answer


async def _async_report(call: ServiceCall) -> ServiceResponse:
    """Return what was unusual in some days, and a page that shows it."""
    period = timedelta(days=call.data[ATTR_DAYS])
    try:
        answer: dict[str, Any] = await async_report(call.hass, _anomalies(call), period, save=call.data[ATTR_SAVE])
    except (StoreError, OSError) as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="report_failed", translation_placeholders={"reason": str(error)}
        ) from error
    return answer
