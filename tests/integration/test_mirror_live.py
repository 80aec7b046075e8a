"""The mirror against any real server, named by the environment.

STRATA_INFLUXDB_URL      such as http://localhost:8086; without it these tests skip
STRATA_INFLUXDB_TOKEN    token, or `user:password` for InfluxDB 1; empty where the server wants none
STRATA_INFLUXDB_ORG      organisation of InfluxDB 2 and Cloud
STRATA_INFLUXDB_VERSION  what it should be found to be: 1, 2, 3, cloud or victoria_metrics; without it anything will do

They make databases named `strata_test_...` and leave them: an InfluxDB 3 Core takes only five, so remove them now and
then.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
import os
from pathlib import Path
import time

import aiohttp
import pytest

from custom_components.strata.core.model import Row
from custom_components.strata.mirror.check import CheckError, Problem, check
from custom_components.strata.mirror.errors import MirrorRejected, MirrorUnsupported
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.mirror.influx import Connection, InfluxClient, pack
from custom_components.strata.mirror.parcels import Plan
from custom_components.strata.mirror.selection import DEFAULT_CONTENTS, Layout
from custom_components.strata.mirror.servers import Server, detect
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import HOUR
from tests.mirror_world import SECOND, DirectStore, entity

URL = os.environ.get("STRATA_INFLUXDB_URL", "")
SECRET = os.environ.get("STRATA_INFLUXDB_TOKEN", "")
ORG = os.environ.get("STRATA_INFLUXDB_ORG", "")
VERSION = os.environ.get("STRATA_INFLUXDB_VERSION", "")
KEYS = {"1": "influxdb_1", "2": "influxdb_2", "3": "influxdb_3", "cloud": "influxdb_cloud"}

pytestmark = [
    pytest.mark.skipif(not URL, reason="STRATA_INFLUXDB_URL names no server"),
    pytest.mark.usefixtures("allow_every_host"),
]
LAYOUT = Layout(base="strata_test")
NOW = time.time_ns() // 1000


@pytest.fixture
def allow_every_host(socket_enabled) -> Generator[None]:
    """Let the tests reach a server that is not on this machine."""
    import pytest_socket

    pytest_socket._remove_restrictions()
    return


def _connection() -> Connection:
    user, colon, password = SECRET.partition(":")
    if VERSION.startswith("1") and colon:
        return Connection(url=URL, username=user, secret=password)
    return Connection(url=URL, secret=SECRET, org=ORG)


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Generator[SqliteStore]:
    with SqliteStore(tmp_path / "strata.db", now=lambda: NOW) as opened:
        yield opened


@pytest.fixture
async def checked(session, store) -> tuple[Server, Connection]:
    """Return the server with its databases, tried."""
    connection = _connection()
    report = await check(
        session, connection, LAYOUT.databases(DEFAULT_CONTENTS, store.ladder), now=NOW, use_existing=True
    )
    connection = Connection(
        url=connection.url,
        username=connection.username,
        secret=connection.secret,
        org=connection.org,
        native_write=report.native_write,
    )
    return await detect(InfluxClient(session, connection)), connection


async def test_it_is_what_it_is_said_to_be(session):
    found = await detect(InfluxClient(session, _connection()))
    assert found.version or found.key == "victoria_metrics"
    if VERSION:
        assert found.key == KEYS.get(VERSION.split(".")[0], VERSION)


async def test_databases_are_made_and_tried_and_known_the_next_time(session, store, checked):
    server, connection = checked
    wanted = LAYOUT.databases(DEFAULT_CONTENTS, store.ladder)
    if server.has_databases:
        assert {each.name for each in wanted} <= await server.databases()
        with pytest.raises(CheckError) as caught:
            await check(session, connection, wanted, now=NOW)
        assert caught.value.problem is Problem.EXISTS
    ours = frozenset(each.name for each in wanted)
    assert (await check(session, connection, wanted, now=NOW, ours=ours)).created == ()


async def test_wrong_credentials_are_found_out(session, checked):
    if not SECRET:
        pytest.skip("the server asks for none")
    wrong = Connection(url=URL, username="nobody", secret="wrong-" + "x" * 20, org=ORG)
    with pytest.raises(CheckError) as caught:
        await check(session, wrong, LAYOUT.databases(DEFAULT_CONTENTS, SqliteStore("x").ladder), now=NOW)
    assert caught.value.problem in {Problem.CREDENTIALS, Problem.PERMISSION}
    assert wrong.secret not in str(caught.value)


async def _read(server: Server, kettle: str, expected: float) -> None:
    async with asyncio.timeout(30):
        while await server.value(LAYOUT.name("raw"), "home_assistant_events", {"entity_id": kettle}) != expected:
            await asyncio.sleep(1)


async def test_an_hour_of_a_home_arrives(session, store, checked):
    server, connection = checked
    name = f"kettle_{NOW}"
    kettle = entity(store, name, unit="W", fine=True)
    plan = Plan(
        DEFAULT_CONTENTS,
        LAYOUT,
        store.ladder,
        lambda number: kettle if number == kettle.id else None,
        {},
        server.strings,
    )
    direct = DirectStore(store)
    mirror = MirrorFeed("live", direct, InfluxClient(session, connection), plan, now=lambda: NOW)
    await mirror.open()
    start = NOW // HOUR * HOUR - HOUR
    store.write([Row(kettle, start + second * SECOND, float(second)) for second in range(3600)])
    store.roll_up(start + HOUR)
    async with asyncio.timeout(60):
        await mirror.catch_up()
    direct.close()
    assert mirror.figures.quarantined == 0
    assert mirror.figures.retries == 0
    assert mirror.figures.acknowledged >= 3600
    await _read(server, f"sensor.{name}", 3599.0)
    if server.key != "victoria_metrics":
        database = LAYOUT.name("raw")
        statement = f'SELECT COUNT("value") AS n, SUM("value") AS s FROM "home_assistant_events" WHERE "entity_id" = \'sensor.{name}\''  # noqa: E501
        (series,) = await server.client.query(statement, database)
        (row,) = series.dicts()
        assert (row["n"], row["s"]) == (3600, sum(range(3600)))
    try:
        await server.delete_rows(LAYOUT.name("raw"), "home_assistant_events", {"entity_id": f"sensor.{name}"})
    except MirrorUnsupported:
        assert server.key == "influxdb_3"


async def test_a_poison_line_is_named_or_rejected_and_never_taken_for_an_outage(session, checked):
    server, connection = checked
    if server.key == "victoria_metrics":
        pytest.skip("it takes every line and leaves out what it cannot read")
    with pytest.raises(MirrorRejected):
        await InfluxClient(session, connection).write(
            LAYOUT.name("raw"), pack([f"strata_check value=1.0 {NOW * 1000}", "this is no line"])
        )
