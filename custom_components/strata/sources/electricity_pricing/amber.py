"""Customers of Amber in Australia: spot price, total price and what is paid for feeding in."""

from dataclasses import replace
from datetime import datetime, timedelta
import random
from typing import ClassVar, Final, override

from ...core.model import Slot
from ..answer import mapping, moment, number, sequence
from ..base import Context, Json, Param, ParamKind, Provider, Quota, Reading, SourceBadAnswer, SourceNoData
from .prices import EXPORT, TOTAL, price_reading

DOLLARS: Final = 0.01
"""The API documents its prices in cents per kWh, with GST."""
UNIT: Final = "AUD/kWh"
MOST: Final = 288
"""Intervals in each direction, as many as the documentation asks for."""
AHEAD, BEHIND = timedelta(days=2), timedelta(days=1)


class Amber(Provider):
    """https://api.amber.com.au with a token. Prices are renewed all the time, those to come are forecasts.

    The price is the wholesale price, the total what is paid with network and fees. The API says what feeding in costs,
    so what is paid for it has the opposite sign.
    """

    key = "amber"
    base_url = "https://api.amber.com.au"
    params = (
        Param(key="token", kind=ParamKind.SECRET),
        Param(key="site", kind=ParamKind.TEXT, required=False, pattern=r"[A-Za-z0-9]+"),
        Param(key="resolution", kind=ParamKind.SELECT, choices=("30", "5"), default=lambda home: "30"),
    )
    quota = Quota(requests=10, period=timedelta(minutes=5))
    countries = frozenset({"AU"})
    currencies = frozenset({"AUD"})
    gives = frozenset({TOTAL, EXPORT})
    attribution = "Amber Electric"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        slots = "" if self._minutes == 30 else f"{self._minutes} min"
        return " ".join(filter(None, (str(self.options.get("site") or ""), slots)))

    @property
    def _minutes(self) -> int:
        return int(str(self.options["resolution"]))

    @override
    async def fetch(self, context: Context) -> Reading:
        headers = {"Authorization": f"Bearer {self.options['token']}"}
        site = str(self.options.get("site") or "") or await _site(context, headers)
        length = timedelta(minutes=self._minutes)
        counts = {"next": AHEAD // length, "previous": BEHIND // length}
        span = {name: str(min(count, MOST)) for name, count in counts.items()} | {"resolution": str(self._minutes)}
        answer = await context.get_json(f"/v1/sites/{site}/prices/current", params=span, headers=headers)
        rows = [mapping(row, "an interval") for row in sequence(answer, "the answer")]
        general, feed_in = (
            [row for row in rows if row.get("channelType") == channel] for channel in ("general", "feedIn")
        )
        more = {TOTAL: _slots(general, "perKwh", DOLLARS), EXPORT: _slots(feed_in, "perKwh", -DOLLARS)}
        spot = _slots(general, "spotPerKwh", DOLLARS)
        reading = price_reading(context, f"{self.key}:{site}", UNIT, spot, self.attribution, more=more)
        current = next((row for row in general if row.get("type") == "CurrentInterval"), {})
        notes: dict[str, Json] = {"renewables": number(current.get("renewables"))}
        return replace(reading, notes=notes, estimated=current.get("estimate") is True)

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return now + timedelta(minutes=5 if self._minutes == 5 else 10) * (0.9 + 0.2 * self.jitter.random())


async def _site(context: Context, headers: dict[str, str]) -> str:
    """Return the account's only active site, looked up once."""
    if kept := context.memory.get("site"):
        return str(kept)
    rows = sequence(await context.get_json("/v1/sites", headers=headers), "the sites")
    sites = [mapping(row, "a site") for row in rows]
    active = [str(site.get("id")) for site in sites if site.get("status") == "active"]
    if len(active) != 1 or not active[0].isalnum():
        raise SourceNoData(f"the account has the active sites {', '.join(active) or 'none'}: enter the id of one")
    context.memory["site"] = active[0]
    return active[0]


def _slots(rows: list[dict[str, Json]], name: str, factor: float) -> tuple[Slot, ...]:
    """Return the slots of intervals, which the API lets begin a second late."""
    slots: dict[datetime, Slot] = {}
    for row in rows:
        start = moment(row.get("startTime")).replace(second=0, microsecond=0)
        end, price = moment(row.get("endTime")), number(row.get(name))
        if end <= start:
            raise SourceBadAnswer("an interval ends before it begins")
        if price is not None:
            slots[start] = Slot(start, end, price * factor)
    return tuple(slots[start] for start in sorted(slots))
