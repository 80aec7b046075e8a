"""A look at single values that wait for an archive while there is none: they pile up, and nothing else would say so."""

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .archive_issues import async_clear_held, async_report_held
from .archive_set import waits_for_an_archive
from .const import LOGGER
from .core.model import Micros, from_micros, to_micros
from .keeping import async_keeps, policies_of
from .runtime import StrataConfigEntry
from .store.base import StoreError
from .store.connection import in_store_words
from .store.overdue import oldest_overdue
from .store.preview import Terms
from .store.reader import StoreReader
from .store.tiers import DAY, RAW

GRACE = DAY
"""What is past its time goes once a night."""


async def async_look_for_held(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Say so where single values are older than they are to be, because no archive takes them; or take it back."""
    if not waits_for_an_archive(entry):
        async_clear_held(hass)
        return
    worker, now = entry.runtime_data.worker, to_micros(dt_util.utcnow())
    ladder = worker.ladder
    try:
        terms = Terms(ladder, await async_keeps(hass, worker.all_series(), policies_of(entry.options), ladder))

        def look(reader: StoreReader) -> Micros | None:
            with in_store_words(reader.path):
                return oldest_overdue(reader.connection, ladder[RAW], terms, now, GRACE)

        since = await worker.read(look)
    except StoreError as error:
        LOGGER.debug("Single values that wait for an archive cannot be looked for: %s", error)
        return
    # An archive may have been added meanwhile.
    if since is None or not waits_for_an_archive(entry):
        async_clear_held(hass)
    else:
        async_report_held(hass, dt_util.as_local(from_micros(since)).date())
