"""`retention`: what fills the store and what shortening it saves, the journal, and steps of the ladder on request."""

from datetime import timedelta
from typing import Any, ClassVar, override

from aiohttp import web
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType
import probatio

from ..const import DOMAIN
from ..core.model import Micros, from_micros, to_micros
from ..http import BASE_PATH, ApiCall, StrataView
from ..retention import ARCHIVE
from ..retention_entities import GIGABYTE, annual_savings
from ..retention_preview import series_name
from ..runtime import StrataConfigEntry
from ..store.base import Sizes
from ..store.downsample import OPERATIONS
from ..store.operations import Operation
from ..store.tiers import HOURLY, RAW
from ..websocket import Command

MEGABYTE = 1e6
DURATION_DECIMALS = 3
HISTORY_DAYS = 30


async def answer_stats(entry: StrataConfigEntry) -> JsonObjectType:
    """Return what fills the store, measured now, and what was saved."""
    worker = entry.runtime_data.worker
    sizes = await worker.read(lambda reader: reader.sizes(by_series=True))
    savings = annual_savings(entry, sizes)
    progress = entry.runtime_data.retention.progress
    return {
        "current_db_size_gb": sizes.file_bytes / GIGABYTE,
        "storage_saved_gb": sizes.freed_bytes / GIGABYTE,
        "reduction_percentage": round(100 * sizes.reduction, 2),
        "annual_cost_savings": savings,
        "currency": None if savings is None else entry.runtime_data.store.hass.config.currency,
        "last_downsample_hot_to_warm": _moment(sizes, OPERATIONS[RAW]),
        "last_downsample_warm_to_cold": _moment(sizes, OPERATIONS[HOURLY]),
        "last_archive_to_s3": _moment(sizes, ARCHIVE),
        "running": None if progress is None else progress.step,
        "tiers": {tier: {"rows": size.rows, "bytes": size.bytes} for tier, size in sizes.tiers.items()},
        "entities": _by_entity(entry, sizes),
    }


def _moment(sizes: Sizes, operation: str) -> str | None:
    return from_micros(sizes.last[operation]).isoformat() if operation in sizes.last else None


def _by_entity(entry: StrataConfigEntry, sizes: Sizes) -> list[Any]:
    """Return rows and bytes of each entity or source, the most bytes first."""
    named: dict[str, dict[str, int]] = {}
    for series in entry.runtime_data.worker.all_series():
        for tier, size in sizes.by_series.get(series.id or 0, {}).items():
            own = named.setdefault(series_name(series), {"rows": 0, "bytes": 0})
            own["rows"] += size.rows
            own["bytes"] += size.bytes
            own[f"{tier}_bytes"] = own.get(f"{tier}_bytes", 0) + size.bytes
    return [{"name": name, **own} for name, own in sorted(named.items(), key=lambda item: -item[1]["bytes"])]


async def answer_history(entry: StrataConfigEntry, days: int) -> JsonObjectType:
    """Return the operations of the last days, newest first."""
    since: Micros = to_micros(dt_util.utcnow() - timedelta(days=days))
    found = await entry.runtime_data.worker.read(lambda reader: reader.operations(since))
    return {"operations": [_told(operation) for operation in found]}


def _told(operation: Operation) -> JsonObjectType:
    return {
        "operation_type": operation.operation_type,
        "started": from_micros(operation.started).isoformat(),
        "records_processed": operation.records_processed,
        "storage_freed_mb": operation.bytes_freed / MEGABYTE,
        "duration_seconds": round(operation.duration_seconds, DURATION_DECIMALS),
        "errors": list(operation.errors),
    }


class StatsView(StrataView):
    """Sizes and savings."""

    url = f"{BASE_PATH}/retention/stats"
    name = "api:strata:retention:stats"

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return await answer_stats(call.entry)


class HistoryView(StrataView):
    """The journal."""

    url = f"{BASE_PATH}/retention/history"
    name = "api:strata:retention:history"
    query: ClassVar[probatio.Schema] = probatio.Schema(
        {
            probatio.Optional("days", default=HISTORY_DAYS): probatio.All(
                probatio.Coerce(int), probatio.Range(min=1, max=400)
            )
        }
    )

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return await answer_history(call.entry, call.query["days"])


class _StepView(StrataView):
    """A step that a POST starts; it is answered when it is done."""

    admin = True

    @override
    async def get(self, request: web.Request, **parts: str) -> web.Response:
        raise web.HTTPMethodNotAllowed("GET", ["POST"])

    async def post(self, request: web.Request, **parts: str) -> web.Response:
        """Run the step."""
        return await self.async_serve(request, parts, self.async_answer)


class _DownsampleView(_StepView):
    tiers: ClassVar[tuple[str, ...]]

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        data = call.entry.runtime_data
        await data.worker.flush()
        reports = [await data.retention.downsample(tier) for tier in self.tiers]
        return {
            "operation_type": OPERATIONS[self.tiers[0]],
            "records_processed": sum(report.source_rows for report in reports),
            "storage_freed_mb": sum(report.bytes_freed for report in reports) / MEGABYTE,
            "duration_seconds": round(sum(report.seconds for report in reports), DURATION_DECIMALS),
            "errors": [problem for report in reports for problem in report.problems],
        }


class DownsampleHourlyView(_DownsampleView):
    """Single changes into hours."""

    url = f"{BASE_PATH}/retention/downsample-hourly"
    name = "api:strata:retention:downsample_hourly"
    tiers = (RAW,)


class DownsampleDailyView(_DownsampleView):
    """Hours into days."""

    url = f"{BASE_PATH}/retention/downsample-daily"
    name = "api:strata:retention:downsample_daily"
    tiers = (HOURLY,)


class ArchiveView(_StepView):
    """Days into archives."""

    url = f"{BASE_PATH}/retention/archive"
    name = "api:strata:retention:archive"

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        retention = call.entry.runtime_data.retention
        if retention.hooks.archive is None:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="no_archive")
        since = to_micros(dt_util.utcnow())
        await retention.archive()
        found = await call.entry.runtime_data.worker.read(lambda reader: reader.operations(since))
        done = next((each for each in found if each.operation_type == ARCHIVE), Operation(ARCHIVE, since))
        return _told(done)


VIEWS: tuple[type[StrataView], ...] = (StatsView, HistoryView, DownsampleHourlyView, DownsampleDailyView, ArchiveView)
COMMANDS: tuple[Command, ...] = ()
