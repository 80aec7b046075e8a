"""Every kind of server keeps the same contract: found out, set up, written to, read, cleared, and its errors named."""

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
import re
import time
from types import MappingProxyType

import aiohttp
from aiohttp import web
import pytest

from custom_components.strata.core.model import Kind, Series, SeriesKey, TimeRange
from custom_components.strata.mirror.answer import Answer
from custom_components.strata.mirror.check import CheckError, Problem, check
from custom_components.strata.mirror.errors import MirrorBusy, MirrorQueryError, MirrorRefused, MirrorUnsupported
from custom_components.strata.mirror.influx import Connection, InfluxClient, pack
from custom_components.strata.mirror.selection import Database
from custom_components.strata.mirror.servers import SERVERS, detect, server_kind
from custom_components.strata.mirror.servers.base import Signs
from tests.mirror_stub import ORG, TOKEN, StubInfluxDB2, StubInfluxDB3, StubServer
from tests.mirror_world import RealServer, free_port, influxdb, victoria_metrics

NOW = time.time_ns() // 1000
"""Real servers have a clock and a retention of their own."""
WEEK = Database(name="strata_raw", keep=timedelta(days=10), shard=timedelta(days=1))
EVER = Database(name="strata_daily", keep=None, shard=timedelta(weeks=52))

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def stub() -> AsyncGenerator[Callable]:
    """Start a stub server and return its connection."""
    started: list[StubServer] = []

    async def start(server: StubServer, **more: object) -> Connection:
        started.append(server)
        return Connection(url=await server.start(), **{"secret": TOKEN, "org": ORG, **more})

    yield start
    for server in started:
        await server.stop()


