"""The one way to a server: line protocol to `/write`, InfluxQL to `/query`, over an injected session.

HTTP Basic is the one scheme that InfluxDB 1, 2 and 3 all take on these two paths: a user name with its password,
or any name with a token in the password's place. Management paths of 2 and 3 want the token as such.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
import gzip
import json
import ssl
from typing import Any

import aiohttp

from ..core.model import FieldValue
from .answer import Accepted, Answer, accepted, failure
from .errors import MirrorError, MirrorQueryError, MirrorUnreachable, Obstacle

TIMEOUT_SECONDS = 30.0
"""How long a server may take to answer, whatever it has accepted so far."""
_CONNECT_SECONDS = 10.0
_LONGEST_ANSWER = 4 * 1024 * 1024
_GZIP_LEVEL = 1
"""Measured: higher levels cost several times the time for a tenth less."""


class Scheme(StrEnum):
    """How a request says who is asking."""

    BASIC = "Basic"
    TOKEN = "Token"  # noqa: S105 - the name of a scheme
    BEARER = "Bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a server is and who we are there."""

    url: str
    """Such as `http://influxdb.local:8086`; a path behind it is kept."""
    username: str = ""
    """For InfluxDB 1 and VictoriaMetrics; with a token any name will do."""
    secret: str = field(default="", repr=False)
    """Password or token."""
    org: str = ""
    """Organisation of InfluxDB 2 and Cloud."""
    native_write: bool = False
    """Write to `/api/v2/write`, where the server does not serve `/write`."""


@dataclass(frozen=True, slots=True)
class ResultSeries:
    """One series of an InfluxQL answer."""

    name: str
    tags: Mapping[str, str]
    columns: Sequence[str]
    rows: Sequence[Sequence[FieldValue | None]]

    def dicts(self) -> list[dict[str, FieldValue | None]]:
        """Return the rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def pack(lines: Sequence[str]) -> bytes:
    """Return lines as the body of a write. Costs milliseconds for thousands of lines: not for the event loop."""
    return gzip.compress("\n".join(lines).encode(errors="replace"), _GZIP_LEVEL, mtime=0)


class InfluxClient:
    """Speaks to one server."""

    def __init__(
        self, session: aiohttp.ClientSession, connection: Connection, *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        """Take the session to use, whose TLS settings apply, and where to go."""
        self.connection = connection
        self._session = session
        self._url = connection.url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, _CONNECT_SECONDS))

    async def write(self, database: str, body: bytes) -> Accepted:
        """Write lines, as `pack` made them, to a database or bucket.

        Raises:
            MirrorError: one of its subclasses, by what is to be done about it.
        """
        if self.connection.native_write:
            path, params = "/api/v2/write", {"bucket": database, "org": self.connection.org, "precision": "ns"}
            scheme = Scheme.TOKEN
        else:
            path, params, scheme = "/write", {"db": database}, Scheme.BASIC
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
        return accepted(await self.request("POST", path, params=params, data=body, headers=headers, scheme=scheme))

    async def query(self, statement: str, database: str | None = None, *, change: bool = False) -> list[ResultSeries]:
        """Run one InfluxQL statement and return its series; times are nanoseconds.

        Args:
            statement: the statement.
            database: what it is about, where it is about one.
            change: whether it changes something, which needs a POST.

        Raises:
            MirrorQueryError: the server says what is wrong with it, possibly with HTTP status 200.
            MirrorError: one of its other subclasses.
        """
        params = {"q": statement, "epoch": "ns"} | ({"db": database} if database else {})
        answer = await self.request("POST" if change else "GET", "/query", params=params)
        said = answer.json()
        if not answer.ok:
            raise failure(answer)
        if not isinstance(said, dict) or not isinstance(said.get("results"), list):
            raise MirrorQueryError(f"the answer to a query has no results: {answer.message}")
        found: list[ResultSeries] = []
        for result in said["results"]:
            if "error" in result:
                raise MirrorQueryError(answer.without_secret(str(result["error"])))
            found += [_series(series) for series in result.get("series", ())]
        return found

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        json_data: object = None,
        headers: Mapping[str, str] | None = None,
        scheme: Scheme = Scheme.BASIC,
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        Raises:
            MirrorUnreachable: there was none.
        """
        try:
            sent = {**(headers or {}), **self._authorization(scheme)}
            if json_data is not None:
                data, sent["Content-Type"] = json.dumps(json_data).encode(), "application/json"
            async with self._session.request(
                method,
                f"{self._url}{path}",
                params=params,
                data=data,
                headers=sent,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                body = await _read(response)
                return Answer(
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    body.decode(errors="replace"),
                    self.connection.secret,
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def _authorization(self, scheme: Scheme) -> dict[str, str]:
        connection = self.connection
        if not connection.secret and not connection.username:
            return {}
        if scheme is Scheme.BASIC:
            return {"Authorization": aiohttp.encode_basic_auth(connection.username or "token", connection.secret)}
        return {"Authorization": f"{scheme.value} {connection.secret}"}

    def _without_secret(self, text: str) -> str:
        return text.replace(self.connection.secret, "***") if len(self.connection.secret) > 3 else text

    def _unreachable(self, error: Exception) -> MirrorError:
        for kinds, obstacle, words in _OBSTACLES:
            if isinstance(error, kinds):
                return MirrorUnreachable(words, obstacle)
        return MirrorUnreachable(self._without_secret(f"the request failed: {error}"), Obstacle.NETWORK)


_OBSTACLES: tuple[tuple[tuple[type[Exception], ...], Obstacle, str], ...] = (
    ((TimeoutError,), Obstacle.TIMEOUT, "the server did not answer in time"),
    ((aiohttp.ClientConnectorDNSError, aiohttp.InvalidURL), Obstacle.HOST, "the name of the server is not known"),
    (
        (aiohttp.ClientSSLError, ssl.SSLError),
        Obstacle.TLS,
        "no secure connection: the certificate is not trusted, or the server does not speak TLS",
    ),
    ((aiohttp.ClientConnectorError, ConnectionRefusedError), Obstacle.REFUSED, "nothing answers at this address"),
)
"""Tried in order: the first kinds that fit."""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(65_536):
        body += piece
        if len(body) > _LONGEST_ANSWER:
            raise ValueError(f"the answer is longer than {_LONGEST_ANSWER} bytes")
    return bytes(body)


def _series(found: Mapping[str, Any]) -> ResultSeries:
    return ResultSeries(
        str(found.get("name", "")), found.get("tags") or {}, found.get("columns", ()), found.get("values", ())
    )
