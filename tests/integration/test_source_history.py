"""What a source leaves in the store when it changes, and what it survives."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryDataWithId
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Flag, Kind, SeriesKey, TimeRange, from_micros, to_micros
from custom_components.strata.sources.base import SourceUnreachable
from tests.integration.given import NOW, StartHub, entity_source, price_source, settle

PRICE = "sensor.energy_charts_de_lu_current_price"
GRID = "sensor.grid_carbon_intensity"
CARBON_UNIT = {"unit_of_measurement": "gCO2eq/kWh"}
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


def price_of(provider: str, currency: str = "EUR") -> SeriesKey:
    return SeriesKey.of_tags("electricity_pricing", {"provider": provider, "currency": currency}, "current_price")


def carbon_of(field: str = "carbon_intensity_gco2_kwh") -> SeriesKey:
    return SeriesKey.of_tags(
        "carbon_intensity", {"region": "sensor.grid_carbon", "grid_operator": "home_assistant"}, field
    )


async def rows_of(entry: MockConfigEntry, key: SeriesKey) -> list[tuple[datetime, Flag]]:
    """Return time and flag of the rows of a series."""
    worker = entry.runtime_data.worker
    await worker.flush()
    found = worker.find(key)
    day = TimeRange(to_micros(NOW - timedelta(days=1)), to_micros(NOW + timedelta(days=1)))
    rows = await worker.read(lambda reader: reader.raw(found.id, day))
    return [(from_micros(time), Flag(flag)) for time, flag in zip(rows.times, rows.flags, strict=True)]


def price_entity() -> ConfigSubentryDataWithId:
    source = price_source()
    source["data"] = {**source["data"], "provider": "entity", "options": {"entity": "sensor.price"}}
    return source


async def test_series_of_the_old_currency_ends(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    home.states.async_set("sensor.price", "0.25", {"unit_of_measurement": "EUR/kWh"})
    entry = await start_hub(price_entity())
    await settle(home, entry)
    freezer.tick(60)
    home.states.async_set("sensor.price", "2.5", {"unit_of_measurement": "SEK/kWh"})
    await settle(home, entry)
    minute = timedelta(minutes=1)
    assert await rows_of(entry, price_of("entity:sensor.price")) == [(NOW, Flag.OK), (NOW + minute, Flag.GAP)]
    assert await rows_of(entry, price_of("entity:sensor.price", "SEK")) == [(NOW + minute, Flag.OK)]


@pytest.mark.usefixtures("energy_charts")
async def test_series_of_the_old_place_ends_when_a_source_is_reconfigured(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    freezer.tick(60)
    (source,) = entry.subentries.values()
    there = {**source.data, "options": {"bidding_zone": "AT"}}
    home.config_entries.async_update_subentry(entry, source, data=there, title="Energy-Charts AT")
    await settle(home, entry)
    old = await rows_of(entry, price_of("energy_charts:DE-LU"))
    assert old == [(NOW.replace(minute=0), Flag.OK), (NOW + timedelta(minutes=1), Flag.GAP)]

    # And back again within the slot: its price is not lost for the rest of it.
    freezer.tick(60)
    (source,) = entry.subentries.values()
    home.config_entries.async_update_subentry(entry, source, data={**there, "options": {"bidding_zone": "DE-LU"}})
    await settle(home, entry)
    assert await covered(entry, price_of("energy_charts:DE-LU"), freezer) == 59 * 60


@pytest.mark.usefixtures("energy_charts")
async def test_series_goes_on_when_a_source_is_renamed(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    freezer.tick(60)
    (source,) = entry.subentries.values()
    home.config_entries.async_update_subentry(entry, source, title="Market")
    await settle(home, entry)
    assert await rows_of(entry, price_of("energy_charts:DE-LU")) == [(NOW.replace(minute=0), Flag.OK)]


async def covered(entry: MockConfigEntry, key: SeriesKey, freezer: FrozenDateTimeFactory, hour: int = 0) -> float:
    """Return the seconds that are covered of the hour of `NOW`, or of one `hour` later."""
    worker = entry.runtime_data.worker
    await worker.flush()
    freezer.move_to(NOW + (hour + 1) * HOUR)
    await worker.write(lambda store: store.roll_up())
    series, start = worker.find(key), NOW.replace(minute=0) + hour * HOUR
    hours = TimeRange(to_micros(start), to_micros(start + HOUR))
    rolled = await worker.read(lambda reader: reader.tier("hourly", series.id, Kind.MEASUREMENT, hours))
    return float(rolled.covered_seconds.sum())


async def test_reading_for_an_instant_before_the_gap_holds_from_when_it_came(
    home: HomeAssistant,
    start_hub: StartHub,
    freezer: FrozenDateTimeFactory,
    move_to: Callable[[datetime], None],
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", CARBON_UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    (source,) = entry.runtime_data.sources.values()
    first = source.reading
    with patch.object(source.provider, "fetch", AsyncMock(side_effect=SourceUnreachable("down"))):
        move_to(NOW + 2 * HOUR)
        await settle(home, entry)
    assert (await rows_of(entry, carbon_of()))[-1] == (NOW + 2 * HOUR, Flag.GAP)

    # 12:27: the source is back, and its newest value is for 11:37.
    back = NOW + timedelta(hours=2, minutes=20)
    late = replace(first, observed_at=back - timedelta(minutes=50), fetched_at=back)
    freezer.move_to(back)
    with patch.object(source.provider, "fetch", AsyncMock(return_value=late)):
        await source.async_refresh()
    await settle(home, entry)
    # Known until 12:07, unknown until 12:27, known until the hour's end.
    assert await covered(entry, carbon_of(), freezer, hour=2) == 7 * 60 + 33 * 60


async def test_field_that_is_no_longer_said_ends(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", CARBON_UNIT)
    home.states.async_set("sensor.share", "40", {"unit_of_measurement": "%"})
    subentry = entity_source()
    subentry["data"] = {
        **subentry["data"],
        "options": {"entity": "sensor.grid_carbon", "renewable_entity": "sensor.share"},
    }
    entry = await start_hub(subentry)
    await settle(home, entry)
    freezer.tick(60)
    home.states.async_set("sensor.share", "unavailable")
    await settle(home, entry)
    minute = timedelta(minutes=1)
    assert await rows_of(entry, carbon_of("renewable_percentage")) == [(NOW, Flag.OK), (NOW + minute, Flag.GAP)]
    assert await rows_of(entry, carbon_of()) == [(NOW, Flag.OK), (NOW + minute, Flag.OK)]


async def test_entity_that_changed_while_the_hub_was_away_is_read_again(
    home: HomeAssistant, start_hub: StartHub
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", CARBON_UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    await home.config_entries.async_unload(entry.entry_id)
    home.states.async_set("sensor.grid_carbon", "111", CARBON_UNIT)
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert home.states.get(GRID).state == "111.0"


@pytest.mark.parametrize(
    "kept",
    [
        {"version": 99, "minor_version": 1, "data": {}},
        {"version": 1, "minor_version": 1, "data": ["of another shape"]},
    ],
)
@pytest.mark.parametrize("file", ["strata.source.prices_DE-LU", "strata.quota"])
@pytest.mark.usefixtures("energy_charts")
async def test_kept_file_that_cannot_be_read_stops_nothing(
    home: HomeAssistant, start_hub: StartHub, hass_storage: dict[str, Any], kept: dict[str, Any], file: str
) -> None:
    hass_storage[file] = {**kept, "key": file}
    entry = await start_hub(price_source())
    assert entry.state is ConfigEntryState.LOADED
    await settle(home, entry)
    assert home.states.get(PRICE).state == "0.21"


async def test_source_without_what_its_provider_needs_is_said_and_the_others_run(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    issue_registry: ir.IssueRegistry,
) -> None:
    broken = entity_source()
    broken["data"] = {**broken["data"], "options": {}}
    entry = await start_hub(price_source(), broken)
    await settle(home, entry)
    assert [*entry.runtime_data.sources] == ["prices_DE-LU"]
    assert issue_registry.async_get_issue(DOMAIN, f"source_unknown_{broken['subentry_id']}") is not None


async def test_nothing_listens_on_when_setting_up_fails(home: HomeAssistant, start_hub: StartHub) -> None:
    before = home.bus.async_listeners().get(EVENT_STATE_CHANGED, 0)
    with patch("custom_components.strata.SourceSet.async_follow", side_effect=RuntimeError):
        entry = await start_hub()
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert home.bus.async_listeners().get(EVENT_STATE_CHANGED, 0) == before


async def test_source_follows_an_entity_that_is_renamed(
    home: HomeAssistant, start_hub: StartHub, entity_registry: er.EntityRegistry
) -> None:
    entity_registry.async_get_or_create("sensor", "grid", "carbon", suggested_object_id="grid_carbon")
    home.states.async_set("sensor.grid_carbon", "230", CARBON_UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    # Whatever else changes about it is none of the source's business.
    entity_registry.async_update_entity("sensor.grid_carbon", name="Grid")
    entity_registry.async_update_entity("sensor.grid_carbon", new_entity_id="sensor.mains_carbon")
    home.states.async_set("sensor.mains_carbon", "231", CARBON_UNIT)
    await settle(home, entry)
    assert home.states.get(GRID).state == "231.0"
    (subentry,) = entry.subentries.values()
    assert subentry.data["options"] == {"entity": "sensor.mains_carbon"}
    assert (subentry.unique_id, subentry.title) == ("carbon_intensity:entity:sensor.mains_carbon", "Grid")


async def test_value_too_old_to_be_served_is_no_data(
    home: HomeAssistant, start_hub: StartHub, caplog: pytest.LogCaptureFixture
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", CARBON_UNIT)
    entry = await start_hub(entity_source())
    await settle(home, entry)
    (source,) = entry.runtime_data.sources.values()
    old = replace(source.reading, observed_at=NOW - 2 * HOUR)
    with patch.object(source.provider, "fetch", AsyncMock(return_value=old)):
        await source.async_refresh()
    assert source.health.failure == "no_data"
    assert "its newest value is for 2026-11-21 08:07 UTC" in caplog.text
    assert home.states.get(GRID).state == "230.0", "the last good value is served"
