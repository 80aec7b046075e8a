"""Electricity prices: what a kilowatt-hour costs now and in each coming slot."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from ...core.forecast import average, extreme_hours, highest, lowest, next_after, quantile
from ...core.model import Slot
from ..base import Json, Metric, MetricValue, Reading, Role, Snapshot, StoredField, StoredForecast
from ..slots import slots_attribute
from .action import Action
from .awattar import AwattarAustria, AwattarGermany
from .energy_charts import EnergyCharts
from .entity import Entity
from .prices import CHEAPEST, DEAREST, HOURS_NAMED, PEAK, PRICE, day_slots, price_at, price_day, price_fields

WITHOUT_SLOTS_GOOD_FOR = timedelta(hours=2)
# The European market's prices stay within -0.5 and 5 EUR/kWh by its harmonised limits; other currencies count
# in numbers up to a few hundred times as large.
LOWEST, HIGHEST = -1000.0, 10_000.0


def _good_for(reading: Reading) -> timedelta | None:
    return None if PRICE in reading.forecasts else WITHOUT_SLOTS_GOOD_FOR


def _forecast(snapshot: Snapshot) -> Mapping[str, Json]:
    return slots_attribute(snapshot.reading.forecasts.get(PRICE), snapshot.now, "price")


def _next(snapshot: Snapshot) -> Slot | None:
    forecast = snapshot.reading.forecasts.get(PRICE)
    return next_after(forecast.slots, snapshot.now) if forecast else None


def _extreme(find: Callable[[Sequence[Slot]], Slot | None]) -> Callable[[Snapshot], Slot | None]:
    return lambda snapshot: find(day_slots(snapshot))


def _slot_metric(key: str, find: Callable[[Snapshot], Slot | None]) -> Metric:
    """Return the metric of a slot's price, with the slot's times as attributes."""

    def attributes(snapshot: Snapshot) -> Mapping[str, Json]:
        slot = find(snapshot)
        return {"start": slot.start.isoformat(), "end": slot.end.isoformat()} if slot else {}

    def value(snapshot: Snapshot) -> MetricValue:
        slot = find(snapshot)
        return slot.value if slot else None

    return Metric(
        key=key, value=value, unit_from_reading=True, state_class="measurement", precision=4, attributes=attributes
    )


def _quantile(snapshot: Snapshot) -> MetricValue:
    price = price_at(snapshot)
    share = None if price is None else quantile(day_slots(snapshot), price)
    return None if share is None else 100.0 * share


def _hours(snapshot: Snapshot, *, dearest: bool) -> list[Slot]:
    """Return the named hours of today and tomorrow that are not over."""
    named = [
        hour for days in (0, 1) for hour in extreme_hours(day_slots(snapshot, days=days), HOURS_NAMED, dearest=dearest)
    ]
    return [hour for hour in named if hour.end > snapshot.now]


def _hours_metric(key: str, *, dearest: bool) -> Metric:
    """Return the metric of when the running named hour began, else of when the next begins.

    It stays while the hour runs: what is to happen at that time would miss it if it moved on then.
    """

    def value(snapshot: Snapshot) -> MetricValue:
        hours = _hours(snapshot, dearest=dearest)
        return hours[0].start if hours else None

    def attributes(snapshot: Snapshot) -> Mapping[str, Json]:
        starts: list[Json] = [hour.start.isoformat() for hour in _hours(snapshot, dearest=dearest)]
        return {"hours": starts}

    return Metric(key=key, value=value, device_class="timestamp", attributes=attributes)


def _tomorrow_available(snapshot: Snapshot) -> MetricValue:
    forecast = snapshot.reading.forecasts.get(PRICE)
    _, end = price_day(snapshot, days=1)
    return forecast is not None and any(slot.end >= end for slot in forecast.slots)


ELECTRICITY_PRICING = Role(
    key="electricity_pricing",
    measurement="electricity_pricing",
    tags=("provider", "currency"),
    fields=(
        StoredField(name=PRICE, minimum=LOWEST, maximum=HIGHEST),
        StoredField(name=PEAK, kind="on_off"),
        StoredField(name=CHEAPEST, kind="text"),
        StoredField(name=DEAREST, kind="text"),
    ),
    # No device class "monetary": it is for amounts of money, in a currency, and knows no statistics of means.
    metrics=(
        Metric(
            key=PRICE,
            value=price_at,
            unit_from_reading=True,
            state_class="measurement",
            precision=4,
            attributes=_forecast,
            unrecorded=frozenset({"forecast"}),
        ),
        _slot_metric("next_price", _next),
        _slot_metric("lowest_price", _extreme(lowest)),
        _slot_metric("highest_price", _extreme(highest)),
        Metric(
            key="average_price",
            value=lambda snapshot: average(day_slots(snapshot)),
            unit_from_reading=True,
            state_class="measurement",
            precision=4,
        ),
        Metric(key="price_quantile", value=_quantile, unit="%", state_class="measurement", precision=0),
        _hours_metric(CHEAPEST, dearest=False),
        _hours_metric(DEAREST, dearest=True),
        Metric(key=PEAK, value=lambda snapshot: price_fields(snapshot)[PEAK], binary=True),
        Metric(key="tomorrow_available", value=_tomorrow_available, binary=True, diagnostic=True),
    ),
    main=PRICE,
    interval=timedelta(hours=1),
    good_for=_good_for,
    providers=(EnergyCharts, AwattarGermany, AwattarAustria, Entity, Action),
    forecasts=(
        StoredForecast(
            forecast=PRICE, measurement="electricity_pricing_forecast", field="price", offset_field="hour_offset"
        ),
    ),
    slot_bound=True,
    fields_at=price_fields,
)
