"""What the running hub's store holds, for sources that learn from the past."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN
from .core.entity_series import MEASUREMENT
from .core.model import Kind, Series, SeriesKey
from .core.states import FIELD_OF_KIND
from .core.stretch import NOTHING_KNOWN, Past
from .store.base import StoreError
from .store.look_back import look_back
from .store.worker import StoreWorker

ENTITY_FIELDS = (FIELD_OF_KIND[Kind.MEASUREMENT], FIELD_OF_KIND[Kind.TEXT])
"""Numbers before texts: a sensor that once had a text is still a sensor of numbers."""

type StoredName = tuple[str, str, Mapping[str, str]]
"""Measurement, field, and tags that a series has among its own."""


def _worker(hass: HomeAssistant) -> StoreWorker | None:
    entries = hass.config_entries.async_loaded_entries(DOMAIN)
    return entries[0].runtime_data.worker if entries else None


async def async_entity_past(hass: HomeAssistant, entity_id: str, start: datetime, end: datetime, tier: str) -> Past:
    """Return what is stored of an entity; empty when that is nothing."""
    if (worker := _worker(hass)) is None:
        return NOTHING_KNOWN
    entry = er.async_get(hass).async_get(entity_id)
    identity = entry.id if entry else entity_id
    found = (worker.find(SeriesKey.of_entity(MEASUREMENT, identity, field)) for field in ENTITY_FIELDS)
    return await _past(worker, next((series for series in found if series is not None), None), start, end, tier)


async def async_stored_past(hass: HomeAssistant, name: StoredName, start: datetime, end: datetime, tier: str) -> Past:
    """Return what is stored of a source's field: of several series, of the one that was written last."""
    if (worker := _worker(hass)) is None:
        return NOTHING_KNOWN
    return await _past(worker, _newest(worker, _named(worker, name)), start, end, tier)


def _named(worker: StoreWorker, name: StoredName) -> Iterable[Series]:
    measurement, field, tags = name
    for series in worker.all_series():
        key = series.key
        if key.measurement == measurement and key.field == field and tags.items() <= key.tags.items():
            yield series


def _newest(worker: StoreWorker, candidates: Iterable[Series]) -> Series | None:
    def written(series: Series) -> int:
        last = worker.last(series)
        return last.time if last else 0

    return max(candidates, key=written, default=None)


async def _past(worker: StoreWorker, series: Series | None, start: datetime, end: datetime, tier: str) -> Past:
    if series is None:
        return NOTHING_KNOWN
    try:
        return await worker.read(partial(look_back, series=series, start=start, end=end, tier=tier))
    except StoreError:
        # Closing, or damaged: its own issue says so. Whoever asks does without.
        return NOTHING_KNOWN
