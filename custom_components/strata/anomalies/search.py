"""One search over chosen entities, by any method, from scratch: nothing is remembered and nobody is told."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..analysis.anomaly import scan
from ..analysis.base import Episode
from ..analysis.watching import Target
from ..core.model import MICROS_PER_SECOND, Micros, to_micros
from ..store.worker import StoreWorker
from .entities import with_evidence
from .watched import Watched, async_read


async def async_search(
    hass: HomeAssistant,
    worker: StoreWorker,
    targets: Sequence[Target],
    lookback: timedelta,
    method: str,
    sensitivity: str,
) -> list[dict[str, Any]]:
    """Return what is unusual about each target in a time that ends now, with all the evidence there is.

    Raises:
        StoreError: the store cannot be read.
    """
    until = to_micros(dt_util.utcnow())
    until -= until % (300 * MICROS_PER_SECOND)
    since = until - int(lookback.total_seconds()) * MICROS_PER_SECOND
    results = []
    for target in targets:
        history, _ = await async_read(worker, target, until, newest=True)
        search = partial(
            scan,
            history.times,
            history.values,
            sensitivity=sensitivity,
            kind=target.kind,
            timezone=worker.timezone,
            unit=target.unit,
            until=until,
        )
        result = await hass.async_add_executor_job(search)
        watched = Watched(target, result.status, result.days, result.episodes)
        results.append(
            {
                "entity_id": target.entity_id,
                "status": result.status,
                "days": result.days,
                "unit": target.unit,
                "episodes": [with_evidence(watched, each) for each in result.episodes if _touches(each, since)],
            }
        )
    return results


def _touches(episode: Episode, since: Micros) -> bool:
    return episode.end is None or episode.end > since
