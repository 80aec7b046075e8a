"""System health: the store at a glance, and whether the sources can be reached."""

from typing import Any

from aiohttp import ClientError
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.const import BASE_URLS, DOMAIN
from tests.integration.given import NOW, StartHub, entity_source, price_source, settle


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def info(hass: HomeAssistant) -> dict[str, Any]:
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    found = await get_system_health_info(hass, DOMAIN)
    return {key: value if isinstance(value, str | int | None) else await value for key, value in found.items()}


async def test_store_and_sources(home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker) -> None:
    energy_charts.get("https://api.energy-charts.info", text="")
    home.states.async_set("sensor.grid_carbon", "broken")
    entry = await start_hub(price_source(), entity_source())
    await settle(home, entry)
    found = await info(home)
    assert found.pop("store_size").endswith(" MB")
    assert found.pop("waiting_rows") >= 0
    assert found == {
        "stored_events": 0,
        "dropped_rows": 0,
        "sources": 2,
        "healthy_sources": 1,
        "api.energy-charts.info reachable": "ok",
    }


async def test_server_that_cannot_be_reached(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    home.data[BASE_URLS] = {"electricity_pricing.energy_charts": "http://127.0.0.1:9"}
    aioclient_mock.get("http://127.0.0.1:9", exc=ClientError)
    aioclient_mock.get("http://127.0.0.1:9/price", exc=ClientError)
    entry = await start_hub(price_source())
    await settle(home, entry)
    found = await info(home)
    assert found["127.0.0.1:9 reachable"] == {"type": "failed", "error": "unreachable"}
    assert found["healthy_sources"] == 0


async def test_hub_that_does_not_run(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    await home.config_entries.async_unload(entry.entry_id)
    assert await info(home) == {"hub": "not set up"}
