"""What the home's energy cost and stood for, by hour and by day."""

from collections.abc import Iterator

import numpy as np

from .base import DATE, FIVE_YEARS, HOUR, START, YEAR, Column, Shape, View, ViewRow
from .facts import Facts, number


def _hours(facts: Facts) -> Iterator[ViewRow]:
    if facts.home is None:
        return
    basis, kwh = facts.home
    day, rates = facts.day, facts.tariff
    for hour in np.flatnonzero(~np.isnan(kwh)).tolist():
        yield (
            day.date,
            day.starts[hour],
            day.clock_hours[hour],
            float(kwh[hour]),
            number(rates.price[hour]),
            number(kwh[hour] * rates.price[hour]),
            rates.currency[hour],
            number(kwh[hour] * facts.carbon[hour] / 1000.0),
            basis,
        )


def _days(facts: Facts) -> Iterator[ViewRow]:
    if facts.home is None:
        return
    basis, kwh = facts.home
    sums = facts.total(kwh)
    price = sums.cost / sums.cost_kwh if sums.cost is not None and sums.cost_kwh else None
    yield (
        facts.day.date,
        sums.kwh,
        sums.cost,
        sums.currency,
        price,
        sums.carbon_kg,
        sums.cost_kwh,
        sums.carbon_kwh,
        basis,
    )


_KWH = Column("total_kwh", unit="kWh")
_CURRENCY = Column("currency", Shape.TEXT)
_CARBON = Column("carbon_kg", unit="kg")
_BASIS = Column("basis", Shape.TEXT)

HOURLY_ENERGY_COST = View(
    name="hourly_energy_cost",
    number=105,
    columns=(DATE, START, HOUR, _KWH, Column("price"), Column("cost"), _CURRENCY, _CARBON, _BASIS),
    keep_days=YEAR,
    rows=_hours,
)
DAILY_ENERGY_COST = View(
    name="daily_energy_cost",
    number=106,
    columns=(
        DATE,
        _KWH,
        Column("cost"),
        _CURRENCY,
        Column("avg_price"),
        _CARBON,
        Column("cost_kwh", unit="kWh"),
        Column("carbon_kwh", unit="kWh"),
        _BASIS,
    ),
    keep_days=FIVE_YEARS,
    rows=_days,
)
