"""The policy: from scores to episodes, and to the instants at which somebody is told.

A fold over the cells in the order of time. What it has to remember fits into JSON, so a scan takes
up where the last one ended, and what was found once stays as it was found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from ...core.clock import HOUR
from ...core.model import Micros
from ..base import Severity
from .channel import Channel
from .severity import severity_of

CLOSE_AFTER: Micros = 2 * HOUR
MERGE_WITHIN: Micros = 6 * HOUR
REARM_AFTER: Micros = 10 * HOUR
MUCH_WORSE = 3.0
"""Somebody is told again when the excess over the usual level is this many times that of the last alert."""


@dataclass(slots=True)
class Peak:
    """The most unusual instant of one channel within an episode."""

    time: Micros
    score: float
    opens: bool
    """It was high enough to open an episode by itself."""
    number: float
    excess: float
    """How far the number was above the usual one."""


@dataclass(slots=True)
class Draft:
    """An episode as the policy sees it."""

    start: Micros
    alive: Micros
    """The end of the last cell in which it went on."""
    end: Micros | None = None
    peaks: dict[str, Peak] = field(default_factory=dict)
    alerts: list[Micros] = field(default_factory=list)
    told: Severity | None = None
    """The severity of the last alert."""
    told_excess: dict[str, float] = field(default_factory=dict)
    normal: bool = False

    @property
    def best(self) -> tuple[str, Peak]:
        """The channel with the highest score, and its peak."""
        return max(self.peaks.items(), key=lambda item: item[1].score)

    def severity(self, channels: Mapping[str, Channel]) -> Severity:
        """Return how much it matters so far."""
        opens = [channels[name].family for name, peak in self.peaks.items() if peak.opens and name in channels]
        return severity_of(self.best[1].score, self.alive - self.start, opens)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "start": self.start,
            "alive": self.alive,
            "end": self.end,
            "peaks": {n: [p.time, p.score, p.opens, p.number, p.excess] for n, p in self.peaks.items()},
            "alerts": list(self.alerts),
            "told": self.told,
            "told_excess": dict(self.told_excess),
            "normal": self.normal,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Take up what `as_json` gave."""
        told = data["told"]
        return cls(
            data["start"],
            data["alive"],
            data["end"],
            {name: Peak(*peak) for name, peak in data["peaks"].items()},
            list(data["alerts"]),
            None if told is None else Severity(told),
            dict(data["told_excess"]),
            data["normal"],
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """What the policy is told about one cell: the channels whose score keeps an episode alive."""

    start: Micros
    end: Micros
    peaks: Mapping[str, Peak]

    @property
    def opens(self) -> bool:
        """Whether an episode begins here, if none is going on."""
        return any(peak.opens for peak in self.peaks.values())


def fold(last: Draft | None, cells: Sequence[Cell], until: Micros, channels: Mapping[str, Channel]) -> list[Draft]:
    """Return the episodes after these cells: the last one before them, as it has become, and new ones.

    Args:
        last: the newest episode so far; it is changed.
        cells: those in which anything was unusual, in the order of time; the others need not be given.
        until: the end of the newest cell.
        channels: by name.
    """
    drafts = [] if last is None else [last]
    for cell in cells:
        _close(drafts, cell.start)
        current = drafts[-1] if drafts else None
        if current is not None and current.end is None:
            _go_on(current, cell)
        elif not cell.opens:
            continue
        elif current is not None and cell.start - current.alive < MERGE_WITHIN:
            current.end = None
            _go_on(current, cell)
        else:
            drafts.append(Draft(cell.start, cell.end, peaks=dict(cell.peaks)))
        _tell(drafts, cell, channels)
    _close(drafts, until)
    return drafts


def _close(drafts: Sequence[Draft], now: Micros) -> None:
    if drafts and drafts[-1].end is None and now - drafts[-1].alive >= CLOSE_AFTER:
        drafts[-1].end = drafts[-1].alive


def _go_on(draft: Draft, cell: Cell) -> None:
    draft.alive = cell.end
    for name, peak in cell.peaks.items():
        known = draft.peaks.get(name)
        if known is None or peak.score > known.score:
            draft.peaks[name] = Peak(peak.time, peak.score, peak.opens, peak.number, peak.excess)
        known = draft.peaks[name]
        known.opens = known.opens or peak.opens


def _tell(drafts: Sequence[Draft], cell: Cell, channels: Mapping[str, Channel]) -> None:
    """Add an alert to the newest episode if somebody should be told about this cell."""
    draft = drafts[-1]
    if draft.normal:
        return
    severity = draft.severity(channels)
    told = draft.told
    if told is None and len(drafts) > 1 and draft.start - drafts[-2].alive < REARM_AFTER:
        told = drafts[-2].told  # Not yet re-armed: as if it were the episode before.
    worse = any(
        peak.opens and name in draft.told_excess and peak.excess > MUCH_WORSE * draft.told_excess[name] > 0
        for name, peak in cell.peaks.items()
    )
    if told is None or severity.rank > told.rank or worse:
        draft.alerts.append(cell.start)
        draft.told = severity
        draft.told_excess = {name: peak.excess for name, peak in draft.peaks.items() if peak.opens}
    elif draft.told is None:
        draft.told = told
