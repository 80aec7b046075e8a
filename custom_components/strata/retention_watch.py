"""What the ladder does, told to the home: repair issues, an event, points of its own, and a look at what fills up."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
import shutil

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .core.model import Kind, SeriesKey, to_micros
from .held_values import async_look_for_held
from .keeping import async_keeps, expires_days, policies_of, schedule_of
from .retention import ARCHIVE
from .runtime import StrataConfigEntry, supervise
from .store.base import DownsampleReport
from .store.downsample import OPERATIONS
from .store.tiers import FIVE_MINUTE, HOURLY, RAW, Keeps
from .store.worker import StoreWorker

EVENT_RETENTION_FAILED = f"{DOMAIN}_retention_failed"
ISSUES_FAILED = {
    OPERATIONS[RAW]: "retention_failed_downsample_hourly",
    OPERATIONS[FIVE_MINUTE]: "retention_failed_downsample_five_minute",
    OPERATIONS[HOURLY]: "retention_failed_downsample_daily",
    ARCHIVE: "retention_failed_archive",
}
"""The issue of each step, so that its text can name the step in the user's language."""
ISSUE_DISK_LOW = "disk_low"
MEASUREMENT = "retention_metrics"
DISK_SECONDS = 3600.0
LEAST_FREE = 500 * 1024 * 1024
"""Bytes that have to be free on the disk of the store."""
FREE_AGAIN = 2 * LEAST_FREE
MEGABYTE = 1e6


class RetentionWatch:
    """Hears of each step of the ladder."""

    def __init__(self, hass: HomeAssistant, worker: StoreWorker) -> None:
        """Watch over one store."""
        self._hass = hass
        self._worker = worker
        self._low = False
        self.disk_free: int | None = None
        """Bytes, as of the last look."""
        self.looks: list[Callable[[], Awaitable[None]]] = [self.async_look]
        """What is looked at every hour."""

    async def run(self) -> None:
        """Look at everything every hour, until cancelled."""
        while True:
            for look in self.looks:
                await look()
            await asyncio.sleep(DISK_SECONDS)

    async def async_look(self) -> None:
        """Measure what is free, and say when it is little."""
        try:
            usage = await self._hass.async_add_executor_job(shutil.disk_usage, self._worker.path.parent)
        except OSError as error:
            LOGGER.debug("The disk of the store cannot be measured: %s", error)
            return
        self.disk_free = usage.free
        if usage.free < LEAST_FREE and not self._low:
            self._low = True
            self._tell(ISSUE_DISK_LOW, "disk", f"{usage.free / 1024**2:.0f} MB")
        elif usage.free > FREE_AGAIN:
            self._low = False
            ir.async_delete_issue(self._hass, DOMAIN, ISSUE_DISK_LOW)

    @callback
    def failed(self, step: str, reason: str) -> None:
        """Tell that a step failed, or runs for too long."""
        self._tell(ISSUES_FAILED[step], step, reason)

    @callback
    def succeeded(self, step: str) -> None:
        """Take back what was said of a step; what others failed at still holds."""
        ir.async_delete_issue(self._hass, DOMAIN, ISSUES_FAILED[step])

    @callback
    def fire(self, step: str, reason: str) -> None:
        """Tell automations that a step failed."""
        self._hass.bus.async_fire(EVENT_RETENTION_FAILED, {"step": step, "reason": reason})

    def _tell(self, issue: str, step: str, reason: str) -> None:
        self.fire(step, reason)
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue,
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key=issue,
            translation_placeholders={"reason": reason},
        )

    @callback
    def done(self, report: DownsampleReport) -> None:
        """Keep the figures of a step as points."""
        if not report.source_rows and not report.problems:
            return
        self.keep(OPERATIONS[report.tier], report.source_rows, report.bytes_freed, report.seconds, len(report.problems))

    @callback
    def keep(self, operation: str, rows: int, bytes_freed: int, seconds: float, errors: int) -> None:
        """Keep the figures of an operation, called as in the journal, as points."""
        now = to_micros(dt_util.utcnow())
        tags = {"operation_type": operation}
        figures = {
            "records_processed": (float(rows), None),
            "storage_freed_mb": (bytes_freed / MEGABYTE, "MB"),
            "duration_seconds": (seconds, "s"),
            "errors": (float(errors), None),
        }
        for name, (value, unit) in figures.items():
            series = self._worker.series(SeriesKey.of_tags(MEASUREMENT, tags, name), kind=Kind.MEASUREMENT, unit=unit)
            self._worker.put(series, now, value)


@callback
def async_connect_retention(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Let the ladder of a hub follow its options and tell what it does."""
    data = entry.runtime_data
    worker = data.worker
    watch = data.retention_watch = RetentionWatch(hass, worker)

    async def keeps() -> Keeps:
        return await async_keeps(hass, worker.all_series(), policies_of(entry.options), worker.ladder)

    @callback
    def done(report: DownsampleReport) -> None:
        watch.done(report)
        data.views.soon()

    hooks = data.retention.hooks
    hooks.schedule = lambda: schedule_of(entry.options)
    hooks.keeps = keeps
    hooks.expire_days = lambda: expires_days(entry)
    hooks.done, hooks.failed, hooks.succeeded = done, watch.failed, watch.succeeded
    hooks.changed = data.store.async_update_listeners
    watch.looks.append(partial(async_look_for_held, hass, entry))
    data.tasks.append(
        entry.async_create_background_task(hass, supervise("disk watch", watch.run), f"{DOMAIN} disk watch")
    )
