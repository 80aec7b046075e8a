"""Instants and spans as callers of actions and of the API give them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from homeassistant.util import dt as dt_util

from .core.model import MICROS_PER_SECOND, Micros, TimeRange, to_micros
from .refusal import refusal

ATTR_START = "start"
ATTR_END = "end"
_EVER: Micros = 0


def moment(asked: Mapping[str, Any], key: str) -> datetime | None:
    """Return a time that was asked for; one without an offset is in the home's time zone.

    Raises:
        ServiceValidationError: in UTC it lies outside the years 1 to 9999.
    """
    given: datetime | None = asked.get(key)
    try:
        return None if given is None else dt_util.as_utc(given)
    except OverflowError:
        raise refusal("time_out_of_range", time=str(given)) from None


def asked_span(asked: Mapping[str, Any], length: timedelta | None = None) -> TimeRange:
    """Return the span from `start`, or from `length` before its end, or from ever, to `end`, or to now.

    Raises:
        ServiceValidationError: it ends before it starts, or lies outside the years 1 to 9999.
    """
    last = to_micros(moment(asked, ATTR_END) or dt_util.utcnow())
    first = _EVER if length is None else last - int(length.total_seconds()) * MICROS_PER_SECOND
    if (start := moment(asked, ATTR_START)) is not None:
        first = to_micros(start)
    if last <= first:
        raise refusal("end_before_start")
    return TimeRange(first, last)
