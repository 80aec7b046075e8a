"""Several sources of one role: the first by rank that has a good reading speaks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from types import MappingProxyType

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry, ConfigSubentryDataWithId
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.strata import async_remove_config_entry_device
from custom_components.strata.const import DOMAIN
from tests.integration.given import NOW, StartHub, entity_source, price_source, settle

ROLE = "sensor.carbon_intensity_carbon_intensity"
UNIT = {"unit_of_measurement": "gCO2eq/kWh"}


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


def said(hass: HomeAssistant) -> tuple[str, str | None]:
    state = hass.states.get(ROLE)
    assert state is not None
    return state.state, state.attributes.get("provider")


async def test_lowest_rank_speaks_and_the_next_takes_over(
    home: HomeAssistant, start_hub: StartHub, move_to: Callable[[datetime], None]
) -> None:
    home.states.async_set("sensor.first", "100", UNIT)
    home.states.async_set("sensor.second", "200", UNIT)
    second = entity_source("sensor.second", rank=1)
    first = entity_source("sensor.first", rank=2)
    entry = await start_hub(first, second)
    await settle(home, entry)
    assert said(home) == ("200.0", "entity")

    home.states.async_remove("sensor.second")
    move_to(NOW + timedelta(hours=1))
    await settle(home, entry)
    assert said(home)[0] == "200.0", "its last reading is still good"
    move_to(NOW + timedelta(hours=2, minutes=1))
    await settle(home, entry)
    assert said(home)[0] == "100.0"
    home.states.async_set("sensor.second", "210", UNIT)
    await settle(home, entry)
    assert said(home)[0] == "210.0"


async def test_nobody_speaks_when_no_source_has_a_good_reading(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub(entity_source("sensor.first"), entity_source("sensor.second"))
    await settle(home, entry)
    assert said(home) == (STATE_UNAVAILABLE, None)


async def test_role_has_no_entities_of_its_own_with_one_source(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub(entity_source())
    await settle(home, entry)
    assert home.states.get(ROLE) is None
    assert entry.runtime_data.source_set.ranked == {}


async def test_role_outlives_the_exchange_of_a_provider(
    home: HomeAssistant, start_hub: StartHub, device_registry: dr.DeviceRegistry
) -> None:
    home.states.async_set("sensor.first", "100", UNIT)
    home.states.async_set("sensor.second", "200", UNIT)
    entry = await start_hub(entity_source("sensor.first"))
    await settle(home, entry)
    data = entity_source("sensor.second", rank=2)
    added = ConfigSubentry(
        data=MappingProxyType(data["data"]), subentry_type="source", title="Second", unique_id=data["unique_id"]
    )
    home.config_entries.async_add_subentry(entry, added)
    await settle(home, entry)
    assert said(home) == ("100.0", "entity")
    identifier = (DOMAIN, f"{entry.entry_id}_carbon_intensity")
    device = device_registry.async_get_device_by_identifier(identifier, entry.entry_id)
    assert (device.name, device.config_subentry_id) == ("Carbon intensity", None)
    assert not await async_remove_config_entry_device(home, entry, device)

    first = next(iter(entry.subentries))
    home.config_entries.async_remove_subentry(entry, first)
    await settle(home, entry)
    assert said(home)[0] == "200.0"
    assert await async_remove_config_entry_device(home, entry, device), "the user may do without it now"

    # A restart with one source changes nothing.
    await home.config_entries.async_reload(entry.entry_id)
    await settle(home, entry)
    assert said(home)[0] == "200.0"

    home.config_entries.async_remove_subentry(entry, added.subentry_id)
    await settle(home, entry)
    assert home.states.get(ROLE) is None
    assert device_registry.async_get_device_by_identifier(identifier, entry.entry_id) is None


async def test_changed_rank_changes_who_speaks(home: HomeAssistant, start_hub: StartHub) -> None:
    home.states.async_set("sensor.first", "100", UNIT)
    home.states.async_set("sensor.second", "200", UNIT)
    entry = await start_hub(entity_source("sensor.first", rank=1), entity_source("sensor.second", rank=2))
    await settle(home, entry)
    assert said(home)[0] == "100.0"
    first = next(iter(entry.subentries.values()))
    home.config_entries.async_update_subentry(entry, first, data={**first.data, "rank": 3})
    await settle(home, entry)
    assert said(home)[0] == "200.0"


async def test_user_can_ask_the_role_for_a_fetch(home: HomeAssistant, start_hub: StartHub) -> None:
    from homeassistant.setup import async_setup_component

    await async_setup_component(home, "homeassistant", {})
    home.states.async_set("sensor.first", "100", UNIT)
    entry = await start_hub(entity_source("sensor.first"), entity_source("sensor.second", rank=2))
    await settle(home, entry)
    speaker = entry.runtime_data.source_set.ranked["carbon_intensity"].speaker
    await home.services.async_call("homeassistant", "update_entity", {"entity_id": [ROLE]}, blocking=True)
    await settle(home, entry)
    assert len(speaker.health.fetches) == 2


async def test_entities_of_the_role_follow_what_its_sources_can_fill(home: HomeAssistant, start_hub: StartHub) -> None:
    for name, value in (("first", "100"), ("second", "200")):
        home.states.async_set(f"sensor.{name}", value, UNIT)
    home.states.async_set("sensor.wind", "45", {"unit_of_measurement": "%"})
    renewable = "sensor.carbon_intensity_renewable_share"
    entry = await start_hub(entity_source("sensor.first"), entity_source("sensor.second", rank=2))
    await settle(home, entry)
    assert home.states.get(renewable) is None

    second = entry.subentries["carbon_sensor.second"]
    with_share = {**second.data, "options": {"entity": "sensor.second", "renewable_entity": "sensor.wind"}}
    home.config_entries.async_update_subentry(entry, second, data=with_share)
    await settle(home, entry)
    assert home.states.get(renewable).state == "unknown", "the source that speaks does not know it"
    assert home.states.get("sensor.grid_2_renewable_share") is None
    assert [state.entity_id for state in home.states.async_all("sensor") if state.state == "45.0"] == [
        "sensor.grid_renewable_share"
    ]

    without = {**second.data, "options": {"entity": "sensor.second"}}
    home.config_entries.async_update_subentry(entry, second, data=without)
    await settle(home, entry)
    assert home.states.get(renewable) is None
    assert home.states.get("sensor.grid_renewable_share") is None
    assert said(home) == ("100.0", "entity")


async def test_no_source_of_another_currency_speaks_for_the_role(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    def prices_of(entity_id: str, rank: int) -> ConfigSubentryDataWithId:
        source = price_source(entity_id, rank=rank, title=entity_id)
        source["data"] = {**source["data"], "provider": "entity", "options": {"entity": entity_id}}
        return source

    home.states.async_set("sensor.crowns", "2.5", {"unit_of_measurement": "SEK/kWh"})
    home.states.async_set("sensor.euros", "0.25", {"unit_of_measurement": "EUR/kWh"})
    entry = await start_hub(prices_of("sensor.crowns", 1), prices_of("sensor.euros", 2))
    await settle(home, entry)
    role = entry.runtime_data.source_set.ranked["electricity_pricing"]
    assert role.speaker is not None
    assert role.speaker.title == "sensor.crowns"
    freezer.tick(2 * 3600)
    await entry.runtime_data.sources["prices_sensor.euros"].async_refresh()
    assert role.speaker is None, "euros are no crowns"
