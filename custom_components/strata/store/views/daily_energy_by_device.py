"""What each device used on each day, what it cost and what it stood for."""

from collections.abc import Iterator

from .base import DATE, FIVE_YEARS, SERIES, Column, Shape, View, ViewRow
from .facts import Facts


def _rows(facts: Facts) -> Iterator[ViewRow]:
    apart = facts.day.inputs.apart
    for device in facts.devices:
        sums = facts.total(device.kwh)
        used_up = device.entity_id not in apart
        yield (
            facts.day.date,
            device.series.id,
            sums.kwh,
            device.avg_power,
            device.peak_power,
            sums.cost if used_up else None,
            sums.currency if used_up else None,
            sums.carbon_kg if used_up else None,
            sums.cost_kwh if used_up else 0.0,
            sums.carbon_kwh if used_up else 0.0,
        )


DAILY_ENERGY_BY_DEVICE = View(
    name="daily_energy_by_device",
    number=101,
    columns=(
        DATE,
        SERIES,
        Column("total_kwh", unit="kWh"),
        Column("avg_power", unit="W"),
        Column("peak_power", unit="W"),
        Column("cost"),
        Column("currency", Shape.TEXT),
        Column("carbon_kg", unit="kg"),
        Column("cost_kwh", unit="kWh"),
        Column("carbon_kwh", unit="kWh"),
    ),
    keep_days=FIVE_YEARS,
    rows=_rows,
)
