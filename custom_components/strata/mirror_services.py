"""The action that sends a range to mirrors again."""

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr, entity_registry as er, service
import probatio

from .asking import asked_span
from .const import DOMAIN
from .mirror_coordinator import MirrorCoordinator
from .refusal import hub_of, refusal
from .store.worker import StoreWorker

ATTR_MIRROR = "mirror"
ATTR_START = "start"
ATTR_END = "end"
ATTR_ENTITIES = "entities"

SERVICE_REPLAY_MIRROR = "replay_mirror"

REPLAY_MIRROR_SCHEMA = probatio.Schema(
    {
        probatio.Optional(ATTR_MIRROR): cv.string,
        probatio.Required(ATTR_START): cv.datetime,
        probatio.Optional(ATTR_END): cv.datetime,
        probatio.Optional(ATTR_ENTITIES): cv.entity_ids,
    }
)


@callback
def async_setup_mirror_services(hass: HomeAssistant) -> None:
    """Register the actions of mirrors."""
    service.async_register_admin_service(
        hass, DOMAIN, SERVICE_REPLAY_MIRROR, _async_replay_mirror, REPLAY_MIRROR_SCHEMA, SupportsResponse.OPTIONAL
    )


async def _async_replay_mirror(call: ServiceCall) -> ServiceResponse:
    """Let mirrors send what the store holds of a range again; it goes on in the background."""
    data = hub_of(call.hass).runtime_data
    when = asked_span(call.data)
    mirrors = _mirrors(call, [*data.mirror_set.running.values()])
    series = _series(call, data.worker)
    for mirror in mirrors:
        try:
            mirror.feed.replay(when.start, when.end, series)
        except ValueError as error:
            raise refusal("replay_refused", mirror=mirror.title, reason=str(error)) from error
        await mirror.async_refresh()
    return {"mirrors": [mirror.title for mirror in mirrors], "series": None if series is None else len(series)}


def _mirrors(call: ServiceCall, running: list[MirrorCoordinator]) -> list[MirrorCoordinator]:
    """Return the mirror the call names by device, title or subentry id; without a name all.

    Raises:
        ServiceValidationError: there is none.
    """
    if not running:
        raise refusal("no_mirror")
    name = call.data.get(ATTR_MIRROR)
    if name is None:
        return running
    for mirror in running:
        if name in (mirror.subentry_id, mirror.title, _device_id(call.hass, mirror)):
            return [mirror]
    raise refusal("no_such_mirror", mirror=name)


def _device_id(hass: HomeAssistant, mirror: MirrorCoordinator) -> str | None:
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, mirror.subentry_id), mirror.config_entry.entry_id
    )
    return device.id if device else None


def _series(call: ServiceCall, worker: StoreWorker) -> frozenset[int] | None:
    """Return the stored series of the entities the call names, None for everything.

    Raises:
        ServiceValidationError: one of them is not in the store.
    """
    if ATTR_ENTITIES not in call.data:
        return None
    registry = er.async_get(call.hass)
    found: set[int] = set()
    for entity_id in call.data[ATTR_ENTITIES]:
        entry = registry.async_get(entity_id)
        identity = f"entity:{entity_id if entry is None else entry.id}"
        series = {each.id for each in worker.all_series() if each.key.identity == identity and each.id is not None}
        if not series:
            raise refusal("entity_not_recorded", entity=entity_id)
        found |= series
    return frozenset(found)
