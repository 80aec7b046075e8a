"""The words everything else is written in: points, series, ranges, flags."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
import json
from typing import NamedTuple, Self

type Micros = int
"""An instant: microseconds since 1970-01-01 UTC."""

type FieldValue = float | int | bool | str

MICROS_PER_SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> Micros:
    """Return `moment` as microseconds since the epoch, exactly.

    Raises:
        ValueError: `moment` carries no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: attach one before it is stored")
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: Micros) -> datetime:
    """Return the UTC datetime of `micros`."""
    return EPOCH + timedelta(microseconds=int(micros))


class Kind(StrEnum):
    """How a series behaves over time, which decides how it is rolled up."""

    MEASUREMENT = "measurement"
    """A level that holds until the next change, such as power or temperature."""
    METER = "meter"
    """A count that grows and may start again, such as an energy register."""
    ON_OFF = "on_off"
    """Two states, stored as 1 and 0."""
    TEXT = "text"
    """Named states, such as a climate mode."""


class Flag(IntEnum):
    """What is known about a row beyond its value."""

    OK = 0
    GAP = 1
    """Unknown or unavailable: the value before it no longer holds."""
    SPIKE = 2
    RESET = 3
    IMPOSSIBLE = 4
    STUCK = 5
    RESUME = 6
    """The last value holds again from here (after a restart); not a sample."""
    HEARTBEAT = 7
    """The home was being watched at this instant; belongs to no series."""
    CYCLE = 8
    """A good value of a meter that has just started again at zero."""
    DETAIL = 9
    """Not a value: attributes or a cause that belong to the row of this series and time."""
    ATTRIBUTES = 10
    """Not a value: attributes that rows from here on refer to by number."""
    CAUSE = 11
    """Not a value: a cause that rows from here on refer to by number."""


EXCLUDED_FLAGS = frozenset({Flag.SPIKE, Flag.RESET, Flag.IMPOSSIBLE})
"""Rows with these flags are kept and counted, but neither rolled up nor mirrored."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The half-open range `[start, end)` in microseconds."""

    start: Micros
    end: Micros

    def __post_init__(self) -> None:
        """Refuse a range that ends before it starts."""
        if self.end < self.start:
            raise ValueError(f"the range ends ({self.end}) before it starts ({self.start})")

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Self:
        """Return the range between two aware datetimes."""
        return cls(to_micros(start), to_micros(end))

    @property
    def duration(self) -> Micros:
        """Length in microseconds."""
        return self.end - self.start

    def __contains__(self, instant: Micros) -> bool:
        """Tell whether `instant` lies in the range; its end does not."""
        return self.start <= instant < self.end

    def overlaps(self, other: TimeRange) -> bool:
        """Tell whether the two ranges share any instant."""
        return self.start < other.end and other.start < self.end

    def intersection(self, other: TimeRange) -> TimeRange | None:
        """Return what both ranges share, or None."""
        if not self.overlaps(other):
            return None
        return TimeRange(max(self.start, other.start), min(self.end, other.end))


@dataclass(frozen=True, slots=True)
class Point:
    """One observation as InfluxDB knows it; `time` is in microseconds."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, FieldValue]
    time: Micros


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What a series is, for life.

    `identity` is `entity:<entity registry id>` (or `entity:<entity_id>` for an entity without a
    registry entry) for Home Assistant entities and `tags:<canonical JSON>` for source readings.
    Everything that may change (name, area, device) is a label, never part of the key.
    """

    measurement: str
    identity: str
    field: str

    @classmethod
    def of_entity(cls, measurement: str, entity: str, field_name: str = "value") -> Self:
        """Return the key of an entity's series; `entity` is its registry id."""
        return cls(measurement, f"entity:{entity}", field_name)

    @classmethod
    def of_tags(cls, measurement: str, tags: Mapping[str, str], field_name: str) -> Self:
        """Return the key of a reading's series from the key tags its role declares."""
        canonical = json.dumps(dict(sorted(tags.items())), separators=(",", ":"), ensure_ascii=False)
        return cls(measurement, f"tags:{canonical}", field_name)

    @property
    def tags(self) -> dict[str, str]:
        """The key tags of a reading's series; empty for an entity's."""
        kind, _, rest = self.identity.partition(":")
        return dict(json.loads(rest)) if kind == "tags" else {}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a row is there: Home Assistant's context of the change."""

    id: str
    parent: str | None = None
    user: str | None = None


@dataclass(slots=True, eq=False)
class Series:
    """A series and what is known about it now.

    One object per key lives as long as the store is open; `id` is None until the store has
    written it. `labels` are the rendered tags that may change; `fine` asks for the 5-minute tier.
    """

    key: SeriesKey
    kind: Kind
    unit: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    fine: bool = False
    monotonic: bool = True
    """For a meter: it only ever grows, so a drop is a new cycle (`total_increasing`)."""
    id: int | None = None


class Row(NamedTuple):
    """One value of one series at one instant, on its way into the store.

    `value` is the number (on/off as 1 and 0), `text` the state as text where it is not a number, or a
    word that says what kind of number it is.
    `attributes` is the state's attribute mapping; the store keeps it once however often it comes.
    """

    series: Series
    time: Micros
    value: float | None = None
    text: str | None = None
    flag: Flag = Flag.OK
    attributes: Mapping[str, object] | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One value that is foreseen for `[start, end)`."""

    start: datetime
    end: datetime
    value: float

    def __post_init__(self) -> None:
        """Refuse naive times and slots without length."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a slot needs times with a time zone")
        # As instants: on the clock an hour that comes twice ends before it starts.
        if to_micros(self.end) <= to_micros(self.start):
            raise ValueError(f"the slot ends ({self.end}) before it starts ({self.start})")


@dataclass(frozen=True, slots=True)
class Forecast:
    """Slots as one source issued them, in time order, in one unit."""

    unit: str
    issued_at: datetime
    slots: tuple[Slot, ...]

    def at(self, moment: datetime) -> Slot | None:
        """Return the slot that contains `moment`, or None."""
        for slot in self.slots:
            if slot.start <= moment < slot.end:
                return slot
        return None

    def after(self, moment: datetime) -> Iterator[Slot]:
        """Yield the slots that end after `moment`."""
        return (slot for slot in self.slots if slot.end > moment)
