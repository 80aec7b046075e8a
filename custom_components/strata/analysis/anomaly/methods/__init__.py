"""Methods of finding anomalies, by name."""

from collections.abc import Mapping
from dataclasses import replace

from numpy.typing import ArrayLike

from ....core.model import Micros
from ..grid import clean
from ..thresholds import SENSITIVITIES
from .base import Answer, Method, MethodUnavailableError, Request
from .ensemble import ensemble
from .isolation_forest import isolation_forest
from .seasonal import seasonal
from .statistical import statistical

__all__ = ["METHODS", "Answer", "Method", "MethodUnavailableError", "detect"]

METHODS: Mapping[str, Method] = {
    "statistical": statistical,
    "isolation_forest": isolation_forest,
    "seasonal": seasonal,
    "prophet": seasonal,  # Prophet has no wheel where most homes run; the answer says what ran.
    "ensemble": ensemble,
}
"""Every method. `prophet` is a name for `seasonal`."""


def detect(
    times: ArrayLike,
    values: ArrayLike,
    *,
    method: str = "statistical",
    sensitivity: str = "medium",
    kind: str = "numeric",
    timezone: str = "UTC",
    unit: str = "",
    since: Micros | None = None,
    until: Micros | None = None,
) -> Answer:
    """Return what a method finds in a series; see `scan` for what times, values and the options are.

    Args:
        times: microseconds UTC.
        values: NaN for unknown.
        method: a key of `METHODS`.
        sensitivity: `low`, `medium` or `high`.
        kind: of series; methods other than `statistical` read `numeric` ones.
        timezone: IANA name.
        unit: shown in explanations.
        since: only episodes that go on after this instant.
        until: the end of the time looked at.

    Raises:
        ValueError: no such method, sensitivity, kind or time zone, or the method cannot read this kind.
        MethodUnavailableError: a library is not installed.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}, not {method!r}")
    if sensitivity not in SENSITIVITIES:
        raise ValueError(f"sensitivity is one of {', '.join(SENSITIVITIES)}, not {sensitivity!r}")
    if kind != "numeric" and method != "statistical":
        raise ValueError(f"{method} reads numeric series, not {kind!r}")
    at, what = clean(times, values)
    answer = METHODS[method](Request(at, what, sensitivity, kind, timezone, unit, since, until))
    return replace(answer, method=method)
