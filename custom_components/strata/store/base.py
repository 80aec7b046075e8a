"""What the store takes and gives: records, reports and errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.model import Flag, Forecast, Micros, SeriesKey


class StoreError(Exception):
    """The store could not do what it was asked."""


class StoreTooNew(StoreError):
    """The file was written by a newer Strata and is left as it is."""


class StoreDamaged(StoreError):
    """The file is not a sound database."""


class StoreFull(StoreError):
    """The disk has no room; what was to be written is still waiting."""


class StoreUnusable(StoreError):
    """The file cannot be created or opened, for instance for want of permission."""


class NoticeKind(StrEnum):
    """What the store has to say to its owner."""

    DISK_FULL = "disk_full"
    DISK_OK = "disk_ok"
    SET_ASIDE = "set_aside"
    ROWS_DROPPED = "rows_dropped"
    CHECKED = "checked"
    MAINTENANCE_FAILED = "maintenance_failed"
    MAINTENANCE_OK = "maintenance_ok"


@dataclass(frozen=True, slots=True)
class StoreNotice:
    """Something the user may have to know; `detail` names a file or says what failed."""

    kind: NoticeKind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OpenReport:
    """How opening the store went."""

    created: bool = False
    """There was no file before."""
    unclean: bool = False
    """The run before this one did not end orderly."""
    set_aside: Path | None = None
    """Where a damaged file was kept."""
    last_alive: Micros | None = None
    """When the run before this one was last known to record."""
    started: Micros = 0


@dataclass(frozen=True, slots=True)
class Last:
    """The newest known value of a series; with flag GAP it no longer holds."""

    time: Micros
    value: float | None
    text: str | None
    flag: Flag = Flag.OK


@dataclass(frozen=True, slots=True)
class RawRows:
    """Rows of one series in time order."""

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    """NaN where the row carries no number."""
    texts: NDArray[np.int64]
    """Codes into the store's texts, 0 where the row carries none."""
    flags: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Detail:
    """Attributes in force from `time` on, or the cause of the change at `time`."""

    time: Micros
    attributes: Mapping[str, object] | None
    context: str | None = None
    parent: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class StoredForecast:
    """A forecast as it was issued."""

    source: str
    key: SeriesKey
    forecast: Forecast


@dataclass(frozen=True, slots=True)
class TierSize:
    """Measured content of one tier: rows, and bytes of their encoded form."""

    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What fills the file."""

    file_bytes: int
    tiers: Mapping[str, TierSize]
    by_series: Mapping[int, Mapping[str, TierSize]] = field(default_factory=dict)
    freed_bytes: int = 0
    """Bytes of chunks that were deleted in the life of this file, because something coarser or an archive has them."""
    last: Mapping[str, Micros] = field(default_factory=dict)
    """When each type of operation in the journal last ended well."""

    @property
    def reduction(self) -> float:
        """The share of what the file would hold if nothing had been deleted that it does not hold."""
        whole = self.freed_bytes + self.file_bytes
        return self.freed_bytes / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class CompactReport:
    """One compaction: rows that left `live`, and chunks written."""

    rows: int = 0
    chunks: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RollUpReport:
    """Rows written per tier."""

    rows: Mapping[str, int]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DownsampleReport:
    """One step of the ladder: finer rows whose roll-up was proven, and then were deleted."""

    tier: str
    source_rows: int = 0
    rows: int = 0
    """Coarser rows that stand for them."""
    seconds: float = 0.0
    bytes_freed: int = 0
    dry_run: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader of the change feed has come."""

    changes: int = 0
    live: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """Something was written: rows of `series` in `[start, end)` of `tier`.

    Of a view, `tier` is its name, `series` 0, and `start` the local day as an ordinal.
    """

    tier: str
    series: int
    start: Micros
    end: Micros


@dataclass(slots=True)
class Counters:
    """What happened to rows since the store was opened."""

    received: int = 0
    stored: int = 0
    waiting: int = 0
    dropped: int = 0
    too_late: int = 0
    misdated: int = 0
    flagged: dict[str, int] = field(default_factory=dict)
