"""Northern Illinois: the running hour's price of ComEd's Hourly Pricing."""

from datetime import datetime, timedelta
import random
from typing import ClassVar, Final, override

from ..answer import epoch, mapping, number, sequence
from ..base import Context, Home, Provider, Quota, Reading, SourceNoData
from .prices import PRICE

PAUSE: Final = timedelta(minutes=5)
CENTS: Final = 0.01
"""The API documents its prices in cents per kWh."""
NORTHERN_ILLINOIS: Final = ((40.7, 42.6), (-90.6, -87.5))
"""Degrees of latitude and longitude around the area ComEd serves."""


class ComEd(Provider):
    """Mean of the running hour's 5-minute prices so far: supply only, without delivery and taxes, and no forecast.

    https://hourlypricing.comed.com/hp-api. No key.
    """

    key = "comed"
    base_url = "https://hourlypricing.comed.com"
    quota = Quota(requests=30, period=timedelta(hours=1))
    countries = frozenset({"US"})
    currencies = frozenset({"USD"})
    attribution = "ComEd Hourly Pricing"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    @classmethod
    def covers(cls, home: Home) -> bool:
        (south, north), (west, east) = NORTHERN_ILLINOIS
        return home.country == "US" and south <= home.latitude <= north and west <= home.longitude <= east

    @override
    async def fetch(self, context: Context) -> Reading:
        answer = await context.get_json("/api", params={"type": "currenthouraverage"})
        rows = [mapping(row, "a price") for row in sequence(answer, "the answer")]
        prices = {epoch(row.get("millisUTC"), per_second=1000): number(row.get("price")) for row in rows}
        known = {at: price for at, price in prices.items() if price is not None}
        if not known:
            raise SourceNoData("ComEd has no price for the running hour")
        latest = max(known)
        return Reading(
            fields={PRICE: known[latest] * CENTS},
            tags={"provider": self.key, "currency": "USD"},
            observed_at=latest,
            fetched_at=context.now(),
            unit="USD/kWh",
            attribution=self.attribution,
        )

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return now + PAUSE * (0.9 + 0.2 * self.jitter.random())
