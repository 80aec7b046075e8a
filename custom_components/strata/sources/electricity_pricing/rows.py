"""Rows of prices as integrations for Home Assistant write them, in attributes and in answers of actions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from ...core.forecast import infer_slots
from ...core.model import Slot
from ..answer import moment, number
from ..base import SourceBadAnswer
from .prices import per_kwh

START_KEYS: Final = ("start", "start_time", "from", "time", "datetime", "timestamp")
END_KEYS: Final = ("end", "end_time", "till")


@dataclass(frozen=True, slots=True)
class _PriceKey:
    """A key prices are found under."""

    key: str
    unit: str | None = None
    """What the price is in whatever unit the entity has; `CUR` is the entity's currency."""
    scale: float = 1.0


PRICE_KEYS: Final = (
    _PriceKey("price_per_kwh", "CUR/kWh"),
    _PriceKey("per_kwh", "CUR/kWh"),
    # Zonneplan counts in ten-millionths of a euro.
    _PriceKey("electricity_price", "EUR/kWh", 1e-7),
    _PriceKey("value_inc_vat", "GBP/kWh"),
    _PriceKey("value_incl_vat", "GBP/kWh"),
    _PriceKey("value"),
    _PriceKey("price"),
)


def priced_slots(
    rows: Iterable[object], unit: str | None, currency: str | None, zone: tzinfo
) -> tuple[str, tuple[Slot, ...]]:
    """Return the currency of rows of prices and their slots in CUR/kWh, in time order.

    Rows without a price are holes. Where a row has no end, all ends follow from the starts.

    Args:
        rows: Objects with a start, perhaps an end, and a price, under the keys above.
        unit: Unit of the entity or answer; None when it has none.
        currency: What `CUR` and units such as `ct/kWh` are of.
        zone: Of times without an offset.

    Raises:
        SourceBadAnswer: a row has no start or nothing known as a price, or the unit is no unit of price.
    """
    known: dict[datetime, tuple[datetime | None, float | None]] = {}
    price_key: _PriceKey | None = None
    for row in rows:
        if not isinstance(row, Mapping):
            raise SourceBadAnswer("a price is not an object")
        price_key = price_key or _price_key(row)
        start = _minute(row, START_KEYS, zone)
        if start is None:
            raise SourceBadAnswer(f"a price has no start: none of {', '.join(START_KEYS)}")
        known[start] = (_minute(row, END_KEYS, zone), number(row.get(price_key.key)))
    if price_key is None:
        return currency or "", ()
    code, factor = _unit(price_key, unit, currency)
    factor *= price_key.scale
    return code, tuple(Slot(slot.start, slot.end, slot.value * factor) for slot in _slots(known))


def _price_key(row: Mapping[str, object]) -> _PriceKey:
    for candidate in PRICE_KEYS:
        if candidate.key in row:
            return candidate
    raise SourceBadAnswer(f"a row has no price: none of {', '.join(candidate.key for candidate in PRICE_KEYS)}")


def _minute(row: Mapping[str, object], keys: tuple[str, ...], zone: tzinfo) -> datetime | None:
    """Return the time under the first of `keys`; Amber's intervals begin a second late, so seconds are cut off."""
    for key in keys:
        if row.get(key) is not None:
            return moment(row[key], zone).replace(second=0, microsecond=0)
    return None


def _unit(price_key: _PriceKey, unit: str | None, currency: str | None) -> tuple[str, float]:
    if price_key.unit is None:
        if not unit:
            raise SourceBadAnswer("the prices have no unit")
        return per_kwh(unit, currency)
    if not price_key.unit.startswith("CUR"):
        return per_kwh(price_key.unit)
    # The entity's own unit names the currency best, even where it counts in another multiple.
    code = per_kwh(unit, currency)[0] if unit else currency
    return per_kwh(price_key.unit.replace("CUR", code or ""))


def _slots(known: Mapping[datetime, tuple[datetime | None, float | None]]) -> tuple[Slot, ...]:
    if any(end is None or end <= start for start, (end, _) in known.items()):
        try:
            return infer_slots((start, price) for start, (_, price) in known.items())
        except ValueError as error:
            raise SourceBadAnswer(str(error)) from None
    return tuple(
        Slot(start, end, price)
        for start, (end, price) in sorted(known.items())
        if end is not None and price is not None
    )
