"""Prices from entities and actions of other integrations, each in the shape it has there."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.strata.sources.base import Home, Json, Reading, SourceBadAnswer, SourceNoData
from custom_components.strata.sources.electricity_pricing.action import Action
from custom_components.strata.sources.electricity_pricing.entity import Entity
from tests.source_world import BERLIN, LONDON, NOW, SYDNEY, FakeAccess, recorded, world

ENTITY = "sensor.price"
SEVENTEEN = datetime(2026, 11, 20, 17, tzinfo=UTC)
STOCKHOLM = Home(latitude=59.33, longitude=18.07, country="SE", currency="SEK", timezone="Europe/Stockholm")


async def read(access: FakeAccess, home: Home = BERLIN, **options: object) -> Reading:
    return await Entity({"entity": ENTITY, **options}).fetch(world(access=access, home=home)[0])


def with_rows(*rows: object, unit: str | None = "EUR/kWh", name: str = "prices", **more: object) -> FakeAccess:
    access = FakeAccess()
    access.add(ENTITY, "0.2", unit=unit, **{name: list(rows)}, **more)
    return access


@pytest.mark.parametrize(
    ("shape", "home", "unit"),
    [
        ("epex_spot", BERLIN, "EUR/kWh"),
        ("nordpool_hacs", STOCKHOLM, "SEK/kWh"),
        ("nordpool_hacs_mwh", BERLIN, "EUR/kWh"),
        ("entsoe", BERLIN, "EUR/kWh"),
        ("frank_energie", BERLIN, "EUR/kWh"),
        ("ge_spot", BERLIN, "EUR/kWh"),
        ("zonneplan", BERLIN, "EUR/kWh"),
        ("octopus", LONDON, "GBP/kWh"),
        ("amber", SYDNEY, "AUD/kWh"),
    ],
)
async def test_every_known_shape_is_found(shape: str, home: Home, unit: str) -> None:
    saved = recorded(f"electricity_pricing/entity/{shape}.json")
    access = FakeAccess()
    access.add(ENTITY, saved["state"], **saved["attributes"])
    reading = await read(access, home)
    forecast = reading.forecasts["current_price"]
    assert [(slot.start, slot.end) for slot in forecast.slots] == [
        (SEVENTEEN + timedelta(hours=hour), SEVENTEEN + timedelta(hours=hour + 1)) for hour in range(3)
    ]
    assert [slot.value for slot in forecast.slots] == pytest.approx([0.10, 0.25, 0.05])
    assert reading.fields["current_price"] == pytest.approx(0.25)
    assert reading.unit == forecast.unit == unit
    assert reading.tags == {"provider": f"entity:{ENTITY}", "currency": unit[:3]}


async def test_tomorrow_may_be_in_another_entity() -> None:
    saved = recorded("electricity_pricing/entity/octopus.json")["attributes"]
    access = FakeAccess()
    access.add(ENTITY, "2026-11-20T17:00:00+00:00", rates=saved["rates"][:2])
    access.add("event.tomorrow", "2026-11-20T17:00:00+00:00", rates=saved["rates"][1:])
    both = await read(access, LONDON, tomorrow_entity="event.tomorrow")
    assert [slot.value for slot in both.forecasts["current_price"].slots] == pytest.approx([0.10, 0.25, 0.05])
    missing = await read(access, LONDON, tomorrow_entity="event.gone")
    assert [slot.value for slot in missing.forecasts["current_price"].slots] == pytest.approx([0.10, 0.25])
    watched = Entity({"entity": ENTITY, "tomorrow_entity": "event.tomorrow"}).watched_entities()
    assert watched == (ENTITY, "event.tomorrow")
    assert Entity({"entity": ENTITY}).watched_entities() == (ENTITY,)


async def test_tomorrow_without_today_is_not_taken_for_it() -> None:
    access = FakeAccess()
    access.add("event.tomorrow", "x", rates=recorded("electricity_pricing/entity/octopus.json")["attributes"]["rates"])
    with pytest.raises(SourceNoData, match=ENTITY):
        await read(access, LONDON, tomorrow_entity="event.tomorrow")


@pytest.mark.parametrize(
    ("state", "unit", "currency", "price", "read_as"),
    [
        ("0.31", "EUR/kWh", None, 0.31, "EUR/kWh"),
        ("250", "€/MWh", None, 0.25, "EUR/kWh"),
        ("31.5", "ct/kWh", None, 0.315, "EUR/kWh"),
        ("-12", "EUR/MWh", None, -0.012, "EUR/kWh"),
        ("1.2", "kr/kWh", "NOK", 1.2, "NOK/kWh"),
        ("24.5", "p/kWh", None, 0.245, "GBP/kWh"),
        ("0.4", "EUR/kWh", "too long", 0.4, "EUR/kWh"),
    ],
)
async def test_an_entity_without_a_list_has_its_state(
    state: str, unit: str, currency: str | None, price: float, read_as: str
) -> None:
    access = FakeAccess()
    access.add(ENTITY, state, unit=unit, **({"currency": currency} if currency else {}))
    reading = await read(access)
    assert reading.fields["current_price"] == pytest.approx(price)
    assert reading.unit == read_as
    assert reading.forecasts == {}
    assert reading.observed_at == NOW


@pytest.mark.parametrize("unit", [None, "EUR", "$/kWh"])
async def test_a_state_without_a_clear_unit_is_a_bad_answer(unit: str | None) -> None:
    access = FakeAccess()
    access.add(ENTITY, "0.3", **({"unit": unit} if unit else {}))
    with pytest.raises(SourceBadAnswer, match="unit"):
        await read(access)


def row(minutes: float, price: object, **more: object) -> dict[str, object]:
    return {"start": (SEVENTEEN + timedelta(minutes=minutes)).isoformat(), "price": price, **more}


async def test_times_may_be_datetimes_and_those_without_an_offset_are_of_the_market() -> None:
    naive = datetime(2026, 11, 20, 19)  # noqa: DTZ001 - what some integrations write
    reading = await read(with_rows({"time": naive, "price": 0.1}, {"time": str(naive.replace(hour=20)), "price": 0.2}))
    slots = reading.forecasts["current_price"].slots
    assert [slot.start for slot in slots] == [SEVENTEEN + timedelta(hours=1), SEVENTEEN + timedelta(hours=2)]


async def test_rows_without_a_price_are_holes() -> None:
    reading = await read(with_rows(row(60, 0.1), row(75, None), row(90, "unknown"), row(105, "0.4")))
    assert [slot.value for slot in reading.forecasts["current_price"].slots] == [0.1, 0.4]


async def test_an_end_that_is_missing_or_wrong_follows_from_the_starts() -> None:
    eighteen = (SEVENTEEN + timedelta(hours=1)).isoformat()
    for end in (None, eighteen):
        rows = [row(60, 0.1, end=end), row(90, 0.2, end=(SEVENTEEN + timedelta(hours=2)).isoformat())]
        slots = (await read(with_rows(*rows))).forecasts["current_price"].slots
        assert [slot.end - slot.start for slot in slots] == [timedelta(minutes=30)] * 2


async def test_ends_are_taken_where_each_row_has_one() -> None:
    rows = [row(65, 0.1, end=(SEVENTEEN + timedelta(minutes=70)).isoformat())]
    slots = (await read(with_rows(*rows, {**rows[0], "price": None}, *rows))).forecasts["current_price"].slots
    assert [slot.end - slot.start for slot in slots] == [timedelta(minutes=5)]
    hole = [*rows, row(70, None, end=(SEVENTEEN + timedelta(minutes=75)).isoformat())]
    assert len((await read(with_rows(*hole))).forecasts["current_price"].slots) == 1


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"price": 0.1}], "no start"),
        ([{"start": "2026-11-20T18:00:00+00:00", "cost": 0.1}], "no price"),
        ([{"start": "teatime", "price": 0.1}], "ISO 8601"),
        ([{"start": 18, "price": 0.1}], "time in the answer is missing"),
        ([{"start": "2026-11-20T18:00:00+00:00", "price": 0.1}], "how long a slot is"),
        ([{"start": "2026-11-20T18:00:00+00:00", "price": 0.1}, 0.2], "not an object"),
    ],
)
async def test_rows_of_no_known_shape_are_a_bad_answer(rows: list[object], says: str) -> None:
    with pytest.raises(SourceBadAnswer, match=says):
        await read(with_rows(*rows))


async def test_rows_need_a_unit_where_their_key_tells_none() -> None:
    with pytest.raises(SourceBadAnswer, match="no unit"):
        await read(with_rows(row(60, 0.1), row(75, 0.1), unit=None))
    rows = [{"start": row(60 + 15 * index, 0)["start"], "price_per_kwh": 0.1} for index in range(2)]
    reading = await read(with_rows(*rows, unit=None, name="data"))
    assert reading.unit == "EUR/kWh"
    # ct/kWh tells of cents, yet this key is in whole euros whatever the state is in.
    assert (await read(with_rows(*rows, unit="ct/kWh", name="data"))).fields["current_price"] == 0.1


async def test_lists_of_something_else_are_passed_over() -> None:
    access = FakeAccess()
    access.add(ENTITY, "0.2", unit="EUR/kWh", prices=[0.1, 0.2], data="x", forecast=())
    reading = await read(access)
    assert reading.fields["current_price"] == 0.2


async def test_rows_that_are_all_over_or_ahead_are_no_data() -> None:
    for start in (0, 240):
        with pytest.raises(SourceNoData, match="no price for the present"):
            await read(with_rows(row(start, 0.1), row(start + 15, 0.2)))


# Actions


def home_with(platform: str, unit: str | None = "EUR/kWh", answer: Json = None) -> FakeAccess:
    access = FakeAccess()
    access.add(ENTITY, "0.2", platform=platform, **({"unit": unit} if unit else {}))
    given: Json = recorded(f"electricity_pricing/action/{platform}.json") if answer is None else answer
    access.actions = lambda domain, name, parameters: given
    return access


async def ask(access: FakeAccess, home: Home = BERLIN, **options: object) -> Reading:
    return await Action({"entity": ENTITY, **options}).fetch(world(access=access, home=home)[0])


DUTCH = [
    {"config_entry": "entry-1", "incl_vat": True, "start": day, "end": day} for day in ("2026-11-20", "2026-11-21")
]


@pytest.mark.parametrize(
    ("platform", "action", "home", "unit", "area", "parameters", "price"),
    [
        (
            "nordpool",
            "get_prices_for_date",
            STOCKHOLM,
            "SEK/kWh",
            "",
            [{"config_entry": "entry-1", "date": day, "currency": "SEK"} for day in ("2026-11-20", "2026-11-21")],
            0.150,
        ),
        ("omie", "get_prices_for_date", BERLIN, "€/kWh", "ES", [{"date": "2026-11-20"}, {"date": "2026-11-21"}], 0.150),
        ("omie", "get_prices_for_date", BERLIN, "€/kWh", "pt", [{"date": "2026-11-20"}, {"date": "2026-11-21"}], 0.151),
        ("energyzero", "get_energy_prices", BERLIN, "€/kWh", "", DUTCH, 0.150),
        ("easyenergy", "get_energy_usage_prices", BERLIN, "€/kWh", "", DUTCH, 0.150),
        (
            "tibber",
            "get_prices",
            STOCKHOLM,
            "SEK/kWh",
            "",
            [{"start": "2026-11-19T23:00:00+00:00", "end": "2026-11-21T23:00:00+00:00"}],
            0.150,
        ),
        (
            "amberelectric",
            "get_forecasts",
            SYDNEY,
            "$/kWh",
            "",
            [{"config_entry_id": "entry-1", "channel_type": "general"}],
            0.25,
        ),
        ("green_planet_energy", "get_prices", BERLIN, "€/kWh", "", [{"config_entry_id": "entry-1", "hours": 24}], 0.25),
    ],
)
async def test_every_known_action_is_called_and_read(
    platform: str,
    action: str,
    home: Home,
    unit: str,
    area: str,
    parameters: list[Mapping[str, object]],
    price: float,
) -> None:
    access = home_with(platform, unit)
    reading = await ask(access, home, area=area)
    assert access.called == [(platform, action, given) for given in parameters]
    assert reading.fields["current_price"] == pytest.approx(price)
    assert reading.unit == f"{home.currency}/kWh"
    assert reading.tags["provider"] == f"action:{ENTITY}" + (f" {area}" if area else "")
    assert reading.notes == {"action": f"{platform}.{action}"}


async def test_a_price_without_a_unit_is_in_the_currency_of_the_home() -> None:
    assert (await ask(home_with("energyzero", None), STOCKHOLM)).unit == "SEK/kWh"


async def test_tomorrow_may_be_missing_but_not_today() -> None:
    access = home_with("energyzero")
    today: Any = recorded("electricity_pricing/action/energyzero.json")

    def refuse(day: str) -> None:
        def answer(domain: str, name: str, parameters: Mapping[str, object]) -> Json:
            if parameters["start"] == day:
                raise SourceNoData("no prices for this day")
            found: Json = today
            return found

        access.actions = answer

    refuse("2026-11-21")
    assert len((await ask(access)).forecasts["current_price"].slots) == 24
    refuse("2026-11-20")
    with pytest.raises(SourceNoData, match="no prices for this day"):
        await ask(access)


async def test_today_is_never_taken_for_tomorrow() -> None:
    # An action that answers today whatever it is asked for.
    reading = await ask(home_with("energyzero"))
    slots = reading.forecasts["current_price"].slots
    assert len(slots) == 24
    assert slots[-1].end == datetime(2026, 11, 20, 23, tzinfo=UTC)


@pytest.mark.parametrize("answer", [{}, {"prices": []}, {"prices": {}}, {"prices": 5}, [], "x", {"SE3": 5}])
async def test_an_answer_without_prices_is_no_reading(answer: Json) -> None:
    with pytest.raises((SourceNoData, SourceBadAnswer)):
        await ask(home_with("nordpool", "SEK/kWh", answer))


async def test_several_areas_want_a_choice() -> None:
    with pytest.raises(SourceBadAnswer, match="es, pt: name one"):
        await ask(home_with("omie"))
    with pytest.raises(SourceBadAnswer, match="es, pt: name one"):
        await ask(home_with("omie"), area="fr")


async def test_an_integration_without_a_known_action_is_named() -> None:
    access = home_with("energyzero")
    access.platforms[ENTITY] = "template"
    with pytest.raises(SourceBadAnswer, match=r"template has no action .* nordpool"):
        await ask(access)


async def test_an_entity_of_no_integration_is_no_data() -> None:
    access = home_with("energyzero")
    access.platforms.clear()
    with pytest.raises(SourceNoData, match=ENTITY):
        await ask(access)


async def test_hours_ahead_are_asked_for_often_and_published_days_once() -> None:
    provider = Action({"entity": ENTITY})
    published = await ask(home_with("energyzero"))
    due = provider.next_fetch(NOW, published)
    # It is past 15:00 and tomorrow is not there yet.
    assert due is not None
    assert timedelta(minutes=22) < due - NOW < timedelta(minutes=38)
    rolling = replace(published, notes={"action": "amberelectric.get_forecasts"})
    assert provider.next_fetch(NOW, rolling) == NOW + timedelta(minutes=15)
    assert provider.next_fetch(NOW, None) is None
