"""History from a bucket of InfluxDB 2, played by a stub: it enters once, however it is cut off."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import patch

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.aiohttp_client import async_get_clientsession
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import SeriesKey, TimeRange, to_micros
from custom_components.strata.import_services import EVENT_IMPORT, RUNNING
from custom_components.strata.imports import flux, influx
from custom_components.strata.imports.base import ImportFailed
from custom_components.strata.imports.influx import InfluxSource
from custom_components.strata.imports.job import ImportJob, Progress
from custom_components.strata.mirror.influx import Connection, InfluxClient
from tests.flux_stub import ORG, TOKEN, StubFlux
from tests.integration.given import StartHub

NOW = datetime(2026, 11, 21, 10, 7, tzinfo=UTC)
OLD = datetime(2026, 2, 3, 6, tzinfo=UTC)
LOAD = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"}


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture
async def server(socket_enabled: None) -> AsyncGenerator[StubFlux]:
    made = StubFlux()
    made.url = await made.start()
    load = "sensor.load"
    made.add("W", load, OLD, value=200.0)
    made.add("W", load, OLD + timedelta(minutes=15), value=600.0)
    made.add("W", load, OLD + timedelta(hours=2), value=0.0)
    # Nine weeks of a value a day, so that there is more than one batch.
    for day in range(3, 66):
        made.add("W", load, OLD + timedelta(days=day), value=float(day))
    # Another unit, a measurement somebody has named, and the unit as a tag.
    made.add("kW", load, NOW - timedelta(days=3), value=1.5)
    made.add('k"%/ \\', load, NOW - timedelta(days=2), value=2.5, unit_of_measurement_str="kW")
    made.add("all", load, NOW - timedelta(days=1), value=3.5, tags={"unit_of_measurement": "kW"})
    made.add("all", load, NOW - timedelta(hours=12), value=250.0)
    made.add("light.desk", "light.desk", NOW - timedelta(days=2), state="on", value=1.0)
    made.add("light.desk", "light.desk", NOW - timedelta(days=1), state="off", value=0.0)
    yield made
    await made.stop()


@pytest.fixture
async def hub(home: HomeAssistant, start_hub: StartHub, server: StubFlux) -> MockConfigEntry:
    home.states.async_set("sensor.load", "50", LOAD)
    home.states.async_set("light.desk", "off")
    entry: MockConfigEntry = await start_hub()
    return entry


def source(home: HomeAssistant, server: StubFlux, waits: list[float] | None = None) -> InfluxSource:
    async def pause(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    connection = Connection(url=server.url, secret=TOKEN, org=ORG)
    client = InfluxClient(async_get_clientsession(home), connection)
    return InfluxSource(home, client, server.bucket, "Europe/Berlin", pause)


async def bring_in(home: HomeAssistant, entry: MockConfigEntry, one: InfluxSource) -> Progress:
    return await ImportJob(home, entry.runtime_data.worker, one, lambda: to_micros(NOW)).run()


async def hours(entry: MockConfigEntry) -> dict[str, float]:
    """Return the mean of the load by hour, each hour once."""
    worker = entry.runtime_data.worker
    await worker.flush()
    await worker.write(lambda store: store.roll_up(to_micros(NOW)))
    series = worker.find(SeriesKey.of_entity("home_assistant_events", "sensor.load"))
    rolled = await worker.read(lambda reader: reader.tier("hourly", series.id, series.kind, TimeRange(0, 2**61)))
    assert all(first < second for first, second in pairwise(rolled.starts.tolist()))
    starts = [datetime.fromtimestamp(start / 1e6, UTC) for start in rolled.starts.tolist()]
    return {start.isoformat(): mean for start, mean in zip(starts, rolled.mean.tolist(), strict=True)}


def hold(found: dict[str, float]) -> None:
    """Check hours that were worked out by hand."""
    assert found[OLD.isoformat()] == pytest.approx((15 * 200 + 45 * 600) / 60)
    assert found["2026-02-03T07:00:00+00:00"] == pytest.approx(600.0)
    assert found["2026-02-03T08:00:00+00:00"] == 0.0
    assert found["2026-02-06T06:00:00+00:00"] == pytest.approx(3.0)
    assert found["2026-04-09T12:00:00+00:00"] == pytest.approx(65.0)
    assert found["2026-11-18T12:00:00+00:00"] == pytest.approx(1500.0)
    assert found["2026-11-19T12:00:00+00:00"] == pytest.approx(2500.0)
    assert found["2026-11-20T12:00:00+00:00"] == pytest.approx(3500.0)
    # Neither the measurement nor the point tells a unit: as it is read today.
    assert found["2026-11-21T00:00:00+00:00"] == pytest.approx(250.0)


async def test_the_action_reads_a_bucket_once(home: HomeAssistant, hub: MockConfigEntry, server: StubFlux) -> None:
    events: list[Event] = async_capture_events(home, EVENT_IMPORT)
    asked = {"source": "influxdb", "url": server.url, "database": server.bucket, "org": ORG, "password": TOKEN}
    for skipped in (0, 2):
        begun = await home.services.async_call(DOMAIN, "import_history", asked, blocking=True, return_response=True)
        assert begun["entities"] == 2
        await home.data[RUNNING]
        await home.async_block_till_done()
        done = events[-1].data
        assert (done["failed"], done["finished"], done["skipped"]) == (None, True, skipped)
    assert (done["hours"], done["rows"]) == (0, 0)
    hold(await hours(hub))
    worker = hub.runtime_data.worker
    desk = worker.find(SeriesKey.of_entity("home_assistant_events", "light.desk"))
    rows = await worker.read(lambda reader: reader.raw(desk.id, TimeRange(0, 2**61)))
    assert rows.values.tolist()[:2] == [1.0, 0.0]
    # No series of another quantity came of a measurement that somebody has named.
    fields = {one.key.field for one in worker.all_series() if one.key.identity == "entity:sensor.load"}
    assert fields == {"value"}


async def test_small_pages_give_the_same(home: HomeAssistant, hub: MockConfigEntry, server: StubFlux) -> None:
    with patch.object(flux, "PAGE", 2):
        await bring_in(home, hub, source(home, server))
    hold(await hours(hub))


@pytest.mark.parametrize("queries", [2, 5, 9, 14])
async def test_a_server_that_goes_in_the_middle_is_asked_on_later(
    home: HomeAssistant, hub: MockConfigEntry, server: StubFlux, queries: int
) -> None:
    server.dies_after = queries
    waits: list[float] = []
    with pytest.raises(ImportFailed):
        await bring_in(home, hub, source(home, server, waits))
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    server.dies_after = None
    done = await bring_in(home, hub, source(home, server))
    assert done.finished
    hold(await hours(hub))


@pytest.mark.parametrize("queries", [3, 6, 12])
async def test_an_import_that_is_killed_goes_on_later(
    home: HomeAssistant, hub: MockConfigEntry, server: StubFlux, queries: int
) -> None:
    server.hangs_at = queries
    task = asyncio.create_task(bring_in(home, hub, source(home, server)))
    await server.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.hangs_at = None
    await bring_in(home, hub, source(home, server))
    hold(await hours(hub))


async def test_a_second_database_with_the_same_span_adds_nothing(
    home: HomeAssistant, hub: MockConfigEntry, server: StubFlux
) -> None:
    await bring_in(home, hub, source(home, server))
    before = await hours(hub)
    for place, (measurement, tags, time, fields) in enumerate(server.points):
        server.points[place] = measurement, tags, time, {**fields, "value": 9999.0}
    server.bucket = "copy"
    again = await bring_in(home, hub, source(home, server))
    assert (again.skipped, again.hours, again.rows) == (0, 0, 0)
    assert await hours(hub) == before


async def test_days_that_the_ladder_has_made_stay_as_they_are(
    home: HomeAssistant, hub: MockConfigEntry, server: StubFlux
) -> None:
    await bring_in(home, hub, source(home, server))
    worker = hub.runtime_data.worker
    series = worker.find(SeriesKey.of_entity("home_assistant_events", "sensor.load"))

    async def days() -> dict[int, float]:
        await worker.write(lambda store: store.roll_up(to_micros(NOW)))
        found = await worker.read(lambda reader: reader.tier("daily", series.id, series.kind, TimeRange(0, 2**61)))
        return dict(zip(found.starts.tolist(), found.mean.tolist(), strict=True))

    before = await days()
    assert len(before) > 60
    # Points that come late to the server, in the middle of what is here: a run of its own under another name.
    for hour in range(48):
        server.add("W", "sensor.load", OLD + timedelta(days=5, hours=hour, minutes=1), value=5000.0)
    server.bucket = "late"
    await bring_in(home, hub, source(home, server))
    assert await days() == before


async def test_a_busy_server_is_waited_for(home: HomeAssistant, hub: MockConfigEntry, server: StubFlux) -> None:
    waits: list[float] = []
    server.faults += [
        None,
        web.json_response({"message": "rate limit"}, status=429, headers={"Retry-After": "17"}),
        web.json_response({"message": "rate limit"}, status=429, headers={"Retry-After": "9000"}),
        web.json_response({"message": "starting"}, status=503),
    ]
    await bring_in(home, hub, source(home, server, waits))
    assert waits == [17.0, 300.0, 4.0]
    hold(await hours(hub))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "another-token"}, "not accepted"),
        ({"org": "nowhere"}, "no such database, bucket or organization"),
        ({"database": "nothing"}, "could not find bucket"),
    ],
)
async def test_what_is_wrong_is_said(
    home: HomeAssistant, hub: MockConfigEntry, server: StubFlux, wrong: dict[str, Any], said: str
) -> None:
    asked = {"source": "influxdb", "url": server.url, "database": server.bucket, "org": ORG, "password": TOKEN}
    with pytest.raises(ServiceValidationError) as caught:
        await home.services.async_call(DOMAIN, "import_history", asked | wrong, blocking=True)
    assert said in caught.value.translation_placeholders["reason"]
    assert TOKEN not in str(caught.value.translation_placeholders)


async def test_a_refusal_in_the_middle_ends_it(home: HomeAssistant, hub: MockConfigEntry, server: StubFlux) -> None:
    said = f"token {TOKEN} may not read:buckets"
    server.faults += [None, web.json_response({"code": "forbidden", "message": said}, status=403)]
    with pytest.raises(ImportFailed, match=r"may not read it \(token \*\*\* may not") as caught:
        await bring_in(home, hub, source(home, server))
    assert TOKEN not in str(caught.value)
    broken = "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,out of memory,1\r\n"
    server.faults += [None, web.Response(text=broken, content_type="text/csv")]
    with pytest.raises(ImportFailed, match="out of memory"):
        await bring_in(home, hub, source(home, server))


@pytest.mark.parametrize(
    ("measurement", "today", "unit"),
    [
        ("W", "W", True),
        ("kWh", "W", True),
        ("°C", None, True),
        ("m³/h", None, True),
        ("%", None, True),
        ("ct/kWh", "EUR/kWh", True),
        ("widgets", "widgets", True),
        ("state", "W", False),
        ("state", None, False),
        ("sensor__power", "W", False),
        ("sensor.load", "W", False),
    ],
)
def test_a_measurement_is_a_unit_or_a_name(measurement: str, today: str | None, unit: bool) -> None:
    assert influx._is_unit(measurement, today) is unit
