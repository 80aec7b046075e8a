"""History from the real recorder and from a real InfluxDB: what enters, what does not, and the second time."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
import urllib.request

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.models import StatisticMeanType
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Kind, SeriesKey, TimeRange, to_micros
from custom_components.strata.import_services import EVENT_IMPORT, RUNNING, async_resume_import
from custom_components.strata.imports.base import ImportFailed
from custom_components.strata.imports.influxql import parsed
from custom_components.strata.imports.job import ImportJob
from custom_components.strata.imports.recorder import RecorderSource
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.views.query import MaterializedViews
from tests.integration.given import StartHub
from tests.mirror_world import RealServer, influxdb

SENSOR = "sensor.strata_history_import"
VIEW = "daily_energy_by_device"
NOW = datetime(2026, 11, 21, 10, 7, tzinfo=UTC)
HOUR = 3_600_000_000
LOAD = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"}
METER = {"unit_of_measurement": "kWh", "device_class": "energy", "state_class": "total_increasing"}


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def run(hass: HomeAssistant, **asked: Any) -> dict[str, Any]:
    """Import and return how it ended."""
    events: list[Event] = async_capture_events(hass, EVENT_IMPORT)
    await hass.services.async_call(DOMAIN, "import_history", asked, blocking=True)
    await hass.data[RUNNING]
    await hass.async_block_till_done()
    return dict(events[-1].data)


async def hours(entry: MockConfigEntry, entity_id: str, kind: Kind = Kind.MEASUREMENT) -> dict[str, float]:
    """Return the mean (of a meter the increase) by hour."""
    worker = entry.runtime_data.worker
    await worker.flush()
    await worker.write(lambda store: store.roll_up(to_micros(NOW)))
    series = worker.find(SeriesKey.of_entity("home_assistant_events", entity_id))
    assert series is not None
    rolled = await worker.read(lambda reader: reader.tier("hourly", series.id or 0, kind, TimeRange(0, 2**61)))
    values = rolled.columns["increase"] if kind is Kind.METER else rolled.mean
    starts = [datetime.fromtimestamp(start / 1e6, UTC).isoformat() for start in rolled.starts.tolist()]
    return dict(zip(starts, values.tolist(), strict=True))


def statistics(entity_id: str, unit: str, unit_class: str, *, mean: bool) -> dict[str, Any]:
    return {
        "statistic_id": entity_id,
        "source": "recorder",
        "name": None,
        "unit_of_measurement": unit,
        "unit_class": unit_class,
        "has_sum": not mean,
        "mean_type": StatisticMeanType.ARITHMETIC if mean else StatisticMeanType.NONE,
    }


@pytest.fixture
async def with_past(
    recorder_mock: object, home: HomeAssistant, freezer: FrozenDateTimeFactory, start_hub: StartHub
) -> MockConfigEntry:
    """A home whose recorder knows more than we: statistics of March, states of yesterday, and then our own."""
    march = datetime(2026, 3, 1, tzinfo=UTC)
    async_import_statistics(
        home,
        statistics("sensor.load", "kW", "power", mean=True),
        [{"start": march + timedelta(hours=h), "mean": 0.1 * h, "min": 0.0, "max": 1.0} for h in range(48)],
    )
    async_import_statistics(
        home,
        statistics("sensor.meter", "kWh", "energy", mean=False),
        [{"start": march + timedelta(hours=h), "state": 5.0 + 2 * h, "sum": 2.0 * h} for h in range(5)],
    )
    freezer.move_to(NOW - timedelta(days=1))
    home.states.async_set("sensor.load", "100", LOAD)
    home.states.async_set("sensor.meter", "50", METER)
    await home.async_block_till_done()
    freezer.move_to(NOW - timedelta(hours=23))
    home.states.async_set("sensor.load", "300", LOAD)
    home.states.async_set("sensor.meter", "53", METER)
    await home.async_block_till_done()
    freezer.move_to(NOW - timedelta(hours=22))
    home.states.async_set("sensor.load", "unavailable", LOAD)
    await home.async_block_till_done()
    await get_instance(home).async_block_till_done()
    freezer.move_to(NOW - timedelta(hours=2))
    home.states.async_set("sensor.load", "500", LOAD)
    entry: MockConfigEntry = await start_hub()
    freezer.move_to(NOW)
    await home.async_block_till_done()
    await get_instance(home).async_block_till_done()
    return entry


async def test_statistics_and_states_of_the_recorder_enter_once(
    home: HomeAssistant, with_past: MockConfigEntry
) -> None:
    done = await run(home, source="recorder")
    assert (done["finished"], done["failed"], done["done"]) == (True, None, 2)
    load = await hours(with_past, "sensor.load")
    # Statistics are kept in kW there and are in W here.
    assert load["2026-03-01T07:00:00+00:00"] == pytest.approx(700.0)
    # From 10:07 to 11:07 100 W, then 300 W for an hour, then nothing until ours began at 8:07.
    assert load["2026-11-20T10:00:00+00:00"] == pytest.approx(100.0)
    assert load["2026-11-20T11:00:00+00:00"] == pytest.approx((7 * 100 + 53 * 300) / 60)
    assert load["2026-11-20T12:00:00+00:00"] == pytest.approx(300.0)
    assert "2026-11-20T14:00:00+00:00" not in load
    assert load["2026-11-21T08:00:00+00:00"] == pytest.approx(500.0)
    meter = await hours(with_past, "sensor.meter", Kind.METER)
    assert [meter[f"2026-03-01T0{hour}:00:00+00:00"] for hour in range(1, 5)] == [2.0] * 4
    assert "2026-03-01T00:00:00+00:00" not in meter
    assert meter["2026-11-20T11:00:00+00:00"] == pytest.approx(3.0)
    again = await run(home, source="recorder")
    assert (again["hours"], again["rows"], again["skipped"]) == (0, 0, 2)
    assert await hours(with_past, "sensor.load") == load
    operations = await with_past.runtime_data.worker.read(lambda reader: reader.operations())
    assert [operation.operation_type for operation in operations].count("import") == 2


async def test_no_more_than_two_days_of_states_are_in_memory(
    recorder_mock: object, home: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    for hour in range(0, 6 * 24, 7):
        freezer.move_to(NOW - timedelta(days=6) + timedelta(hours=hour))
        home.states.async_set("sensor.load", str(hour), LOAD)
        await home.async_block_till_done()
    freezer.move_to(NOW)
    await get_instance(home).async_block_till_done()
    source = RecorderSource(home, "Europe/Berlin")
    when = TimeRange(to_micros(NOW - timedelta(days=30)), to_micros(NOW))
    batches = [batch async for batch in source.read("sensor.load", (), when)]
    assert [state.state for batch in batches for state in batch.states] == [str(hour) for hour in range(0, 144, 7)]
    assert all(batch.when.duration <= 48 * HOUR for batch in batches)
    # One follows the other: from the hour of the first state on, split at midnights of Berlin, up to the end.
    assert batches[0].when.start == to_micros(datetime(2026, 11, 15, 10, tzinfo=UTC))
    assert [batch.when.end for batch in batches] == [*(batch.when.start for batch in batches[1:]), when.end]
    assert all(batch.when.end % HOUR == 0 for batch in batches[:-1])
    assert all(state.time in batch.when for batch in batches for state in batch.states)


async def test_days_follow_from_imported_hours(home: HomeAssistant, with_past: MockConfigEntry) -> None:
    await run(home, source="recorder", entities="sensor.load")
    worker = with_past.runtime_data.worker
    await worker.write(lambda store: store.roll_up(to_micros(NOW)))
    series = worker.find(SeriesKey.of_entity("home_assistant_events", "sensor.load"))
    days = await worker.read(lambda reader: reader.tier("daily", series.id, series.kind, TimeRange(0, 2**61)))
    # The day of 2 March in Berlin begins with the 23rd hour of UTC's day before and has 24 + 1 - 1 of them.
    march = [round(value, 6) for value in days.mean.tolist()][:2]
    assert march == [pytest.approx(sum(100.0 * h for h in range(23)) / 23), pytest.approx(3500.0, rel=0.05)]


async def test_views_show_what_was_imported_at_once(home: HomeAssistant, with_past: MockConfigEntry) -> None:
    await run(home, source="recorder", entities="sensor.load")
    worker = with_past.runtime_data.worker
    used: dict[str, float] = {}
    for _ in range(500):
        rows = await worker.read(lambda reader: MaterializedViews(reader).query(VIEW).as_dicts())
        used = {row["date"]: row["total_kwh"] for row in rows if row["entity_id"] == "sensor.load"}
        if "2026-11-20" in used:
            break
    # March: 0.1 kW more with each hour, the first of them at 1:00 in Berlin. Yesterday: an hour of 100 W, one of 300 W.
    assert used["2026-03-01"] == pytest.approx(sum(0.1 * hour for hour in range(23)))
    assert used["2026-11-20"] == pytest.approx(0.4)


async def test_an_import_goes_on_after_it_was_cut_off(home: HomeAssistant, with_past: MockConfigEntry) -> None:
    worker = with_past.runtime_data.worker
    job = ImportJob(home, worker, RecorderSource(home, worker.timezone), lambda: to_micros(NOW))
    calls = 0

    async def entity(*parameters: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise StoreError("the power is gone")
        await original(*parameters)

    original = job._entity
    with patch.object(job, "_entity", entity), pytest.raises(StoreError):
        await job.run()
    assert job.progress.failed == "the power is gone"
    await worker.write(lambda store: store.save_note("import_under_way", {"entities": None}))
    await async_resume_import(home, with_past)
    await home.data[RUNNING]
    assert len(await hours(with_past, "sensor.meter", Kind.METER)) > 4
    assert (await hours(with_past, "sensor.load"))["2026-03-01T07:00:00+00:00"] == pytest.approx(700.0)
    await async_resume_import(home, with_past)
    assert home.data[RUNNING].done()


async def test_a_sensor_shows_how_far_it_is(home: HomeAssistant, with_past: MockConfigEntry) -> None:
    await with_past.runtime_data.store.async_refresh()
    await home.async_block_till_done(wait_background_tasks=False)
    assert home.states.get(SENSOR).state == "idle"
    assert "percent" not in home.states.get(SENSOR).attributes
    seen: list[tuple[str, float, int]] = []
    original = ImportJob._entity

    async def entity(job: ImportJob, *parameters: Any) -> None:
        shown = home.states.get(SENSOR)
        seen.append((shown.state, shown.attributes["percent"], shown.attributes["done"]))
        await original(job, *parameters)

    with patch.object(ImportJob, "_entity", entity):
        done = await run(home, source="recorder")
    assert seen == [("recorder", 0.0, 0), ("recorder", 50.0, 1)]
    shown = home.states.get(SENSOR)
    assert shown.state == "idle"
    told = {name: shown.attributes[name] for name in ("percent", "entities", "done", "hours", "failed", "entity_id")}
    assert told == {
        "percent": 100.0,
        "entities": 2,
        "done": 2,
        "hours": done["hours"],
        "failed": None,
        "entity_id": None,
    }


async def test_the_sensor_says_why_an_import_ended_early(home: HomeAssistant, with_past: MockConfigEntry) -> None:
    await with_past.runtime_data.store.async_refresh()
    with patch.object(ImportJob, "_entity", side_effect=StoreError("the disk is full")):
        await run(home, source="recorder")
    shown = home.states.get(SENSOR)
    assert (shown.state, shown.attributes["failed"], shown.attributes["percent"]) == ("failed", "the disk is full", 0.0)
    await run(home, source="recorder")
    assert home.states.get(SENSOR).state == "idle"


async def test_an_import_that_goes_on_asks_for_entities_by_the_ids_they_have_then(
    home: HomeAssistant, with_past: MockConfigEntry
) -> None:
    registry = er.async_get(home)
    registry.async_get_or_create("light", "demo", "1", suggested_object_id="hall")
    registry.async_get_or_create("light", "demo", "2", suggested_object_id="attic")
    asked = {"source": "recorder", "entities": ["light.hall", "light.attic", "sensor.meter"]}
    with patch("custom_components.strata.import_services._begin") as begin:
        await home.services.async_call(DOMAIN, "import_history", asked, blocking=True)
        registry.async_update_entity("light.hall", new_entity_id="light.corridor")
        registry.async_remove("light.attic")
        await async_resume_import(home, with_past)
    assert begin.call_args.args[-1] == {"entities": ["light.corridor", "sensor.meter"]}


@pytest.mark.usefixtures("socket_enabled")
async def test_without_a_recorder_or_a_server_nothing_begins(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    for asked in (
        {"source": "recorder"},
        {"source": "influxdb"},
        {"source": "influxdb", "url": "http://127.0.0.1:9", "database": "home"},
    ):
        with pytest.raises(ServiceValidationError):
            await home.services.async_call(DOMAIN, "import_history", asked, blocking=True)
    with pytest.raises(ImportFailed):
        RecorderSource(home, "UTC")
    await entry.runtime_data.worker.write(lambda store: store.save_note("import_under_way", {"entities": None}))
    await async_resume_import(home, entry)
    assert RUNNING not in home.data


def test_series_keys_are_read_with_their_escapes() -> None:
    assert parsed("W,domain=sensor,entity_id=kettle") == ("W", {"domain": "sensor", "entity_id": "kettle"})
    assert parsed(r"a\,b\ c,entity_id=x\=y") == ("a,b c", {"entity_id": "x=y"})


@pytest.fixture
async def server(full_part: Callable[[str], Path], tmp_path: Path, socket_enabled: None) -> AsyncGenerator[RealServer]:
    made = influxdb(full_part("influxdb"), tmp_path)
    made.start()
    made.influxql("CREATE DATABASE home")
    yield made
    made.stop()


@pytest.mark.requires_full("influxdb")
async def test_what_home_assistant_wrote_to_influxdb_enters(
    server: RealServer, home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    def line(measurement: str, tags: str, fields: str, moment: datetime) -> str:
        return f"{measurement},{tags} {fields} {to_micros(moment) * 1000}"

    old = datetime(2026, 2, 3, 6, tzinfo=UTC)
    sensor = "domain=sensor,entity_id=load"
    lines = [
        # 200 W for a quarter of the hour, 600 W for the rest and the next hour.
        line("W", sensor, 'value=200,friendly_name_str="Load"', old),
        line("W", sensor, "value=600", old + timedelta(minutes=15)),
        line("W", sensor, "value=0", old + timedelta(hours=2)),
        # Three days ago: single changes are still kept.
        line("kW", sensor, "value=1.5", NOW - timedelta(days=3)),
        line("light.desk", "domain=light,entity_id=desk", 'state="on",value=1', NOW - timedelta(days=2)),
        line("light.desk", "domain=light,entity_id=desk", 'state="off",value=0', NOW - timedelta(days=1)),
        line("W", "domain=sensor,entity_id=unknown", "value=1", old),
    ]
    request = urllib.request.Request(f"{server.url}/write?db=home", "\n".join(lines).encode(), method="POST")
    await home.async_add_executor_job(urllib.request.urlopen, request)
    home.states.async_set("sensor.load", "50", LOAD)
    home.states.async_set("light.desk", "off")
    entry = await start_hub()
    asked = {"source": "influxdb", "url": server.url, "database": "home"}
    done = await run(home, **asked)
    assert (done["failed"], done["done"], done["entities"]) == (None, 2, 2)
    load = await hours(entry, "sensor.load")
    assert load[old.isoformat()] == pytest.approx((15 * 200 + 45 * 600) / 60)
    assert load["2026-02-03T07:00:00+00:00"] == pytest.approx(600.0)
    assert load["2026-02-03T08:00:00+00:00"] == 0.0
    assert load["2026-11-18T12:00:00+00:00"] == pytest.approx(1500.0)
    worker = entry.runtime_data.worker
    desk = worker.find(SeriesKey.of_entity("home_assistant_events", "light.desk"))
    rows = await worker.read(lambda reader: reader.raw(desk.id, TimeRange(0, 2**61)))
    assert rows.values.tolist()[:2] == [1.0, 0.0]
    again = await run(home, **asked)
    assert (again["hours"], again["rows"], again["skipped"]) == (0, 0, 2)
    assert await hours(entry, "sensor.load") == load
