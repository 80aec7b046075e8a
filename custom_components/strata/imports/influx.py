"""History of an InfluxDB that Home Assistant's own integration has written to.

That integration makes a measurement of each unit (or of the entity id where there is none), with the tags `domain` and
`entity_id` (without its domain), numbers in `value` and texts in `state`. It can be told other names for measurements;
then the unit is a field. It writes nothing while an entity is unavailable, so such gaps cannot be told.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
import math

from homeassistant.components.sensor.const import DEVICE_CLASS_UNITS
from homeassistant.core import HomeAssistant

from ..core.clock import day_edges
from ..core.model import Micros, Series, TimeRange
from ..core.units import UnitError, convert
from ..mirror.errors import MirrorBusy, MirrorError, MirrorRefused, MirrorUnreachable, Refusal
from ..mirror.influx import InfluxClient
from .base import Batch, ImportFailed, OldState
from .flux import Flux
from .influxql import InfluxQL
from .points import UNIT, Language, OldPoint

_DAYS_AT_ONCE = 7
_TRIES = 6
_LONGEST_WAIT = 300.0
"""Seconds; the limits of InfluxDB Cloud count anew every five minutes."""
_UNITS = frozenset(str(unit) for units in DEVICE_CLASS_UNITS.values() for unit in units if unit is not None)
_WORDS: Mapping[Refusal, str] = {
    Refusal.CREDENTIALS: "the user or token is not accepted",
    Refusal.PERMISSION: "the user or token may not read it",
    Refusal.MISSING: "there is no such database, bucket or organization",
    Refusal.MAPPING: "the bucket is not mapped to a database; name the organization, and it is read without",
}


class InfluxSource:
    """Reads one database or bucket: in Flux where an organisation is named, and otherwise in InfluxQL."""

    def __init__(
        self,
        hass: HomeAssistant,
        client: InfluxClient,
        database: str,
        timezone: str,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Read a database or bucket; `pause` waits for a server that is busy or gone."""
        self.name = f"influxdb:{client.connection.url}:{database}"
        self._hass = hass
        self._language: Language = Flux(client, database) if client.connection.org else InfluxQL(client, database)
        self._timezone = timezone
        self._pause = pause
        self._measurements: Mapping[str, Sequence[str]] | None = None
        self._attributes: dict[tuple[str, str, str | None], Mapping[str, object]] = {}

    async def entities(self) -> list[str]:
        """Return the entities that have points.

        Raises:
            ImportFailed: the server cannot be asked, or refuses.
        """
        if self._measurements is None:
            try:
                self._measurements = await self._language.measurements()
            except MirrorError as error:
                raise ImportFailed(_reason(error)) from error
        return sorted(self._measurements)

    async def read(self, entity_id: str, series: Sequence[Series], when: TimeRange) -> AsyncIterator[Batch]:
        """Yield an entity's states, a week at a time.

        Raises:
            ImportFailed: the server cannot be asked, or refuses.
        """
        await self.entities()
        measurements = (self._measurements or {}).get(entity_id, [])
        begin = [await self._patiently(lambda one=one: self._language.first(one, entity_id)) for one in measurements]  # type: ignore[misc]
        firsts = [first for first in begin if first is not None]
        if not firsts or min(firsts) >= when.end:
            return
        self._attributes.clear()
        days = day_edges(self._timezone, max(when.start, min(firsts)) - _day(), when.end)
        borders = [*days[::_DAYS_AT_ONCE], when.end]
        for start, end in pairwise(borders):
            states = [state for one in measurements for state in await self._states(one, entity_id, start, end)]
            if states and end > start:
                yield Batch(TimeRange(start, end), sorted(states, key=lambda state: state.time))

    async def _states(self, measurement: str, entity_id: str, start: Micros, end: Micros) -> list[OldState]:
        states: list[OldState] = []
        rest: Micros | None = start
        while rest is not None and rest < end:
            begin = rest
            page = await self._patiently(lambda begin=begin: self._language.page(measurement, entity_id, begin, end))  # type: ignore[misc]
            for point in page.points:
                if (state := _state(point)) is not None:
                    unit = point.unit if isinstance(point.unit, str) else None
                    states.append(OldState(point.time, state, self._read_as(measurement, entity_id, unit)))
            rest = page.rest
        return states

    def _read_as(self, measurement: str, entity_id: str, written: str | None) -> Mapping[str, object]:
        """Return how to read an entity's numbers: as it is read today, in the unit that was written."""
        key = measurement, entity_id, written
        if (known := self._attributes.get(key)) is not None:
            return known
        now = self._hass.states.get(entity_id)
        attributes = {} if now is None else dict(now.attributes)
        unit = written or (measurement if _is_unit(measurement, attributes.get(UNIT)) else None)
        if unit is not None:
            attributes[UNIT] = unit
        self._attributes[key] = attributes
        return attributes

    async def _patiently[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again after a while where the server is busy or gone, as long as it asks for.

        Raises:
            ImportFailed: it refuses, or is not back.
        """
        for tried in range(_TRIES):
            try:
                return await ask()
            except (MirrorBusy, MirrorUnreachable) as error:
                if tried == _TRIES - 1:
                    raise ImportFailed(_reason(error)) from error
                wanted = error.retry_after if isinstance(error, MirrorBusy) else None
                await self._pause(min(2.0**tried if wanted is None else wanted, _LONGEST_WAIT))
            except MirrorError as error:
                raise ImportFailed(_reason(error)) from error
        raise AssertionError("the last try returns or raises")


def _reason(error: MirrorError) -> str:
    said = str(error)
    if isinstance(error, MirrorRefused):
        return f"{_WORDS[error.refusal]} ({said})"
    # Which InfluxDB 2 answers with status 200 where a bucket is not mapped, and InfluxDB 1 where there is none.
    return f"{said}; name the organization to read a bucket of InfluxDB 2" if "database not found" in said else said


def _is_unit(measurement: str, unit: object) -> bool:
    """Tell whether a measurement is named after the unit of its numbers, and not as somebody has chosen."""
    if measurement == unit or measurement in _UNITS:
        return True
    try:
        convert(1.0, measurement, str(unit))
    except UnitError:
        return False
    return unit is not None


def _day() -> int:
    return timedelta(days=1) // timedelta(microseconds=1)


def _state(point: OldPoint) -> str | None:
    """Return the state a point was made of; a number in `state` is an attribute of that name."""
    if isinstance(point.state, str):
        return point.state
    if isinstance(point.value, bool) or not isinstance(point.value, int | float) or not math.isfinite(point.value):
        return None
    return repr(float(point.value)).removesuffix(".0")
