"""What a kilowatt-hour cost on average, for what a load costs in a year."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ...core.stretch import Past
from ...core.units import UnitError, price_unit
from ..answer import number
from ..base import Context, Json

PRICE_SERIES: Final = ("total_price", "current_price")
"""What one pays, else what the market asks."""
A_YEAR: Final = timedelta(days=365)
RECENT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class MeanPrice:
    """A mean price per kWh in a currency."""

    value: float
    currency: str


async def mean_price(context: Context) -> MeanPrice | None:
    """Return the mean of the stored prices of the last year, else the price of the Energy dashboard, else None."""
    now = context.now()
    for name in PRICE_SERIES:
        for tier, back in (("daily", A_YEAR), ("raw", RECENT)):
            past = await context.access.stored("electricity_pricing", name, now - back, now, tier=tier, tags={})
            if (price := _mean(past, context)) is not None:
                return price
    return await _of_the_dashboard(context)


def _mean(past: Past, context: Context) -> MeanPrice | None:
    known = [(one.known, one.mean) for one in past.stretches if one.mean is not None and one.known > 0]
    try:
        unit = price_unit(past.unit or "", context.home.currency)
    except UnitError:
        return None
    seconds = sum(length for length, _ in known)
    if not seconds:
        return None
    return MeanPrice(
        sum(length * mean for length, mean in known) / seconds * unit.factor, unit.currency or context.home.currency
    )


async def _of_the_dashboard(context: Context) -> MeanPrice | None:
    preferences = await context.access.energy_preferences()
    sources = preferences.get("energy_sources")
    for source in sources if isinstance(sources, list) else ():
        if isinstance(source, dict) and source.get("type") == "grid" and (price := _of_grid(context, source)):
            return price
    return None


def _of_grid(context: Context, source: dict[str, Json]) -> MeanPrice | None:
    if (fixed := number(source.get("number_energy_price"))) is not None:
        return MeanPrice(fixed, context.home.currency)
    state = context.access.state(str(source.get("entity_energy_price") or ""))
    value = number(state.state) if state is not None else None
    if state is None or value is None:
        return None
    try:
        unit = price_unit(state.unit or "", context.home.currency)
    except UnitError:
        return None
    return MeanPrice(value * unit.factor, unit.currency or context.home.currency)
