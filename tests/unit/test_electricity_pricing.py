"""What follows from the slots of a price source; the fixture's README gives the day, truths are computed by hand."""

from datetime import UTC, datetime, timedelta
import json
import random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core.model import Forecast, Point, Slot, to_micros
from custom_components.strata.sources import role
from custom_components.strata.sources.base import Home, Reading, Snapshot
from custom_components.strata.sources.electricity_pricing.awattar import AwattarAustria, AwattarGermany
from custom_components.strata.sources.electricity_pricing.energy_charts import EnergyCharts
from custom_components.strata.sources.electricity_pricing.prices import after_publication, price_day
from custom_components.strata.sources.slots import forecast_points
from tests.source_world import BERLIN, LONDON, NOW, SYDNEY, Answer, recorded, world

ROLE = role("electricity_pricing")
BRUSSELS = ZoneInfo("Europe/Brussels")
MIDNIGHT = datetime(2026, 11, 19, 23, tzinfo=UTC)
HELSINKI = Home(latitude=60.17, longitude=24.94, country="FI", currency="EUR", timezone="Europe/Helsinki")


async def germany(path: str = "price_de_lu", **changes: object) -> Reading:
    answer = {**recorded(f"electricity_pricing/energy_charts/{path}.json"), **changes}
    return await EnergyCharts({"bidding_zone": "DE-LU"}).fetch(world(lambda url: Answer.of(answer))[0])


def present(reading: Reading, now: datetime = NOW, home: Home = BERLIN) -> Snapshot:
    return Snapshot(reading=reading, now=now, provider="energy_charts", home=home)


def metric(key: str, snapshot: Snapshot) -> Any:
    (found,) = [one for one in ROLE.metrics if one.key == key]
    return found.value(snapshot)


def attributes(key: str, snapshot: Snapshot) -> Any:
    (found,) = [one for one in ROLE.metrics if one.key == key]
    assert found.attributes is not None
    return found.attributes(snapshot)


def flat(price: float, hours: int = 24, start: datetime = MIDNIGHT) -> Reading:
    slots = tuple(
        Slot(start + timedelta(hours=hour), start + timedelta(hours=hour + 1), price) for hour in range(hours)
    )
    return Reading(
        fields={"current_price": price},
        tags={"provider": "flat", "currency": "EUR"},
        observed_at=start,
        fetched_at=start,
        unit="EUR/kWh",
        forecasts={"current_price": Forecast("EUR/kWh", start, slots)},
    )


async def test_quarters_of_a_day() -> None:
    reading = await germany()
    snapshot = present(reading)
    assert reading.tags == {"provider": "energy_charts:DE-LU", "currency": "EUR"}
    assert reading.attribution is not None
    assert "CC BY 4.0" in reading.attribution
    # 19:05 in Berlin: the first quarter of the hour with the mean 150 EUR/MWh.
    assert metric("current_price", snapshot) == pytest.approx(0.147)
    assert metric("next_price", snapshot) == pytest.approx(0.149)
    assert attributes("next_price", snapshot)["start"] == "2026-11-20T18:15:00+00:00"
    assert metric("lowest_price", snapshot) == pytest.approx(-0.013)
    assert attributes("lowest_price", snapshot) == {
        "start": "2026-11-20T13:00:00+00:00",
        "end": "2026-11-20T13:15:00+00:00",
    }
    assert metric("highest_price", snapshot) == pytest.approx(0.153)
    assert attributes("highest_price", snapshot)["start"] == "2026-11-20T18:45:00+00:00"
    # The 24 hour means add up to 1600 EUR/MWh.
    assert metric("average_price", snapshot) == pytest.approx(1.6 / 24)
    # All but the four quarters of this hour are cheaper.
    assert metric("price_quantile", snapshot) == pytest.approx(100 * 92 / 96)
    assert metric("peak_period", snapshot) is True
    assert metric("tomorrow_available", snapshot) is True


