"""What is asked of an InfluxDB, in whichever of its languages."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ..core.model import Micros

PAGE = 5_000
"""Points in one answer."""
OLDEST: Micros = 946_684_800_000_000
"""2000-01-01."""
UNIT = "unit_of_measurement"
UNIT_FIELD = f"{UNIT}_str"
"""The unit of a point whose measurement is not its unit; a tag where `tags_attributes` says so."""


class OldPoint(NamedTuple):
    """A point of Home Assistant's integration: its number, its text, and its unit where the point itself has it."""

    time: Micros
    value: object
    state: object
    unit: object


class Page(NamedTuple):
    """Points, oldest first, and from when on there may be more."""

    points: Sequence[OldPoint]
    rest: Micros | None


class Language(Protocol):
    """How a server is asked."""

    async def measurements(self) -> Mapping[str, Sequence[str]]:
        """Return the measurements of each entity.

        Raises:
            MirrorError: the server does not say.
        """

    async def first(self, measurement: str, entity_id: str) -> Micros | None:
        """Return when an entity's points begin.

        Raises:
            MirrorError: the server does not say.
        """

    async def page(self, measurement: str, entity_id: str, start: Micros, end: Micros) -> Page:
        """Return an entity's points from `start` on and before `end`, as many as one answer holds.

        Raises:
            MirrorError: the server does not say.
        """
