"""What every detector of the analysis answers with, and what a detector is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ..core.model import Micros


class Severity(StrEnum):
    """How much a finding matters, in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """1 for low, 2 for medium, 3 for high: the `severity_score` of a point."""
        return list(Severity).index(self) + 1

    @classmethod
    def of_rank(cls, rank: int) -> Severity:
        """Return the severity of a rank; ranks beyond either end count as that end."""
        return list(cls)[max(1, min(rank, len(cls))) - 1]


class AnomalyKind(StrEnum):
    """What an episode most likely is."""

    SPIKE = "spike"
    LEVEL_SHIFT = "level_shift"
    STUCK = "stuck"
    """On, or off, for longer than ever."""
    FLAT = "flat"
    """The same value for longer than ever."""
    MISSING_PATTERN = "missing_pattern"
    DRIFT = "drift"
    BASE_LOAD = "base_load"
    """Never comes down to its usual minimum."""
    SILENCE = "silence"
    """Events that should have come did not."""
    BURST = "burst"
    """More events than there ever were."""
    VARIABILITY = "variability"
    """Much more, or much less, restless than usual."""
    UNAVAILABLE = "unavailable"
    QUIET_HOURS = "quiet_hours"
    """An event in hours that the user declared quiet."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One channel's reason for an episode, at the instant it was most unusual.

    `value`, `expected_low` and `expected_high` are in `unit`; `score` is the natural logarithm of
    the return period in days; `days` is how many earlier days it was compared with.
    """

    channel: str
    family: str
    label: str
    value: float
    expected_low: float
    expected_high: float
    unit: str
    score: float
    days: int
    time: Micros


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of time in which one series was unusual.

    `start` is when the threshold was passed, `end` is exclusive, or None while it goes on. `score`
    is the highest one and `peak` its instant. `alerts` are the instants at which somebody should
    have been told (the first is the opening; others follow when it becomes much worse).
    """

    start: Micros
    end: Micros | None
    peak: Micros
    score: float
    severity: Severity
    kind: AnomalyKind
    text: str
    evidence: tuple[Evidence, ...]
    alerts: tuple[Micros, ...] = ()
    normal: bool = False
    """The user said that this is normal."""
    levels: Mapping[str, float] = field(default_factory=dict)
    """The largest number of each channel that saw it: what is normal from here on, should the user say so."""

    @property
    def key(self) -> str:
        """What names the episode within its series, for ever: the instant it began."""
        return str(self.start)

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.end is None

    def as_json(self) -> dict[str, Any]:
        """Return the episode as JSON types; `from_json` takes it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Episode:
        """Take up what `as_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        known = {
            **data,
            "severity": Severity(data["severity"]),
            "kind": AnomalyKind(data["kind"]),
            "evidence": tuple(Evidence(**reason) for reason in data["evidence"]),
            "alerts": tuple(data["alerts"]),
        }
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector has to say, about one thing or about several that belong together."""

    detector: str
    kind: str
    subjects: tuple[str, ...]
    """What it is about: identities of series or entities, the most striking first."""
    since: Micros
    until: Micros | None
    severity: Severity
    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Detector:
    """A way to find something in the history of one series.

    `find(times, values, timezone=...)` takes microseconds UTC and floats, ascending, NaN for unknown.
    """

    key: str
    kinds: tuple[str, ...]
    """Kinds of series it can read: `numeric`, `meter`, `on_off`, `event`."""
    least_days: int
    """Days of history below which it says nothing."""
    find: Callable[..., Sequence[Finding]]
