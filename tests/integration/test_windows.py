"""Planned windows: the form, the entities over time, restarts, several at once, the API."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigSubentryDataWithId,
    SubentryFlowContext,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import props

from custom_components.strata.const import DOMAIN
from tests.integration.given import NOW, PRICE_URL, StartHub, price_source, prices, settle

type Move = Callable[[datetime], None]

DAY = "2026-11-21"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture
def falling(aioclient_mock: AiohttpClientMocker) -> AiohttpClientMocker:
    """Prices fall by 0.01 EUR/kWh an hour from 0.33 at midnight; the last hour of the day is the cheapest."""
    aioclient_mock.get(PRICE_URL, json=prices(first=330.0, step=-10.0))
    return aioclient_mock


def window(name: str = "Washer", hours: float = 1, **data: Any) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        subentry_type="window",
        title=name,
        unique_id=None,
        subentry_id=name.lower(),
        data={"duration": {"hours": hours}, **data},
    )


def at(hour: int, minute: int = 0) -> datetime:
    return datetime.fromisoformat(f"{DAY}T{hour:02}:{minute:02}:00+00:00")


def told(hass: HomeAssistant, name: str = "washer") -> dict[str, str]:
    suffixes = {
        "on": f"binary_sensor.{name}_in_the_window",
        "start": f"sensor.{name}_next_start",
        "end": f"sensor.{name}_next_end",
        "cost": f"sensor.{name}_cost_of_the_next_window",
        "carbon": f"sensor.{name}_carbon_of_the_next_window",
    }
    states = {key: hass.states.get(entity_id) for key, entity_id in suffixes.items()}
    return {key: state.state for key, state in states.items() if state}


async def test_a_window_is_switched_when_it_is_time(
    home: HomeAssistant, start_hub: StartHub, falling: AiohttpClientMocker, move_to: Move
) -> None:
    entry = await start_hub(price_source(), window(hours=2, power=1500))
    await settle(home, entry)
    assert told(home) == {
        "on": "off",
        "start": f"{DAY}T21:00:00+00:00",
        "end": f"{DAY}T23:00:00+00:00",
        "cost": "0.315",
        "carbon": "unknown",
    }
    move_to(at(21))
    await settle(home, entry)
    assert told(home)["on"] == "on"
    # Whatever is foreseen now, what has begun is not moved.
    falling.clear_requests()
    falling.get(PRICE_URL, json=prices(first=100.0))
    await entry.runtime_data.sources["prices_DE-LU"].async_refresh()
    move_to(at(22, 30))
    await settle(home, entry)
    assert (told(home)["on"], told(home)["end"]) == ("on", f"{DAY}T23:00:00+00:00")
    move_to(at(23))
    await settle(home, entry)
    # Nothing is foreseen of tomorrow.
    assert told(home) == {"on": "off", "start": "unknown", "end": "unknown", "cost": "unknown", "carbon": "unknown"}


async def test_entities_and_devices(
    home: HomeAssistant,
    start_hub: StartHub,
    falling: AiohttpClientMocker,
    every_entity_enabled: None,
    snapshot: SnapshotAssertion,
    entity_registry: er.EntityRegistry,
    device_registry: dr.DeviceRegistry,
) -> None:
    entry = await start_hub(price_source(), window(hours=2))
    await settle(home, entry)
    entities = [
        one
        for one in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        if one.config_subentry_id == "washer"
    ]
    assert sorted(one.translation_key or "" for one in entities) == [
        "in_window",
        "window_carbon",
        "window_cost",
        "window_end",
        "window_saving",
        "window_start",
    ]
    for one in sorted(entities, key=lambda each: each.entity_id):
        state = home.states.get(one.entity_id)
        assert state == snapshot(name=one.entity_id, exclude=props("context", "last_changed"))
    device = device_registry.async_get_device_by_identifier((DOMAIN, "washer"), entry.entry_id)
    assert device is not None
    assert (device.name, device.entry_type) == ("Washer", dr.DeviceEntryType.SERVICE)


async def test_forecasts_that_change_move_a_window_that_has_not_begun(
    home: HomeAssistant, start_hub: StartHub, falling: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source(), window())
    await settle(home, entry)
    assert told(home)["start"] == f"{DAY}T22:00:00+00:00"
    falling.clear_requests()
    falling.get(PRICE_URL, json=prices(first=100.0))
    await entry.runtime_data.sources["prices_DE-LU"].async_refresh()
    await settle(home, entry)
    assert told(home)["start"] == NOW.isoformat()
    assert told(home)["on"] == "on"


async def test_a_restart_in_the_middle_goes_on_and_does_not_run_twice(
    home: HomeAssistant, start_hub: StartHub, falling: AiohttpClientMocker, move_to: Move
) -> None:
    entry = await start_hub(price_source(), window(hours=1, ready_by="20:00:00"))
    await settle(home, entry)
    assert told(home)["start"] == f"{DAY}T18:00:00+00:00"
    move_to(at(18))
    await settle(home, entry)
    assert told(home)["on"] == "on"
    before = told(home)
    await home.config_entries.async_unload(entry.entry_id)
    move_to(at(18, 30))
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert told(home) == before
    move_to(at(19))
    await settle(home, entry)
    assert told(home)["on"] == "off"
    # Ready by 20:00 in Berlin, which is now: the next is that of tomorrow evening, by the price of tonight.
    assert told(home)["start"] == f"{DAY}T22:00:00+00:00"


async def test_what_was_kept_and_cannot_be_read_is_left_out(
    home: HomeAssistant,
    start_hub: StartHub,
    falling: AiohttpClientMocker,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    hass_storage["strata.windows"] = {
        "version": 1,
        "minor_version": 1,
        "key": "strata.windows",
        "data": {"washer": {"parts": [["soon", "later"]]}},
    }
    entry = await start_hub(price_source(), window())
    await settle(home, entry)
    assert told(home)["start"] == f"{DAY}T22:00:00+00:00"
    assert "cannot be read" in caplog.text


async def test_a_window_that_cannot_be_read_stops_no_other(
    home: HomeAssistant, start_hub: StartHub, falling: AiohttpClientMocker, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await start_hub(price_source(), window("Broken", profile="long"), window())
    await settle(home, entry)
    assert [*entry.runtime_data.window_set.running] == ["washer"]
    assert told(home)["start"] == f"{DAY}T22:00:00+00:00"
    assert "The window Broken cannot be read" in caplog.text


async def test_big_loads_do_not_run_together(
    home: HomeAssistant, start_hub: StartHub, falling: AiohttpClientMocker
) -> None:
    entry = await start_hub(
        price_source(), window("Car", 3, rank=1), window("Washer", 2, rank=2), window("Pump", 1, apart=False)
    )
    await settle(home, entry)
    begins = {name: told(home, name)["start"][11:16] for name in ("car", "washer", "pump")}
    assert begins == {"car": "20:00", "washer": "18:00", "pump": "22:00"}
    state = home.states.get("binary_sensor.washer_in_the_window")
    assert state is not None
    assert (state.attributes["overlaps"], state.attributes["foreseen"]) == (False, True)


async def test_with_a_deadline_it_runs_without_any_forecast(
    home: HomeAssistant, start_hub: StartHub, move_to: Move
) -> None:
    entry = await start_hub(window("Car", 2, ready_by="18:00:00"), window("Pump"))
    await settle(home, entry)
    assert told(home, "car")["start"] == f"{DAY}T15:00:00+00:00"
    assert told(home, "pump")["start"] == "unknown"
    state = home.states.get("binary_sensor.car_in_the_window")
    assert state is not None
    assert state.attributes["foreseen"] is False
    move_to(at(15))
    await settle(home, entry)
    assert told(home, "car")["on"] == "on"


async def test_windows_come_and_go_without_a_reload(
    home: HomeAssistant, start_hub: StartHub, falling: AiohttpClientMocker, entity_registry: er.EntityRegistry
) -> None:
    entry = await start_hub(price_source(), window(), window("Car", 3, rank=9))
    await settle(home, entry)
    assert told(home, "car")["start"] == f"{DAY}T19:00:00+00:00"
    source = entry.runtime_data.sources["prices_DE-LU"]
    home.config_entries.async_update_subentry(
        entry, entry.subentries["washer"], title="Washing machine", data={"duration": {"hours": 2}}
    )
    await settle(home, entry)
    assert told(home, "washer")["start"] == f"{DAY}T21:00:00+00:00"
    assert told(home, "car")["start"] == f"{DAY}T18:00:00+00:00"
    home.config_entries.async_remove_subentry(entry, "washer")
    await settle(home, entry)
    assert told(home, "washer") == {}
    assert told(home, "car")["start"] == f"{DAY}T20:00:00+00:00"
    home.config_entries.async_remove_subentry(entry, "car")
    await settle(home, entry)
    assert entry.runtime_data.window_set.running == {}
    assert entry.runtime_data.sources["prices_DE-LU"] is source


# The form


async def add(hass: HomeAssistant, entry: MockConfigEntry, **entered: Any) -> Any:
    flows = hass.config_entries.subentries
    form = await flows.async_init((entry.entry_id, "window"), context=SubentryFlowContext(source=SOURCE_USER))
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "user")
    return await flows.async_configure(form["flow_id"], {**FORM, **entered})


FORM: dict[str, Any] = {
    "name": "Washer",
    "power": 2000,
    "price_weight": 1,
    "carbon_weight": 0,
    "solar_weight": 0,
    "contiguous": True,
    "apart": True,
    "rank": 1,
    "export_price": 0,
    "house_power": 0,
}
TWO_HOURS = {"hours": 2, "minutes": 0}


async def test_a_window_is_shown_before_it_is_saved(
    home: HomeAssistant, start_hub: StartHub, falling: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    form = await add(home, entry, duration=TWO_HOURS, ready_by="20:00:00")
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "preview")
    # 4 kWh at 0.15 and 0.14; now 2 kW cost 0.22 for 53 minutes, 0.21 for an hour and 0.20 for 7 minutes.
    now = 2 * (53 * 0.22 + 60 * 0.21 + 7 * 0.20) / 60
    assert form["description_placeholders"] == {
        "name": "Washer",
        "when": "2026-11-21 18:00–20:00",
        "cost": "0.58 EUR",
        "carbon": "–",
        "saving": f"{now - 0.58:.2f} EUR",
    }
    done = await home.config_entries.subentries.async_configure(form["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await settle(home, entry)
    assert told(home)["start"] == f"{DAY}T17:00:00+00:00"


async def test_without_a_forecast_the_preview_says_so(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    form = await add(home, entry, duration=TWO_HOURS)
    assert form["description_placeholders"] == {
        "name": "Washer",
        "when": "–",
        "cost": "–",
        "carbon": "–",
        "saving": "–",
    }


@pytest.mark.parametrize(
    ("entered", "errors"),
    [
        ({"name": " ", "duration": TWO_HOURS}, {"name": "no_name"}),
        ({}, {"duration": "no_duration"}),
        ({"profile": "long"}, {"profile": "invalid_profile"}),
        ({"profile": "10 min 0 W"}, {"profile": "no_power"}),
        ({"profile": "9 min 5 W, 9 min 7 W", "contiguous": False}, {"contiguous": "profile_in_one_go"}),
        ({"duration": TWO_HOURS, "price_weight": 0}, {"base": "no_weights"}),
        ({"duration": TWO_HOURS, "not_before": "09:00:00", "ready_by": "10:00:00"}, {"base": "too_long"}),
    ],
)
async def test_a_window_that_makes_no_sense_is_not_saved(
    home: HomeAssistant, start_hub: StartHub, entered: dict[str, Any], errors: dict[str, str]
) -> None:
    entry = await start_hub()
    form = await add(home, entry, **entered)
    assert (form["step_id"], form["errors"]) == ("user", errors)
    form = await home.config_entries.subentries.async_configure(form["flow_id"], {**FORM, "duration": TWO_HOURS})
    assert form["step_id"] == "preview"


async def test_a_window_is_reconfigured(home: HomeAssistant, start_hub: StartHub, falling: AiohttpClientMocker) -> None:
    entry = await start_hub(price_source(), window(hours=2))
    await settle(home, entry)
    flows = home.config_entries.subentries
    form = await flows.async_init(
        (entry.entry_id, "window"),
        context=SubentryFlowContext(source=SOURCE_RECONFIGURE, subentry_id="washer"),
    )
    assert form["step_id"] == "reconfigure"
    suggested = {str(key): (key.description or {}).get("suggested_value") for key in form["data_schema"].schema}
    assert (suggested["name"], suggested["duration"], suggested["rank"]) == ("Washer", {"hours": 2}, 1)
    assert form["data_schema"].schema["export_price"].config["unit_of_measurement"] == "EUR/kWh"
    form = await flows.async_configure(form["flow_id"], {**FORM, "name": "Dryer", "profile": "30 min 1 kW"})
    done = await flows.async_configure(form["flow_id"], {})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await settle(home, entry)
    assert entry.subentries["washer"].title == "Dryer"
    # Three runs of the last hour's half would cost the same; the earliest is taken.
    assert told(home, "washer")["start"] == f"{DAY}T22:00:00+00:00"


# The API


async def test_windows_are_answered_and_followed(
    home: HomeAssistant,
    start_hub: StartHub,
    falling: AiohttpClientMocker,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
    move_to: Move,
) -> None:
    entry = await start_hub(price_source(), window(hours=2), window("Car", 1, rank=2))
    await settle(home, entry)
    answer = await (await (await hass_client()).get("/api/strata/v2/windows")).json()
    assert [(one["title"], one["on"], one["start"], one["cost"]) for one in answer["windows"]] == [
        ("Washer", False, f"{DAY}T21:00:00+00:00", 0.21),
        ("Car", False, f"{DAY}T20:00:00+00:00", 0.12),
    ]
    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "strata/windows"})
    assert (await client.receive_json())["result"] == answer
    await client.send_json_auto_id({"type": "strata/windows", "subscribe": True})
    assert (await client.receive_json())["success"]
    assert (await client.receive_json())["event"] == answer
    move_to(at(20))
    await settle(home, entry)
    event = (await client.receive_json())["event"]
    assert [(one["title"], one["on"]) for one in event["windows"]] == [("Washer", False), ("Car", True)]
    assert timedelta(0) < datetime.fromisoformat(event["windows"][1]["end"]) - at(20) == timedelta(hours=1)
