"""Energy-Charts: the estimate from the mix, computed by hand, and what is left out of it."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.strata.sources import role
from custom_components.strata.sources.base import Home, Reading, Snapshot, SourceNoData
from custom_components.strata.sources.carbon_intensity.energy_charts import EnergyCharts
from tests.source_world import BERLIN, NOW, Answer, by_path, recorded, world

ROLE = role("carbon_intensity")
POWER = recorded("carbon_intensity/energy_charts/public_power_de.json")
SHARES = recorded("carbon_intensity/energy_charts/ren_share_forecast_de.json")


async def read(power: Any = POWER, shares: Answer | None = None) -> Reading:
    answers = {"/public_power": Answer.of(power), "/ren_share_forecast": shares or Answer.of(SHARES)}
    return await EnergyCharts({"country": "de"}).fetch(world(by_path(answers))[0])


def power(times: int, **series: list[float | None]) -> dict[str, Any]:
    """An answer with the given series of one value each quarter of an hour from 17:00 on."""
    begin = int(datetime(2026, 11, 20, 17, tzinfo=UTC).timestamp())
    rows = [{"name": name.replace("_", " "), "data": data} for name, data in series.items()]
    return {"unix_seconds": [begin + 900 * index for index in range(times)], "production_types": rows}


async def test_intensity_is_estimated_from_the_newest_complete_mix() -> None:
    reading = await read()
    # At 17:45 and 18:00 gas and lignite are still missing.
    assert reading.observed_at == datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
    assert reading.estimated
    assert reading.tags == {"region": "DE", "grid_operator": "Energy-Charts"}
    # MW x gCO2eq/kWh: wind 20000 x 11 + 4000 x 12, coal (10000 + 4000) x 820, gas 8000 x 490, biomass 4500 x 230,
    # hydro (1500 + 1000) x 24, over 53000 MW.
    weighted = 220_000 + 48_000 + 11_480_000 + 3_920_000 + 1_035_000 + 60_000
    assert reading.fields["carbon_intensity_gco2_kwh"] == pytest.approx(weighted / 53_000)
    # Of 54000 MW with waste and others: wind, biomass and run-of-river 30000, coal and gas 22000.
    assert reading.fields["renewable_percentage"] == pytest.approx(100 * 30 / 54)
    assert reading.fields["fossil_percentage"] == pytest.approx(100 * 22 / 54)


async def test_the_request_asks_for_the_last_hours() -> None:
    context, session = world(by_path({"/public_power": Answer.of(POWER)}))
    await EnergyCharts({"country": "de"}).fetch(context)
    (url, params, _), (forecast_url, forecast_params, _) = session.asked
    assert url.endswith("/public_power")
    assert params == {"country": "de", "start": "2026-11-20T12:05Z", "end": "2026-11-20T18:05Z"}
    assert forecast_url.endswith("/ren_share_forecast")
    assert forecast_params == {"country": "de"}


async def test_renewable_share_is_foreseen_and_nulls_are_holes() -> None:
    reading = await read()
    forecast = reading.forecasts["renewable_percentage"]
    assert forecast.unit == "%"
    assert len(forecast.slots) == 188
    # 19:00 in Berlin is the 76th quarter of its day: 40 + 76 / 2.
    slot = forecast.at(NOW)
    assert slot is not None
    assert slot.value == 78
    assert slot.end - slot.start == timedelta(minutes=15)
    fields = ROLE.fields_at(Snapshot(reading=reading, now=NOW, provider="energy_charts", home=BERLIN))
    assert "forecast_1h" not in fields
    assert EnergyCharts({"country": "de"}).lacks() == {"forecast_1h", "forecast_24h", "cleanest_hours"}


@pytest.mark.parametrize(
    "shares",
    [
        Answer(status=404),
        Answer(status=429),
        Answer(b"<html>"),
        Answer.of({"unix_seconds": [1], "ren_share": []}),
        Answer.of({"unix_seconds": [1, 2], "ren_share": [50.0, 60.0]}),
        Answer.of({"unix_seconds": [], "ren_share": []}),
    ],
)
async def test_the_mix_does_not_depend_on_the_forecast(shares: Answer) -> None:
    reading = await read(shares=shares)
    assert reading.forecasts == {}
    assert reading.fields["carbon_intensity_gco2_kwh"] is not None


async def test_storage_trade_and_load_are_no_generation() -> None:
    mix = power(1, Nuclear=[100.0], Load=[900.0], Residual_load=[500.0], Cross_border_electricity_trading=[700.0])
    mix["production_types"].append({"name": "Hydro pumped storage consumption", "data": [300.0]})
    reading = await read(mix)
    assert dict(reading.fields) == {
        "carbon_intensity_gco2_kwh": 12,
        "renewable_percentage": 0,
        "fossil_percentage": 0,
    }


async def test_negative_generation_counts_for_nothing() -> None:
    reading = await read(power(1, Solar=[-5.0], Fossil_gas=[100.0]))
    assert reading.fields["carbon_intensity_gco2_kwh"] == 490


async def test_a_minor_series_may_be_missing() -> None:
    reading = await read(power(2, Fossil_gas=[960.0, 1000.0], Biomass=[40.0, None]))
    assert reading.observed_at == datetime(2026, 11, 20, 17, 15, tzinfo=UTC)
    assert reading.fields["carbon_intensity_gco2_kwh"] == 490
    reading = await read(power(2, Fossil_gas=[900.0, 1000.0], Biomass=[200.0, None]))
    assert reading.observed_at == datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


async def test_only_sources_without_a_factor_say_nothing_of_intensity() -> None:
    reading = await read(power(1, Others=[100.0], Waste=[50.0]))
    assert reading.fields["carbon_intensity_gco2_kwh"] is None
    assert reading.fields["renewable_percentage"] == 0


@pytest.mark.parametrize("values", [[None, None], [0.0, 0.0], [-1.0, None]])
async def test_no_generation_is_no_data(values: list[float | None]) -> None:
    with pytest.raises(SourceNoData, match="no complete generation mix"):
        await read(power(2, Fossil_gas=values))


async def test_a_time_without_any_generation_is_passed_over() -> None:
    reading = await read(power(2, Solar=[50.0, 0.0]))
    assert reading.observed_at == datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


async def test_no_common_time_is_no_data() -> None:
    with pytest.raises(SourceNoData):
        await read(power(2, Solar=[50.0, None], Nuclear=[None, 50.0]))


async def test_names_are_known_in_any_case() -> None:
    shouting = copy.deepcopy(POWER)
    for row in shouting["production_types"]:
        row["name"] = row["name"].upper()
    assert (await read(shouting)).fields == (await read()).fields


@pytest.mark.parametrize(
    ("country", "proposed"),
    [("DE", "de"), ("GB", "uk"), ("SI", "sl"), ("CH", "ch"), ("AU", None), ("US", None), (None, None)],
)
def test_the_country_of_the_home_is_proposed(country: str | None, proposed: str | None) -> None:
    home = Home(latitude=0, longitude=0, country=country, currency="EUR", timezone="UTC")
    (param,) = EnergyCharts.params
    assert param.default(home) == proposed
