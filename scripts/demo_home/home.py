"""What a home to be replayed is: entities, the changes of their states, and when nobody was watching."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

type Micros = int
"""Microseconds since 1970-01-01 UTC."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

GAPS = frozenset({"unavailable", "unknown"})
NOTHING: Mapping[str, object] = {}


class Nature(StrEnum):
    """What has to be known about an entity to add its history up."""

    LEVEL = "level"
    """A number that holds until the next: its mean is weighted by time."""
    REGISTER = "register"
    """A number that grows and starts again when it falls."""
    BALANCE = "balance"
    """A number that goes up and down and starts again when its attribute `last_reset` changes."""
    SWITCH = "switch"
    """Two states: seconds on."""
    WORDS = "words"
    """Named states: seconds in each."""


NUMBERS = frozenset({Nature.LEVEL, Nature.REGISTER, Nature.BALANCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeEntity:
    """An entity of the home; `off` is the state of a switch that is not on."""

    entity_id: str
    nature: Nature
    attributes: Mapping[str, object] = field(default_factory=dict)
    area: str | None = None
    off: str = "off"


class Change(NamedTuple):
    """A state an entity takes; `attributes` are more than the entity always has.

    `faulty` marks a reading no sensor can have meant: it has to be kept, but must count nowhere.
    """

    time: Micros
    entity_id: str
    state: str
    attributes: Mapping[str, object] = NOTHING
    faulty: bool = False


class Downtime(NamedTuple):
    """Home Assistant does not run from `stop` to `start`."""

    stop: Micros
    start: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A home and what happens in it from `begin` to `end`; `changes` are in time order."""

    title: str
    timezone: str
    begin: Micros
    end: Micros
    entities: Mapping[str, HomeEntity]
    changes: list[Change]
    downtimes: tuple[Downtime, ...] = ()
    sources_from: Micros
    """When the outside sources are added."""
    notes: tuple[str, ...] = ()
    """What the summary has to say about it."""
