"""InfluxDB 3: databases made over its own API; rows cannot be deleted, only databases and tables."""

from collections.abc import Mapping
from typing import override

from ...core.model import TimeRange
from ..answer import failure
from ..influx import Scheme
from ..selection import Database
from .base import Server, Signs, whole

_DATABASES = "/api/v3/configure/database"


class InfluxDB3(Server):
    """InfluxDB 3 Core, Enterprise and Clustered."""

    key = "influxdb_3"

    @override
    @classmethod
    def recognises(cls, signs: Signs) -> bool:
        return signs.version.startswith("3.") or signs.build in {"core", "enterprise"}

    @override
    async def databases(self) -> frozenset[str]:
        answer = await self.client.request("GET", _DATABASES, params={"format": "json"}, scheme=Scheme.BEARER)
        if not answer.ok:
            raise failure(answer)
        found = whole(answer)
        rows = found if isinstance(found, list) else []
        return frozenset(str(name) for row in rows if isinstance(row, dict) for name in row.values())

    @override
    async def create(self, database: Database) -> None:
        wanted: dict[str, str] = {"db": database.name}
        if database.keep is not None:
            wanted["retention_period"] = f"{database.keep.days}d"
        answer = await self.client.request("POST", _DATABASES, json_data=wanted, scheme=Scheme.BEARER)
        if not answer.ok:
            raise failure(answer)

    @override
    async def delete_rows(
        self, database: str, measurement: str, tags: Mapping[str, str], when: TimeRange | None = None
    ) -> None:
        raise self.unsupported("delete rows: they go when the database's retention period is over")
