"""Days that have left the store, for histories that reach back to them."""

from collections.abc import Sequence

from homeassistant.exceptions import HomeAssistantError

from ..archive.errors import ArchiveError
from ..archive.restore import Restorer
from ..core.model import Kind, SeriesKey, TimeRange
from ..core.rollup import Rollup
from ..runtime import StrataData
from ..store.history import Archived, Look


async def from_archive(data: StrataData, look: Look, parts: Sequence[TimeRange]) -> tuple[Archived, list[str]]:
    """Return the archived days that a look at the store lacks, and the files that could not be read.

    Args:
        data: the hub's.
        look: what the store has.
        parts: where days have left the store; only files of their months are read, the oldest first, and no more of
            them than the answer can hold.

    Raises:
        StoreError: the store cannot be read.
    """
    span = TimeRange(min(part.start for part in parts), max(part.end for part in parts))
    # By key and not by name: an entity may have had another one when the file was written.
    keys = {one.series.key for one in look.series}

    def read(restorer: Restorer) -> tuple[Archived, list[str]]:
        found: dict[tuple[SeriesKey, Kind], list[Rollup]] = {}
        for _, series in restorer.day_files(span, keys=keys):
            for one, days in series:
                found.setdefault((one.key, days.kind), []).append(days)
            if look.is_enough(found):
                break
        return found, restorer.report.problems

    try:
        return await data.archives.async_read(read)
    except (ArchiveError, HomeAssistantError) as error:
        return {}, [str(error)]
