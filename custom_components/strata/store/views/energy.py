"""Energy of devices, hour by hour, with what it cost and what it stood for when it was used.

A device is counted once: its energy meters where it has any, otherwise its power, integrated over
time. A power entity of a device with a meter only tells average and peak.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.model import MICROS_PER_SECOND, Kind, Series
from ...core.rollup import Rollup
from ...core.units import UnitError, price_unit
from .day import CARBON, PRICES, Day, Floats
from .metering import counted_once, factor_to, is_meter, is_power, named_for

_CARBON_UNIT = "gCO2eq/kWh"


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a kilowatt-hour costs in each hour, NaN where unknown, and in which currency."""

    price: Floats
    currency: list[str | None]


@dataclass(frozen=True, slots=True)
class DeviceEnergy:
    """One device, or one meter of a device with several: arrays have one entry per hour."""

    series: Series
    kwh: Floats
    """NaN where nothing is known."""
    avg_power: float | None
    """Watts over the time that is known."""
    peak_power: float | None

    @property
    def entity_id(self) -> str:
        """The entity it was measured by."""
        return self.series.labels.get("entity_id", "")


@dataclass(frozen=True, slots=True)
class Total:
    """Kilowatt-hours and what is known about them; `cost_kwh` and `carbon_kwh` say of how many."""

    kwh: float
    cost: float | None
    currency: str | None
    carbon_kg: float | None
    cost_kwh: float
    carbon_kwh: float


def devices(day: Day, known_before: Callable[[Series], bool] = lambda series: False) -> list[DeviceEnergy]:
    """Return what each device used on a day.

    `known_before` tells of a meter that is silent today whether it was there shortly before and
    speaks again later: then it will count what it missed, and the power must not count it, too.
    """
    meters: dict[str, list[tuple[Series, Rollup]]] = {}
    powers: dict[str, list[tuple[Series, Rollup]]] = {}
    for series, rollup in day.of_kind(Kind.METER):
        if is_meter(series):
            meters.setdefault(_device(series), []).append((series, rollup))
    for series, rollup in day.of_kind(Kind.MEASUREMENT):
        if is_power(series):
            powers.setdefault(_device(series), []).append((series, rollup))
    silent = {
        _device(series)
        for number, series in day.series.items()
        if number not in day.hours and is_meter(series) and _device(series) in powers and known_before(series)
    }
    found = [
        _metered(day, *meter, _partner(meter[0], own, powers.get(device, ())))
        for device, own in meters.items()
        for meter in counted_once(own)
    ]
    found += [
        _integrated(day, series, rollup)
        for device, own in powers.items()
        if device not in meters and device not in silent
        for series, rollup in counted_once(own)
    ]
    return sorted(found, key=lambda device: device.series.id or 0)


def _device(series: Series) -> str:
    return series.labels.get("device_id") or series.key.identity


def _partner(
    meter: Series, meters: list[tuple[Series, Rollup]], powers: Iterable[tuple[Series, Rollup]]
) -> tuple[Series, Rollup] | None:
    """Return the power that belongs to a meter: the device's only one, or the one of the same name."""
    candidates = list(powers)
    if len(counted_once(meters)) == 1 and len(candidates) == 1:
        return candidates[0]
    return next((power for power in candidates if named_for(power[0]) == named_for(meter)), None)


def _metered(day: Day, series: Series, rollup: Rollup, power: tuple[Series, Rollup] | None) -> DeviceEnergy:
    kwh = day.spread(rollup, rollup.columns["increase"]) * (factor_to(series.unit, "kWh") or 0.0)
    if power is not None:
        return DeviceEnergy(series, kwh, *_watts(*power))
    hours = float(rollup.columns["covered"].sum()) / (3600.0 * MICROS_PER_SECOND)
    average = float(np.nansum(kwh)) * 1000.0 / hours if hours else None
    return DeviceEnergy(series, kwh, average, _highest(kwh * 1000.0 / day.length))


