"""The hub's life: set up, running, unloaded, removed."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from tests.integration.given import NOW, StartHub, price_source, settle


async def test_hub_and_source_come_up(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(NOW)
    entry = await start_hub(price_source())
    await settle(home, entry)
    assert entry.state is ConfigEntryState.LOADED
    # 11:07 in Berlin is the twelfth hour: 0.100 + 11 x 0.010.
    assert home.states.get("sensor.energy_charts_de_lu_current_price").state == "0.21"
