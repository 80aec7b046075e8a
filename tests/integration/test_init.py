"""The hub's life: set up, changed while it runs, unloaded, stopped, removed."""

import asyncio
from pathlib import Path
import sqlite3
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry, ConfigSubentryDataWithId
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, EVENT_HOMEASSISTANT_STOP, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.strata import async_remove_config_entry_device
from custom_components.strata.const import DOMAIN
from custom_components.strata.issues import async_report_notice
from custom_components.strata.runtime import supervise
from custom_components.strata.store.base import NoticeKind, StoreNotice, StoreTooNew, StoreUnusable
from tests.integration.given import (
    KEYED_URL,
    NOW,
    PRICE_URL,
    Keyed,
    StartHub,
    entity_source,
    keyed_source,
    price_source,
    prices,
    settle,
)

PRICE = "sensor.energy_charts_de_lu_current_price"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


def subentry(data: ConfigSubentryDataWithId) -> ConfigSubentry:
    return ConfigSubentry(
        data=MappingProxyType(data["data"]),
        subentry_type="source",
        title=data["title"],
        unique_id=data["unique_id"],
    )


async def test_hub_without_sources_runs_and_records(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    assert entry.state is ConfigEntryState.LOADED
    before = entry.runtime_data.worker.counters.received
    home.states.async_set("light.hall", "on")
    assert entry.runtime_data.worker.counters.received == before + 1


async def test_unloading_stores_what_waits_and_ends_everything(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    worker = entry.runtime_data.worker
    home.states.async_set("light.hall", "on")
    assert worker.counters.waiting > 0
    assert await home.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert worker.counters.waiting == 0
    assert worker.counters.dropped == 0
    assert home.states.get(PRICE).state == STATE_UNAVAILABLE
    received = worker.counters.received
    home.states.async_set("light.hall", "off")
    assert worker.counters.received == received


async def test_hub_keeps_running_when_a_platform_cannot_be_unloaded(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    with patch.object(home.config_entries, "async_unload_platforms", return_value=False):
        assert not await home.config_entries.async_unload(entry.entry_id)
    before = entry.runtime_data.worker.counters.received
    home.states.async_set("light.hall", "on")
    assert entry.runtime_data.worker.counters.received == before + 1
    await entry.runtime_data.worker.close()


async def test_what_devices_say_while_home_assistant_stops_is_no_history(
    home: HomeAssistant, start_hub: StartHub
) -> None:
    entry = await start_hub()
    home.states.async_set("light.hall", "on")
    await home.async_block_till_done()
    received = entry.runtime_data.worker.counters.received
    home.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await home.async_block_till_done()
    home.states.async_set("light.hall", STATE_UNAVAILABLE)
    await home.async_block_till_done()
    assert entry.runtime_data.worker.counters.received == received


async def test_final_write_stores_what_waits(home: HomeAssistant, start_hub: StartHub, tmp_path: Path) -> None:
    entry = await start_hub()
    home.states.async_set("light.hall", "on")
    home.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await home.async_block_till_done()
    assert entry.runtime_data.worker.counters.waiting == 0
    home.states.async_set("light.hall", "off")
    assert entry.runtime_data.worker.counters.waiting == 0

    def clean_runs() -> list[int]:
        connection = sqlite3.connect(tmp_path / "strata" / "strata.db")
        try:
            return [clean for (clean,) in connection.execute("SELECT clean FROM run")]
        finally:
            connection.close()

    assert await home.async_add_executor_job(clean_runs) == [1]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (StoreUnusable("no permission"), ConfigEntryState.SETUP_RETRY),
        (StoreTooNew("written by version 9"), ConfigEntryState.SETUP_ERROR),
    ],
)
async def test_store_that_cannot_be_opened_is_said(
    home: HomeAssistant,
    start_hub: StartHub,
    issue_registry: ir.IssueRegistry,
    error: Exception,
    state: ConfigEntryState,
) -> None:
    with patch("custom_components.strata.StoreWorker.open", side_effect=error):
        entry = await start_hub()
    assert entry.state is state
    assert str(error) in entry.reason
    issue = issue_registry.async_get_issue(DOMAIN, "store_too_new")
    assert (issue is not None) == isinstance(error, StoreTooNew)

    # Once the file can be read again the hub comes up and the issue goes.
    await home.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    assert issue_registry.async_get_issue(DOMAIN, "store_too_new") is None


async def test_issues_of_an_earlier_opening_go(
    home: HomeAssistant, start_hub: StartHub, issue_registry: ir.IssueRegistry
) -> None:
    entry = await start_hub()
    for kind in (NoticeKind.DISK_FULL, NoticeKind.MAINTENANCE_FAILED, NoticeKind.ROWS_DROPPED):
        async_report_notice(home, StoreNotice(kind, "no room"))
    await home.config_entries.async_reload(entry.entry_id)
    # That values were lost stays true; the rest is said again if it is still so.
    assert [issue for _, issue in issue_registry.issues] == [NoticeKind.ROWS_DROPPED]


async def test_store_is_closed_when_setting_up_fails_after_it_was_opened(
    home: HomeAssistant, start_hub: StartHub
) -> None:
    with patch("custom_components.strata.Ingest", side_effect=RuntimeError):
        entry = await start_hub()
    assert entry.state is ConfigEntryState.SETUP_ERROR
    await home.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED


async def test_adding_a_source_leaves_the_others_untouched(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", {"unit_of_measurement": "gCO2eq/kWh"})
    entry = await start_hub(price_source())
    await settle(home, entry)
    data = entry.runtime_data
    (first,) = data.sources.values()
    calls, ends = energy_charts.call_count, home.states.get(PRICE)

    home.config_entries.async_add_subentry(entry, subentry(entity_source()))
    await settle(home, entry)
    assert home.states.get("sensor.grid_carbon_intensity").state == "230.0"
    assert entry.runtime_data is data
    assert next(iter(data.sources.values())) is first
    assert energy_charts.call_count == calls
    assert home.states.get(PRICE) is ends, "its state was not even written again"


async def test_nothing_is_lost_while_a_source_is_added(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub()
    counters = entry.runtime_data.worker.counters
    before = counters.received

    async def changes() -> None:
        for count in range(500):
            home.states.async_set("sensor.counter", str(count))
            if count % 10 == 0:
                await asyncio.sleep(0)

    adding = asyncio.create_task(changes())
    home.config_entries.async_add_subentry(entry, subentry(entity_source("sensor.nothing")))
    await adding
    await settle(home, entry)
    own = {entity.entity_id for entity in er.async_entries_for_config_entry(er.async_get(home), entry.entry_id)}
    await entry.runtime_data.worker.flush()
    series = [
        found for found in entry.runtime_data.worker.all_series() if found.labels.get("entity_id") == "sensor.counter"
    ]
    assert len(series) == 1
    assert counters.received - before >= 500
    assert counters.dropped == 0
    assert own


async def test_removing_a_source_takes_its_entities_device_issues_and_file(
    home: HomeAssistant,
    hass_storage: dict[str, Any],
    start_hub: StartHub,
    keyed: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
    issue_registry: ir.IssueRegistry,
    freezer: FrozenDateTimeFactory,
) -> None:
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    aioclient_mock.get(PRICE_URL, json=prices())
    entry = await start_hub(keyed_source(), price_source())
    await settle(home, entry)
    aioclient_mock.clear_requests()
    aioclient_mock.get(KEYED_URL, status=401)
    source, other = entry.runtime_data.sources.values()
    await source.async_refresh()
    assert issue_registry.async_get_issue(DOMAIN, f"source_unauthorized_{source.subentry_id}")

    home.config_entries.async_remove_subentry(entry, source.subentry_id)
    await settle(home, entry)
    assert list(entry.runtime_data.sources.values()) == [other]
    assert issue_registry.async_get_issue(DOMAIN, f"source_unauthorized_{source.subentry_id}") is None
    assert home.states.get("sensor.keyed_current_price") is None
    assert not [
        entity for entity in entity_registry.entities.values() if entity.config_subentry_id == source.subentry_id
    ]
    assert device_registry.async_get_device_by_identifier((DOMAIN, source.subentry_id), entry.entry_id) is None
    assert f"strata.source.{source.subentry_id}" not in hass_storage
    calls = aioclient_mock.call_count
    freezer.tick(7200)
    await settle(home, entry)
    assert aioclient_mock.call_count == calls


async def test_renaming_a_source_renames_its_device_and_fetches_nothing(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    device_registry: dr.DeviceRegistry,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    (before,) = entry.subentries.values()
    calls = energy_charts.call_count
    home.config_entries.async_update_subentry(entry, before, title="Spot market")
    await settle(home, entry)
    device = device_registry.async_get_device_by_identifier((DOMAIN, before.subentry_id), entry.entry_id)
    assert device.name == "Spot market"
    assert home.states.get(PRICE).state == "0.21", "the entity keeps its id"
    assert energy_charts.call_count == calls


async def test_hub_device_stands_above_those_of_the_sources(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    device_registry: dr.DeviceRegistry,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    (source,) = entry.runtime_data.sources
    hub = device_registry.async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    device = device_registry.async_get_device_by_identifier((DOMAIN, source), entry.entry_id)
    assert (hub.name, hub.entry_type, hub.config_subentry_id) == ("Strata", dr.DeviceEntryType.SERVICE, None)
    assert (device.name, device.via_device_id, device.config_subentry_id) == ("Energy-Charts DE-LU", hub.id, source)


async def test_devices_in_use_cannot_be_deleted(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    device_registry: dr.DeviceRegistry,
    hass_ws_client: WebSocketGenerator,
) -> None:
    assert await async_setup_component(home, "config", {})
    entry = await start_hub(price_source())
    await settle(home, entry)
    stale = device_registry.async_get_or_create(config_entry_id=entry.entry_id, identifiers={(DOMAIN, "left over")})
    client = await hass_ws_client(home)
    for device in list(dr.async_entries_for_config_entry(device_registry, entry.entry_id)):
        answer = await client.remove_device(device.id)
        assert answer["success"] is (device.id == stale.id)
    (hub, *_) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    await home.config_entries.async_unload(entry.entry_id)
    assert not await async_remove_config_entry_device(home, entry, hub)


async def test_change_that_waited_while_the_hub_was_unloaded_starts_nothing(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    entry = await start_hub()
    source_set = entry.runtime_data.source_set
    await home.config_entries.async_unload(entry.entry_id)
    home.config_entries.async_add_subentry(entry, subentry(price_source()))
    await source_set.async_follow()
    assert source_set.running == {}
    assert energy_charts.call_count == 0


@pytest.mark.parametrize("how", ["removed", "changed"])
async def test_source_of_an_unknown_provider_is_said_and_the_others_run(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    issue_registry: ir.IssueRegistry,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    unknown = price_source("AT", title="From tomorrow")
    unknown["data"] = {**unknown["data"], "provider": "oracle"}
    entry = await start_hub(unknown, price_source())
    await settle(home, entry)
    assert home.states.get(PRICE).state == "0.21"
    (subentry_id,) = set(entry.subentries) - set(entry.runtime_data.sources)
    issue = issue_registry.async_get_issue(DOMAIN, f"source_unknown_{subentry_id}")
    assert issue.translation_placeholders == {
        "source": "From tomorrow",
        "wanted": "electricity_pricing.oracle",
    }
    if how == "removed":
        home.config_entries.async_remove_subentry(entry, subentry_id)
    else:
        known = {**unknown["data"], "provider": "energy_charts"}
        home.config_entries.async_update_subentry(entry, entry.subentries[subentry_id], data=known)
    await settle(home, entry)
    assert issue_registry.async_get_issue(DOMAIN, f"source_unknown_{subentry_id}") is None
    assert (subentry_id in entry.runtime_data.sources) == (how == "changed")
    assert caplog.text.count("which this version does not have") == 1


async def test_store_follows_the_time_zone_of_the_home(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    await home.config.async_update(time_zone="Asia/Kolkata")
    await home.async_block_till_done()
    assert entry.runtime_data.worker.timezone == "Asia/Kolkata"


async def test_removing_the_hub_keeps_the_history_and_says_where(
    home: HomeAssistant,
    hass_storage: dict[str, Any],
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    issue_registry: ir.IssueRegistry,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    async_report_notice(home, StoreNotice(NoticeKind.ROWS_DROPPED, "5"))
    await home.config_entries.async_remove(entry.entry_id)
    store = tmp_path / "strata" / "strata.db"
    assert await home.async_add_executor_job(store.exists)
    assert f"The recorded history stays in {store.parent}" in caplog.text
    assert not [key for key in hass_storage if key.startswith("strata.")]
    assert not [issue for issue in issue_registry.issues.values() if issue.domain == DOMAIN]


async def test_background_work_starts_again_after_a_growing_wait(caplog: pytest.LogCaptureFixture) -> None:
    waits: list[float] = []
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs != 3:
            raise RuntimeError(f"run {runs}")

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 12:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await supervise("clockwork", work, sleep=sleep)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert caplog.text.count("The clockwork stopped and starts again") == 11


async def test_background_work_that_ran_long_starts_again_at_once() -> None:
    waits: list[float] = []
    clock = iter([0.0, 1.0, 1.0, 2.0, 2.0, 1000.0, 1000.0, 1001.0])

    async def work() -> None:
        return

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            raise asyncio.CancelledError

    with (
        patch("custom_components.strata.runtime.monotonic", lambda: next(clock)),
        pytest.raises(asyncio.CancelledError),
    ):
        await supervise("clockwork", work, sleep=sleep)
    assert waits == [1, 2, 1, 2]
