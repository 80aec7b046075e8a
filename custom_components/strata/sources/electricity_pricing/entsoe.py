"""Europe: day-ahead prices of all bidding zones from the ENTSO-E Transparency Platform."""

from collections.abc import Iterator
from datetime import datetime, timedelta
import random
from typing import ClassVar, Final, override
import xml.etree.ElementTree as ET

from ...core.forecast import day_around
from ...core.model import Slot
from ..answer import moment, number
from ..base import Context, Param, ParamKind, Provider, Quota, Reading, SourceBadAnswer, SourceNoData
from .entsoe_zones import EIC, default_zone
from .prices import MARKET_ZONE, after_publication, in_currency, price_reading

RESOLUTIONS: Final = {f"PT{minutes}M": timedelta(minutes=minutes) for minutes in (15, 30, 60)}
MOST_POSITIONS: Final = 400
"""In a period; a day of 25 hours has 100 quarters."""


class Entsoe(Provider):
    """Wholesale prices without taxes and fees, today and, once published, tomorrow.

    https://transparency.entsoe.eu, document A44. An acknowledgement instead of prices, whatever its status, means that
    there are none. Of several auctions of a day the first sequence, the coupled market's, counts.
    """

    key = "entsoe"
    base_url = "https://web-api.tp.entsoe.eu"
    params = (
        Param(key="token", kind=ParamKind.SECRET),
        Param(key="bidding_zone", kind=ParamKind.SELECT, choices=tuple(EIC), default=default_zone),
    )
    quota = Quota(requests=60, period=timedelta(hours=1))
    countries = frozenset(zone for zone in EIC if len(zone) == 2) | {"DE", "DK", "IE", "IT", "LU", "NO", "SE"}
    attribution = "ENTSO-E Transparency Platform"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return str(self.options["bidding_zone"])

    @override
    async def fetch(self, context: Context) -> Reading:
        start, _ = day_around(context.now(), MARKET_ZONE)
        zone = EIC[self.title()]
        params = {
            "securityToken": str(self.options["token"]),
            "documentType": "A44",
            "in_Domain": zone,
            "out_Domain": zone,
            "contract_MarketAgreement.type": "A01",
            "periodStart": f"{start:%Y%m%d%H%M}",
            "periodEnd": f"{start + timedelta(days=2):%Y%m%d%H%M}",
        }
        document = _document(await context.get_text("/api", params=params, accepted={400}))
        slots: dict[datetime, Slot] = {}
        currencies: set[str] = set()
        for series in sorted(_all(document, "TimeSeries"), key=_sequence, reverse=True):
            currency, factor = in_currency(
                _text(series, "currency_Unit.name"), _text(series, "price_Measure_Unit.name").replace("MWH", "MWh")
            )
            currencies.add(currency)
            slots.update(
                (slot.start, slot) for period in _all(series, "Period") for slot in _slots(period, series, factor)
            )
        if not slots:
            raise SourceNoData(f"ENTSO-E has no prices for {self.title()}")
        if len(currencies) > 1:
            raise SourceBadAnswer(f"the prices have more than one currency: {', '.join(sorted(currencies))}")
        ordered = tuple(slots[at] for at in sorted(slots))
        provider = f"{self.key}:{self.title()}"
        unit = f"{currencies.pop()}/kWh"
        return price_reading(context, provider, unit, ordered, self.attribution, zone=MARKET_ZONE)

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return after_publication(now, reading, self.jitter)


def _document(text: str) -> ET.Element:
    try:
        # The parser of Python 3.14 bounds what entities expand to, and the answer's size is bounded already.
        root = ET.fromstring(text)  # noqa: S314
    except ET.ParseError:
        raise SourceBadAnswer("the answer is not XML or cut off") from None
    name = root.tag.rpartition("}")[2]
    if name == "Acknowledgement_MarketDocument":
        reason = next((element.text for element in root.iter() if element.tag.endswith("}text")), None)
        raise SourceNoData(f"ENTSO-E answers: {reason or 'no reason given'}")
    if name != "Publication_MarketDocument":
        raise SourceBadAnswer("the answer is no document of prices")
    return root


def _all(element: ET.Element, name: str) -> list[ET.Element]:
    return element.findall(f"{{*}}{name}")


def _text(element: ET.Element, path: str) -> str:
    return (element.findtext("/".join(f"{{*}}{name}" for name in path.split("/"))) or "").strip()


def _sequence(series: ET.Element) -> float:
    return number(_text(series, "classificationSequence_AttributeInstanceComponent.position")) or 1.0


def _slots(period: ET.Element, series: ET.Element, factor: float) -> Iterator[Slot]:
    """Yield the slots of a period; with curve type A03 an omitted position repeats the price before it."""
    start, end = moment(_text(period, "timeInterval/start")), moment(_text(period, "timeInterval/end"))
    length = RESOLUTIONS.get(_text(period, "resolution"))
    if length is None or not timedelta() < end - start <= MOST_POSITIONS * length:
        raise SourceBadAnswer("a period has no known resolution or length")
    prices = {number(_text(point, "position")): number(_text(point, "price.amount")) for point in _all(period, "Point")}
    repeats, price = _text(series, "curveType") == "A03", None
    for index in range((end - start) // length):
        price = prices.get(index + 1, price if repeats else None)
        if price is not None:
            yield Slot(start + index * length, start + (index + 1) * length, price * factor)
