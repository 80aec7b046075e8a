"""The queries in docs/mirror.md and in the dashboard run on a real server and find what was mirrored."""

from collections.abc import AsyncGenerator, Callable
import json
from pathlib import Path
import re
import time

import aiohttp
import pytest

from custom_components.strata.core.model import Kind, Row, SeriesKey
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.mirror.influx import Connection, InfluxClient
from custom_components.strata.store.sqlite import SqliteStore
from tests.mirror_world import DAY, HOUR, SECOND, DirectStore, RealServer, influxdb, plan_of

DOCS = Path(__file__).parents[2] / "docs"
NOW = time.time_ns() // 1000
TIERS = ("raw", "five_minute", "hourly", "daily", "views")

pytestmark = pytest.mark.usefixtures("socket_enabled")


def labels(entity_id: str, device_class: str) -> dict[str, str]:
    return {
        "entity_id": entity_id,
        "domain": entity_id.partition(".")[0],
        "device_class": device_class,
        "area_id": "kitchen",
        "friendly_name": entity_id,
    }


def home(store: SqliteStore) -> None:
    """Two days and a half of a small home, up to now."""

    def of(entity_id: str, device_class: str, kind: Kind = Kind.MEASUREMENT, unit: str | None = None, **more: object):
        field = "state" if kind is Kind.TEXT else "value"
        key = SeriesKey.of_entity("home_assistant_events", entity_id, field)
        return store.series(key, kind=kind, unit=unit, labels=labels(entity_id, device_class), **more)

    power = of("sensor.kitchen_power", "power", unit="W", fine=True)
    outdoor = of("sensor.outdoor_temperature", "temperature", unit="°C")
    heater = of("climate.living_room", "", Kind.TEXT)
    light = of("light.kitchen", "", Kind.ON_OFF)
    motion = of("binary_sensor.kitchen_motion", "motion", Kind.ON_OFF)
    tags = {"region": "GB", "grid_operator": "NESO"}
    carbon, renewable = (
        store.series(SeriesKey.of_tags("carbon_intensity", tags, name), kind=Kind.MEASUREMENT, unit=unit)
        for name, unit in (("carbon_intensity_gco2_kwh", "gCO2eq/kWh"), ("renewable_percentage", "%"))
    )
    price = store.series(
        SeriesKey.of_tags("electricity_pricing_forecast", {"provider": "awattar", "currency": "EUR"}, "price"),
        kind=Kind.MEASUREMENT,
    )
    air = store.series(
        SeriesKey.of_tags("air_quality", {"location": "52.52,13.41", "parameter": "overall"}, "aqi"),
        kind=Kind.MEASUREMENT,
    )
    rows = []
    for step in range(60):
        moment = NOW - 60 * HOUR + step * HOUR + SECOND
        rows += [Row(power, moment, 100.0 + step), Row(outdoor, moment, 5.0), Row(light, moment, float(step % 2))]
        rows.append(Row(air, moment, 40.0 + step, "Good" if step <= 10 else "Moderate"))
        rows.append(Row(motion, moment, float(step % 3 == 0)))
        rows += [Row(heater, moment, None, "heat" if step % 2 else "idle")]
        rows += [Row(carbon, moment, 110.0), Row(renewable, moment, 50.0)]
    rows.append(Row(price, NOW + HOUR, 0.2))
    store.write(rows, heartbeat=NOW)
    store.roll_up(NOW)
    while store.refresh_views(NOW).waiting:
        pass


@pytest.fixture
async def server(full_part: Callable[[str], Path], tmp_path: Path) -> AsyncGenerator[RealServer]:
    """Start a real InfluxDB that mirrors a small home."""
    started = influxdb(full_part("influxdb"), tmp_path)
    started.start()
    for tier in TIERS:
        started.influxql(f"CREATE DATABASE strata_{tier}")
    with SqliteStore(tmp_path / "strata.db", now=lambda: NOW - 3 * DAY) as store:
        direct = DirectStore(store)
        async with aiohttp.ClientSession() as session:
            client = InfluxClient(session, Connection(url=started.url))
            mirror = MirrorFeed(
                "one", direct, client, plan_of(store, labels={"air_quality": "category"}), now=lambda: NOW
            )
            await mirror.open()
            store._now = lambda: NOW
            home(store)
            await mirror.catch_up()
            assert mirror.figures.quarantined == 0
        direct.close()
    yield started
    started.stop()


def found(server: RealServer, query: str) -> int:
    """Return the number of rows a query finds, in whichever database has something for it."""
    return max(
        sum(len(series["values"]) for series in server.influxql(query, f"strata_{tier}")) for tier in reversed(TIERS)
    )


async def test_every_documented_influxql_query_finds_something(server: RealServer) -> None:
    text = (DOCS / "mirror.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    queries = [
        " ".join(line for line in each.splitlines() if not line.startswith("--"))
        for each in block.strip().split("\n\n")
    ]
    assert len(queries) == 9
    for query in queries:
        assert found(server, query) > 0, query


async def test_every_panel_of_the_dashboard_finds_something(server: RealServer) -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    time_filter = "time > now() - 3d AND time < now() + 1d"
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"].strip("${}") in variables
        (target,) = panel["targets"]
        query = target["query"].replace("$timeFilter", time_filter).replace("$__interval", "5m").replace("$area", ".*")
        assert "$" not in query.replace(".*$/", "")
        assert found(server, query) > 0, panel["title"]
    (area,) = (each for each in dashboard["templating"]["list"] if each["name"] == "area")
    assert found(server, area["query"]) == 1