async def test_named_hours_are_those_of_the_market_day() -> None:
    fields = ROLE.fields_at(present(await germany()))
    hours = {name: json.loads(str(fields[name])) for name in ("cheapest_hours", "most_expensive_hours")}
    # In Brussels time 12:00 to 15:00 (10, -5, -10 and 20 EUR/MWh), and 08:00, 18:00, 19:00, 20:00 (110, 140, 150,
    # 120); 17:00 has 110 too, but 08:00 comes first.
    assert hours["cheapest_hours"] == [f"2026-11-20T{hour}:00:00+00:00" for hour in ("11", "12", "13", "14")]
    assert hours["most_expensive_hours"] == [f"2026-11-20T{hour}:00:00+00:00" for hour in ("07", "17", "18", "19")]


async def test_next_named_hour_is_the_running_one_or_comes_tomorrow() -> None:
    reading = await germany()
    assert metric("cheapest_hours", present(reading)) == datetime(2026, 11, 21, 11, tzinfo=UTC)
    assert attributes("cheapest_hours", present(reading)) == {
        "hours": [f"2026-11-21T{hour}:00:00+00:00" for hour in ("11", "12", "13", "14")]
    }
    assert metric("most_expensive_hours", present(reading)) == datetime(2026, 11, 20, 18, tzinfo=UTC)
    noon = present(reading, datetime(2026, 11, 20, 12, 30, tzinfo=UTC))
    assert metric("cheapest_hours", noon) == datetime(2026, 11, 20, 12, tzinfo=UTC)


async def test_values_move_at_slot_borders_without_a_fetch() -> None:
    reading = await germany()
    border = datetime(2026, 11, 20, 18, 15, tzinfo=UTC)
    before, after = present(reading, border - timedelta(microseconds=1)), present(reading, border)
    assert metric("current_price", before) == pytest.approx(0.147)
    assert metric("current_price", after) == pytest.approx(0.149)
    # Midnight in Brussels begins another day, 5 EUR/MWh dearer.
    tomorrow = present(reading, datetime(2026, 11, 20, 23, tzinfo=UTC))
    assert metric("average_price", tomorrow) == pytest.approx(1.6 / 24 + 0.005)
    assert metric("tomorrow_available", tomorrow) is False
    assert ROLE.fields_at(tomorrow)["peak_period"] is False


async def test_after_the_last_slot_nothing_is_said() -> None:
    late = present(await germany(), MIDNIGHT + timedelta(days=2))
    assert set(ROLE.fields_at(late).values()) == {None}
    values = {one.key: one.value(late) for one in ROLE.metrics}
    assert values.pop("tomorrow_available") is False
    assert set(values.values()) == {None}
    assert attributes("lowest_price", late) == {}
    assert attributes("current_price", late) == {"forecast": []}


async def test_forecast_attribute_lists_what_is_not_over() -> None:
    slots = attributes("current_price", present(await germany()))["forecast"]
    # From 19:00 today to the end of tomorrow: 5 + 24 hours of four quarters.
    assert len(slots) == 29 * 4
    assert slots[0] == {
        "start": "2026-11-20T18:00:00+00:00",
        "end": "2026-11-20T18:15:00+00:00",
        "price": pytest.approx(0.147),
    }


async def test_forecast_points_lie_at_their_slots() -> None:
    reading = await germany()
    points = list(forecast_points(ROLE, reading))
    assert len(points) == 192
    first = points[0]
    assert first == Point(
        "electricity_pricing_forecast",
        {"provider": "energy_charts:DE-LU", "currency": "EUR"},
        {"price": pytest.approx(0.057), "hour_offset": -19.0},
        to_micros(MIDNIGHT),
    )
    running = [point for point in points if point.fields["hour_offset"] == 0]
    assert [point.time for point in running] == [to_micros(datetime(2026, 11, 20, 18, tzinfo=UTC))]


