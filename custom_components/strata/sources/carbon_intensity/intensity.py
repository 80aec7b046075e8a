"""What all providers of carbon intensity share: names, units, and what follows from a forecast."""

from collections.abc import Mapping
from datetime import timedelta

from ...core.forecast import mean
from ...core.model import FieldValue, Slot
from ..base import Snapshot

INTENSITY = "carbon_intensity_gco2_kwh"
RENEWABLE = "renewable_percentage"
FOSSIL = "fossil_percentage"
NEXT_HOUR = "forecast_1h"
NEXT_DAY = "forecast_24h"
UNIT = "gCO2eq/kWh"
PERCENT = "%"


def share(mix: Mapping[str, float], fuels: frozenset[str]) -> float | None:
    """Return what percentage of a generation mix `fuels` make up; None for an empty mix."""
    total = sum(mix.values())
    if total <= 0:
        return None
    return 100.0 * sum(value for fuel, value in mix.items() if fuel in fuels) / total


def carbon_fields(snapshot: Snapshot) -> dict[str, FieldValue | None]:
    """Return the reading's fields with what its forecast says at `snapshot.now`.

    `forecast_1h` is the intensity foreseen for the instant one hour ahead, `forecast_24h` the mean of
    the next 24 hours, given when at least 90 % of them are foreseen.
    """
    fields = dict(snapshot.reading.fields)
    forecast = snapshot.reading.forecasts.get(INTENSITY)
    if forecast is not None:
        now = snapshot.now
        slot: Slot | None = forecast.at(now + timedelta(hours=1))
        fields[NEXT_HOUR] = slot.value if slot else None
        fields[NEXT_DAY] = mean(forecast.slots, now, now + timedelta(hours=24))
    return fields
