"""Forecast slots as attributes show them and as points render them."""

from collections.abc import Iterator
from datetime import datetime

from ..core.forecast import hours_ahead
from ..core.model import FieldValue, Forecast, Point, to_micros
from .base import Json, Reading, Role


def slots_attribute(forecast: Forecast | None, now: datetime, name: str) -> dict[str, Json]:
    """Return `{"forecast": [{"start", "end", <name>}, ...]}` of the slots that are not over, in ISO times.

    Empty when there is no forecast.
    """
    if forecast is None:
        return {}
    rows: list[Json] = [
        {"start": slot.start.isoformat(), "end": slot.end.isoformat(), name: slot.value} for slot in forecast.after(now)
    ]
    return {"forecast": rows}


def forecast_points(role: Role, reading: Reading) -> Iterator[Point]:
    """Yield the points of the reading's forecasts, each at the start of its slot, with the reading's tags."""
    for stored in role.forecasts:
        forecast = reading.forecasts.get(stored.forecast)
        if forecast is None:
            continue
        ahead = hours_ahead(forecast.slots, forecast.issued_at)
        for slot, hours in zip(forecast.slots, ahead, strict=True):
            fields: dict[str, FieldValue] = {stored.field: slot.value}
            if stored.offset_field is not None:
                fields[stored.offset_field] = hours
            yield Point(stored.measurement, reading.tags, fields, to_micros(slot.start))
