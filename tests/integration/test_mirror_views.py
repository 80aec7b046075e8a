"""Finished rows of views on a real InfluxDB: what is asked there is what Strata answers, corrected rows included."""

from collections.abc import AsyncGenerator, Callable, Generator
import json
from pathlib import Path

import aiohttp
import pytest

from custom_components.strata.core.model import Kind, Series
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.mirror.influx import Connection, InfluxClient
from custom_components.strata.mirror.servers import detect
from custom_components.strata.mirror.view_points import as_in_views
from tests.mirror_world import DirectStore, RealServer, influxdb, plan_of, victoria_metrics
from tests.unit.store.view_home import ViewHome, berlin

pytestmark = pytest.mark.usefixtures("socket_enabled")
VIEWS = "strata_views"
KWH = 'daily_energy_by_device_total_kwh{db="strata_views"}'


@pytest.fixture
def server(full_part: Callable[[str], Path], tmp_path: Path) -> Generator[RealServer]:
    """Start a real InfluxDB 1.6 with a database for each tier and one for views."""
    started = influxdb(full_part("influxdb"), tmp_path)
    started.start()
    for name in ("raw", "five_minute", "hourly", "daily", "views"):
        started.influxql(f"CREATE DATABASE strata_{name}")
    yield started
    started.stop()


@pytest.fixture
def home(tmp_path: Path) -> Generator[ViewHome]:
    made = ViewHome(tmp_path, berlin(1))
    yield made
    made.store.close()


@pytest.fixture
async def client(server: RealServer) -> AsyncGenerator[InfluxClient]:
    async with aiohttp.ClientSession() as session:
        yield InfluxClient(session, Connection(url=server.url))


@pytest.fixture
async def mirror(home: ViewHome, client: InfluxClient) -> AsyncGenerator[MirrorFeed]:
    direct = DirectStore(home.store)
    made = MirrorFeed(
        "one", direct, client, plan_of(home.store, timezone=lambda: "Europe/Berlin"), now=lambda: home.now
    )
    await made.open()
    yield made
    direct.close()


def two_days(home: ViewHome) -> Series:
    """A kettle of 1 kW for an hour on two days, a hall somebody walks through, a price and the grid's carbon."""
    kettle = home.entity("sensor.kettle", unit="W", device_class="power", area_id="kitchen", device_id="kettle")
    motion = home.entity("binary_sensor.hall", Kind.ON_OFF, device_class="motion", area_id="hall")
    home.put(home.price(), (berlin(1), 0.25), (berlin(3), None))
    home.put(home.carbon(), (berlin(1), 400.0), (berlin(3), None))
    for day in (1, 2):
        home.put(kettle, (berlin(day, 8), 1000.0), (berlin(day, 9), 0.0), (berlin(day + 1), None))
        home.put(motion, (berlin(day), 0.0), (berlin(day, 7), 1.0), (berlin(day, 7, 30), 0.0))
    home.put(motion, (berlin(3), None))
    home.refresh(berlin(3, 1))
    return kettle


def asked(server: RealServer, query: str) -> list[list[object]]:
    """Return the rows a query finds."""
    return [row for series in server.influxql(query, VIEWS) for row in series["values"]]


async def test_a_dashboard_reads_what_views_tell(home: ViewHome, mirror: MirrorFeed, server: RealServer) -> None:
    two_days(home)
    await mirror.catch_up()
    assert mirror.figures.quarantined == 0
    days = asked(
        server,
        'SELECT "date", "total_kwh", "cost", "currency", "carbon_kg" FROM "daily_energy_by_device"'
        " WHERE \"entity_id\" = 'sensor.kettle'",
    )
    assert days == [
        [berlin(day) * 1000, f"2026-06-0{day}", pytest.approx(1.0), pytest.approx(0.25), "EUR", pytest.approx(0.4)]
        for day in (1, 2)
    ]
    carbon = asked(server, 'SELECT "avg_carbon", "min_carbon", "max_carbon" FROM "daily_carbon_summary"')
    assert carbon == [[berlin(day) * 1000, 400.0, 400.0, 400.0] for day in (1, 2)]
    hall = asked(
        server,
        'SELECT "hour", "day_of_week", "motion_count", "occupancy_rate" FROM "hourly_room_activity"'
        ' WHERE "area" = \'hall\' AND "motion_count" > 0',
    )
    # 1 June 2026 is a Monday.
    assert hall == [[berlin(day, 7) * 1000, 7, day - 1, 1, 0.5] for day in (1, 2)]
    cost = asked(server, 'SELECT SUM("cost") FROM "daily_energy_cost" WHERE "basis" = \'devices\'')
    assert cost[0][1] == pytest.approx(0.5)
    types = {row[0]: row[1] for row in asked(server, "SHOW FIELD KEYS FROM hourly_room_activity")}
    assert (types["motion_count"], types["occupancy_rate"], types["date"]) == ("integer", "float", "string")