def test_forecast_points_of_a_role_without_offsets() -> None:
    carbon = role("carbon_intensity")
    slot = Slot(MIDNIGHT, MIDNIGHT + timedelta(minutes=30), 120.0)
    reading = Reading(
        fields={},
        tags={"region": "GB", "grid_operator": "NESO"},
        observed_at=MIDNIGHT,
        fetched_at=MIDNIGHT,
        forecasts={"carbon_intensity_gco2_kwh": Forecast("gCO2eq/kWh", MIDNIGHT, (slot,))},
    )
    (point,) = forecast_points(carbon, reading)
    assert point.fields == {"carbon_intensity_gco2_kwh": 120.0}


@pytest.mark.parametrize("price", [0.3, 0.0, -0.2])
def test_a_flat_day_has_no_peak(price: float) -> None:
    snapshot = present(flat(price))
    assert metric("peak_period", snapshot) is False
    assert metric("price_quantile", snapshot) == 0
    assert metric("average_price", snapshot) == pytest.approx(price)


def test_prices_are_good_while_a_slot_lasts_and_a_lone_price_for_two_hours() -> None:
    assert ROLE.good_for(flat(0.1)) is None
    lone = Reading(fields={"current_price": 0.3}, tags={}, observed_at=NOW, fetched_at=NOW, unit="EUR/kWh")
    assert ROLE.good_for(lone) == timedelta(hours=2)
    snapshot = present(lone)
    assert metric("current_price", snapshot) == 0.3
    others = {one.key: one.value(snapshot) for one in ROLE.metrics if one.key != "current_price"}
    assert others.pop("tomorrow_available") is False
    assert set(others.values()) == {None}
    assert attributes("current_price", snapshot) == {}
    nothing = Reading(fields={}, tags={}, observed_at=NOW, fetched_at=NOW)
    assert ROLE.fields_at(present(nothing))["current_price"] is None


# Energy-Charts


async def test_nulls_are_holes_and_never_stretch_a_slot() -> None:
    reading = await germany("price_today_with_holes")
    slots = reading.forecasts["current_price"].slots
    assert len(slots) == 93
    assert {slot.end - slot.start for slot in slots} == {timedelta(minutes=15)}
    assert reading.forecasts["current_price"].at(MIDNIGHT + timedelta(minutes=150)) is None
    # The hour with holes is none of the named, though 50 EUR/MWh are known for half of it.
    assert metric("tomorrow_available", present(reading)) is False


async def test_an_answer_without_a_unit_has_the_documented_one() -> None:
    reading = await germany("price_hourly_no_unit")
    slots = reading.forecasts["current_price"].slots
    assert len(slots) == 24
    assert slots[-1].end == MIDNIGHT + timedelta(hours=24)
    assert metric("current_price", present(reading)) == pytest.approx(0.150)
    assert reading.unit == "EUR/kWh"
    assert (await germany("price_hourly_no_unit", unit=None)).fields == reading.fields


async def test_license_is_passed_on_where_there_is_one() -> None:
    assert (await germany(license_info=None)).attribution == "Energy-Charts, Fraunhofer ISE"


async def test_days_that_are_over_are_left_out() -> None:
    times = [int((MIDNIGHT + timedelta(hours=hour)).timestamp()) for hour in range(-24, 24)]
    slots = (await germany(unix_seconds=times, price=[50.0] * 48)).forecasts["current_price"].slots
    assert len(slots) == 24
    assert slots[0].start == MIDNIGHT


async def test_lone_slot_does_not_tell_its_length() -> None:
    with pytest.raises(Exception, match="how long a slot is"):
        await germany(unix_seconds=[int(NOW.timestamp())], price=[5.0])


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        (NOW, "2026-11-19", "2026-11-21"),
        # In Brussels it is the next day already.
        (datetime(2026, 11, 20, 23, 30, tzinfo=UTC), "2026-11-20", "2026-11-22"),
        (datetime(2026, 7, 1, 22, 0, tzinfo=UTC), "2026-07-01", "2026-07-03"),
    ],
)
async def test_today_and_tomorrow_of_the_market_are_asked_for(now: datetime, start: str, end: str) -> None:
    context, session = world(now=now)
    with pytest.raises(Exception, match="no data"):
        await EnergyCharts({"bidding_zone": "IE(SEM)"}).fetch(context)
    assert session.asked == [("https://source.test/price", {"bzn": "IE(SEM)", "start": start, "end": end}, {})]


