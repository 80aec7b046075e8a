"""What an archive run is asked for, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import logging

from ..store.tiers import Keeps
from .errors import ArchiveError, FileDamaged, NotSent, TargetError

_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class ArchiveReport:
    """One run: what was written, proven, deleted, and what went wrong."""

    periods: list[str] = field(default_factory=list)
    """Of which a file was written; of a dry run, of which one would be, as the next three are."""
    files: list[str] = field(default_factory=list)
    """Keys of new files."""
    rows: int = 0
    """Rows in new files."""
    bytes: int = 0
    """Bytes of new files."""
    verified: int = 0
    """Copies that were proven."""
    rows_deleted: int = 0
    bytes_freed: int = 0
    seconds: float = 0.0
    dry_run: bool = False
    problems: list[str] = field(default_factory=list)
    failing: dict[str, TargetError] = field(default_factory=dict)
    """By target: what it did last instead of what it should."""

    unsent: dict[str, list[str]] = field(default_factory=dict)
    """By target: periods of which it did not take the file."""
    damaged: int = 0
    """Problems that are damage, which no repetition mends."""

    def add(self, period: str, key: str, rows: int, size: int) -> None:
        """Take note of a new file; `size` is in bytes."""
        self.periods.append(period)
        self.files.append(key)
        self.rows += rows
        self.bytes += size

    @property
    def reduction(self) -> float:
        """By how many percent the files are smaller than what left the store; 0 where nothing did."""
        return 100.0 * (1 - self.bytes / self.bytes_freed) if self.bytes_freed else 0.0

    def note(self, period: str, error: ArchiveError) -> None:
        """Take note of what could not be done for a period."""
        problem = f"{period}: {error}"
        # What could not be written a moment ago cannot be completed either.
        if problem not in self.problems:
            self.problems.append(problem)
            self.damaged += isinstance(error, FileDamaged)

    def keep(self, period: str, error: ArchiveError) -> None:
        """Take note of a period that was not archived, and stays."""
        self.note(period, error)
        if isinstance(error, NotSent):
            for target in error.failed:
                self.unsent.setdefault(target, []).append(period)
        else:
            _LOGGER.warning("%s was not archived, and stays: %s", period, error)

    def warn(self) -> None:
        """Say what was not sent: a line for each target, however many periods it is."""
        for target, periods in self.unsent.items():
            first = periods[0] if len(periods) == 1 else f"{periods[0]} (and {len(periods) - 1} more)"
            _LOGGER.warning("%s was not archived, and stays: %s", first, self.failing[target])

    @property
    def is_only_damage(self) -> bool:
        """Whether nothing else went wrong, so that another run soon would find the same."""
        return 0 < self.damaged == len(self.problems)

    def fail(self, errors: Mapping[str, TargetError]) -> None:
        """Take note of what targets do not do."""
        self.failing |= errors
        self.problems += [str(error) for error in errors.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user wants of archives."""

    compression: str = "gzip"
    keep_years: float | None = None
    """How long archives are kept; None for ever, until the user says otherwise."""
    early: bool = False
    """Whether months are archived as soon as they are over; their days stay as long as those of others."""
    late: frozenset[str] = frozenset()
    """Targets that get them only when their days are past their time nevertheless."""
    keeps: Keeps = field(default_factory=dict)
    """How long series are kept that are kept otherwise than the ladder says."""