@pytest.fixture
def real_influxdb(full_part: Callable[[str], Path], tmp_path: Path):
    server = influxdb(full_part("influxdb"), tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def real_victoria_metrics(full_part: Callable[[str], Path], tmp_path: Path):
    server = victoria_metrics(full_part("victoria_metrics"), tmp_path)
    server.start()
    yield server
    server.stop()


# ------------------------------------------------------------------------------------------------ working servers
async def test_a_real_influxdb_1_is_set_up_and_tried(session, real_influxdb: RealServer):
    connection = Connection(url=real_influxdb.url)
    report = await check(session, connection, [WEEK, EVER], now=NOW)
    assert report.server == "influxdb_1"
    assert report.version.startswith("1.6")
    assert report.created == ("strata_raw", "strata_daily")
    assert report.cleared
    (policies,) = real_influxdb.influxql("SHOW RETENTION POLICIES", "strata_raw")
    assert policies["values"] == [["autogen", "240h0m0s", "24h0m0s", 1, True]]
    (policies,) = real_influxdb.influxql("SHOW RETENTION POLICIES", "strata_daily")
    assert policies["values"] == [["autogen", "0s", "8736h0m0s", 1, True]]
    assert real_influxdb.influxql('SELECT * FROM "strata_check"', "strata_raw") == []

    again = await check(session, connection, [WEEK, EVER], now=NOW, ours=frozenset(report.created))
    assert again.created == ()
    with pytest.raises(CheckError, match="strata_raw exists") as caught:
        await check(session, connection, [WEEK], now=NOW)
    assert caught.value.problem is Problem.EXISTS
    assert (await check(session, connection, [WEEK], now=NOW, use_existing=True)).created == ()


async def test_a_real_victoria_metrics_is_tried(session, real_victoria_metrics: RealServer):
    report = await check(session, Connection(url=real_victoria_metrics.url), [WEEK], now=NOW)
    assert (report.server, report.created, report.cleared) == ("victoria_metrics", (), True)


async def test_an_influxdb_2_is_set_up_and_tried(session, stub):
    server = StubInfluxDB2()
    report = await check(session, await stub(server), [WEEK, EVER], now=NOW)
    assert (report.server, report.version, report.native_write) == ("influxdb_2", "2.7.11", False)
    assert report.created == ("strata_raw", "strata_daily")
    assert report.cleared
    assert server.buckets["strata_raw"].rules == [
        {"type": "expire", "everySeconds": 864_000, "shardGroupDurationSeconds": 86_400}
    ]
    assert server.buckets["strata_daily"].rules[0]["everySeconds"] == 0
    assert server.buckets["strata_raw"].points == {}
    assert "POST /api/v2/dbrps" not in server.requests


async def test_an_early_influxdb_2_gets_its_mapping_with_the_bucket(session, stub):
    server = StubInfluxDB2("v2.3.0")
    assert (await check(session, await stub(server), [WEEK], now=NOW)).created == ("strata_raw",)
    assert server.buckets["strata_raw"].mapped


async def test_an_influxdb_2_that_serves_no_v1_write_is_written_natively(session, stub):
    server = StubInfluxDB2(serves_v1=False)
    report = await check(session, await stub(server), [WEEK, EVER], now=NOW)
    assert report.native_write
    assert server.requests.count("POST /api/v2/write") == 2


async def test_every_bucket_is_seen_however_many_there_are(session, stub):
    server = StubInfluxDB2()
    for number in range(230):
        server.bucket(f"bucket_{number:03}")
    found = await detect(InfluxClient(session, await stub(server)))
    assert len(await found.databases()) == 230


async def test_an_influxdb_3_is_set_up_and_tried_and_keeps_what_was_tried(session, stub):
    server = StubInfluxDB3()
    report = await check(session, await stub(server), [WEEK, EVER], now=NOW)
    assert (report.server, report.version) == ("influxdb_3", "3.4.1")
    assert report.created == ("strata_raw", "strata_daily")
    assert not report.cleared
    assert server.buckets["strata_raw"].rules == [{"db": "strata_raw", "retention_period": "10d"}]
    assert server.buckets["strata_daily"].rules == [{"db": "strata_daily"}]


@pytest.mark.parametrize(
    ("url", "headers", "body", "prometheus", "key"),
    [
        ("http://h", {"x-influxdb-version": "1.8.10", "x-influxdb-build": "OSS"}, "", False, "influxdb_1"),
        ("http://h", {"x-influxdb-version": "1.12.0"}, "", False, "influxdb_1"),
        ("http://h", {"x-influxdb-version": "v2.7.1", "x-influxdb-build": "OSS"}, "", False, "influxdb_2"),
        ("http://h", {"x-influxdb-version": "3.10.0", "x-influxdb-build": "Enterprise"}, "", False, "influxdb_3"),
        ("http://h", {}, '{"version": "3.0.0"}', False, "influxdb_3"),
        ("https://eu-central-1-1.aws.cloud2.influxdata.com", {}, "", False, "influxdb_cloud"),
        ("https://x.a.influxdb.io", {}, "", False, "influxdb_cloud"),
        ("http://h", {}, "", True, "victoria_metrics"),
        ("http://h", {"x-influxdb-version": "1.8.0"}, "", True, "victoria_metrics"),
    ],
)
def test_a_server_is_known_by_its_signs(url, headers, body, prometheus, key):
    signs = Signs(url, Answer(204, headers, body), prometheus)
    assert next(kind for kind in SERVERS if kind.recognises(signs)).key == key


def test_kinds_are_found_by_name():
    assert [server_kind(kind.key) for kind in SERVERS] == list(SERVERS)
    with pytest.raises(KeyError, match="graphite"):
        server_kind("graphite")


# ------------------------------------------------------------------------------------------------ what is wrong
async def problem(session, connection: Connection, databases=(WEEK,), **more) -> tuple[Problem, str]:
    async def at_once(seconds: float) -> None:
        """No need to wait for what never comes."""

    with pytest.raises(CheckError) as caught:
        await check(session, connection, databases, now=NOW, sleep=at_once, **more)
    assert TOKEN not in str(caught.value)
    return caught.value.problem, caught.value.database


async def test_nothing_listens(session):
    assert await problem(session, Connection(url=f"http://127.0.0.1:{free_port()}")) == (Problem.REFUSED, "")


async def test_the_host_is_unknown(session):
    class NoSuchHost(aiohttp.abc.AbstractResolver):
        async def resolve(self, host, port=0, family=0):
            raise OSError(f"no address for {host}")

        async def close(self):
            """Nothing is open."""

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NoSuchHost())) as lost:
        assert await problem(lost, Connection(url="http://nowhere.invalid:8086")) == (Problem.HOST, "")
    assert (await problem(session, Connection(url="http://")))[0] is Problem.HOST


