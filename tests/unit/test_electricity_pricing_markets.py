"""Prices without a key beyond Energy-Charts and aWATTar: what each asks, and what it makes of odd answers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from custom_components.strata.sources.base import Home, SourceBadAnswer, SourceNoData
from custom_components.strata.sources.electricity_pricing.comed import ComEd
from custom_components.strata.sources.electricity_pricing.energi_data_service import EnergiDataService
from custom_components.strata.sources.electricity_pricing.nordpool import NordPool
from custom_components.strata.sources.electricity_pricing.octopus import Octopus
from custom_components.strata.sources.electricity_pricing.tariff import StaticTariff
from tests.source_world import BERLIN, CHICAGO, LONDON, NOW, SYDNEY, Answer, by_path, recorded, world

ROLE = "electricity_pricing"
HALF = timedelta(minutes=30)


def answer(path: str) -> Answer:
    return Answer.of(recorded(f"{ROLE}/{path}"))


# Nord Pool

NORDPOOL = {
    "date=2026-11-20": answer("nordpool/day_ahead_2026-11-20.json"),
    "date=2026-11-21": answer("nordpool/day_ahead_2026-11-21.json"),
}


async def test_nordpool_asks_for_each_published_day() -> None:
    context, session = world(by_path(NORDPOOL))
    reading = await NordPool({"area": "SE3", "currency": "SEK"}).fetch(context)
    asked = {"market": "DayAhead", "deliveryArea": "SE3", "currency": "SEK"}
    assert [query for _, query, _ in session.asked] == [
        {"date": "2026-11-20", **asked},
        {"date": "2026-11-21", **asked},
    ]
    assert len(reading.forecasts["current_price"].slots) == 2 * 96
    assert reading.tags == {"provider": "nordpool:SE3", "currency": "SEK"}
    assert reading.timezone == "Europe/Brussels"


@pytest.mark.parametrize("tomorrow", [Answer(status=204), Answer(status=404), Answer.of({})])
async def test_nordpool_goes_without_a_tomorrow_that_is_not_there(tomorrow: Answer) -> None:
    context, _ = world(by_path({**NORDPOOL, "date=2026-11-21": tomorrow}))
    provider = NordPool({"area": "SE3", "currency": "SEK"})
    if tomorrow.status == 200:
        with pytest.raises(SourceBadAnswer):
            await provider.fetch(context)
        return
    assert len((await provider.fetch(context)).forecasts["current_price"].slots) == 96


async def test_nordpool_asks_for_today_alone_before_the_market_has_spoken() -> None:
    context, session = world(by_path(NORDPOOL), now=datetime(2026, 11, 20, 11, 44, tzinfo=UTC))
    await NordPool({"area": "SE3", "currency": "SEK"}).fetch(context)
    assert len(session.asked) == 1


async def test_nordpool_in_two_currencies_is_a_bad_answer() -> None:
    tomorrow = Answer.of({**recorded(f"{ROLE}/nordpool/day_ahead_2026-11-21.json"), "currency": "EUR"})
    context, _ = world(by_path({**NORDPOOL, "date=2026-11-21": tomorrow}))
    with pytest.raises(SourceBadAnswer, match="SEK today and EUR tomorrow"):
        await NordPool({"area": "SE3", "currency": "SEK"}).fetch(context)


async def test_nordpool_without_the_area_has_no_data_and_a_price_that_ends_first_is_wrong() -> None:
    provider = NordPool({"area": "FI", "currency": "EUR"})
    context, _ = world(by_path(NORDPOOL))
    with pytest.raises(SourceNoData, match="no prices for FI on 2026-11-20"):
        await provider.fetch(context)
    row = {"deliveryStart": "2026-11-20T18:00Z", "deliveryEnd": "2026-11-20T18:00Z", "entryPerArea": {"FI": 1.0}}
    context, _ = world(lambda url: Answer.of({"currency": "EUR", "multiAreaEntries": [row]}))
    with pytest.raises(SourceBadAnswer, match="ends before"):
        await provider.fetch(context)


@pytest.mark.parametrize(
    ("country", "currency", "area", "proposed"),
    [("SE", "SEK", "SE3", "SEK"), ("DE", "EUR", "GER", "EUR"), ("RO", "RON", "TEL", "RON"), ("EE", "EUR", "EE", "EUR")],
)
def test_nordpool_proposes_area_and_currency(country: str, currency: str, area: str, proposed: str) -> None:
    home = Home(latitude=0, longitude=0, country=country, currency=currency, timezone="UTC")
    assert [param.default(home) for param in NordPool.params] == [area, proposed]
    assert NordPool.params[0].default(LONDON) is None
    assert NordPool.params[1].default(LONDON) == "EUR"


# Energi Data Service


async def test_energi_data_service_asks_for_two_danish_days_of_an_area() -> None:
    context, session = world(lambda url: answer("energi_data_service/day_ahead_dk1.json"))
    reading = await EnergiDataService({"price_area": "DK1", "currency": "EUR"}).fetch(context)
    assert session.asked[0][1] == {
        "start": "2026-11-20",
        "end": "2026-11-22",
        "filter": '{"PriceArea":["DK1"]}',
        "sort": "TimeUTC asc",
        "limit": "0",
    }
    assert reading.fields["current_price"] == pytest.approx(0.147)
    assert reading.forecasts["current_price"].slots[0].start == datetime(2026, 11, 19, 23, tzinfo=UTC)
    assert len(reading.forecasts["current_price"].slots) == 2 * 96


async def test_energi_data_service_has_holes_and_other_areas() -> None:
    rows: list[dict[str, Any]] = [
        {"TimeUTC": "2026-11-20T17:45:00", "PriceArea": "DK1", "DayAheadPriceDKK": 100.0},
        {"TimeUTC": "2026-11-20T18:00:00", "PriceArea": "DK2", "DayAheadPriceDKK": 900.0},
        {"TimeUTC": "2026-11-20T18:00:00", "PriceArea": "DK1", "DayAheadPriceDKK": 200.0},
        {"TimeUTC": "2026-11-20T18:15:00", "PriceArea": "DK1", "DayAheadPriceDKK": None},
    ]
    provider = EnergiDataService({"price_area": "DK1", "currency": "DKK"})
    reading = await provider.fetch(world(lambda url: Answer.of({"records": rows}))[0])
    assert [slot.value for slot in reading.forecasts["current_price"].slots] == pytest.approx([0.1, 0.2])
    with pytest.raises(SourceNoData, match="no prices for DK1"):
        await provider.fetch(world(lambda url: Answer.of({"records": rows[1:2]}))[0])
    with pytest.raises(SourceBadAnswer, match="how long a slot is"):
        await provider.fetch(world(lambda url: Answer.of({"records": rows[:1]}))[0])


@pytest.mark.parametrize(("longitude", "area"), [(12.57, "DK2"), (10.2, "DK1")])
def test_energi_data_service_proposes_the_side_of_the_belt(longitude: float, area: str) -> None:
    home = Home(latitude=56, longitude=longitude, country="DK", currency="DKK", timezone="Europe/Copenhagen")
    assert [param.default(home) for param in EnergiDataService.params] == [area, "DKK"]


# Octopus Energy

OCTOPUS = {
    "/v1/products/?": answer("octopus/products.json"),
    "/AGILE-24-10-01/": answer("octopus/agile_c.json"),
    "/VAR-22-11-01/": answer("octopus/flexible_c.json"),
}


async def test_octopus_finds_the_agile_product_once_a_day() -> None:
    memory: dict[str, Any] = {}
    context, session = world(by_path(OCTOPUS), home=LONDON, memory=memory)
    provider = Octopus({"region": "c"})
    reading = await provider.fetch(context)
    assert memory == {"product": "AGILE-24-10-01", "looked_up": "2026-11-20"}
    assert [url.removeprefix("https://source.test") for url, _, _ in session.asked] == [
        "/v1/products/",
        "/v1/products/AGILE-24-10-01/electricity-tariffs/E-1R-AGILE-24-10-01-C/standard-unit-rates/",
    ]
    span = {"period_from": "2026-11-19T23:00Z", "period_to": "2026-11-22T00:00Z", "page_size": "1500"}
    assert session.asked[1][1] == span
    await provider.fetch(context)
    assert len(session.asked) == 3, "the product is remembered"
    memory["looked_up"] = "2026-11-19"
    await provider.fetch(context)
    assert len(session.asked) == 5
    # The hour's mean is 150: a fifth of it in pence, and 5 % VAT.
    assert reading.fields == {"current_price": pytest.approx(0.315), "total_price": pytest.approx(0.315)}
    assert reading.tags == {"provider": "octopus:AGILE-24-10-01-C", "currency": "GBP"}
    assert len(reading.forecasts["current_price"].slots) == 48
    assert reading.forecasts["current_price"].slots[26].value == pytest.approx(-0.0105)


async def test_octopus_of_a_fixed_tariff_goes_on_in_half_hours() -> None:
    context, session = world(by_path(OCTOPUS), home=LONDON)
    reading = await Octopus({"region": "c", "product": "VAR-22-11-01"}).fetch(context)
    assert len(session.asked) == 1
    slots = reading.forecasts["total_price"].slots
    assert {round(slot.value, 6) for slot in slots} == {0.2541}, "the rate of those who pay by direct debit"
    assert {slot.end - slot.start for slot in slots} == {HALF}
    assert slots[0].start == datetime(2026, 11, 19, 23, tzinfo=UTC)
    assert slots[-1].end == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "hours"), [(datetime(2026, 3, 29, 12, tzinfo=UTC), 23), (datetime(2026, 10, 25, 12, tzinfo=UTC), 25)]
)
async def test_octopus_on_days_when_clocks_change(now: datetime, hours: int) -> None:
    start = now.replace(hour=23) - timedelta(days=1) if hours == 23 else now.replace(hour=22) - timedelta(days=1)
    rows = [
        {"value_inc_vat": float(index), "valid_from": at.isoformat(), "valid_to": (at + HALF).isoformat()}
        for index in range(2 * hours)
        for at in [start + index * HALF]
    ]
    context, _ = world(lambda url: Answer.of({"results": rows}), home=LONDON, now=now)
    reading = await Octopus({"region": "c", "product": "X"}).fetch(context)
    slots = reading.forecasts["current_price"].slots
    assert [slot.start for slot in slots] == [start + index * HALF for index in range(2 * hours)]
    assert all(one.end == two.start for one, two in pairwise(slots))


async def test_octopus_without_an_agile_product_asks_for_yours() -> None:
    context, _ = world(lambda url: Answer.of({"results": [{"code": "AGILE-OUTGOING-19-05-13"}]}), home=LONDON)
    with pytest.raises(SourceNoData, match="enter the code"):
        await Octopus({"region": "c"}).fetch(context)


async def test_octopus_refuses_a_rate_that_ends_first() -> None:
    rate = {"value_inc_vat": 1.0, "valid_from": "2026-11-20T18:00Z", "valid_to": "2026-11-20T17:00Z"}
    context, _ = world(lambda url: Answer.of({"results": [rate]}), home=LONDON)
    with pytest.raises(SourceBadAnswer, match="ends before"):
        await Octopus({"region": "c", "product": "X"}).fetch(context)


@pytest.mark.parametrize(
    ("latitude", "longitude", "region"),
    [(51.5, -0.12, "c"), (55.95, -3.19, "n"), (51.45, -2.59, "k"), (53.8, -1.55, "m"), (57.48, -4.22, "p")],
)
def test_octopus_proposes_the_region_of_the_nearest_town(latitude: float, longitude: float, region: str) -> None:
    home = Home(latitude=latitude, longitude=longitude, country="GB", currency="GBP", timezone="Europe/London")
    assert Octopus.params[0].default(home) == region


async def test_octopus_is_asked_again_in_the_late_afternoon() -> None:
    provider = Octopus({"region": "c"})
    reading = await provider.fetch(world(by_path(OCTOPUS), home=LONDON)[0])
    # At noon today is complete: tomorrow is due at 16:45 in Brussels, 15:45 UTC.
    due = provider.next_fetch(datetime(2026, 11, 20, 12, tzinfo=UTC), reading)
    assert due is not None
    assert timedelta() <= due - datetime(2026, 11, 20, 15, 45, tzinfo=UTC) < timedelta(minutes=10)


# ComEd


async def test_comed_is_in_cents_as_text() -> None:
    context, session = world(lambda url: answer("comed/current_hour_average.json"), home=CHICAGO)
    reading = await ComEd({}).fetch(context)
    assert session.asked[0][1] == {"type": "currenthouraverage"}
    assert reading.fields == {"current_price": pytest.approx(0.025)}
    assert (reading.unit, reading.observed_at) == ("USD/kWh", NOW)
    assert dict(reading.forecasts) == {}
    due = ComEd({}).next_fetch(NOW, reading)
    assert due is not None
    assert timedelta(minutes=4.4) < due - NOW < timedelta(minutes=5.6)


@pytest.mark.parametrize(
    ("latitude", "longitude", "country", "covered"),
    [(41.88, -87.63, "US", True), (39.78, -89.65, "US", False), (41.88, -87.63, "CA", False)],
    ids=["Chicago", "Springfield", "elsewhere"],
)
def test_comed_covers_northern_illinois(latitude: float, longitude: float, country: str, covered: bool) -> None:
    home = Home(latitude=latitude, longitude=longitude, country=country, currency="USD", timezone="America/Chicago")
    assert ComEd.covers(home) == covered


# A tariff that does not depend on a market

EVENINGS = {"price": 0.30, "periods": [{"rate": 0.40, "start": "17:00:00", "end": "20:00:00"}]}


async def test_tariff_is_known_a_week_ahead_and_is_the_total() -> None:
    reading = await StaticTariff(EVENINGS).fetch(world()[0])
    # It is 19:05 in Berlin.
    assert reading.fields == {"current_price": 0.40, "total_price": 0.40}
    assert (reading.unit, reading.timezone) == ("EUR/kWh", "Europe/Berlin")
    slots = reading.forecasts["total_price"].slots
    assert slots[0].start == datetime(2026, 11, 19, 23, tzinfo=UTC)
    assert slots[-1].end == datetime(2026, 11, 27, 23, tzinfo=UTC)
    assert len(slots) == 8 * 24


async def test_tariff_speaks_the_currency_and_the_clock_of_the_home() -> None:
    reading = await StaticTariff({**EVENINGS, "name": "Home"}).fetch(world(home=SYDNEY)[0])
    # In Sydney it is five past five in the morning.
    assert reading.fields["current_price"] == 0.30
    assert reading.tags == {"provider": "tariff:Home", "currency": "AUD"}


@pytest.mark.parametrize(
    ("now", "hours"), [(datetime(2026, 3, 29, 12, tzinfo=UTC), 23), (datetime(2026, 10, 25, 12, tzinfo=UTC), 25)]
)
async def test_tariff_on_days_when_clocks_change(now: datetime, hours: int) -> None:
    reading = await StaticTariff(EVENINGS).fetch(world(now=now)[0])
    midnight = now.replace(hour=23 if hours == 23 else 22) - timedelta(days=1)
    today = [
        slot for slot in reading.forecasts["current_price"].slots if slot.start < midnight + timedelta(hours=hours)
    ]
    assert len(today) == hours
    # 17:00 to 20:00 on the wall, whatever the night did.
    dear = [slot.start for slot in today if slot.value == 0.40]
    assert dear == [midnight + timedelta(hours=hours - 7 + index) for index in range(3)]


async def test_tariff_is_read_again_at_midnight() -> None:
    provider = StaticTariff({"price": 0.3})
    reading = await provider.fetch(world()[0])
    assert provider.next_fetch(NOW, reading) == datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert provider.next_fetch(NOW, None) is None
    assert provider.title() == ""


async def test_tariff_needs_a_price() -> None:
    with pytest.raises(SourceNoData):
        await StaticTariff({"price": "much"}).fetch(world(home=BERLIN)[0])
