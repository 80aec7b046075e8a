"""What the contract makes of prices, against amounts worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.strata.core.model import Forecast, Slot
from custom_components.strata.core.tariff import EVERY_DAY, EVERY_MONTH, Period
from custom_components.strata.sources.base import Reading, Snapshot
from custom_components.strata.sources.electricity_pricing import ELECTRICITY_PRICING as ROLE
from custom_components.strata.sources.electricity_pricing.energy_charts import EnergyCharts
from custom_components.strata.sources.electricity_pricing.totals import check_periods, periods_of, refine
from tests.source_world import BERLIN, NOW

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 11, 19, 23, tzinfo=UTC)
"""In Berlin, as in Brussels."""


def day(*prices: float, **more: tuple[float, ...]) -> Reading:
    """A reading of hourly prices from midnight on; `NOW` is in the 20th of them."""

    def slots(values: tuple[float, ...]) -> Forecast:
        starts = [MIDNIGHT + HOUR * index for index in range(len(values))]
        return Forecast(
            "EUR/kWh", NOW, tuple(Slot(at, at + HOUR, value) for at, value in zip(starts, values, strict=True))
        )

    forecasts = {"current_price": slots(prices), **{name: slots(values) for name, values in more.items()}}
    return Reading(
        fields={name: forecast.at(NOW).value for name, forecast in forecasts.items()},  # type: ignore[union-attr]
        tags={"provider": "p", "currency": "EUR"},
        observed_at=NOW.replace(minute=0),
        fetched_at=NOW,
        unit="EUR/kWh",
        forecasts=forecasts,
        timezone="Europe/Brussels",
    )


RISING = tuple(0.01 * hour for hour in range(24))


def at(reading: Reading, now: datetime = NOW) -> Snapshot:
    return Snapshot(reading=reading, now=now, provider="p", home=BERLIN)


def metric(reading: Reading, key: str, now: datetime = NOW) -> object:
    (found,) = [one for one in ROLE.metrics if one.key == key]
    return found.value(at(reading, now))


def test_without_a_contract_the_reading_stays_as_it_is() -> None:
    assert refine(day(*RISING), {}, BERLIN) == day(*RISING)


def test_total_and_export_have_values_and_forecasts_of_their_own() -> None:
    details = {"surcharge_fixed": 0.10, "tax_percent": 20.0, "export_percent": 90.0, "export_fixed": -0.01}
    reading = refine(day(*RISING), details, BERLIN)
    # At 18:05 UTC it is the hour that costs 0.19: (0.19 + 0.10) * 1.2, and 0.19 * 0.9 - 0.01.
    assert reading.fields["current_price"] == 0.19
    assert reading.fields["total_price"] == pytest.approx(0.348)
    assert reading.fields["export_price"] == pytest.approx(0.161)
    assert [slot.value for slot in reading.forecasts["current_price"].slots] == list(RISING)
    assert reading.forecasts["total_price"].slots[0].value == pytest.approx(0.12)
    assert reading.forecasts["export_price"].slots[0].value == pytest.approx(-0.01)
    fields = ROLE.fields_at(at(reading, NOW + HOUR))
    assert fields["total_price"] == pytest.approx(0.36)
    assert fields["export_price"] == pytest.approx(0.17)


def test_what_the_provider_gives_as_total_is_what_is_added_to() -> None:
    given = day(*RISING, total_price=(0.30,) * 24)
    assert given.fields["total_price"] == 0.30
    assert refine(given, {"network_fee": 0.05}, BERLIN).fields["total_price"] == pytest.approx(0.35)
    assert refine(given, {"export_fixed": 0.08}, BERLIN).fields["total_price"] == 0.30
    assert refine(given, {"export_fixed": 0.08}, BERLIN).fields["export_price"] == pytest.approx(0.08)


def test_a_price_without_slots_has_a_total_without_slots() -> None:
    bare = replace(day(*RISING), forecasts={}, fields={"current_price": 0.20})
    details = {"network_fees": [{"rate": 0.06, "start": "19:00", "end": "20:00"}], "network_fee": 0.02}
    reading = refine(bare, details, BERLIN)
    # It is 19:05 in Berlin.
    assert reading.fields["total_price"] == pytest.approx(0.26)
    assert reading.forecasts == {}
    unknown = refine(replace(bare, fields={"current_price": None}), {**details, "export_fixed": 0.1}, BERLIN)
    assert unknown.fields["total_price"] is None
    assert unknown.fields["export_price"] is None


def test_charges_that_are_not_per_kwh_are_shown_beside_the_price() -> None:
    reading = refine(day(*RISING), {"standing_charge": 0.4, "demand_charge": 8.0}, BERLIN)
    assert reading.notes == {
        "standing_charge": {"value": 0.4, "unit": "EUR/d"},
        "demand_charge": {"value": 8.0, "unit": "EUR/kW"},
    }
    assert "total_price" not in reading.fields


def test_what_is_cheap_goes_by_the_total_where_there_is_one() -> None:
    # The market is cheapest at night; the fee is so high there that the evening is cheaper.
    fees = [{"rate": 1.0, "start": "00:00", "end": "12:00"}]
    reading = refine(day(*RISING), {"network_fees": fees}, BERLIN)
    noon = MIDNIGHT + 12 * HOUR
    first = MIDNIGHT
    assert metric(day(*RISING), "cheapest_hours", first) == first
    assert metric(reading, "cheapest_hours", first) == noon
    assert metric(reading, "most_expensive_hours", first) == first + 8 * HOUR
    assert metric(reading, "price_rank", noon) == 1
    assert metric(day(*RISING), "price_rank", noon) == 13
    assert metric(reading, "price_quantile", noon) == 0.0
    assert metric(reading, "peak_period", first + 11 * HOUR) is True
    assert metric(reading, "lowest_total_price", first) == pytest.approx(0.12)
    assert metric(reading, "lowest_price", first) == 0.0
    assert metric(reading, "highest_total_price", first) == pytest.approx(1.11)
    assert metric(reading, "next_total_price", first) == pytest.approx(1.01)
    # The mean of 0.00 to 0.23 is 0.115; half of the day costs 1 more.
    assert metric(reading, "average_total_price", first) == pytest.approx(0.615)


def test_negative_prices_keep_their_order() -> None:
    falling = tuple(-0.01 * hour for hour in range(24))
    reading = refine(day(*falling), {"surcharge_percent": 10.0}, BERLIN)
    # -0.19 + 0.019
    assert reading.fields["total_price"] == pytest.approx(-0.171)
    assert metric(reading, "price_rank") == 5
    assert metric(reading, "lowest_total_price") == pytest.approx(-0.207)


@pytest.mark.parametrize(
    ("details", "lacking"),
    [
        ({}, {"total_price", "export_price"}),
        ({"tax_percent": 0.0}, {"export_price"}),
        ({"export_fixed": 0.08}, {"total_price"}),
        ({"tax_percent": 19.0, "export_percent": 100.0}, set()),
        ({"standing_charge": 1.0}, {"total_price", "export_price"}),
    ],
)
def test_entities_are_those_the_contract_can_fill(details: dict[str, object], lacking: set[str]) -> None:
    missing = ROLE.lacks(EnergyCharts({"bidding_zone": "AT"}), details)
    assert missing & {"total_price", "export_price"} == lacking
    assert ("average_total_price" in missing) == ("total_price" in lacking)


def test_rows_become_periods() -> None:
    rows = [
        {"rate": 0.3, "start": "07:00:00", "end": "23:00", "weekdays": ["mon", "sun"], "months": ["jan", "dec"]},
        {"rate": 0.1},
    ]
    assert periods_of(rows) == (
        Period(
            rate=0.3,
            start=datetime(1, 1, 1, 7).time(),  # noqa: DTZ001 - a time of day
            end=datetime(1, 1, 1, 23).time(),  # noqa: DTZ001 - a time of day
            weekdays=frozenset({0, 6}),
            months=frozenset({1, 12}),
        ),
        Period(rate=0.1, weekdays=EVERY_DAY, months=EVERY_MONTH),
    )
    assert check_periods(rows) is None


@pytest.mark.parametrize(
    "rows",
    [
        None,
        "07:00",
        [None],
        [{}],
        [{"rate": "much"}],
        [{"rate": 1, "start": "25:00"}],
        [{"rate": 1, "start": 7}],
        [{"rate": 1, "weekdays": ["someday"]}],
        [{"rate": 1, "months": 5}],
    ],
)
def test_rows_that_are_none_are_refused(rows: object) -> None:
    assert check_periods(rows) == "invalid_period"
