"""The usual ways to find anomalies, at the defaults people use, judged like ours.

Runs as a program in an environment of its own, which has these libraries and no Home Assistant:
one line of JSON for each method.
"""

from collections.abc import Iterator, Mapping, Sequence
import json
import logging
import sys
import time
from typing import Any
import warnings

import numpy as np

from .faults import NUMERIC, inject
from .home import TEST, make_home
from .judge import Alarms, Figures, Method, merged
from .simulated import DAY, Floats, Ints

METRICS: Mapping[str, str] = {"false alarms": "/entity-wk", "recall": "", "f1": "", "time": "ms"}
_UNSEEN = {"unavailable"}
"""None of the others looks at readings that are missing, so this fault is left out of the comparison."""
_LAGS = 12
_SHARE = 0.01

type Case = tuple[str, float, bool, Ints, Floats, str, slice | None]
"""(kind, size, clear, times, values, timezone, where the fault is) of a series; kind "" is a calm one."""


def sample(homes: int) -> Iterator[Case]:
    """Yield each numeric series of the first test homes, as it is and with one clear fault drawn by its seed."""
    for seed in list(TEST)[:homes]:
        home = make_home(seed)
        for series in home.numeric:
            rng = np.random.default_rng([seed, 77, *series.name.encode()])
            yield "", 0.0, False, home.world.times, series.values, home.world.timezone, None
            possible = [
                (fault, size)
                for fault in NUMERIC
                if fault.befalls(series.traits) and fault.kind not in _UNSEEN
                for size in fault.sizes
                if size >= fault.clear_from
            ]
            fault, size = possible[int(rng.integers(len(possible)))]
            values, where = inject(series.values, fault, size, series.traits, rng)
            yield fault.kind, size, True, home.world.times, values, home.world.timezone, where


def score(method: Method, cases: Sequence[Case]) -> dict[str, float]:
    """Return the figures of a method."""
    figures = Figures()
    for kind, size, clear, times, values, timezone, where in cases:
        began = time.process_time()
        alarms = method(times, values, timezone)
        figures.seconds.append(time.process_time() - began)
        if where is None:
            figures.add_clean(alarms)
        else:
            figures.add_fault(kind, size, alarms, where, clear=clear)
    return {
        "false alarms": figures.per_week,
        "recall": figures.recall,
        "f1": figures.f1,
        "time": 1000 * float(np.median(figures.seconds)),
    }


def _filled(values: Floats) -> Floats:
    """Return the values with gaps filled by straight lines, as these methods need it."""
    known = ~np.isnan(values)
    return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])


def z_score(times: Ints, values: Floats, timezone: str) -> Alarms:
    """Flag what is more than three standard deviations from the mean."""
    with np.errstate(invalid="ignore"):
        return merged(np.abs(values - np.nanmean(values)) > 3 * np.nanstd(values))


def isolation_forest(times: Ints, values: Floats, timezone: str) -> Alarms:
    """Flag the 1 % that scikit-learn's forest isolates first, by value and local time."""
    from sklearn.ensemble import IsolationForest

    hour = times // 3_600_000_000 % 24
    rows = np.column_stack((_filled(values), hour))
    return merged((IsolationForest(contamination=_SHARE, random_state=0).fit_predict(rows) < 0) & ~np.isnan(values))


def stl(times: Ints, values: Floats, timezone: str) -> Alarms:
    """Flag residuals of statsmodels' STL with a daily period that are more than 5 MADs from zero."""
    from statsmodels.tsa.seasonal import STL

    left = STL(_filled(values), period=DAY).fit().resid
    spread = 1.4826 * np.median(np.abs(left - np.median(left)))
    return merged((np.abs(left) > 5 * max(spread, 1e-9)) & ~np.isnan(values))


def prophet(times: Ints, values: Floats, timezone: str) -> Alarms:
    """Flag what is outside Prophet's 99 % interval."""
    import pandas as pd
    from prophet import Prophet

    frame = pd.DataFrame({"ds": pd.to_datetime(times, unit="us"), "y": values})
    fitted = Prophet(interval_width=0.99).fit(frame.dropna()).predict(frame[["ds"]])
    outside = (values > fitted["yhat_upper"].to_numpy()) | (values < fitted["yhat_lower"].to_numpy())
    return merged(outside)


def _pyod(name: str, module: str) -> Method:
    def method(times: Ints, values: Floats, timezone: str) -> Alarms:
        from importlib import import_module

        detector = getattr(import_module(f"pyod.models.{module}"), name)(contamination=_SHARE)
        rows = np.lib.stride_tricks.sliding_window_view(_filled(values), _LAGS)
        detector.fit(rows)
        flags = np.concatenate((np.zeros(_LAGS - 1, bool), detector.labels_ > 0))
        return merged(flags & ~np.isnan(values))

    return method


PEERS: Mapping[str, Method] = {
    "z-score > 3": z_score,
    "IsolationForest 1 %": isolation_forest,
    "STL residual > 5 MAD": stl,
    "PyOD ECOD 1 %": _pyod("ECOD", "ecod"),
    "PyOD HBOS 1 %": _pyod("HBOS", "hbos"),
    "PyOD PCA 1 %": _pyod("PCA", "pca"),
    "Prophet 99 %": prophet,
}
"""Methods by what they are called."""


def main(homes: int) -> None:
    """Print the figures of every method that is installed."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    cases = list(sample(homes))
    for name, method in PEERS.items():
        answer: dict[str, Any] = {"method": name}
        try:
            answer.update(score(method, cases))
        except ImportError as error:
            answer["missing"] = str(error)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
