"""The default method: Strata's own scan, with the z-scores people ask for."""

import numpy as np

from ....core.clock import DAY
from ...base import Episode
from ..grid import HISTORY_DAYS, Floats, Ints
from ..scanner import scan
from .base import Answer, Request

_HISTORY = HISTORY_DAYS * DAY


def statistical(request: Request) -> Answer:
    """Return the episodes of a scan that reach into the time asked for."""
    result = scan(
        request.times,
        request.values,
        sensitivity=request.sensitivity,
        kind=request.kind,
        timezone=request.timezone,
        unit=request.unit,
        until=request.until,
    )
    since = request.since or 0
    episodes = tuple(e for e in result.episodes if e.end is None or e.end > since)
    worst = max(episodes, key=lambda e: (e.severity.rank, e.score), default=None)
    evidence = {
        "status": result.status,
        "history_days": result.days,
        "z_scores": {e.key: _z_score(e, request.times, request.values) for e in episodes},
        "most_severe": None if worst is None else worst.key,
        "expected_values": {
            e.key: [e.evidence[0].expected_low, e.evidence[0].expected_high] for e in episodes if e.evidence
        },
    }
    return Answer("statistical", "statistical", episodes, evidence)


def _z_score(episode: Episode, times: Ints, values: Floats) -> float | None:
    """Return how many standard deviations, robustly, its farthest value was from the 28 days before.

    None where nothing is known of either, or all of it is alike.
    """
    known = np.isfinite(values)
    before = values[(times >= episode.start - _HISTORY) & (times < episode.start) & known]
    within = values[(times >= episode.start) & (times < (episode.end or np.inf)) & known]
    if not len(before) or not len(within):
        return None
    middle = float(np.median(before))
    spread = 1.4826 * float(np.median(np.abs(before - middle))) or float(np.std(before))
    farthest = float(within[np.argmax(np.abs(within - middle))])
    return (farthest - middle) / spread if spread > 0 else None
