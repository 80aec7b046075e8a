"""Prices of the providers that want a key: Tibber, ENTSO-E, Amber."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.strata.sources.base import SourceBadAnswer, SourceNoData, SourceUnauthorized
from custom_components.strata.sources.electricity_pricing.amber import Amber
from custom_components.strata.sources.electricity_pricing.entsoe import Entsoe
from custom_components.strata.sources.electricity_pricing.tibber import Tibber
from tests.source_world import LONDON, NOW, SYDNEY, Answer, by_path, recorded, world

ROLE = "electricity_pricing"
SECRET = "s3cret"
MIDNIGHT = datetime(2026, 11, 19, 23, tzinfo=UTC)
"""In Brussels."""
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)


def answer(path: str) -> Answer:
    return Answer.of(recorded(f"{ROLE}/{path}"))


# Tibber

PRICE_INFO: dict[str, Any] = recorded(f"{ROLE}/tibber/price_info.json")


def account(*homes: dict[str, Any]) -> Answer:
    return Answer.of({"data": {"viewer": {"homes": list(homes)}}})


async def test_tibber_keeps_spot_and_total_apart() -> None:
    context, session = world(lambda url: Answer.of(PRICE_INFO))
    reading = await Tibber({"token": SECRET}).fetch(context)
    ((url, _, headers),) = session.asked
    assert url.endswith("/v1-beta/gql")
    assert headers == {"Authorization": f"Bearer {SECRET}", "User-Agent": "Strata for Home Assistant"}
    # A quarter more than 0.147, and 0.05.
    assert reading.fields == {"current_price": 0.147, "total_price": pytest.approx(0.23375)}
    for name in ("current_price", "total_price"):
        slots = reading.forecasts[name].slots
        assert (slots[0].start, len(slots)) == (MIDNIGHT, 2 * 96)
        assert {slot.end - slot.start for slot in slots} == {QUARTER}
    assert reading.tags["provider"] == "tibber:96a14971-525a-4420-aae9-e5aedaa129ff"


@pytest.mark.parametrize("status", [200, 400])
async def test_tibber_says_in_the_body_that_a_token_is_refused(status: int) -> None:
    body = answer("tibber/unauthenticated.json").body
    with pytest.raises(SourceUnauthorized, match="refused the access token"):
        await Tibber({"token": SECRET}).fetch(world(lambda url: Answer(body, status))[0])


@pytest.mark.parametrize("error", [{"extensions": {"code": "INTERNAL"}}, {"message": "no"}, "no"])
async def test_tibber_has_other_errors_too(error: object) -> None:
    with pytest.raises(SourceBadAnswer, match="answered an error"):
        await Tibber({"token": SECRET}).fetch(world(lambda url: Answer.of({"errors": [error], "data": None}))[0])


async def test_tibber_wants_the_home_named_where_there_are_several() -> None:
    home = PRICE_INFO["data"]["viewer"]["homes"][0]
    cabin = {**home, "id": "b", "appNickname": None}
    both = world(lambda url: account(home, cabin))[0]
    with pytest.raises(SourceNoData, match="homes Home, b: name one"):
        await Tibber({"token": SECRET}).fetch(both)
    for named, chosen in (("home", home["id"]), (home["id"], home["id"]), ("B", "b")):
        reading = await Tibber({"token": SECRET, "home": named}).fetch(both)
        assert reading.tags["provider"] == f"tibber:{chosen}"
    with pytest.raises(SourceNoData, match="homes none"):
        await Tibber({"token": SECRET}).fetch(world(lambda url: account())[0])


async def test_tibber_without_a_contract_or_prices_has_no_data() -> None:
    home = PRICE_INFO["data"]["viewer"]["homes"][0]
    with pytest.raises(SourceNoData, match="no contract"):
        await Tibber({"token": SECRET}).fetch(world(lambda url: account({**home, "currentSubscription": None}))[0])
    nothing = {"priceInfo": {"current": None, "today": [], "tomorrow": []}}
    with pytest.raises(SourceNoData, match="no prices"):
        await Tibber({"token": SECRET}).fetch(world(lambda url: account({**home, "currentSubscription": nothing}))[0])
    one = {"priceInfo": {"current": {"currency": "NOK"}, "today": [{"startsAt": "2026-11-20T18:00Z"}], "tomorrow": []}}
    with pytest.raises(SourceBadAnswer, match="how long a slot is"):
        await Tibber({"token": SECRET}).fetch(world(lambda url: account({**home, "currentSubscription": one}))[0])


# ENTSO-E

DE_LU = {"token": SECRET, "bidding_zone": "DE-LU"}


async def test_entsoe_asks_for_two_market_days_and_takes_the_first_auction() -> None:
    context, session = world(lambda url: answer("entsoe/quarters_de_lu.xml"))
    reading = await Entsoe(DE_LU).fetch(context)
    assert session.asked[0][1] == {
        "securityToken": SECRET,
        "documentType": "A44",
        "in_Domain": "10Y1001A1001A82H",
        "out_Domain": "10Y1001A1001A82H",
        "contract_MarketAgreement.type": "A01",
        "periodStart": "202611192300",
        "periodEnd": "202611212300",
    }
    slots = reading.forecasts["current_price"].slots
    assert len(slots) == 2 * 96
    # The second auction says 999 all day; the first begins with 57.
    assert slots[0].value == pytest.approx(0.057)
    assert reading.fields["current_price"] == pytest.approx(0.147)


async def test_entsoe_repeats_what_curve_type_a03_leaves_out_to_the_end_of_the_period() -> None:
    context, _ = world(lambda url: answer("entsoe/omitted_de_lu.xml"))
    slots = (await Entsoe(DE_LU).fetch(context)).forecasts["current_price"].slots
    assert len(slots) == 96
    by_hour = [[slot.value for slot in slots[4 * hour : 4 * hour + 4]] for hour in range(24)]
    assert by_hour[3] == by_hour[4] == pytest.approx([0.045] * 4), "written once"
    # The last hours are left out: 95 of the hour from 21:00 goes on to midnight.
    assert by_hour[21] == by_hour[22] == by_hour[23] == pytest.approx([0.095] * 4)
    assert slots[-1].end == MIDNIGHT + timedelta(days=1)


async def test_entsoe_has_a_hole_where_curve_type_a01_leaves_out() -> None:
    context, _ = world(lambda url: answer("entsoe/hours_a01_de_lu.xml"))
    slots = (await Entsoe(DE_LU).fetch(context)).forecasts["current_price"].slots
    assert len(slots) == 23
    assert MIDNIGHT + 20 * HOUR not in {slot.start for slot in slots}
    assert {slot.end - slot.start for slot in slots} == {HOUR}


@pytest.mark.parametrize("status", [200, 400])
async def test_entsoe_says_in_an_acknowledgement_that_there_is_nothing(status: int) -> None:
    body = answer("entsoe/no_data.xml").body
    with pytest.raises(SourceNoData, match="No matching data found"):
        await Entsoe(DE_LU).fetch(world(lambda url: Answer(body, status))[0])


PUBLICATION = answer("entsoe/hours_a01_de_lu.xml").body.decode()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Publication_MarketDocument", "GL_MarketDocument", "no document of prices"),
        (">MWH<", ">GJ<", "'EUR/GJ'"),
        (">MWH<", "><", "'EUR/'"),
        ("PT60M", "P1Y", "resolution or length"),
        ("<end>2026-11-20T23:00Z", "<end>2026-11-19T23:00Z", "resolution or length"),
        ("<end>2026-11-20T23:00Z", "<end>2066-11-20T23:00Z", "resolution or length"),
    ],
)
async def test_entsoe_that_is_not_as_documented_is_a_bad_answer(old: str, new: str, says: str) -> None:
    changed = PUBLICATION.replace(old, new)
    assert changed != PUBLICATION
    with pytest.raises(SourceBadAnswer, match=says):
        await Entsoe(DE_LU).fetch(world(lambda url: Answer(changed.encode()))[0])


async def test_entsoe_in_two_currencies_is_a_bad_answer() -> None:
    series = PUBLICATION[PUBLICATION.index("<TimeSeries>") : PUBLICATION.index("</Publication_MarketDocument>")]
    both = PUBLICATION.replace(series, series + series.replace(">EUR<", ">PLN<"))
    with pytest.raises(SourceBadAnswer, match="EUR, PLN"):
        await Entsoe(DE_LU).fetch(world(lambda url: Answer(both.encode()))[0])


def test_entsoe_proposes_a_zone_where_it_has_one() -> None:
    (zone,) = [param for param in Entsoe.params if param.key == "bidding_zone"]
    assert zone.default(world()[0].home) == "DE-LU"
    assert zone.default(LONDON) is None


# Amber

AMBER = {"/prices/current": answer("amber/prices_current.json"), "/v1/sites": answer("amber/sites.json")}
THIRTY = {"token": SECRET, "resolution": "30"}


async def test_amber_knows_spot_total_and_export() -> None:
    memory: dict[str, Any] = {}
    context, session = world(by_path(AMBER), home=SYDNEY, memory=memory)
    reading = await Amber(THIRTY).fetch(context)
    # The hour from 18:00 UTC has 4.5 cents; the total is 18 more and feeding in pays one more.
    assert reading.fields == {
        "current_price": pytest.approx(0.045),
        "total_price": pytest.approx(0.225),
        "export_price": pytest.approx(0.055),
    }
    assert reading.estimated
    assert reading.notes == {"renewables": 45.5}
    (first, *_) = reading.forecasts["total_price"].slots
    assert (first.start, first.end - first.start) == (datetime(2026, 11, 19, 14, tzinfo=UTC), timedelta(minutes=30))
    assert memory == {"site": "01F5A5CRKMZ5BCX9P1S4V990AM"}
    assert session.asked[1] == (
        "https://source.test/v1/sites/01F5A5CRKMZ5BCX9P1S4V990AM/prices/current",
        {"next": "96", "previous": "48", "resolution": "30"},
        {"Authorization": f"Bearer {SECRET}"},
    )
    await Amber(THIRTY).fetch(context)
    assert len(session.asked) == 3, "the site is remembered"


async def test_amber_of_five_minutes_and_a_chosen_site() -> None:
    context, session = world(by_path(AMBER), home=SYDNEY)
    provider = Amber({"token": SECRET, "resolution": "5", "site": "B2"})
    await provider.fetch(context)
    assert [url for url, _, _ in session.asked] == ["https://source.test/v1/sites/B2/prices/current"]
    assert session.asked[0][1] == {"next": "288", "previous": "288", "resolution": "5"}
    due = provider.next_fetch(NOW, None)
    assert due is not None
    assert timedelta(minutes=4.4) < due - NOW < timedelta(minutes=5.6)


@pytest.mark.parametrize(
    "sites",
    [[], [{"id": "a", "status": "closed"}], [{"id": "a", "status": "active"}, {"id": "b", "status": "active"}]],
)
async def test_amber_wants_the_site_where_it_is_not_clear(sites: list[dict[str, str]]) -> None:
    context, _ = world(lambda url: Answer.of(sites), home=SYDNEY)
    with pytest.raises(SourceNoData, match=r"active sites (none|a, b): enter the id"):
        await Amber(THIRTY).fetch(context)


async def test_amber_refuses_an_interval_that_ends_first() -> None:
    row = {"channelType": "general", "startTime": "2026-11-20T18:00:01Z", "endTime": "2026-11-20T18:00:00Z"}
    with pytest.raises(SourceBadAnswer, match="ends before"):
        await Amber({**THIRTY, "site": "a"}).fetch(world(lambda url: Answer.of([row]), home=SYDNEY)[0])
