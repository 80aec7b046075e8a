"""Archived days into Home Assistant's long-term statistics: one row for each day, at its first full hour.

External statistics (`strata:...`) are their own; an entity's own statistics only get what is older than their first
row, so nothing that Home Assistant has made itself changes.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import math
from typing import Any

from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    STATISTIC_UNIT_TO_UNIT_CONVERTER,
    async_add_external_statistics,
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import slugify

from .archive.restore import Restorer
from .archive.tables import SeriesBuckets
from .const import DOMAIN
from .core.model import MICROS_PER_SECOND, Kind, Micros, Series, TimeRange, from_micros
from .core.rollup import Rollup
from .core.units import UnitError, convert

_HOUR = 3600 * MICROS_PER_SECOND
_RECORDER = "recorder"
_EVER = TimeRange(0, 2**53)
type _Buckets = Callable[[TimeRange, frozenset[str] | None], Iterator[SeriesBuckets]]
_KINDS = frozenset({Kind.MEASUREMENT, Kind.METER, Kind.ON_OFF})


@dataclass(slots=True)
class ImportReport:
    """Which statistics got how many rows."""

    statistics: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _First:
    """The first row a statistic has, in its unit."""

    start: Micros
    state: float | None
    sum: float | None

    def sum_before(self, reading: float) -> float:
        """Return the sum at an earlier reading of the meter; a meter that shows less by now has begun again."""
        if self.sum is None:
            return 0.0
        if self.state is None:
            return self.sum
        return self.sum - (self.state - reading if self.state >= reading else self.state)


@dataclass(slots=True)
class _Place:
    """Where the days of one series go."""

    metadata: StatisticMetaData
    factor: Callable[[float], float]
    first: _First | None = None
    """None where it has no rows yet."""
    sum: float = 0.0

    @property
    def until(self) -> Micros:
        """Up to where rows go."""
        return _EVER.end if self.first is None else self.first.start


class StatisticsImport:
    """Imports one range; used on a thread of its own, it works with the recorder through the event loop."""

    def __init__(self, hass: HomeAssistant, restorer: Restorer, *, own: bool, hours: _Buckets | None = None) -> None:
        """Read days from `restorer`, or `hours` where they are given; with `own` into the entities' own statistics."""
        self._hass = hass
        self._restorer = restorer
        self._own = own
        self._of_hours = hours is not None
        self._told: _Buckets = hours or restorer.days
        self._places: dict[str, _Place | None] = {}
        self.report = ImportReport()

    def run(self, when: TimeRange, entities: frozenset[str] | None) -> ImportReport:
        """Import what the archive has of a range."""
        # A sum goes on from month to month, so it is reckoned from the beginning of the archive whatever the range is:
        # importing another range, or the same again, then fits.
        if self._own:
            self._join_sums(entities)
        for series, rolled in self._told(TimeRange(0, when.end), entities):
            place = self._place(series, rolled.kind) if rolled.kind in _KINDS else None
            if place is None:
                continue
            rows = [row for moment, row in self._rows(rolled, place) if moment in when]
            if rows:
                self._add(place.metadata, rows)
        self.report.problems += self._restorer.report.problems
        return self.report

    def _join_sums(self, entities: frozenset[str] | None) -> None:
        """Let sums begin so that the last archived day ends where the recorder's first row begins."""
        readings: dict[str, float] = {}
        for series, rolled in self._meters(entities):
            if (place := self._place(series, rolled.kind)) is None:
                continue
            for at, growth in self._growth(rolled, place):
                place.sum -= growth
                if math.isfinite(last := float(rolled.columns["last"][at])):
                    readings[place.metadata["statistic_id"]] = place.factor(last)
        for name, reading in readings.items():
            if (place := self._places[name]) is not None and place.first is not None:
                place.sum += place.first.sum_before(reading)

    def _meters(self, entities: frozenset[str] | None) -> Iterator[SeriesBuckets]:
        for series, rolled in self._told(_EVER, entities):
            if rolled.kind is Kind.METER:
                yield series, rolled

    # Where to

    def _place(self, series: Series, kind: Kind) -> _Place | None:
        name = self._name(series)
        if name is None:
            return None
        if name not in self._places:
            self._places[name] = self._found(name, series, kind)
        place = self._places[name]
        # A series that has changed its kind has statistics of the one it has had first.
        return place if place is not None and place.metadata["has_sum"] == (kind is Kind.METER) else None

    def _name(self, series: Series) -> str | None:
        entity_id = series.labels.get("entity_id")
        if self._own:
            return entity_id if series.key.field == "value" else None
        words = (series.key.measurement, series.key.field, *series.key.tags.values())
        name = slugify(entity_id or " ".join(words))
        # Sums of hours and of days are reckoned from different beginnings, so they never meet in one statistic. No
        # entity id begins like that.
        return f"{DOMAIN}:hours_of_{name}" if self._of_hours else f"{DOMAIN}:{name}"

    def _found(self, name: str, series: Series, kind: Kind) -> _Place | None:
        metadata = StatisticMetaData(
            has_sum=kind is Kind.METER,
            mean_type=StatisticMeanType.NONE if kind is Kind.METER else StatisticMeanType.ARITHMETIC,
            name=None if self._own else series.labels.get("friendly_name") or name.removeprefix(f"{DOMAIN}:"),
            source=_RECORDER if self._own else DOMAIN,
            statistic_id=name,
            unit_class=_unit_class(series.unit),
            unit_of_measurement=series.unit,
        )
        if not self._own:
            return _Place(metadata, lambda value: value)
        known, first = self._known(name)
        if known is None:
            return _Place(metadata, lambda value: value)
        unit = known["unit_of_measurement"]
        if known["has_sum"] != metadata["has_sum"] or not _converts(series.unit, unit):
            self.report.problems.append(f"{name}: its statistics are of another kind or unit")
            return None
        return _Place(known, _conversion(series.unit, unit), first)

    def _known(self, name: str) -> tuple[StatisticMetaData | None, _First | None]:
        """Return what the recorder knows of a statistic, and its first row."""

        def look() -> tuple[StatisticMetaData | None, _First | None]:
            found = get_metadata(self._hass, statistic_ids={name})
            if name not in found:
                return None, None
            metadata = found[name][1]
            # Otherwise figures come in the unit of the entity's state, which is not always that of its statistics.
            kind, unit = metadata["unit_class"], metadata["unit_of_measurement"]
            units = {kind: unit} if kind and unit else None
            columns: set[Any] = {"state", "mean", "sum"}
            begin, span = datetime(1970, 1, 2, tzinfo=UTC), timedelta(days=32)
            months = statistics_during_period(self._hass, begin, None, {name}, "month", units, columns)
            if not months.get(name):
                return metadata, None
            begin = datetime.fromtimestamp(months[name][0]["start"], UTC)
            hours = statistics_during_period(self._hass, begin, begin + span, {name}, "hour", units, columns)
            row = hours[name][0]
            return metadata, _First(int(row["start"] * MICROS_PER_SECOND), row.get("state"), row.get("sum"))

        known: tuple[StatisticMetaData | None, _First | None] = self._wait(
            lambda: get_instance(self._hass).async_add_executor_job(look)
        )
        return known

    # Rows

    def _rows(self, rolled: Rollup, place: _Place) -> Iterator[tuple[Micros, StatisticData]]:
        columns = rolled.columns
        if rolled.kind is Kind.METER:
            for at, growth in self._growth(rolled, place):
                place.sum += growth
                row = StatisticData(start=_hour(int(rolled.starts[at])), sum=place.sum)
                if math.isfinite(last := float(columns["last"][at])):
                    row["state"] = place.factor(last)
                yield int(rolled.starts[at]), row
            return
        lowest, highest = columns.get("min"), columns.get("max")
        for at, mean in enumerate(rolled.mean.tolist()):
            start = int(rolled.starts[at])
            if start >= place.until or not math.isfinite(mean):
                continue
            row = StatisticData(start=_hour(start), mean=place.factor(mean))
            if lowest is not None and highest is not None:
                row["min"], row["max"] = place.factor(float(lowest[at])), place.factor(float(highest[at]))
            yield start, row

    def _growth(self, rolled: Rollup, place: _Place) -> Iterator[tuple[int, float]]:
        """Yield the days that go to a place, and what the meter grew by on each.

        Of the day in which its first row starts the recorder tells the growth itself.
        """
        for at, growth in enumerate(rolled.columns["increase"].tolist()):
            if int(rolled.ends[at]) <= place.until:
                yield at, place.factor(growth)

    def _add(self, metadata: StatisticMetaData, rows: list[StatisticData]) -> None:
        add = async_import_statistics if self._own else async_add_external_statistics

        async def hand_over() -> None:
            add(self._hass, metadata, rows)

        self._wait(hand_over)
        name = metadata["statistic_id"]
        self.report.statistics[name] = self.report.statistics.get(name, 0) + len(rows)

    def _wait(self, work: Callable[[], Any]) -> Any:
        async def do() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(do(), self._hass.loop).result()


def _hour(start: Micros) -> datetime:
    """Return the first full hour of UTC in a day; in half of India's zones that is half an hour after midnight."""
    return from_micros(-(-start // _HOUR) * _HOUR)


def _unit_class(unit: str | None) -> str | None:
    converter = STATISTIC_UNIT_TO_UNIT_CONVERTER.get(unit)
    return None if converter is None else converter.UNIT_CLASS


def _converts(unit: str | None, wanted: str | None) -> bool:
    if unit == wanted:
        return True
    try:
        convert(1.0, unit or "", wanted or "")
    except UnitError:
        return False
    return True


def _conversion(unit: str | None, wanted: str | None) -> Callable[[float], float]:
    if unit == wanted:
        return lambda value: value
    return lambda value: convert(value, unit or "", wanted or "")