async def test_tls_is_spoken_to_a_server_that_does_not(session, stub):
    connection = await stub(StubInfluxDB2())
    secure = Connection(url=connection.url.replace("http:", "https:"), secret=TOKEN)
    assert await problem(session, secure) == (Problem.TLS, "")


@pytest.mark.parametrize("server", [StubInfluxDB2, StubInfluxDB3])
async def test_the_credentials_are_wrong(session, stub, server):
    assert (await problem(session, await stub(server(), secret="wrong")))[0] is Problem.CREDENTIALS
    assert (await problem(session, await stub(server(), secret="", org="")))[0] is Problem.CREDENTIALS


async def test_the_token_may_not_create_the_bucket_that_is_missing(session, stub):
    server = StubInfluxDB2(may_create=False)
    assert await problem(session, await stub(server)) == (Problem.PERMISSION, "strata_raw")


async def test_the_organisation_is_unknown(session, stub):
    assert (await problem(session, await stub(StubInfluxDB2(), org="nobody")))[0] is Problem.MISSING


async def test_a_bucket_without_mapping_is_named(session, stub):
    server = StubInfluxDB2("v2.2.0")
    server.bucket("strata_raw", mapped=False)
    assert await problem(session, await stub(server), use_existing=True) == (Problem.MAPPING, "strata_raw")


async def test_the_token_may_not_write(session, stub):
    server = StubInfluxDB2()
    server.faults.append(web.json_response({"code": "forbidden", "message": "insufficient permissions"}, status=403))
    assert await problem(session, await stub(server)) == (Problem.PERMISSION, "strata_raw")


async def test_a_server_that_loses_what_it_takes_is_found_out(session, stub):
    server = StubInfluxDB2()
    server.faults.append(web.Response(status=204))
    assert await problem(session, await stub(server)) == (Problem.NOT_READ_BACK, "strata_raw")


@pytest.mark.parametrize(
    ("status", "expected"), [(500, Problem.BUSY), (503, Problem.BUSY), (400, Problem.REJECTED), (301, Problem.MISSING)]
)
async def test_a_server_in_trouble_is_said_to_be(session, stub, status, expected):
    server = StubInfluxDB2()
    server.faults += [web.Response(status=status, text="no") for _ in range(2)]
    assert await problem(session, await stub(server)) == (expected, "strata_raw")


async def test_something_else_answers(session, stub):
    class Website(StubServer):
        """Serves nothing that we ask for."""

    assert await problem(session, await stub(Website())) == (Problem.UNSUPPORTED, "")


async def test_a_server_that_never_answers_is_not_waited_for(session, stub):
    class Silent(StubServer):
        async def silence(self, request):
            return await self.hang()

        routes = MappingProxyType({("GET", "/ping"): silence})

    client = InfluxClient(session, await stub(Silent()), timeout=0.2)
    with pytest.raises(Exception, match="did not answer in time"):
        await detect(client)


async def test_who_may_not_look_but_may_write_can_use_what_is_there(session, stub):
    class Narrow(StubInfluxDB2):
        async def list_buckets(self, request):
            return web.json_response({"code": "forbidden", "message": "read:buckets is unauthorized"}, status=403)

        routes = StubInfluxDB2.routes | {("GET", "/api/v2/buckets"): list_buckets}

    server = Narrow()
    server.bucket("strata_raw")
    assert (await problem(session, await stub(server)))[0] is Problem.PERMISSION
    assert (await check(session, await stub(server), [WEEK], now=NOW, use_existing=True)).created == ()


