"""From which score on a cell counts: by sensitivity, and by how well the series is known."""

from collections.abc import Mapping

import numpy as np

from .grid import Bools, Floats, Ints

SENSITIVITIES: Mapping[str, float] = {"low": 7.0, "medium": 6.0, "high": 5.0}
"""The score that opens an episode."""
ALIVE = 3.0
"""The score below which an episode is over."""
LEARNING_DAYS = 7
FULL_DAYS = 14
_CAUTION = 2.0
"""Added to the threshold from `LEARNING_DAYS` until `FULL_DAYS`."""


def opening(days: Ints, sensitivity: str, while_learning: Bools, full_only: Bools) -> Floats:
    """Return the score that opens an episode, by (channel, day); infinite where nothing may.

    Args:
        days: earlier days each day was compared with.
        sensitivity: a key of `SENSITIVITIES`.
        while_learning: channels that may alert before the series is known.
        full_only: channels that may alert only once it is fully known.

    Raises:
        ValueError: there is no such sensitivity.
    """
    if sensitivity not in SENSITIVITIES:
        raise ValueError(f"sensitivity is one of {', '.join(SENSITIVITIES)}, not {sensitivity!r}")
    needed = SENSITIVITIES[sensitivity]
    by_age = np.select([days < LEARNING_DAYS, days < FULL_DAYS], [np.inf, needed + _CAUTION], needed)
    always = np.where(days < FULL_DAYS, needed + _CAUTION, needed)
    late = np.where(days < FULL_DAYS, np.inf, needed)
    return np.where(while_learning[:, None], always, np.where(full_only[:, None], late, by_age))
