"""The actions that take history out: into a file, or away for ever."""

from collections.abc import Sequence
from pathlib import Path
import re
from time import monotonic
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv, service
from homeassistant.util import dt as dt_util
import probatio

from .api.history import series_of
from .asking import asked_span
from .const import DOMAIN, STORE_FOLDER
from .core.entity_series import MEASUREMENT
from .core.model import Micros, to_micros
from .dependencies import async_require
from .erasing import OPERATION as SERVICE_ERASE, async_erase
from .exporting import async_write
from .exports import FOLDER, FORMATS
from .refusal import hub_of, refusal, store_failed
from .runtime import StrataData
from .store.base import StoreError
from .store.history import ORDER
from .store.lineage import Lineage, lineages
from .store.operations import Operation
from .store.reader import StoreReader
from .store.tiers import HOURLY

ATTR_ENTITIES = "entities"
ATTR_TIER = "tier"
ATTR_START = "start"
ATTR_END = "end"
ATTR_FORMAT = "format"
ATTR_NAME = "name"
ATTR_DRY_RUN = "dry_run"

SERVICE_EXPORT = "export"
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


async def _lines(hass: HomeAssistant, data: StrataData, entities: list[str] | None) -> Sequence[Lineage]:
    """Return the series of some entities, or of all, each with what the store has of it under earlier registry ids."""
    everything = data.worker.all_series()
    if entities is None:
        series = [one for one in everything if one.key.measurement == MEASUREMENT and one.id is not None]
    else:
        series = [one for entity_id in entities for one in series_of(hass, data.worker, entity_id)]
    called = await data.worker.read(StoreReader.continued)
    return lineages(series, everything, called)


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
        lines = await _lines(call.hass, data, asked.get(ATTR_ENTITIES))
        size, problems = await async_write(call.hass, data, export, lines, when)
    except (StoreError, OSError) as error:
        raise store_failed(error) from error
    done = Operation(SERVICE_EXPORT, began, monotonic() - started, export.rows, 0, tuple(problems))
    await data.worker.write(lambda store: store.record_operation(done))
    return {
        "file": str(path.relative_to(call.hass.config.config_dir)),
        "tier": export.tier,
        "series": len(lines),
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
    entry, asked = hub_of(call.hass), call.data
    try:
        return await async_erase(call.hass, entry, asked[ATTR_ENTITIES], dry_run=asked[ATTR_DRY_RUN])
    except StoreError as error:
        raise store_failed(error) from error


def _now() -> Micros:
    return to_micros(dt_util.utcnow())
