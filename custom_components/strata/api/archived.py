"""Days that have left the store, for histories that reach back to them."""

from collections.abc import Sequence

from homeassistant.exceptions import HomeAssistantError

from ..archive.errors import ArchiveError
from ..archive.history import archived_days
from ..archive.restore import Restorer
from ..core.model import TimeRange
from ..runtime import StrataData
from ..store.history import Archived, Look


async def from_archive(data: StrataData, look: Look, parts: Sequence[TimeRange]) -> tuple[Archived, list[str]]:
    """Return the archived days of some parts that a look at the store lacks, and the files that could not be read.

    Raises:
        StoreError: the store cannot be read.
    """

    def read(restorer: Restorer) -> tuple[Archived, list[str]]:
        return archived_days(restorer, look, parts), restorer.report.problems

    try:
        return await data.archives.async_read(read)
    except (ArchiveError, HomeAssistantError) as error:
        return {}, [str(error)]
