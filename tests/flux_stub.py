"""STUB server: `/api/v2/query` of InfluxDB 2, played after its documentation; no real server.

It carries out the two queries that an import asks and no others, answers in annotated CSV, and fails on demand.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime
import io
import re
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "stub-token-that-opens-nothing"
ORG = "home"
_LITERAL = r'"((?:[^"\\]|\\.)*)"'
_FIRSTS = re.compile(rf"from\(bucket: {_LITERAL}\) \|> range\(start: (\S+)\) .*\|> first\(\)")
_PAGE = re.compile(
    rf"from\(bucket: {_LITERAL}\) \|> range\(start: (\S+), stop: (\S+)\)"
    rf" \|> filter\(fn: \(r\) => r\._measurement == {_LITERAL} and r\.domain == {_LITERAL}"
    rf" and r\.entity_id == {_LITERAL} and .*\|> limit\(n: (\d+)\)"
)


@dataclass
class StubFlux:
    """One bucket with points: measurement, tags, time, fields."""

    bucket: str = "Home Assistant"
    points: list[tuple[str, Mapping[str, str], datetime, Mapping[str, object]]] = field(default_factory=list)
    faults: deque[web.Response | None] = field(default_factory=deque)
    """What the next queries get; None lets one pass."""
    queries: list[str] = field(default_factory=list)
    gone: bool = False
    dies_after: int | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    hangs_at: int | None = None

    async def start(self) -> str:
        app = web.Application()
        app.router.add_post("/api/v2/query", self._query)
        self._server = TestServer(app)
        await self._server.start_server()
        return str(self._server.make_url("")).rstrip("/")

    async def stop(self) -> None:
        await self._server.close()

    def add(self, measurement: str, entity_id: str, time: datetime, **fields: Any) -> None:
        domain, _, object_id = entity_id.partition(".")
        tags = {"domain": domain, "entity_id": object_id} | fields.pop("tags", {})
        self.points.append((measurement, tags, time, fields))

    async def _query(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        query = asked["query"]
        self.queries.append(query)
        if self.dies_after is not None and len(self.queries) > self.dies_after:
            request.transport.close()
            return web.Response()
        if self.hangs_at is not None and len(self.queries) >= self.hangs_at:
            self.reached.set()
            await asyncio.sleep(60)
        if self.faults and (fault := self.faults.popleft()) is not None:
            return fault
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return _error(401, "unauthorized", "unauthorized access")
        if request.query.get("org") != ORG:
            return _error(404, "not found", "organization name not found")
        assert asked["dialect"]["annotations"] == ["datatype", "group", "default"]
        found = _FIRSTS.match(query) or _PAGE.match(query)
        assert found, query
        if _plain(found[1]) != self.bucket:
            return _error(404, "not found", f'could not find bucket "{_plain(found[1])}"')
        body = self._page(found) if found.re is _PAGE else self._firsts()
        return web.Response(text=body, content_type="text/csv")

    def _firsts(self) -> str:
        firsts: dict[tuple[Any, ...], datetime] = {}
        for measurement, tags, time, fields in self.points:
            for name in fields.keys() & {"value", "state"}:
                key = measurement, tuple(sorted(tags.items())), name
                firsts[key] = min(firsts.get(key, time), time)
        rows = [(time, key[0], dict(key[1])["domain"], dict(key[1])["entity_id"]) for key, time in firsts.items()]
        return _table("string", ("_measurement", "domain", "entity_id"), [(_instant(r[0]), *r[1:]) for r in rows])

    def _page(self, found: re.Match[str]) -> str:
        _, start, stop, measurement, domain, object_id, limit = map(_plain, found.groups())
        begin, end = datetime.fromisoformat(start), datetime.fromisoformat(stop)
        answer = ""
        for name in ("value", "state", "unit_of_measurement_str"):
            rows = sorted(
                (time, fields[name], tags.get("unit_of_measurement", ""))
                for one, tags, time, fields in self.points
                if one == measurement
                and (tags["domain"], tags["entity_id"]) == (domain, object_id)
                and begin <= time < end
                and name in fields
            )[: int(limit)]
            if rows:
                kind = "double" if isinstance(rows[0][1], float | int) else "string"
                cells = [(_instant(time), value, name, unit) for time, value, unit in rows]
                answer += _table(kind, ("_value", "_field", "unit_of_measurement"), cells)
        return answer


def _table(kind: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    types = [kind if column == "_value" else "string" for column in columns]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["#datatype", "string", "long", "dateTime:RFC3339", *types])
    writer.writerow(["#group", "false", "false", "false", *("false" for _ in columns)])
    writer.writerow(["#default", "_result", "", "", *("" for _ in columns)])
    writer.writerow(["", "result", "table", "_time", *columns])
    writer.writerows(["", "", 0, *row] for row in rows)
    return text.getvalue() + "\r\n"


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal)


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
