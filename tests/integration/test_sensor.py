"""The sensors, every one of them."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed, snapshot_platform
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from syrupy.assertion import SnapshotAssertion

from custom_components.strata.sources import ROLES
from tests.integration.given import (
    KEYED_URL,
    NOW,
    Keyed,
    StartHub,
    entity_source,
    keyed_source,
    price_source,
    settle,
)

UNIT = {"unit_of_measurement": "gCO2eq/kWh"}


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.mark.usefixtures("every_entity_enabled")
@pytest.mark.parametrize("platform", [Platform.SENSOR, Platform.BINARY_SENSOR])
async def test_all_entities(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    monkeypatch: pytest.MonkeyPatch,
    platform: Platform,
) -> None:
    monkeypatch.setattr("custom_components.strata.PLATFORMS", [platform])
    # Size and count of the store depend on the machine; a test below looks at them.
    monkeypatch.setattr("custom_components.strata.sensor.HUB_SENSORS", ())
    monkeypatch.setattr("custom_components.strata.retention_entities.RETENTION_SENSORS", ())
    home.states.async_set("sensor.grid_carbon", "230", UNIT)
    entry = await start_hub(price_source(), price_source("AT", rank=2), entity_source())
    await settle(home, entry)
    await snapshot_platform(home, entity_registry, snapshot, entry.entry_id)


async def test_counters_do_not_wait_for_the_next_measurement(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, entity_registry: er.EntityRegistry
) -> None:
    entry = await start_hub()
    await settle(home, entry)
    entity_id = next(
        found.entity_id
        for found in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        if found.translation_key == "stored_events"
    )
    home.states.async_set("light.hall", "on")
    await entry.runtime_data.worker.flush()
    freezer.tick(61)
    async_fire_time_changed(home)
    await home.async_block_till_done()
    assert (state := home.states.get(entity_id)) is not None
    assert int(state.state) >= 1


@pytest.mark.usefixtures("every_entity_enabled")
async def test_store_is_measured(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    await settle(home, entry)
    worker = entry.runtime_data.worker
    home.states.async_set("light.hall", "on")
    home.states.async_set("light.hall", "off")
    await worker.flush()
    home.states.async_set("light.hall", "on")
    await entry.runtime_data.store.async_refresh()
    await settle(home, entry)

    def value(name: str) -> float:
        return float(home.states.get(f"sensor.strata_{name}").state)

    assert home.states.get("sensor.strata_store_size").attributes["unit_of_measurement"] == "MB"
    # Strata's own diagnostics are not recorded: these are the three changes of the light.
    assert (value("stored_events"), value("waiting_rows")) == (2, 1)
    assert (value("dropped_rows"), value("flagged_rows")) == (0, 0)
    shown = value("store_size")
    await home.config_entries.async_unload(entry.entry_id)
    size = await home.async_add_executor_job(lambda: worker.path.stat().st_size)
    assert shown == pytest.approx(size / 1e6, rel=0.5)


@pytest.mark.usefixtures("every_entity_enabled")
async def test_store_that_cannot_be_measured_is_said(
    home: HomeAssistant, start_hub: StartHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from custom_components.strata.store.base import StoreDamaged

    entry = await start_hub()
    await settle(home, entry)

    async def read(work: object) -> None:
        raise StoreDamaged("page 7 is not readable")

    monkeypatch.setattr(entry.runtime_data.worker, "read", read)
    await entry.runtime_data.store.async_refresh()
    assert "The store cannot be used: page 7 is not readable" in caplog.text
    assert home.states.get("sensor.strata_store_size").state == "unavailable"


async def test_diagnostics_about_numbers_are_disabled_until_wanted(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, entity_registry: er.EntityRegistry
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    entities = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    disabled = {
        entity.translation_key for entity in entities if entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    }
    assert disabled == {
        "uptime",
        "waiting_rows",
        "dropped_rows",
        "last_downsample_daily",
        "flagged_rows",
        "low_anomalies",
        "medium_anomalies",
        "high_anomalies",
        "learning_entities",
    }
    assert {
        entity.translation_key for entity in entities if entity.entity_category is er.EntityCategory.DIAGNOSTIC
    } == {
        *disabled,
        "history_import",
        "ladder",
        "last_downsample_hourly",
        "open_anomalies",
        "watched_entities",
        "healthy",
        "last_update",
        "storage_reduction",
        "storage_saved",
        "store_size",
        "stored_events",
        "tomorrow_available",
    }


async def test_values_before_the_first_reading_and_unit_after_it(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get("https://api.energy-charts.info/price", status=500)
    entry = await start_hub(price_source())
    await settle(home, entry)
    assert home.states.get("sensor.energy_charts_de_lu_last_update").state == STATE_UNKNOWN


async def test_metrics_a_source_lacks_make_no_entity(home: HomeAssistant, start_hub: StartHub) -> None:
    home.states.async_set("sensor.grid_carbon", "230", UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    assert home.states.get("sensor.grid_carbon_intensity").state == "230.0"
    assert home.states.get("sensor.grid_renewable_share") is None
    assert home.states.get("sensor.grid_carbon_intensity_in_one_hour") is None


async def test_long_lists_are_not_recorded(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    price = home.states.get("sensor.energy_charts_de_lu_current_price")
    assert len(price.attributes["forecast"]) == 13, "from the running hour to midnight"
    assert "forecast" in price.state_info["unrecorded_attributes"]
    unrecorded = {name for role in ROLES for metric in role.metrics for name in metric.unrecorded}
    assert unrecorded == {"forecast", "away", "reasons", "circuits"}


async def test_last_update_says_when_the_source_answered_and_what_instant_it_spoke_of(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    shown = home.states.get("sensor.energy_charts_de_lu_last_update")
    assert dt_util.parse_datetime(shown.state) == NOW
    # The running hour is what the prices of the day are for.
    assert dt_util.parse_datetime(shown.attributes["observed_at"]) == NOW.replace(minute=0)


async def test_notes_of_a_reading_are_attributes_of_its_main_value(
    home: HomeAssistant, start_hub: StartHub, keyed: type[Keyed], aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    entry = await start_hub(keyed_source())
    await settle(home, entry)
    assert home.states.get("sensor.keyed_current_price").attributes["tariff"] == "agile"
    assert "tariff" not in home.states.get("sensor.keyed_last_update").attributes
