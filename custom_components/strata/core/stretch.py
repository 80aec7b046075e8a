"""What a series did over stretches of time, as sources and analysis look back on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What is known of `[start, end)`, in seconds, in the series' unit and in its states."""

    start: datetime
    end: datetime
    known: float
    """Seconds of which the value is known."""
    mean: float | None = None
    """Time-weighted mean of a measurement over the known time; the share of time an on/off was on."""
    increase: float | None = None
    """How far a meter went on."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """For texts: the seconds spent in each state."""


@dataclass(frozen=True, slots=True)
class Past:
    """The stretches of one series in time order, uncovered ones left out, and its unit."""

    stretches: tuple[Stretch, ...] = ()
    unit: str | None = None


NOTHING_KNOWN = Past()
