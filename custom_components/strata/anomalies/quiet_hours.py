"""A door or a motion in hours that the user declared quiet: no statistics, a rule."""

from typing import Final

from ..analysis.base import AnomalyKind, Episode, Severity
from ..core.model import MICROS_PER_SECOND, Micros

_LASTS: Final = 60 * MICROS_PER_SECOND


def quiet_episode(time: Micros, *, away: bool) -> Episode:
    """Return the episode of an event in quiet hours; it is over when it has been told."""
    return Episode(
        start=time,
        end=time + _LASTS,
        peak=time,
        score=0.0,
        severity=Severity.HIGH,
        kind=AnomalyKind.QUIET_HOURS,
        text="opened or moved in quiet hours while nobody is home" if away else "opened or moved in quiet hours",
        evidence=(),
        alerts=(time,),
    )
