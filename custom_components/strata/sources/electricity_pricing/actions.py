"""The actions of other integrations that answer electricity prices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from .prices import MARKET_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an action is asked for."""

    entry: str
    day: date
    start: datetime
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAction:
    """An integration's action that answers prices."""

    name: str
    parameters: Callable[[Ask], Mapping[str, object]]
    unit: str = "CUR/kWh"
    days: int = 2
    """How many calls, one for each day from today; 1 when one call answers all."""
    zone: ZoneInfo | None = None
    """Whose days it goes by; None for the home's."""
    rolling: bool = False
    """True when it answers the hours ahead, renewed all the time, and not days that are published once."""


def _dutch(ask: Ask) -> Mapping[str, object]:
    day = ask.day.isoformat()
    return {"config_entry": ask.entry, "incl_vat": True, "start": day, "end": day}


ACTIONS: Final[Mapping[str, PriceAction]] = {
    "amberelectric": PriceAction(
        name="get_forecasts",
        parameters=lambda ask: {"config_entry_id": ask.entry, "channel_type": "general"},
        days=1,
        rolling=True,
    ),
    "easyenergy": PriceAction(name="get_energy_usage_prices", parameters=_dutch),
    "energyzero": PriceAction(name="get_energy_prices", parameters=_dutch),
    "green_planet_energy": PriceAction(
        name="get_prices",
        parameters=lambda ask: {"config_entry_id": ask.entry, "hours": 24},
        days=1,
        rolling=True,
    ),
    # The only one that answers a price per MWh.
    "nordpool": PriceAction(
        name="get_prices_for_date",
        parameters=lambda ask: {
            "config_entry": ask.entry,
            "date": ask.day.isoformat(),
            "currency": ask.currency,
        },
        unit="CUR/MWh",
        zone=MARKET_ZONE,
    ),
    "omie": PriceAction(
        name="get_prices_for_date", parameters=lambda ask: {"date": ask.day.isoformat()}, zone=MARKET_ZONE
    ),
    "tibber": PriceAction(
        name="get_prices",
        parameters=lambda ask: {
            "start": ask.start.isoformat(),
            "end": (ask.start + timedelta(days=2)).isoformat(),
        },
        days=1,
    ),
}
"""By the integration's domain."""
