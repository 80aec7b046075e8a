"""Views in Home Assistant: what they are told by the home, and how they are asked."""

import asyncio
from collections.abc import Generator
from datetime import datetime, timedelta
from http import HTTPStatus
import sqlite3
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.strata import view_refresh
from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Row, SeriesKey, to_micros
from custom_components.strata.retention import Retention
from custom_components.strata.store.base import StoreError
from custom_components.strata.view_refresh import ViewRefresh, async_inputs
from tests.integration.given import NOW, StartHub, entity_source, price_source, settle

VIEW = "daily_energy_by_device"
URL = f"/api/strata/v2/views/{VIEW}"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture
def only_on_request() -> Generator[None]:
    """Nothing is worked out because a clock says so: neither views nor the ladder."""
    with patch.object(ViewRefresh, "is_due", return_value=False), patch.object(Retention, "catch_up", return_value=[]):
        yield


async def ask(hass: HomeAssistant, **data: Any) -> dict[str, Any]:
    answer = await hass.services.async_call(DOMAIN, "query_view", data, blocking=True, return_response=True)
    assert isinstance(answer, dict)
    return answer


def refresher(hass: HomeAssistant, entry: MockConfigEntry, now: datetime) -> ViewRefresh:
    data = entry.runtime_data
    return ViewRefresh(data.worker, lambda: to_micros(now), lambda: async_inputs(hass, data.source_set))


async def heat(hass: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory) -> MockConfigEntry:
    """Let a heater draw 2 kW from 8:07 to 9:07 at 0.19 EUR/kWh, and look an hour after that."""
    freezer.move_to(NOW - timedelta(hours=2))
    heater = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"}
    hass.states.async_set("sensor.heater_power", "2000", heater)
    entry = await start_hub(price_source())
    await settle(hass, entry)
    freezer.move_to(NOW - timedelta(hours=1))
    hass.states.async_set("sensor.heater_power", "0", heater)
    await hass.async_block_till_done()
    freezer.move_to(NOW)
    worker = entry.runtime_data.worker
    await worker.flush()
    await worker.write(lambda store: store.roll_up(to_micros(NOW)))
    await refresher(hass, entry, NOW).refresh()
    return entry


