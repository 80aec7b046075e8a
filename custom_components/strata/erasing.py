"""Erasing entities everywhere: in the store, in archives, on mirrors, and in what running parts remember."""

import asyncio
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .archive.erase import ArchiveErasure
from .belongings import Belongings, async_belongings, usable_ids
from .core.entity_series import MEASUREMENT
from .core.model import Series, to_micros
from .import_services import async_leave_out, import_runs
from .mirror.errors import MirrorError, MirrorUnsupported
from .refusal import refusal
from .runtime import StrataConfigEntry, StrataData
from .store.base import StoreError
from .store.erase import Erased
from .store.erasing import ErasureRun
from .store.operations import Operation
from .store.sqlite import SqliteStore

OPERATION = "erase"


@dataclass(slots=True)
class MirrorErasure:
    """What became of points on servers."""

    told: list[dict[str, Any]] = field(default_factory=list)
    again: bool = False
    """Whether asking again may do more."""


async def async_erase(
    hass: HomeAssistant, entry: StrataConfigEntry, entities: Collection[str], *, dry_run: bool
) -> dict[str, Any]:
    """Erase everything that belongs to entities, or say what that would be; return the report.

    One erasure at a time, or each would delete what the other leaves, and nothing comes back meanwhile. The series
    themselves go last, and only when nothing is left that asking again could do: as long as they are known, the same
    can be asked for again, whatever it was that interrupted it.

    Raises:
        NotThere: nothing of one of the entities is stored.
        ServiceValidationError: an import is under way.
        StoreError: the store cannot be used.
    """
    entities = list(dict.fromkeys(entities))
    # Who only looks deletes nothing, and waits for nobody.
    async with nullcontext() if dry_run else entry.runtime_data.erasing:
        return await _erase(hass, entry, entities, dry_run=dry_run)


async def _erase(
    hass: HomeAssistant, entry: StrataConfigEntry, entities: Collection[str], *, dry_run: bool
) -> dict[str, Any]:
    began, started, data = to_micros(dt_util.utcnow()), monotonic(), entry.runtime_data
    # What mirrors send meanwhile would be deleted there with the rest, and is not sent a second time.
    async with nullcontext() if dry_run else data.mirror_set.async_paused():
        if not await data.worker.flush():
            raise StoreError("rows wait in memory because the store cannot be written")
        found = await async_belongings(hass, entry, entities)
        if not dry_run:
            await _leave_out(hass, data, found, entities)
        erased = await _from_store(data, found, entities, dry_run=dry_run)
        archive = await _from_archives(data, found, dry_run=dry_run)
        for one in found.series.values():
            names = archive.names.get(one.key.identity, ())
            found.add_earlier(one.key.identity, usable_ids(hass, found, one.labels.get("entity_id", ""), names))
        mirrors = await _from_mirrors(data, found, dry_run=dry_run)
    problems = [*archive.problems, *(each["problem"] for each in mirrors.told if each["problem"])]
    if not dry_run:
        if not archive.problems and not mirrors.again:
            gone = _gone(hass, found)
            await data.worker.write(lambda store: store.forget(gone))
        operation = Operation(OPERATION, began, monotonic() - started, erased.total, erased.bytes, tuple(problems))
        await data.worker.write(lambda store: store.record_operation(operation))
        # What is told of several entities together is worked out without them.
        data.views.soon()
    return {
        "dry_run": dry_run,
        "entities": [*entities],
        "earlier_ids": sorted({name for names in found.earlier.values() for name in names}),
        "readings": sorted({one.key.measurement for one in [*found.series.values(), *found.forecasts.values()]}),
        "rows": {name: count for name, count in erased.rows.items() if count},
        "texts": erased.texts,
        "archive_files": archive.rewritten,
        "archives_out_of_reach": archive.away,
        "mirrors": mirrors.told,
        "left": found.left,
        "problems": problems,
    }


async def _leave_out(hass: HomeAssistant, data: StrataData, found: Belongings, entities: Collection[str]) -> None:
    """See to it that no import brings back what is erased."""
    if import_runs(hass):
        raise refusal("erase_while_importing")
    ours = [key.identity.removeprefix("entity:") for key in found.series if key.measurement == MEASUREMENT]
    await async_leave_out(hass, data.worker, [*entities, *ours])


async def _from_store(data: StrataData, found: Belongings, entities: Collection[str], *, dry_run: bool) -> Erased:
    """Erase rows here, a piece at a time; nobody looks for anomalies meanwhile."""
    series = [*found.series.values()]
    forecasts = {(key.measurement, key.identity) for key in found.forecasts}
    async with nullcontext() if dry_run else data.anomalies.async_erasing(series):
        begun: list[ErasureRun] = []

        def begin(store: SqliteStore) -> ErasureRun:
            begun.append(store.begin_erase(series, forecasts=forecasts, tellers=found.tellers, dry_run=dry_run))
            return begun[0]

        try:
            # Whoever is cancelled here does not know whether the thread began; it does, and has to end what it began.
            run = await data.worker.write(begin)
            if not dry_run:
                # What they remember of the time before must not come back with the next value.
                data.worker.forget_newest(series)
                data.ingest.async_begin_again(entities)
            while await data.worker.write(lambda _store: run.step()):
                pass
        finally:
            erased = await asyncio.shield(data.worker.write(lambda _store: begun[0].end() if begun else Erased()))
    if not dry_run:
        for source in found.sources.values():
            await source.async_forget()
    return erased


async def _from_archives(data: StrataData, found: Belongings, *, dry_run: bool) -> ArchiveErasure:
    if not data.archives.running:
        return ArchiveErasure()
    return await data.archives.async_erase([*found.series], dry_run=dry_run)


async def _from_mirrors(data: StrataData, found: Belongings, *, dry_run: bool) -> MirrorErasure:
    done = MirrorErasure()
    series = found.on_servers()
    for mirror in data.mirror_set.running.values():
        answer: dict[str, Any] = {"mirror": mirror.title, "databases": [], "problem": None}
        try:
            if not dry_run:
                await mirror.async_forget_lines(series)
                answer["databases"] = await mirror.async_delete_series(series)
        except MirrorError as error:
            answer["problem"] = f"{mirror.title}: {error}"
            done.again = done.again or not isinstance(error, MirrorUnsupported)
        done.told.append(answer)
    for title in data.mirror_set.not_running():
        problem = f"{title}: this mirror is not running, so nothing was deleted there"
        done.told.append({"mirror": title, "databases": [], "problem": problem})
        done.again = True
    return done


def _gone(hass: HomeAssistant, found: Belongings) -> list[Series]:
    """Return the series that nobody writes to any more: their entities are gone, and no running source has them."""
    return [
        one
        for one in found.series.values()
        if one.key not in found.written and hass.states.get(one.labels.get("entity_id", "")) is None
    ]
