"""A meter and somebody's presence in a running hub: entities, series, events, and what is learned from the store."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.strata.core.model import Flag, SeriesKey, TimeRange, to_micros
from custom_components.strata.core.stretch import Past
from custom_components.strata.home import HomeAssistantAccess
from tests.integration.given import NOW, StartHub, settle
from tests.integration.test_init import subentry
from tests.source_world import recorded

type MoveTo = Callable[[datetime], None]

WATT = {"unit_of_measurement": "W", "device_class": "power", "friendly_name": "Meter"}
PREFERENCES: dict[str, Any] = {
    "energy_sources": [{"type": "grid", "stat_energy_from": None, "stat_rate": "sensor.meter"}],
    "device_consumption": [
        {"stat_consumption": "sensor.oven_energy", "stat_rate": "sensor.oven", "name": "Oven"},
    ],
}


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


def source(role: str, provider: str, title: str, **options: Any) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        subentry_type="source",
        title=title,
        unique_id=f"{role}:{provider}:{title}",
        subentry_id=f"{role}_{provider}",
        data={"role": role, "provider": provider, "options": options, "rank": 1},
    )


def meter() -> ConfigSubentryDataWithId:
    return source("smart_meter", "energy_dashboard", "Meter", high_power_kw=2)


@pytest.fixture
def preferences(home: HomeAssistant):
    """The Energy dashboard is set up with what the test puts here."""
    home.config.components.add("energy")
    manager = SimpleNamespace(data={**PREFERENCES})
    with patch("homeassistant.components.energy.data.async_get_manager", AsyncMock(return_value=manager)):
        yield manager


async def values(entry: MockConfigEntry, key: SeriesKey) -> list[tuple[float, Flag]]:
    worker = entry.runtime_data.worker
    await worker.flush()
    found = worker.find(key)
    day = TimeRange(to_micros(NOW - timedelta(days=1)), to_micros(NOW + timedelta(days=1)))
    rows = await worker.read(lambda reader: reader.raw(found.id, day))
    return [(value, Flag(flag)) for value, flag in zip(rows.values.tolist(), rows.flags.tolist(), strict=True)]


def circuit(name: str, field: str = "power_w") -> SeriesKey:
    tags = {"circuit_name": name, "meter_type": "energy_dashboard"}
    return SeriesKey.of_tags("smart_meter_circuit", tags, field)


async def test_meter_follows_the_entities_it_has_found(
    home: HomeAssistant, start_hub: StartHub, preferences: SimpleNamespace, move_to: MoveTo
) -> None:
    home.states.async_set("sensor.meter", "1000", WATT)
    home.states.async_set("sensor.oven", "250", {**WATT, "friendly_name": "Oven"})
    entry = await start_hub(meter())
    await settle(home, entry)
    assert home.states.get("sensor.meter_grid_power").state == "1000.0"
    shown = home.states.get("sensor.meter_power_of_all_circuits")
    assert shown.attributes["circuits"] == [{"circuit": "Oven", "power_w": 250.0, "percentage": 25.0}]
    running = entry.runtime_data.sources["smart_meter_energy_dashboard"]
    assert len(running.health.fetches) == 1

    # Meters chatter; the first change is followed at once, the others together half a minute later.
    for watts in (1100, 1200, 1300):
        home.states.async_set("sensor.meter", str(watts), WATT)
        await settle(home, entry)
    assert home.states.get("sensor.meter_grid_power").state == "1100.0"
    move_to(NOW + timedelta(seconds=31))
    await settle(home, entry)
    assert home.states.get("sensor.meter_grid_power").state == "1300.0"
    assert len(running.health.fetches) == 3

    # The user takes the oven out of the dashboard and puts a pump in.
    home.states.async_set("sensor.pump", "100", {**WATT, "friendly_name": "Pump"})
    pump = {"stat_consumption": "sensor.pump_energy", "stat_rate": "sensor.pump", "name": "Pump"}
    preferences.data = {**PREFERENCES, "device_consumption": [pump]}
    move_to(NOW + timedelta(minutes=7))
    await settle(home, entry)
    assert "sensor.pump" in running.provider.watched_entities()
    assert await values(entry, circuit("Pump")) == [(100.0, Flag.OK)]
    oven = await values(entry, circuit("Oven"))
    assert oven[0] == (250.0, Flag.OK)
    assert oven[-1][1] is Flag.GAP
    assert entry.runtime_data.worker.find(circuit("Pump")).fine


async def test_entities_that_come_up_one_by_one_are_read_when_all_are_there(
    home: HomeAssistant, start_hub: StartHub, caplog: pytest.LogCaptureFixture
) -> None:
    home.set_state(CoreState.starting)
    options = {"entity": "sensor.meter", "energy_entity": "sensor.register"}
    entry = await start_hub(source("smart_meter", "entity", "Meter", **options))
    home.states.async_set("sensor.register", "100", {"unit_of_measurement": "kWh"})
    await settle(home, entry)
    home.states.async_set("sensor.meter", "1000", WATT)
    await settle(home, entry)
    assert not entry.runtime_data.sources["smart_meter_entity"].health.fetches
    home.set_state(CoreState.running)
    home.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await settle(home, entry)
    assert home.states.get("sensor.meter_grid_power").state == "1000.0"
    assert "Error fetching" not in caplog.text


async def test_high_power_is_an_event(
    home: HomeAssistant, start_hub: StartHub, preferences: SimpleNamespace, move_to: MoveTo
) -> None:
    fired = async_capture_events(home, "strata_high_power")
    home.states.async_set("sensor.meter", "1000", WATT)
    entry = await start_hub(meter())
    await settle(home, entry)
    assert home.states.get("binary_sensor.meter_high_power").state == "off"
    for seconds, watts in ((60, 2500), (120, 1900), (180, 1000)):
        move_to(NOW + timedelta(seconds=seconds))
        home.states.async_set("sensor.meter", str(watts), WATT)
        await settle(home, entry)
    assert [event.data["type"] for event in fired] == ["began", "ended"]
    assert fired[0].data["power_w"] == 2500.0
    assert fired[0].data["limit_w"] == 2000.0
    assert home.states.get("event.meter_high_power").attributes["event_type"] == "ended"


async def test_dashboard_that_was_never_set_up(home: HomeAssistant) -> None:
    assert await HomeAssistantAccess(home).energy_preferences() == {}


async def test_settings_of_the_dashboard(home: HomeAssistant, preferences: SimpleNamespace) -> None:
    access = HomeAssistantAccess(home)
    assert await access.energy_preferences() == PREFERENCES
    preferences.data = None
    assert await access.energy_preferences() == {}


def calendar(home: HomeAssistant, events: list[dict[str, Any]]) -> None:
    async def get_events(call: ServiceCall) -> ServiceResponse:
        return {entity_id: {"events": events} for entity_id in call.data["entity_id"]}

    home.services.async_register("calendar", "get_events", get_events, None, SupportsResponse.ONLY)
    home.states.async_set("calendar.anna", "off")


async def test_somebody_comes_home_after_the_last_appointment(
    home: HomeAssistant, start_hub: StartHub, move_to: MoveTo
) -> None:
    concert = {"start": "2026-11-21T20:00:00+01:00", "end": "2026-11-21T22:30:00+01:00", "location": "Arena"}
    calendar(home, [concert, {"start": "2026-11-21", "end": "2026-11-22", "summary": "WFH"}])
    home.states.async_set("person.anna", "home")
    entry = await start_hub(
        source("occupancy_prediction", "calendar", "Anna", calendars=["calendar.anna"], person="person.anna")
    )
    await settle(home, entry)
    assert home.states.get("binary_sensor.anna_at_home").state == "on"
    assert home.states.get("binary_sensor.anna_works_from_home_today").state == "on"
    assert home.states.get("sensor.anna_next_arrival").state == "2026-11-21T22:00:00+00:00"
    assert home.states.get("sensor.anna_prepare_the_home").state == "2026-11-21T21:30:00+00:00"
    shown = home.states.get("sensor.anna_probability_of_being_at_home")
    assert float(shown.state) > 90
    assert len(shown.attributes["forecast"]) == 96
    assert {reason["sign"] for reason in shown.attributes["reasons"]} == {"word", "location"}
    assert "reasons" in shown.state_info["unrecorded_attributes"]

    # The person leaves: no need to wait for the next quarter of an hour.
    move_to(NOW + timedelta(minutes=2))
    home.states.async_set("person.anna", "not_home")
    await settle(home, entry)
    assert home.states.get("binary_sensor.anna_at_home").state == "off"
    key = SeriesKey.of_tags("occupancy_prediction", {"source": "home_assistant", "person": "anna"}, "currently_home")
    assert [value for value, flag in await values(entry, key)] == [1.0, 0.0]


async def test_household_is_made_of_its_people(home: HomeAssistant, start_hub: StartHub) -> None:
    states = recorded("occupancy_prediction/household/states.json")
    for entity_id, saved in states.items():
        home.states.async_set(entity_id, saved["state"], saved["attributes"])
    entry = await start_hub(source("occupancy_prediction", "household", "Household", people=[*states]))
    await settle(home, entry)
    assert home.states.get("binary_sensor.household_at_home").state == "off"


async def test_a_household_does_not_complain_when_its_people_leave_with_the_hub(
    home: HomeAssistant, start_hub: StartHub, caplog: pytest.LogCaptureFixture
) -> None:
    calendar(home, [])
    home.states.async_set("person.anna", "home")
    entry = await start_hub(
        source("occupancy_prediction", "calendar", "Anna", calendars=["calendar.anna"], person="person.anna")
    )
    await settle(home, entry)
    people = ["sensor.anna_probability_of_being_at_home"]
    home.config_entries.async_add_subentry(
        entry, subentry(source("occupancy_prediction", "household", "Household", people=people))
    )
    await settle(home, entry)
    assert home.states.get("binary_sensor.household_at_home").state == "on"
    await home.config_entries.async_unload(entry.entry_id)
    await home.async_block_till_done(wait_background_tasks=True)
    assert "Error fetching" not in caplog.text


# Looking back


async def test_history_of_an_entity_from_our_store(
    home: HomeAssistant, start_hub: StartHub, entity_registry: er.EntityRegistry, move_to: MoveTo
) -> None:
    access = HomeAssistantAccess(home)
    start, end = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    assert await access.history("person.anna", start, end, tier="raw") == Past()
    entity_registry.async_get_or_create("person", "person", "anna", suggested_object_id="anna")
    home.states.async_set("person.anna", "home")
    home.states.async_set("sensor.power", "100", WATT)
    entry = await start_hub()
    move_to(NOW + timedelta(minutes=4))
    home.states.async_set("person.anna", "not_home")
    move_to(NOW + timedelta(minutes=8))
    await entry.runtime_data.worker.flush()
    # NOW is 10:07; quarters begin at 10:00.
    (quarter,) = (await access.history("person.anna", start, NOW + timedelta(minutes=8), tier="raw")).stretches
    assert (quarter.start, quarter.end) == (datetime(2026, 11, 21, 10, tzinfo=UTC), NOW + timedelta(minutes=8))
    assert quarter.seconds == {"home": 240.0, "not_home": 240.0}
    power = await access.history("sensor.power", start, NOW + timedelta(minutes=8), tier="raw")
    assert (power.unit, power.stretches[0].mean) == ("W", 100.0)
    assert await access.history("sensor.other", start, end, tier="raw") == Past()
    assert await access.history("sensor.power", start, end, tier="hourly") == Past(unit="W")


async def test_past_of_a_source_is_that_of_its_newest_series(
    home: HomeAssistant, start_hub: StartHub, preferences: SimpleNamespace
) -> None:
    access = HomeAssistantAccess(home)
    start, end = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    assert await access.stored("smart_meter", "total_power_w", start, end, tier="raw", tags={}) == Past()
    home.states.async_set("sensor.meter", "1000", WATT)
    entry = await start_hub(meter())
    await settle(home, entry)
    worker = entry.runtime_data.worker
    old = SeriesKey.of_tags("smart_meter", {"meter_type": "old"}, "total_power_w")
    worker.put(worker.series(old, kind=worker.find(circuit_total()).kind, unit="W"), to_micros(start), 5.0)
    await worker.flush()
    past = await access.stored("smart_meter", "total_power_w", start, end, tier="raw", tags={})
    assert past.stretches[-1].mean == 1000.0
    older = await access.stored("smart_meter", "total_power_w", start, end, tier="raw", tags={"meter_type": "old"})
    assert older.stretches[0].mean == 5.0
    assert await access.stored("smart_meter", "litres", start, end, tier="raw", tags={}) == Past()
    await worker.close()
    assert await access.stored("smart_meter", "total_power_w", start, end, tier="raw", tags={}) == Past()


def circuit_total() -> SeriesKey:
    return SeriesKey.of_tags("smart_meter", {"meter_type": "energy_dashboard"}, "total_power_w")


async def test_entities_of_an_integration(home: HomeAssistant, entity_registry: er.EntityRegistry) -> None:
    for name, disabled in (("b", None), ("a", None), ("c", er.RegistryEntryDisabler.USER)):
        entity_registry.async_get_or_create("sensor", "sense", name, disabled_by=disabled)
    entity_registry.async_get_or_create("sensor", "tibber", "x")
    access = HomeAssistantAccess(home)
    assert access.entities("sense") == ("sensor.sense_a", "sensor.sense_b")
    assert access.origin("sensor.sense_a").unique_id == "a"
