"""One local day as views see it: its hours, and what each series did in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...core.clock import hour_edges, utc_offset
from ...core.entity_series import MEASUREMENT
from ...core.model import MICROS_PER_SECOND, Kind, Micros, Series, SeriesKey, TimeRange
from ...core.rollup import Column, Rollup

type Floats = NDArray[np.float64]

PRICES = ("electricity_pricing", "current_price")
CARBON = ("carbon_intensity", "carbon_intensity_gco2_kwh")
RENEWABLE = "renewable_percentage"
_HOURS_OF_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the home says about its energy; all of it may be missing.

    `prices` and `carbon` are the series to use, best first: the first one that is known in an hour
    counts there. Series of the same measurement that are not named come after them.
    """

    prices: tuple[SeriesKey, ...] = ()
    carbon: tuple[SeriesKey, ...] = ()
    grid: frozenset[str] = frozenset()
    """Entity ids of the meters of what comes from the grid: where there are any, they are the home."""
    apart: frozenset[str] = frozenset()
    """Entity ids of meters of what is not used up: production, feed-in, batteries."""

    def as_json(self) -> dict[str, list[list[str]] | list[str]]:
        """Return the inputs as JSON values, to be kept in the file."""
        return {
            "prices": [[key.measurement, key.identity, key.field] for key in self.prices],
            "carbon": [[key.measurement, key.identity, key.field] for key in self.carbon],
            "grid": sorted(self.grid),
            "apart": sorted(self.apart),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, list[list[str]]] | None) -> Inputs:
        """Return the inputs that were kept; none at all where there are none."""
        if kept is None:
            return cls()
        return cls(
            tuple(SeriesKey(*key) for key in kept["prices"]),
            tuple(SeriesKey(*key) for key in kept["carbon"]),
            frozenset(str(name) for name in kept["grid"]),
            frozenset(str(name) for name in kept["apart"]),
        )


class Day:
    """One local day of a home. Arrays have one entry per hour of it: 23, 24 or 25."""

    def __init__(
        self,
        timezone: str,
        day: date,
        when: TimeRange,
        series: Mapping[int, Series],
        hours: Mapping[int, Rollup],
        inputs: Inputs,
        areas: Mapping[int, list[tuple[Micros, str]]] | None = None,
    ) -> None:
        """Take the day's buckets by series; `areas` says since when a series is in which area."""
        self.timezone = timezone
        self.date = day.toordinal()
        self.weekday = day.weekday()
        self.when = when
        self.series = series
        self.hours = hours
        self.inputs = inputs
        self._areas = areas or {}

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Borders of the day's hours."""
        inner = hour_edges(self.timezone, self.when.start, self.when.end)
        return np.unique(np.array([self.when.start, *inner, self.when.end], np.int64))

    @property
    def starts(self) -> list[Micros]:
        """When each hour begins."""
        return [int(start) for start in self.edges[:-1]]

    @cached_property
    def clock_hours(self) -> list[int]:
        """What the local clock shows at the start of each hour; a repeated hour shows twice."""
        shown = [start + utc_offset(self.timezone, start) * MICROS_PER_SECOND for start in self.starts]
        return [moment // (3600 * MICROS_PER_SECOND) % _HOURS_OF_A_DAY for moment in shown]

    @cached_property
    def length(self) -> Floats:
        """Length of each hour in hours: 1, but for the oddest changes of clocks."""
        return np.diff(self.edges) / (3600.0 * MICROS_PER_SECOND)

    def spread(self, rollup: Rollup, column: Column) -> Floats:
        """Return a series' column by hour of the day, NaN where it has no bucket.

        Buckets that begin inside an hour of the day (the home has moved to another time zone)
        count there.
        """
        place = np.searchsorted(self.edges, rollup.starts, "right") - 1
        total = np.full(len(self.edges) - 1, np.nan)
        total[place] = 0.0
        np.add.at(total, place, column.astype(np.float64))
        return total

    def of_kind(self, kind: Kind) -> Iterable[tuple[Series, Rollup]]:
        """Yield the home's own entities of a kind that have buckets on this day."""
        for number, rollup in self.hours.items():
            series = self.series.get(number)
            if series is not None and rollup.kind is kind and series.key.measurement == MEASUREMENT:
                yield series, rollup

    def area(self, series: Series, instant: Micros | None = None) -> str:
        """Return the area a series was in at an instant (default: the day's end), empty for none."""
        moment = self.when.end - 1 if instant is None else instant
        found = series.labels.get("area_id", "")
        for since, area in self._areas.get(series.id or 0, ()):
            if since <= moment:
                found = area
        return found

    def chosen(self, named: tuple[SeriesKey, ...], measurement: str, field: str) -> list[tuple[Series, Rollup]]:
        """Return the series of a source's field that say something today, the named ones first."""
        rank = {key: place for place, key in enumerate(named)}
        found = [
            (series, rollup)
            for number, rollup in self.hours.items()
            if (series := self.series.get(number)) is not None
            and (series.key.measurement, series.key.field) == (measurement, field)
            and rollup.kind is Kind.MEASUREMENT
        ]
        return sorted(found, key=lambda pair: (rank.get(pair[0].key, len(rank)), pair[0].id or 0))