def _integrated(day: Day, series: Series, rollup: Rollup) -> DeviceEnergy:
    kwh = day.spread(rollup, rollup.columns["integral"]) * ((factor_to(series.unit, "kW") or 0.0) / 3600.0)
    return DeviceEnergy(series, kwh, *_watts(series, rollup))


def _watts(series: Series, rollup: Rollup) -> tuple[float | None, float | None]:
    factor = factor_to(series.unit, "W") or 0.0
    covered = float(rollup.columns["covered"].sum()) / MICROS_PER_SECOND
    average = float(rollup.columns["integral"].sum()) * factor / covered if covered else None
    return average, _highest(rollup.columns["max"].astype(np.float64) * factor)


def _highest(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else None


def tariff(day: Day) -> Tariff:
    """Return the price of each hour: the time-weighted mean of the first series that is known in it."""
    price = np.full(len(day.starts), np.nan)
    currency: list[str | None] = [None] * len(day.starts)
    for series, rollup in day.chosen(day.inputs.prices, *PRICES):
        try:
            unit = price_unit(series.unit or "", series.key.tags.get("currency"))
        except UnitError:
            continue
        mean = _mean(day, rollup) * unit.factor
        new = np.isnan(price) & ~np.isnan(mean)
        price[new] = mean[new]
        for hour in np.flatnonzero(new):
            currency[hour] = unit.currency
    return Tariff(price, currency)


def carbon(day: Day) -> Floats:
    """Return the carbon intensity of each hour in gCO2eq/kWh, NaN where unknown."""
    intensity = np.full(len(day.starts), np.nan)
    for series, rollup in day.chosen(day.inputs.carbon, *CARBON):
        factor = factor_to(series.unit, _CARBON_UNIT)
        if factor is not None:
            intensity = np.where(np.isnan(intensity), _mean(day, rollup) * factor, intensity)
    return intensity


def _mean(day: Day, rollup: Rollup) -> Floats:
    covered = day.spread(rollup, rollup.columns["covered"])
    covered[covered == 0] = np.nan
    return day.spread(rollup, rollup.columns["integral"]) * MICROS_PER_SECOND / covered


def total(kwh: Floats, rates: Tariff, intensity: Floats) -> Total:
    """Return what an amount of energy, by hour, cost and stood for.

    Money of two currencies is not added up: the one that more energy was paid in counts.
    """
    used = np.where(np.isnan(kwh), 0.0, kwh)
    currency = _main_currency(used, rates)
    priced = ~np.isnan(rates.price) & np.array([c == currency for c in rates.currency], bool)
    clean = ~np.isnan(intensity)
    return Total(
        kwh=float(used.sum()),
        cost=float((used[priced] * rates.price[priced]).sum()) if priced.any() else None,
        currency=currency,
        carbon_kg=float((used[clean] * intensity[clean]).sum()) / 1000.0 if clean.any() else None,
        cost_kwh=float(used[priced].sum()),
        carbon_kwh=float(used[clean].sum()),
    )


def _main_currency(used: Floats, rates: Tariff) -> str | None:
    paid: dict[str | None, float] = {}
    for hour in np.flatnonzero(~np.isnan(rates.price)).tolist():
        paid[rates.currency[hour]] = paid.get(rates.currency[hour], 0.0) + abs(float(used[hour]))
    return max(paid, key=lambda currency: paid[currency]) if paid else None


def whole_home(day: Day, found: list[DeviceEnergy]) -> tuple[str, Floats] | None:
    """Return what the home used by hour, and what says so: `grid` meters where they are known, else all `devices`."""
    chosen = [device for device in found if device.entity_id in day.inputs.grid]
    basis = "grid" if chosen else "devices"
    if not chosen:
        chosen = [device for device in found if device.entity_id not in day.inputs.apart]
    if not chosen:
        return None
    stacked: NDArray[np.float64] = np.stack([device.kwh for device in chosen])
    known = ~np.isnan(stacked).all(axis=0)
    return basis, np.where(known, np.nansum(stacked, axis=0), np.nan)
