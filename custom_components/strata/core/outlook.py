"""What is foreseen for electricity, on one grid: price, carbon and own solar power, as a load would meet them.

Forecasts come on grids of their own (quarter-hours, half-hours, hours). They are laid on the grid of all their
borders; each keeps its own values and its own holes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

import numpy as np

from .model import Forecast, Micros, Slot, to_micros
from .window_search import Course, Times, Values

_KILOWATT_HOUR = 1000.0 * 3600.0 * 1_000_000.0
"""W times microseconds."""
_GRAMS_PER_KILOGRAM = 1000.0


class Aim(StrEnum):
    """What a window may be chosen by."""

    PRICE = "price"
    """What the energy costs: bought power at its price, own power at what selling it would bring."""
    CARBON = "carbon"
    """What the bought power emits."""
    SOLAR = "solar"
    """How much of the power has to be bought because the own roof does not give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The forecasts that are at hand: price in currency/kWh, carbon in gCO2eq/kWh, solar production in W."""

    price: Forecast | None = None
    carbon: Forecast | None = None
    solar: Forecast | None = None
    export_price: float = 0.0
    """What own power is worth that is not used, per kWh in the price's currency."""
    house_watts: float = 0.0
    """What the home draws anyway; only solar power beyond that is left for a load."""

    @property
    def known(self) -> frozenset[Aim]:
        """The aims there is a forecast for."""
        named = ((Aim.PRICE, self.price), (Aim.CARBON, self.carbon), (Aim.SOLAR, self.solar))
        return frozenset(aim for aim, forecast in named if forecast is not None and forecast.slots)

    @property
    def currency(self) -> str | None:
        """The currency of the price."""
        return self.price.unit.partition("/")[0] if self.price else None


class Totals(NamedTuple):
    """What a load takes where it is: None where that is not known from begin to end."""

    energy_kwh: float
    cost: float | None
    carbon_kg: float | None
    solar_kwh: float | None


@dataclass(frozen=True, slots=True)
class Grid:
    """The forecasts on one grid; unknown values are not a number.

    `rows[aim][k]` holds each piece's value for a load of `watts[k]`: the price and the grams of CO2 per kWh, and the
    share (0 to 1) that has to be bought.
    """

    starts: Times
    ends: Times
    watts: tuple[float, ...]
    rows: Mapping[Aim, Values]

    @classmethod
    def of(cls, outlook: Outlook, watts: Iterable[float]) -> Self:
        """Lay an outlook, which knows at least one forecast, on one grid, as loads of these powers meet it."""
        powers = tuple(sorted({*watts}))
        courses = {
            Aim.PRICE: _course(outlook.price),
            Aim.CARBON: _course(outlook.carbon),
            Aim.SOLAR: _course(outlook.solar, holes=0.0),
        }
        filled = [course for course in courses.values() if len(course.starts)]
        borders = np.unique(np.concatenate([side for course in filled for side in (course.starts, course.ends)]))
        starts, ends = borders[:-1], borders[1:]
        values = {aim: _sampled(course, starts) for aim, course in courses.items()}
        surplus = np.maximum(values[Aim.SOLAR] - outlook.house_watts, 0.0)
        bought = np.stack(
            [1.0 - np.minimum(surplus / power, 1.0) if power else np.ones_like(surplus) for power in powers]
        )
        # Without a solar forecast, or beyond its end, all is reckoned as bought.
        share = np.where(np.isnan(bought), 1.0, bought)
        rows = {
            Aim.PRICE: values[Aim.PRICE] * share + outlook.export_price * (1.0 - share),
            Aim.CARBON: values[Aim.CARBON] * share,
            Aim.SOLAR: bought,
        }
        return cls(starts, ends, powers, rows)

    def row_of(self, watts: float) -> int:
        """Return the row of a load of this power."""
        return self.watts.index(watts)

    def total(self, spans: Sequence[tuple[Micros, Micros, float]]) -> Totals:
        """Return what a load takes that runs in these spans (start, end, W)."""
        energy = sum((end - start) * watts for start, end, watts in spans) / _KILOWATT_HOUR
        carbon, bought = self._sum(Aim.CARBON, spans), self._sum(Aim.SOLAR, spans)
        return Totals(
            energy_kwh=energy,
            cost=self._sum(Aim.PRICE, spans),
            carbon_kg=None if carbon is None else carbon / _GRAMS_PER_KILOGRAM,
            solar_kwh=None if bought is None else energy - bought,
        )

    def _sum(self, aim: Aim, spans: Sequence[tuple[Micros, Micros, float]]) -> float | None:
        """Return the sum of value times kWh over the spans; None when a part of them is not known."""
        total = 0.0
        for start, end, watts in spans:
            if not watts:
                continue
            lengths = np.maximum(np.minimum(self.ends, end) - np.maximum(self.starts, start), 0)
            values = self.rows[aim][self.row_of(watts)]
            met = (lengths > 0) & ~np.isnan(values)
            if int(lengths[met].sum()) < end - start:
                return None
            total += float((values[met] * lengths[met]).sum()) * watts / _KILOWATT_HOUR
        return total


def _course(forecast: Forecast | None, *, holes: float | None = None) -> Course:
    """Return a forecast as a course; with `holes`, what is not named between its first and last slot has that value."""
    slots: Sequence[Slot] = forecast.slots if forecast else ()
    course = Course.of((to_micros(slot.start), to_micros(slot.end), slot.value) for slot in slots)
    if holes is None or len(course.starts) == 0:
        return course
    missing = course.ends[:-1] < course.starts[1:]
    order = np.argsort(starts := np.concatenate((course.starts, course.ends[:-1][missing])), kind="stable")
    ends = np.concatenate((course.ends, course.starts[1:][missing]))
    values = np.concatenate((course.values[0], np.full(int(missing.sum()), holes)))
    return Course(starts[order], ends[order], values[order][np.newaxis, :])


def _sampled(course: Course, starts: Times) -> Values:
    """Return the course's value at each start, not a number where it has none."""
    if not len(course.starts):
        return np.full(len(starts), np.nan)
    at = np.maximum(np.searchsorted(course.starts, starts, side="right") - 1, 0)
    inside = (course.starts[at] <= starts) & (starts < course.ends[at])
    return np.where(inside, course.values[0][at], np.nan)
