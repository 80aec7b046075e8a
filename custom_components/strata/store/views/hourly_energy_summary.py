"""What the devices of each room used in each hour."""

from collections.abc import Iterator

import numpy as np

from .base import AREA, DATE, HOUR, QUARTER, START, Column, Shape, View, ViewRow
from .facts import Facts


def _rows(facts: Facts) -> Iterator[ViewRow]:
    day, grid = facts.day, facts.day.inputs.grid
    sums: dict[tuple[int, str], tuple[float, int]] = {}
    for device in facts.devices:
        # What comes from the grid is no device in a room, and would count all others once more.
        if device.entity_id in grid:
            continue
        for hour in np.flatnonzero(~np.isnan(device.kwh)).tolist():
            place = hour, day.area(device.series, day.starts[hour])
            kwh, count = sums.get(place, (0.0, 0))
            sums[place] = kwh + float(device.kwh[hour]), count + 1
    for (hour, area), (kwh, count) in sorted(sums.items()):
        watts = kwh * 1000.0 / float(day.length[hour])
        yield day.date, day.starts[hour], area, day.clock_hours[hour], kwh, watts, count


HOURLY_ENERGY_SUMMARY = View(
    name="hourly_energy_summary",
    number=104,
    columns=(
        DATE,
        START,
        AREA,
        HOUR,
        Column("total_kwh", unit="kWh"),
        Column("avg_power", unit="W"),
        Column("devices", Shape.WHOLE),
    ),
    keep_days=QUARTER,
    rows=_rows,
)
