"""Europe: day-ahead prices of all bidding zones from Energy-Charts (Fraunhofer ISE)."""

from datetime import datetime, timedelta
import random
from typing import ClassVar, Final, override

from ...core.forecast import day_around, infer_slots
from ..answer import aligned, epoch, mapping, number, sequence
from ..base import Context, Home, Param, ParamKind, Provider, Quota, Reading, SourceBadAnswer, SourceNoData
from .prices import MARKET_ZONE, after_publication, per_kwh, price_reading

ZONES: Final = (
    *("AT", "BE", "BG", "CH", "CZ", "DE-LU", "DK1", "DK2", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE(SEM)"),
    *("IT-North", "IT-Centre-North", "IT-Centre-South", "IT-South", "IT-Sicily", "IT-Sardinia", "IT-Calabria"),
    *("IT-SACOAC", "IT-SACODC", "LT", "LV", "ME", "NL", "NO1", "NO2", "NO2NSL", "NO3", "NO4", "NO5", "PL", "PT"),
    *("RO", "RS", "SE1", "SE2", "SE3", "SE4", "SI", "SK"),
)
# Of the countries that are not a zone of their own, the zone most of their people live in.
ZONE_OF: Final = {
    "DE": "DE-LU",
    "DK": "DK1",
    "IE": "IE(SEM)",
    "IT": "IT-North",
    "LU": "DE-LU",
    "NO": "NO1",
    "SE": "SE3",
}
DOCUMENTED_UNIT: Final = "EUR/MWh"
UNSAID: Final = frozenset({"", "No Unit"})


def _default_zone(home: Home) -> object | None:
    zone = ZONE_OF.get(home.country or "", home.country)
    return zone if zone in ZONES else None


class EnergyCharts(Provider):
    """Wholesale prices without taxes and fees, today and, once published, tomorrow.

    https://api.energy-charts.info. 15 or 60-minute slots, no key, euros in every zone. Some answers give the
    unit as "No Unit"; the documented one holds for them, as the API has no other. A unit that is given is checked.
    Some zones may be used privately only: the licence in the answer is passed on.
    """

    key = "energy_charts"
    base_url = "https://api.energy-charts.info"
    params = (Param(key="bidding_zone", kind=ParamKind.SELECT, choices=ZONES, default=_default_zone),)
    quota = Quota(requests=60, period=timedelta(hours=1))
    countries = frozenset(zone for zone in ZONES if len(zone) == 2) | ZONE_OF.keys()
    currencies = frozenset({"EUR"})
    attribution = "Energy-Charts, Fraunhofer ISE"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return str(self.options["bidding_zone"])

    @override
    async def fetch(self, context: Context) -> Reading:
        start, end = day_around(context.now(), MARKET_ZONE)
        # Midnight of the market lies on the day before in UTC: whichever the API means, today is whole. Its end
        # is a day it includes, and the day on which today ends is tomorrow.
        span = {"start": start.date().isoformat(), "end": end.astimezone(MARKET_ZONE).date().isoformat()}
        answer = mapping(await context.get_json("/price", params={"bzn": self.title(), **span}), "the answer")
        times, prices = (sequence(answer.get(name), name) for name in ("unix_seconds", "price"))
        if not any(number(price) is not None for price in prices):
            raise SourceNoData(f"Energy-Charts has no prices for {self.title()}")
        unit = str(answer.get("unit") or "")
        currency, factor = per_kwh(DOCUMENTED_UNIT if unit in UNSAID else unit)
        known = [(epoch(at), number(price)) for at, price in aligned(times, prices, "price")]
        try:
            slots = infer_slots((at, None if price is None else price * factor) for at, price in known)
        except ValueError as error:
            raise SourceBadAnswer(str(error)) from None
        licence = answer.get("license_info")
        attribution = f"{self.attribution}: {licence}" if isinstance(licence, str) else self.attribution
        slots = tuple(slot for slot in slots if slot.end > start)
        provider = f"{self.key}:{self.title()}"
        return price_reading(context, provider, f"{currency}/kWh", slots, attribution, zone=MARKET_ZONE)

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return after_publication(now, reading, self.jitter)
