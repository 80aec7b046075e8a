"""What the ladder did and saves, over REST and as sensors."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.strata.core.model import to_micros
from custom_components.strata.retention import Progress
from custom_components.strata.store.base import Sizes
from custom_components.strata.store.operations import Operation
from tests.integration.given import StartHub

BASE = "/api/strata/v2/retention"
HOUR = 3_600_000_000


@pytest.fixture
async def entry(home: HomeAssistant, start_hub: StartHub) -> MockConfigEntry:
    """A hub with two days of rows that are past their time, and a price for storage."""
    home.states.async_set("sensor.plug", "12", {"unit_of_measurement": "W"})
    hub = await start_hub(retention={"price_per_gb": 10.0})
    worker = hub.runtime_data.worker
    series = next(each for each in worker.all_series() if each.labels.get("entity_id") == "sensor.plug")
    first = to_micros(dt_util.utcnow()) // HOUR - 20 * 24
    for hour in range(48):
        worker.put(series, (first + hour) * HOUR, float(hour))
    await worker.flush()
    await worker.write(lambda store: store.roll_up())
    return hub


async def test_a_step_on_request_and_what_is_told_of_it(
    home: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    # How many bytes the chunks have that go, asked of the file itself.
    due = (to_micros(dt_util.utcnow()) - 7 * 24 * HOUR) // HOUR << 24
    size = await entry.runtime_data.worker.read(
        lambda reader: reader.connection.execute(
            "SELECT SUM(LENGTH(blob)) FROM raw_chunk WHERE key < ?", (due,)
        ).fetchone()[0]
    )
    response = await client.post(f"{BASE}/downsample-hourly")
    assert response.status == HTTPStatus.OK
    done = await response.json()
    assert (done["operation_type"], done["records_processed"], done["errors"]) == ("downsample_hourly", 48, [])
    assert done["storage_freed_mb"] == size / 1e6

    stats = await (await client.get(f"{BASE}/stats")).json()
    file = await entry.runtime_data.worker.read(lambda reader: reader.sizes().file_bytes)
    assert stats["current_db_size_gb"] == file / 1e9
    assert stats["storage_saved_gb"] == size / 1e9
    assert stats["reduction_percentage"] == round(100 * size / (size + file), 2)
    assert stats["annual_cost_savings"] == pytest.approx(10 * size / 1e9)
    assert stats["currency"] == "EUR"
    age = dt_util.utcnow() - datetime.fromisoformat(stats["last_downsample_hot_to_warm"])
    assert abs(age) < timedelta(minutes=5)
    assert stats["last_archive_to_s3"] is None
    named = {told["name"]: told for told in stats["entities"]}
    assert named["sensor.plug"]["rows"] == sum(
        size.rows for tiers in [await _tiers_of(entry, "sensor.plug")] for size in tiers.values()
    )
    assert sum(told["bytes"] for told in stats["entities"]) <= sum(tier["bytes"] for tier in stats["tiers"].values())

    history = await (await client.get(f"{BASE}/history")).json()
    newest = history["operations"][0]
    assert newest["operation_type"] == "downsample_hourly"
    assert (newest["records_processed"], newest["storage_freed_mb"], newest["errors"]) == (48, size / 1e6, [])

    daily = await client.post(f"{BASE}/downsample-daily")
    assert (await daily.json())["operation_type"] == "downsample_daily"


async def _tiers_of(entry: MockConfigEntry, entity_id: str) -> Any:
    worker = entry.runtime_data.worker
    sizes = await worker.read(lambda reader: reader.sizes(by_series=True))
    (number,) = [each.id for each in worker.all_series() if each.labels.get("entity_id") == entity_id]
    return sizes.by_series[number]


async def test_only_thirty_days_are_told_unless_more_are_asked_for(
    home: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    now = to_micros(dt_util.utcnow())
    old = Operation("export", now - 31 * 24 * HOUR, 2.0, 7, 2_000_000, ("broken",))
    await entry.runtime_data.worker.write(lambda store: store.record_operation(old))
    few = (await (await client.get(f"{BASE}/history")).json())["operations"]
    assert all(operation["operation_type"] != "export" for operation in few)
    [told] = [
        operation
        for operation in (await (await client.get(f"{BASE}/history?days=40")).json())["operations"]
        if operation["operation_type"] == "export"
    ]
    assert (told["records_processed"], told["storage_freed_mb"], told["errors"]) == (7, 2.0, ["broken"])
    assert (await client.get(f"{BASE}/history?days=0")).status == HTTPStatus.BAD_REQUEST


async def test_steps_are_for_administrators_and_posts(
    home: HomeAssistant,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    reader = await hass_client(hass_read_only_access_token)
    assert (await reader.post(f"{BASE}/downsample-hourly")).status == HTTPStatus.UNAUTHORIZED
    assert (await reader.get(f"{BASE}/stats")).status == HTTPStatus.OK
    client = await hass_client()
    assert (await client.get(f"{BASE}/downsample-hourly")).status == HTTPStatus.METHOD_NOT_ALLOWED


async def test_an_archive_on_request(
    home: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    data = entry.runtime_data
    data.retention.hooks.archive = None
    refused = await client.post(f"{BASE}/archive")
    assert (refused.status, (await refused.json())["error"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "no_archive")

    async def archive() -> None:
        now = to_micros(dt_util.utcnow())
        await data.worker.write(lambda store: store.record_operation(Operation("archive", now, 3.0, 31, 500_000)))

    data.retention.hooks.archive = archive
    done = await (await client.post(f"{BASE}/archive")).json()
    assert (done["operation_type"], done["records_processed"], done["storage_freed_mb"]) == ("archive", 31, 0.5)


async def test_sensors_say_what_is_saved_and_what_goes_on(home: HomeAssistant, entry: MockConfigEntry) -> None:
    data = entry.runtime_data
    await data.retention.downsample("raw")
    await data.store.async_refresh()
    await home.async_block_till_done(wait_background_tasks=False)
    freed = data.store.data.freed_bytes
    assert freed > 0
    saved = home.states.get("sensor.strata_storage_saved")
    assert float(saved.state) == pytest.approx(freed / 1e6)
    assert float(home.states.get("sensor.strata_annual_savings").state) == pytest.approx(10 * freed / 1e9)
    assert home.states.get("sensor.strata_annual_savings").attributes["unit_of_measurement"] == "EUR"
    assert home.states.get("sensor.strata_shortened_to_hours").state != "unknown"
    assert home.states.get("sensor.strata_last_archive") is None, "there is no archive"
    assert home.states.get("sensor.strata_nightly_work").state == "idle"
    data.retention.progress = Progress("downsample_daily", 1, 4)
    data.retention.failures["archive"] = "the bucket is gone"
    data.retention.hooks.changed()
    shown = home.states.get("sensor.strata_nightly_work")
    assert shown.state == "downsample_daily"
    told = {name: shown.attributes[name] for name in ("done", "total", "percent", "failures")}
    assert told == {"done": 1, "total": 4, "percent": 25.0, "failures": {"archive": "the bucket is gone"}}


async def test_money_is_spoken_of_while_there_is_a_price(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    savings = "sensor.strata_annual_savings"
    assert home.states.get(savings) is None
    for retention, there in (({"price_per_gb": 10.0}, True), ({"price_per_gb": 4.0}, True), ({}, False)):
        home.config_entries.async_update_entry(entry, options={"retention": retention})
        await home.async_block_till_done()
        assert (home.states.get(savings) is not None) == there
        assert (er.async_get(home).async_get(savings) is not None) == there


async def test_a_sensor_of_before_that_is_not_wanted_any_more_goes(home: HomeAssistant, start_hub: StartHub) -> None:
    registry = er.async_get(home)
    entry = await start_hub(retention={"price_per_gb": 10.0})
    await home.config_entries.async_unload(entry.entry_id)
    home.config_entries.async_update_entry(entry, options={})
    await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    assert registry.async_get("sensor.strata_annual_savings") is None
    assert registry.async_get("sensor.strata_storage_saved") is not None


def test_reduction_is_of_what_there_would_be() -> None:
    assert Sizes(25, {}, freed_bytes=75).reduction == 0.75
    assert Sizes(0, {}).reduction == 0.0
