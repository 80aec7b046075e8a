"""Our scan as a method to be judged."""

import numpy as np
from numpy.typing import NDArray

from custom_components.strata.analysis.anomaly import scan

from .judge import Alarms
from .simulated import MICROS


def numeric(times: NDArray[np.int64], values: NDArray[np.float64], timezone: str) -> Alarms:
    """Return the episodes of a numeric entity at medium sensitivity."""
    return _alarms(times, values, timezone, "numeric")


def events(times: NDArray[np.int64], values: NDArray[np.float64], timezone: str) -> Alarms:
    """Return the episodes of an event entity at medium sensitivity."""
    return _alarms(times, values, timezone, "event")


def _alarms(times: NDArray[np.int64], values: NDArray[np.float64], timezone: str, kind: str) -> Alarms:
    end = int(times[-1]) + MICROS
    found = scan(times, values, timezone=timezone, kind=kind, until=end).episodes
    first = int(times[0])
    return [((e.start - first) // MICROS, ((e.end or end) - first) // MICROS) for e in found]
