"""What a source of history gives, and the names that jobs and sources share."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..core.model import Series, TimeRange
from ..core.rollup import Rollup


class OldState(NamedTuple):
    """A state of long ago: when (microseconds), what, and the attributes that say how to read it."""

    time: int
    state: str
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a source knows of one entity in a stretch of whole local hours: hours ready made, or states."""

    when: TimeRange
    states: Sequence[OldState] = ()
    hours: Sequence[tuple[Series, Rollup]] = field(default=())


class ImportSource(Protocol):
    """Where history comes from."""

    @property
    def name(self) -> str:
        """What tells this source from others, without secrets; progress is kept under it."""

    async def entities(self) -> list[str]:
        """Return the entities it knows."""

    def read(self, entity_id: str, series: Sequence[Series], when: TimeRange) -> AsyncIterator[Batch]:
        """Yield what it knows of an entity in a range, oldest first."""


class ImportFailed(Exception):
    """A source cannot be read; what came before is kept, and the next run goes on there."""
