"""Whether a mirror would work: the real thing is tried, and what is wrong is said precisely."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
import random
import secrets

import aiohttp

from ..core.model import Micros, Point
from .errors import (
    MirrorBusy,
    MirrorError,
    MirrorQueryError,
    MirrorRefused,
    MirrorUnreachable,
    MirrorUnsupported,
    Obstacle,
    Refusal,
)
from .influx import Connection, InfluxClient, pack
from .line_protocol import encode
from .selection import Database
from .servers import detect
from .servers.base import Server
from .servers.cloud import InfluxDBCloud

MEASUREMENT = "strata_check"
_LOOKS = 20
_BETWEEN_LOOKS = 0.5
"""A point may be readable only after a second or so (InfluxDB 3, VictoriaMetrics)."""


class Problem(StrEnum):
    """What is wrong, in the words of the form's errors."""

    HOST = "mirror_host"
    REFUSED = "mirror_refused"
    TLS = "mirror_tls"
    TIMEOUT = "mirror_timeout"
    NETWORK = "mirror_network"
    CREDENTIALS = "mirror_credentials"
    PERMISSION = "mirror_permission"
    MISSING = "mirror_missing"
    MAPPING = "mirror_mapping"
    UNSUPPORTED = "mirror_unsupported"
    BUSY = "mirror_busy"
    REJECTED = "mirror_rejected"
    EXISTS = "mirror_exists"
    """A database of this name is there already, and is not ours."""
    NOT_READ_BACK = "mirror_not_read_back"


class CheckError(Exception):
    """The mirror would not work; `database` names the one it failed at, where it was one.

    `created` holds the databases that were made before: they are ours in the next try.
    """

    def __init__(self, problem: Problem, message: str, database: str = "") -> None:
        """Keep what is wrong and where."""
        super().__init__(message)
        self.problem = problem
        self.database = database
        self.created: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A mirror that works."""

    server: str
    version: str
    native_write: bool
    created: tuple[str, ...]
    """Databases or buckets that were made now."""
    cleared: bool
    """Whether the points written for the check could be deleted again."""


_OBSTACLES = {
    Obstacle.HOST: Problem.HOST,
    Obstacle.REFUSED: Problem.REFUSED,
    Obstacle.TLS: Problem.TLS,
    Obstacle.TIMEOUT: Problem.TIMEOUT,
    Obstacle.NETWORK: Problem.NETWORK,
}
_REFUSALS = {
    Refusal.CREDENTIALS: Problem.CREDENTIALS,
    Refusal.PERMISSION: Problem.PERMISSION,
    Refusal.MISSING: Problem.MISSING,
    Refusal.MAPPING: Problem.MAPPING,
}


def problem_of(error: MirrorError) -> Problem:
    """Return the problem that an error stands for."""
    if isinstance(error, MirrorUnreachable):
        return _OBSTACLES[error.obstacle]
    if isinstance(error, MirrorRefused):
        return _REFUSALS[error.refusal]
    if isinstance(error, MirrorUnsupported):
        return Problem.UNSUPPORTED
    return Problem.BUSY if isinstance(error, MirrorBusy) else Problem.REJECTED


async def check(
    session: aiohttp.ClientSession,
    connection: Connection,
    databases: Sequence[Database],
    *,
    now: Micros,
    ours: frozenset[str] = frozenset(),
    use_existing: bool = False,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> CheckReport:
    """Find the server out, make the databases that are missing, write a point to each, read it and delete it.

    Args:
        session: whose TLS settings apply.
        connection: where to, and as whom.
        databases: what is needed.
        now: the time of the points that are written.
        ours: databases that an earlier check has made.
        use_existing: whether databases that are there and not ours may be written to.
        sleep: waits until a point may have become readable.

    Raises:
        CheckError: what is wrong.
    """
    client = InfluxClient(session, connection)
    try:
        server = await detect(client)
        if isinstance(server, InfluxDBCloud):
            server = _natively(session, server)
    except MirrorError as error:
        raise CheckError(problem_of(error), str(error)) from error
    created: list[str] = []
    try:
        await _provide(server, databases, ours, created, use_existing=use_existing)
        server, cleared = await _try_all(session, server, databases, now, sleep)
    except CheckError as error:
        error.created = tuple(created)
        raise
    return CheckReport(server.key, server.version, server.client.connection.native_write, tuple(created), cleared)


async def _try_all(
    session: aiohttp.ClientSession,
    server: Server,
    databases: Sequence[Database],
    now: Micros,
    sleep: Callable[[float], Awaitable[object]],
) -> tuple[Server, bool]:
    """Try each database; return the server as it has to be written to, and whether all trials are gone."""
    cleared = True
    # Where there are no databases they are only names, and one trial stands for all.
    for database in databases if server.has_databases else databases[:1]:
        try:
            server, gone = await _try(session, server, database.name, now, sleep)
        except MirrorError as error:
            raise CheckError(problem_of(error), str(error), database.name) from error
        cleared &= gone
    return server, cleared


def _natively(session: aiohttp.ClientSession, server: Server) -> Server:
    """Return the same server, written to over `/api/v2/write`."""
    connection = replace(server.client.connection, native_write=True)
    return type(server)(InfluxClient(session, connection), server.version)


async def _provide(
    server: Server, databases: Sequence[Database], ours: frozenset[str], created: list[str], *, use_existing: bool
) -> None:
    """Make the databases that are missing and add them to `created`."""
    if not server.has_databases:
        return
    try:
        present = await server.databases()
    except MirrorRefused as error:
        if error.refusal is not Refusal.PERMISSION or not use_existing:
            raise CheckError(problem_of(error), str(error)) from error
        # Not allowed to look: whether they are there is seen when they are written to.
        return
    except MirrorError as error:
        raise CheckError(problem_of(error), str(error)) from error
    for database in databases:
        if database.name in present:
            if not use_existing and database.name not in ours:
                raise CheckError(Problem.EXISTS, f"{database.name} exists and was not made by Strata", database.name)
            continue
        try:
            await server.create(database)
        except MirrorError as error:
            raise CheckError(problem_of(error), str(error), database.name) from error
        created.append(database.name)


async def _try(
    session: aiohttp.ClientSession,
    server: Server,
    database: str,
    now: Micros,
    sleep: Callable[[float], Awaitable[object]],
) -> tuple[Server, bool]:
    """Write a point, read it and delete it; return the server as it has to be written to, and whether it is gone."""
    # Whole numbers up to 2**20 are the same as float in every server.
    tags, value = {"check": secrets.token_hex(8)}, float(random.randrange(2**20))
    body = await asyncio.to_thread(pack, [encode(Point(MEASUREMENT, tags, {"value": value}, now))])
    try:
        await server.client.write(database, body)
    except MirrorRefused as error:
        # Something serves /ping and /query, and not /write: perhaps it serves the native path.
        if error.refusal is not Refusal.MISSING or not server.org or server.client.connection.native_write:
            raise
        server = _natively(session, server)
        await server.client.write(database, body)
    for look in range(_LOOKS):
        await sleep(_BETWEEN_LOOKS if look else server.readable_after)
        try:
            if await server.value(database, MEASUREMENT, tags) == value:
                break
        except MirrorQueryError as error:
            # Who may write and not read is told that there is no such database.
            raise CheckError(Problem.NOT_READ_BACK, str(error), database) from error
    else:
        raise CheckError(Problem.NOT_READ_BACK, "the point that was written could not be read back", database)
    try:
        await server.delete_rows(database, MEASUREMENT, tags)
    except MirrorError:
        return server, False
    return server, True
