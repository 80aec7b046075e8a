"""VictoriaMetrics: takes line protocol, keeps numbers only, has no databases and is not asked in InfluxQL.

A field `value` of a measurement `m` becomes the metric `m_value`; the database becomes the label `db`.
"""

from collections.abc import Mapping
import json
from typing import override

from ...core.model import TimeRange
from ..answer import failure
from ..errors import MirrorQueryError
from ..selection import Database
from .base import Server, Signs

_FORECAST = "_forecast"


class VictoriaMetrics(Server):
    """VictoriaMetrics, single node."""

    key = "victoria_metrics"
    strings = False
    has_databases = False
    # Who looks earlier is told "nothing" from a cache for the next ten seconds.
    readable_after = 2.0

    @override
    @classmethod
    def recognises(cls, signs: Signs) -> bool:
        return signs.prometheus and signs.ping.ok

    @override
    async def databases(self) -> frozenset[str]:
        return frozenset()

    @override
    async def create(self, database: Database) -> None:
        raise self.unsupported("create databases: it has none")

    @override
    async def delete_rows(
        self, database: str, measurement: str, tags: Mapping[str, str], when: TimeRange | None = None
    ) -> None:
        if when is not None:
            raise self.unsupported("delete a range: it deletes whole series")
        names = f'__name__=~"{measurement}_.*"'
        if not measurement.endswith(_FORECAST):
            # A measurement's forecasts begin with its name, and are told from it by nothing else.
            names += f',__name__!~"{measurement}{_FORECAST}_.*"'
        answer = await self.client.request(
            "POST", "/api/v1/admin/tsdb/delete_series", params={"match[]": _selector(names, database, tags)}
        )
        if not answer.ok:
            raise failure(answer)

    @override
    async def value(self, database: str, measurement: str, tags: Mapping[str, str]) -> float | None:
        name = f'__name__="{measurement}_value"'
        answer = await self.client.request("GET", "/api/v1/export", params={"match[]": _selector(name, database, tags)})
        if not answer.ok:
            raise failure(answer)
        try:
            values = [value for line in answer.body.splitlines() for value in json.loads(line)["values"]]
        except (ValueError, KeyError, TypeError) as error:
            raise MirrorQueryError(f"the export cannot be read: {answer.message}") from error
        return float(values[-1]) if values else None


def _selector(name: str, database: str, tags: Mapping[str, str]) -> str:
    labels = [name, *(f"{key}={json.dumps(value)}" for key, value in {"db": database, **tags}.items())]
    return "{" + ",".join(labels) + "}"