@pytest.mark.parametrize(
    ("country", "zone"),
    [("DE", "DE-LU"), ("LU", "DE-LU"), ("IT", "IT-North"), ("SE", "SE3"), ("NL", "NL"), ("US", None), (None, None)],
)
def test_the_zone_of_the_home_is_proposed(country: str | None, zone: str | None) -> None:
    (param,) = EnergyCharts.params
    home = Home(latitude=0, longitude=0, country=country, currency="EUR", timezone="UTC")
    assert param.default(home) == zone


# aWATTar


@pytest.mark.parametrize("kind", [AwattarGermany, AwattarAustria])
async def test_awattar_hours(kind: type[AwattarGermany | AwattarAustria]) -> None:
    answer = recorded(f"electricity_pricing/{kind.key}/marketdata.json")
    context, session = world(lambda url: Answer.of(answer))
    reading = await kind({}).fetch(context)
    # Milliseconds of midnight in Brussels and of three days later.
    assert session.asked[0][1] == {"start": "1795129200000", "end": "1795388400000"}
    snapshot = present(reading)
    assert metric("current_price", snapshot) == pytest.approx(0.150)
    assert metric("next_price", snapshot) == pytest.approx(0.120)
    assert metric("average_price", snapshot) == pytest.approx(1.6 / 24)
    assert reading.tags == {"provider": kind.key, "currency": "EUR"}


async def awattar(*rows: tuple[int, int, object, str]) -> Reading:
    """Rows begin and end so many minutes after 18:00 UTC."""
    base = int(datetime(2026, 11, 20, 18, tzinfo=UTC).timestamp())
    data = [
        {
            "start_timestamp": (base + start * 60) * 1000,
            "end_timestamp": (base + end * 60) * 1000,
            "marketprice": price,
            "unit": unit,
        }
        for start, end, price, unit in rows
    ]
    return await AwattarGermany({}).fetch(world(lambda url: Answer.of({"data": data}))[0])


async def test_awattar_order_case_and_holes_do_not_matter() -> None:
    reading = await awattar((60, 120, -7.5, "EUR/MWH"), (0, 60, 42.0, "Eur/MWh"), (120, 180, None, "eur/mwh"))
    slots = reading.forecasts["current_price"].slots
    assert [slot.value for slot in slots] == pytest.approx([0.042, -0.0075])


async def test_awattar_with_two_units_or_a_slot_that_ends_early_is_a_bad_answer() -> None:
    with pytest.raises(Exception, match="different units: Eur/MWh, ct/kWh"):
        await awattar((0, 60, 1.0, "Eur/MWh"), (60, 120, 1.0, "ct/kWh"))
    with pytest.raises(Exception, match="ends before it begins"):
        await awattar((60, 0, 1.0, "Eur/MWh"))


# The market's day and its publication


@pytest.mark.parametrize(
    ("home", "now", "start", "hours"),
    [
        # In Helsinki it is past midnight; the market's day ends an hour later.
        (HELSINKI, (2026, 11, 20, 22, 30), (2026, 11, 19, 23), 24),
        (BERLIN, (2026, 3, 29, 12), (2026, 3, 28, 23), 23),
        (BERLIN, (2026, 10, 25, 12), (2026, 10, 24, 22), 25),
        # Outside the European market a day is the home's own.
        (LONDON, (2026, 7, 1, 12), (2026, 6, 30, 23), 24),
        (SYDNEY, (2026, 11, 20, 12, 30), (2026, 11, 19, 13), 24),
    ],
)
def test_price_day(home: Home, now: tuple[int, ...], start: tuple[int, ...], hours: int) -> None:
    snapshot = present(flat(0.1), datetime(*now, tzinfo=UTC), home)
    begin, end = price_day(snapshot)
    assert begin == datetime(*start, tzinfo=UTC)
    assert end - begin == timedelta(hours=hours)
    assert price_day(snapshot, days=1)[0] == end


