"""How much an episode matters."""

from collections.abc import Iterable

from ...core.clock import HOUR
from ...core.model import Micros
from ..base import Severity

_MEDIUM, _HIGH = 8.0, 11.0
_LONG: Micros = 24 * HOUR


def severity_of(score: float, lasting: Micros, families: Iterable[str]) -> Severity:
    """Return the severity of an episode.

    Args:
        score: its highest.
        lasting: how long it has been going on.
        families: those whose channels would each have opened it.
    """
    rank = 3 if score > _HIGH or lasting > _LONG else 2 if score >= _MEDIUM else 1
    return Severity.of_rank(rank + (len(set(families)) > 1))
