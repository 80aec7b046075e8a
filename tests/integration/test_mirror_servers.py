"""The mirror against real servers: everything arrives, exactly, whatever happens to the server."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
import contextlib
import json
from pathlib import Path
import random
import re
import threading
import time
from typing import Any

import aiohttp
import pytest

from custom_components.strata.core.model import Flag, Row
from custom_components.strata.mirror import parcels
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.mirror.influx import Connection, InfluxClient, pack
from custom_components.strata.mirror.parcels import Reading
from custom_components.strata.mirror.servers import detect
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.worker import StoreWorker
from tests.mirror_stub import ORG, TOKEN, StubInfluxDB2, StubInfluxDB3
from tests.mirror_world import (
    DAY,
    HOUR,
    SECOND,
    START,
    DirectStore,
    RealServer,
    busy_home,
    entity,
    free_port,
    influxdb,
    plan_of,
    truth_totals,
    victoria_metrics,
)

pytestmark = pytest.mark.usefixtures("socket_enabled")
TIERS = ("raw", "five_minute", "hourly", "daily")


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Generator[SqliteStore]:
    with SqliteStore(tmp_path / "strata.db", now=lambda: START + DAY) as opened:
        yield opened


@pytest.fixture
def direct(store: SqliteStore) -> Generator[DirectStore]:
    made = DirectStore(store)
    yield made
    made.close()


@pytest.fixture
def server(full_part: Callable[[str], Path], tmp_path: Path) -> Generator[RealServer]:
    """Start a real InfluxDB 1.6 with a database for each tier."""
    started = influxdb(full_part("influxdb"), tmp_path)
    started.start()
    for tier in TIERS:
        started.influxql(f"CREATE DATABASE strata_{tier}")
    yield started
    started.stop()


async def short(seconds: float) -> None:
    """Wait a hundredth of what is asked: the server is on this machine and back soon."""
    await asyncio.sleep(seconds / 100)


def mirror_of(store, direct, session, url, *, timeout=5.0, **more) -> MirrorFeed:
    client = InfluxClient(session, Connection(url=url, **more), timeout=timeout)
    return MirrorFeed("one", direct, client, plan_of(store), now=lambda: START + DAY, sleep=short)


async def test_a_day_without_server_is_caught_up_exactly(session, store, direct, server):
    mirror = mirror_of(store, direct, session, server.url)
    await mirror.open()
    server.kill()
    truth = busy_home(store, events=20_000)
    server.start()
    await mirror.catch_up()
    assert server.totals("strata_raw") == truth_totals(truth)
    hours = server.totals("strata_hourly", "sample_count")
    assert {name: int(total) for name, (_, total) in hours.items()} == {
        name: len(values) for name, values in truth.items() if values
    }
    assert mirror.figures.quarantined == mirror.figures.expired == 0


async def test_a_server_killed_at_random_while_receiving_ends_up_with_everything(session, store, direct, server):
    rng = random.Random(3)
    mirror = mirror_of(store, direct, session, server.url)
    await mirror.open()
    truth = busy_home(store, events=40_000)
    kills = 0

    async def killer() -> None:
        nonlocal kills
        while True:
            await asyncio.sleep(rng.uniform(0.02, 0.25))
            server.kill()
            kills += 1
            await asyncio.to_thread(server.start)

    killing = asyncio.create_task(killer())
    sent = mirror.catch_up()
    await sent
    # Everything once more, so that there are kills in the middle of it however fast the first time was.
    for _ in range(2):
        mirror.replay(START, START + DAY)
        await mirror.replay_first()
    while kills < 3:
        await asyncio.sleep(0.05)
    killing.cancel()
    await asyncio.gather(killing, return_exceptions=True)
    server.stop()
    server.start()
    mirror.replay(START, START + 1)
    await mirror.replay_first()
    assert server.totals("strata_raw") == truth_totals(truth)


async def test_a_server_that_accepts_and_never_answers_is_a_timeout(session, store, direct, server):
    mirror = mirror_of(store, direct, session, server.url, timeout=0.3)
    await mirror.open()
    truth = busy_home(store, events=3_000, entities=20, span=3 * HOUR)
    server.freeze()
    catching_up = asyncio.create_task(mirror.catch_up())
    while mirror.figures.retries < 3:
        await asyncio.sleep(0.001)
    assert str(mirror.progress().trouble) == "the server did not answer in time"
    server.thaw()
    await catching_up
    assert server.totals("strata_raw") == truth_totals(truth)


class FaultyProxy:
    """Stands between the mirror and a real server, and answers itself when it is told to."""

    def __init__(self, server: RealServer) -> None:
        self.server, self.answers, self.port = server, [], free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[FaultyProxy]:
        async def handle(request: aiohttp.web.Request) -> aiohttp.web.Response:
            body = await request.read()
            if self.answers:
                status = self.answers.pop(0)
                return aiohttp.web.Response(status=status, headers={"Retry-After": "1"} if status == 429 else {})
            async with (
                aiohttp.ClientSession() as onward,
                onward.request(
                    request.method,
                    f"{self.server.url}{request.path_qs}",
                    data=body,
                    headers={"Content-Encoding": request.headers["Content-Encoding"]},
                ) as answer,
            ):
                return aiohttp.web.Response(status=answer.status, body=await answer.read())

        app = aiohttp.web.Application(client_max_size=10**8, handler_args={"auto_decompress": False})
        app.router.add_route("*", "/{path:.*}", handle)
        runner = aiohttp.web.AppRunner(app, auto_decompress=False)
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            await runner.cleanup()


async def test_refusals_and_overload_in_turn_lose_nothing(session, store, direct, server):
    async with FaultyProxy(server).running() as proxy:
        mirror = mirror_of(store, direct, session, proxy.url)
        await mirror.open()
        truth = busy_home(store, events=12_000)
        proxy.answers = [401, 429, 500, 413, 403, 503, 413, 404, 502]
        await mirror.catch_up()
        assert proxy.answers == []
    assert server.totals("strata_raw") == truth_totals(truth)
    assert mirror.figures.quarantined == 0
    assert mirror.figures.retries == 7


async def test_a_body_that_is_too_large_goes_in_pieces(session, store, direct, full_part, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    small = influxdb(full_part("influxdb"), folder, max_body=15_000)
    small.start()
    try:
        for tier in TIERS:
            small.influxql(f"CREATE DATABASE strata_{tier}")
        mirror = mirror_of(store, direct, session, small.url)
        await mirror.open()
        truth = busy_home(store, events=8_000)
        await mirror.catch_up()
        assert small.totals("strata_raw") == truth_totals(truth)
        assert mirror.figures.quarantined == 0
        assert mirror.figures.requests > 10
    finally:
        small.stop()


async def test_one_poison_line_of_5000_is_quarantined_alone(session, store, direct, server):
    mirror = mirror_of(store, direct, session, server.url)
    await mirror.open()
    # The server knows this entity's value as text from somewhere else, so it cannot take a number.
    client = InfluxClient(session, Connection(url=server.url))
    await client.write("strata_raw", pack([f'other value="text" {START * 1000}']))
    cup = entity(store, "cup")
    kettle = entity(store, "kettle")
    poison = store.series(type(cup.key).of_tags("other", {"room": "hall"}, "value"), kind=cup.kind)
    rows = [Row(kettle, START + number * SECOND, float(number)) for number in range(4999)]
    rows.insert(2345, Row(poison, START + 1, 1.0))
    store.write(rows)
    await mirror.catch_up()
    assert server.totals("strata_raw") == {"sensor.kettle": (4999, sum(map(float, range(4999))))}
    assert mirror.figures.quarantined == 1
    assert mirror.figures.acknowledged == 4999
    (line,) = mirror.figures.poison
    assert line.line == f"other,room=hall value=1.0 {(START + 1) * 1000}"
    assert "field type conflict" in line.reason


async def test_what_is_older_than_the_server_keeps_is_counted_apart(session, store, direct, server):
    server.influxql("DROP DATABASE strata_raw")
    server.influxql("CREATE DATABASE strata_raw WITH DURATION 1d")
    mirror = mirror_of(store, direct, session, server.url)
    await mirror.open()
    now = time.time_ns() // 1000
    kettle = entity(store, "kettle")
    store._now = lambda: now
    store.write([Row(kettle, now - 3 * DAY, 1.0), Row(kettle, now - SECOND, 2.0), Row(kettle, now, 3.0, None, Flag.OK)])
    await mirror.catch_up()
    assert mirror.figures.acknowledged == 3
    assert mirror.figures.beyond_retention == 1
    assert mirror.figures.quarantined == 0
    assert server.totals("strata_raw") == {"sensor.kettle": (2, 5.0)}


async def test_victoria_metrics_gets_every_number(session, store, direct, full_part, tmp_path):
    metrics = victoria_metrics(full_part("victoria_metrics"), tmp_path)
    metrics.start()
    try:
        client = InfluxClient(session, Connection(url=metrics.url))
        plan = plan_of(store, strings=(await detect(client)).strings)
        mirror = MirrorFeed("one", direct, client, plan, now=lambda: START + DAY, sleep=short)
        await mirror.open()
        truth = busy_home(store, events=3_000, entities=20, span=3 * HOUR)
        await mirror.catch_up()
        totals: dict[str, tuple[int, float]] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                while totals != truth_totals(truth):
                    metrics.ask("/internal/force_flush", {})
                    await asyncio.sleep(0.2)
                    found = metrics.ask("/api/v1/export", {"match[]": 'home_assistant_events_value{db="strata_raw"}'})
                    told = [json.loads(line) for line in found.splitlines()]
                    totals = {each["metric"]["entity_id"]: (len(each["values"]), sum(each["values"])) for each in told}
        assert totals == truth_totals(truth)
    finally:
        metrics.stop()


@pytest.mark.parametrize("kind", [StubInfluxDB2, StubInfluxDB3])
async def test_stubs_of_2_and_3_end_up_with_everything_but_the_poison(session, store, direct, kind):
    stub = kind()
    url = await stub.start()
    try:
        for tier in TIERS:
            stub.bucket(f"strata_{tier}")
        mirror = mirror_of(store, direct, session, url, secret=TOKEN, org=ORG)
        await mirror.open()
        truth = busy_home(store, events=6_000, entities=30, span=4 * HOUR)
        bad = min(time for time in truth["sensor.power_7"])
        stub.poison = re.compile(rf"entity_id=sensor\.power_7,event_type=state_changed value=\S+ {bad}000$|{bad}000$")
        stub.largest = 400_000
        await mirror.catch_up()
        del truth["sensor.power_7"][bad]
        assert stub.bucket("strata_raw").totals() == truth_totals(truth)
        assert mirror.figures.quarantined == 1
        assert mirror.figures.poison[0].line.endswith(f" {bad}000")
    finally:
        await stub.stop()


async def test_nothing_is_read_or_packed_on_the_loop_while_a_day_is_caught_up(
    session, store, server, tmp_path, monkeypatch
):
    store.save_cursor("mirror:one", store.reader().newest_cursor())
    truth = busy_home(store, events=20_000)
    store.close()
    worker = StoreWorker(store.path, timezone="UTC", now=lambda: START + DAY + HOUR)
    await worker.open()
    client = InfluxClient(session, Connection(url=server.url))
    by_id = {series.id: series for series in worker.all_series()}
    plan = plan_of(store)
    mirror = MirrorFeed("one", worker, client, type(plan)(plan.contents, plan.layout, plan.ladder, by_id.get))
    await mirror.open()
    threads: set[str] = set()

    def noted(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            threads.add(threading.current_thread().name)
            return real(*args, **kwargs)

        return wrapper

    monkeypatch.setattr(Reading, "feed", noted(Reading.feed))
    monkeypatch.setattr(parcels, "pack", noted(parcels.pack))
    await mirror.catch_up()
    assert server.totals("strata_raw") == truth_totals(truth)
    assert threads
    assert threading.main_thread().name not in threads
    await worker.close()
