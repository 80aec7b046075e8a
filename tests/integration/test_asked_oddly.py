"""Actions that are asked for something in an odd way."""

from homeassistant.core import HomeAssistant
import pandas as pd  # noqa: F401 - pyarrow imports it, which never ends while a test holds the clock still
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.const import DOMAIN
from tests.integration.given import StartHub


@pytest.fixture
async def entry(home: HomeAssistant, start_hub: StartHub) -> MockConfigEntry:
    home.states.async_set("sensor.power", "100", {"unit_of_measurement": "W", "device_class": "power"})
    hub = await start_hub()
    await hub.runtime_data.worker.flush()
    return hub


async def test_an_entity_that_is_named_twice_is_erased_once(home: HomeAssistant, entry: MockConfigEntry) -> None:
    asked = {"entities": ["sensor.power", "sensor.power"], "dry_run": True}
    told = await home.services.async_call(DOMAIN, "erase", asked, blocking=True, return_response=True)
    assert told is not None
    assert told["entities"] == ["sensor.power"]
    assert told["rows"]["raw"] == 1  # type: ignore[index, call-overload]


@pytest.mark.parametrize("days", [36_501, 10**30])
async def test_days_are_not_put_back_for_longer_than_anything_is_kept(
    home: HomeAssistant, entry: MockConfigEntry, days: int
) -> None:
    asked = {"start": "2026-01-01 00:00:00", "into": "store", "keep_days": days}
    with pytest.raises(probatio.Invalid):
        await home.services.async_call(DOMAIN, "restore", asked, blocking=True, return_response=True)
