"""STUB servers: what only InfluxDB 2 and 3 do, played after their documentation and source; no real server.

InfluxDB 2 (2.7): one unparsable line rejects the whole batch (400), a partial write answers 422, buckets, DBRP mappings
and deletes have their own API behind a token, `/write` looks buckets up by DBRP mapping (404 without one).
InfluxDB 3 (Core): `/ping` wants a token, a partial write answers 400 with a JSON list of the bad lines and keeps the
good ones, databases are made over `/api/v3/configure/database` or by writing, and nothing deletes rows.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
import gzip
import re
from typing import ClassVar

from aiohttp import web
from aiohttp.test_utils import TestServer

from custom_components.strata.core.model import Point
from custom_components.strata.mirror.line_protocol import LineError, decode

TOKEN = "stub-token-that-opens-nothing"
ORG = "home"
_LAST = re.compile(r"SELECT LAST\(\"value\"\) FROM \"(?P<measurement>\w+)\" WHERE \"check\" = '(?P<check>\w+)'")
_PREDICATE = re.compile(r'_measurement="(?P<measurement>\w+)" AND check="(?P<check>\w+)"')

type Key = tuple[str, frozenset[tuple[str, str]], int]


@dataclass
class Bucket:
    """A database: points by series and time, and from when on it takes them."""

    id: str
    rules: list[dict[str, object]] = field(default_factory=list)
    mapped: bool = True
    oldest: int | None = None
    points: dict[Key, dict[str, object]] = field(default_factory=dict)

    def take(self, point: Point) -> bool:
        if self.oldest is not None and point.time < self.oldest:
            return False
        key = (point.measurement, frozenset(point.tags.items()), point.time)
        self.points.setdefault(key, {}).update(point.fields)
        return True

    def totals(self, tag: str = "entity_id", name: str = "value") -> dict[str, tuple[int, float]]:
        found: dict[str, tuple[int, float]] = {}
        for (_, tags, _), fields in self.points.items():
            if name in fields:
                count, total = found.get(dict(tags).get(tag, ""), (0, 0.0))
                found[dict(tags).get(tag, "")] = count + 1, total + fields[name]
        return found


class StubServer:
    """What both kinds have in common: faults on demand, and line protocol."""

    version = ""
    build = ""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.faults: deque[web.Response | Callable[[], Awaitable[web.Response]]] = deque()
        """Answers that the next writes get instead of being carried out."""
        self.poison: re.Pattern[str] | None = None
        self.largest = 10**9
        self.writes = 0
        self.requests: list[str] = []
        self.released = asyncio.Event()
        self._server: TestServer | None = None

    async def start(self) -> str:
        app = web.Application(client_max_size=10**9)
        app.router.add_route("*", "/{path:.*}", self._route)
        self._server = TestServer(app)
        await self._server.start_server()
        return str(self._server.make_url("")).rstrip("/")

    async def stop(self) -> None:
        self.released.set()
        if self._server is not None:
            await self._server.close()

    async def hang(self) -> web.Response:
        """Accept, and never answer."""
        await self.released.wait()
        return web.Response(status=503)

    def bucket(self, name: str, **more: object) -> Bucket:
        return self.buckets.setdefault(name, Bucket(f"{len(self.buckets):016x}", **more))

    async def _route(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if request.path in {"/write", "/api/v2/write"} and request.method == "POST":
            self.writes += 1
            if self.faults:
                fault = self.faults.popleft()
                return await fault() if callable(fault) else fault
        answer = self.routes.get((request.method, request.path))
        if answer is None:
            return web.json_response({"code": "not found", "message": "path not found"}, status=404)
        return await answer(self, request)

    routes: ClassVar[Mapping[tuple[str, str], Callable[..., Awaitable[web.Response]]]] = {}

    def _authorized(self, request: web.Request) -> bool:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            return base64.b64decode(secret).decode().rpartition(":")[2] == TOKEN
        return scheme in self.schemes(request.path) and secret == TOKEN

    def schemes(self, path: str) -> set[str]:
        return {"Token"}

    async def _lines(self, request: web.Request) -> list[str]:
        body = await request.read()
        return gzip.decompress(body).decode().split("\n") if body[:2] == b"\x1f\x8b" else body.decode().split("\n")

    def _parse(self, line: str) -> Point:
        if self.poison is not None and self.poison.search(line):
            raise LineError("poisoned")
        return decode(line)


def _v2_error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)


class StubInfluxDB2(StubServer):
    """InfluxDB 2 after its source, branch 2.7."""

    version = "v2.7.11"
    build = "OSS"

    def __init__(self, version: str = "v2.7.11", *, may_create: bool = True, serves_v1: bool = True) -> None:
        super().__init__()
        self.version, self.may_create, self.serves_v1 = version, may_create, serves_v1

    async def ping(self, request: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": self.version, "X-Influxdb-Build": self.build})

    async def write(self, request: web.Request) -> web.Response:  # noqa: PLR0911 - one for each thing that may be wrong
        if not self._authorized(request):
            return _v2_error(401, "unauthorized", "unauthorized access")
        if request.path == "/write" and not self.serves_v1:
            return _v2_error(404, "not found", "path not found")
        name = request.query.get("db") or request.query.get("bucket")
        bucket = self.buckets.get(name)
        if request.path == "/write" and (bucket is None or not bucket.mapped):
            return _v2_error(404, "not found", "no dbrp mapping found")
        if bucket is None:
            return _v2_error(404, "not found", f'bucket "{name}" not found')
        lines = await self._lines(request)
        if sum(map(len, lines)) > self.largest:
            return _v2_error(413, "request too large", "cannot read data: request too large")
        points = []
        for line in lines:
            try:
                points.append(self._parse(line))
            except LineError as error:
                return _v2_error(400, "invalid", f"unable to parse '{line}': {error}")
        dropped = sum(not bucket.take(point) for point in points)
        if dropped:
            return _v2_error(
                422,
                "unprocessable entity",
                "failure writing points to database: partial write: "
                f"dropped {dropped} points outside retention policy of duration 168h0m0s",
            )
        return web.Response(status=204)

    async def query(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return _v2_error(401, "unauthorized", "unauthorized access")
        bucket = self.buckets.get(request.query.get("db", ""))
        if bucket is None or not bucket.mapped:
            error = {"statement_id": 0, "error": "database not found: " + request.query.get("db", "")}
            return web.json_response({"results": [error]})
        return web.json_response({"results": [_last(bucket, request.query["q"])]})

    async def list_buckets(self, request: web.Request) -> web.Response:
        if not self._authorized(request) or request.headers["Authorization"].startswith("Basic"):
            return _v2_error(401, "unauthorized", "unauthorized access")
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 20))
        names = sorted(self.buckets)[offset : offset + limit]
        return web.json_response({"buckets": [{"id": self.buckets[name].id, "name": name} for name in names]})

    async def create_bucket(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return _v2_error(401, "unauthorized", "unauthorized access")
        if not self.may_create:
            return _v2_error(403, "forbidden", "write:orgs/0000000000000001/buckets is unauthorized")
        wanted = await request.json()
        for rule in wanted["retentionRules"]:
            if 0 < rule["everySeconds"] < rule.get("shardGroupDurationSeconds", 0):
                return _v2_error(
                    400, "invalid", "shard-group duration must also be updated to be smaller than retention"
                )
        mapped = tuple(map(int, self.version.lstrip("v").split(".")[:2])) >= (2, 4)
        bucket = self.bucket(wanted["name"], rules=wanted["retentionRules"], mapped=mapped)
        return web.json_response({"id": bucket.id, "name": wanted["name"]}, status=201)

    async def create_mapping(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        for bucket in self.buckets.values():
            bucket.mapped |= bucket.id == wanted["bucketID"]
        return web.json_response({"id": "0", **wanted}, status=201)

    async def organisations(self, request: web.Request) -> web.Response:
        if request.query.get("org") != ORG:
            return _v2_error(404, "not found", "organization name not found")
        return web.json_response({"orgs": [{"id": "0000000000000001", "name": ORG}]})

    async def delete(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return _v2_error(401, "unauthorized", "unauthorized access")
        wanted = await request.json()
        assert {"start", "stop", "predicate"} <= wanted.keys()
        bucket = self.buckets[request.query["bucket"]]
        found = _PREDICATE.fullmatch(wanted["predicate"])
        _drop(bucket, found["measurement"], found["check"])
        return web.Response(status=204)

    routes: ClassVar = {
        ("GET", "/ping"): ping,
        ("POST", "/write"): write,
        ("POST", "/api/v2/write"): write,
        ("GET", "/query"): query,
        ("GET", "/api/v2/buckets"): list_buckets,
        ("POST", "/api/v2/buckets"): create_bucket,
        ("POST", "/api/v2/dbrps"): create_mapping,
        ("GET", "/api/v2/orgs"): organisations,
        ("POST", "/api/v2/delete"): delete,
    }


class StubInfluxDB3(StubServer):
    """InfluxDB 3 Core after its source."""

    version = "3.4.1"
    build = "Core"

    def schemes(self, path: str) -> set[str]:
        return {"Token", "Bearer"}

    async def ping(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return web.json_response({"error": "the request was not authenticated"}, status=401)
        headers = {"X-Influxdb-Version": self.version, "X-Influxdb-Build": self.build}
        return web.json_response({"version": self.version, "revision": "0", "process_id": "0"}, headers=headers)

    async def write(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return web.json_response({"error": "the request was not authenticated"}, status=401)
        bucket = self.bucket(request.query.get("db") or request.query["bucket"])
        lines = await self._lines(request)
        if sum(map(len, lines)) > self.largest:
            return web.json_response({"error": f"max request size ({self.largest} bytes) exceeded"}, status=413)
        wrong = []
        for number, line in enumerate(lines, 1):
            try:
                bucket.take(self._parse(line))
            except LineError as error:
                wrong.append({"original_line": line, "line_number": number, "error_message": str(error)})
        if wrong:
            answer = {"error": "partial write of line protocol occurred", "data": wrong}
            return web.json_response(answer, status=400)
        return web.Response(status=204)

    async def query(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return web.json_response({"error": "the request was not authenticated"}, status=401)
        bucket = self.buckets.get(request.query.get("db", ""))
        return web.json_response({"results": [_last(bucket, request.query["q"]) if bucket else {"statement_id": 0}]})

    async def list_databases(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return web.json_response({"error": "the request was not authenticated"}, status=401)
        return web.json_response([{"iox::database": name} for name in sorted(self.buckets)])

    async def create_database(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        if wanted["db"] in self.buckets:
            return web.json_response({"error": "attempted to create a resource that already exists"}, status=409)
        self.bucket(wanted["db"], rules=[wanted])
        return web.Response(status=200)

    routes: ClassVar = {
        ("GET", "/ping"): ping,
        ("POST", "/write"): write,
        ("POST", "/api/v2/write"): write,
        ("GET", "/query"): query,
        ("GET", "/api/v3/configure/database"): list_databases,
        ("POST", "/api/v3/configure/database"): create_database,
    }


def _last(bucket: Bucket, statement: str) -> dict[str, object]:
    wanted = _LAST.fullmatch(statement)
    for (measurement, tags, time), fields in bucket.points.items():
        if measurement == wanted["measurement"] and dict(tags).get("check") == wanted["check"]:
            rows = [[time * 1000, fields["value"]]]
            series = {"name": measurement, "columns": ["time", "last"], "values": rows}
            return {"statement_id": 0, "series": [series]}
    return {"statement_id": 0}


def _drop(bucket: Bucket, measurement: str, check: str) -> None:
    for key in [key for key in bucket.points if key[0] == measurement and dict(key[1]).get("check") == check]:
        del bucket.points[key]