async def test_a_source_of_the_market_has_its_days_wherever_the_home_is() -> None:
    snapshot = present(await germany(), home=LONDON)
    # The same as in Berlin: the 24 hour means from Brussels' midnight on add up to 1600 EUR/MWh.
    assert metric("average_price", snapshot) == pytest.approx(1.6 / 24)
    assert metric("tomorrow_available", snapshot) is True
    # At 23:30 in London the market's tomorrow has begun, and nothing is known beyond it.
    late = present(await germany(), datetime(2026, 11, 20, 23, 30, tzinfo=UTC), LONDON)
    assert metric("average_price", late) == pytest.approx(1.6 / 24 + 0.005)
    assert metric("tomorrow_available", late) is False


class Least(random.Random):
    def random(self) -> float:
        return 0.0


class Most(random.Random):
    def random(self) -> float:
        return 0.999999


def local(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=BRUSSELS).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "hours", "earliest", "latest"),
    [
        pytest.param((2026, 11, 20, 0, 30), 24, (2026, 11, 20, 12, 45), (2026, 11, 20, 12, 55), id="morning"),
        pytest.param((2026, 11, 20, 12, 44), 24, (2026, 11, 20, 12, 45), (2026, 11, 20, 12, 55), id="just before"),
        pytest.param((2026, 11, 20, 12, 45), 24, (2026, 11, 20, 12, 52, 30), (2026, 11, 20, 12, 57, 30), id="due"),
        pytest.param((2026, 11, 20, 14, 0), 24, (2026, 11, 20, 14, 7, 30), (2026, 11, 20, 14, 12, 30), id="late"),
        pytest.param((2026, 11, 20, 15, 0), 24, (2026, 11, 20, 15, 22, 30), (2026, 11, 20, 15, 37, 30), id="very late"),
        pytest.param((2026, 11, 20, 14, 0), 47, (2026, 11, 20, 14, 7, 30), (2026, 11, 20, 14, 12, 30), id="partial"),
        pytest.param((2026, 11, 20, 14, 0), 48, (2026, 11, 21, 12, 45), (2026, 11, 21, 12, 55), id="complete"),
        pytest.param((2026, 11, 20, 9, 0), 12, (2026, 11, 20, 9, 7, 30), (2026, 11, 20, 9, 12, 30), id="half a day"),
    ],
)
def test_it_is_asked_again_when_tomorrow_is_published(
    now: tuple[int, ...], hours: int, earliest: tuple[int, ...], latest: tuple[int, ...]
) -> None:
    reading = flat(0.1, hours)
    assert after_publication(local(*now), reading, Least()) == local(*earliest)
    late = after_publication(local(*now), reading, Most())
    assert late is not None
    assert local(*latest) - timedelta(seconds=1) < late <= local(*latest)


def test_publication_follows_the_clock_of_the_market_over_a_change_of_time() -> None:
    # Saturday afternoon before the night of the change in October: 12:45 is an hour later in UTC the next day.
    reading = flat(0.1, 49, datetime(2026, 10, 23, 22, tzinfo=UTC))
    now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert after_publication(now, reading, Least()) == datetime(2026, 10, 25, 11, 45, tzinfo=UTC)


def test_a_reading_that_says_nothing_of_the_present_is_left_to_recovery() -> None:
    assert after_publication(NOW, None, Least()) is None
    assert after_publication(NOW, flat(0.1, 0), Least()) is None
    assert after_publication(NOW, flat(0.1, 12), Least()) is None
