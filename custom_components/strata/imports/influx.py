"""History of an InfluxDB that Home Assistant's own integration has written to.

That integration makes a measurement of each unit (or of the entity id where there is none), with the tags `domain` and
`entity_id` (without its domain), numbers in `value` and texts in `state`. It writes nothing while an entity is
unavailable, so such gaps cannot be told.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
import re

from homeassistant.core import HomeAssistant

from ..core.clock import day_edges
from ..core.model import Micros, Series, TimeRange
from ..mirror.errors import MirrorError
from ..mirror.influx import InfluxClient, ResultSeries
from .base import Batch, ImportFailed, OldState

PAGE = 10_000
"""Points in one answer."""
_DAYS_AT_ONCE = 7
_NANOS = 1000
_OLDEST: Micros = 946_684_800_000_000
_KEY = re.compile(r"(?<!\\),")


class InfluxSource:
    """Reads one database over InfluxQL, which InfluxDB 1 and 2 both speak."""

    def __init__(self, hass: HomeAssistant, client: InfluxClient, database: str, timezone: str) -> None:
        """Read a database, or a bucket with a mapping to one."""
        self.name = f"influxdb:{client.connection.url}:{database}"
        self._hass = hass
        self._client = client
        self._database = database
        self._timezone = timezone
        self._measurements: dict[str, list[str]] | None = None

    async def entities(self) -> list[str]:
        """Return the entities that have points.

        Raises:
            ImportFailed: the server cannot be asked, or refuses.
        """
        if self._measurements is None:
            found: dict[str, list[str]] = {}
            for series in await self._query("SHOW SERIES"):
                for row in series.rows:
                    measurement, tags = _parsed(str(row[0]))
                    if "entity_id" in tags and "domain" in tags:
                        found.setdefault(f"{tags['domain']}.{tags['entity_id']}", []).append(measurement)
            self._measurements = found
        return sorted(self._measurements)

    async def read(self, entity_id: str, series: Sequence[Series], when: TimeRange) -> AsyncIterator[Batch]:
        """Yield an entity's states, a week at a time.

        Raises:
            ImportFailed: the server cannot be asked, or refuses.
        """
        await self.entities()
        measurements = (self._measurements or {}).get(entity_id, [])
        firsts = [first for one in measurements if (first := await self._first(one, entity_id)) is not None]
        if not firsts or min(firsts) >= when.end:
            return
        days = day_edges(self._timezone, max(when.start, min(firsts)) - _day(), when.end)
        borders = [*days[::_DAYS_AT_ONCE], when.end]
        for start, end in pairwise(borders):
            states = [state for one in measurements for state in await self._states(one, entity_id, start, end)]
            if states and end > start:
                yield Batch(TimeRange(start, end), sorted(states, key=lambda state: state.time))

    async def _first(self, measurement: str, entity_id: str) -> Micros | None:
        found = await self._query(_select(measurement, entity_id, _OLDEST, None, 1))
        return next((int(str(row["time"])) // _NANOS for one in found for row in one.dicts()), None)

    async def _states(self, measurement: str, entity_id: str, start: Micros, end: Micros) -> list[OldState]:
        attributes = self._attributes(measurement, entity_id)
        states: list[OldState] = []
        while True:
            found = await self._query(_select(measurement, entity_id, start, end, PAGE))
            rows = [row for one in found for row in one.dicts()]
            for row in rows:
                state = _state(row.get("state"), row.get("value"))
                if state is not None:
                    states.append(OldState(int(str(row["time"])) // _NANOS, state, attributes))
            if len(rows) < PAGE:
                return states
            start = int(str(rows[-1]["time"])) // _NANOS + 1

    def _attributes(self, measurement: str, entity_id: str) -> Mapping[str, object]:
        """Return how to read an entity's numbers: as it is read today, in the unit that was written."""
        now = self._hass.states.get(entity_id)
        attributes = {} if now is None else dict(now.attributes)
        if measurement != entity_id:
            attributes["unit_of_measurement"] = measurement
        return attributes

    async def _query(self, statement: str) -> list[ResultSeries]:
        try:
            return await self._client.query(statement, self._database)
        except MirrorError as error:
            raise ImportFailed(str(error)) from error


def _day() -> int:
    return timedelta(days=1) // timedelta(microseconds=1)


def _state(text: object, value: object) -> str | None:
    if isinstance(text, str):
        return text
    return None if value is None else repr(float(str(value))).removesuffix(".0")


def _select(measurement: str, entity_id: str, start: Micros, end: Micros | None, limit: int) -> str:
    domain, _, object_id = entity_id.partition(".")
    name = measurement.replace("\\", "\\\\").replace('"', '\\"')
    until = "" if end is None else f" AND time < {end * _NANOS}"
    return (
        f'SELECT "value", "state" FROM "{name}" WHERE "domain" = {_quoted(domain)}'  # noqa: S608 - all is quoted
        f' AND "entity_id" = {_quoted(object_id)} AND time >= {start * _NANOS}{until} ORDER BY time LIMIT {limit}'
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _parsed(key: str) -> tuple[str, dict[str, str]]:
    """Return measurement and tags of a series key such as `W,domain=sensor,entity_id=kettle`."""
    measurement, *pairs = (re.sub(r"\\([,= ])", r"\1", part) for part in _KEY.split(key))
    return measurement, {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
