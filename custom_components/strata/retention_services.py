"""The action that says what other keeps would delete."""

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv, service
import probatio

from .const import CONF_KEEP, CONF_RETENTION, DOMAIN
from .core.policy import KINDS, PRESETS, TIERS
from .keeping import (
    CONF_EXPIRE_DAYS,
    CONF_KINDS,
    CONF_PINNED,
    CONF_RULES,
    FOR_EVER_DAYS,
    LONGEST_KEEP,
    SELECTORS,
    wrong_rule,
)
from .refusal import refusal
from .retention_preview import async_preview
from .runtime import StrataConfigEntry, ladder_of
from .store.tiers import LadderError

SERVICE_PREVIEW_RETENTION = "preview_retention"
ATTR_PRESET = "preset"

_DAYS = probatio.All(probatio.Coerce(int), probatio.Range(min=FOR_EVER_DAYS, max=LONGEST_KEEP))
_RULE = probatio.Schema(
    {
        **{probatio.Optional(name): probatio.All(cv.ensure_list, [cv.string]) for name in SELECTORS},
        **{probatio.Optional(tier): _DAYS for tier in TIERS},
    }
)
PREVIEW_RETENTION_SCHEMA = probatio.Schema(
    {
        probatio.Optional(ATTR_PRESET): probatio.In(tuple(PRESETS)),
        probatio.Optional(CONF_KEEP): probatio.Schema({probatio.Optional(tier): _DAYS for tier in TIERS}),
        probatio.Optional(CONF_KINDS): probatio.All(cv.ensure_list, [probatio.In(tuple(KINDS))]),
        probatio.Optional(CONF_RULES): probatio.All(cv.ensure_list, [_RULE]),
        probatio.Optional(CONF_PINNED): cv.entity_ids,
        probatio.Optional(CONF_EXPIRE_DAYS): cv.boolean,
    }
)


@callback
def async_setup_retention_services(hass: HomeAssistant) -> None:
    """Register the actions about retention."""
    service.async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_PREVIEW_RETENTION,
        _async_preview_retention,
        PREVIEW_RETENTION_SCHEMA,
        SupportsResponse.ONLY,
    )


async def _async_preview_retention(call: ServiceCall) -> ServiceResponse:
    """Say what the options in force, changed as the call asks, would delete."""
    entry: StrataConfigEntry = service.async_get_config_entry(call.hass, DOMAIN, None)
    if (wrong := wrong_rule(call.data.get(CONF_RULES, ()))) is not None:
        key, placeholders = wrong
        raise refusal(key, **placeholders)
    options = dict(entry.options)
    keep = dict(options.get(CONF_KEEP, {}))
    if (preset := call.data.get(ATTR_PRESET)) is not None:
        keep |= {tier: FOR_EVER_DAYS if days is None else days.days for tier, days in PRESETS[preset].items()}
    options[CONF_KEEP] = keep | call.data.get(CONF_KEEP, {})
    page = {key: call.data[key] for key in (CONF_KINDS, CONF_RULES, CONF_PINNED, CONF_EXPIRE_DAYS) if key in call.data}
    options[CONF_RETENTION] = {**options.get(CONF_RETENTION, {}), **page}
    try:
        ladder_of(options)
    except LadderError as error:
        raise refusal("keeps_contradict", finer=error.finer, coarser=error.coarser) from error
    await entry.runtime_data.worker.flush()
    return (await async_preview(call.hass, entry, options)).as_json()
