"""The smaller providers of carbon intensity, and what follows from a forecast."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
import json
from typing import Any

import pytest

from custom_components.strata.core.model import Forecast, Slot
from custom_components.strata.sources.base import (
    Home,
    Provider,
    Reading,
    Snapshot,
    SourceBadAnswer,
    SourceNoData,
    SourceUnauthorized,
)
from custom_components.strata.sources.carbon_intensity import CARBON_INTENSITY
from custom_components.strata.sources.carbon_intensity.electricity_maps import ElectricityMaps
from custom_components.strata.sources.carbon_intensity.energi_data_service import EnergiDataService
from custom_components.strata.sources.carbon_intensity.entity import Entity
from custom_components.strata.sources.carbon_intensity.odre import Odre
from custom_components.strata.sources.carbon_intensity.watttime import WattTime
from tests.source_world import BERLIN, NOW, Answer, FakeAccess, FakeSession, by_path, recorded, world

COPENHAGEN = Home(latitude=55.68, longitude=12.57, country="DK", currency="DKK", timezone="Europe/Copenhagen")
AARHUS = Home(latitude=56.16, longitude=10.2, country="DK", currency="DKK", timezone="Europe/Copenhagen")
FIXTURES = "carbon_intensity"


async def read(
    provider: Provider, answers: Mapping[str, Any], now: datetime = NOW, **more: Any
) -> tuple[Reading, FakeSession]:
    routes = {
        part: answer if isinstance(answer, Answer) else Answer.of(recorded(f"{FIXTURES}/{answer}"))
        for part, answer in answers.items()
    }
    context, session = world(by_path(routes), now=now, **more)
    return await provider.fetch(context), session


def at(reading: Reading, now: datetime = NOW) -> Snapshot:
    return Snapshot(reading=reading, now=now, provider="x", home=BERLIN)


def metric(key: str, snapshot: Snapshot) -> Any:
    (one,) = [metric for metric in CARBON_INTENSITY.metrics if metric.key == key]
    return one.value(snapshot)


# Denmark

DANISH = {"/CO2EmisProg": "energi_data_service/co2_emis_prog_dk1.json"}


async def test_denmark_is_asked_in_its_own_time_from_the_whole_hour_on() -> None:
    reading, session = await read(EnergiDataService({"price_area": "DK1"}), DANISH)
    (_, params, _) = session.asked[0]
    assert params["start"] == "2026-11-20T19:00"
    assert json.loads(params["filter"]) == {"PriceArea": ["DK1"]}
    assert reading.tags == {"region": "DK1", "grid_operator": "Energinet"}
    slots = reading.forecasts["carbon_intensity_gco2_kwh"].slots
    assert slots[0].start == datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert len(slots) == 12 * 26
    assert {slot.end - slot.start for slot in slots} == {timedelta(minutes=5)}


async def test_cleanest_hours_stay_while_they_run() -> None:
    reading, _ = await read(EnergiDataService({"price_area": "DK1"}), DANISH)
    fields = CARBON_INTENSITY.fields_at(at(reading))
    clean = [datetime(2026, 11, 20, 18, tzinfo=UTC) + timedelta(hours=hour) for hour in (3, 4, 10, 20)]
    assert json.loads(str(fields["cleanest_hours"])) == [hour.isoformat() for hour in clean]
    assert metric("cleanest_hours", at(reading)) == clean[0]
    assert metric("cleanest_hours", at(reading, clean[0] + timedelta(minutes=59))) == clean[0]
    assert metric("cleanest_hours", at(reading, clean[1])) == clean[1]
    # One hour ahead it is 19:05, in the second hour; the next 24 hours begin in the middle of a slot.
    assert fields["forecast_1h"] == 93.5
    assert metric("cleanest_hours", at(reading, NOW + timedelta(days=9))) is None


def test_the_price_area_is_that_of_the_home() -> None:
    (area,) = EnergiDataService.params
    assert [area.default(home) for home in (AARHUS, COPENHAGEN, BERLIN)] == ["DK1", "DK2", None]


async def test_denmark_without_a_present_is_no_data() -> None:
    with pytest.raises(SourceNoData):
        await read(EnergiDataService({"price_area": "DK1"}), DANISH, NOW + timedelta(days=3))
    one = recorded(f"{FIXTURES}/{DANISH['/CO2EmisProg']}")
    one["records"] = one["records"][:1]
    with pytest.raises(SourceNoData):
        await read(EnergiDataService({"price_area": "DK1"}), {"/CO2EmisProg": Answer.of(one)})


# France


async def test_france_tells_the_newest_row_that_is_measured() -> None:
    reading, session = await read(Odre({}), {"/records": "odre/eco2mix.json"})
    assert reading.observed_at == datetime(2026, 11, 20, 17, 45, tzinfo=UTC)
    assert reading.fields == {
        "carbon_intensity_gco2_kwh": 31.5,
        "renewable_percentage": pytest.approx(25.0, abs=0.01),
        "fossil_percentage": pytest.approx(8.33, abs=0.01),
    }
    assert session.asked[0][1]["limit"] == "100"


async def test_france_without_the_whole_mix_has_no_shares() -> None:
    rows = recorded(f"{FIXTURES}/odre/eco2mix.json")
    del rows["results"][3]["eolien"]
    reading, _ = await read(Odre({}), {"/records": Answer.of(rows)})
    assert reading.fields["carbon_intensity_gco2_kwh"] == 31.5
    assert reading.fields["renewable_percentage"] is None


# Electricity Maps

MAPS = {
    "/v4/carbon-intensity/latest": "electricity_maps/latest.json",
    "/v4/power-breakdown/latest": "electricity_maps/breakdown.json",
}
MAPS_FORECAST = {"/v4/carbon-intensity/forecast": "electricity_maps/forecast.json"}


async def test_a_zone_is_asked_for_and_never_guessed_from_the_caller() -> None:
    provider = ElectricityMaps({"api_key": "key", "zone": "de"})
    reading, session = await read(provider, MAPS)
    assert len(session.asked) == 2
    for _, params, headers in session.asked:
        assert params == {"zone": "DE", "disableCallerLookup": "true"}
        assert headers == {"auth-token": "key"}
    assert reading.fields == {
        "carbon_intensity_gco2_kwh": 302.5,
        "renewable_percentage": 54.5,
        "fossil_percentage": 44.5,
    }
    assert reading.estimated
    assert reading.forecasts == {}
    assert "cleanest_hours" in provider.lacks()
    home, session = await read(ElectricityMaps({"api_key": "key"}), MAPS)
    assert home.tags["region"] == "DE"
    assert session.asked[0][1]["lat"] == "52.52"
    with pytest.raises(SourceNoData, match="not asked for"):
        await read(ElectricityMaps({"api_key": "key", "zone": "FR"}), MAPS)


async def test_a_plan_with_forecast() -> None:
    provider = ElectricityMaps({"api_key": "key", "zone": "DE", "forecast": True})
    reading, _ = await read(provider, MAPS | MAPS_FORECAST)
    assert len(reading.forecasts["carbon_intensity_gco2_kwh"].slots) == 26
    assert provider.lacks() == frozenset()
    # Refused, or a single hour: the present is worth having alone.
    reading, _ = await read(provider, MAPS | {"/forecast": Answer(b"{}", 403)})
    assert reading.forecasts == {}
    one = {"forecast": [{"carbonIntensity": 1.5, "datetime": "2026-11-20T18:00:00Z"}]}
    reading, _ = await read(provider, MAPS | {"/forecast": Answer.of(one)})
    assert reading.forecasts == {}


async def test_no_mix_does_not_spoil_the_intensity() -> None:
    only = {"/v4/carbon-intensity/latest": MAPS["/v4/carbon-intensity/latest"]}
    reading, _ = await read(ElectricityMaps({"api_key": "key", "zone": "DE"}), only)
    assert reading.fields["fossil_percentage"] is None


# WattTime

WATT = {
    "/login": "watttime/login.json",
    "/v3/region-from-loc": "watttime/region.json",
    "/v3/signal-index": "watttime/signal_index.json",
    "/v3/forecast": "watttime/forecast_day.json",
}
ACCOUNT = {"username": "user", "password": "pass"}


async def test_the_free_plan_gives_a_percentile_and_no_grams() -> None:
    provider = WattTime(ACCOUNT)
    reading, session = await read(provider, WATT)
    assert reading.fields == {"carbon_percentile": 37.5}
    assert reading.unit == "%"
    assert provider.main() == "carbon_percentile"
    paths = [url.removeprefix("https://source.test") for url, _, _ in session.asked]
    assert paths == ["/login", "/v3/region-from-loc", "/v3/signal-index"]
    assert session.asked[0][2]["Authorization"] == f"Basic {base64.b64encode(b'user:pass').decode()}"
    assert session.asked[1][1] == {"signal_type": "co2_moer", "latitude": "52.52", "longitude": "13.41"}
    assert session.asked[2][2] == {"Authorization": "Bearer eyJ.recorded.token"}


async def test_marginal_intensity_is_converted_and_never_a_mean() -> None:
    provider = WattTime({**ACCOUNT, "marginal": True, "region": "caiso_north"})
    reading, session = await read(provider, WATT)
    assert len(session.asked) == 2
    assert reading.fields == {"marginal_intensity_gco2_kwh": pytest.approx(453.59237)}
    assert reading.tags["region"] == "CAISO_NORTH"
    fields = CARBON_INTENSITY.fields_at(at(reading))
    # 12 slots later: 1000 - 24 = 976 lb/MWh.
    assert fields["marginal_forecast_1h"] == pytest.approx(976 * 0.45359237)
    assert {"carbon_intensity_gco2_kwh", "forecast_1h", "forecast_24h"}.isdisjoint(fields)
    for other in (Odre({}), EnergiDataService({"price_area": "DK1"}), ElectricityMaps({"forecast": True})):
        assert {"marginal_intensity_gco2_kwh", "carbon_percentile"} <= CARBON_INTENSITY.lacks(other, {})
    assert "carbon_intensity_gco2_kwh" in CARBON_INTENSITY.lacks(provider, {})
    assert "marginal_intensity_gco2_kwh" not in CARBON_INTENSITY.lacks(provider, {})


async def test_token_and_region_are_kept_and_exchanged_when_refused() -> None:
    answers = {part: Answer.of(recorded(f"{FIXTURES}/{path}")) for part, path in WATT.items()}
    refusals = 0

    def route(url: str) -> Answer:
        nonlocal refusals
        if refusals and "/v3/" in url:
            refusals -= 1
            return Answer(b"<html>", 403)
        return by_path(answers)(url)

    memory: dict[str, Any] = {}
    context, session = world(route, memory=memory)
    provider = WattTime(ACCOUNT)
    await provider.fetch(context)
    assert set(memory) == {"token", "region"}
    await provider.fetch(context)
    assert [url.rpartition("/")[2] for url, _, _ in session.asked[3:]] == ["signal-index"]
    refusals = 1
    await provider.fetch(context)
    assert [url.rpartition("/")[2] for url, _, _ in session.asked[4:]] == ["signal-index", "login", "signal-index"]
    # Refused with a new token too: it is the plan, and there is no third attempt.
    refusals = 2
    with pytest.raises(SourceUnauthorized):
        await provider.fetch(context)
    assert len(session.asked) == 10
    later, again = world(route, memory=memory, now=NOW + timedelta(minutes=30))
    await provider.fetch(later)
    assert [url.rpartition("/")[2] for url, _, _ in again.asked] == ["login", "signal-index"]


async def test_wrong_password_is_not_tried_twice() -> None:
    context, session = world(by_path({"/login": Answer(b"{}", 401)}))
    with pytest.raises(SourceUnauthorized):
        await WattTime(ACCOUNT).fetch(context)
    assert len(session.asked) == 1


async def test_a_signal_in_another_unit_is_refused() -> None:
    other = recorded(f"{FIXTURES}/watttime/forecast_day.json")
    other["meta"]["units"] = "kg_co2_per_mwh"
    with pytest.raises(SourceBadAnswer, match="unit"):
        await read(WattTime({**ACCOUNT, "marginal": True}), WATT | {"/v3/forecast": Answer.of(other)})
    one = recorded(f"{FIXTURES}/watttime/forecast_day.json")
    one["data"] = one["data"][:1]
    with pytest.raises(SourceNoData):
        await read(WattTime({**ACCOUNT, "marginal": True}), WATT | {"/v3/forecast": Answer.of(one)})
    with pytest.raises(SourceNoData, match="cover"):
        await read(WattTime(ACCOUNT), WATT | {"/v3/region-from-loc": Answer.of({"region": None})})


# Entities


@pytest.mark.parametrize(
    ("kind", "state", "unit", "field", "value"),
    [
        ("percentile", "63", "%", "carbon_percentile", 63.0),
        ("marginal", "1000", "lb CO2/MWh", "marginal_intensity_gco2_kwh", 453.59237),
        ("average", "474", "gCO2eq/kWh", "carbon_intensity_gco2_kwh", 474.0),
    ],
)
async def test_an_entity_may_tell_each_kind(kind: str, state: str, unit: str, field: str, value: float) -> None:
    access = FakeAccess()
    access.add("sensor.x", state, unit=unit)
    provider = Entity({"entity": "sensor.x", "intensity_kind": kind})
    reading, _ = await read(provider, {}, access=access)
    assert reading.fields == {field: pytest.approx(value)}
    assert provider.main() == field
    assert field not in CARBON_INTENSITY.lacks(provider, {})


async def test_a_percentile_is_no_mean() -> None:
    access = FakeAccess()
    access.add("sensor.watttime", "63", unit="%")
    with pytest.raises(SourceBadAnswer, match="percentile"):
        await read(Entity({"entity": "sensor.watttime"}), {}, access=access)


def test_a_forecast_that_begins_in_the_running_hour_keeps_it_among_the_cleanest() -> None:
    ten, slots = NOW.replace(minute=0), []
    for index in range(1, 24 * 6):
        # Rising all day, so that the running hour is the cleanest though its first ten minutes are not foreseen.
        start = ten + timedelta(minutes=10 * index)
        slots.append(Slot(start, start + timedelta(minutes=10), float(index)))
    foreseen = {"marginal_intensity_gco2_kwh": Forecast("gCO2/kWh", NOW, tuple(slots))}
    reading = Reading(fields={}, tags={}, observed_at=NOW, fetched_at=NOW, forecasts=foreseen)
    assert metric("cleanest_hours", at(reading, ten + timedelta(minutes=12))) == ten


def test_no_forecast_no_cleanest_hours() -> None:
    slot = Slot(NOW, NOW + timedelta(hours=1), 50.0)
    bare = Reading(fields={}, tags={}, observed_at=NOW, fetched_at=NOW)
    assert metric("cleanest_hours", at(bare)) is None
    half = Reading(
        fields={},
        tags={},
        observed_at=NOW,
        fetched_at=NOW,
        forecasts={"carbon_intensity_gco2_kwh": Forecast("gCO2eq/kWh", NOW, (slot,))},
    )
    assert CARBON_INTENSITY.fields_at(at(half)).get("cleanest_hours") is None
