"""Customers of Tibber: the spot price and the total price of the contract, by quarters of an hour."""

from datetime import datetime, timedelta
import random
from typing import ClassVar, Final, override

from ...core.forecast import infer_slots
from ...core.model import Slot
from ..answer import mapping, moment, number, sequence
from ..base import (
    Context,
    Json,
    Param,
    ParamKind,
    Provider,
    Quota,
    Reading,
    SourceBadAnswer,
    SourceNoData,
    SourceUnauthorized,
)
from .prices import MARKET_ZONE, TOTAL, after_publication, in_currency, price_reading

QUERY: Final = (
    "{viewer{homes{id appNickname currentSubscription{priceInfo(resolution:QUARTER_HOURLY){"
    "current{currency} today{total energy startsAt} tomorrow{total energy startsAt}}}}}}"
)
"""Prices per kWh: `energy` is the spot price, `total` has taxes and VAT and, in some countries only, the grid fee."""


class Tibber(Provider):
    """https://developer.tibber.com, GraphQL with a personal access token; refusals come with status 200 or 400."""

    key = "tibber"
    base_url = "https://api.tibber.com"
    params = (
        Param(key="token", kind=ParamKind.SECRET),
        Param(key="home", kind=ParamKind.TEXT, required=False),
    )
    quota = Quota(requests=20, period=timedelta(hours=1))
    countries = frozenset({"DE", "NL", "NO", "SE"})
    gives = frozenset({TOTAL})
    attribution = "Tibber"
    jitter: ClassVar[random.Random] = random.Random()

    @override
    def title(self) -> str:
        return str(self.options.get("home") or "")

    @override
    async def fetch(self, context: Context) -> Reading:
        headers = {"Authorization": f"Bearer {self.options['token']}", "User-Agent": "Strata for Home Assistant"}
        body: Json = {"query": QUERY}
        answer = mapping(
            await context.post_json("/v1-beta/gql", body=body, headers=headers, accepted={400}), "the answer"
        )
        _check(answer)
        homes = sequence(mapping(mapping(answer.get("data"), "data").get("viewer"), "viewer").get("homes"), "homes")
        home = self._home([mapping(home, "a home") for home in homes])
        if (subscription := home.get("currentSubscription")) is None:
            raise SourceNoData("this home has no contract with Tibber at present")
        prices = mapping(mapping(subscription, "currentSubscription").get("priceInfo"), "priceInfo")
        days = [sequence(prices.get(day), day) for day in ("today", "tomorrow")]
        rows = [mapping(row, "a price") for day in days for row in day]
        if not rows:
            raise SourceNoData("Tibber has no prices for this home")
        currency, _ = in_currency(mapping(prices.get("current"), "current").get("currency"))
        spot, total = (_slots(rows, name) for name in ("energy", "total"))
        provider = f"{self.key}:{home.get('id')}"
        more = {TOTAL: total}
        unit = f"{currency}/kWh"
        return price_reading(context, provider, unit, spot, self.attribution, zone=MARKET_ZONE, more=more)

    def _home(self, homes: list[dict[str, Json]]) -> dict[str, Json]:
        wanted = self.title().casefold()
        names = [(str(home.get("appNickname") or home.get("id")), home) for home in homes]
        chosen = [home for name, home in names if wanted in {"", name.casefold(), str(home.get("id")).casefold()}]
        if len(chosen) != 1:
            raise SourceNoData(f"the account has the homes {', '.join(name for name, _ in names) or 'none'}: name one")
        return chosen[0]

    @override
    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        return after_publication(now, reading, self.jitter)


def _check(answer: dict[str, Json]) -> None:
    """Raise what the errors of a GraphQL answer mean."""
    errors = answer.get("errors")
    for error in errors if isinstance(errors, list) else ():
        extensions = error.get("extensions") if isinstance(error, dict) else None
        code = extensions.get("code") if isinstance(extensions, dict) else None
        if code == "UNAUTHENTICATED":
            raise SourceUnauthorized("Tibber refused the access token")
        raise SourceBadAnswer(f"Tibber answered an error ({code or 'without a code'})")


def _slots(rows: list[dict[str, Json]], name: str) -> tuple[Slot, ...]:
    try:
        return infer_slots((moment(row.get("startsAt")), number(row.get(name))) for row in rows)
    except ValueError as error:
        raise SourceBadAnswer(str(error)) from None