async def test_rows_that_are_corrected_take_the_place_of_their_points(
    home: ViewHome, mirror: MirrorFeed, server: RealServer
) -> None:
    kettle = two_days(home)
    await mirror.catch_up()
    before = asked(server, 'SELECT COUNT("total_kwh") FROM "daily_energy_by_device"')
    home.put(home.price(), (berlin(2), 0.5))
    home.put(kettle, (berlin(1, 12), 2000.0), (berlin(1, 13), 0.0))
    home.refresh(berlin(3, 2))
    await mirror.catch_up()
    assert asked(server, 'SELECT COUNT("total_kwh") FROM "daily_energy_by_device"') == before
    days = asked(server, 'SELECT "total_kwh", "cost" FROM "daily_energy_by_device"')
    assert [row[1:] for row in days] == [
        [pytest.approx(3.0), pytest.approx(0.75)],
        [pytest.approx(1.0), pytest.approx(0.5)],
    ]


async def test_rows_of_an_entity_that_is_erased_are_deleted_there(
    home: ViewHome, mirror: MirrorFeed, server: RealServer, client: InfluxClient
) -> None:
    kettle = two_days(home)
    await mirror.catch_up()
    influx = await detect(client)
    await influx.delete_series([VIEWS], as_in_views([kettle]))
    assert asked(server, 'SELECT * FROM "daily_energy_by_device"') == []
    assert len(asked(server, 'SELECT "on_seconds" FROM "daily_device_runtime"')) == 2


async def test_victoria_metrics_gets_the_numbers(
    home: ViewHome, full_part: Callable[[str], Path], tmp_path: Path
) -> None:
    metrics = victoria_metrics(full_part("victoria_metrics"), tmp_path)
    metrics.start()
    direct = DirectStore(home.store)
    try:
        async with aiohttp.ClientSession() as session:
            client = InfluxClient(session, Connection(url=metrics.url))
            plan = plan_of(home.store, strings=(await detect(client)).strings, timezone=lambda: "Europe/Berlin")
            mirror = MirrorFeed("one", direct, client, plan, now=lambda: home.now)
            await mirror.open()
            kettle = two_days(home)
            await mirror.catch_up()
            metrics.ask("/internal/force_flush", {})
            (line,) = metrics.ask("/api/v1/export", {"match[]": KWH}).splitlines()
            home.put(kettle, (berlin(1, 12), 2000.0), (berlin(1, 13), 0.0))
            home.refresh(berlin(3, 2))
            await mirror.catch_up()
            metrics.ask("/internal/force_flush", {})
        exported = json.loads(line)
        assert exported["metric"]["entity_id"] == "sensor.kettle"
        assert exported["values"] == pytest.approx([1.0, 1.0])
        assert exported["timestamps"] == [berlin(day) // 1000 for day in (1, 2)]
        # It keeps both versions of the first day; the query of docs/mirror.md takes the larger one.
        query = f"sum by (entity_id) (sum_over_time(max_over_time({KWH}[1d])[30d:1d]))"
        assert query in (Path(__file__).parents[2] / "docs" / "mirror.md").read_text(encoding="utf-8")
        answer = json.loads(metrics.ask("/api/v1/query", {"query": query, "time": str(berlin(3) // 1_000_000)}))
        assert float(answer["data"]["result"][0]["value"][1]) == pytest.approx(3.0 + 1.0)
        names = set(json.loads(metrics.ask("/api/v1/label/__name__/values", {}))["data"])
        assert not names & {"daily_energy_by_device_date", "daily_energy_by_device_currency"}
    finally:
        direct.close()
        metrics.stop()


async def test_what_a_mirror_missed_is_sent_by_a_replay(home: ViewHome, mirror: MirrorFeed, server: RealServer) -> None:
    two_days(home)
    await mirror.catch_up()
    server.influxql("DROP DATABASE strata_views")
    server.influxql("CREATE DATABASE strata_views")
    mirror.replay(berlin(1), berlin(3))
    await mirror.replay_first()
    for view in ("daily_energy_by_device", "daily_carbon_summary", "hourly_room_activity", "daily_energy_cost"):
        assert len(asked(server, f'SELECT * FROM "{view}"')) == len(home.rows(view)), view
