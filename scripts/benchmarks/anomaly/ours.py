"""Our scan as a method to be judged."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from custom_components.strata.analysis.anomaly import scan
from custom_components.strata.analysis.base import Episode

from .judge import Alarms
from .simulated import MICROS


def strata(times: NDArray[np.int64], values: NDArray[np.float64], timezone: str) -> Alarms:
    """Return the episodes of a numeric entity at medium sensitivity."""
    end = int(times[-1]) + MICROS
    return alarms_of(scan(times, values, timezone=timezone, until=end).episodes, times)


def alarms_of(episodes: Sequence[Episode], times: NDArray[np.int64]) -> Alarms:
    """Return episodes as cells of the series."""
    first, end = int(times[0]), int(times[-1]) + MICROS
    return [((e.start - first) // MICROS, ((e.end or end) - first) // MICROS) for e in episodes]
