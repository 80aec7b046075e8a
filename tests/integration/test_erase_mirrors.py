"""Erasing an entity where its points are: on real servers, which are asked themselves what is left."""

import asyncio
from collections.abc import Callable, Generator
from datetime import datetime
import json
from pathlib import Path
from typing import Any, Protocol

from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Kind, Series, SeriesKey
from custom_components.strata.mirror.influx import pack
from custom_components.strata.mirror.selection import Content
from tests.integration.given import StartHub
from tests.integration.lived import lived, steady
from tests.integration.test_mirror import mirror_at, mirror_of, until
from tests.mirror_world import RealServer, influxdb, victoria_metrics

pytestmark = pytest.mark.usefixtures("socket_enabled")

FRIDGE, FREEZER, DOOR = "sensor.fridge_power", "sensor.fridge_power_2", "binary_sensor.fridge"
"""The one that is erased, one whose name begins with its name, and one that is no number."""
LOAD = {"device_class": "power", "unit_of_measurement": "W", "state_class": "measurement"}
BASE = "strata"
DATABASES = [f"{BASE}_{name}" for name in ("raw", "five_minute", "hourly", "daily", "views")]

type Points = dict[tuple[tuple[str, str], ...], dict[int, dict[Any, Any]]]
"""By measurement, tags and database of a series: what it is at each instant, in µs."""


class Place(Protocol):
    """A real server, and how everything it holds is read from it."""

    kind: str
    server: RealServer

    async def points(self) -> Points:
        """Return everything."""


class Influx:
    """A real InfluxDB 1.6."""

    kind = "influxdb_1"

    def __init__(self, server: RealServer) -> None:
        self.server = server
        server.start()
        for name in DATABASES:
            server.influxql(f'CREATE DATABASE "{name}"')

    async def points(self) -> Points:
        return await asyncio.to_thread(self._points)

    def _points(self) -> Points:
        found: Points = {}
        for name in DATABASES:
            for series in self.server.influxql("SELECT * FROM /.*/ GROUP BY *", name):
                labels = {**series["tags"], "db": name, "__name__": series["name"]}  # type: ignore[dict-item]
                names = series["columns"][1:]  # type: ignore[index]
                rows = {
                    row[0] // 1000: {name: told for name, told in zip(names, row[1:], strict=True) if told is not None}
                    for row in series["values"]  # type: ignore[attr-defined]
                }
                found[tuple(sorted((key, value) for key, value in labels.items() if value))] = rows
        return found


class Victoria:
    """A real VictoriaMetrics."""

    kind = "victoria_metrics"

    def __init__(self, server: RealServer) -> None:
        self.server, self.asked = server, 0
        server.start()

    async def points(self) -> Points:
        await asyncio.to_thread(self.server.ask, "/internal/force_flush", {})
        self.asked += 1
        # It answers what was asked before from a cache, so nothing is asked twice.
        everything = f'{{__name__!="",asked!="{self.asked}"}}'
        told = await asyncio.to_thread(self.server.ask, "/api/v1/export", {"match[]": everything})
        found: Points = {}
        for line in told.splitlines():
            series = json.loads(line)
            rows = found.setdefault(tuple(sorted(series["metric"].items())), {})
            for time, value in zip(series["timestamps"], series["values"], strict=True):
                rows[time * 1000] = (*rows.get(time * 1000, ()), value)
        # Of today's rows of views it keeps every version.
        return {
            series: {time: dict(enumerate(sorted(set(values)))) for time, values in rows.items()}
            for series, rows in found.items()
        }


@pytest.fixture(params=["influxdb", "victoria_metrics"])
def place(request: pytest.FixtureRequest, full_part: Callable[[str], Path], tmp_path: Path) -> Generator[Place]:
    folder = tmp_path / "server"
    folder.mkdir()
    made: Place
    if request.param == "influxdb":
        made = Influx(influxdb(full_part("influxdb"), folder))
    else:
        made = Victoria(victoria_metrics(full_part("victoria_metrics"), folder))
    yield made
    made.server.stop()


def of(points: Points, entity_id: str) -> Points:
    return {series: rows for series, rows in points.items() if ("entity_id", entity_id) in series}


def count(points: Points) -> int:
    return sum(len(rows) for rows in points.values())


def everything_at(place: Place, **more: Any) -> ConfigSubentryDataWithId:
    """A mirror of all there is, from the beginning."""
    return mirror_at(
        place.server.url,
        **{
            "secret": "",
            "org": "",
            "server": place.kind,
            "version": "1.6.7",
            "contents": [each.value for each in Content],
            "database": BASE,
            "history": "everything",
            **more,
        },
    )


async def erase(home: HomeAssistant, entity_id: str) -> dict[str, Any]:
    asked = {"entities": entity_id, "dry_run": False}
    answer = await home.services.async_call(DOMAIN, "erase", asked, blocking=True, return_response=True)
    assert isinstance(answer, dict)
    return answer