async def test_a_real_influxdb_with_users_wants_them(session, full_part, tmp_path):
    server = influxdb(full_part("influxdb"), tmp_path, auth=True)
    server.start()
    try:
        server.influxql("CREATE USER admin WITH PASSWORD 'secret word' WITH ALL PRIVILEGES")
        admin = Connection(url=server.url, username="admin", secret="secret word")
        assert (await check(session, admin, [WEEK], now=NOW)).created == ("strata_raw",)
        wrong = Connection(url=server.url, username="admin", secret="wrong word")
        assert (await problem(session, wrong))[0] is Problem.CREDENTIALS
        client = InfluxClient(session, admin)
        await client.query("CREATE USER guest WITH PASSWORD 'guest'", change=True)
        guest = Connection(url=server.url, username="guest", secret="guest")
        assert await problem(session, guest, use_existing=True) == (Problem.PERMISSION, "strata_raw")
    finally:
        server.stop()


# ------------------------------------------------------------------------------------------------ deleting
async def test_rows_are_deleted_where_a_server_can(session, stub, real_influxdb, real_victoria_metrics):
    await check(session, Connection(url=real_influxdb.url), [WEEK], now=NOW)
    client = InfluxClient(session, Connection(url=real_influxdb.url))
    lines = [f"power,room=a value={second}.0 {(NOW + second * 1_000_000) * 1000}" for second in range(10)]
    await client.write("strata_raw", pack(lines))
    influx = await detect(client)
    await influx.delete_rows("strata_raw", "power", {"room": "a"}, TimeRange(NOW + 2_000_000, NOW + 5_000_000))
    (left,) = real_influxdb.influxql('SELECT "value" FROM "power"', "strata_raw")
    assert [row[1] for row in left["values"]] == [0, 1, 5, 6, 7, 8, 9]
    await influx.delete_rows("strata_raw", "power", {})
    assert real_influxdb.influxql('SELECT "value" FROM "power"', "strata_raw") == []

    metrics = await detect(InfluxClient(session, Connection(url=real_victoria_metrics.url)))
    with pytest.raises(MirrorUnsupported, match="range"):
        await metrics.delete_rows("strata_raw", "power", {}, TimeRange(0, 1))
    with pytest.raises(MirrorUnsupported, match="databases"):
        await metrics.create(WEEK)
    assert await metrics.databases() == frozenset()
    three = await detect(InfluxClient(session, await stub(StubInfluxDB3())))
    with pytest.raises(MirrorUnsupported, match="retention"):
        await three.delete_rows("strata_raw", "power", {})


def an_entity(name):
    key = SeriesKey.of_entity("home_assistant_events", f"registry-{name}")
    return Series(key, Kind.MEASUREMENT, "W", {"entity_id": f"sensor.{name}", "domain": "sensor", "area_id": "attic"})


READING = Series(
    SeriesKey.of_tags("carbon_intensity", {"region": "DE", "grid operator": "50Hertz"}, "intensity"),
    Kind.MEASUREMENT,
    "gCO2eq/kWh",
    {"index": "low"},
)


async def test_all_points_of_series_are_deleted_and_no_others(session, real_influxdb):
    """Rows and hours of an entity, wherever it stood then, and those of a reading; what is alike in part stays."""
    await check(session, Connection(url=real_influxdb.url), [WEEK], now=NOW)
    client = InfluxClient(session, Connection(url=real_influxdb.url))
    lines = [
        "home_assistant_events,entity_id=sensor.a,area_id=attic value=1.0",
        "home_assistant_events,entity_id=sensor.a,area_id=cellar value=2.0",
        "home_assistant_events,entity_id=sensor.a,tier=hourly,field=value avg_value=3.0",
        "home_assistant_events,entity_id=sensor.b value=4.0",
        "carbon_intensity,region=DE,grid\\ operator=50Hertz,index=low intensity=5.0",
        "carbon_intensity,region=DE,grid\\ operator=50Hertz,index=high intensity=6.0",
        "carbon_intensity,region=FR,grid\\ operator=50Hertz intensity=7.0",
    ]
    await client.write("strata_raw", pack([f"{line} {NOW * 1000}" for line in lines]))
    influx = await detect(client)
    done = await influx.delete_series(["strata_raw", "strata_gone", "strata_raw"], [an_entity("a"), READING])
    assert done == ["strata_raw"]
    left = real_influxdb.influxql("SELECT * FROM /home_assistant_events|carbon_intensity/", "strata_raw")
    rows = [dict(zip(found["columns"], row, strict=True)) for found in left for row in found["values"]]
    kept = sorted((row.get("value") or row.get("intensity")) for row in rows)
    assert kept == [4.0, 7.0]


