"""What differs between kinds of servers: how they are known, set up and cleared. One small file per kind."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from ...core.model import Series, TimeRange
from ..answer import Answer
from ..errors import MirrorQueryError, MirrorUnsupported
from ..influx import InfluxClient
from ..render import identity_tags
from ..selection import Database


@dataclass(frozen=True, slots=True)
class Signs:
    """What a server shows of itself: its answer to `/ping`, and whether it serves Prometheus' build information."""

    url: str
    ping: Answer
    prometheus: bool

    @property
    def version(self) -> str:
        """The version it claims, without a leading `v`; empty when it claims none."""
        said = self.ping.json()
        told = said.get("version") if isinstance(said, dict) else None
        return str(self.ping.headers.get("x-influxdb-version") or told or "").removeprefix("v")

    @property
    def build(self) -> str:
        """The build it claims in lower case, such as `oss`, `core` or `enterprise`."""
        return self.ping.headers.get("x-influxdb-build", "").lower()


class Server(ABC):
    """One kind of server. What all have in common is `InfluxClient`'s."""

    key: ClassVar[str]
    """Translation key of its name."""
    strings: ClassVar[bool] = True
    """Whether it keeps fields that are text."""
    has_databases: ClassVar[bool] = True
    readable_after: ClassVar[float] = 0.0
    """Seconds from writing to when looking for it makes sense."""
    org: ClassVar[bool] = False
    """Whether it wants to know an organisation."""

    def __init__(self, client: InfluxClient, version: str = "") -> None:
        """Take the way to the server and the version it claims."""
        self.client = client
        self.version = version

    @classmethod
    @abstractmethod
    def recognises(cls, signs: Signs) -> bool:
        """Tell whether a server that shows these signs is of this kind."""

    @abstractmethod
    async def databases(self) -> frozenset[str]:
        """Return the names of the databases or buckets we may see.

        Raises:
            MirrorError: the server does not say.
        """

    @abstractmethod
    async def create(self, database: Database) -> None:
        """Create a database or bucket.

        Raises:
            MirrorError: it cannot be created.
        """

    @abstractmethod
    async def delete_rows(
        self, database: str, measurement: str, tags: Mapping[str, str], when: TimeRange | None = None
    ) -> None:
        """Delete the points of a measurement with these tags, in a range or at all times.

        Raises:
            MirrorUnsupported: this kind of server cannot.
            MirrorError: it could, and did not.
        """

    async def delete_series(
        self, databases: Iterable[str], series: Iterable[Series], when: TimeRange | None = None
    ) -> list[str]:
        """Delete the points of some series, rows and roll-ups alike; return the databases in which that was done.

        Points are found by what a series is known by on a server now: an entity's id, or a reading's key tags. Points
        that an entity wrote under an earlier id are not found. Databases that are not there are passed over. InfluxDB
        answers before the space is free.

        Raises:
            MirrorUnsupported: this kind of server cannot.
            MirrorError: it could, and did not; what was deleted before stays deleted.
        """
        named = {(each.key.measurement, tuple(sorted(identity_tags(each).items()))) for each in series}
        there = await self.databases() if self.has_databases else frozenset(databases)
        chosen = [database for database in dict.fromkeys(databases) if database in there]
        for database in chosen:
            for measurement, tags in sorted(named):
                await self.delete_rows(database, measurement, dict(tags), when)
        return chosen

    async def value(self, database: str, measurement: str, tags: Mapping[str, str]) -> float | None:
        """Return the field `value` of the newest point with these tags, None when there is none.

        Raises:
            MirrorError: the server does not say.
        """
        where = " AND ".join(f"{identifier(name)} = {text(value)}" for name, value in tags.items())
        statement = f'SELECT LAST("value") FROM {identifier(measurement)} WHERE {where}'  # noqa: S608 - quoted
        found = await self.client.query(statement, database)
        for series in found:
            for row in series.rows:
                value = row[-1]
                if isinstance(value, int | float):
                    return float(value)
        return None

    def unsupported(self, what: str) -> MirrorUnsupported:
        """Return the error that says this kind of server cannot do something."""
        return MirrorUnsupported(f"this kind of server ({self.key}) cannot {what}")


def identifier(name: str) -> str:
    """Return a name as InfluxQL quotes it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """Return a string as InfluxQL quotes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def whole(answer: Answer) -> object:
    """Return an answer's JSON.

    Raises:
        MirrorQueryError: it has none.
    """
    said = answer.json()
    if said is None:
        raise MirrorQueryError(f"the answer is not JSON: {answer.message}")
    return said
