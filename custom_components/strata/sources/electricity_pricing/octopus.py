"""Great Britain: unit rates of Octopus Energy's tariffs, half-hourly (Agile) or fixed, with VAT."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
import random
import re
from typing import ClassVar, Final, override

from ...core.forecast import day_around
from ...core.model import Slot
from ..answer import mapping, moment, number, sequence
from ..base import Context, Json, Param, ParamKind, Provider, Quota, Reading, SourceBadAnswer, SourceNoData
from .octopus_regions import REGIONS, nearest
from .prices import MARKET_ZONE, TOTAL, after_publication, price_reading

AGILE: Final = re.compile(r"AGILE-(FLEX-)?\d\d-\d\d-\d\d")
"""Not AGILE-OUTGOING, which is for feeding in."""
SLOT: Final = timedelta(minutes=30)
PUBLISHED: Final = time(16, 45)
"""Agile's next day appears at about 16:00 in Britain, which is 17:00 in the market's zone, or later."""
POUNDS: Final = 0.01
"""The API documents its rates in pence."""


class Octopus(Provider):
    """What customers pay per kWh, so the price is the total at the same time.

    https://developer.octopus.energy. No key for rates. Without a product the current Agile product is looked up, once
    a day. Agile's day is that of the European market, from 23:00 to 23:00 in Britain.
    """

    key = "octopus"
    base_url = "https://api.octopus.energy"
    params = (
        Param(key="region", kind=ParamKind.SELECT, choices=tuple(REGIONS), translated=True, default=nearest),
        Param(key="product", kind=ParamKind.TEXT, required=False, pattern=r"[A-Z0-9-]+"),
    )
    quota = Quota(requests=60, period=timedelta(hours=1))
    countries = frozenset({"GB"})
    currencies = frozenset({"GBP"})
    gives = frozenset({TOTAL})
    attribution = "Octopus Energy"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return " ".join(filter(None, (str(self.options["region"]).upper(), str(self.options.get("product") or ""))))

    @override
    async def fetch(self, context: Context) -> Reading:
        region = str(self.options["region"]).upper()
        product = str(self.options.get("product") or "") or await _agile(context)
        start, _ = day_around(context.now(), MARKET_ZONE)
        end = start + timedelta(days=2, hours=1)
        path = f"/v1/products/{product}/electricity-tariffs/E-1R-{product}-{region}/standard-unit-rates/"
        span = {"period_from": f"{start:%Y-%m-%dT%H:%MZ}", "period_to": f"{end:%Y-%m-%dT%H:%MZ}"}
        answer = mapping(await context.get_json(path, params={**span, "page_size": "1500"}), "the answer")
        slots = {
            slot.start: slot
            for row in sequence(answer.get("results"), "results")
            for slot in _slots(mapping(row, "a rate"), start, end)
        }
        ordered = tuple(slots[at] for at in sorted(slots))
        provider = f"{self.key}:{product}-{region}"
        more = {TOTAL: ordered}
        return price_reading(context, provider, "GBP/kWh", ordered, self.attribution, zone=MARKET_ZONE, more=more)

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return after_publication(now, reading, self.jitter, published=PUBLISHED)


async def _agile(context: Context) -> str:
    """Return the code of the Agile product that is sold now, looked up once a day."""
    today = context.now().date().isoformat()
    if (kept := context.memory.get("product")) and context.memory.get("looked_up") == today:
        return str(kept)
    query = {"is_variable": "true", "brand": "OCTOPUS_ENERGY"}
    answer = mapping(await context.get_json("/v1/products/", params=query), "the answer")
    products = [mapping(row, "a product") for row in sequence(answer.get("results"), "results")]
    sold = [one for one in products if one.get("available_to") is None and AGILE.fullmatch(str(one.get("code")))]
    if not sold:
        raise SourceNoData("Octopus Energy sells no Agile product at present: enter the code of yours")
    code = str(max(sold, key=lambda one: str(one.get("available_from"))).get("code"))
    context.memory.update({"product": code, "looked_up": today})
    return code


def _slots(rate: dict[str, Json], start: datetime, end: datetime) -> Iterator[Slot]:
    """Yield a rate by half hours from `start` to `end`; one without an end goes on for ever."""
    price = number(rate.get("value_inc_vat"))
    begin, until = moment(rate.get("valid_from")), end if rate.get("valid_to") is None else moment(rate["valid_to"])
    if until <= begin and rate.get("valid_to") is not None:
        raise SourceBadAnswer("a rate ends before it begins")
    # Those who do not pay by direct debit have rates of their own in some tariffs.
    if price is None or rate.get("payment_method") == "NON_DIRECT_DEBIT":
        return
    at = max(begin, start)
    while at < min(until, end):
        yield Slot(at, min(at + SLOT, until, end), price * POUNDS)
        at += SLOT
