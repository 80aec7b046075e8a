"""InfluxDB 2: buckets of an organisation, made and cleared over its own API with a token."""

from collections.abc import Mapping
from typing import Any, ClassVar, override

from ...core.model import TimeRange, from_micros
from ..answer import failure
from ..errors import MirrorQueryError, MirrorRefused, Refusal
from ..influx import Scheme
from ..selection import Database
from .base import Server, Signs, whole

_ALWAYS = ("1970-01-01T00:00:00Z", "2261-01-01T00:00:00Z")
_PAGE = 100


class InfluxDB2(Server):
    """InfluxDB 2.4 and later, where a bucket answers to `/write` and `/query` by its name.

    Earlier ones need a DBRP mapping, which is made together with the bucket.
    """

    key = "influxdb_2"
    org = True
    shards: ClassVar[bool] = True

    @override
    @classmethod
    def recognises(cls, signs: Signs) -> bool:
        return signs.version.startswith("2.")

    @override
    async def databases(self) -> frozenset[str]:
        names: set[str] = set()
        while True:
            parameters = {"limit": str(_PAGE), "offset": str(len(names)), **self._org}
            buckets = (await self._ask("GET", "/api/v2/buckets", parameters)).get("buckets", [])
            before = len(names)
            names |= {str(bucket["name"]) for bucket in buckets}
            if len(buckets) < _PAGE or len(names) == before:
                return frozenset(names)

    @override
    async def create(self, database: Database) -> None:
        rule: dict[str, object] = {
            "type": "expire",
            "everySeconds": 0 if database.keep is None else int(database.keep.total_seconds()),
        }
        if self.shards and database.shard is not None:
            rule["shardGroupDurationSeconds"] = int(database.shard.total_seconds())
        org = await self._org_id()
        bucket = await self._ask(
            "POST",
            "/api/v2/buckets",
            body={"orgID": org, "name": database.name, "retentionRules": [rule], "description": "Strata"},
        )
        if self._needs_mapping:
            await self._ask(
                "POST",
                "/api/v2/dbrps",
                body={
                    "orgID": org,
                    "bucketID": bucket["id"],
                    "database": database.name,
                    "retention_policy": "autogen",
                    "default": True,
                },
            )

    @property
    def _needs_mapping(self) -> bool:
        """Whether buckets are not mapped by themselves: they are since 2.4.0."""
        major, minor, *_ = (*self.version.split("."), "0")
        return major == "2" and minor.isdigit() and int(minor) < 4

    @override
    async def delete_rows(
        self, database: str, measurement: str, tags: Mapping[str, str], when: TimeRange | None = None
    ) -> None:
        start, stop = _ALWAYS if when is None else (_instant(when.start), _instant(when.end - 1))
        predicate = " AND ".join(
            f"{name}={_quoted(value)}" for name, value in {"_measurement": measurement, **tags}.items()
        )
        await self._ask(
            "POST",
            "/api/v2/delete",
            {"bucket": database, **self._org},
            {"start": start, "stop": stop, "predicate": predicate},
        )

    @property
    def _org(self) -> dict[str, str]:
        org = self.client.connection.org
        return {"org": org} if org else {}

    async def _org_id(self) -> str:
        found = (await self._ask("GET", "/api/v2/orgs", self._org)).get("orgs", [])
        if not found:
            raise MirrorRefused(f"there is no organisation {self.client.connection.org!r}", Refusal.MISSING)
        return str(found[0]["id"])

    async def _ask(
        self, method: str, path: str, parameters: Mapping[str, str] | None = None, body: object = None
    ) -> Mapping[str, Any]:
        answer = await self.client.request(method, path, params=parameters, json_data=body, scheme=Scheme.TOKEN)
        if not answer.ok:
            raise failure(answer)
        if answer.status == 204:
            return {}
        said = whole(answer)
        if not isinstance(said, dict):
            raise MirrorQueryError(f"the answer of {path} is no object")
        return said


def _instant(micros: int) -> str:
    return from_micros(micros).isoformat().replace("+00:00", "Z")


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
