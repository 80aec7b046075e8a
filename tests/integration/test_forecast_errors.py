"""The sensor that says how far a forecast lay from what came."""

from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.core.model import Forecast, SeriesKey, Slot, to_micros
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.worker import StoreWorker
from tests.integration.given import NOW, StartHub, entity_source, settle
from tests.source_world import recorded

HOUR = timedelta(hours=1)
END = NOW.replace(minute=0)
ERROR = "sensor.air_forecast_error"
TAGS = {"location": "52.52,13.40", "parameter": "overall"}


def model(start: datetime) -> dict[str, Any]:
    answer: dict[str, Any] = recorded("air_quality/open_meteo/berlin.json")
    begin = int((start - 30 * HOUR).timestamp())
    answer["hourly"]["time"] = [begin + 3600 * hour for hour in range(144)]
    return answer


def air_source() -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        subentry_type="source",
        title="Air",
        unique_id="air_quality:open_meteo:",
        subentry_id="air",
        data={"role": "air_quality", "provider": "open_meteo", "options": {}, "rank": 1},
    )


@pytest.fixture
async def air(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, aioclient_mock: AiohttpClientMocker
) -> MockConfigEntry:
    freezer.move_to(NOW)
    aioclient_mock.get("https://air-quality-api.open-meteo.com/v1/air-quality", json=model(END))
    entry = await start_hub(air_source())
    await settle(home, entry)
    return entry


async def an_hour_later(home: HomeAssistant, entry: MockConfigEntry, freezer: FrozenDateTimeFactory) -> None:
    await entry.runtime_data.worker.flush()
    freezer.tick(HOUR + timedelta(seconds=5))
    async_fire_time_changed(home, dt_util.utcnow())
    await settle(home, entry)


async def test_a_forecast_is_compared_with_what_came(
    home: HomeAssistant, air: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    assert home.states.get(ERROR).state == "unknown"
    worker: StoreWorker = air.runtime_data.worker
    series = worker.find(SeriesKey.of_tags("air_quality", TAGS, "aqi"))
    assert series is not None
    # It stood at 50 for eight hours; 60 had been foreseen the day before.
    worker.put(series, to_micros(END - 8 * HOUR), 50.0)
    slots = tuple(Slot(END + n * HOUR, END + (n + 1) * HOUR, 60.0) for n in range(-24, 24))
    key = SeriesKey.of_tags("air_quality_forecast", TAGS, "aqi")
    worker.put_forecast("air_quality:open_meteo:", key, Forecast("AQI", END - 20 * HOUR, slots))
    await an_hour_later(home, air, freezer)
    state = home.states.get(ERROR)
    # Eight hours at 50, then one at the 57 that the model says now: (8 · 10 + 3) / 9.
    assert float(state.state) == pytest.approx(83 / 9)
    assert state.attributes["bias"] == pytest.approx(83 / 9)
    assert state.attributes["hours_compared"] == 9
    assert state.attributes["lead_hours"] == 6


async def test_nothing_to_compare_is_unknown(
    home: HomeAssistant, air: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    await an_hour_later(home, air, freezer)
    assert home.states.get(ERROR).state == "unknown"
    with patch.object(StoreWorker, "read", side_effect=StoreError("closed")):
        await an_hour_later(home, air, freezer)
    assert home.states.get(ERROR).state == "unknown"


async def test_what_foresees_nothing_has_no_such_sensor(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(NOW)
    home.states.async_set("sensor.grid_carbon", "300", {"unit_of_measurement": "gCO2eq/kWh"})
    entry = await start_hub(entity_source())
    await settle(home, entry)
    assert home.states.get("sensor.grid_carbon_intensity") is not None
    assert home.states.get("sensor.grid_forecast_error") is None
