"""Which alarms are right: alarms against planted faults, and what a method's figures are."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .simulated import DAY, DAYS, HOUR

FROM_DAY = 14
"""Alarms before this day are not counted: every method may learn until then."""
WEEKS = (DAYS - FROM_DAY) / 7
MERGED_H = 6
"""Alarms less than this apart are one."""
AFTER_H = 24
"""An alarm within this time after a fault, when everything goes back, is no false one."""

type Alarms = Sequence[tuple[int, int]]
"""(first cell, cell after the last) of each alarm, in the order of time."""
type Method = Callable[[NDArray[np.int64], NDArray[np.float64], str], Alarms]
"""(times, values, timezone) → alarms."""


def merged(flags: NDArray[np.bool_], shortest: int = 1) -> Alarms:
    """Return flagged cells as alarms."""
    cells = np.flatnonzero(flags)
    if not len(cells):
        return ()
    breaks = np.flatnonzero(np.diff(cells) > MERGED_H * HOUR)
    firsts, lasts = np.append(cells[0], cells[breaks + 1]), np.append(cells[breaks], cells[-1])
    return [(int(a), int(b) + 1) for a, b in zip(firsts, lasts, strict=True) if b - a + 1 >= shortest]


def counted(alarms: Alarms) -> Alarms:
    """Return the alarms that go on after the time of learning."""
    return [alarm for alarm in alarms if alarm[1] > FROM_DAY * DAY]


def is_found(alarms: Alarms, fault: slice, slack: int = 0) -> bool:
    """Tell whether an alarm begins while the fault lasts; one that began before it is none for it.

    `slack` is how many cells an alarm's own resolution may put its beginning early.
    """
    return any(fault.start - slack <= first < max(fault.stop, fault.start + 2 * HOUR) for first, _ in alarms)


def false_alarms(alarms: Alarms, fault: slice | None = None) -> int:
    """Return how many alarms are not about the fault or its end."""
    counting = counted(alarms)
    if fault is None:
        return len(counting)
    return sum(last <= fault.start or first >= fault.stop + AFTER_H * HOUR for first, last in counting)


@dataclass
class Figures:
    """What a method showed on a set of series."""

    clean_weeks: float = 0.0
    clean_alarms: int = 0
    found: int = 0
    faults: int = 0
    false: int = 0
    by_kind: dict[tuple[str, float], list[int]] = field(default_factory=dict)
    """[found, faults] of each kind and size."""
    seconds: list[float] = field(default_factory=list)

    def add_clean(self, alarms: Alarms) -> None:
        """Count a series without faults."""
        self.clean_weeks += WEEKS
        self.clean_alarms += false_alarms(alarms)

    def add_fault(self, kind: str, size: float, alarms: Alarms, fault: slice, *, clear: bool, slack: int = 0) -> None:
        """Count a series with one fault; only a clear one counts for recall and F1."""
        found = is_found(alarms, fault, slack)
        row = self.by_kind.setdefault((kind, size), [0, 0])
        row[0] += found
        row[1] += 1
        if clear:
            self.found += found
            self.faults += 1
            self.false += false_alarms(alarms, fault)

    def add(self, other: Figures) -> None:
        """Count what was measured elsewhere."""
        self.clean_weeks += other.clean_weeks
        self.clean_alarms += other.clean_alarms
        self.found += other.found
        self.faults += other.faults
        self.false += other.false
        self.seconds += other.seconds
        for key, (found, faults) in other.by_kind.items():
            row = self.by_kind.setdefault(key, [0, 0])
            row[0] += found
            row[1] += faults

    @property
    def per_week(self) -> float:
        """False alarms per entity-week on clean series."""
        return self.clean_alarms / max(self.clean_weeks, 1e-9)

    @property
    def recall(self) -> float:
        """Share of clear faults that were found."""
        return self.found / max(self.faults, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall on series with clear faults."""
        precision = self.found / max(self.found + self.false, 1)
        return 2 * precision * self.recall / max(precision + self.recall, 1e-9)

    def recall_of(self, kind: str, sizes: Iterable[float]) -> float:
        """Share of the faults of a kind and of these sizes that were found."""
        rows = [self.by_kind[kind, size] for size in sizes if (kind, size) in self.by_kind]
        return sum(row[0] for row in rows) / max(1, sum(row[1] for row in rows))
