"""Sources of carbon intensity and air quality as a person adds them: forms, refused keys, ranks, diagnostics."""

import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from syrupy.assertion import SnapshotAssertion

from custom_components.strata.diagnostics import async_get_config_entry_diagnostics
from custom_components.strata.flows.choice import best
from custom_components.strata.sources import role
from custom_components.strata.sources.base import Home
from tests.integration.given import StartHub, settle
from tests.source_world import NOW, recorded

type Result = dict[str, Any]

AIRNOW = "https://www.airnowapi.org/aq/observation/current/ziplatlong/"
WAQI = "https://api.waqi.info/feed/geo:52.52;13.4/"
MODEL = "https://air-quality-api.open-meteo.com/v1/air-quality"
WATTTIME = "https://api.watttime.org"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def begin(hass: HomeAssistant, entry: MockConfigEntry, topic: str, provider: str) -> Result:
    flows = hass.config_entries.subentries
    result = await flows.async_init((entry.entry_id, "source"), context={"source": SOURCE_USER})
    result = await flows.async_configure(result["flow_id"], {"role": topic})
    return dict(await flows.async_configure(result["flow_id"], {"provider": provider}))


async def go_on(hass: HomeAssistant, result: Result, answers: dict[str, Any]) -> Result:
    return dict(await hass.config_entries.subentries.async_configure(result["flow_id"], answers))


def source(topic: str, provider: str, options: dict[str, Any], rank: int = 1) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        subentry_type="source",
        title=provider,
        unique_id=f"{topic}:{provider}:{rank}",
        subentry_id=f"{provider}_{rank}",
        data={"role": topic, "provider": provider, "options": options, "rank": rank},
    )


