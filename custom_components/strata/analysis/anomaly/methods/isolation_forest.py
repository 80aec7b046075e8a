"""scikit-learn's isolation forest over what a cell looks like: value, hour's mean, change, yesterday.

Each day is judged by a forest grown on the days before it, so nothing is explained by itself. To
keep that affordable a forest serves a week.
"""

import numpy as np

from ..channel import Field, rolling_mean
from ..field import make_field
from ..grid import HISTORY_DAYS, Floats, clean, lay_out
from .base import LEARNING_DAYS, Answer, MethodUnavailableError, Request, episodes_of

_SHARES = {"low": 0.0005, "medium": 0.001, "high": 0.003}
"""Share of the history that would have been flagged, by sensitivity."""
_TREES = 100
_SERVES_DAYS = 7


def isolation_forest(request: Request) -> Answer:
    """Return stretches that a forest isolates more easily than almost all of the history.

    Raises:
        MethodUnavailableError: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]  # It ships no types.
    except ImportError as error:
        raise MethodUnavailableError("isolation_forest", "scikit-learn") from error
    at, what = clean(request.times, request.values)
    evidence = {"n_estimators": _TREES, "contamination": _SHARES[request.sensitivity], "anomaly_scores": {}}
    if not len(at) or np.isnan(what).all():
        return Answer("isolation_forest", "isolation_forest", (), evidence)
    with np.errstate(all="ignore"):
        field = make_field(lay_out(at, what, timezone=request.timezone, until=request.until))
        grid, features = field.grid, _features(field)
        known = ~np.isnan(features).any(axis=1)
        score = np.zeros(len(features))
        for first in range(0, grid.days, _SERVES_DAYS):
            used = first - HISTORY_DAYS + np.flatnonzero(field.compared[first])
            if len(used) < LEARNING_DAYS:
                continue
            past = np.isin(np.arange(len(features)) // grid.per_day, used) & known
            now = np.zeros(len(features), bool)
            now[first * grid.per_day : (first + _SERVES_DAYS) * grid.per_day] = True
            now &= known
            if not now.any():
                continue
            forest = IsolationForest(n_estimators=_TREES, random_state=0).fit(features[past])
            usual = np.sort(-forest.score_samples(features[past]))
            limit = usual[int((1 - _SHARES[request.sensitivity]) * (len(usual) - 1))]
            # 6 at the limit, as a scan's score: what follows reads both alike.
            score[now] = 6.0 + 40.0 * (-forest.score_samples(features[now]) - limit)
        low, high = np.nan_to_num(field.low).repeat(grid.per_day), np.nan_to_num(field.span).repeat(grid.per_day)
        episodes = episodes_of(score, score > 6.0, grid, (low, low + high), "isolation", request)
    return Answer(
        "isolation_forest",
        "isolation_forest",
        episodes,
        {**evidence, "anomaly_scores": {e.key: e.score for e in episodes}},
    )


def _features(field: Field) -> Floats:
    """Return one row a cell: value, mean of the last hour, change within it, and change from a day before."""
    flat, grid = field.flat, field.grid
    hour = rolling_mean(flat, grid.cells(1))
    day_before = np.concatenate((np.full(grid.per_day, np.nan), hour[: -grid.per_day]))
    from_yesterday = np.where(np.isnan(day_before), 0.0, hour - day_before)
    return np.column_stack((flat, hour, flat - hour, from_yesterday))
