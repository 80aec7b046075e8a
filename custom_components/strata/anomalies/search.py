"""One search over chosen entities, by any method, from scratch: nothing is remembered and nobody is told."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..analysis.anomaly import detect
from ..analysis.base import Episode
from ..analysis.watching import STEP, History, Target
from ..core.model import MICROS_PER_SECOND, Micros, to_micros
from ..store.worker import StoreWorker
from .entities import with_evidence
from .watched import NUMERIC, STATISTICAL, Watched, async_read


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
        MethodUnavailableError: a library that the method needs is not installed.
    """
    until = to_micros(dt_util.utcnow())
    until -= until % STEP
    since = until - int(lookback.total_seconds()) * MICROS_PER_SECOND
    span = {"since": since, "until": until, "timezone": worker.timezone}
    results = []
    for target in targets:
        history, _ = await async_read(worker, target, until, newest=True)
        results.append(
            await hass.async_add_executor_job(
                _search,
                target,
                history,
                span,
                method,
                sensitivity,
            )
        )
    return results


def _search(target: Target, history: History, span: Mapping[str, Any], method: str, sensitivity: str) -> dict[str, Any]:
    """Search one entity; events are read by the statistical method only, whichever was asked for."""
    used = method if target.kind == NUMERIC else STATISTICAL
    answer = detect(
        history.times,
        history.values,
        method=used,
        sensitivity=sensitivity,
        kind=target.kind,
        unit=target.unit,
        **span,
    )
    return {
        "entity_id": target.entity_id,
        "method": answer.method,
        "ran": answer.ran,
        "unit": target.unit,
        "episodes": [with_evidence(Watched(target), each) for each in answer.episodes if _touches(each, span["since"])],
        **answer.evidence,
    }


def _touches(episode: Episode, since: Micros) -> bool:
    return episode.end is None or episode.end > since
