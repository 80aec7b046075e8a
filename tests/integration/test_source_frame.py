"""What the frame gives a provider: lists and times in its form, a memory, libraries, a clock that may be wrong."""

from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any, override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.dependencies import DependencyMissing
from custom_components.strata.fetching import async_fetch, by_our_clock
from custom_components.strata.flows import parameters
from custom_components.strata.sources.base import (
    Context,
    Param,
    ParamKind,
    Provider,
    Reading,
    SourceBadAnswer,
    SourceError,
)
from custom_components.strata.sources.electricity_pricing import ELECTRICITY_PRICING
from tests.integration.given import KEYED_URL, NOW, Keyed, StartHub, keyed_source, price_source, settle
from tests.integration.test_source_flow import begin, go_on, only_subentry, proposed
from tests.source_world import BERLIN


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


# The form


class Listed(Provider):
    key = "listed"
    params = (
        Param(key="words", kind=ParamKind.TEXT, multiple=True, pattern="[A-Z]+"),
        Param(key="people", kind=ParamKind.ENTITY, multiple=True, domains=("person",), required=False),
        Param(key="days", kind=ParamKind.SELECT, multiple=True, choices=("sat", "sun"), required=False),
        Param(key="at", kind=ParamKind.TIME, required=False),
        Param(
            key="share",
            kind=ParamKind.NUMBER,
            required=False,
            check=lambda value: None if isinstance(value, float) and value < 1 else "too_large",
        ),
    )

    @override
    async def fetch(self, context: Context) -> Reading:
        raise NotImplementedError


def test_lists_and_times_are_asked_for() -> None:
    schema = parameters.schema(Listed.params, BERLIN, None)
    entered = {
        "words": ["WFH", "HOME"],
        "people": ["person.ada", "person.alan"],
        "days": ["sat"],
        "at": "06:30:00",
        "share": 0.5,
    }
    assert schema(entered) == entered
    assert parameters.options_from(Listed.params, entered, None) == (entered, {})


@pytest.mark.parametrize(
    ("entered", "errors"),
    [
        ({"words": []}, {"words": "required"}),
        ({"words": [" ", ""]}, {"words": "required"}),
        ({}, {"words": "required"}),
        ({"words": ["HOME", "h0me"]}, {"words": "invalid_format"}),
        ({"words": ["HOME"], "share": 1.5}, {"share": "too_large"}),
    ],
)
def test_what_is_wrong_in_a_list_or_by_a_check_is_said(entered: dict[str, Any], errors: dict[str, str]) -> None:
    assert parameters.options_from(Listed.params, entered, None)[1] == errors


def test_lists_are_cleaned() -> None:
    options, errors = parameters.options_from(Listed.params, {"words": [" HOME ", ""], "people": []}, None)
    assert (options, errors) == ({"words": ["HOME"]}, {})


# Its memory


class Rotating(Keyed):
    """Exchanges its token for a new one with each fetch, as some servers do."""

    @override
    async def fetch(self, context: Context) -> Reading:
        count = context.memory.get("fetches", 0)
        assert isinstance(count, int)
        context.memory["fetches"] = count + 1
        return await super().fetch(context)


@pytest.fixture
def rotating(keyed: type[Keyed]) -> type[Keyed]:
    """Put a provider that remembers in the place of the one with a key."""
    providers = tuple(Rotating if provider is Keyed else provider for provider in ELECTRICITY_PRICING.providers)
    object.__setattr__(ELECTRICITY_PRICING, "providers", providers)
    return Rotating


def memory(entry: MockConfigEntry) -> MutableMapping[str, Any]:
    (source,) = entry.runtime_data.sources.values()
    values: MutableMapping[str, Any] = source.memory.values
    return values