async def put(home: HomeAssistant, entry: MockConfigEntry, entity_id: str, state: str) -> None:
    """Have a state stored; it is sent within seconds."""
    home.states.async_set(entity_id, state, LOAD if entity_id.startswith("sensor") else {})
    await home.async_block_till_done(wait_background_tasks=False)
    assert await entry.runtime_data.worker.flush()


async def arrived(entry: MockConfigEntry) -> None:
    """Wait until the server has everything."""
    await entry.runtime_data.worker.flush()
    feed = mirror_of(entry).feed
    since = dt_util.utcnow().timestamp() * 1e6
    feed.wake()
    await until(lambda: not feed._replays and (feed.figures.complete_at or 0) > since)


async def start(
    home: HomeAssistant, start_hub: StartHub, folder: Path, *mirrors: ConfigSubentryDataWithId
) -> MockConfigEntry:
    """Start a home of five weeks, whose fridge draws ten times as much as ever for two hours."""
    await home.async_add_executor_job(
        lambda: lived(
            folder,
            dt_util.utcnow().replace(microsecond=0),
            {
                FRIDGE: ("power", "W", steady(80, 20, fault=800)),
                FREEZER: ("power", "W", steady(60, 10)),
                DOOR: ("door", "", lambda dice, time, left: float(dice.random() < 0.1)),
            },
            minutes=10,
        )
    )
    home.states.async_set(FRIDGE, "80", LOAD)
    home.states.async_set(FREEZER, "60", LOAD)
    home.states.async_set(DOOR, "off", {"device_class": "door"})
    entry = await start_hub(*mirrors)
    data = entry.runtime_data
    await data.anomalies.async_refresh()
    assert [watched.target.entity_id for watched, _ in data.anomalies.open] == [FRIDGE]
    await data.worker.flush()
    await data.views.refresh()
    await arrived(entry)
    return entry


def among(points: Points, known: Points) -> Points:
    """Return the points at instants that are known; five minutes or an hour may close while a test runs."""
    return {
        series: {time: row for time, row in points.get(series, {}).items() if time in rows}
        for series, rows in known.items()
    }


def measurements(points: Points) -> set[str]:
    return {dict(series)["__name__"] for series in points}


# What there was


async def test_nothing_of_it_is_left_and_everything_else_is(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path, place: Place
) -> None:
    entry = await start(home, start_hub, tmp_path, everything_at(place))
    before = await place.points()
    gone = of(before, FRIDGE)
    assert {dict(series)["db"] for series in gone} == {*DATABASES}
    told = measurements(gone)
    for name in ("home_assistant_events", "anomaly_alerts", "daily_energy_by_device"):
        assert any(each.startswith(name) for each in told), name
    # Some of it waits in the feed at that moment.
    await put(home, entry, FRIDGE, "81")
    began = dt_util.utcnow()

    done = await erase(home, FRIDGE)
    assert done["problems"] == []
    [told_of] = done["mirrors"]
    assert (sorted(told_of["databases"]), told_of["problem"]) == (sorted(DATABASES), None)
    assert of(await place.points(), FRIDGE) == {}
    await entry.runtime_data.views.refresh()
    await arrived(entry)
    after = await place.points()
    assert of(after, FRIDGE) == {}
    for other in (FREEZER, DOOR):
        assert count(of(before, other)) > 1000
        assert among(of(after, other), of(before, other)) == of(before, other)

    # It goes on with its next values, and all of them arrive.
    for value in ("82", "83"):
        await put(home, entry, FRIDGE, value)
    await arrived(entry)
    await until_points(place, FRIDGE, {82.0, 83.0}, began)


async def until_points(place: Place, entity_id: str, values: set[float], since: datetime) -> None:
    """Wait until a server has exactly some values of an entity."""
    async with asyncio.timeout(20):
        while True:
            found = of(await place.points(), entity_id)
            raw = {key: rows for key, rows in found.items() if ("db", f"{BASE}_raw") in key}
            told = [value for rows in raw.values() for row in rows.values() for value in row.values()]
            seen = {value for value in told if isinstance(value, int | float)}
            if seen == values:
                break
            await asyncio.sleep(0.2)
    assert all(time >= since.timestamp() * 1e6 - 1000 for rows in raw.values() for time in rows)


# While it is erased


