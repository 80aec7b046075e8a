"""A mirror that catches up a day of 200,000 changes on a real InfluxDB 1.6, and line protocol on its own.

The day is written and rolled up hour by hour while the server is down; timed is everything from the moment it is back
until it has acknowledged the last line, roll-ups included. Counts and sums per entity on the server are compared with
what was written. What the event loop notices is measured with a heartbeat of 2 ms in the same process.
"""

import asyncio
from collections.abc import Iterator
import json
from pathlib import Path
import random
import subprocess
import time
import urllib.parse
import urllib.request

import aiohttp

from scripts.benchmarks.figures import Figure, Options, percentile
from scripts.benchmarks.store_only import ROOT

# isort: split
from custom_components.strata.core.model import Kind, Point, Row, SeriesKey
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.mirror.influx import Connection, InfluxClient
from custom_components.strata.mirror.line_protocol import decode, encode
from custom_components.strata.mirror.parcels import Plan
from custom_components.strata.mirror.selection import DEFAULT_CONTENTS, Layout
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.worker import StoreWorker

_SECOND = 1_000_000
_HOUR = 3600 * _SECOND
_START = 1_790_000_000 * _SECOND // _HOUR * _HOUR
_ENTITIES = 150
_TIERS = ("raw", "five_minute", "hourly", "daily")
_INFLUXD = ROOT / ".tools" / "servers" / "usr" / "bin" / "influxd"

type Truth = dict[str, tuple[int, float]]


def measure(options: Options) -> Iterator[Figure]:
    """Encode, then catch up."""
    yield from _line_protocol(20_000 if options.quick else 200_000)
    if not _INFLUXD.exists():
        yield Figure("a real InfluxDB is there", 0, "", 1, at_least=True, note="run scripts/setup --full")
        return
    yield from asyncio.run(_catch_up(options.folder, 20_000 if options.quick else 200_000))


def _line_protocol(count: int) -> Iterator[Figure]:
    rng = random.Random(5)
    points = [
        Point(
            "home_assistant_events",
            {
                "entity_id": f"sensor.room_{number % _ENTITIES}_power",
                "domain": "sensor",
                "device_class": "power",
                "area_id": f"room_{number % 20}",
                "device_id": f"{number % 90:032x}",
                "event_type": "state_changed",
            },
            {"value": rng.uniform(0, 4000), "attr_friendly_name": f"Room {number % _ENTITIES} power"},
            _START + number * 1000,
        )
        for number in range(count)
    ]
    speeds = []
    for _ in range(3):
        began = time.perf_counter()
        lines = [encode(point) for point in points]
        speeds.append(count / (time.perf_counter() - began))
    yield Figure("points encoded per second", sorted(speeds)[1], "/s", 200_000, at_least=True, note="median of 3")
    wrong = sum(decode(line) != point for line, point in zip(lines, points, strict=True))
    yield Figure("points that come back otherwise", wrong, "", 0)