async def test_what_the_test_fetch_left_goes_on_in_the_source_and_over_a_restart(
    home: HomeAssistant,
    start_hub: StartHub,
    rotating: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
    hass_storage: dict[str, Any],
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    entry = await start_hub()
    result = await begin(home, entry, "electricity_pricing", "keyed")
    answers = {"api_key": "s3cret", "place": {"latitude": 1.0, "longitude": 2.0}}
    result = await go_on(home, result, answers)
    await go_on(home, result, {})
    await settle(home, entry)
    assert memory(entry) == {"fetches": 2}, "one by the form, one by the source"
    name = f"strata.memory.{only_subentry(entry).subentry_id}"
    assert hass_storage[name]["data"]["values"] == {"fetches": 2}
    assert "s3cret" not in str(hass_storage[name])

    await home.config_entries.async_reload(entry.entry_id)
    await settle(home, entry)
    assert memory(entry)["fetches"] >= 2

    await home.config_entries.async_unload(entry.entry_id)
    await home.config_entries.async_remove(entry.entry_id)
    assert name not in hass_storage


async def reconfigure(hass: HomeAssistant, entry: MockConfigEntry, answers: dict[str, Any]) -> None:
    result: dict[str, Any] = dict(
        await hass.config_entries.subentries.async_init(
            (entry.entry_id, "source"),
            context={"source": SOURCE_RECONFIGURE, "subentry_id": only_subentry(entry).subentry_id},
        )
    )
    result = await go_on(hass, result, {"provider": "keyed"})
    result = await go_on(hass, result, answers)
    await go_on(hass, result, {})
    await settle(hass, entry)


async def test_the_form_goes_on_with_the_memory_of_the_same_source_and_begins_anew_for_another(
    home: HomeAssistant, start_hub: StartHub, rotating: type[Keyed], aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    entry = await start_hub(keyed_source("one"))
    await settle(home, entry)
    assert memory(entry) == {"fetches": 1}
    place = {"latitude": 52.52, "longitude": 13.4}
    await reconfigure(home, entry, {"place": place})
    assert memory(entry) == {"fetches": 2}, "the form's fetch counted on"
    await reconfigure(home, entry, {"api_key": "two", "place": place})
    assert memory(entry) == {"fetches": 1}, "the form's fetch with the new key, none of the old"


async def test_a_memory_that_cannot_be_read_begins_empty(
    home: HomeAssistant,
    start_hub: StartHub,
    rotating: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
    hass_storage: dict[str, Any],
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    hass_storage["strata.memory.keyed"] = {"version": 1, "minor_version": 1, "key": "strata.memory.keyed", "data": []}
    entry = await start_hub(keyed_source())
    await settle(home, entry)
    assert memory(entry) == {"fetches": 1}


async def test_lists_of_entities_follow_a_renamed_entity(
    home: HomeAssistant,
    start_hub: StartHub,
    keyed: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    people = Param(key="people", kind=ParamKind.ENTITY, multiple=True, domains=("person",), required=False)
    monkeypatch.setattr(Keyed, "params", (*Keyed.params, people))
    registry = er.async_get(home)
    registry.async_get_or_create("person", "person", "ada", suggested_object_id="ada")
    source = keyed_source()
    source["data"]["options"]["people"] = ["person.alan", "person.ada"]
    entry = await start_hub(source)
    await settle(home, entry)
    registry.async_update_entity("person.ada", new_entity_id="person.lovelace")
    await settle(home, entry)
    assert only_subentry(entry).data["options"]["people"] == ["person.alan", "person.lovelace"]


# Its libraries


async def test_a_library_is_there_before_the_provider_needs_it(
    home: HomeAssistant,
    start_hub: StartHub,
    keyed: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    await start_hub()
    monkeypatch.setattr(Keyed, "requirements", ("unheard-of>=1",))
    provider = Keyed(keyed_source()["data"]["options"])
    with patch("custom_components.strata.fetching.async_require") as require:
        await async_fetch(home, ELECTRICITY_PRICING, provider)
        require.assert_called_once_with(home, ("unheard-of>=1",))
        require.side_effect = DependencyMissing(["unheard-of"])
        with pytest.raises(SourceError, match="not installed: unheard-of"):
            await async_fetch(home, ELECTRICITY_PRICING, provider)


async def test_a_missing_library_is_said_in_the_form(
    home: HomeAssistant, start_hub: StartHub, keyed: type[Keyed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Keyed, "requirements", ("unheard-of>=1",))
    result = await begin(home, await start_hub(), "electricity_pricing", "keyed")
    with patch("custom_components.strata.fetching.async_require", side_effect=DependencyMissing(["unheard-of"])):
        result = await go_on(home, result, {"api_key": "x", "place": {"latitude": 1.0, "longitude": 2.0}})
    assert result["errors"] == {"base": "library_missing"}
    assert result["description_placeholders"]["reason"] == "not installed: unheard-of"


# Clocks


@pytest.mark.parametrize(
    ("ahead", "observed"),
    [(timedelta(minutes=-5), timedelta(minutes=-5)), (timedelta(), timedelta()), (timedelta(hours=1), timedelta())],
)
def test_a_reading_is_never_for_a_time_to_come(ahead: timedelta, observed: timedelta) -> None:
    reading = Reading(fields={}, tags={}, observed_at=NOW + ahead, fetched_at=NOW)
    assert by_our_clock(reading, NOW).observed_at == NOW + observed


def test_a_reading_of_a_time_far_ahead_is_not_believed() -> None:
    reading = Reading(fields={}, tags={}, observed_at=NOW + timedelta(hours=2), fetched_at=NOW)
    with pytest.raises(SourceBadAnswer, match="2026-11-21 12:07 UTC, which is still to come"):
        by_our_clock(reading, NOW)


# What a role asks beside the provider's parameters


DETAILS = {
    "surcharge_percent": 3.0,
    "surcharge_fixed": 0.1193,
    "tax_percent": 19.0,
    "network_fees": [{"rate": 0.05, "start": "17:00:00", "end": "20:00:00", "weekdays": ["sat"]}],
    "export_percent": 100.0,
    "standing_charge": 0.35,
}


async def test_taxes_and_fees_are_asked_shown_and_kept(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub()
    result = await begin(home, entry, "electricity_pricing", "auto")
    assert result["step_id"] == "electricity_pricing_energy_charts", "the best for a home in Germany"
    result = await go_on(home, result, {"bidding_zone": "DE-LU"})
    assert result["description_placeholders"]["value"] == "0.21 EUR/kWh"

    result = await go_on(home, result, {"details": True})
    assert (result["step_id"], result["last_step"]) == ("electricity_pricing_details", False)
    wrong = {"network_fees": [{"rate": 0.05, "start": "25:00"}]}
    with pytest.raises(InvalidData):
        await go_on(home, result, wrong)
    result = await go_on(home, result, DETAILS)
    # The price, 3 % of it and 0.1193 are 0.3356; with the tax 0.399364.
    assert result["step_id"] == "preview_forecast"
    expected = "0.21 EUR/kWh · Total price: 0.3994 EUR/kWh · Export price: 0.21 EUR/kWh"
    assert result["description_placeholders"]["value"] == expected
    await go_on(home, result, {"details": False})
    await settle(home, entry)
    assert only_subentry(entry).data["details"] == DETAILS

    name = "sensor.electricity_price_de_lu_energy_charts"
    assert float(home.states.get(f"{name}_total_price").state) == pytest.approx(0.399364)
    assert home.states.get(f"{name}_current_price").state == "0.21"
    assert home.states.get(f"{name}_current_price").attributes["standing_charge"] == {"value": 0.35, "unit": "EUR/d"}
    assert home.states.get(f"{name}_export_price").state == "0.21"
    # The 21st is a Saturday: at 22:00 UTC it costs 0.33, at 16:00 UTC 0.27 and the fee: (0.27 * 1.03 + 0.1693) * 1.19
    forecast = home.states.get(f"{name}_total_price").attributes["forecast"]
    by_start = {slot["start"]: slot["price"] for slot in forecast}
    assert by_start["2026-11-21T16:00:00+00:00"] == pytest.approx(0.532406)
    # 0.3399 and 0.1193 are 0.4592, with the tax:
    assert by_start["2026-11-21T22:00:00+00:00"] == pytest.approx(0.546448)


async def test_without_a_contract_there_is_no_total_and_with_one_it_appears(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    name = "sensor.energy_charts_de_lu"
    assert home.states.get(f"{name}_total_price") is None
    assert home.states.get(f"{name}_export_price") is None

    result: dict[str, Any] = dict(await entry.start_subentry_reconfigure_flow(home, only_subentry(entry).subentry_id))
    result = await go_on(home, result, {"provider": "energy_charts"})
    result = await go_on(home, result, {"bidding_zone": "DE-LU"})
    result = await go_on(home, result, {"details": True})
    result = await go_on(home, result, {"tax_percent": 10.0})
    await go_on(home, result, {})
    await settle(home, entry)
    assert float(home.states.get(f"{name}_total_price").state) == pytest.approx(0.231)
    assert home.states.get(f"{name}_current_price").state == "0.21"
    assert home.states.get(f"{name}_export_price") is None

    # Proposed again, and taken away: so is the total.
    result = dict(await entry.start_subentry_reconfigure_flow(home, only_subentry(entry).subentry_id))
    result = await go_on(home, result, {"provider": "energy_charts"})
    result = await go_on(home, result, {"bidding_zone": "DE-LU"})
    result = await go_on(home, result, {"details": True})
    assert proposed(result) == {"tax_percent": 10.0}
    result = await go_on(home, result, {})
    await go_on(home, result, {})
    await settle(home, entry)
    assert "details" not in only_subentry(entry).data
    assert home.states.get(f"{name}_total_price") is None


@pytest.mark.parametrize(
    ("country", "currency", "step"),
    [
        ("DE", "EUR", "electricity_pricing_energy_charts"),
        ("NL", "EUR", "electricity_pricing_energy_charts"),
        ("SE", "SEK", "electricity_pricing_nordpool"),
        ("SE", "EUR", "electricity_pricing_energy_charts"),
        ("GB", "GBP", "electricity_pricing_octopus"),
        # Not in northern Illinois, and where no keyless provider is.
        ("US", "USD", "electricity_pricing_tariff"),
        ("AU", "AUD", "electricity_pricing_tariff"),
    ],
)
async def test_auto_is_the_best_for_the_home(
    home: HomeAssistant, start_hub: StartHub, country: str, currency: str, step: str
) -> None:
    home.config.country, home.config.currency = country, currency
    result = await begin(home, await start_hub(), "electricity_pricing", "auto")
    assert result["step_id"] == step
