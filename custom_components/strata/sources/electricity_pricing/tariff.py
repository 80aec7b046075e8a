"""Anywhere: a fixed price or one by time of use, as the contract says; nothing is asked on the network."""

from datetime import datetime, timedelta
from typing import Final, override
from zoneinfo import ZoneInfo

from ...core.forecast import day_around
from ...core.tariff import Schedule
from ..answer import number
from ..base import Context, Param, ParamKind, Provider, Reading, SourceNoData
from .prices import TOTAL, price_reading
from .totals import PER_KWH, PERIOD_COLUMNS, check_periods, periods_of

AHEAD: Final = timedelta(days=7)


class StaticTariff(Provider):
    """What is paid per kWh, in the home's currency and by the clock on its wall, a week ahead."""

    key = "tariff"
    params = (
        Param(key="price", kind=ParamKind.NUMBER, unit=PER_KWH),
        Param(key="periods", kind=ParamKind.TABLE, required=False, columns=PERIOD_COLUMNS, check=check_periods),
        Param(key="name", kind=ParamKind.TEXT, required=False),
    )
    local = True
    gives = frozenset({TOTAL})

    @override
    def title(self) -> str:
        return str(self.options.get("name") or "")

    @override
    async def fetch(self, context: Context) -> Reading:
        zone = ZoneInfo(context.home.timezone)
        price = number(self.options["price"])
        if price is None:
            raise SourceNoData("the tariff has no price")
        schedule = Schedule(otherwise=price, periods=periods_of(self.options.get("periods", ())))
        start, _ = day_around(context.now(), zone)
        _, end = day_around(start + AHEAD, zone)
        slots = schedule.hours(start, end, zone)
        provider = ":".join(filter(None, (self.key, self.title())))
        unit = f"{context.home.currency}/kWh"
        return price_reading(context, provider, unit, slots, None, zone=zone, more={TOTAL: slots})

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        if reading is None or reading.timezone is None:
            return None
        return day_around(now, ZoneInfo(reading.timezone))[1]