def _day(store: SqliteStore, events: int) -> Truth:
    """Write a day hour by hour, as the worker does; return count and sum by entity id."""
    rng = random.Random(6)
    series = [
        store.series(
            SeriesKey.of_entity("home_assistant_events", f"power_{number}"),
            kind=Kind.MEASUREMENT,
            unit="W",
            labels={
                "entity_id": f"sensor.power_{number}",
                "domain": "sensor",
                "device_class": "power",
                "area_id": f"room_{number % 20}",
                "device_id": f"{number % 90:032x}",
                "friendly_name": f"Power {number}",
            },
        )
        for number in range(_ENTITIES)
    ]
    truth: Truth = {}
    for hour in range(24):
        begin = _START + hour * _HOUR
        rows = []
        for moment in sorted(rng.sample(range(begin, begin + _HOUR, 1000), events // 24)):
            # Quarters add up exactly in binary, whatever the order.
            one, value = rng.choice(series), rng.randrange(16_000) / 4
            rows.append(Row(one, moment, value))
            count, total = truth.get(one.labels["entity_id"], (0, 0.0))
            truth[one.labels["entity_id"]] = count + 1, total + value
        for low in range(0, len(rows), 500):
            store.write(rows[low : low + 500], heartbeat=rows[low].time)
        store.roll_up(begin + _HOUR + 20 * _SECOND)
    return truth


async def _catch_up(folder: Path, events: int) -> list[Figure]:
    with SqliteStore(folder / "mirror.db", now=lambda: _START + 24 * _HOUR) as store:
        with store.reader() as reader:
            store.save_cursor("mirror:bench", reader.newest_cursor())
        truth = _day(store, events)
        by_id = {series.id: series for series in store.all_series() if series.id is not None}
    server, url = _start_server(folder)
    worker = StoreWorker(folder / "mirror.db", timezone="UTC", now=lambda: _START + 25 * _HOUR)
    await worker.open()
    try:
        async with aiohttp.ClientSession() as session:
            client = InfluxClient(session, Connection(url=url))
            plan = Plan(DEFAULT_CONTENTS, Layout(base="strata"), worker.ladder, by_id.get)
            feed = MirrorFeed("bench", worker, client, plan)
            await feed.open()
            await _beats(1.0)
            idle = await _beats(2.0)
            working = asyncio.create_task(feed.catch_up())
            began = time.perf_counter()
            busy = await _beats(None, working)
            took = time.perf_counter() - began
            await feed.close()
        found = _totals(url)
    finally:
        await worker.close()
        server.terminate()
        server.wait(20)
    points = feed.figures.acknowledged
    differing = sum(found.get(name) != expected for name, expected in truth.items()) + len(found.keys() - truth.keys())
    return [
        Figure("catch-up after 24 h", took, "s", 30, note=f"{points} points"),
        Figure("points acknowledged per second", points / took, "/s", 100_000, at_least=True),
        Figure("entities that differ in count or sum", differing, "", 0, note=f"of {len(truth)}"),
        Figure("lines quarantined", feed.figures.quarantined, "", 0),
        Figure("loop latency p99 before", percentile(idle, 0.99), "ms"),
        Figure("loop latency p99 meanwhile", percentile(busy, 0.99), "ms", percentile(idle, 0.99) + 10),
        Figure("loop latency max meanwhile", max(busy), "ms", 50),
    ]


async def _beats(seconds: float | None, until: asyncio.Task[None] | None = None) -> list[float]:
    """Return how late a timer of 2 ms rang, in milliseconds."""
    late = []
    end = None if seconds is None else time.perf_counter() + seconds
    while (end is None or time.perf_counter() < end) and not (until is not None and until.done()):
        before = time.perf_counter()
        await asyncio.sleep(0.002)
        late.append((time.perf_counter() - before - 0.002) * 1000)
    if until is not None:
        await until
    return late


def _start_server(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:18188"\n[meta]\n  dir = "{folder}/meta"\n'
        f'[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n  query-log-enabled = false\n'
        '[monitor]\n  store-enabled = false\n[http]\n  bind-address = "127.0.0.1:18186"\n  log-enabled = false\n',
        encoding="utf-8",
    )
    with (folder / "influxdb.log").open("wb") as log:
        server = subprocess.Popen([_INFLUXD, "-config", config], stdout=log, stderr=log)
    url = "http://127.0.0.1:18186"
    for _ in range(300):
        try:
            for tier in _TIERS:
                _query(url, f"CREATE DATABASE strata_{tier}")
        except OSError:
            time.sleep(0.1)
        else:
            return server, url
    server.kill()
    raise RuntimeError("InfluxDB did not start")


def _query(url: str, statement: str, database: str = "") -> list[dict[str, object]]:
    parameters = urllib.parse.urlencode({"q": statement, "db": database})
    with urllib.request.urlopen(f"{url}/query?{parameters}", data=b"", timeout=60) as answer:  # noqa: S310 - loopback
        found: list[dict[str, object]] = json.load(answer)["results"][0].get("series", [])
    return found


def _totals(url: str) -> Truth:
    statement = 'SELECT COUNT("value"), SUM("value") FROM "home_assistant_events" GROUP BY "entity_id"'
    found = {}
    for series in _query(url, statement, "strata_raw"):
        tags, values = series["tags"], series["values"]
        if not isinstance(tags, dict) or not isinstance(values, list):
            raise TypeError(f"the server's answer has another form: {series}")
        found[str(tags["entity_id"])] = (int(values[0][1]), float(values[0][2]))
    return found
