"""What a person does with Strata in the newest Home Assistant, and what is left after restarts and outages.

These tests boot Home Assistant itself, from .venv-live, on a configuration of their own. Sources are led to loopback,
where the recorded prices are served at the present date.
"""

from datetime import datetime, timedelta
import re
from typing import TYPE_CHECKING

import pytest

from tests.integration.live.answers import (
    CARBON,
    actions_answer,
    add_price_source,
    all_states,
    current,
    diagnostics,
    entities,
    health_is_right,
    is_price,
    kept_store_is_sound,
    number,
    shows_price,
    update_until,
)
from tests.integration.live.market import ZONE, Market
from tests.integration.live.process import PASSWORD, USER, LiveHome, wait_for

if TYPE_CHECKING:
    from tests.integration.live.person import Person

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("live")]


@pytest.mark.requires_full("live", "browser")
def test_a_person_sets_up_strata(home: LiveHome, person: Person) -> None:
    person.log_in(USER, PASSWORD)
    add_hub_and_first_source(person)
    wait_for(lambda: shows_price(home, "DE-LU"), "the price of DE-LU")

    person.open_integration("strata")
    person.look("integration")
    change_zone(person)
    wait_for(lambda: shows_price(home, "AT"), "the price of AT")
    person.open_device("Electricity price AT (Energy-Charts)")
    wait_for(lambda: is_price(number(person.shown("Current price")), "AT"), "the price of AT on the device's page")
    assert person.shown("Current price").endswith("EUR/kWh")
    person.look("price-device")

    person.open_integration("strata")
    add_entity_source(person)
    wait_for(lambda: home.state(CARBON), "the entity of the second source")
    person.open_device("Grid carbon")
    wait_for(lambda: "245" in person.shown("Carbon intensity"), "the intensity on the device's page")
    home.post("/api/services/input_number/set_value", {"entity_id": "input_number.grid_carbon", "value": 180})
    wait_for(lambda: person.shown("Carbon intensity") == "180 gCO2eq/kWh", "the changed intensity on the page")
    person.look("carbon-device")

    person.open_integration("strata")
    change_options(person)
    entry = home.strata_entry()
    assert entry is not None
    assert diagnostics(home, entry)["options"]["keep"]["raw"] == 5

    actions_answer(home)
    health_is_right(person)
    assert person.ask("repairs/list_issues") == {"issues": []}

    ours = entities(home)
    person.open_integration("strata")
    person.delete_hub()
    assert home.strata_entry() is None
    assert not ours & set(all_states(home))
    kept_store_is_sound(home)
    assert person.console == []
    assert home.complaints == []


def add_hub_and_first_source(person: Person) -> None:
    person.add_integration("Strata")
    person.sees_form("Set up Strata")
    person.look("hub")
    person.submit()
    person.sees_form("Add a source")
    person.look("role")
    person.choose("Electricity price")
    person.go_on()
    person.sees_form("Choose a provider")
    person.look("provider")
    person.choose("Energy-Charts")
    person.go_on()
    person.sees_form("Energy-Charts")
    assert person.chosen() == "DE-LU", "the zone of the home's country is proposed"
    person.look("parameters")
    person.go_on()
    person.sees_form("Electricity price DE-LU (Energy-Charts)")
    preview_is_right(person.description("Now:"))
    person.look("preview")
    person.submit()
    person.sees_form("Success")
    person.end_form("Finish")


def preview_is_right(text: str) -> None:
    """The price of now, and a forecast to the end of the market's tomorrow, in the home's time."""
    now = re.search(r"Now: (.+)", text)
    assert now
    assert now[1].endswith("EUR/kWh")
    assert is_price(number(now[1]), "DE-LU")
    until = re.search(r"until (\d{4}-\d\d-\d\d \d\d:\d\d)", text)
    assert until
    end = datetime.fromisoformat(until[1]).replace(tzinfo=ZONE)
    assert (end.hour, end.minute) == (0, 0)
    assert timedelta(hours=22) < end - datetime.now(ZONE) < timedelta(hours=50)


def change_zone(person: Person) -> None:
    person.reconfigure("Electricity price DE-LU (Energy-Charts)")
    person.sees_form("Choose a provider")
    person.go_on()
    person.sees_form("Energy-Charts")
    assert person.chosen() == "DE-LU"
    person.select("AT")
    person.go_on()
    person.sees_form("Electricity price AT (Energy-Charts)")
    assert is_price(number(person.description("Now:").partition("Now:")[2]), "AT")
    person.look("reconfigured")
    person.submit()
    person.end_form("Close")


def add_entity_source(person: Person) -> None:
    person.add_source()
    person.sees_form("Add a source")
    person.choose("Carbon intensity")
    person.go_on()
    person.sees_form("Choose a provider")
    person.choose("Home Assistant entity")
    person.go_on()
    person.sees_form("Home Assistant entity")
    person.pick_entity(0, "Grid carbon")
    person.pick_entity(1, "Wind share")
    person.look("entities")
    person.go_on()
    person.sees_form("Carbon intensity (Grid carbon)")
    person.description("Now: 245 gCO2eq/kWh")
    person.submit()
    person.sees_form("Success")
    person.end_form("Finish")


def change_options(person: Person) -> None:
    person.configure_hub()
    person.sees_form("Options")
    person.choose_page("History")
    person.sees_form("History")
    person.look("options")
    person.number_field("Single changes").fill("5")
    person.submit()
    person.sees_form("Success")
    person.end_form("Finish")


@pytest.mark.requires_full("live", "browser")
def test_values_outlast_an_outage_and_a_restart(home: LiveHome, market: Market, person: Person) -> None:
    add_price_source(home)
    wait_for(lambda: shows_price(home, "DE-LU"), "the price")
    before = current(home)
    assert before["healthy"]

    market.close()
    update_until(home, "off")
    assert shows_price(home, "DE-LU")
    during = current(home)
    assert (during["healthy"], during["failure"], during["available"]) == (False, "cannot_connect", True)
    assert during["fetched_at"] == before["fetched_at"]
    assert during["age_seconds"] >= before["age_seconds"]
    outage_is_visible(person)

    home.stop()
    home.start()
    wait_for(lambda: shows_price(home, "DE-LU"), "the price of the run before")
    after = current(home)
    assert (after["fetched_at"], after["available"]) == (before["fetched_at"], True)

    market.open()
    update_until(home, "on")
    assert current(home)["fetched_at"] > before["fetched_at"]
    [complaint] = home.complaints
    assert "Error fetching Electricity price DE-LU (Energy-Charts) data: " in complaint, "an outage is logged once"


def outage_is_visible(person: Person) -> None:
    """The device says so, a form says why; nobody can mend an outage here, so there is nothing to repair."""
    person.log_in(USER, PASSWORD)
    person.open_integration("strata")
    person.open_device("Electricity price DE-LU (Energy-Charts)")
    wait_for(lambda: person.shown("Connection") == "Disconnected", "the outage on the device's page")
    assert is_price(number(person.shown("Current price")), "DE-LU")
    person.look("outage-device")
    assert person.ask("repairs/list_issues") == {"issues": []}

    person.open_integration("strata")
    person.reconfigure("Electricity price DE-LU (Energy-Charts)")
    person.sees_form("Choose a provider")
    person.go_on()
    person.sees_form("Energy-Charts")
    person.select("AT")
    person.go_on()
    assert "127.0.0.1" in person.error()
    assert person.chosen() == "AT", "what was entered is still there"
    person.look("outage-form")
    person.give_up_form()
