"""Carbon intensity from entities the home already has."""

import pytest

from custom_components.strata.sources.base import Reading, SourceBadAnswer, SourceNoData
from custom_components.strata.sources.carbon_intensity.entity import Entity
from tests.source_world import NOW, FakeAccess, recorded, world

INTENSITY = "sensor.electricity_maps_co2_intensity"
FOSSIL = "sensor.electricity_maps_grid_fossil_fuel_percentage"


async def read(access: FakeAccess, **options: str) -> Reading:
    return await Entity({"entity": INTENSITY, **options}).fetch(world(access=access)[0])


async def test_electricity_maps_sensors_are_read() -> None:
    access = FakeAccess()
    for entity_id, saved in recorded("carbon_intensity/entity/co2signal.json").items():
        access.add(entity_id, saved["state"], **saved["attributes"])
    reading = await read(access, fossil_entity=FOSSIL)
    # Nothing is said of renewables: what is not fossil may be nuclear.
    assert dict(reading.fields) == {"carbon_intensity_gco2_kwh": 474, "fossil_percentage": 42.22}
    assert reading.observed_at == reading.fetched_at == NOW
    assert reading.tags == {"region": INTENSITY, "grid_operator": "home_assistant"}
    assert reading.unit == "gCO2eq/kWh"


@pytest.mark.parametrize(
    ("unit", "state", "expected"),
    [
        ("gCO2/kWh", "120", 120),
        ("g CO2eq/kWh", "120.5", 120.5),
        ("kgCO2/MWh", "300", 300),
        # 1000 lb/MWh are 453.59237 g/kWh, as a pound has 453.59237 g.
        ("lb/MWh", "1000", 453.59237),
    ],
)
async def test_unit_is_converted(unit: str, state: str, expected: float) -> None:
    access = FakeAccess()
    access.add(INTENSITY, state, unit=unit)
    reading = await read(access)
    assert reading.fields["carbon_intensity_gco2_kwh"] == pytest.approx(expected)


async def test_no_unit_is_a_bad_answer() -> None:
    access = FakeAccess()
    access.add(INTENSITY, "120")
    with pytest.raises(SourceBadAnswer, match=INTENSITY):
        await read(access)


@pytest.mark.parametrize(("state", "unit"), [("unavailable", "%"), ("0.4", "kWh"), (None, None)])
async def test_a_share_that_is_not_there_does_not_spoil_the_intensity(state: str | None, unit: str | None) -> None:
    access = FakeAccess()
    access.add(INTENSITY, "120", unit="gCO2/kWh")
    if state is not None:
        access.add(FOSSIL, state, unit=unit)
    reading = await read(access, fossil_entity=FOSSIL)
    assert dict(reading.fields) == {"carbon_intensity_gco2_kwh": 120, "fossil_percentage": None}


async def test_entity_that_is_gone_is_no_data() -> None:
    with pytest.raises(SourceNoData, match=INTENSITY):
        await read(FakeAccess())


def test_entities_that_are_given_are_watched_and_metrics_that_are_not_are_missing() -> None:
    alone = Entity({"entity": INTENSITY, "renewable_entity": None})
    assert alone.watched_entities() == (INTENSITY,)
    never = {"forecast_1h", "forecast_24h", "cleanest_hours", "carbon_percentile"}
    never |= {"marginal_intensity_gco2_kwh", "marginal_forecast_1h", "marginal_forecast_24h"}
    assert alone.lacks() == {"renewable_percentage", "fossil_percentage", *never}
    both = Entity({"entity": INTENSITY, "fossil_entity": FOSSIL})
    assert both.watched_entities() == (INTENSITY, FOSSIL)
    assert both.lacks() == {"renewable_percentage", *never}
