"""The action that brings history in from elsewhere; it goes on in the background and after a restart."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv, entity_registry as er, service
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey
import probatio

from .asking import moment
from .const import CONF_DATABASE, CONF_ORG, CONF_URL, CONF_USERNAME, DOMAIN, LOGGER
from .core.model import Micros, to_micros
from .imports.base import ImportFailed, ImportSource
from .imports.influx import InfluxSource
from .imports.job import ImportJob, Progress
from .imports.recorder import RECORDER, RecorderSource
from .mirror.influx import Connection, InfluxClient
from .refusal import hub_of, refusal
from .runtime import StrataConfigEntry
from .store.backlog import load_note
from .store.base import StoreError
from .store.worker import StoreWorker

EVENT_IMPORT = f"{DOMAIN}_import"
INFLUXDB = "influxdb"
SOURCES = (RECORDER, INFLUXDB)

ATTR_SOURCE = "source"
ATTR_ENTITIES = "entities"
ATTR_START = "start"
ATTR_PASSWORD = "password"  # noqa: S105 - the name of a field
ATTR_VERIFY_SSL = "verify_ssl"
SERVICE_IMPORT_HISTORY = "import_history"

UNDER_WAY = "import_under_way"
"""The note of an import that goes on after a restart; only of one without credentials."""
ATTR_WITHOUT = "without"
"""What was erased since, as it is known for life."""
RUNNING: HassKey[asyncio.Task[None]] = HassKey(f"{DOMAIN}.import")

IMPORT_SCHEMA = probatio.Schema(
    {
        probatio.Required(ATTR_SOURCE): probatio.In(SOURCES),
        probatio.Optional(ATTR_ENTITIES): cv.entity_ids,
        probatio.Optional(ATTR_START): cv.datetime,
        probatio.Optional(CONF_URL): cv.url,
        probatio.Optional(CONF_DATABASE): cv.string,
        probatio.Optional(CONF_ORG, default=""): cv.string,
        probatio.Optional(CONF_USERNAME, default=""): cv.string,
        probatio.Optional(ATTR_PASSWORD, default=""): cv.string,
        probatio.Optional(ATTR_VERIFY_SSL, default=True): cv.boolean,
    }
)


@callback
def async_setup_import_services(hass: HomeAssistant) -> None:
    """Register the action."""
    service.async_register_admin_service(
        hass, DOMAIN, SERVICE_IMPORT_HISTORY, _async_import, IMPORT_SCHEMA, SupportsResponse.OPTIONAL
    )


@callback
def import_runs(hass: HomeAssistant) -> bool:
    """Tell whether an import is under way."""
    return (running := hass.data.get(RUNNING)) is not None and not running.done()


async def _async_import(call: ServiceCall) -> ServiceResponse:
    """Begin an import, or go on with one."""
    entry = hub_of(call.hass)
    if import_runs(call.hass):
        raise refusal("import_under_way")
    try:
        source = _source(call.hass, entry, call.data)
        entities = await source.entities()
    except ImportFailed as error:
        raise refusal("import_failed", reason=str(error)) from error
    asked: dict[str, Any] = {ATTR_ENTITIES: call.data.get(ATTR_ENTITIES)}
    if (start := moment(call.data, ATTR_START)) is not None:
        asked[ATTR_START] = to_micros(start)
    if call.data[ATTR_SOURCE] == RECORDER:
        note = {**asked, ATTR_ENTITIES: _for_life(call.hass, asked[ATTR_ENTITIES])}
        await entry.runtime_data.worker.write(lambda store: store.save_note(UNDER_WAY, note))
    _begin(call.hass, entry, source, asked)
    return {"source": source.name, "entities": len(entities)}


def _source(hass: HomeAssistant, entry: StrataConfigEntry, asked: Mapping[str, Any]) -> ImportSource:
    timezone = entry.runtime_data.worker.timezone
    if asked[ATTR_SOURCE] == RECORDER:
        return RecorderSource(hass, timezone)
    if CONF_URL not in asked or CONF_DATABASE not in asked:
        raise refusal("import_needs_server")
    connection = Connection(
        url=asked[CONF_URL], username=asked[CONF_USERNAME], secret=asked[ATTR_PASSWORD], org=asked[CONF_ORG]
    )
    session = async_get_clientsession(hass, verify_ssl=asked[ATTR_VERIFY_SSL])
    return InfluxSource(hass, InfluxClient(session, connection), asked[CONF_DATABASE], timezone)


async def async_resume_import(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Go on with an import from the recorder that a restart has ended."""
    asked = await entry.runtime_data.worker.read(lambda reader: load_note(reader.connection, UNDER_WAY))
    if asked is None:
        return
    try:
        source = RecorderSource(hass, entry.runtime_data.worker.timezone)
    except ImportFailed as error:
        LOGGER.warning("The import does not go on: %s", error)
        return
    _begin(hass, entry, source, {**asked, ATTR_ENTITIES: _as_now(hass, asked.get(ATTR_ENTITIES))})


