"""What the user really pays and is paid: the contract's surcharges, fees and taxes on a provider's prices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo

from ...core.model import FieldValue, Forecast, Slot
from ...core.tariff import EVERY_DAY, EVERY_MONTH, FeedIn, Period, Schedule, Tariff
from ..answer import number
from ..base import Home, Json, Options, Param, ParamKind, Provider, Reading
from .prices import EXPORT, PRICE, TOTAL

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

PER_KWH: Final = "{currency}/kWh"

PERIOD_COLUMNS: Final = (
    Param(key="rate", kind=ParamKind.NUMBER, unit=PER_KWH),
    Param(key="start", kind=ParamKind.TIME, required=False),
    Param(key="end", kind=ParamKind.TIME, required=False),
    Param(key="weekdays", kind=ParamKind.SELECT, choices=WEEKDAYS, multiple=True, translated=True, required=False),
    Param(key="months", kind=ParamKind.SELECT, choices=MONTHS, multiple=True, translated=True, required=False),
)
"""A rate and when it holds; what is left open holds always."""


def check_periods(value: object) -> str | None:
    """Return what is wrong with rows of periods as a translation key, None where nothing is."""
    try:
        periods_of(value)
    except TypeError, ValueError:
        return "invalid_period"
    return None


DETAILS: Final = (
    Param(key="surcharge_percent", kind=ParamKind.NUMBER, required=False, minimum=-100, maximum=1000, unit="%"),
    Param(key="surcharge_fixed", kind=ParamKind.NUMBER, required=False, unit=PER_KWH),
    Param(key="network_fee", kind=ParamKind.NUMBER, required=False, unit=PER_KWH),
    Param(key="network_fees", kind=ParamKind.TABLE, required=False, columns=PERIOD_COLUMNS, check=check_periods),
    Param(key="tax_percent", kind=ParamKind.NUMBER, required=False, minimum=-100, maximum=1000, unit="%"),
    Param(key="export_percent", kind=ParamKind.NUMBER, required=False, minimum=-1000, maximum=1000, unit="%"),
    Param(key="export_fixed", kind=ParamKind.NUMBER, required=False, unit=PER_KWH),
    Param(key="standing_charge", kind=ParamKind.NUMBER, required=False, unit="{currency}/d"),
    Param(key="demand_charge", kind=ParamKind.NUMBER, required=False, unit="{currency}/kW"),
)
"""The contract, in the currency of the prices: per kWh, the standing charge per day, the demand charge per kW and
month. The last two never enter a price per kWh."""
_ON_TOP: Final = frozenset({"surcharge_percent", "surcharge_fixed", "network_fee", "network_fees", "tax_percent"})
_FED_IN: Final = frozenset({"export_percent", "export_fixed"})
_CHARGES: Final = {"standing_charge": "{}/d", "demand_charge": "{}/kW"}

TOTAL_METRICS: Final = frozenset(
    {TOTAL, "next_total_price", "lowest_total_price", "highest_total_price", "average_total_price"}
)
EXPORT_METRICS: Final = frozenset({EXPORT})


def periods_of(rows: object) -> tuple[Period, ...]:
    """Return the periods of a table's rows.

    Raises:
        TypeError, ValueError: they are none.
    """
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise TypeError("the periods are no list")
    return tuple(_period(row) for row in rows)


def _period(row: object) -> Period:
    rate = number(row.get("rate")) if isinstance(row, Mapping) else None
    if rate is None or not isinstance(row, Mapping):
        raise ValueError("a period has no rate")
    return Period(
        rate=rate,
        months=frozenset(MONTHS.index(name) + 1 for name in row.get("months", ())) or EVERY_MONTH,
        weekdays=frozenset(WEEKDAYS.index(name) for name in row.get("weekdays", ())) or EVERY_DAY,
        start=time.fromisoformat(row.get("start", "00:00")),
        end=time.fromisoformat(row.get("end", "00:00")),
    )


def refine(reading: Reading, details: Options, home: Home) -> Reading:
    """Return the reading with the total price and the price for feeding in that the contract makes of it.

    The total is made of the provider's own total where it gives one, else of its price; what is paid for feeding in
    is made of its price. Without details the provider's word stands.
    """
    zone = ZoneInfo(home.timezone)
    amount = {key: number(details.get(key)) or 0.0 for key in (param.key for param in DETAILS)}
    if _ON_TOP & details.keys():
        fees = Schedule(otherwise=amount["network_fee"], periods=periods_of(details.get("network_fees", ())))
        tariff = Tariff(
            percent=amount["surcharge_percent"],
            fixed=amount["surcharge_fixed"],
            tax=amount["tax_percent"],
            fees=fees,
        )
        base = TOTAL if reading.fields.get(TOTAL) is not None else PRICE
        slots = tariff.totals(_slots(reading, base), zone)
        value = reading.fields.get(base)
        total = tariff.total(float(value), reading.fetched_at, zone) if isinstance(value, int | float) else None
        reading = _with(reading, TOTAL, slots, total)
    if _FED_IN & details.keys():
        feed_in = FeedIn(percent=amount["export_percent"], fixed=amount["export_fixed"])
        value = reading.fields.get(PRICE)
        paid = feed_in.price(float(value)) if isinstance(value, int | float) else None
        reading = _with(reading, EXPORT, feed_in.prices(_slots(reading, PRICE)), paid)
    charges: dict[str, Json] = {
        key: {"value": amount[key], "unit": unit.format(reading.tags["currency"])}
        for key, unit in _CHARGES.items()
        if key in details
    }
    return replace(reading, notes={**reading.notes, **charges}) if charges else reading


def _slots(reading: Reading, name: str) -> tuple[Slot, ...]:
    forecast = reading.forecasts.get(name)
    return forecast.slots if forecast else ()


def _with(reading: Reading, name: str, slots: tuple[Slot, ...], value: float | None) -> Reading:
    """Return the reading with one field more, whose value is that of the running slot where there are slots."""
    forecasts = dict(reading.forecasts)
    if slots:
        forecasts[name] = Forecast(reading.unit or "", reading.fetched_at, slots)
        running = forecasts[name].at(reading.fetched_at)
        value = running.value if running else value
    fields: dict[str, FieldValue | None] = {**reading.fields, name: value}
    return replace(reading, fields=fields, forecasts=forecasts)


def lacks(provider: Provider, details: Options) -> frozenset[str]:
    """Return the metrics that have no value because neither the provider nor the contract says what is paid."""
    missing = set(provider.lacks())
    if TOTAL not in provider.gives and not _ON_TOP & details.keys():
        missing |= TOTAL_METRICS
    if EXPORT not in provider.gives and not _FED_IN & details.keys():
        missing |= EXPORT_METRICS
    return frozenset(missing)