async def test_the_model_is_added_without_a_key_and_knows_the_place_to_a_kilometre(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get(MODEL, json=recorded("air_quality/open_meteo/berlin.json"))
    entry = await start_hub()
    result = await begin(home, entry, "air_quality", "open_meteo")
    result = await go_on(home, result, {})
    assert result["step_id"] == "preview_forecast"
    assert result["description_placeholders"]["title"] == "Air quality (Open-Meteo)"
    assert result["description_placeholders"]["value"] == "57 AQI"
    query = aioclient_mock.mock_calls[0][1].query
    assert (query["latitude"], query["longitude"]) == ("52.52", "13.4")
    await go_on(home, result, {})
    await settle(home, entry)
    state = home.states.get("sensor.air_quality_open_meteo_air_quality_index")
    assert state.state == "57"
    assert state.attributes["averaging"] == "nowcast"
    assert state.attributes["device_class"] == "aqi"
    assert "unit_of_measurement" not in state.attributes
    assert state.attributes["attribution"] == "Open-Meteo, CAMS (CC BY 4.0)"
    particles = home.states.get("sensor.air_quality_open_meteo_pm2_5")
    assert particles.attributes["unit_of_measurement"] == "μg/m³"


async def test_a_key_refused_with_status_200_is_said_and_leads_to_a_repair(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get(AIRNOW, json=recorded("air_quality/airnow/invalid_key.json"))
    entry = await start_hub(source("air_quality", "airnow", {"api_key": "wrong-secret"}))
    await settle(home, entry)
    issues = {issue.translation_key for issue in ir.async_get(home).issues.values()}
    assert "source_unauthorized" in issues
    result = await begin(home, entry, "air_quality", "airnow")
    result = await go_on(home, result, {"api_key": "another", "place": {"latitude": 34.0522, "longitude": -118.2437}})
    assert result["errors"] == {"base": "invalid_auth"}
    assert aioclient_mock.mock_calls[-1][1].query["latitude"] == "34.05"


async def test_diagnostics_hold_no_coordinates_of_the_home(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get(MODEL, json=recorded("air_quality/open_meteo/berlin.json"))
    aioclient_mock.get(WAQI, json=recorded("air_quality/waqi/berlin.json"))
    entry = await start_hub(
        source("air_quality", "open_meteo", {}), source("air_quality", "waqi", {"api_key": "my-token"}, rank=2)
    )
    await settle(home, entry)
    assert entry.runtime_data.sources["waqi_2"].reading is not None
    text = json.dumps(await async_get_config_entry_diagnostics(home, entry), default=str)
    assert "/feed/geo:" in text
    assert "13.4" not in text
    assert "my-token" not in text


async def test_a_mean_and_a_marginal_intensity_never_stand_in_for_each_other(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    home.states.async_set("sensor.mean", "300", {"unit_of_measurement": "gCO2eq/kWh"})
    home.states.async_set("sensor.marginal", "1000", {"unit_of_measurement": "lb CO2/MWh"})
    marginal = {"entity": "sensor.marginal", "intensity_kind": "marginal"}
    entry = await start_hub(
        source("carbon_intensity", "entity", {"entity": "sensor.mean"}),
        source("carbon_intensity", "entity", marginal, rank=2),
    )
    await settle(home, entry)
    both = entry.runtime_data.source_set.ranked["carbon_intensity"]
    assert both.speaker.subentry_id == "entity_1"
    states = {state.entity_id: state.state for state in home.states.async_all("sensor")}
    assert states["sensor.entity_carbon_intensity"] == "300.0"
    assert float(states["sensor.entity_marginal_carbon_intensity"]) == pytest.approx(453.59237)
    worker = entry.runtime_data.worker
    fields = {one.key.field for one in worker.all_series() if one.key.measurement == "carbon_intensity"}
    assert fields == {"carbon_intensity_gco2_kwh", "marginal_intensity_gco2_kwh"}
    freezer.tick(3 * 3600)
    await entry.runtime_data.sources["entity_2"].async_refresh()
    assert entry.runtime_data.sources["entity_2"].snapshot() is not None
    assert both.speaker is None, "a marginal intensity is no mean"


async def test_a_token_of_watttime_outlives_a_restart_and_is_shown_nowhere(
    home: HomeAssistant,
    start_hub: StartHub,
    aioclient_mock: AiohttpClientMocker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for path, name in (("/login", "login"), ("/v3/region-from-loc", "region"), ("/v3/signal-index", "signal_index")):
        aioclient_mock.get(WATTTIME + path, json=recorded(f"carbon_intensity/watttime/{name}.json"))
    entry = await start_hub(source("carbon_intensity", "watttime", {"username": "me", "password": "my-password"}))
    await settle(home, entry)
    assert home.states.get("sensor.watttime_percentile_of_marginal_carbon_intensity").state == "37.5"
    assert home.states.get("sensor.watttime_carbon_intensity") is None
    first = aioclient_mock.call_count
    await home.config_entries.async_reload(entry.entry_id)
    await settle(home, entry)
    await entry.runtime_data.sources["watttime_1"].async_refresh()
    paths = [call[1].path for call in aioclient_mock.mock_calls[first:]]
    assert set(paths) == {"/v3/signal-index"}
    # The rig that stands in for the storage logs what it is given.
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("custom_components")]
    shown = json.dumps(await async_get_config_entry_diagnostics(home, entry), default=str) + "".join(ours)
    for secret in ("eyJ.recorded.token", "my-password", "bWU6bXktcGFzc3dvcmQ"):
        assert secret not in shown


@pytest.mark.usefixtures("every_entity_enabled")
async def test_entities_of_air_quality_and_marginal_intensity(
    home: HomeAssistant,
    start_hub: StartHub,
    aioclient_mock: AiohttpClientMocker,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
) -> None:
    aioclient_mock.get(MODEL, json=recorded("air_quality/open_meteo/berlin.json"))
    for path, name in (("/login", "login"), ("/v3/forecast", "forecast_day")):
        aioclient_mock.get(WATTTIME + path, json=recorded(f"carbon_intensity/watttime/{name}.json"))
    account = {"username": "me", "password": "my-password", "region": "CAISO_NORTH", "marginal": True}
    entry = await start_hub(
        source("air_quality", "open_meteo", {}), source("carbon_intensity", "watttime", account, rank=1)
    )
    await settle(home, entry)
    # What is foreseen is tested where it is made, and long.
    for state in home.states.async_all(("sensor", "event")):
        if "forecast" in state.attributes:
            shortened = {**state.attributes, "forecast": state.attributes["forecast"][:1]}
            home.states.async_set(state.entity_id, state.state, shortened)
    ours = [one for one in entity_registry.entities.values() if one.config_subentry_id is not None]
    for one in sorted(ours, key=lambda one: one.entity_id):
        assert home.states.get(one.entity_id) == snapshot(name=f"{one.entity_id}-state")


@pytest.mark.parametrize(
    ("country", "provider"),
    [("GB", "neso"), ("DK", "energi_data_service"), ("FR", "odre"), ("DE", "energy_charts"), ("SE", "energy_charts")],
)
def test_the_best_provider_of_carbon_intensity_is_the_one_of_the_country(country: str, provider: str) -> None:
    home_ = Home(latitude=55.0, longitude=9.0, country=country, currency="EUR", timezone="UTC")
    assert best(role("carbon_intensity"), home_).key == provider
    assert best(role("air_quality"), home_).key == "open_meteo"
