"""Several methods: the scan finds, the others may only say that they agree."""

from dataclasses import replace

from ...base import Episode, Severity
from .base import Answer, Method, MethodUnavailableError, Request
from .isolation_forest import isolation_forest
from .seasonal import seasonal
from .statistical import statistical

_OTHERS: tuple[Method, ...] = (seasonal, isolation_forest)


def ensemble(request: Request) -> Answer:
    """Return the scan's episodes, one step more severe where another method has one at the same time."""
    found = statistical(request)
    answers = []
    missing = []
    for method in _OTHERS:
        try:
            answers.append(method(request))
        except MethodUnavailableError as error:
            missing.append(error.method)
    agreed = {
        e.key: [answer.method for answer in answers if any(_overlap(e, other) for other in answer.episodes)]
        for e in found.episodes
    }
    episodes = tuple(
        replace(e, severity=Severity.of_rank(e.severity.rank + 1)) if agreed[e.key] else e for e in found.episodes
    )
    evidence = {**found.evidence, "agreed": agreed, "methods": ["statistical", *(a.method for a in answers)]}
    for answer in answers:
        evidence[answer.method] = dict(answer.evidence)
    if missing:
        evidence["missing"] = missing
    return Answer("ensemble", "ensemble", episodes, evidence)


def _overlap(one: Episode, other: Episode) -> bool:
    return (other.end is None or one.start < other.end) and (one.end is None or other.start < one.end)
