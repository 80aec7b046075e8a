"""What a mirror counts, what it set aside, and what it has to say to its owner."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ..core.model import Micros
from .errors import Refusal
from .line_protocol import speaks_of

QUARANTINE_SHOWN = 100
_LINE_SHOWN = 500


class NoticeKind(StrEnum):
    """What a mirror has to say."""

    FAILING = "failing"
    """Points do not arrive; they wait and are tried again."""
    HELD = "held"
    """The server refuses; somebody has to mend something."""
    RECOVERED = "recovered"
    BACKLOG_FULL = "backlog_full"
    """The oldest waiting points were given up; a replay brings them back."""
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class MirrorNotice:
    """Something to log or to show."""

    kind: NoticeKind
    detail: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Poison:
    """A line the server would not take, shown to at most 500 characters."""

    time: Micros
    """When it was set aside."""
    database: str
    line: str
    reason: str


@dataclass(slots=True)
class Figures:
    """Counts of points since the mirror was made; they outlive restarts."""

    sent: int = 0
    """Lines in requests that were answered, repeated ones included."""
    acknowledged: int = 0
    beyond_retention: int = 0
    """Acknowledged too, but older than the server keeps."""
    quarantined: int = 0
    dropped: int = 0
    """Waiting rows that were given up because the backlog was full."""
    expired: int = 0
    """Series-hours whose rows retention took before they were sent."""
    requests: int = 0
    retries: int = 0
    acknowledged_at: Micros | None = None
    complete_at: Micros | None = None
    """When the mirror last had everything."""
    poison: deque[Poison] = field(default_factory=lambda: deque(maxlen=QUARANTINE_SHOWN))

    def quarantine(self, time: Micros, database: str, line: str, reason: str, count: int = 1) -> None:
        """Set a line aside; the newest are kept readable."""
        self.quarantined += count
        self.poison.append(Poison(time, database, line[:_LINE_SHOWN], reason[:_LINE_SHOWN]))

    def forget_lines(self, known_by: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        """Forget the lines set aside of what is being erased, known by measurement and tags."""
        gone = [*known_by]
        kept = [each for each in self.poison if not any(speaks_of(each.line, *one) for one in gone)]
        self.poison.clear()
        self.poison.extend(kept)

    def counts(self) -> dict[str, int]:
        """Return every count by name."""
        return {name: getattr(self, name) for name in _COUNTS}

    def note(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {
            **self.counts(),
            "acknowledged_at": self.acknowledged_at,
            "complete_at": self.complete_at,
            "poison": [asdict(each) for each in self.poison],
        }

    def restore(self, note: Mapping[str, Any]) -> None:
        """Take over what `note` gave, from a run before this one."""
        for name in (*_COUNTS, "acknowledged_at", "complete_at"):
            setattr(self, name, note.get(name, getattr(self, name)))
        self.poison.extend(
            Poison(entry["time"], entry["database"], entry["line"], entry["reason"]) for entry in note.get("poison", ())
        )


_COUNTS = (
    "sent",
    "acknowledged",
    "beyond_retention",
    "quarantined",
    "dropped",
    "expired",
    "requests",
    "retries",
)
