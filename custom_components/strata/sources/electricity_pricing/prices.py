"""What all providers of electricity prices share: the reading, the market's day, what follows from the slots."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
import json
import random
from typing import Final
from zoneinfo import ZoneInfo

from ...core.forecast import day_around, extreme_hours, is_peak, within
from ...core.model import FieldValue, Forecast, Slot
from ...core.units import UnitError, is_currency, price_unit
from ..base import Context, Home, Reading, Snapshot, SourceBadAnswer, SourceNoData

PRICE = "current_price"
"""As the provider sells it: the market's spot price, or a retailer's price per kWh."""
TOTAL = "total_price"
"""With all that is paid per kWh: surcharges, network fees, taxes."""
EXPORT = "export_price"
"""What is paid for a kWh fed into the grid."""
PEAK = "peak_period"
CHEAPEST = "cheapest_hours"
DEAREST = "most_expensive_hours"
HOURS_NAMED: Final = 4
"""How many hours of a day are called its cheapest, and how many its most expensive."""

# Loaded here because modules are imported off the event loop and time zones are read from files.
MARKET_ZONE: Final = ZoneInfo("Europe/Brussels")
"""The European day-ahead market's day runs from midnight to midnight there, wherever the home is."""
MARKET_COUNTRIES: Final = frozenset(
    {"AT", "BE", "BG", "CH", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV"}
    | {"ME", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK"}
)
PUBLISHED: Final = time(12, 45)
"""When, in the market's time, tomorrow's prices appear at the earliest; usually by 13:30."""
EAGER_FOR: Final = timedelta(hours=2, minutes=15)
EAGER: Final = timedelta(minutes=10)
PATIENT: Final = timedelta(minutes=30)


def price_zone(home: Home) -> tzinfo:
    """Return the time zone whose days are the price days of a home: its market's, else its own."""
    return MARKET_ZONE if home.country in MARKET_COUNTRIES else ZoneInfo(home.timezone)


def per_kwh(unit: str, currency: str | None = None) -> tuple[str, float]:
    """Return the currency of a price unit such as `EUR / MWh` and the factor that makes it a price per kWh.

    Args:
        unit: As the source writes it.
        currency: ISO 4217 code, for units that do not name theirs (`ct/kWh`).

    Raises:
        SourceBadAnswer: it is no price of energy, or of a currency nobody names.
    """
    try:
        parsed = price_unit(unit, currency)
    except UnitError as error:
        raise SourceBadAnswer(f"the price has the unit {unit!r}: {error}") from None
    if parsed.currency is None:
        raise SourceBadAnswer(f"the price has the unit {unit!r}, which names no currency")
    return parsed.currency, parsed.factor


def in_currency(code: object, energy: str = "kWh") -> tuple[str, float]:
    """Return a currency that stands alone in an answer, and the factor that makes its prices per `energy` ones per kWh.

    Raises:
        SourceBadAnswer: it is no currency (ISO 4217), or `energy` no unit of energy.
    """
    if not isinstance(code, str) or not is_currency(code):
        raise SourceBadAnswer(f"the prices have the currency {code!r}")
    return per_kwh(f"{code}/{energy}")


def price_reading(
    context: Context,
    provider: str,
    unit: str,
    slots: tuple[Slot, ...],
    attribution: str | None,
    *,
    zone: ZoneInfo | None = None,
    more: Mapping[str, tuple[Slot, ...]] | None = None,
) -> Reading:
    """Return the reading of slots with prices in `unit` (CUR/kWh).

    `zone` is the market's whose days the slots fill; None where the source does not tell. `more` are slots of TOTAL
    and EXPORT where the provider has them.

    Raises:
        SourceNoData: no slot contains the present.
    """
    now = context.now()
    current = next((slot for slot in slots if slot.start <= now < slot.end), None)
    if current is None:
        raise SourceNoData("there is no price for the present")
    forecasts = {name: Forecast(unit, now, found) for name, found in {PRICE: slots, **(more or {})}.items() if found}
    running = {name: slot.value if (slot := forecast.at(now)) else None for name, forecast in forecasts.items()}
    return Reading(
        fields=running,
        tags={"provider": provider, "currency": unit.partition("/")[0]},
        observed_at=current.start,
        fetched_at=now,
        unit=unit,
        forecasts=forecasts,
        attribution=attribution,
        timezone=zone.key if zone else None,
    )


def paid(reading: Reading) -> str:
    """Return the price that decides what is cheap: the total where it is known for the slots, else the price itself."""
    return TOTAL if TOTAL in reading.forecasts else PRICE


def day_slots(snapshot: Snapshot, name: str = PRICE, *, days: int = 0) -> tuple[Slot, ...]:
    """Return the slots of the price day that contains `snapshot.now`, or of the one `days` later."""
    forecast = snapshot.reading.forecasts.get(name)
    if forecast is None:
        return ()
    return within(forecast.slots, *price_day(snapshot, days=days))


def price_day(snapshot: Snapshot, *, days: int = 0) -> tuple[datetime, datetime]:
    """Return start and end of the price day that contains `snapshot.now`, or of the one `days` later.

    It is a day of the source's market; where the source does not tell its market, of the home's.
    """
    told = snapshot.reading.timezone
    zone = ZoneInfo(told) if told else price_zone(snapshot.home)
    noon = datetime.combine(snapshot.now.astimezone(zone).date() + timedelta(days=days), time(12), zone)
    return day_around(noon, zone)


def price_fields(snapshot: Snapshot) -> Mapping[str, FieldValue | None]:
    """Return the role's fields at `snapshot.now`.

    `peak_period` follows `core.forecast.is_peak`: at least three quarters of the day's time are cheaper.
    `cheapest_hours` and `most_expensive_hours` are the four clock hours of the price day with the lowest
    and highest means, as JSON text of their starts in UTC. All three go by the total price where it is known.
    """
    name = paid(snapshot.reading)
    price, day = price_at(snapshot, name), day_slots(snapshot, name)
    return {
        PRICE: price_at(snapshot),
        PEAK: None if price is None else is_peak(day, price),
        CHEAPEST: _starts(extreme_hours(day, HOURS_NAMED)),
        DEAREST: _starts(extreme_hours(day, HOURS_NAMED, dearest=True)),
        TOTAL: price_at(snapshot, TOTAL),
        EXPORT: price_at(snapshot, EXPORT),
    }


def price_at(snapshot: Snapshot, name: str = PRICE) -> float | None:
    """Return the price at `snapshot.now`: its slot's, or the source's own word where there are no slots."""
    forecast = snapshot.reading.forecasts.get(name)
    if forecast is None:
        price = snapshot.reading.fields.get(name)
        return price if isinstance(price, float) else None
    slot = forecast.at(snapshot.now)
    return slot.value if slot else None


def _starts(hours: tuple[Slot, ...]) -> str | None:
    return json.dumps([hour.start.isoformat() for hour in hours]) if hours else None


def after_publication(
    now: datetime, reading: Reading | None, jitter: random.Random, *, published: time = PUBLISHED
) -> datetime | None:
    """Return when to ask a day-ahead source again: once a day, soon after tomorrow's prices appear.

    From `published` (12:45) of the market's day until tomorrow is complete it is asked about every 10 minutes, after
    two hours and a quarter about every 30, and so it is while today is incomplete. Each request is moved by chance, so
    that homes do not ask at the same moment. None when the reading says nothing of the present: that is a failure to
    recover from.
    """
    forecast = reading.forecasts.get(PRICE) if reading else None
    if forecast is None or not forecast.slots or forecast.slots[-1].end <= now:
        return None
    local = now.astimezone(MARKET_ZONE)
    _, midnight = day_around(now, MARKET_ZONE)
    due = datetime.combine(local.date(), published, MARKET_ZONE)
    eager_until = due + EAGER_FOR
    if now >= due:
        due = datetime.combine(midnight.astimezone(MARKET_ZONE).date(), published, MARKET_ZONE)
        _, midnight = day_around(midnight, MARKET_ZONE)
    if forecast.slots[-1].end >= midnight:
        return due.astimezone(UTC) + EAGER * jitter.random()
    pause = EAGER if now < eager_until else PATIENT
    return now + pause * (0.75 + 0.5 * jitter.random())
