"""One export: what the store has of a layer, and of days what only the archive has."""

from collections.abc import Mapping, Sequence

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import numpy as np

from .archive import manifest
from .archive.errors import ArchiveError
from .archive.restore import Restorer
from .core.model import Kind, SeriesKey, TimeRange
from .core.rollup import Ints, Rollup
from .exports import Export
from .refusal import refusal
from .runtime import StrataData
from .store.history import stretches
from .store.lineage import Lineage
from .store.reader import StoreReader
from .store.tiers import DAILY
from .store.words import codes_in, in_words, merge_buckets

type _Told = dict[tuple[SeriesKey, Kind], list[Ints]]
"""Days that were written already."""


async def async_write(
    hass: HomeAssistant, data: StrataData, export: Export, lines: Sequence[Lineage], when: TimeRange
) -> tuple[int, list[str]]:
    """Write a file; return its bytes, and what of the archive is missing in it.

    Raises:
        ServiceValidationError: there is a file of that name.
        StoreError: the store cannot be read.
        OSError: the file cannot be written.
    """

    def begin() -> bool:
        export.path.parent.mkdir(parents=True, exist_ok=True)
        if export.path.exists():
            return False
        export.open()
        return True

    if not await hass.async_add_executor_job(begin):
        raise refusal("export_is_there", name=export.path.name)
    told: _Told = {}
    try:
        problems = await _write_archived(data, export, lines, when, told) if export.tier == DAILY else []
        parts = await data.worker.read(lambda reader: list(stretches(reader, export.tier, when)))
        for one in lines:
            starts = told.get((one.series.key, one.series.kind))
            without = None if starts is None else np.concatenate(starts)
            for part in parts:
                found = await data.worker.read(
                    lambda reader, one=one, part=part, without=without: export.read(  # type: ignore[misc]
                        reader, one, part, without
                    )
                )
                if found is not None:
                    await hass.async_add_executor_job(export.write, found)
        return await hass.async_add_executor_job(export.finish), problems
    except BaseException:
        await hass.async_add_executor_job(export.give_up)
        raise


async def _write_archived(
    data: StrataData, export: Export, lines: Sequence[Lineage], when: TimeRange, told: _Told
) -> list[str]:
    """Write the days that are in archives, each as whoever knows more tells it."""
    if not data.archives.running:
        return []
    gone = await data.worker.read(lambda reader: manifest.gone(reader.connection, when))
    if gone is None:
        return []
    ours: Mapping[SeriesKey, Lineage] = {one.series.key: one for one in lines}

    def write(restorer: Restorer) -> list[str]:
        for archived, days in restorer.days(gone, keys=ours):
            one = ours[archived.key]
            here = restorer.access.read(lambda reader, one=one, days=days: _here(reader, one, days))  # type: ignore[misc]
            merged = merge_buckets(days, here)
            merged = merged.select(np.isin(merged.starts, days.starts))
            export.write(export.of(one.series, merged))
            told.setdefault((archived.key, days.kind), []).append(days.starts)
        return restorer.report.problems

    try:
        return await data.archives.async_read(write, job=True)
    except (ArchiveError, HomeAssistantError) as error:
        return [str(error)]


def _here(reader: StoreReader, one: Lineage, days: Rollup) -> Rollup:
    when = TimeRange(int(days.starts[0]), int(days.starts[-1]) + 1)
    found = one.tier(reader, DAILY, when, days.kind)
    return in_words(found, reader.texts(codes_in(found)))
