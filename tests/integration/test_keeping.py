"""What the options say about how long history is kept reaches the ladder."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir, label_registry as lr
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.strata import retention, retention_watch
from custom_components.strata.core.model import SeriesKey
from custom_components.strata.keeping import async_keeps, policies_of, schedule_of
from custom_components.strata.retention import Schedule
from custom_components.strata.store.base import StoreError
from tests.integration.given import StartHub

DAY = timedelta(days=1)
HOUR = 3_600_000_000


def said(**page: Any) -> dict[str, Any]:
    return {"retention": page}


async def keeps_of(hass: HomeAssistant, entry: Any) -> dict[str, Any]:
    worker = entry.runtime_data.worker
    await worker.flush()
    keeps = await async_keeps(hass, worker.all_series(), policies_of(entry.options), worker.ladder)
    return {series.labels["entity_id"]: keeps[series.id] for series in worker.all_series() if series.id in keeps}


async def test_rules_by_label_kind_and_pin(home: HomeAssistant, start_hub: StartHub) -> None:
    vital = lr.async_get(home).async_create("Vital")
    registry = er.async_get(home)
    registry.async_get_or_create("light", "demo", "1", suggested_object_id="hall")
    registry.async_update_entity("light.hall", labels={vital.label_id})
    home.states.async_set("light.hall", "on")
    home.states.async_set("sensor.plug", "12", {"device_class": "power", "unit_of_measurement": "W"})
    home.states.async_set("sensor.outside", "3", {"device_class": "temperature", "unit_of_measurement": "°C"})
    home.states.async_set("sensor.inside", "20", {"device_class": "temperature", "unit_of_measurement": "°C"})
    entry = await start_hub(
        **said(
            rules=[{"labels": [vital.label_id], "raw": 0}, {"entities": ["sensor.out*"], "raw": 1, "hourly": 10}],
            kinds=["power"],
            pinned=["sensor.inside"],
        )
    )
    assert await keeps_of(home, entry) == {
        "light.hall": dict.fromkeys(("raw", "five_minute", "hourly", "daily")),
        "sensor.plug": {"raw": 7 * DAY, "five_minute": 60 * DAY, "hourly": 180 * DAY, "daily": 1825 * DAY},
        "sensor.outside": {"raw": DAY, "five_minute": 35 * DAY, "hourly": 35 * DAY, "daily": 365 * DAY},
        "sensor.inside": dict.fromkeys(("raw", "five_minute", "hourly", "daily")),
    }


async def test_without_rules_nothing_is_kept_otherwise(home: HomeAssistant, start_hub: StartHub) -> None:
    home.states.async_set("light.hall", "on")
    assert await keeps_of(home, await start_hub()) == {}


async def test_watched_entities_get_five_minutes(home: HomeAssistant, start_hub: StartHub) -> None:
    home.states.async_set("sensor.outside", "3", {"unit_of_measurement": "°C"})
    home.states.async_set("light.hall", "on")
    entry = await start_hub(**said(watched=["sensor.outside"]))

    def fine() -> set[str]:
        return {series.labels["entity_id"] for series in entry.runtime_data.worker.all_series() if series.fine}

    assert fine() == {"sensor.outside"}
    home.config_entries.async_update_entry(entry, options=said(watched=["light.hall"]))
    await home.async_block_till_done()
    assert fine() == {"light.hall"}


def test_times_of_day_are_taken_from_the_options() -> None:
    assert schedule_of({}) == Schedule()
    asked = said(hourly_at="01:15:00", daily_at="23:00:30", archive_at="04:00:00", archive_on="2")
    assert schedule_of(asked) == Schedule(HOUR + HOUR // 4, 23 * HOUR + 30_000_000, 4 * HOUR, 2)


async def test_a_step_that_fails_is_an_issue_and_an_event_until_it_succeeds(
    home: HomeAssistant, start_hub: StartHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await start_hub()
    data = entry.runtime_data
    [nightly] = [task for task in data.tasks if task.get_name() == "strata retention"]
    nightly.cancel()
    await asyncio.wait([nightly])
    events = async_capture_events(home, retention_watch.EVENT_RETENTION_FAILED)

    def fails(*_: object, **__: object) -> None:
        raise StoreError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(data.worker._store, "begin_downsample", fails)
        for _ in range(2):
            with pytest.raises(StoreError):
                await data.retention.downsample("raw")
    await home.async_block_till_done(wait_background_tasks=False)
    assert [event.data for event in events] == [{"step": "downsample_hourly", "reason": "no room"}]
    issues = ir.async_get(home)
    told = issues.async_get_issue("strata", "retention_failed_downsample_hourly")
    assert told is not None
    assert (told.translation_key, told.translation_placeholders) == (told.issue_id, {"reason": "no room"})
    assert {"idle", *retention_watch.ISSUES_FAILED} == set(
        home.states.get("sensor.strata_nightly_work").attributes["options"]
    ), "every step that is shown can be told of"
    journal = await data.worker.read(lambda reader: reader.operations())
    assert [operation.errors for operation in journal if operation.errors] == [("no room",)] * 2

    # Another step that succeeds does not make this one good.
    await data.retention.downsample("hourly")
    assert issues.async_get_issue("strata", "retention_failed_downsample_hourly") is not None
    await data.retention.downsample("raw")
    assert issues.async_get_issue("strata", "retention_failed_downsample_hourly") is None
    assert data.retention.failures == {}


async def test_a_step_that_takes_too_long_is_told_of(
    home: HomeAssistant, start_hub: StartHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await start_hub()
    data = entry.runtime_data
    events = async_capture_events(home, retention_watch.EVENT_RETENTION_FAILED)
    monkeypatch.setattr(retention, "TOO_LONG", 0.0)
    seen: list[str] = []

    async def slow() -> None:
        while not events:
            await home.async_block_till_done(wait_background_tasks=False)
        seen.append(data.retention.progress.step)

    data.retention.hooks.archive = slow
    await data.retention.archive()
    assert seen == ["archive"]
    assert events[0].data["step"] == "archive"
    assert "still running" in events[0].data["reason"]
    assert data.retention.progress is None
    assert ir.async_get(home).async_get_issue("strata", "retention_failed_archive") is None


async def test_a_disk_that_runs_full_is_told_of_once(
    home: HomeAssistant, start_hub: StartHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await start_hub()
    watch = entry.runtime_data.retention_watch
    events = async_capture_events(home, retention_watch.EVENT_RETENTION_FAILED)
    free = [100 * 1024**2]
    monkeypatch.setattr(retention_watch.shutil, "disk_usage", lambda path: type("Usage", (), {"free": free[0]}))
    for _ in range(2):
        await watch.async_look()
    await home.async_block_till_done(wait_background_tasks=False)
    assert [event.data for event in events] == [{"step": "disk", "reason": "100 MB"}]
    assert ir.async_get(home).async_get_issue("strata", "disk_low") is not None
    free[0] = 10 * 1024**3
    await watch.async_look()
    assert ir.async_get(home).async_get_issue("strata", "disk_low") is None
    assert watch.disk_free == free[0]


async def test_figures_of_a_step_become_points(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    worker = entry.runtime_data.worker
    now = worker._now()
    home.states.async_set("sensor.plug", "12", {"unit_of_measurement": "W"})
    series = next(each for each in worker.all_series() if each.labels.get("entity_id") == "sensor.plug")
    for hour in range(1, 49):
        worker.put(series, now - 20 * 24 * HOUR + hour * HOUR, float(hour))
    await worker.flush()
    await worker.write(lambda store: store.roll_up(now))
    report = await entry.runtime_data.retention.downsample("raw")
    assert report.source_rows == 48
    key = SeriesKey.of_tags("retention_metrics", {"operation_type": "downsample_hourly"}, "records_processed")
    assert worker.last(worker.find(key)).value == 48.0
    freed = worker.find(
        SeriesKey.of_tags("retention_metrics", {"operation_type": "downsample_hourly"}, "storage_freed_mb")
    )
    assert (worker.last(freed).value, freed.unit) == (report.bytes_freed / 1_000_000, "MB")