async def test_series_are_deleted_on_influxdb_2_by_what_they_are_known_by(session, stub):
    asked = []

    class Remembering(StubInfluxDB2):
        async def delete(self, request):
            asked.append((request.query["bucket"], (await request.json())["predicate"]))
            return web.Response(status=204)

        routes = StubInfluxDB2.routes | {("POST", "/api/v2/delete"): delete}

    server = await detect(InfluxClient(session, await stub(Remembering())))
    await server.create(WEEK)
    done = await server.delete_series([WEEK.name, "not_there"], [an_entity("a"), an_entity("a"), READING])
    assert done == [WEEK.name]
    assert asked == [
        (WEEK.name, '_measurement="carbon_intensity" AND grid operator="50Hertz" AND region="DE"'),
        (WEEK.name, '_measurement="home_assistant_events" AND entity_id="sensor.a"'),
    ]


async def test_a_server_that_cannot_delete_series_says_so(session, stub):
    three = await detect(InfluxClient(session, await stub(StubInfluxDB3())))
    names = await three.databases()
    if not names:
        await three.create(WEEK)
    with pytest.raises(MirrorUnsupported, match="retention"):
        await three.delete_series([WEEK.name, *names], [an_entity("a")])


async def test_a_range_is_deleted_on_influxdb_2_by_its_instants(session, stub):
    asked = []

    class Remembering(StubInfluxDB2):
        async def delete(self, request):
            asked.append((dict(request.query), await request.json()))
            return web.Response(status=204)

        routes = StubInfluxDB2.routes | {("POST", "/api/v2/delete"): delete}

    server = await detect(InfluxClient(session, await stub(Remembering())))
    await server.delete_rows("b", "power", {"room": 'a "b"'}, TimeRange(0, 2_000_000))
    assert asked == [
        (
            {"bucket": "b", "org": ORG},
            {
                "start": "1970-01-01T00:00:00Z",
                "stop": "1970-01-01T00:00:01.999999Z",
                "predicate": '_measurement="power" AND room="a \\"b\\""',
            },
        )
    ]


# ------------------------------------------------------------------------------------------------ odd answers
@pytest.mark.parametrize(
    "body",
    ["no json", "[]", '{"buckets": 5, "error": "x"}'],
)
async def test_answers_that_make_no_sense_are_errors_not_crashes(session, stub, body):
    class Odd(StubInfluxDB2):
        async def odd(self, request):
            return web.Response(text=body, content_type="application/json")

        routes = StubInfluxDB2.routes | {("GET", "/query"): odd, ("GET", "/api/v2/orgs"): odd}

    server = await detect(InfluxClient(session, await stub(Odd())))
    with pytest.raises(MirrorQueryError):
        await server.client.query("SHOW DATABASES")
    if not body.startswith("{"):
        with pytest.raises(MirrorQueryError):
            await server.create(WEEK)


async def test_an_endless_answer_is_cut_off(session, stub):
    class Endless(StubInfluxDB2):
        async def endless(self, request):
            return web.Response(body=b"x" * (5 * 1024 * 1024))

        routes = StubInfluxDB2.routes | {("GET", "/query"): endless}

    client = InfluxClient(session, await stub(Endless()))
    with pytest.raises(Exception, match="longer than"):
        await client.query("SHOW DATABASES")


async def test_a_secret_that_a_server_repeats_is_not_passed_on(session, stub):
    class Talkative(StubInfluxDB2):
        async def query(self, request):
            return web.Response(status=500, text=f"token {TOKEN} is odd")

        routes = StubInfluxDB2.routes | {("GET", "/query"): query}

    connection = await stub(Talkative())
    with pytest.raises(Exception, match=re.escape("token *** is odd")):
        await InfluxClient(session, connection).query("SHOW DATABASES")
    assert TOKEN not in repr(connection)


