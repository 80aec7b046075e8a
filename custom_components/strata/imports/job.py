"""One import: entity by entity, going on where it stopped, the same however often it runs.

What an entity's own history tells already is never touched: only what is older comes in. When it began is noted before
the first row enters, so that a run that goes on, and one that runs again, draw the line where the first one did.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
import time
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..const import LOGGER
from ..core.clock import hour_edges
from ..core.entity_series import MEASUREMENT
from ..core.model import Kind, Micros, Row, Series, TimeRange
from ..store.backlog import load_note
from ..store.operations import Operation
from ..store.sqlite import SqliteStore
from ..store.tiers import RAW
from ..store.timeline import Carry
from ..store.worker import StoreWorker
from .base import Batch, ImportSource
from .collector import Collector, hours_of

OPERATION = "import"
_BEGIN: Micros = 946_684_800_000_000
"""2000-01-01."""
_ROWS_AT_ONCE = 2_000
_STATES_AT_ONCE = 500
"""States that are taken before others have their turn: about a millisecond on a desktop's core."""


@dataclass(slots=True)
class Progress:
    """How far an import has come."""

    source: str
    entities: int = 0
    done: int = 0
    skipped: int = 0
    """Entities that an earlier run has finished."""
    hours: int = 0
    rows: int = 0
    entity_id: str | None = None
    failed: str | None = None
    finished: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it for events and answers."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class _Entity:
    """One entity under way."""

    entity_id: str
    collector: Collector
    carries: dict[int, Carry | None] = field(default_factory=dict)
    words: dict[int, str] = field(default_factory=dict)
    """What the numbers of texts in `carries` say: between two portions the store may give a text another number."""


class ImportJob:
    """Brings the history of one source in."""

    def __init__(
        self,
        hass: HomeAssistant,
        worker: StoreWorker,
        source: ImportSource,
        now: Callable[[], Micros],
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """Import from `source`; `report` hears of each entity that is done."""
        self._hass = hass
        self._worker = worker
        self._source = source
        self._now = now
        self._report = report
        self._note = f"import:{source.name}"
        self.progress = Progress(source.name)

    async def run(
        self, entities: Sequence[str] | None = None, start: Micros = _BEGIN, without: Collection[str] = ()
    ) -> Progress:
        """Import what is older than our own history, of these entities or of all that we record.

        Args:
            entities: entity ids.
            start: from when on.
            without: entities left out, by entity id or as the registry knows them for life.

        Raises:
            ImportFailed: the source cannot be read.
            StoreError: the store cannot be written.
        """
        progress, began, started = self.progress, time.monotonic(), self._now()
        try:
            await self._worker.flush()
            await self._worker.roll_up()
            begins = await self._worker.write(lambda store: store.begin_import(started))
            note = await self._worker.read(lambda reader: load_note(reader.connection, self._note)) or {}
            chosen = await self._chosen(entities, without)
            progress.entities = len(chosen)
            for entity_id in chosen:
                progress.entity_id = entity_id
                await self._entity(entity_id, start, note, begins)
                self._report(progress)
            progress.entity_id = None
            progress.finished = True
        except Exception as error:
            progress.failed = str(error)
            raise
        finally:
            self._report(progress)
            await self._journal(started, time.monotonic() - began)
        LOGGER.info("Imported %d hours and %d changes from %s", progress.hours, progress.rows, self._source.name)
        return progress

    async def _journal(self, started: Micros, seconds: float) -> None:
        progress = self.progress
        errors = () if progress.failed is None else (progress.failed,)
        done = Operation(OPERATION, started, seconds, progress.hours + progress.rows, 0, errors)
        await self._worker.write(lambda store: store.record_operation(done))

    async def _chosen(self, entities: Sequence[str] | None, without: Collection[str]) -> list[str]:
        registry = er.async_get(self._hass)
        known = [
            entity_id
            for entity_id in await self._source.entities()
            if entity_id not in without and ((one := registry.async_get(entity_id)) is None or one.id not in without)
        ]
        if entities is not None:
            return [entity_id for entity_id in entities if entity_id in known]
        ours = {one.labels.get("entity_id") for one in self._worker.all_series() if one.key.measurement == MEASUREMENT}
        return [entity_id for entity_id in known if entity_id in ours]

    async def _entity(self, entity_id: str, start: Micros, note: dict[str, Any], begins: dict[int, Micros]) -> None:
        entry = er.async_get(self._hass).async_get(entity_id)
        identity = entity_id if entry is None else entry.id
        series = [one for one in self._worker.all_series() if one.key.identity == f"entity:{identity}"]
        kept = note.setdefault(identity, {})
        if kept.get("from") is not None and kept["from"] <= start and kept.get("done"):
            self.progress.skipped += 1
            return
        if "until" not in kept:
            kept["until"] = min((begins[one.id or 0] for one in series if one.id in begins), default=self._now())
            await self._worker.write(lambda store: store.save_note(self._note, note))
        entity = _Entity(entity_id, Collector(self._worker, entity_id, identity))
        if start < kept["until"]:
            async for batch in self._source.read(entity_id, series, TimeRange(start, kept["until"])):
                await self._take(entity, batch)
        kept |= {"from": start, "done": True}
        await self._worker.write(lambda store: store.save_note(self._note, note))
        self.progress.done += 1

    async def _take(self, entity: _Entity, batch: Batch) -> None:
        for series, hours in batch.hours:
            self.progress.hours += await self._worker.write(
                lambda store, series=series, hours=hours: store.import_hours(series, hours)  # type: ignore[misc]
            )
        for count, state in enumerate(batch.states, 1):
            entity.collector.add(*state)
            if not count % _STATES_AT_ONCE:
                await asyncio.sleep(0)
        rows = entity.collector.take()
        keep = self._worker.ladder[RAW].keep
        kept_raw = keep is None or batch.when.start >= self._now() - int(keep.total_seconds()) * 1_000_000
        if not kept_raw:
            self.progress.hours += await self._worker.write(lambda store: _as_hours(store, entity, rows, batch.when))
            return
        for place in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[place : place + _ROWS_AT_ONCE]
            self.progress.rows += await self._worker.write(lambda store, part=part: store.write(part))  # type: ignore[misc]


def _as_hours(store: SqliteStore, entity: _Entity, rows: Sequence[Row], when: TimeRange) -> int:
    """Store rows that are older than single changes are kept as the hours they make; on the writer's thread."""
    by_series: dict[int, list[Row]] = {number: [] for number in entity.carries}
    found: dict[int, Series] = {}
    store.save_series()
    for row in rows:
        by_series.setdefault(row.series.id or 0, []).append(row)
        found[row.series.id or 0] = row.series
    edges = hour_edges(store.timezone, when.start, when.end)
    codes = store.codes({row.text for row in rows if row.text is not None} | set(entity.words.values()))
    for number, word in entity.words.items():
        if (carry := entity.carries[number]) is not None:
            entity.carries[number] = replace(carry, value=float(codes[word]))
    words = {code: text for text, code in codes.items()}
    count = 0
    for number, own in by_series.items():
        series = found.get(number) or next(one for one in store.all_series() if one.id == number)
        inside = [row for row in own if edges[0] <= row.time < edges[-1]] if len(edges) > 1 else []
        if len(edges) < 2:
            continue
        hours, carry = hours_of(series, inside, edges, codes, entity.carries.get(number))
        entity.carries[number] = carry
        if series.kind is Kind.TEXT and carry is not None:
            entity.words[number] = words[int(carry.value)]
        else:
            entity.words.pop(number, None)
        count += store.import_hours(series, hours)
    return count
