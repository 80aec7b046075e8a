"""How a source is fetched, served, kept and given up."""

from collections.abc import Callable
from datetime import datetime, timedelta
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import EVENT_HOMEASSISTANT_STARTED, CoreState, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.coordinator import SourceCoordinator
from custom_components.strata.core.model import Flag, SeriesKey, TimeRange, from_micros, to_micros
from custom_components.strata.store.runs import resumes
from tests.integration.given import (
    KEYED_URL,
    MIDNIGHT,
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

PRICE = "sensor.energy_charts_de_lu_current_price"
HEALTHY = "binary_sensor.energy_charts_de_lu_connection"
GRID = "sensor.grid_carbon_intensity"
HTTP_500 = "api.energy-charts.info has an error (HTTP 500)"
UNIT = {"unit_of_measurement": "gCO2eq/kWh"}

type MoveTo = Callable[[datetime], None]


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.strata.coordinator.random.random", lambda: 0.0)


def only_source(entry: MockConfigEntry) -> SourceCoordinator:
    (source,) = entry.runtime_data.sources.values()
    assert isinstance(source, SourceCoordinator)
    return source


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    assert found is not None
    return found.state


async def stored(entry: MockConfigEntry, key: SeriesKey) -> list[tuple[datetime, float | None, Flag]]:
    """Return the stored rows of a series on the test's day."""
    worker = entry.runtime_data.worker
    await worker.flush()
    series = worker.find(key)
    assert series is not None
    assert series.id is not None
    day = TimeRange(to_micros(MIDNIGHT), to_micros(MIDNIGHT + timedelta(days=2)))
    rows = await worker.read(lambda reader: reader.raw(series.id, day))
    return [
        (from_micros(time), None if value != value else float(value), Flag(flag))  # noqa: PLR0124 - NaN: no number
        for time, value, flag in zip(rows.times, rows.values, rows.flags, strict=True)
    ]


def price_key(zone: str = "DE-LU", field: str = "current_price") -> SeriesKey:
    return SeriesKey.of_tags("electricity_pricing", {"provider": f"energy_charts:{zone}", "currency": "EUR"}, field)


def carbon_key(entity_id: str = "sensor.grid_carbon") -> SeriesKey:
    return SeriesKey.of_tags(
        "carbon_intensity",
        {"region": entity_id, "grid_operator": "home_assistant"},
        "carbon_intensity_gco2_kwh",
    )


def hour(count: int) -> datetime:
    return MIDNIGHT + timedelta(hours=count)


async def test_state_moves_at_the_slot_border_without_a_request(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, move_to: MoveTo
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    calls = energy_charts.call_count
    assert state(home, PRICE) == "0.21"

    move_to(hour(12) - timedelta(seconds=1))
    await home.async_block_till_done()
    assert state(home, PRICE) == "0.21"
    move_to(hour(12))
    await home.async_block_till_done()
    assert state(home, PRICE) == "0.22"
    assert energy_charts.call_count == calls

    rows = await stored(entry, price_key())
    assert rows == [(hour(11), 0.21, Flag.OK), (hour(12), 0.22, Flag.OK)]


async def test_forecast_is_stored_as_issued_once(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    await entry.runtime_data.worker.flush()
    found = await entry.runtime_data.worker.read(
        lambda reader: reader.forecasts("electricity_pricing:energy_charts:DE-LU")
    )
    assert [(len(item.forecast.slots), item.forecast.unit, item.forecast.issued_at) for item in found] == [
        (24, "EUR/kWh", NOW)
    ]
    assert found[0].key == SeriesKey.of_tags(
        "electricity_pricing_forecast", {"provider": "energy_charts:DE-LU", "currency": "EUR"}, "price"
    )


async def test_source_that_fails_leaves_hub_and_others_alone(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    fail(aioclient_mock)
    home.states.async_set("sensor.grid_carbon", "230", UNIT)
    entry = await start_hub(price_source(), entity_source())
    await settle(home, entry)
    assert state(home, PRICE) == STATE_UNAVAILABLE, "the entity is there all the same"
    assert state(home, HEALTHY) == STATE_OFF
    assert home.states.get(HEALTHY).attributes["failure"] == "cannot_connect"
    assert state(home, GRID) == "230.0"
    assert state(home, "binary_sensor.grid_connection") == STATE_ON


async def test_last_good_reading_is_served_until_its_role_says_it_is_too_old(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, move_to: MoveTo
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    fail(energy_charts)
    move_to(hour(22))
    await settle(home, entry)
    assert only_source(entry).health.failure == "cannot_connect"
    assert state(home, HEALTHY) == STATE_OFF
    assert state(home, PRICE) == "0.32", "the price of the 23rd hour is known since morning"
    assert state(home, "sensor.energy_charts_de_lu_last_update") != STATE_UNAVAILABLE

    move_to(hour(24))
    await settle(home, entry)
    assert state(home, PRICE) == STATE_UNAVAILABLE
    assert state(home, "sensor.energy_charts_de_lu_last_update") != STATE_UNAVAILABLE
    rows = await stored(entry, price_key())
    assert rows[-1] == (hour(24), None, Flag.GAP)


async def test_reading_with_a_lifetime_ends_with_it(home: HomeAssistant, start_hub: StartHub, move_to: MoveTo) -> None:
    home.states.async_set("sensor.grid_carbon", "230", UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    home.states.async_remove("sensor.grid_carbon")
    await settle(home, entry)
    move_to(NOW + timedelta(hours=2, seconds=-1))
    await settle(home, entry)
    assert state(home, GRID) == "230.0"
    move_to(NOW + timedelta(hours=2))
    await settle(home, entry)
    assert state(home, GRID) == STATE_UNAVAILABLE
    assert await stored(entry, carbon_key()) == [
        (NOW, 230.0, Flag.OK),
        (NOW + timedelta(hours=2), None, Flag.GAP),
    ]


async def test_one_line_when_it_fails_and_one_when_it_recovers(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    source = only_source(entry)
    caplog.clear()
    fail(energy_charts)
    for _ in range(3):
        await source.async_refresh()
    lines = [record for record in caplog.records if record.levelno >= logging.INFO and "DE-LU" in record.message]
    assert [(line.levelname, line.message) for line in lines] == [
        ("ERROR", f"Error fetching Energy-Charts DE-LU data: {HTTP_500}")
    ]
    caplog.clear()
    energy_charts.clear_requests()
    energy_charts.get(PRICE_URL, json=prices())
    await source.async_refresh()
    lines = [record for record in caplog.records if record.levelno >= logging.INFO and "DE-LU" in record.message]
    assert [(line.levelname, line.message) for line in lines] == [
        ("INFO", "Fetching Energy-Charts DE-LU data recovered")
    ]


async def test_failures_are_retried_ever_later_and_as_the_server_asks(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker, move_to: MoveTo
) -> None:
    fail(aioclient_mock)
    entry = await start_hub(price_source())
    await settle(home, entry)
    assert aioclient_mock.call_count == 1
    now, calls = NOW, []
    for _ in range(100):
        now += timedelta(minutes=1)
        move_to(now)
        await settle(home, entry)
        calls.append(aioclient_mock.call_count)
    # One minute, then 2, 4, 8, 16, 32: each within a quarter of that, and never more than an hour.
    assert 5 <= calls[-1] <= 8

    aioclient_mock.clear_requests()
    aioclient_mock.get(PRICE_URL, status=429, headers={"Retry-After": "18000"})
    source = only_source(entry)
    await source.async_refresh()
    fetches = len(source.health.fetches)
    move_to(now + timedelta(hours=4, minutes=59))
    await settle(home, entry)
    assert len(source.health.fetches) == fetches
    move_to(now + timedelta(hours=5, minutes=2))
    await settle(home, entry)
    assert len(source.health.fetches) == fetches + 1


async def test_fetches_again_when_its_role_says(home: HomeAssistant, start_hub: StartHub, move_to: MoveTo) -> None:
    home.states.async_set("sensor.grid_carbon", "230", UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    source = only_source(entry)
    assert len(source.health.fetches) == 1
    move_to(NOW + timedelta(minutes=14, seconds=58))
    await settle(home, entry)
    assert len(source.health.fetches) == 1
    move_to(NOW + timedelta(minutes=15, seconds=2))
    await settle(home, entry)
    assert len(source.health.fetches) == 2


async def test_watched_entity_asks_for_a_new_fetch(home: HomeAssistant, start_hub: StartHub) -> None:
    home.states.async_set("sensor.grid_carbon", "230", UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    home.states.async_set("sensor.grid_carbon", "180", UNIT)
    await settle(home, entry)
    assert state(home, GRID) == "180.0"


async def test_entity_that_comes_up_later_is_no_failure_at_startup(
    home: HomeAssistant, start_hub: StartHub, caplog: pytest.LogCaptureFixture, move_to: MoveTo
) -> None:
    home.set_state(CoreState.starting)
    entry = await start_hub(entity_source())
    move_to(NOW + timedelta(minutes=5))
    await settle(home, entry)
    assert state(home, GRID) == STATE_UNAVAILABLE
    home.states.async_set("sensor.grid_carbon", "230", UNIT)
    home.set_state(CoreState.running)
    home.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await settle(home, entry)
    assert state(home, GRID) == "230.0"
    assert "Error fetching" not in caplog.text


async def test_last_good_reading_survives_a_restart_with_the_network_down(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    await home.config_entries.async_unload(entry.entry_id)
    assert state(home, PRICE) == STATE_UNAVAILABLE

    fail(energy_charts)
    freezer.move_to(hour(20) + timedelta(minutes=5))
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert state(home, PRICE) == "0.3"
    assert only_source(entry).health.failure == "cannot_connect"
    rows = await stored(entry, price_key())
    assert rows == [(hour(11), 0.21, Flag.OK), (hour(20), 0.3, Flag.OK)]


async def test_value_from_before_a_restart_holds_again_from_there(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    await home.config_entries.async_unload(entry.entry_id)
    freezer.tick(600)
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert await stored(entry, price_key()) == [(hour(11), 0.21, Flag.OK)]
    worker = entry.runtime_data.worker
    day = TimeRange(to_micros(MIDNIGHT), to_micros(MIDNIGHT + timedelta(days=1)))
    found = await worker.read(lambda reader: resumes(reader.connection, day, worker.find(price_key()).id))
    assert [from_micros(time) for times in found.values() for time in times] == [NOW + timedelta(minutes=10)]


async def test_fresh_reading_is_not_fetched_again_after_a_restart(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    calls = energy_charts.call_count
    await home.config_entries.async_unload(entry.entry_id)
    freezer.tick(60)
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert energy_charts.call_count == calls
    assert state(home, PRICE) == "0.21"
    assert state(home, HEALTHY) == STATE_ON, "as in the run before"


@pytest.mark.parametrize(
    "kept",
    [
        {"fingerprint": "of other parameters", "reading": None, "turns": []},
        {"fingerprint": None, "reading": {"fields": {}}, "turns": []},
        {"fingerprint": None, "reading": None, "turns": [["yesterday", True]]},
    ],
)
async def test_kept_reading_that_cannot_be_used_is_fetched_anew(
    home: HomeAssistant,
    hass_storage: dict[str, Any],
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    kept: dict[str, Any],
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    await home.config_entries.async_unload(entry.entry_id)
    (key,) = (key for key in hass_storage if key.startswith("strata.source."))
    kept["fingerprint"] = kept["fingerprint"] or hass_storage[key]["data"]["fingerprint"]
    hass_storage[key]["data"] = kept
    calls = energy_charts.call_count
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert energy_charts.call_count == calls + 1
    assert state(home, PRICE) == "0.21"


async def test_secret_is_not_in_what_is_kept(
    home: HomeAssistant,
    hass_storage: dict[str, Any],
    start_hub: StartHub,
    keyed: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    entry = await start_hub(keyed_source("s3cret"))
    await settle(home, entry)
    await home.config_entries.async_unload(entry.entry_id)
    assert [key for key in hass_storage if key.startswith("strata.source.")]
    assert "s3cret" not in str({key: data for key, data in hass_storage.items() if key.startswith("strata.")})


async def test_impossible_value_is_stored_with_its_flag_and_not_shown(home: HomeAssistant, start_hub: StartHub) -> None:
    home.states.async_set("sensor.grid_carbon", "-40", UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    assert state(home, GRID) == STATE_UNKNOWN
    assert only_source(entry).implausible == {"carbon_intensity_gco2_kwh": 1}
    assert await stored(entry, carbon_key()) == [(NOW, -40.0, Flag.IMPOSSIBLE)]
    assert entry.runtime_data.worker.counters.flagged == {"impossible": 1}


async def test_impossible_slots_are_left_out(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    answer = prices()
    answer["price"][5] = 1e12
    aioclient_mock.get(PRICE_URL, json=answer)
    entry = await start_hub(price_source())
    await settle(home, entry)
    assert len(only_source(entry).reading.forecasts["current_price"].slots) == 23
    assert state(home, "sensor.energy_charts_de_lu_highest_price_today") == "0.33"


async def test_error_in_a_provider_is_logged_once_with_its_traceback(
    home: HomeAssistant,
    start_hub: StartHub,
    keyed: type[Keyed],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(self: Keyed, context: object) -> None:
        raise ZeroDivisionError("GET https://keyed.example/price?key=old-secret%2Band+more")

    monkeypatch.setattr(Keyed, "fetch", broken)
    entry = await start_hub(keyed_source("old-secret+and more"))
    await settle(home, entry)
    await only_source(entry).async_refresh()
    assert only_source(entry).health.failure == "unknown"
    (trace,) = [record.message for record in caplog.records if "has an error" in record.message]
    assert trace.startswith("The provider of Keyed has an error\nTraceback (most recent call last):\n")
    assert trace.endswith("\nZeroDivisionError: GET https://keyed.example/price?key=**REDACTED**")
    assert "old-secret" not in caplog.text


async def test_provider_that_hangs_is_given_up(
    home: HomeAssistant, start_hub: StartHub, keyed: type[Keyed], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(self: Keyed, context: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(Keyed, "fetch", slow)
    entry = await start_hub(keyed_source())
    await settle(home, entry)
    (fetch,) = only_source(entry).health.fetches
    assert (fetch.outcome, fetch.detail) == ("cannot_connect", "no complete answer within 30 s")


async def test_fetch_that_ends_after_its_source_changes_nothing(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    source = only_source(entry)
    reading = source.reading
    await source.async_stop()
    assert await source._async_update_data() is reading
    fail(energy_charts)
    assert await source._async_update_data() is reading
    assert len(source.health.fetches) == 1


async def test_requests_are_kept_for_diagnostics(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    (request,) = only_source(entry).requests
    assert (request.host, request.path, request.status) == ("api.energy-charts.info", "/price", 200)


async def test_quota_is_counted_over_a_restart(
    home: HomeAssistant, hass_storage: dict[str, Any], start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    hass_storage["strata.quota"] = {
        "version": 1,
        "minor_version": 1,
        "key": "strata.quota",
        "data": {
            "api.energy-charts.info|": {
                "times": [NOW.timestamp() - 60 - count for count in range(60)],
                "horizon": 3600.0,
                "blocked": 0.0,
            }
        },
    }
    entry = await start_hub(price_source())
    await settle(home, entry)
    assert only_source(entry).health.failure == "rate_limited"
    assert energy_charts.call_count == 0


async def test_user_can_ask_for_a_fetch(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    from homeassistant.setup import async_setup_component

    await async_setup_component(home, "homeassistant", {})
    entry = await start_hub(price_source())
    await settle(home, entry)
    calls = energy_charts.call_count
    await home.services.async_call("homeassistant", "update_entity", {"entity_id": [PRICE]}, blocking=True)
    await settle(home, entry)
    assert energy_charts.call_count == calls + 1


async def test_clock_that_was_wrong_does_not_put_off_the_next_fetch(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, freezer: FrozenDateTimeFactory
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", UNIT)
    entry = await start_hub(price_source(), entity_source())
    await settle(home, entry)
    await home.config_entries.async_unload(entry.entry_id)
    freezer.move_to(NOW - timedelta(days=400))
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    waits = {source.role.key: source.update_interval for source in entry.runtime_data.sources.values()}
    assert waits["carbon_intensity"] <= timedelta(minutes=15)
    assert waits["electricity_pricing"] <= timedelta(days=1)
