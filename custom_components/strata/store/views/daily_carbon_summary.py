"""How clean the grid was on each day."""

from collections.abc import Iterator

import numpy as np

from ...core.model import MICROS_PER_SECOND, Series
from ...core.rollup import Rollup
from .base import DATE, FIVE_YEARS, Column, View, ViewRow
from .day import CARBON, RENEWABLE
from .facts import Facts
from .metering import factor_to

_UNIT = "gCO2eq/kWh"


def _rows(facts: Facts) -> Iterator[ViewRow]:
    day = facts.day
    for series, rollup in day.chosen(day.inputs.carbon, *CARBON):
        factor = factor_to(series.unit, _UNIT)
        covered = float(rollup.columns["covered"].sum()) / MICROS_PER_SECOND
        if factor is None or not covered:
            continue
        yield (
            day.date,
            _average(rollup) * factor,
            float(np.nanmin(rollup.columns["min"])) * factor,
            float(np.nanmax(rollup.columns["max"])) * factor,
            _renewable(facts, series),
            covered,
        )
        return


def _renewable(facts: Facts, carbon: Series) -> float | None:
    """Return the mean share of renewable energy that the same source told."""
    for series, rollup in facts.day.chosen((), CARBON[0], RENEWABLE):
        if series.key.identity == carbon.key.identity and rollup.columns["covered"].sum():
            return _average(rollup)
    return None


def _average(rollup: Rollup) -> float:
    return float(rollup.columns["integral"].sum()) * MICROS_PER_SECOND / float(rollup.columns["covered"].sum())


DAILY_CARBON_SUMMARY = View(
    name="daily_carbon_summary",
    number=103,
    columns=(
        DATE,
        Column("avg_carbon", unit=_UNIT),
        Column("min_carbon", unit=_UNIT),
        Column("max_carbon", unit=_UNIT),
        Column("avg_renewable", unit="%"),
        Column("covered_seconds", unit="s"),
    ),
    keep_days=FIVE_YEARS,
    rows=_rows,
)
