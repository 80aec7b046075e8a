"""The part of Home Assistant that a source may see and use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ..core.stretch import Past

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What a source may know about the home; coordinates are rounded to 2 decimals (about 1 km)."""

    latitude: float
    longitude: float
    country: str | None
    currency: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityState:
    """A Home Assistant entity's state as a provider sees it."""

    entity_id: str
    state: str
    attributes: Mapping[str, object]
    last_updated: datetime

    @property
    def unit(self) -> str | None:
        """The unit of measurement, or None."""
        unit = self.attributes.get("unit_of_measurement")
        # Home Assistant's units are members of enumerations, which are shown as such in messages.
        return str(unit) if isinstance(unit, str) else None


@dataclass(frozen=True, slots=True)
class EntityOrigin:
    """Which integration made an entity, and by which of its config entries."""

    platform: str
    config_entry: str | None
    unique_id: str | None = None
    """The integration's own id of the entity."""


class HomeAccess(Protocol):
    """The part of Home Assistant a provider may use."""

    def state(self, entity_id: str) -> EntityState | None:
        """Return the entity's state, or None when there is no such entity."""

    def origin(self, entity_id: str) -> EntityOrigin | None:
        """Return where the entity comes from, or None when it is in no registry."""

    def entities(self, platform: str) -> tuple[str, ...]:
        """Return the enabled entities that an integration made, by entity id."""

    async def energy_preferences(self) -> Mapping[str, Json]:
        """Return what the user told the Energy dashboard; empty when it was never set up."""

    async def history(self, entity_id: str, start: datetime, end: datetime, *, tier: str) -> Past:
        """Return what our store holds of an entity: in the buckets of a tier, of `raw` in quarters of an hour.

        Empty when it was not recorded.
        """

    async def stored(
        self, measurement: str, name: str, start: datetime, end: datetime, *, tier: str, tags: Mapping[str, str]
    ) -> Past:
        """Return what our store holds of a field of a source's measurement, in the same stretches.

        Of several series that have `tags` among theirs, the one that was written last.
        """

    async def action(self, domain: str, name: str, parameters: Mapping[str, object]) -> Json:
        """Call an action that answers and return the answer.

        Raises:
            SourceNoData: the action does not exist or refused.
        """
