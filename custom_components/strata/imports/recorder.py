"""History of Home Assistant's recorder: hours from its long-term statistics, states from its last days."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from homeassistant.core import HomeAssistant
import numpy as np

from ..core.clock import day_edges, floor_hour
from ..core.model import MICROS_PER_SECOND, Kind, Micros, Series, TimeRange, from_micros
from ..core.rollup import Column, Rollup
from ..core.units import UnitError, convert
from .base import Batch, ImportFailed, OldState

RECORDER = "recorder"
_HOUR = 3600 * MICROS_PER_SECOND
_STATISTICS_AT_ONCE = timedelta(days=200)
_DAYS_AT_ONCE = 2
"""Days of states in memory."""
_NUMBERS = (Kind.MEASUREMENT, Kind.METER)

type Statistics = Sequence[Mapping[str, Any]]


class RecorderSource:
    """Reads through the recorder's own functions, on its executor."""

    name = RECORDER

    def __init__(self, hass: HomeAssistant, timezone: str) -> None:
        """Read the recorder of a running Home Assistant.

        Raises:
            ImportFailed: it has none.
        """
        if RECORDER not in hass.config.components:
            raise ImportFailed("the recorder is not set up")
        # Home Assistant may run without its recorder, and its libraries are heavy.
        from homeassistant.helpers.recorder import get_instance

        self._hass = hass
        self._instance = get_instance(hass)
        self._timezone = timezone

    async def entities(self) -> list[str]:
        """Return the entities that have a state now."""
        return sorted(self._hass.states.async_entity_ids())

    async def read(self, entity_id: str, series: Sequence[Series], when: TimeRange) -> AsyncIterator[Batch]:
        """Yield hours up to the first state the recorder still has, then its states, a few days at a time."""
        days = timedelta(days=self._instance.keep_days + 1)
        oldest = max(when.start, when.end - days // timedelta(microseconds=1))
        until: Micros | None = None
        for start, end in self._stretches(TimeRange(min(oldest, when.end), when.end)):
            states = await self._instance.async_add_executor_job(
                _states, self._hass, entity_id, from_micros(start), from_micros(end)
            )
            if until is None:
                if not states:
                    continue
                until = floor_hour(self._timezone, states[0].time)
                async for batch in self._hours(entity_id, series, TimeRange(when.start, until)):
                    yield batch
            yield Batch(TimeRange(max(start, until), end), states)
        if until is None:
            rest = TimeRange(when.start, floor_hour(self._timezone, when.end))
            async for batch in self._hours(entity_id, series, rest):
                yield batch

    def _stretches(self, when: TimeRange) -> Iterator[tuple[Micros, Micros]]:
        """Yield stretches that end with a local day, as long as is read at once."""
        edges = [edge for edge in day_edges(self._timezone, when.start, when.end) if when.start < edge < when.end]
        return ((start, end) for start, end in pairwise([when.start, *edges[::_DAYS_AT_ONCE], when.end]) if start < end)

    async def _hours(self, entity_id: str, series: Sequence[Series], when: TimeRange) -> AsyncIterator[Batch]:
        for one in series:
            if one.kind in _NUMBERS and when.start < when.end:
                async for batch in self._statistics(entity_id, one, when):
                    yield batch

    async def _statistics(self, entity_id: str, series: Series, when: TimeRange) -> AsyncIterator[Batch]:
        start, end = from_micros(when.start), from_micros(when.end)
        unit, first = await self._instance.async_add_executor_job(_known_from, self._hass, entity_id, start)
        if first is None:
            return
        try:
            zero, one = (convert(value, unit or "", series.unit or "") for value in (0.0, 1.0))
        except UnitError:
            return
        before: float | None = None
        start = max(start, first)
        while start < end:
            stop = min(start + _STATISTICS_AT_ONCE, end)
            rows = await self._instance.async_add_executor_job(_statistics, self._hass, entity_id, start, stop, unit)
            hours, before = _as_hours(series.kind, rows, zero, one - zero, before)
            if len(hours):
                yield Batch(TimeRange(int(hours.starts[0]), int(hours.ends[-1])), hours=[(series, hours)])
            start = stop


def _states(hass: HomeAssistant, entity_id: str, start: datetime, end: datetime) -> list[OldState]:
    from homeassistant.components.recorder.history import state_changes_during_period

    found = state_changes_during_period(hass, start, end, entity_id, include_start_time_state=False)
    return [
        OldState(round(state.last_changed_timestamp * MICROS_PER_SECOND), state.state, state.attributes)
        for states in found.values()
        for state in states
        if start <= state.last_changed < end
    ]


def _known_from(hass: HomeAssistant, entity_id: str, start: datetime) -> tuple[str | None, datetime | None]:
    """Return the unit of an entity's statistics and when they begin."""
    from homeassistant.components.recorder.statistics import get_metadata, statistics_during_period

    metadata = get_metadata(hass, statistic_ids={entity_id})
    if entity_id not in metadata:
        return None, None
    unit = metadata[entity_id][1].get("unit_of_measurement")
    months = statistics_during_period(hass, start, None, {entity_id}, "month", None, {"state", "mean"})
    first = next((row["start"] for row in months.get(entity_id, ())), None)
    return unit, None if first is None else from_micros(round(first * MICROS_PER_SECOND))


def _statistics(hass: HomeAssistant, entity_id: str, start: datetime, end: datetime, unit: str | None) -> Statistics:
    """Return an entity's hours in the unit its statistics are kept in, whatever it is shown in."""
    from homeassistant.components.recorder.statistics import (
        STATISTIC_UNIT_TO_UNIT_CONVERTER,
        statistics_during_period,
    )

    converter = STATISTIC_UNIT_TO_UNIT_CONVERTER.get(unit)
    units = {converter.UNIT_CLASS: unit} if converter is not None and unit is not None else None
    found = statistics_during_period(
        hass, start, end, {entity_id}, "hour", units, {"mean", "min", "max", "state", "sum"}
    )
    return found.get(entity_id, [])


def _as_hours(
    kind: Kind, rows: Iterable[Mapping[str, Any]], zero: float, factor: float, before: float | None
) -> tuple[Rollup, float | None]:
    """Return statistics as hours in our unit, and the newest sum; `before` is the one before the first row.

    What statistics do not know stays unknown: how many samples there were, and the first and last value.
    """
    wanted = "mean" if kind is Kind.MEASUREMENT else "sum"
    known = [row for row in rows if row.get(wanted) is not None]
    starts = np.array([round(row["start"] * MICROS_PER_SECOND) for row in known], np.int64)
    size = len(known)

    def column(name: str) -> Column:
        given = [np.nan if row.get(name) is None else float(row[name]) for row in known]
        scaled: Column = np.add(np.multiply(np.array(given, np.float64), factor), zero)
        return scaled

    columns: dict[str, Column] = {"n": np.zeros(size, np.int64), "covered": np.full(size, _HOUR, np.int64)}
    nothing = np.full(size, np.nan)
    if kind is Kind.MEASUREMENT:
        columns |= {
            "integral": np.multiply(column("mean"), 3600.0),
            "sum": np.zeros(size),
            "first": nothing,
            "last": nothing,
        }
        columns |= {"min": column("min"), "max": column("max")}
        return Rollup(kind, starts, starts + _HOUR, columns), before
    sums = np.array([float(row["sum"]) for row in known], np.float64) * factor
    if not size:
        return Rollup(kind, starts, starts, {**columns, "increase": sums}), before
    grown: Column = np.diff(sums, prepend=np.nan if before is None else before).astype(np.float64)
    columns |= {"increase": grown, "resets": np.zeros(size, np.int64), "first": nothing, "last": column("state")}
    # What the very first hour added cannot be told.
    hours = Rollup(kind, starts, starts + _HOUR, columns)
    return hours.select(~np.isnan(grown)), float(sums[-1])
