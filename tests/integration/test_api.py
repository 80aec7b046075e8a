"""REST and WebSocket: what is answered, to whom, and what is sent when something changes."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util.json import JsonObjectType
import probatio
import pytest
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.strata import api
from custom_components.strata.const import DOMAIN
from custom_components.strata.http import ApiCall, StrataView
from custom_components.strata.store.base import StoreFull
from tests.integration.given import NOW, PRICE_URL, StartHub, entity_source, fail, price_source, prices, settle

type Move = Callable[[datetime], None]

EXTERNAL = "/api/strata/v2/external"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def test_every_source_is_answered_as_the_action_does(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, hass_client: ClientSessionGenerator
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", {"unit_of_measurement": "gCO2eq/kWh"})
    entry = await start_hub(price_source(), entity_source())
    await settle(home, entry)
    client = await hass_client()
    response = await client.get(EXTERNAL)
    assert response.status == HTTPStatus.OK
    answer = await response.json()
    acted = await home.services.async_call(DOMAIN, "get_current", {}, blocking=True, return_response=True)
    assert answer == acted
    told = ("value", "unit", "observed_at", "fetched_at", "age_seconds", "provider", "healthy")
    assert [[source[key] for key in told] for source in answer["sources"]] == [
        [230.0, "gCO2eq/kWh", "2026-11-21T10:07:00+00:00", "2026-11-21T10:07:00+00:00", 0, "entity", True],
        [0.21, "EUR/kWh", "2026-11-21T10:00:00+00:00", "2026-11-21T10:07:00+00:00", 420, "energy_charts", True],
    ]


async def test_one_role_is_answered_by_the_source_that_speaks(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, hass_client: ClientSessionGenerator
) -> None:
    entry = await start_hub(price_source("AT", rank=2), price_source(rank=1))
    await settle(home, entry)
    client = await hass_client()
    answer = await (await client.get(f"{EXTERNAL}/electricity-pricing")).json()
    assert (answer["source"], answer["value"]) == ("prices_DE-LU", 0.21)
    assert [source["source"] for source in answer["sources"]] == ["prices_DE-LU", "prices_AT"]
    # The first loses its forecast: the second speaks.
    entry.runtime_data.sources["prices_DE-LU"].data = None
    answer = await (await client.get(f"{EXTERNAL}/electricity-pricing")).json()
    assert answer["source"] == "prices_AT"


async def test_role_without_a_good_reading_has_no_value(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker, hass_client: ClientSessionGenerator
) -> None:
    fail(aioclient_mock)
    entry = await start_hub(price_source())
    await settle(home, entry)
    answer = await (await (await hass_client()).get(f"{EXTERNAL}/electricity-pricing")).json()
    assert (answer["value"], answer["unit"], answer["available"], answer["healthy"]) == (None, None, False, False)
    assert answer["failure"] == "cannot_connect"


@pytest.mark.parametrize(
    ("role", "key"), [("carbon-intensity", "no_source_of_role"), ("tides", "no_such_role"), ("carbon", "no_such_role")]
)
async def test_what_is_not_there_is_said(
    home: HomeAssistant, start_hub: StartHub, hass_client: ClientSessionGenerator, role: str, key: str
) -> None:
    await start_hub()
    response = await (await hass_client()).get(f"{EXTERNAL}/{role}")
    assert response.status == HTTPStatus.NOT_FOUND
    answer = await response.json()
    assert answer["error"] == key
    assert role.replace("-", "_") in answer["message"]


async def test_nobody_is_answered_without_a_token(
    home: HomeAssistant, start_hub: StartHub, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await start_hub()
    client = await hass_client_no_auth()
    for path in (EXTERNAL, f"{EXTERNAL}/carbon-intensity"):
        assert (await client.get(path)).status == HTTPStatus.UNAUTHORIZED


async def test_without_the_hub_the_api_says_so(
    home: HomeAssistant, start_hub: StartHub, hass_client: ClientSessionGenerator
) -> None:
    entry = await start_hub()
    client = await hass_client()
    await home.config_entries.async_unload(entry.entry_id)
    response = await client.get(EXTERNAL)
    assert response.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert set(await response.json()) == {"error", "message"}


class FailingView(StrataView):
    """Checks its query, then fails as it is told."""

    url = "/api/strata/v2/failing"
    name = "api:strata:failing"
    query = probatio.Schema({"number": probatio.Coerce(int)})
    error: BaseException = StoreFull("no space left")

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        raise self.error


class AdminView(StrataView):
    """For administrators."""

    url = "/api/strata/v2/admin"
    name = "api:strata:admin"
    admin = True

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return {"hub": call.entry.title}


async def test_errors_have_a_key_and_a_status(
    home: HomeAssistant,
    start_hub: StartHub,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "VIEWS", (FailingView, AdminView, StrataView))
    monkeypatch.setattr(StrataView, "url", "/api/strata/v2/nothing")
    monkeypatch.setattr(StrataView, "name", "api:strata:nothing", raising=False)
    await start_hub()
    client = await hass_client()
    response = await client.get("/api/strata/v2/failing?number=two")
    assert response.status == HTTPStatus.BAD_REQUEST
    assert (await response.json())["error"] == "invalid_format"
    response = await client.get("/api/strata/v2/failing?number=2")
    assert response.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert await response.json() == {"error": "store_failed", "message": "no space left"}
    assert await (await client.get("/api/strata/v2/admin")).json() == {"hub": "Strata"}
    reader = await hass_client(hass_read_only_access_token)
    assert (await reader.get("/api/strata/v2/admin")).status == HTTPStatus.UNAUTHORIZED


# WebSocket


async def ask(client: Any, **message: Any) -> dict[str, Any]:
    await client.send_json_auto_id({"type": "strata/external"} | message)
    answer: dict[str, Any] = await client.receive_json()
    return answer


async def test_the_same_over_websocket(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, hass_ws_client: WebSocketGenerator
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    client = await hass_ws_client()
    every = await ask(client)
    assert every["success"]
    assert [source["value"] for source in every["result"]["sources"]] == [0.21]
    role = await ask(client, role="electricity_pricing")
    assert role["result"]["value"] == 0.21
    missing = await ask(client, role="carbon_intensity")
    assert (missing["success"], missing["error"]["code"]) == (False, "no_source_of_role")
    await home.config_entries.async_unload(entry.entry_id)
    assert not (await ask(client))["success"]


async def test_subscribers_hear_of_changes(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    hass_ws_client: WebSocketGenerator,
    move_to: Move,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    client = await hass_ws_client()
    assert (await ask(client, role="electricity_pricing", subscribe=True))["success"]
    first = await client.receive_json()
    assert first["event"]["value"] == 0.21
    # The next slot begins.
    energy_charts.clear_requests()
    energy_charts.get(PRICE_URL, json=prices())
    move_to(NOW.replace(hour=11, minute=0))
    await home.async_block_till_done()
    assert (await client.receive_json())["event"]["value"] == 0.22
    # The hub is loaded anew under the subscription.
    await home.config_entries.async_reload(entry.entry_id)
    await settle(home, entry)
    event = (await client.receive_json())["event"]
    assert event["value"] == 0.22
    # The source is removed: there is nothing to say, and nothing breaks.
    home.config_entries.async_remove_subentry(entry, "prices_DE-LU")
    await home.async_block_till_done()
    await client.send_json_auto_id({"type": "unsubscribe_events", "subscription": first["id"]})
    assert (await client.receive_json())["success"]


async def test_changes_of_one_moment_are_sent_once(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    hass_ws_client: WebSocketGenerator,
    move_to: Move,
) -> None:
    entry = await start_hub(price_source(), price_source("AT", rank=2))
    await settle(home, entry)
    client = await hass_ws_client()
    await ask(client, subscribe=True)
    await client.receive_json()
    for source in entry.runtime_data.sources.values():
        source.async_update_listeners()
    await home.async_block_till_done()
    assert "event" in await client.receive_json()
    pong = await client.send_json_auto_id({"type": "ping"})
    assert pong is None
    assert (await client.receive_json())["type"] == "pong"


async def test_store_errors_over_websocket(
    home: HomeAssistant, start_hub: StartHub, hass_ws_client: WebSocketGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_hub()

    def full(*_args: object) -> None:
        raise StoreFull("no space left")

    monkeypatch.setattr("custom_components.strata.api.external.answer_for_all", full)
    client = await hass_ws_client()
    answer = await ask(client)
    assert answer["error"] == {"code": "store_failed", "message": "no space left"}


# Forecasts

FORECAST = "/api/strata/v2/forecast"


async def test_a_forecast_is_answered_as_the_action_does(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    asked = {"start": "2026-11-21 00:00:00", "end": "2026-11-21 03:00:00"}
    acted = await home.services.async_call(
        DOMAIN, "get_forecast", {"role": "electricity_pricing", **asked}, blocking=True, return_response=True
    )
    assert isinstance(acted, dict)
    assert [slot["value"] for slot in acted["slots"]] == [0.1, 0.11, 0.12]
    client = await hass_client()
    assert await (await client.get(f"{FORECAST}/electricity-pricing", params=asked)).json() == acted
    websocket = await hass_ws_client()
    for of in ({"role": "electricity_pricing"}, {"source": "Energy-Charts DE-LU"}):
        answer = await ask(websocket, type="strata/forecast", **of, **asked)
        assert answer["result"] == acted


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("tides", HTTPStatus.NOT_FOUND, "no_such_role"),
        ("carbon-intensity", HTTPStatus.NOT_FOUND, "no_source_of_role"),
        ("electricity-pricing?forecast=weather", HTTPStatus.NOT_FOUND, "no_such_forecast"),
        ("electricity-pricing?start=soon", HTTPStatus.BAD_REQUEST, "invalid_format"),
        ("electricity-pricing?end=2026-11-21T00:00:00", HTTPStatus.BAD_REQUEST, "end_before_start"),
    ],
)
async def test_a_forecast_that_cannot_be_given_is_explained(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    hass_client: ClientSessionGenerator,
    path: str,
    status: HTTPStatus,
    key: str,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    response = await (await hass_client()).get(f"{FORECAST}/{path}")
    assert (response.status, (await response.json())["error"]) == (status, key)


async def test_charts_hear_of_new_forecasts(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, hass_ws_client: WebSocketGenerator
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    client = await hass_ws_client()
    assert not (await ask(client, type="strata/forecast", subscribe=True))["success"]
    assert (await ask(client, type="strata/forecast", role="electricity_pricing", subscribe=True))["success"]
    assert (await client.receive_json())["event"]["slots"][0]["value"] == 0.21
    energy_charts.clear_requests()
    energy_charts.get(PRICE_URL, json=prices(first=50.0))
    await entry.runtime_data.sources["prices_DE-LU"].async_refresh()
    await home.async_block_till_done()
    assert (await client.receive_json())["event"]["slots"][0]["value"] == pytest.approx(0.16)
