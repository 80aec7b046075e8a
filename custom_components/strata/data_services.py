"""The actions that take history out: into a file, or away for ever."""

from pathlib import Path
import re
from time import monotonic
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv, service
from homeassistant.util import dt as dt_util
import probatio

from .api.history import series_of
from .archive.erase import ArchiveErasure
from .asking import asked_span
from .const import DOMAIN, STORE_FOLDER
from .core.entity_series import MEASUREMENT
from .core.model import Micros, Series, to_micros
from .dependencies import async_require
from .exporting import async_write
from .exports import FOLDER, FORMATS
from .mirror.errors import MirrorError
from .refusal import hub_of, refusal, store_failed
from .runtime import StrataData
from .store.base import StoreError
from .store.erase import Erased
from .store.history import ORDER
from .store.operations import Operation
from .store.tiers import HOURLY

ATTR_ENTITIES = "entities"
ATTR_TIER = "tier"
ATTR_START = "start"
ATTR_END = "end"
ATTR_FORMAT = "format"
ATTR_NAME = "name"
ATTR_DRY_RUN = "dry_run"

SERVICE_EXPORT = "export"
SERVICE_ERASE = "erase"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")

EXPORT_SCHEMA = probatio.Schema(
    {
        probatio.Optional(ATTR_ENTITIES): cv.entity_ids,
        probatio.Optional(ATTR_TIER, default=HOURLY): probatio.In(ORDER),
        probatio.Optional(ATTR_START): cv.datetime,
        probatio.Optional(ATTR_END): cv.datetime,
        probatio.Optional(ATTR_FORMAT, default="parquet"): probatio.In(tuple(FORMATS)),
        probatio.Optional(ATTR_NAME): cv.string,
    }
)
ERASE_SCHEMA = probatio.Schema(
    {
        probatio.Required(ATTR_ENTITIES): cv.entity_ids,
        probatio.Optional(ATTR_DRY_RUN, default=True): cv.boolean,
    }
)


@callback
def async_setup_data_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    service.async_register_admin_service(
        hass, DOMAIN, SERVICE_EXPORT, _async_export, EXPORT_SCHEMA, SupportsResponse.OPTIONAL
    )
    service.async_register_admin_service(
        hass, DOMAIN, SERVICE_ERASE, _async_erase, ERASE_SCHEMA, SupportsResponse.OPTIONAL
    )


def _series(hass: HomeAssistant, data: StrataData, entities: list[str] | None) -> list[Series]:
    if entities is None:
        return [one for one in data.worker.all_series() if one.key.measurement == MEASUREMENT and one.id is not None]
    return [one for entity_id in entities for one in series_of(hass, data.worker, entity_id)]


# Into a file


async def _async_export(call: ServiceCall) -> ServiceResponse:
    """Write a layer of some entities, or of all, into a file."""
    data, asked = hub_of(call.hass).runtime_data, call.data
    when = asked_span(asked)
    path = _path(call.hass, asked)
    if asked[ATTR_FORMAT] == "parquet":
        await async_require(call.hass, "parquet")
    export = FORMATS[asked[ATTR_FORMAT]](path, asked[ATTR_TIER])
    began, started = _now(), monotonic()
    try:
        await data.worker.flush()
        series = _series(call.hass, data, asked.get(ATTR_ENTITIES))
        size, problems = await async_write(call.hass, data, export, series, when)
    except (StoreError, OSError) as error:
        raise store_failed(error) from error
    done = Operation(SERVICE_EXPORT, began, monotonic() - started, export.rows, 0, tuple(problems))
    await data.worker.write(lambda store: store.record_operation(done))
    return {
        "file": str(path.relative_to(call.hass.config.config_dir)),
        "tier": export.tier,
        "series": len(series),
        "rows": export.rows,
        "bytes": size,
        "problems": [*problems],
    }


def _path(hass: HomeAssistant, asked: dict[str, Any]) -> Path:
    """Return where an export goes: a new file in our own folder, whatever name is asked for.

    Raises:
        ServiceValidationError: the name is no plain name.
    """
    name = asked.get(ATTR_NAME, f"{asked[ATTR_TIER]}_{dt_util.now():%Y%m%d_%H%M%S}")
    if not _NAME.fullmatch(name):
        raise refusal("bad_export_name", name=name)
    return Path(hass.config.path(STORE_FOLDER, FOLDER, f"{name}.{asked[ATTR_FORMAT]}"))


# Away


async def _async_erase(call: ServiceCall) -> ServiceResponse:
    """Erase entities everywhere, and say what could not be."""
    entry = hub_of(call.hass)
    data = entry.runtime_data
    entities: list[str] = call.data[ATTR_ENTITIES]
    dry_run: bool = call.data[ATTR_DRY_RUN]
    began, started = _now(), monotonic()
    try:
        await data.worker.flush()
        series = _series(call.hass, data, entities)
        # Names on servers are those of the series, so servers come before the store forgets.
        mirrors = await _from_mirrors(data, series, dry_run=dry_run)
        archive = await _from_archives(data, series, dry_run=dry_run)
        erased = await _from_store(call.hass, data, series, dry_run=dry_run)
    except StoreError as error:
        raise store_failed(error) from error
    rows: dict[str, int] = {}
    for done in erased:
        for name, count in done.rows.items():
            rows[name] = rows.get(name, 0) + count
    problems = [*archive.problems, *(each["problem"] for each in mirrors if each["problem"])]
    if not dry_run:
        freed = sum(done.bytes for done in erased)
        operation = Operation(SERVICE_ERASE, began, monotonic() - started, sum(rows.values()), freed, tuple(problems))
        await data.worker.write(lambda store: store.record_operation(operation))
        # What is told of several entities together is worked out without them.
        data.views.soon()
    answer: dict[str, Any] = {
        "dry_run": dry_run,
        "entities": entities,
        "rows": {name: count for name, count in rows.items() if count},
        "texts": sum(done.texts for done in erased),
        "archive_files": archive.rewritten,
        "archives_out_of_reach": archive.away,
        "mirrors": mirrors,
        "problems": problems,
    }
    return answer


async def _from_store(hass: HomeAssistant, data: StrataData, series: list[Series], *, dry_run: bool) -> list[Erased]:
    """Erase series here; those of entities that are there go on with what comes, the others are forgotten."""
    there = [one for one in series if hass.states.get(one.labels.get("entity_id", "")) is not None]
    gone = [one for one in series if one not in there]
    return await data.worker.write(
        lambda store: [
            store.erase(there, dry_run=dry_run),
            store.erase(gone, forget=True, dry_run=dry_run),
        ]
    )


async def _from_mirrors(data: StrataData, series: list[Series], *, dry_run: bool) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for mirror in data.mirror_set.running.values():
        answer: dict[str, Any] = {"mirror": mirror.title, "databases": [], "problem": None}
        try:
            if not dry_run:
                answer["databases"] = await mirror.async_delete_series(series)
        except MirrorError as error:
            answer["problem"] = f"{mirror.title}: {error}"
        told.append(answer)
    return told


async def _from_archives(data: StrataData, series: list[Series], *, dry_run: bool) -> ArchiveErasure:
    if not data.archives.running:
        return ArchiveErasure()
    return await data.archives.async_erase([one.key for one in series], dry_run=dry_run)


def _now() -> Micros:
    return to_micros(dt_util.utcnow())
