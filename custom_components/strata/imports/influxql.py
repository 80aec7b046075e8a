"""InfluxQL: understood by InfluxDB 1, by 2 where a bucket is mapped to a database, and by 3."""

from collections.abc import Mapping, Sequence
import re

from ..core.model import Micros
from ..mirror.influx import InfluxClient
from ..mirror.servers.base import identifier, text
from .points import OLDEST, PAGE, UNIT, UNIT_FIELD, OldPoint, Page

_NANOS = 1000
_KEY = re.compile(r"(?<!\\),")


class InfluxQL:
    """Asks for one database."""

    def __init__(self, client: InfluxClient, database: str) -> None:
        """Ask `client` for a database, or for a bucket by the name it is mapped to."""
        self._client = client
        self._database = database

    async def measurements(self) -> Mapping[str, Sequence[str]]:
        """Return the measurements of each entity.

        Raises:
            MirrorError: the server does not say.
        """
        found: dict[str, dict[str, None]] = {}
        for series in await self._client.query("SHOW SERIES", self._database):
            for row in series.rows:
                measurement, tags = parsed(str(row[0]))
                if "entity_id" in tags and "domain" in tags:
                    found.setdefault(f"{tags['domain']}.{tags['entity_id']}", {})[measurement] = None
        return {entity_id: list(names) for entity_id, names in found.items()}

    async def first(self, measurement: str, entity_id: str) -> Micros | None:
        """Return when an entity's points begin.

        Raises:
            MirrorError: the server does not say.
        """
        points = await self._points(measurement, entity_id, OLDEST, None, 1)
        return points[0].time if points else None

    async def page(self, measurement: str, entity_id: str, start: Micros, end: Micros) -> Page:
        """Return an entity's points from `start` on and before `end`, as many as one answer holds.

        Raises:
            MirrorError: the server does not say.
        """
        points = await self._points(measurement, entity_id, start, end, PAGE)
        return Page(points, points[-1].time + 1 if len(points) >= PAGE else None)

    async def _points(
        self, measurement: str, entity_id: str, start: Micros, end: Micros | None, limit: int
    ) -> list[OldPoint]:
        found = await self._client.query(_select(measurement, entity_id, start, end, limit), self._database)
        return [
            OldPoint(
                int(str(row["time"])) // _NANOS,
                row.get("value"),
                row.get("state"),
                row.get(UNIT_FIELD) or row.get(UNIT),
            )
            for one in found
            for row in one.dicts()
        ]


def _select(measurement: str, entity_id: str, start: Micros, end: Micros | None, limit: int) -> str:
    domain, _, object_id = entity_id.partition(".")
    until = "" if end is None else f" AND time < {end * _NANOS}"
    return (
        f'SELECT "value", "state", "{UNIT_FIELD}", "{UNIT}" FROM {identifier(measurement)}'  # noqa: S608 - all is quoted
        f' WHERE "domain" = {text(domain)} AND "entity_id" = {text(object_id)}'
        f" AND time >= {start * _NANOS}{until} ORDER BY time LIMIT {limit}"
    )


def parsed(key: str) -> tuple[str, dict[str, str]]:
    """Return measurement and tags of a series key such as `W,domain=sensor,entity_id=kettle`."""
    measurement, *pairs = _KEY.split(key)
    tags = (re.split(r"(?<!\\)=", pair, maxsplit=1) for pair in pairs)
    return _plain(measurement), {_plain(name): _plain(value) for name, value in (tag for tag in tags if len(tag) == 2)}


def _plain(escaped: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", escaped)
