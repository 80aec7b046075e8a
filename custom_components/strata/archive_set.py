"""The archive at work: follows the hub's targets, and runs archiving and restoring on threads of their own.

One run at a time, because runs write into the same places; who only reads waits for none of them.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.util import dt as dt_util

from .archive import aliases, claim
from .archive.access import WorkerAccess
from .archive.adopt import Adopter, AdoptReport
from .archive.archiver import Archiver
from .archive.erase import ArchiveErasure, Eraser
from .archive.errors import ArchiveError
from .archive.report import ArchiveReport, Wishes
from .archive.restore import Restorer
from .archive.vault import Vault
from .archive_coordinator import ArchiveCoordinator
from .archive_issues import (
    async_clear_archive_issues,
    async_clear_held,
    async_report_problems,
    async_report_unknown_archive,
)
from .archive_threads import async_in_folder, threads_of
from .const import (
    CONF_ARCHIVES,
    CONF_COMPRESSION,
    CONF_EARLY,
    CONF_KEEP_YEARS,
    CONF_RAW_ROWS,
    CONF_TARGET,
    DOMAIN,
    LOGGER,
    SUBENTRY_ARCHIVE,
)
from .core.model import Micros, SeriesKey, TimeRange, to_micros
from .dependencies import DependencyMissing, async_require
from .retention import Progress
from .runtime import StrataConfigEntry
from .store.base import StoreError
from .store.operations import Operation
from .store.tiers import Keeps
from .store.worker import StoreWorker

type AddArchive = Callable[[ArchiveCoordinator], None]

OPERATION, OPERATION_RAW, OPERATION_RESTORE = "archive", "archive_raw", "restore"
OPERATION_ADOPT = "adopt_archive"
OPERATION_RANGE = "archive_range"
"""What runs are called in the journal; only the first is the weekly one, and makes it done."""
_REASONS = 3
"""Problems that an event names."""
_RETRY_SECONDS = 3600.0
"""How long after a run that failed the schedule waits before the next."""
_RETRY_DAMAGED_SECONDS = 7 * 86_400.0
"""The same where files are damaged and all else went well: a look at every file is for once a week."""
_STOP_SECONDS = 30.0


def archives_of(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the hub's options about archives."""
    found: Mapping[str, Any] = options.get(CONF_ARCHIVES, {})
    return found


def is_early(archive: ConfigSubentry | None, said: Mapping[str, Any]) -> bool:
    """Tell whether an archive gets months as soon as they are over.

    Args:
        archive: None for one that is about to be added.
        said: the hub's options about archives, which said so for all of them before each could.
    """
    if archive is None:
        return True
    return bool(archive.data.get(CONF_EARLY, said.get(CONF_EARLY, False)))


def holds_raw_rows(options: Mapping[str, Any]) -> bool:
    """Tell whether single values stay until they are archived, even while there is no archive that could take them."""
    return bool(archives_of(options).get(CONF_RAW_ROWS))


def waits_for_an_archive(entry: StrataConfigEntry) -> bool:
    """Tell whether single values stay because they are to be archived, and there is no archive."""
    return holds_raw_rows(entry.options) and not any(entry.get_subentries_of_type(SUBENTRY_ARCHIVE))


