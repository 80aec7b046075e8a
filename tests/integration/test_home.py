"""What sources see of the home."""

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.home import HomeAssistantAccess, home_of
from custom_components.strata.sources.base import EntityOrigin, Home, SourceNoData


async def test_coordinates_are_rounded_to_a_kilometre(home: HomeAssistant) -> None:
    assert home_of(home) == Home(latitude=52.52, longitude=13.4, country="DE", currency="EUR", timezone="Europe/Berlin")


async def test_state_with_its_unit(home: HomeAssistant) -> None:
    home.states.async_set("sensor.price", "0.3", {"unit_of_measurement": "EUR/kWh"})
    access = HomeAssistantAccess(home)
    state = access.state("sensor.price")
    assert state is not None
    assert (state.state, state.unit) == ("0.3", "EUR/kWh")
    assert access.state("sensor.none") is None


async def test_origin_of_an_entity(home: HomeAssistant, entity_registry: er.EntityRegistry) -> None:
    entry = MockConfigEntry(domain="tibber")
    entry.add_to_hass(home)
    entity = entity_registry.async_get_or_create("sensor", "tibber", "price", config_entry=entry)
    access = HomeAssistantAccess(home)
    assert access.origin(entity.entity_id) == EntityOrigin("tibber", entry.entry_id, "price")
    assert access.origin("sensor.none") is None


async def test_answer_of_an_action(home: HomeAssistant) -> None:
    async def answer(call: ServiceCall) -> ServiceResponse:
        return {"asked": call.data["day"]}

    schema = probatio.Schema({probatio.Required("day"): str})
    home.services.async_register("tibber", "get_prices", answer, schema, SupportsResponse.ONLY)
    access = HomeAssistantAccess(home)
    assert await access.action("tibber", "get_prices", {"day": "today"}) == {"asked": "today"}
    with pytest.raises(SourceNoData, match="refused"):
        await access.action("tibber", "get_prices", {"week": 7})


async def test_action_that_does_not_exist_or_refuses(home: HomeAssistant) -> None:
    async def refuse(call: ServiceCall) -> ServiceResponse:
        raise HomeAssistantError("not today")

    home.services.async_register("tibber", "get_prices", refuse, None, SupportsResponse.ONLY)
    home.services.async_register("tibber", "ring", refuse)
    access = HomeAssistantAccess(home)
    with pytest.raises(SourceNoData, match=r"tibber\.get_prices refused: not today"):
        await access.action("tibber", "get_prices", {})
    with pytest.raises(SourceNoData, match=r"tibber\.ring refused"):
        await access.action("tibber", "ring", {})
    with pytest.raises(SourceNoData, match=r"tibber\.missing does not exist"):
        await access.action("tibber", "missing", {})
