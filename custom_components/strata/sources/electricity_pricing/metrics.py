"""The sensors of electricity prices."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ...core.forecast import average, extreme_hours, highest, lowest, next_after, quantile, rank
from ...core.model import Slot
from ..base import Json, Metric, MetricValue, Snapshot
from ..slots import slots_attribute
from .prices import (
    CHEAPEST,
    DEAREST,
    EXPORT,
    HOURS_NAMED,
    PEAK,
    PRICE,
    TOTAL,
    day_slots,
    paid,
    price_at,
    price_day,
    price_fields,
)


def _price_metric(key: str) -> Metric:
    """Return the metric of a price that has a forecast."""
    return Metric(
        key=key,
        value=lambda snapshot: price_at(snapshot, key),
        unit_from_reading=True,
        state_class="measurement",
        precision=4,
        attributes=lambda snapshot: slots_attribute(snapshot.reading.forecasts.get(key), snapshot.now, "price"),
        unrecorded=frozenset({"forecast"}),
    )


def _is_foreseen(snapshot: Snapshot) -> bool:
    """Say whether there is a list of prices: without one there are no prices to compare."""
    return any(forecast.slots for forecast in snapshot.reading.forecasts.values())


def _next(name: str) -> Callable[[Snapshot], Slot | None]:
    def find(snapshot: Snapshot) -> Slot | None:
        forecast = snapshot.reading.forecasts.get(name)
        return next_after(forecast.slots, snapshot.now) if forecast else None

    return find


def _extreme(name: str, find: Callable[[Sequence[Slot]], Slot | None]) -> Callable[[Snapshot], Slot | None]:
    return lambda snapshot: find(day_slots(snapshot, name))


def _average_metric(key: str, name: str) -> Metric:
    return Metric(
        key=key,
        value=lambda snapshot: average(day_slots(snapshot, name)),
        comes_when=_is_foreseen,
        unit_from_reading=True,
        state_class="measurement",
        precision=4,
    )


def _slot_metric(key: str, find: Callable[[Snapshot], Slot | None]) -> Metric:
    """Return the metric of a slot's price, with the slot's times as attributes."""

    def attributes(snapshot: Snapshot) -> Mapping[str, Json]:
        slot = find(snapshot)
        return {"start": slot.start.isoformat(), "end": slot.end.isoformat()} if slot else {}

    def value(snapshot: Snapshot) -> MetricValue:
        slot = find(snapshot)
        return slot.value if slot else None

    return Metric(
        key=key,
        value=value,
        comes_when=_is_foreseen,
        unit_from_reading=True,
        state_class="measurement",
        precision=4,
        attributes=attributes,
    )


def _quantile(snapshot: Snapshot) -> MetricValue:
    name = paid(snapshot.reading)
    price = price_at(snapshot, name)
    share = None if price is None else quantile(day_slots(snapshot, name), price)
    return None if share is None else 100.0 * share


def _rank(snapshot: Snapshot) -> MetricValue:
    name = paid(snapshot.reading)
    price = price_at(snapshot, name)
    return None if price is None else rank(day_slots(snapshot, name), price)


def _hours(snapshot: Snapshot, *, dearest: bool) -> list[Slot]:
    """Return the named hours of today and tomorrow that are not over."""
    name = paid(snapshot.reading)
    named = [
        hour
        for days in (0, 1)
        for hour in extreme_hours(day_slots(snapshot, name, days=days), HOURS_NAMED, dearest=dearest)
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

    return Metric(key=key, value=value, comes_when=_is_foreseen, device_class="timestamp", attributes=attributes)


def _tomorrow_available(snapshot: Snapshot) -> MetricValue:
    forecast = snapshot.reading.forecasts.get(PRICE)
    _, end = price_day(snapshot, days=1)
    return forecast is not None and any(slot.end >= end for slot in forecast.slots)


# No device class "monetary": it is for amounts of money, in a currency, and knows no statistics of means.
METRICS: Final = (
    _price_metric(PRICE),
    _slot_metric("next_price", _next(PRICE)),
    _slot_metric("lowest_price", _extreme(PRICE, lowest)),
    _slot_metric("highest_price", _extreme(PRICE, highest)),
    _average_metric("average_price", PRICE),
    _price_metric(TOTAL),
    _slot_metric("next_total_price", _next(TOTAL)),
    _slot_metric("lowest_total_price", _extreme(TOTAL, lowest)),
    _slot_metric("highest_total_price", _extreme(TOTAL, highest)),
    _average_metric("average_total_price", TOTAL),
    _price_metric(EXPORT),
    Metric(
        key="price_quantile", value=_quantile, comes_when=_is_foreseen, unit="%", state_class="measurement", precision=0
    ),
    Metric(
        key="price_rank",
        value=_rank,
        comes_when=_is_foreseen,
        state_class="measurement",
        attributes=lambda snapshot: {"of": len(day_slots(snapshot, paid(snapshot.reading)))},
    ),
    _hours_metric(CHEAPEST, dearest=False),
    _hours_metric(DEAREST, dearest=True),
    Metric(key=PEAK, value=lambda snapshot: price_fields(snapshot)[PEAK], comes_when=_is_foreseen, binary=True),
    Metric(key="tomorrow_available", value=_tomorrow_available, binary=True, diagnostic=True),
)
