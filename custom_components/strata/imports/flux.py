"""Flux: understood by InfluxDB 2 and its Cloud, of any bucket, whether it is mapped to a database or not.

Nothing is pivoted: the server would hold every field of a span in memory for it. The fields of a point come as rows of
their own and are put together here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
import math

from ..core.model import Micros, to_micros
from ..mirror import flux
from ..mirror.influx import InfluxClient
from .points import OLDEST, PAGE, UNIT, UNIT_FIELD, OldPoint, Page

_FIELDS = ("value", "state", UNIT_FIELD)


class Flux:
    """Asks for one bucket."""

    def __init__(self, client: InfluxClient, bucket: str) -> None:
        """Ask `client`, whose connection names the organisation, for a bucket."""
        self._client = client
        self._bucket = bucket
        self._firsts: dict[tuple[str, str], Micros] = {}

    async def measurements(self) -> Mapping[str, Sequence[str]]:
        """Return the measurements of each entity; when each begins is asked along with it.

        Raises:
            MirrorError: the server does not say.
        """
        columns = '["_time", "_measurement", "domain", "entity_id"]'
        found: dict[str, dict[str, None]] = {}
        query = (
            f"from(bucket: {flux.text(self._bucket)}) |> range(start: {flux.instant(OLDEST)})"
            f" |> filter(fn: (r) => {_any('_field', _FIELDS[:2])})"
            f" |> first() |> keep(columns: {columns}) |> group()"
        )
        for record in await flux.run(self._client, query):
            domain, object_id, measurement = (record.get(name) for name in ("domain", "entity_id", "_measurement"))
            if not (isinstance(domain, str) and isinstance(object_id, str) and isinstance(measurement, str)):
                continue
            entity_id, time = f"{domain}.{object_id}", _micros(record.get("_time"))
            found.setdefault(entity_id, {})[measurement] = None
            known = self._firsts.get((measurement, entity_id), time)
            self._firsts[measurement, entity_id] = min(known, time)
        return {entity_id: list(names) for entity_id, names in found.items()}

    async def first(self, measurement: str, entity_id: str) -> Micros | None:
        """Return when an entity's points begin, as `measurements` has found."""
        return self._firsts.get((measurement, entity_id))

    async def page(self, measurement: str, entity_id: str, start: Micros, end: Micros) -> Page:
        """Return an entity's points from `start` on and before `end`, as many as one answer holds.

        Raises:
            MirrorError: the server does not say.
        """
        if start >= end:
            return Page((), None)
        domain, _, object_id = entity_id.partition(".")
        known = f"r._measurement == {flux.text(measurement)}"
        known += f" and r.domain == {flux.text(domain)} and r.entity_id == {flux.text(object_id)}"
        query = (
            f"from(bucket: {flux.text(self._bucket)})"
            f" |> range(start: {flux.instant(start)}, stop: {flux.instant(end)})"
            f" |> filter(fn: (r) => {known} and ({_any('_field', _FIELDS)}))"
            f' |> group(columns: ["_field"]) |> keep(columns: ["_time", "_field", "_value", "{UNIT}"])'
            f' |> sort(columns: ["_time"]) |> limit(n: {PAGE})'
        )
        return joined(await flux.run(self._client, query))


def joined(records: Sequence[flux.Record]) -> Page:
    """Put the fields of points together; the limit counts for each field, so only what all have reached is whole."""
    fields: dict[str, dict[Micros, flux.Value]] = {name: {} for name in _FIELDS}
    units: dict[Micros, flux.Value] = {}
    counts = dict.fromkeys(_FIELDS, 0)
    for record in records:
        name = str(record.get("_field"))
        if name in fields:
            time = _micros(record.get("_time"))
            fields[name][time] = record.get("_value")
            counts[name] += 1
            if record.get(UNIT):
                units[time] = record[UNIT]
    cut = [max(fields[name]) for name, count in counts.items() if count >= PAGE]
    until = min(cut, default=math.inf)
    value, state, unit = fields.values()
    points = [
        OldPoint(time, value.get(time), state.get(time), unit.get(time) or units.get(time))
        for time in sorted(value.keys() | state.keys())
        if time <= until
    ]
    return Page(points, min(cut) + 1 if cut else None)


def _any(column: str, names: Sequence[str]) -> str:
    return " or ".join(f"r.{column} == {flux.text(name)}" for name in names)


def _micros(time: object) -> Micros:
    """Return an RFC 3339 time; what is finer than microseconds is cut off."""
    return to_micros(datetime.fromisoformat(str(time)))