async def test_a_secret_that_is_part_of_a_name_hides_no_database(session, real_influxdb: RealServer):
    connection = Connection(url=real_influxdb.url, username="strata", secret="strata")
    client = InfluxClient(session, connection)
    await client.query('CREATE DATABASE "strata_raw"', change=True)
    with pytest.raises(CheckError) as caught:
        await check(session, connection, [WEEK], now=NOW)
    assert caught.value.problem is Problem.EXISTS


async def test_a_user_name_that_basic_cannot_carry_is_an_error(session):
    connection = Connection(url="http://127.0.0.1:9", username="me:you", secret="word")
    with pytest.raises(CheckError):
        await check(session, connection, [WEEK], now=NOW)


async def test_a_database_that_cannot_be_made_is_named(session, stub):
    class Full(StubInfluxDB3):
        async def create_database(self, request):
            error = "Adding a new database would exceed limit of 5 databases"
            return web.json_response({"error": error}, status=422)

        async def list_databases(self, request):
            return web.json_response({"error": "overloaded"}, status=503)

        routes = StubInfluxDB3.routes | {("POST", "/api/v3/configure/database"): create_database}
        unlisted = routes | {("GET", "/api/v3/configure/database"): list_databases}

    full = Full()
    assert await problem(session, await stub(full)) == (Problem.REJECTED, "strata_raw")
    Full.routes = Full.unlisted
    assert await problem(session, await stub(Full())) == (Problem.BUSY, "")


async def test_what_victoria_metrics_refuses_is_an_error(session, stub):
    class Metrics(StubServer):
        status, text = 503, "busy"

        async def ping(self, request):
            return web.Response(status=204)

        async def information(self, request):
            return web.json_response({"status": "success", "data": {}})

        async def refuse(self, request):
            return web.Response(status=self.status, text=self.text)

        routes = MappingProxyType(
            {
                ("GET", "/ping"): ping,
                ("GET", "/api/v1/status/buildinfo"): information,
                ("GET", "/api/v1/export"): refuse,
                ("POST", "/api/v1/admin/tsdb/delete_series"): refuse,
            }
        )

    busy = Metrics()
    server = await detect(InfluxClient(session, await stub(busy, secret="", org="")))
    assert server.key == "victoria_metrics"
    with pytest.raises(MirrorBusy):
        await server.value("db", "m", {"check": "x"})
    with pytest.raises(MirrorBusy):
        await server.delete_rows("db", "m", {"check": "x"})
    busy.status, busy.text = 200, "no json"
    with pytest.raises(MirrorQueryError, match="export"):
        await server.value("db", "m", {"check": "x"})


async def test_a_query_that_is_refused_is_an_error_of_its_kind(session, stub):
    class Odd(StubInfluxDB2):
        async def odd(self, request):
            answer = {"results": [{"series": [{"columns": ["time", "last"], "values": [[0, None], [0, "text"]]}]}]}
            return web.json_response(answer)

        async def no_organisations(self, request):
            return web.json_response({"orgs": []})

        routes = StubInfluxDB2.routes | {("GET", "/query"): odd, ("GET", "/api/v2/orgs"): no_organisations}

    server = await detect(InfluxClient(session, await stub(Odd())))
    assert await server.value("db", "m", {"check": "x"}) is None
    with pytest.raises(MirrorRefused, match="no organisation"):
        await server.create(WEEK)


async def test_a_token_that_may_write_and_not_read_is_found_out(session, stub):
    class WriteOnly(StubInfluxDB2):
        async def blind(self, request):
            return web.json_response({"results": [{"statement_id": 0, "error": "database not found: strata_raw"}]})

        routes = StubInfluxDB2.routes | {("GET", "/query"): blind}

    assert await problem(session, await stub(WriteOnly())) == (Problem.NOT_READ_BACK, "strata_raw")