async def test_what_comes_while_it_is_erased_arrives_afterwards(
    home: HomeAssistant, start_hub: StartHub, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await start_hub(everything_at(place))
    await put(home, entry, "sensor.load", "1")
    await arrived(entry)
    mirror = mirror_of(entry)
    forget = mirror.async_forget_lines

    async def busy(series: Any) -> None:
        # The store is done with it, the server is not.
        await put(home, entry, "sensor.load", "2")
        mirror.feed.wake()
        await asyncio.sleep(0.3)
        await forget(series)

    monkeypatch.setattr(mirror, "async_forget_lines", busy)
    began = dt_util.utcnow()
    assert (await erase(home, "sensor.load"))["problems"] == []
    await arrived(entry)
    await until_points(place, "sensor.load", {2.0}, began)


async def test_earlier_ids_are_gone_too(home: HomeAssistant, start_hub: StartHub, place: Place) -> None:
    registry = er.async_get(home)
    made = registry.async_get_or_create("sensor", "other", "one", suggested_object_id="first")
    assert made.entity_id == "sensor.first"
    entry = await start_hub(everything_at(place))
    await put(home, entry, "sensor.first", "1")
    await put(home, entry, "sensor.first_of_all", "7")
    await arrived(entry)
    registry.async_update_entity("sensor.first", new_entity_id="sensor.second")
    home.states.async_remove("sensor.first")
    await put(home, entry, "sensor.second", "2")
    await arrived(entry)
    for name, value in (("first", 1.0), ("second", 2.0), ("first_of_all", 7.0)):
        await until_values(place, f"sensor.{name}", {value})
    before = await place.points()
    done = await erase(home, "sensor.second")
    assert (done["problems"], done["earlier_ids"]) == ([], ["sensor.first"])
    after = await place.points()
    assert [of(after, f"sensor.{name}") for name in ("first", "second")] == [{}, {}]
    kept = of(before, "sensor.first_of_all")
    assert among(of(after, "sensor.first_of_all"), kept) == kept != {}


async def test_a_server_that_is_down_is_named_and_asked_again(
    home: HomeAssistant, start_hub: StartHub, place: Place
) -> None:
    entry = await start_hub(everything_at(place))
    await put(home, entry, "sensor.load", "1")
    await put(home, entry, "sensor.other", "5")
    await arrived(entry)
    await asyncio.to_thread(place.server.stop)
    await put(home, entry, "sensor.load", "2")
    mirror = mirror_of(entry)
    mirror.feed.wake()
    await until(lambda: not mirror.connected)
    home.states.async_remove("sensor.load")
    for _ in range(2):
        done = await erase(home, "sensor.load")
        assert done["problems"] == ["InfluxDB: nothing answers at this address"]
        assert done["mirrors"][0]["databases"] == []
    # Sending goes on by itself as soon as it is there again.
    await put(home, entry, "sensor.other", "6")
    place.server.start()
    await until_values(place, "sensor.other", {5.0, 6.0})
    assert mirror.connected
    assert count(of(await place.points(), "sensor.load")) > 0
    done = await erase(home, "sensor.load")
    assert done["problems"] == []
    after = await place.points()
    assert of(after, "sensor.load") == {}
    assert count(of(after, "sensor.other")) > 0
    assert not [one for one in entry.runtime_data.worker.all_series() if "sensor.load" in str(one)]


async def until_values(place: Place, entity_id: str, values: set[float]) -> None:
    await until_points(place, entity_id, values, dt_util.utc_from_timestamp(0))


@pytest.mark.parametrize("place", ["victoria_metrics"], indirect=True)
async def test_forecasts_whose_name_begins_like_a_reading_stay(
    home: HomeAssistant, start_hub: StartHub, place: Place
) -> None:
    mirror = mirror_of(await start_hub(everything_at(place)))
    now = int(dt_util.utcnow().timestamp() * 1e9)
    lines = [f"carbon_intensity{end},region=DE carbon=3.0 {now}" for end in ("", "_forecast")]
    await mirror.feed._delivery._writer.write(f"{BASE}_raw", pack(lines))
    await mirror.async_delete_series(
        [Series(SeriesKey.of_tags("carbon_intensity", {"region": "DE"}, "carbon"), Kind.MEASUREMENT)]
    )
    assert measurements(await place.points()) == {"carbon_intensity_forecast_carbon"}


# Lines that were set aside


@pytest.mark.parametrize("place", ["influxdb"], indirect=True)
async def test_lines_set_aside_are_forgotten_and_those_of_others_are_not(
    home: HomeAssistant, start_hub: StartHub, place: Place
) -> None:
    entry = await start_hub(everything_at(place))
    # The server knows states as numbers from somewhere else, so it cannot take words.
    body = f"home_assistant_events,entity_id=sensor.x state=1.0 {int(dt_util.utcnow().timestamp() * 1e9)}"
    await mirror_of(entry).feed._delivery._writer.write(f"{BASE}_raw", pack([body]))
    await put(home, entry, "select.mode", "eco")
    await put(home, entry, "select.mode_2", "boost")
    await arrived(entry)
    assert mirror_of(entry).figures.quarantined == 2

    def lines() -> list[str]:
        return [each.line.partition(" ")[0] for each in mirror_of(entry).figures.poison]

    assert any("entity_id=select.mode," in line for line in lines())
    assert (await erase(home, "select.mode"))["problems"] == []
    for _ in range(2):
        (line,) = lines()
        assert "entity_id=select.mode_2," in line
        # Over a restart too.
        await home.config_entries.async_reload(entry.entry_id)
        await home.async_block_till_done(wait_background_tasks=False)
