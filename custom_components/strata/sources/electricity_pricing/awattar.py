"""Germany and Austria: day-ahead prices from aWATTar."""

from datetime import datetime, timedelta
import random
from typing import ClassVar, override

from ...core.forecast import day_around
from ...core.model import Slot, to_micros
from ..answer import epoch, mapping, number, sequence
from ..base import Context, Provider, Quota, Reading, SourceBadAnswer, SourceNoData
from .prices import MARKET_ZONE, after_publication, per_kwh, price_reading


class _Awattar(Provider):
    """Hourly wholesale prices without taxes and fees. No key; light use is asked for."""

    quota = Quota(requests=100, period=timedelta(days=1))
    currencies = frozenset({"EUR"})
    attribution = "aWATTar"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    async def fetch(self, context: Context) -> Reading:
        start, _ = day_around(context.now(), MARKET_ZONE)
        # With a start alone the answer ends 24 hours later and lacks tomorrow.
        span = {"start": _milliseconds(start), "end": _milliseconds(start + timedelta(days=3))}
        answer = mapping(await context.get_json("/v1/marketdata", params=span), "the answer")
        rows = [mapping(row, "a price") for row in sequence(answer.get("data"), "data")]
        units = {str(row.get("unit")) for row in rows}
        if not units:
            raise SourceNoData("aWATTar has no prices")
        if len({unit.casefold() for unit in units}) > 1:
            raise SourceBadAnswer(f"the prices have different units: {', '.join(sorted(units))}")
        currency, factor = per_kwh(units.pop())
        slots = {}
        for row in rows:
            begin, end = (epoch(row.get(name), per_second=1000) for name in ("start_timestamp", "end_timestamp"))
            price = number(row.get("marketprice"))
            if end <= begin:
                raise SourceBadAnswer("a price ends before it begins")
            if price is not None:
                slots[begin] = Slot(begin, end, price * factor)
        ordered = tuple(slots[begin] for begin in sorted(slots))
        return price_reading(context, self.key, f"{currency}/kWh", ordered, self.attribution, zone=MARKET_ZONE)

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return after_publication(now, reading, self.jitter)


def _milliseconds(moment: datetime) -> str:
    return str(to_micros(moment) // 1000)


class AwattarGermany(_Awattar):
    """Prices of the zone DE-LU."""

    key = "awattar_de"
    base_url = "https://api.awattar.de"
    countries = frozenset({"DE", "LU"})


class AwattarAustria(_Awattar):
    """Prices of the zone AT."""

    key = "awattar_at"
    base_url = "https://api.awattar.at"
    countries = frozenset({"AT"})
