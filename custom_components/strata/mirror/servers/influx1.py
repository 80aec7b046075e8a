"""InfluxDB 1: databases with a retention policy, deletes in InfluxQL."""

from collections.abc import Mapping
from datetime import timedelta
from typing import override

from ...core.model import TimeRange
from ..selection import Database
from .base import Server, Signs, identifier, text


class InfluxDB1(Server):
    """InfluxDB 1.8 and later; what is used here works from 1.6 on."""

    key = "influxdb_1"

    @override
    @classmethod
    def recognises(cls, signs: Signs) -> bool:
        return signs.version.startswith("1.") and not signs.prometheus

    @override
    async def databases(self) -> frozenset[str]:
        found = await self.client.query("SHOW DATABASES")
        return frozenset(str(row[0]) for series in found for row in series.rows)

    @override
    async def create(self, database: Database) -> None:
        statement = f"CREATE DATABASE {identifier(database.name)} WITH"
        statement += f" DURATION {_duration(database.keep)} REPLICATION 1"
        if database.shard is not None:
            statement += f" SHARD DURATION {_duration(database.shard)}"
        await self.client.query(f'{statement} NAME "autogen"', change=True)

    @override
    async def delete_rows(
        self, database: str, measurement: str, tags: Mapping[str, str], when: TimeRange | None = None
    ) -> None:
        conditions = [f"{identifier(name)} = {text(value)}" for name, value in tags.items()]
        if when is not None:
            conditions += [f"time >= {when.start * 1000}", f"time < {when.end * 1000}"]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        statement = f"DELETE FROM {identifier(measurement)}{where}"  # noqa: S608 - quoted
        await self.client.query(statement, database, change=True)


def _duration(length: timedelta | None) -> str:
    return "INF" if length is None else f"{round(length.total_seconds() / 3600)}h"
