"""What a source's form shows and offers: units beside numbers, only what can be chosen, no value nobody entered."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import UnitOfTemperature
from homeassistant.core import HomeAssistant
from homeassistant.helpers import selector as sel
import pytest
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from tests.integration.given import NOW, StartHub, price_source, settle
from tests.integration.test_meter_and_presence import calendar, source
from tests.integration.test_source_flow import begin, go_on, proposed


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


def units(result: dict[str, Any]) -> dict[str, str]:
    """Return the unit of each number of a form that has one; those of a table as `table.column`."""
    found: dict[str, str] = {}
    for field, selector in result["data_schema"].schema.items():
        if isinstance(selector, sel.ObjectSelector):
            for name, column in selector.config["fields"].items():
                if unit := column["selector"].config.get("unit_of_measurement"):
                    found[f"{field}.{name}"] = unit
        elif unit := selector.config.get("unit_of_measurement"):
            found[str(field)] = unit
    return found


async def test_a_tariff_costs_nothing_only_if_somebody_says_so(home: HomeAssistant, start_hub: StartHub) -> None:
    result = await begin(home, await start_hub(), "electricity_pricing", "tariff")
    fields = list(result["data_schema"].schema)
    assert fields == ["price", "periods", "name"], "what has to be entered comes first"
    # The frontend fills in 0 for a required number.
    assert not fields[0].__class__.__name__.startswith("Required")
    assert not result["data_schema"].schema["periods"].config["fields"]["rate"]["required"]
    assert units(result) == {"price": "EUR/kWh", "periods.rate": "EUR/kWh"}

    result = await go_on(home, result, {})
    assert result["errors"] == {"price": "required"}
    result = await go_on(home, result, {"price": 0.3, "periods": [{"start": "22:00:00"}]})
    assert result["errors"] == {"periods": "invalid_period"}
    result = await go_on(home, result, {"price": 0})
    assert result["description_placeholders"]["value"] == "0 EUR/kWh · Total price: 0 EUR/kWh"


async def test_amounts_of_a_contract_are_in_the_currency_of_the_price(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub()
    # Energy-Charts has euros everywhere.
    await home.config.async_update(currency="SEK")
    result = await begin(home, entry, "electricity_pricing", "energy_charts")
    result = await go_on(home, result, {"bidding_zone": "DE-LU"})
    result = await go_on(home, result, {"details": True})
    assert units(result) == {
        "surcharge_percent": "%",
        "surcharge_fixed": "EUR/kWh",
        "network_fee": "EUR/kWh",
        "network_fees.rate": "EUR/kWh",
        "tax_percent": "%",
        "export_percent": "%",
        "export_fixed": "EUR/kWh",
        "standing_charge": "EUR/d",
        "demand_charge": "EUR/kW",
    }


async def test_words_and_times_of_a_presence_forecast(home: HomeAssistant, start_hub: StartHub) -> None:
    result = await begin(home, await start_hub(), "occupancy_prediction", "calendar")
    assert units(result) == {"travel": "min", "lead": "min"}
    words = result["data_schema"].schema["home_words"]
    assert isinstance(words, sel.SelectSelector), "chips: a line for each word would hide the rest on a phone"
    own = [*proposed(result)["home_words"], "Werkstatt"]
    assert words(own) == own, "words of one's own are welcome"


async def test_the_limit_of_high_power_is_in_kilowatts(home: HomeAssistant, start_hub: StartHub) -> None:
    result = await begin(home, await start_hub(), "smart_meter", "sense")
    assert units(result) == {"high_power_kw": "kW"}


async def test_a_household_is_made_of_probabilities_of_its_people(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    calendar(home, [])
    home.states.async_set("sensor.of_something_else", "1")
    home.states.async_set("person.anna", "home")
    calendars = source("occupancy_prediction", "calendar", "Anna", calendars=["calendar.anna"], person="person.anna")
    entry = await start_hub(price_source(), calendars)
    await settle(home, entry)
    result = await begin(home, entry, "occupancy_prediction", "household")
    offered = result["data_schema"].schema["people"].config
    assert offered["include_entities"] == ["sensor.anna_probability_of_being_at_home"]
    result = await go_on(home, result, {"people": offered["include_entities"]})
    assert result["description_placeholders"]["title"] == "Presence forecast (Household)", "not the names of all"

    result = await begin(home, entry, "occupancy_prediction", "calendar")
    excluded = result["data_schema"].schema["calendars"].config["exclude_entities"]
    assert {"sensor.anna_probability_of_being_at_home", "sensor.energy_charts_de_lu_current_price"} <= set(excluded)


@pytest.mark.parametrize("role", ["electricity_pricing", "air_quality", "smart_meter", "carbon_intensity"])
async def test_a_unit_is_called_by_its_sign(home: HomeAssistant, start_hub: StartHub, role: str) -> None:
    home.states.async_set("sensor.kitchen", "20", {"unit_of_measurement": UnitOfTemperature.CELSIUS})
    result = await begin(home, await start_hub(), role, "entity")
    result = await go_on(home, result, {"entity": "sensor.kitchen"})
    assert result["errors"] == {"base": "bad_answer"}
    reason = result["description_placeholders"]["reason"]
    assert "°C" in reason
    assert "UnitOf" not in reason
