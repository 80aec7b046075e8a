"""What a method is given and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....core.clock import DAY
from ....core.model import Micros
from ...base import AnomalyKind, Episode, Evidence
from ..grid import Bools, Floats, Grid, Ints
from ..severity import severity_of

MERGE_H = 6
LEARNING_DAYS = 7
"""Days that a method which compares whole stretches of time needs first."""


class MethodUnavailableError(Exception):
    """A library that the method needs is not installed; `requirement` names it."""

    def __init__(self, method: str, requirement: str) -> None:
        super().__init__(f"{method} needs {requirement}, which is not installed")
        self.method = method
        self.requirement = requirement


@dataclass(frozen=True, slots=True)
class Request:
    """A series to be judged and how; `since` is the instant from which on episodes are wanted."""

    times: Ints
    values: Floats
    sensitivity: str = "medium"
    kind: str = "numeric"
    timezone: str = "UTC"
    unit: str = ""
    since: Micros | None = None
    until: Micros | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method found. `ran` is the method that did the work, which may be another than was asked for."""

    method: str
    ran: str
    episodes: tuple[Episode, ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """The method's own figures, as JSON types."""


type Method = Callable[[Request], Answer]


def episodes_of(
    score: Floats, flagged: Bools, grid: Grid, expected: tuple[Floats, Floats], channel: str, request: Request
) -> tuple[Episode, ...]:
    """Return flagged cells of a method as episodes, merged over gaps of six hours.

    Args:
        score: one number a cell; the highest of an episode is its score.
        flagged: cells that count.
        grid: whose cells they are.
        expected: lowest and highest usual value of each cell.
        channel: what the method calls its score.
        request: names the unit and from when on episodes are wanted.
    """
    cells = np.flatnonzero(flagged[: grid.seen] & (grid.times[: grid.seen] >= (request.since or 0)))
    if not len(cells):
        return ()
    groups = np.split(cells, np.flatnonzero(np.diff(cells) > grid.cells(MERGE_H)) + 1)
    return tuple(_episode(group, score, grid, expected, channel, request) for group in groups)


def _episode(
    group: Ints, score: Floats, grid: Grid, expected: tuple[Floats, Floats], channel: str, request: Request
) -> Episode:
    values = grid.values.reshape(-1)
    peak = int(group[np.argmax(score[group])])
    start, end = int(grid.times[group[0]]), int(grid.times[group[-1]]) + grid.step
    low, high = float(expected[0][peak]), float(expected[1][peak])
    reason = Evidence(
        channel=channel,
        family=channel,
        label="value",
        value=float(values[peak]),
        expected_low=low,
        expected_high=high,
        unit=request.unit,
        score=float(score[peak]),
        days=int(group[0]) // grid.per_day,
        time=int(grid.times[peak]),
    )
    ended = grid.seen - 1 - int(group[-1]) >= grid.cells(2)
    unit = f" {request.unit}" if request.unit else ""
    return Episode(
        start=start,
        end=end if ended else None,
        peak=reason.time,
        score=reason.score,
        severity=severity_of(reason.score, end - start, (channel,)),
        kind=AnomalyKind.SPIKE if end - start < DAY // 4 else AnomalyKind.LEVEL_SHIFT,
        text=f"value expected between {low:.4g} and {high:.4g}{unit}, is {reason.value:.4g}{unit}",
        evidence=(reason,),
        alerts=(start,),
    )
