"""Sensors that not every source has come with their first value, once, and stay."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from tests.integration.given import NOW, StartHub, settle
from tests.integration.test_init import subentry


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


def air(name: str, rank: int = 1) -> ConfigSubentryDataWithId:
    """Return a source of two sensors, of which the second is not there at first."""
    options = {"entity": f"sensor.{name}_pm", "more_entities": [f"sensor.{name}_coarse"]}
    return ConfigSubentryDataWithId(
        subentry_type="source",
        title=name.capitalize(),
        unique_id=f"air_quality:entity:{options['entity']}",
        subentry_id=name,
        data={"role": "air_quality", "provider": "entity", "options": options, "rank": rank},
    )


def tell(hass: HomeAssistant, entity: str, device_class: str, value: float) -> None:
    hass.states.async_set(entity, str(value), {"device_class": device_class, "unit_of_measurement": "µg/m³"})


async def soon(hass: HomeAssistant, entry: MockConfigEntry, freezer: FrozenDateTimeFactory) -> None:
    """Entities are not asked more often than every few seconds."""
    await settle(hass, entry)
    freezer.tick(timedelta(seconds=15))
    async_fire_time_changed(hass, dt_util.utcnow())
    await settle(hass, entry)


async def test_a_sensor_comes_with_its_first_value_and_stays(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    tell(home, "sensor.garden_pm", "pm25", 9.0)
    entry = await start_hub(air("garden"))
    await settle(home, entry)
    assert home.states.get("sensor.garden_pm2_5").state == "9.0"
    assert home.states.get("sensor.garden_pm10") is None
    assert home.states.get("sensor.garden_ozone") is None

    for value in (20.0, 21.0):
        tell(home, "sensor.garden_coarse", "pm10", value)
        await soon(home, entry, freezer)
        assert home.states.get("sensor.garden_pm10").state == str(value)
    assert home.states.get("sensor.garden_ozone") is None

    # It was there before: after a restart it does not wait for a value.
    home.states.async_remove("sensor.garden_coarse")
    await soon(home, entry, freezer)
    assert home.states.get("sensor.garden_pm10").state == "unknown"
    await home.config_entries.async_reload(entry.entry_id)
    await settle(home, entry)
    assert home.states.get("sensor.garden_pm10").state == "unknown"
    assert "does not generate unique IDs" not in caplog.text


async def test_a_topic_gets_the_sensor_too_and_only_once(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("garden", "street", "roof"):
        tell(home, f"sensor.{name}_pm", "pm25", 9.0)
    entry = await start_hub(air("garden"), air("street", rank=2))
    await settle(home, entry)
    assert home.states.get("sensor.air_quality_pm2_5").state == "9.0"
    home.config_entries.async_add_subentry(entry, subentry(air("roof", rank=3)))
    await settle(home, entry)
    assert home.states.get("sensor.air_quality_pm10") is None

    tell(home, "sensor.garden_coarse", "pm10", 20.0)
    await soon(home, entry, freezer)
    assert home.states.get("sensor.garden_pm10").state == "20.0"
    assert home.states.get("sensor.air_quality_pm10").state == "20.0"
    assert home.states.get("sensor.street_pm10") is None
    assert "does not generate unique IDs" not in caplog.text


async def test_prices_are_compared_once_there_is_a_list(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    home.states.async_set("sensor.epex", "0.2", {"unit_of_measurement": "EUR/kWh"})
    data = {"role": "electricity_pricing", "provider": "entity", "options": {"entity": "sensor.epex"}, "rank": 1}
    entry = await start_hub(
        ConfigSubentryDataWithId(
            subentry_type="source",
            title="Epex",
            unique_id="electricity_pricing:entity:sensor.epex",
            subentry_id="epex",
            data=data,
        )
    )
    await settle(home, entry)
    assert home.states.get("sensor.epex_current_price").state == "0.2"
    compared = ["sensor.epex_price_rank_today", "sensor.epex_cheapest_hour", "binary_sensor.epex_peak_period"]
    assert [home.states.get(entity) for entity in compared] == [None] * 3

    # From 12:00 UTC on, the last three hours of the day: the four cheapest may be over, they are shown all the same.
    slots = [
        {"start": f"2026-11-21T{hour:02}:00:00+00:00", "end": f"2026-11-21T{hour + 1:02}:00:00+00:00", "price": price}
        for hour, price in enumerate([0.1] * 8 + [0.3] * 14)
    ]
    home.states.async_set("sensor.epex", "0.3", {"unit_of_measurement": "EUR/kWh", "prices": slots})
    await soon(home, entry, freezer)
    assert home.states.get("sensor.epex_price_rank_today").state != "unknown"
    assert home.states.get("sensor.epex_cheapest_hour").state == "unknown"
    assert home.states.get("binary_sensor.epex_peak_period").state in {"on", "off"}