async def async_leave_out(hass: HomeAssistant, worker: StoreWorker, erased: Collection[str]) -> None:
    """Have an import that waits for a restart leave out what is erased: entity ids, or how the registry knows them.

    Raises:
        StoreError: the store cannot be written.
    """
    asked = await worker.read(lambda reader: load_note(reader.connection, UNDER_WAY))
    if asked is not None:
        without = sorted({*asked.get(ATTR_WITHOUT, ()), *(_for_life(hass, [*erased]) or ())})
        await worker.write(lambda store: store.save_note(UNDER_WAY, {**asked, ATTR_WITHOUT: without}))


def _for_life(hass: HomeAssistant, entities: list[str] | None) -> list[str] | None:
    """Return entities as the registry knows them for life: one may be given another id before the import goes on."""
    if entities is None:
        return None
    registry = er.async_get(hass)
    return [entity_id if (known := registry.async_get(entity_id)) is None else known.id for entity_id in entities]


def _as_now(hass: HomeAssistant, kept: list[str] | None) -> list[str] | None:
    """Return the ids that entities have now."""
    if kept is None:
        return None
    registry = er.async_get(hass)
    return [entity_id for one in kept if (entity_id := er.async_resolve_entity_id(registry, one)) is not None]


@callback
def _begin(hass: HomeAssistant, entry: StrataConfigEntry, source: ImportSource, asked: Mapping[str, Any]) -> None:
    hass.data[RUNNING] = entry.async_create_background_task(
        hass, _async_run(hass, entry, source, asked), f"{DOMAIN} import"
    )


async def _async_run(
    hass: HomeAssistant, entry: StrataConfigEntry, source: ImportSource, asked: Mapping[str, Any]
) -> None:
    worker, show = entry.runtime_data.worker, entry.runtime_data.store.async_update_listeners

    @callback
    def report(progress: Progress) -> None:
        hass.bus.async_fire(EVENT_IMPORT, progress.as_dict())
        show()

    job = ImportJob(hass, worker, source, _now, report)
    entry.runtime_data.importing = job.progress
    show()
    more = {name: asked[name] for name in (ATTR_START, ATTR_WITHOUT) if name in asked}
    try:
        async with entry.runtime_data.erasing:
            pass  # What is being erased is gone before anything comes in.
        await job.run(asked.get(ATTR_ENTITIES), **more)
        await worker.write(lambda store: store.save_note(UNDER_WAY, None))
        # Hours of the changes that came in, which otherwise follow within the hour; views are made of hours.
        await worker.roll_up()
    except (ImportFailed, StoreError) as error:
        LOGGER.error("The import from %s ended early and goes on when it is asked for again: %s", source.name, error)
    entry.runtime_data.views.soon()


def _now() -> Micros:
    return to_micros(dt_util.utcnow())