class ArchiveSet:
    """Runs archives; `running` is by subentry id."""

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry, worker: StoreWorker) -> None:
        """Begin with no targets; `async_follow` finds them."""
        self._hass = hass
        self._entry = entry
        self._worker = worker
        self._platforms: list[AddArchive] = []
        self._threads = threads_of(hass)
        self._stopped = False
        self._retry_at = 0.0
        self.running: dict[str, ArchiveCoordinator] = {}
        self.problems: list[str] = []
        """What the last run could not do."""

    # Targets

    @callback
    def async_add_platform(self, add: AddArchive) -> None:
        """Let a platform add its entities for every target there is and every one to come."""
        self._platforms.append(add)
        for archive in self.running.values():
            add(archive)

    async def async_follow(self) -> None:
        """Take up what is new, drop what is gone, make anew what changed."""
        if self._stopped:
            return
        wanted = {each.subentry_id: each for each in self._entry.get_subentries_of_type(SUBENTRY_ARCHIVE)}
        for subentry_id, archive in [*self.running.items()]:
            subentry = wanted.get(subentry_id)
            if subentry is None or archive.configuration != (subentry.title, dict(subentry.data)):
                await self._end(archive, gone=subentry is None)
        for subentry_id, subentry in wanted.items():
            if subentry_id not in self.running:
                await self._begin(subentry)
        self._worker.archived_only = holds_raw_rows(self._entry.options)
        if not waits_for_an_archive(self._entry):
            async_clear_held(self._hass)
        hooks = self._entry.runtime_data.retention.hooks
        hooks.archive = self._archive if self.running else None
        hooks.may_archive = lambda: monotonic() >= self._retry_at
        hooks.before_raw = self.async_archive_raw

    async def async_stop(self) -> None:
        """Let a run come to its next step and end; what it has done stays done."""
        if self._stopped:
            return
        self._stopped = True
        try:
            async with (
                asyncio.timeout(_STOP_SECONDS),
                self._threads.writing,
                self._threads.reading.all(),
                self._threads.jobs,
            ):
                pass
        except TimeoutError:
            LOGGER.warning("A run of the archive did not end in time; the next one goes on where it is cut off")
        for archive in self.running.values():
            await archive.async_shutdown()
        self.running.clear()

    async def _begin(self, subentry: ConfigSubentry) -> None:
        try:
            archive = ArchiveCoordinator(self._hass, self._entry, subentry, self._worker)
        except KeyError:
            LOGGER.error("The archive %s needs a kind of target that this version does not know", subentry.title)
            async_report_unknown_archive(self._hass, subentry, str(subentry.data.get(CONF_TARGET)))
            return
        self.running[subentry.subentry_id] = archive
        self._retry_at = 0.0
        await archive.async_refresh()
        for add in self._platforms:
            add(archive)
        if not (archive.data.months or archive.data.raw_days):
            # Nothing of this store is there; somebody else's may be. Otherwise the next run looks.
            self._hass.async_create_background_task(self._look(archive), f"{DOMAIN} looks at {subentry.subentry_id}")

    async def _look(self, archive: ArchiveCoordinator) -> None:
        """Say so where a new target holds an archive of another store."""
        try:
            async with self._threads.writing:
                if self._stopped or archive.subentry_id not in self.running:
                    return
                for feature in archive.kind.features:
                    await async_require(self._hass, feature)
                found = await self._off_loop(lambda vault: claim.check(vault, [archive.subentry_id]))
        except (DependencyMissing, StoreError) as error:
            LOGGER.debug("The archive %s was not looked at: %s", archive.title, error)
            return
        if archive.subentry_id in found:
            archive.async_note(found[archive.subentry_id])
            archive.async_update_listeners()

    async def _end(self, archive: ArchiveCoordinator, *, gone: bool) -> None:
        del self.running[archive.subentry_id]
        await archive.async_shutdown()
        async_clear_archive_issues(self._hass, archive.subentry_id)
        if gone:
            return
        for platform in async_get_platforms(self._hass, DOMAIN):
            for entity in [*platform.entities.values()]:
                if getattr(entity, "coordinator", None) is archive:
                    await entity.async_remove()

    # Runs

    async def _archive(self) -> None:
        """Archive what is past its time, as the ladder asks."""
        await self.async_run()

    async def async_archive_raw(self) -> None:
        """Archive the single rows that are about to be deleted, where that is wanted."""
        if self.running and holds_raw_rows(self._entry.options):
            await self._run(OPERATION_RAW, lambda archiver: archiver.archive_raw())

    async def async_run(self, *, dry_run: bool = False) -> ArchiveReport:
        """Archive what is past its time, and let it go here.

        Raises:
            StoreError: the store cannot be used.
        """
        return await self._run(OPERATION, lambda archiver: archiver.run(dry_run=dry_run), dry_run=dry_run)

    async def async_archive(self, when: TimeRange, *, only: str | None = None, dry_run: bool = False) -> ArchiveReport:
        """Archive the finished months that a range touches; nothing local goes.

        Raises:
            StoreError: the store cannot be used.
        """
        return await self._run(
            OPERATION_RANGE, lambda archiver: archiver.archive(when, only=only, dry_run=dry_run), dry_run=dry_run
        )

    async def _run(
        self, operation: str, work: Callable[[Archiver], ArchiveReport], *, dry_run: bool = False
    ) -> ArchiveReport:
        wishes = await self._wishes()
        async with self._threads.writing:
            began = _now()
            if operation in {OPERATION, OPERATION_RANGE} and not dry_run:
                entities = entities_here(self._hass)
                await self._worker.write(lambda store: aliases.resolve(store, entities))
            try:
                await self.async_require()
            except DependencyMissing as error:
                report = ArchiveReport(problems=[str(error)], dry_run=dry_run)
            else:
                report = await self._off_loop(
                    lambda vault: work(
                        Archiver(
                            vault, _now, wishes=wishes, go_on=lambda: not self._stopped, progress=self._on_progress
                        )
                    )
                )
        if not dry_run and not self._stopped:
            await self._tell(operation, began, report)
        return report

    def _on_progress(self, done: int, total: int) -> None:
        """Hear from the thread how far a run is."""
        self._hass.loop.call_soon_threadsafe(self._show, done, total)

    @callback
    def _show(self, done: int, total: int) -> None:
        retention = self._entry.runtime_data.retention
        if retention.progress is not None and retention.progress.step == OPERATION:
            retention.progress = Progress(OPERATION, done, total)
            retention.hooks.changed()

    async def _wishes(self) -> Wishes:
        said = archives_of(self._entry.options)
        late = frozenset(name for name, archive in self.running.items() if not is_early(archive.subentry, said))
        hooks = self._entry.runtime_data.retention.hooks
        keeps: Keeps = await hooks.keeps() if hooks.keeps else {}
        return Wishes(
            compression=said.get(CONF_COMPRESSION, "gzip"),
            keep_years=(said.get(CONF_KEEP_YEARS) or None) if hooks.believes_clock() else None,
            early=len(late) < len(self.running),
            late=late,
            keeps=keeps,
        )

    async def async_require(self) -> None:
        """Make sure that what the targets need is installed.

        Raises:
            DependencyMissing: something could not be installed.
        """
        await async_require(self._hass, "parquet")
        for feature in {feature for archive in self.running.values() for feature in archive.kind.features}:
            await async_require(self._hass, feature)

    async def _off_loop[T](self, work: Callable[[Vault], T]) -> T:
        targets = {subentry_id: archive.target() for subentry_id, archive in self.running.items()}
        access = WorkerAccess(self._worker, self._hass.loop)

        def run(scratch: Path) -> T:
            vault = Vault(access, targets, scratch, _now)
            try:
                return work(vault)
            finally:
                vault.close()

        return await async_in_folder(self._hass, run)

    async def async_read[T](self, work: Callable[[Restorer], T], *, job: bool = False) -> T:
        """Run `work` with a reader of the archive on a thread of its own; a `job` may take long.

        Raises:
            ArchiveError: others have been reading for so long that it did not come to it.
            DependencyMissing: a library is missing.
            StoreError: the store cannot be used.
        """
        async with self._threads.jobs if job else self._threads.reading.one():
            await self.async_require()
            names = {each.key: name for each in self._worker.all_series() if (name := each.labels.get("entity_id"))}
            return await self._off_loop(lambda vault: work(Restorer(vault, names, go_on=lambda: not self._stopped)))

    async def async_erase(self, keys: Collection[SeriesKey], *, dry_run: bool = False) -> ArchiveErasure:
        """Erase series from every file of the archive.

        Raises:
            StoreError: the store cannot be used.
        """
        wishes = await self._wishes()
        async with self._threads.writing:
            try:
                await self.async_require()
            except DependencyMissing as error:
                return ArchiveErasure(problems=[str(error)])
            return await self._off_loop(
                lambda vault: Eraser(vault, _now, wishes=wishes, go_on=lambda: not self._stopped).erase(
                    keys, dry_run=dry_run
                )
            )

    async def async_adopt(self, target: str, *, dry_run: bool = False) -> AdoptReport:
        """Take up what a target holds that this store knows nothing of.

        Raises:
            ArchiveError: the target cannot be asked.
            DependencyMissing: a library is missing.
            StoreError: the store cannot be used.
        """
        async with self._entry.runtime_data.erasing, self._threads.writing:
            if target not in self.running:
                raise ArchiveError("the archive was removed")
            await self.async_require()
            entities, began = entities_here(self._hass), _now()
            report = await self._off_loop(
                lambda vault: Adopter(vault, _now, entities, go_on=lambda: not self._stopped).adopt(
                    target, dry_run=dry_run
                )
            )
        if dry_run or self._stopped:
            return report
        await self.async_record(
            Operation(OPERATION_ADOPT, began, report.seconds, report.rows, 0, tuple(report.problems))
        )
        LOGGER.info("Took up %d files of the archive: %d rows", len(report.files), report.rows)
        if (archive := self.running.get(target)) is not None:
            if report.done:
                archive.async_note(None)
            await archive.async_refresh()
        return report

    async def async_record(self, operation: Operation) -> None:
        """Write into the journal; a store that cannot be written is no reason to fail."""
        try:
            await self._worker.write(lambda store: store.record_operation(operation))
        except StoreError as error:
            LOGGER.warning("What the archive did could not be written into the journal: %s", error)

    async def _tell(self, operation: str, began: Micros, report: ArchiveReport) -> None:
        self.problems = report.problems
        if operation == OPERATION:
            wait = _RETRY_DAMAGED_SECONDS if report.is_only_damage else _RETRY_SECONDS
            self._retry_at = monotonic() + wait if report.problems else 0.0
        await self.async_record(
            Operation(
                operation,
                began,
                report.seconds,
                report.rows_deleted or report.rows,
                report.bytes_freed,
                tuple(report.problems),
            )
        )
        if report.files or report.rows_deleted:
            LOGGER.info(
                "Archived %s: %d rows in %d bytes; %d rows were let go here, "
                "%d bytes freed, %.1f %% smaller, in %.1f s, %d problems",
                ", ".join(report.files) or "nothing new", report.rows, report.bytes, report.rows_deleted,
                report.bytes_freed, report.reduction, report.seconds, len(report.problems),
            )  # fmt: skip
        watch = self._entry.runtime_data.retention_watch
        if report.files or report.rows_deleted or report.problems:
            watch.keep(operation, report.rows, report.bytes_freed, report.seconds, len(report.problems))
        if report.problems:
            watch.fire(operation, "; ".join(report.problems[:_REASONS]))
        async_report_problems(self._hass, [] if report.failing else report.problems)
        for archive in self.running.values():
            archive.async_note(report.failing.get(archive.subentry_id))
            await archive.async_refresh()
        await self._entry.runtime_data.store.async_request_refresh()


def entities_here(hass: HomeAssistant) -> dict[str, str]:
    """Return what entities are known by in the store, by entity id: their registry id, or else the entity id."""
    without_entry = {entity_id: entity_id for entity_id in hass.states.async_entity_ids()}
    return without_entry | {entry.entity_id: entry.id for entry in er.async_get(hass).entities.values()}


def _now() -> Micros:
    return to_micros(dt_util.utcnow())
