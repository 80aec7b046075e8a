"""What all providers of carbon intensity share: names, units, and what follows from a forecast."""

from collections.abc import Mapping
from datetime import timedelta
import json
from typing import Final

from ...core.forecast import HOUR, extreme_hours, hourly, mean, within
from ...core.model import FieldValue, Forecast, Slot
from ..base import Snapshot

INTENSITY = "carbon_intensity_gco2_kwh"
RENEWABLE = "renewable_percentage"
FOSSIL = "fossil_percentage"
NEXT_HOUR = "forecast_1h"
NEXT_DAY = "forecast_24h"
CLEANEST = "cleanest_hours"
MARGINAL = "marginal_intensity_gco2_kwh"
"""What one more kilowatt-hour causes. It is never the mean of what is consumed: it has fields and series of its own."""
MARGINAL_NEXT_HOUR = "marginal_forecast_1h"
MARGINAL_NEXT_DAY = "marginal_forecast_24h"
PERCENTILE = "carbon_percentile"
"""Where the present stands among the next 24 hours of marginal intensity: 0 is the cleanest, 100 the dirtiest."""
UNIT = "gCO2eq/kWh"
MARGINAL_UNIT = "gCO2/kWh"
PERCENT = "%"
AHEAD: Final[Mapping[str, tuple[str, str]]] = {
    INTENSITY: (NEXT_HOUR, NEXT_DAY),
    MARGINAL: (MARGINAL_NEXT_HOUR, MARGINAL_NEXT_DAY),
}
"""By forecast what follows from it: one hour ahead, and the mean of the next 24."""
FORESEEN: Final = frozenset({NEXT_HOUR, NEXT_DAY, CLEANEST})
"""What a provider of means lacks that foresees no intensity."""
MARGINAL_ONLY: Final = frozenset({MARGINAL, MARGINAL_NEXT_HOUR, MARGINAL_NEXT_DAY, PERCENTILE})
"""What a source of means lacks."""
AVERAGE_ONLY: Final = frozenset({INTENSITY, RENEWABLE, FOSSIL, NEXT_HOUR, NEXT_DAY})
"""What a provider of marginal intensity lacks."""
HOURS_NAMED: Final = 4
"""How many of the next 24 hours are called the cleanest."""
FEWEST_HOURS: Final = 12
"""As many hours have to be foreseen before any is called so."""


def share(mix: Mapping[str, float], fuels: frozenset[str]) -> float | None:
    """Return what percentage of a generation mix `fuels` make up; None for an empty mix."""
    total = sum(mix.values())
    if total <= 0:
        return None
    return 100.0 * sum(value for fuel, value in mix.items() if fuel in fuels) / total


def cleanest(snapshot: Snapshot) -> tuple[Slot, ...]:
    """Return the four cleanest clock hours of the 24 from the running one on, in time order.

    Empty unless half of these hours are foreseen. Like `core.forecast.extreme_hours`, it takes only hours that are
    foreseen from begin to end. What is over of the running hour, where the forecast begins in it, counts as the
    forecast's first slot, so that the hour stays in.
    """
    found = (snapshot.reading.forecasts.get(name) for name in AHEAD)
    forecast: Forecast | None = next((one for one in found if one is not None), None)
    begin = snapshot.now.replace(minute=0, second=0, microsecond=0)
    slots = within(forecast.slots, begin, begin + 24 * HOUR) if forecast else ()
    if slots and begin < slots[0].start < begin + HOUR:
        slots = (Slot(begin, slots[0].start, slots[0].value), *slots)
    return extreme_hours(slots, HOURS_NAMED) if len(hourly(slots)) >= FEWEST_HOURS else ()


def carbon_fields(snapshot: Snapshot) -> dict[str, FieldValue | None]:
    """Return the reading's fields with what its forecast says at `snapshot.now`.

    One hour ahead it is the intensity foreseen for that instant, of 24 hours their mean, given when at least 90 % of
    them are foreseen. The cleanest hours are JSON text of their starts in UTC.
    """
    fields = dict(snapshot.reading.fields)
    now = snapshot.now
    for name, (next_hour, next_day) in AHEAD.items():
        if (forecast := snapshot.reading.forecasts.get(name)) is not None:
            slot: Slot | None = forecast.at(now + timedelta(hours=1))
            fields[next_hour] = slot.value if slot else None
            fields[next_day] = mean(forecast.slots, now, now + timedelta(hours=24))
    if hours := cleanest(snapshot):
        fields[CLEANEST] = json.dumps([hour.start.isoformat() for hour in hours])
    return fields
