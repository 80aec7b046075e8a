"""Days that have left the store, for histories that reach back to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from homeassistant.exceptions import HomeAssistantError

from ..archive import manifest
from ..archive.errors import ArchiveError
from ..archive.restore import Restorer
from ..core.model import Kind, Micros, Series, SeriesKey, TimeRange
from ..runtime import StrataData
from ..store.answers import Answer
from ..store.history import ReadArchive, archived_part
from ..store.reader import StoreReader
from ..store.tiers import DAILY
from ..store.words import answers_in_words

type _Days = Mapping[tuple[SeriesKey, Kind], Sequence[tuple[Micros, Answer]]]


@dataclass(frozen=True, slots=True)
class Archived:
    """What archives told, and the files of theirs that could not be read."""

    read: ReadArchive | None = None
    problems: list[str] = field(default_factory=list)


async def from_archive(data: StrataData, series: Sequence[Series], when: TimeRange, finest: str) -> Archived:
    """Return the archived days of some series; only files of months of which days have left the store are read.

    Raises:
        StoreError: the store cannot be read.
    """
    if not data.archives.running:
        return Archived()
    timezone = data.worker.timezone

    def older(reader: StoreReader) -> list[TimeRange]:
        parts = [archived_part(reader, timezone, one, when, finest) for one in series]
        left = [manifest.gone(reader.connection, part) for part in parts if part is not None]
        return [part for part in left if part is not None]

    parts = await data.worker.read(older)
    if not parts:
        return Archived()
    span = TimeRange(min(part.start for part in parts), max(part.end for part in parts))
    keys = {one.key for one in series}

    def read(restorer: Restorer) -> tuple[_Days, list[str]]:
        found: dict[tuple[SeriesKey, Kind], list[tuple[Micros, Answer]]] = {}
        for one, days in restorer.days(span):
            # By key and not by name: an entity may have had another one when the file was written.
            if one.key in keys:
                rows = zip(days.starts.tolist(), answers_in_words(days, DAILY, one.unit), strict=True)
                found.setdefault((one.key, days.kind), []).extend(rows)
        return found, restorer.report.problems

    try:
        found, problems = await data.archives.async_read(read)
    except (ArchiveError, HomeAssistantError) as error:
        return Archived(problems=[str(error)])
    return Archived(
        lambda one, part: iter([row for row in found.get((one.key, one.kind), ()) if row[0] in part]), problems
    )