async def test_a_view_is_asked_by_action_rest_and_websocket(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await heat(home, start_hub, freezer)
    answer = await ask(home, view=VIEW, entities=["sensor.heater_power"], start="2026-11-21", end="2026-11-22")
    [row] = answer["rows"]
    assert (row["date"], row["entity_id"], row["currency"]) == ("2026-11-21", "sensor.heater_power", "EUR")
    assert row["total_kwh"] == pytest.approx(2.0)
    assert row["cost"] == pytest.approx(2 * 0.19)
    assert (answer["view"], answer["more"], answer["refreshed"]) == (VIEW, False, "2026-11-21T10:07:00+00:00")
    assert answer["units"]["total_kwh"] == "kWh"
    client = await hass_client()
    response = await client.get(URL, params={"entities": "sensor.heater_power,sensor.x", "start": "2026-11-21"})
    assert response.status == HTTPStatus.OK
    assert await response.json() == answer
    socket = await hass_ws_client(home)
    await socket.send_json_auto_id({"type": "strata/view", "view": VIEW})
    assert (await socket.receive_json())["result"]["rows"] == [row]
    named = await (await client.get("/api/strata/v2/views")).json()
    assert {"view": VIEW, "columns": answer["units"] | dict.fromkeys(set(row) - set(answer["units"]))} in named["views"]


async def test_what_cannot_be_asked_is_refused(
    home: HomeAssistant, start_hub: StartHub, hass_client: ClientSessionGenerator
) -> None:
    entry = await start_hub()
    for asked in ({"view": VIEW, "areas": ["x"]}, {"view": VIEW, "start": "2026-11-21", "end": "2026-11-21"}):
        with pytest.raises(ServiceValidationError):
            await ask(home, **asked)
    client = await hass_client()
    for path, status, key in (
        ("/api/strata/v2/views/nothing", HTTPStatus.NOT_FOUND, "no_such_view"),
        (f"{URL}?areas=kitchen", HTTPStatus.BAD_REQUEST, "view_not_chosen_by"),
        (f"{URL}?limit=0", HTTPStatus.BAD_REQUEST, "invalid_format"),
        (f"{URL}?start=yesterday", HTTPStatus.BAD_REQUEST, "invalid_format"),
    ):
        response = await client.get(path)
        assert response.status == status
        assert (await response.json())["error"] == key
    with (
        patch.object(entry.runtime_data.worker, "read", side_effect=StoreError("no")),
        pytest.raises(HomeAssistantError, match="no"),
    ):
        await ask(home, view=VIEW)


async def test_views_are_due_after_four_hours_and_after_the_ladder(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    await refresher(home, entry, NOW).refresh()
    assert not await refresher(home, entry, NOW + timedelta(hours=3, minutes=59)).is_due()
    assert await refresher(home, entry, NOW + timedelta(hours=4)).is_due()
    await entry.runtime_data.worker.write(lambda store: store.downsample("raw", to_micros(NOW) + 1_000_000))
    assert await refresher(home, entry, NOW + timedelta(minutes=1)).is_due()


async def test_they_are_looked_after_in_the_background(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    views = refresher(home, entry, NOW)
    with (
        patch.object(view_refresh, "CHECK_SECONDS", 0.0),
        patch.object(views, "is_due", side_effect=[False, True, True]),
        patch.object(views, "refresh", side_effect=[3, RuntimeError("enough")]) as refresh,
        pytest.raises(RuntimeError, match="enough"),
    ):
        await views.run()
    assert refresh.call_count == 2
    views.soon()
    with (
        patch.object(views, "is_due", side_effect=AssertionError("who asks need not wait until it is due")),
        patch.object(views, "refresh", side_effect=RuntimeError("asked for")),
        pytest.raises(RuntimeError, match="asked for"),
    ):
        await views.run()


def kwh(answer: dict[str, Any]) -> list[float]:
    return [row["total_kwh"] for row in answer["rows"]]


async def until_other(hass: HomeAssistant, before: list[float], **asked: Any) -> list[float]:
    """Ask until the answer is another one; each time takes a turn of a thread, because clocks stand still here."""
    for _ in range(500):
        if (found := kwh(await ask(hass, **{"view": VIEW, **asked}))) != pytest.approx(before):
            return found
    raise AssertionError("nothing was worked out")


@pytest.mark.usefixtures("only_on_request")
async def test_a_step_of_the_ladder_has_them_worked_out_at_once(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    freezer: FrozenDateTimeFactory,
) -> None:
    entry = await heat(home, start_hub, freezer)
    assert kwh(await ask(home, view=VIEW)) == [pytest.approx(2.0)]
    worker = entry.runtime_data.worker
    series = worker.find(SeriesKey.of_entity("home_assistant_events", "sensor.heater_power"))
    late = [Row(series, to_micros(NOW - timedelta(hours=3)), 1000.0)]
    await worker.write(lambda store: (store.write(late), store.roll_up(to_micros(NOW))))
    assert kwh(await ask(home, view=VIEW)) == [pytest.approx(2.0)], "they are not worked out when they are asked"
    await entry.runtime_data.retention.downsample("raw")
    # From 7:07 to 8:07 a kilowatt more.
    assert await until_other(home, [2.0]) == [pytest.approx(3.0)]


@pytest.mark.usefixtures("only_on_request")
async def test_an_erasure_has_them_worked_out_at_once(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    freezer: FrozenDateTimeFactory,
) -> None:
    await heat(home, start_hub, freezer)
    whole_home = {"view": "daily_energy_cost"}
    assert kwh(await ask(home, **whole_home)) == [pytest.approx(2.0)]
    asked = {"entities": "sensor.heater_power", "dry_run": False}
    await home.services.async_call(DOMAIN, "erase", asked, blocking=True)
    assert (await ask(home, view=VIEW))["rows"] == []
    assert await until_other(home, [2.0], **whole_home) == []


async def test_inputs_come_from_sources_by_rank_and_the_energy_dashboard(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", {"unit_of_measurement": "gCO2eq/kWh"})
    entry = await start_hub(price_source("AT", rank=2), price_source(rank=1), entity_source())
    await settle(home, entry)
    dashboard = {
        "energy_sources": [
            {"type": "grid", "stat_energy_from": "sensor.grid", "stat_energy_to": "sensor.feed_in"},
            {"type": "grid", "flow_from": [{"stat_energy_from": "sensor.night"}], "flow_to": []},
            {"type": "solar", "stat_energy_from": "sensor.roof"},
            {"type": "battery", "stat_energy_from": "sensor.out", "stat_energy_to": "sensor.in"},
        ]
    }
    with patch.object(view_refresh.HomeAssistantAccess, "energy_preferences", return_value=dashboard):
        inputs = await async_inputs(home, entry.runtime_data.source_set)
    assert inputs is not None
    assert inputs.grid == {"sensor.grid", "sensor.night"}
    assert inputs.apart == {"sensor.feed_in", "sensor.roof", "sensor.out", "sensor.in"}
    tags = entry.runtime_data.sources["prices_DE-LU"].reading.tags
    assert inputs.prices[0] == SeriesKey.of_tags("electricity_pricing", tags, "current_price")
    assert inputs.carbon[0].field == "carbon_intensity_gco2_kwh"
    entry.runtime_data.sources["prices_AT"].data = None
    assert await async_inputs(home, entry.runtime_data.source_set) is None


async def test_history_is_told_by_action_rest_and_stream(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await heat(home, start_hub, freezer)
    asked = {"entity_id": "sensor.heater_power"}
    answer = await home.services.async_call(DOMAIN, "query_history", asked, blocking=True, return_response=True)
    assert answer is not None
    assert (answer["resolution"], answer["tiers"], answer["next"]) == ("raw", ["raw"], None)
    [series] = answer["series"]
    [part] = series["segments"]
    assert [(row["time"], row["value"]) for row in part["rows"]] == [
        ("2026-11-21T08:07:00+00:00", 2000.0),
        ("2026-11-21T09:07:00+00:00", 0.0),
    ]
    client = await hass_client()
    url = "/api/strata/v2/devices/sensor.heater_power/history"
    assert await (await client.get(url)).json() == answer
    hours = await (await client.get(url, params={"tier": "hourly", "start": "2026-11-21T00:00:00Z"})).json()
    assert [row["total_energy"] for row in hours["series"][0]["segments"][0]["rows"]] == [
        pytest.approx(2 * 53 / 60),
        pytest.approx(2 * 7 / 60),
    ]
    for bad, status in (("sensor.nothing", HTTPStatus.NOT_FOUND), ("sensor.heater_power", HTTPStatus.BAD_REQUEST)):
        response = await client.get(f"/api/strata/v2/devices/{bad}/history", params={"start": "2026-11-22T00:00:00Z"})
        assert response.status == status
    socket = await hass_ws_client(home)
    with patch("custom_components.strata.api.history.ROWS_STREAMED", 1):
        await socket.send_json_auto_id({"type": "strata/history", **asked})
        assert (await socket.receive_json())["success"]
        events = [(await socket.receive_json())["event"] for _ in range(2)]
    assert [event["last"] for event in events] == [False, True]
    assert [event["series"][0]["segments"][0]["rows"][0]["value"] for event in events] == [2000.0, 0.0]
    await socket.send_json_auto_id({"type": "strata/history", "entity_id": "sensor.nothing"})
    assert (await socket.receive_json())["error"]["code"] == "entity_not_recorded"


async def test_what_was_asked_for_is_done_after_a_failure(home: HomeAssistant, start_hub: StartHub) -> None:
    """The store could not be written as it was tried; whoever begins again does it, and not the look hours later."""
    entry = await start_hub()
    views = refresher(home, entry, NOW)
    views.soon()
    with patch.object(ViewRefresh, "refresh", side_effect=StoreError("full")), pytest.raises(StoreError):
        await views.run()
    done = asyncio.Event()

    async def refresh(_views: ViewRefresh) -> int:
        done.set()
        return 0

    with patch.object(ViewRefresh, "refresh", refresh), patch.object(ViewRefresh, "is_due", return_value=False):
        running = asyncio.ensure_future(views.run())
        for _ in range(20):
            await asyncio.sleep(0)
        running.cancel()
    assert done.is_set()


async def test_a_file_that_cannot_be_read_is_said(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, freezer: FrozenDateTimeFactory
) -> None:
    await heat(home, start_hub, freezer)
    broken = sqlite3.OperationalError("disk I/O error")
    asked = {"entity_id": "sensor.heater_power"}
    with (
        patch("custom_components.strata.api.history.gone", side_effect=broken),
        pytest.raises(HomeAssistantError, match=r"strata\.db: disk I/O error"),
    ):
        await home.services.async_call(DOMAIN, "query_history", asked, blocking=True, return_response=True)
