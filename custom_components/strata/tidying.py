"""What is done each night besides the tiers: what is kept for a while only, and what nothing refers to any more."""

from contextlib import suppress
from datetime import timedelta
import logging
from time import monotonic

from .core.model import Micros
from .store.base import StoreError
from .store.worker import StoreWorker

_LOGGER = logging.getLogger(__name__)

DETAILS_KEPT = timedelta(days=30)
FORECASTS_KEPT = timedelta(days=365)


async def tidy(worker: StoreWorker, now: Micros) -> None:
    """Delete attributes, causes and forecasts that are past their time, then what only rows that are gone referred to.

    Everything is done in portions: the writer is held for some milliseconds at a time.

    Raises:
        StoreError: it could not be done; what was done before stays done.
    """
    before = now - DETAILS_KEPT // timedelta(microseconds=1)
    pruning = await worker.write(lambda store: store.begin_pruning(before))
    while await worker.write(lambda store: store.prune_portion(pruning)):
        pass
    oldest = now - FORECASTS_KEPT // timedelta(microseconds=1)
    await worker.write(lambda store: store.prune_forecasts(oldest))
    await sweep(worker, now)


async def sweep(worker: StoreWorker, now: Micros, *, texts: bool | None = None) -> dict[str, int]:
    """Delete texts, attributes and causes that nothing refers to any more; return how many, by table.

    Args:
        worker: the store's worker.
        now: the present.
        texts: whether texts are swept too; None: once a week.

    Raises:
        StoreError: it could not be done; what was done before stays done.
    """
    began = monotonic()
    run = await worker.write(lambda store: store.begin_sweep(now, texts=texts))
    try:
        while await worker.read(run.look):
            pass
        while await worker.write(lambda _store: run.step()):
            pass
    finally:
        with suppress(StoreError):
            await worker.write(lambda _store: run.end())
    deleted = run.deleted
    if any(deleted.values()):
        counts = ", ".join(f"{count} of {table}" for table, count in deleted.items())
        _LOGGER.debug("Deleted entries that nothing refers to any more in %.1f s: %s", monotonic() - began, counts)
    return deleted
