"""Northern, western and south-eastern Europe: day-ahead prices from Nord Pool, in the currencies of its markets."""

from datetime import datetime, timedelta
import random
from typing import ClassVar, Final, override

from ...core.model import Slot
from ..answer import mapping, moment, number, sequence
from ..base import Context, Home, Json, Param, ParamKind, Provider, Quota, Reading, SourceBadAnswer, SourceNoData
from .prices import MARKET_ZONE, PUBLISHED, after_publication, in_currency, price_reading

AREAS: Final = (
    *("AT", "BE", "BG", "DK1", "DK2", "EE", "FI", "FR", "GER", "LT", "LV", "NL", "NO1", "NO2", "NO3", "NO4", "NO5"),
    *("PL", "SE1", "SE2", "SE3", "SE4", "SYS", "TEL"),
)
# Of the countries that are not an area of their own, the area most of their people live in; TEL is Romania.
AREA_OF: Final = {"DE": "GER", "DK": "DK1", "LU": "GER", "NO": "NO1", "RO": "TEL", "SE": "SE3"}
CURRENCIES: Final = ("EUR", "DKK", "NOK", "PLN", "RON", "SEK")


def _default_area(home: Home) -> object | None:
    area = AREA_OF.get(home.country or "", home.country)
    return area if area in AREAS else None


class NordPool(Provider):
    """Wholesale prices without taxes and fees, today and, once published, tomorrow.

    https://dataportal-api.nordpoolgroup.com. No key; the data belong to Nord Pool and are for personal use. One request
    for each day; an empty answer means that the day is not published yet.
    """

    key = "nordpool"
    base_url = "https://dataportal-api.nordpoolgroup.com"
    params = (
        Param(key="area", kind=ParamKind.SELECT, choices=AREAS, default=_default_area),
        Param(
            key="currency",
            kind=ParamKind.SELECT,
            choices=CURRENCIES,
            default=lambda home: home.currency if home.currency in CURRENCIES else "EUR",
        ),
    )
    quota = Quota(requests=60, period=timedelta(hours=1))
    countries = frozenset(area for area in AREAS if len(area) == 2) | AREA_OF.keys()
    currencies = frozenset(CURRENCIES)
    attribution = "Nord Pool"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return f"{self.options['area']} {self.options['currency']}"

    @override
    async def fetch(self, context: Context) -> Reading:
        local = context.now().astimezone(MARKET_ZONE)
        currency, slots = await self._day(context, local)
        # What the market has not published yet is not asked for.
        if local.time() >= PUBLISHED:
            try:
                other, tomorrow = await self._day(context, local + timedelta(days=1))
            except SourceNoData:
                other, tomorrow = currency, {}
            if other != currency:
                raise SourceBadAnswer(f"the prices are in the currency {currency} today and {other} tomorrow")
            slots |= tomorrow
        ordered = tuple(slots[start] for start in sorted(slots))
        provider = f"{self.key}:{self.options['area']}"
        return price_reading(context, provider, f"{currency}/kWh", ordered, self.attribution, zone=MARKET_ZONE)

    async def _day(self, context: Context, local: datetime) -> tuple[str, dict[datetime, Slot]]:
        """Return the currency and the slots of the market's day, by their start."""
        area = str(self.options["area"])
        query = {"date": local.date().isoformat(), "market": "DayAhead", "deliveryArea": area}
        params = {**query, "currency": str(self.options["currency"])}
        answer = mapping(await context.get_json("/api/DayAheadPrices", params=params), "the answer")
        rows = sequence(answer.get("multiAreaEntries"), "multiAreaEntries")
        currency, factor = in_currency(answer.get("currency"), "MWh")
        slots = [slot for row in rows if (slot := _slot(row, area, factor)) is not None]
        if not slots:
            raise SourceNoData(f"Nord Pool has no prices for {area} on {query['date']}")
        return currency, {slot.start: slot for slot in slots}

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return after_publication(now, reading, self.jitter)


def _slot(row: Json, area: str, factor: float) -> Slot | None:
    """Return the slot of an entry, None where it has no price for the area."""
    entry = mapping(row, "an entry")
    price = number(mapping(entry.get("entryPerArea"), "entryPerArea").get(area))
    start, end = moment(entry.get("deliveryStart")), moment(entry.get("deliveryEnd"))
    if end <= start:
        raise SourceBadAnswer("a price ends before it begins")
    return None if price is None else Slot(start, end, price * factor)
