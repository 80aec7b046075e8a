"""Denmark: day-ahead prices from Energi Data Service (Energinet), in kroner or euros."""

from datetime import UTC, datetime, timedelta
import json
import random
from typing import ClassVar, Final, override

from ...core.forecast import day_around, infer_slots
from ..answer import mapping, moment, number, sequence
from ..base import Context, Param, ParamKind, Provider, Quota, Reading, SourceBadAnswer, SourceNoData
from .prices import MARKET_ZONE, after_publication, price_reading

AREAS: Final = ("DK1", "DK2")
CURRENCIES: Final = ("DKK", "EUR")
PER_KWH: Final = 1e-3
"""The names of the columns say the currency; all are per MWh by the documentation of the dataset."""


class EnergiDataService(Provider):
    """Wholesale prices without taxes and fees, by quarters of an hour, today and, once published, tomorrow.

    https://www.energidataservice.dk, dataset DayAheadPrices. No key. Times in UTC carry no offset.
    """

    key = "energi_data_service"
    base_url = "https://api.energidataservice.dk"
    params = (
        Param(
            key="price_area",
            kind=ParamKind.SELECT,
            choices=AREAS,
            # The border between the areas is the Great Belt, at about 11 degrees east.
            default=lambda home: "DK2" if home.longitude > 11 else "DK1",
        ),
        Param(
            key="currency",
            kind=ParamKind.SELECT,
            choices=CURRENCIES,
            default=lambda home: "EUR" if home.currency == "EUR" else "DKK",
        ),
    )
    quota = Quota(requests=30, period=timedelta(hours=1))
    countries = frozenset({"DK"})
    currencies = frozenset(CURRENCIES)
    attribution = "Energi Data Service, Energinet"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return f"{self.options['price_area']} {self.options['currency']}"

    @override
    async def fetch(self, context: Context) -> Reading:
        area, currency = str(self.options["price_area"]), str(self.options["currency"])
        start, _ = day_around(context.now(), MARKET_ZONE)
        first = start.astimezone(MARKET_ZONE).date()
        params = {
            "start": first.isoformat(),
            "end": (first + timedelta(days=2)).isoformat(),
            "filter": json.dumps({"PriceArea": [area]}, separators=(",", ":")),
            "sort": "TimeUTC asc",
            "limit": "0",
        }
        answer = mapping(await context.get_json("/dataset/DayAheadPrices", params=params), "the answer")
        rows = [mapping(row, "a record") for row in sequence(answer.get("records"), "records")]
        known = {
            moment(row.get("TimeUTC"), UTC): number(row.get(f"DayAheadPrice{currency}"))
            for row in rows
            if row.get("PriceArea") == area
        }
        if all(price is None for price in known.values()):
            raise SourceNoData(f"Energi Data Service has no prices for {area}")
        try:
            slots = infer_slots((at, None if price is None else price * PER_KWH) for at, price in known.items())
        except ValueError as error:
            raise SourceBadAnswer(str(error)) from None
        provider = f"{self.key}:{area}"
        return price_reading(context, provider, f"{currency}/kWh", slots, self.attribution, zone=MARKET_ZONE)

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return after_publication(now, reading, self.jitter)
