"""What a source may know of this home, and use of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util.json import JsonValueType
import probatio

from .core.stretch import Past
from .looking_back import async_entity_past, async_stored_past
from .sources.base import EntityOrigin, EntityState, Home, Json, SourceNoData

ENERGY = "energy"
COORDINATE_DECIMALS = 2
"""About 1 km: near enough for weather, prices and air, too far to find the house."""


def home_of(hass: HomeAssistant) -> Home:
    """Return what sources may know about this home."""
    return Home(
        latitude=round(hass.config.latitude, COORDINATE_DECIMALS),
        longitude=round(hass.config.longitude, COORDINATE_DECIMALS),
        country=hass.config.country,
        currency=hass.config.currency,
        timezone=hass.config.time_zone,
    )


class HomeAssistantAccess:
    """The part of Home Assistant a provider may use."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Keep Home Assistant out of the providers' sight."""
        self._hass = hass

    def state(self, entity_id: str) -> EntityState | None:
        """Return the entity's state, or None when there is no such entity."""
        if (state := self._hass.states.get(entity_id)) is None:
            return None
        return EntityState(
            entity_id=entity_id,
            state=state.state,
            attributes=state.attributes,
            last_updated=state.last_updated,
        )

    def origin(self, entity_id: str) -> EntityOrigin | None:
        """Return where the entity comes from, or None when it is in no registry."""
        if (entry := er.async_get(self._hass).async_get(entity_id)) is None:
            return None
        return EntityOrigin(entry.platform, entry.config_entry_id, entry.unique_id)

    def entities(self, platform: str) -> tuple[str, ...]:
        """Return the enabled entities that an integration made, by entity id."""
        entries = er.async_get(self._hass).entities.values()
        return tuple(sorted(entry.entity_id for entry in entries if entry.platform == platform and not entry.disabled))

    async def energy_preferences(self) -> Mapping[str, Json]:
        """Return what the user told the Energy dashboard; empty when it was never set up."""
        if ENERGY not in self._hass.config.components:
            return {}
        # It needs libraries that a home without it need not have; here it is loaded, so nothing blocks.
        from homeassistant.components.energy.data import async_get_manager

        manager = await async_get_manager(self._hass)
        return cast("Mapping[str, Json]", manager.data or {})

    async def history(self, entity_id: str, start: datetime, end: datetime, *, tier: str) -> Past:
        """Return what our store holds of an entity; empty when it was not recorded."""
        return await async_entity_past(self._hass, entity_id, start, end, tier)

    async def stored(
        self, measurement: str, name: str, start: datetime, end: datetime, *, tier: str, tags: Mapping[str, str]
    ) -> Past:
        """Return what our store holds of a field of a source's measurement; of several series, of the newest."""
        return await async_stored_past(self._hass, (measurement, name, tags), start, end, tier)

    async def action(self, domain: str, name: str, parameters: Mapping[str, object]) -> Json:
        """Call an action that answers and return the answer.

        Raises:
            SourceNoData: the action does not exist or refused.
        """
        if not self._hass.services.has_service(domain, name):
            raise SourceNoData(f"the action {domain}.{name} does not exist: is its integration set up?")
        try:
            answer: Mapping[str, JsonValueType] | None = await self._hass.services.async_call(
                domain, name, dict(parameters), blocking=True, return_response=True
            )
        except (HomeAssistantError, probatio.Invalid) as error:
            raise SourceNoData(f"the action {domain}.{name} refused: {error}") from error
        return cast("Json", answer)
