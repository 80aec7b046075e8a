"""The one form of all sources."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.sources.base import ParamKind, Provider
from custom_components.strata.sources.electricity_pricing import ELECTRICITY_PRICING
from tests.integration.given import (
    KEYED_URL,
    NOW,
    PRICE_URL,
    Keyed,
    StartHub,
    entity_source,
    fail,
    keyed_source,
    price_source,
    prices,
    settle,
)

type Result = dict[str, Any]


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def begin(hass: HomeAssistant, entry: MockConfigEntry, role: str, provider: str | None = None) -> Result:
    """Answer the first questions."""
    flows = hass.config_entries.subentries
    result = await flows.async_init((entry.entry_id, "source"), context={"source": SOURCE_USER})
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    result = await flows.async_configure(result["flow_id"], {"role": role})
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "provider")
    if provider is None:
        return dict(result)
    return dict(await flows.async_configure(result["flow_id"], {"provider": provider}))


async def go_on(hass: HomeAssistant, result: Result, answers: dict[str, Any]) -> Result:
    return dict(await hass.config_entries.subentries.async_configure(result["flow_id"], answers))


def proposed(result: Result) -> dict[str, Any]:
    """Return what the form proposes."""
    return {
        str(field): field.description["suggested_value"]
        for field in result["data_schema"].schema
        if field.description and "suggested_value" in field.description
    }


def choices(result: Result, field: str) -> tuple[list[str], str]:
    """Return the options of a choice and the one that is chosen."""
    schema = result["data_schema"].schema
    marker = next(key for key in schema if key == field)
    return schema[marker].config["options"], marker.default()


def only_subentry(entry: MockConfigEntry) -> ConfigSubentry:
    (subentry,) = entry.subentries.values()
    return subentry


async def test_source_is_tested_shown_and_added(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub()
    result = await begin(home, entry, "electricity_pricing", "energy_charts")
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "electricity_pricing_energy_charts")
    assert proposed(result) == {"bidding_zone": "DE-LU"}

    result = await go_on(home, result, {"bidding_zone": "DE-LU"})
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "preview_forecast")
    assert result["description_placeholders"] == {
        "title": "Electricity price DE-LU (Energy-Charts)",
        "value": "0.21 EUR/kWh",
        "slots": "24",
        "until": "2026-11-22 00:00",
    }
    assert list(result["data_schema"].schema) == ["details"], "a rank is asked only where there are several sources"

    result = await go_on(home, result, {})
    await settle(home, entry)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (result["title"], result["unique_id"]) == (
        "Electricity price DE-LU (Energy-Charts)",
        "electricity_pricing:energy_charts:DE-LU",
    )
    assert only_subentry(entry).data == {
        "role": "electricity_pricing",
        "provider": "energy_charts",
        "options": {"bidding_zone": "DE-LU"},
        "rank": 1,
    }
    assert home.states.get("sensor.electricity_price_de_lu_energy_charts_current_price").state == "0.21"


@pytest.mark.parametrize(
    ("country", "covering"),
    [
        ("DE", {"energy_charts", "awattar_de"}),
        ("AT", {"energy_charts", "awattar_at"}),
        ("US", set[str]()),
        (None, set[str]()),
    ],
)
async def test_providers_for_the_country_come_first_then_those_for_all(
    home: HomeAssistant, start_hub: StartHub, country: str | None, covering: set[str]
) -> None:
    home.config.country = country
    result = await begin(home, await start_hub(), "electricity_pricing")
    offered, chosen = choices(result, "provider")
    assert chosen == offered[0] == "auto"
    known = [name for name in offered if name in {"energy_charts", "awattar_de", "awattar_at", "action", "entity"}]
    assert set(known[: len(covering)]) == covering
    assert set(known[len(covering) : len(covering) + 2]) == {"action", "entity"}
    assert {"auto", *(provider.key for provider in ELECTRICITY_PRICING.providers)} == set(offered)


def _has_key(provider: type[Provider]) -> bool:
    return any(param.kind is ParamKind.SECRET for param in provider.params)


async def test_provider_with_a_key_comes_after_those_without(
    home: HomeAssistant, start_hub: StartHub, keyed: type[Keyed]
) -> None:
    result = await begin(home, await start_hub(), "electricity_pricing")
    offered, _ = choices(result, "provider")
    keyless = [provider.key for provider in ELECTRICITY_PRICING.providers if not _has_key(provider)]
    assert offered.index("keyed") > max(offered.index(key) for key in keyless)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 500}, "cannot_connect"),
        ({"exc": TimeoutError()}, "cannot_connect"),
        ({"status": 401}, "invalid_auth"),
        ({"status": 403}, "invalid_auth"),
        ({"status": 429}, "rate_limited"),
        ({"status": 404}, "no_data"),
        ({"status": 400}, "bad_answer"),
        ({"text": "<html>"}, "bad_answer"),
        ({"json": {"unix_seconds": [], "price": [], "unit": "EUR / MWh"}}, "no_data"),
    ],
)
async def test_each_failure_has_its_error_and_can_be_mended(
    home: HomeAssistant,
    start_hub: StartHub,
    aioclient_mock: AiohttpClientMocker,
    answer: dict[str, Any],
    error: str,
) -> None:
    entry = await start_hub()
    aioclient_mock.get(PRICE_URL, **answer)
    result = await begin(home, entry, "electricity_pricing", "energy_charts")
    result = await go_on(home, result, {"bidding_zone": "FR"})
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"base": error})
    assert result["description_placeholders"]["reason"]
    assert proposed(result) == {"bidding_zone": "FR"}, "what was entered stays"

    aioclient_mock.clear_requests()
    aioclient_mock.get(PRICE_URL, json=prices())
    result = await go_on(home, result, {"bidding_zone": "FR"})
    result = await go_on(home, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await settle(home, entry)


async def test_error_in_a_provider_is_said_and_logged(
    home: HomeAssistant,
    start_hub: StartHub,
    keyed: type[Keyed],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(self: Keyed, context: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Keyed, "fetch", broken)
    result = await begin(home, await start_hub(), "electricity_pricing", "keyed")
    result = await go_on(home, result, {"api_key": "s3cret", "place": {"latitude": 1.0, "longitude": 2.0}})
    assert result["errors"] == {"base": "unknown"}
    assert "ZeroDivisionError" in caplog.text
    assert "s3cret" not in caplog.text


async def test_provider_without_parameters_goes_straight_to_the_preview(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    entry = await start_hub()
    url = "https://api.awattar.de/v1/marketdata"
    fail(aioclient_mock, url)
    result = await begin(home, entry, "electricity_pricing", "awattar_de")
    assert (result["step_id"], result["errors"]) == ("provider", {"base": "cannot_connect"})

    aioclient_mock.clear_requests()
    start = int(NOW.replace(minute=0).timestamp() * 1000)
    rows = [
        {
            "start_timestamp": start + hour * 3_600_000,
            "end_timestamp": start + (hour + 1) * 3_600_000,
            "marketprice": 50.0 - hour,
            "unit": "Eur/MWh",
        }
        for hour in range(3)
    ]
    aioclient_mock.get(url, json={"object": "list", "data": rows, "url": "/de/v1/marketdata"})
    result = await go_on(home, result, {"provider": "awattar_de"})
    assert result["step_id"] == "preview_forecast"
    assert result["description_placeholders"]["value"] == "0.05 EUR/kWh"
    result = await go_on(home, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await settle(home, entry)


async def test_source_that_is_there_already_is_refused(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    calls = energy_charts.call_count
    result = await begin(home, entry, "electricity_pricing", "energy_charts")
    result = await go_on(home, result, {"bidding_zone": "DE-LU"})
    assert result["errors"] == {"base": "already_configured"}
    assert energy_charts.call_count == calls

    result = await go_on(home, result, {"bidding_zone": "AT"})
    assert result["step_id"] == "preview_forecast"


async def test_second_source_of_a_role_gets_a_rank(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source(rank=3), entity_source(rank=7))
    result = await begin(home, entry, "electricity_pricing", "energy_charts")
    result = await go_on(home, result, {"bidding_zone": "AT"})
    rank, details = result["data_schema"].schema
    assert (details, details.default()) == ("details", False)
    assert (rank, rank.default()) == ("rank", 4)
    result = await go_on(home, result, {"rank": 1})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert [sub.data["rank"] for sub in entry.subentries.values()] == [3, 7, 1]
    await settle(home, entry)


async def test_entity_is_named_after_its_role(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    home.states.async_set("sensor.grid", "230", {"unit_of_measurement": "gCO2eq/kWh", "friendly_name": "Grid now"})
    result = await begin(home, entry, "carbon_intensity", "entity")
    result = await go_on(home, result, {"entity": "sensor.grid"})
    assert result["step_id"] == "preview"
    assert result["description_placeholders"] == {"title": "Carbon intensity (Grid now)", "value": "230 gCO2eq/kWh"}
    result = await go_on(home, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await settle(home, entry)


async def test_source_cannot_be_made_of_stratas_own_entities(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    result = await begin(home, entry, "electricity_pricing", "entity")
    with pytest.raises(InvalidData):
        await go_on(home, result, {"entity": "sensor.energy_charts_de_lu_current_price"})


@pytest.mark.parametrize(
    ("state", "shown"),
    [("0.00001", "0.00001"), ("-0.0131", "-0.0131"), ("0", "0"), ("0.234567", "0.2346"), ("9876.6", "9877")],
)
async def test_price_is_shown_as_people_write_it(
    home: HomeAssistant, start_hub: StartHub, state: str, shown: str
) -> None:
    home.states.async_set("sensor.price", state, {"unit_of_measurement": "EUR/kWh"})
    result = await begin(home, await start_hub(), "electricity_pricing", "entity")
    result = await go_on(home, result, {"entity": "sensor.price"})
    assert result["description_placeholders"]["value"] == f"{shown} EUR/kWh"


async def test_area_of_an_action_is_in_the_title_beside_the_name_of_its_entity(
    home: HomeAssistant, start_hub: StartHub, entity_registry: er.EntityRegistry
) -> None:
    entity_registry.async_get_or_create("sensor", "nordpool", "price", suggested_object_id="price")
    states = {"unit_of_measurement": "EUR/kWh", "friendly_name": "Nord Pool price"}
    home.states.async_set("sensor.price", "0.1", states)
    row = {"start": "2026-11-21T00:00:00+00:00", "end": "2026-11-22T00:00:00+00:00", "price": 100.0}
    home.services.async_register(
        "nordpool", "get_prices_for_date", lambda call: {"SE3": [row]}, supports_response=SupportsResponse.ONLY
    )
    result = await begin(home, await start_hub(), "electricity_pricing", "action")
    result = await go_on(home, result, {"entity": "sensor.price", "area": "SE3"})
    assert result["description_placeholders"]["title"] == "Electricity price (Nord Pool price SE3)"


async def test_impossible_value_is_not_shown(home: HomeAssistant, start_hub: StartHub) -> None:
    home.states.async_set("sensor.grid", "-5", {"unit_of_measurement": "gCO2eq/kWh"})
    result = await begin(home, await start_hub(), "carbon_intensity", "entity")
    result = await go_on(home, result, {"entity": "sensor.grid"})
    assert result["description_placeholders"]["value"] == "–"


async def test_every_kind_of_parameter(
    home: HomeAssistant, start_hub: StartHub, keyed: type[Keyed], aioclient_mock: AiohttpClientMocker
) -> None:
    entry = await start_hub()
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    result = await begin(home, entry, "electricity_pricing", "keyed")
    assert proposed(result) == {"place": {"latitude": 52.52, "longitude": 13.4}}, "rounded to about 1 km"
    answers = {
        "api_key": "s3cret",
        "place": {"latitude": 48.123456, "longitude": 11.987654},
        "markup": 0.5,
        "with_tax": True,
        "contract": "night",
        "meter": " 123 ",
    }
    result = await go_on(home, result, answers)
    assert result["errors"] == {"meter": "invalid_format"}
    assert "api_key" not in proposed(result), "a secret is never shown"
    assert keyed.fetched_with == []

    result = await go_on(home, result, {**answers, "meter": "1234"})
    assert result["description_placeholders"]["value"] == "0.25 EUR/kWh"
    await go_on(home, result, {})
    assert only_subentry(entry).data["options"] == {
        "api_key": "s3cret",
        "place": {"latitude": 48.12, "longitude": 11.99},
        "markup": 0.5,
        "with_tax": True,
        "contract": "night",
        "meter": "1234",
    }
    await settle(home, entry)


async def reconfigure(hass: HomeAssistant, entry: MockConfigEntry) -> Result:
    return dict(await entry.start_subentry_reconfigure_flow(hass, only_subentry(entry).subentry_id))


async def test_reconfigure_changes_parameters_and_provider_but_not_the_role(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    result = await reconfigure(home, entry)
    assert result["step_id"] == "provider"
    offered, chosen = choices(result, "provider")
    assert (chosen, "neso" in offered) == ("energy_charts", False)

    result = await go_on(home, result, {"provider": "energy_charts"})
    assert proposed(result) == {"bidding_zone": "DE-LU"}
    result = await go_on(home, result, {"bidding_zone": "AT"})
    result = await go_on(home, result, {})
    await settle(home, entry)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    source = only_subentry(entry)
    assert (source.title, source.unique_id) == (
        "Electricity price AT (Energy-Charts)",
        "electricity_pricing:energy_charts:AT",
    )
    assert source.data["options"] == {"bidding_zone": "AT"}

    home.states.async_set("sensor.price", "0.3", {"unit_of_measurement": "EUR/kWh"})
    result = await go_on(home, await reconfigure(home, entry), {"provider": "entity"})
    assert proposed(result) == {}
    result = await go_on(home, result, {"entity": "sensor.price"})
    result = await go_on(home, result, {})
    await settle(home, entry)
    assert only_subentry(entry).data["provider"] == "entity"
    assert home.states.get("sensor.energy_charts_de_lu_current_price").state == "0.3", "the entity stays the same"


async def test_form_of_a_source_that_has_been_removed_ends(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    result = await reconfigure(home, entry)
    home.config_entries.async_remove_subentry(entry, only_subentry(entry).subentry_id)
    await settle(home, entry)
    result = await go_on(home, result, {"provider": "energy_charts"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "source_removed")


async def test_reconfigure_keeps_a_secret_that_is_not_entered_again(
    home: HomeAssistant, start_hub: StartHub, keyed: type[Keyed], aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    entry = await start_hub(keyed_source("old-secret"))
    await settle(home, entry)
    result = await go_on(home, await reconfigure(home, entry), {"provider": "keyed"})
    assert proposed(result) == {"place": {"latitude": 52.52, "longitude": 13.4}}
    result = await go_on(home, result, {"place": {"latitude": 50.0, "longitude": 8.0}})
    result = await go_on(home, result, {})
    assert only_subentry(entry).data["options"] == {
        "api_key": "old-secret",
        "place": {"latitude": 50.0, "longitude": 8.0},
    }
    await settle(home, entry)


async def test_reconfigure_keeps_the_name_the_user_gave(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source(title="Spot market"))
    await settle(home, entry)
    result = await go_on(home, await reconfigure(home, entry), {"provider": "energy_charts"})
    result = await go_on(home, result, {"bidding_zone": "DE-LU"})
    await go_on(home, result, {})
    assert only_subentry(entry).title == "Spot market"
    await settle(home, entry)


async def test_reconfigure_of_an_unknown_role_says_so(home: HomeAssistant, start_hub: StartHub) -> None:
    source = price_source()
    source["data"] = {**source["data"], "role": "tides"}
    result = await reconfigure(home, await start_hub(source))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "unknown_role")


async def test_reconfigure_of_an_unknown_provider_proposes_another(home: HomeAssistant, start_hub: StartHub) -> None:
    source = price_source()
    source["data"] = {**source["data"], "provider": "gone"}
    result = await reconfigure(home, await start_hub(source))
    offered, chosen = choices(result, "provider")
    assert chosen == offered[0]
