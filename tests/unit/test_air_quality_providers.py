"""What the providers of air quality make of their answers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.strata.core.aqi import micrograms
from custom_components.strata.sources.air_quality import AIR_QUALITY
from custom_components.strata.sources.air_quality.airnow import AirNow
from custom_components.strata.sources.air_quality.entity import Entity
from custom_components.strata.sources.air_quality.open_meteo import OpenMeteo
from custom_components.strata.sources.air_quality.openaq import OpenAQ
from custom_components.strata.sources.air_quality.purpleair import PurpleAir, corrected
from custom_components.strata.sources.air_quality.waqi import Waqi
from custom_components.strata.sources.base import (
    Provider,
    Reading,
    Snapshot,
    SourceBadAnswer,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
)
from tests.source_world import BERLIN, NOW, Answer, FakeAccess, FakeSession, by_path, recorded, world

ROLE = "air_quality"
HOUR = timedelta(hours=1)
KEY = {"api_key": "secret-key"}


async def read(
    provider: Provider, answers: Mapping[str, Any] | None = None, now: datetime = NOW, **more: Any
) -> tuple[Reading, FakeSession]:
    routes = {
        part: Answer.of(recorded(f"{ROLE}/{answer}") if isinstance(answer, str) else answer)
        for part, answer in (answers or {}).items()
    }
    context, session = world(by_path(routes), now=now, **more)
    return await provider.fetch(context), session


def shown(reading: Reading, key: str, now: datetime = NOW) -> Any:
    (metric,) = [metric for metric in AIR_QUALITY.metrics if metric.key == key]
    return metric.value(Snapshot(reading=reading, now=now, provider="x", home=BERLIN))


def fields(reading: Reading) -> Mapping[str, Any]:
    return AIR_QUALITY.fields_at(Snapshot(reading=reading, now=NOW, provider="x", home=BERLIN))


# Open-Meteo

MODEL = {"/v1/air-quality": "open_meteo/berlin.json"}


async def test_the_model_is_asked_for_the_hours_that_means_need() -> None:
    reading, session = await read(OpenMeteo({}), MODEL)
    (_, params, _) = session.asked[0]
    assert (params["latitude"], params["longitude"]) == ("52.52", "13.41")
    assert params["past_days"] == "1"
    assert params["timezone"] == "GMT"
    assert reading.tags == {"location": "52.52,13.41", "parameter": "overall"}
    assert reading.observed_at == NOW.replace(minute=0)
    assert reading.estimated


async def test_index_and_categories_of_the_model() -> None:
    reading, _ = await read(OpenMeteo({}), MODEL)
    # 12.1 µg/m³ all day: 51 + 3.0 · 49 / 26.3 = 56.6.
    assert reading.fields["aqi"] == 57
    assert reading.fields["pm2_5_aqi"] == 57
    assert reading.fields["pm2_5"] == 12.1
    assert reading.notes["averaging"] == "nowcast"
    assert reading.notes["sub_indices"]["o3"]["averaging"] == "8h"  # type: ignore[index, call-overload]
    assert fields(reading)["category"] == "Moderate"
    assert fields(reading)["pm2_5_category"] == "Moderate"
    assert fields(reading)["o3_category"] == "Good"
    assert shown(reading, "air_quality_category") == "moderate"
    assert shown(reading, "dominant_pollutant") == "pm2_5"
    # 12.1 µg/m³ of PM2.5 are in the second band of Europe, 27.5 of nitrogen dioxide in the third.
    assert shown(reading, "european_aqi") == "moderate"
    assert shown(reading, "aqi") == 57


async def test_the_index_is_foreseen_by_the_same_means() -> None:
    answer = recorded(f"{ROLE}/open_meteo/berlin.json")
    # From midnight UTC on the air is bad. NowCast with w = 1/2 after one hour: (60 + 12.1/2 + 12.1/4 + …)/2 = 36.0.
    answer["hourly"]["pm2_5"][48:] = [60.0] * 96
    reading, _ = await read(OpenMeteo({}), {"/v1/air-quality": answer})
    forecast = reading.forecasts["aqi"]
    assert forecast.slots[0].start == NOW.replace(minute=0)
    assert len(forecast.slots) == 6 * 24 - 42
    values = {slot.start: slot.value for slot in forecast.slots}
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert values[midnight - HOUR] == 57
    # 36.0 µg/m³: 101 + 0.5 · 49 / 19.9 = 102.2.
    assert values[midnight] == 102
    # Twelve hours of 60: 151 + 4.5 · 49 / 69.9 = 154.2.
    assert values[midnight + 12 * HOUR] == 154
    assert reading.forecasts["uv_index"].slots[0].value == 0.0


async def test_an_hour_without_one_of_the_pollutants_is_not_foreseen() -> None:
    answer = recorded(f"{ROLE}/open_meteo/berlin.json")
    answer["hourly"]["pm2_5"][45] = None
    answer["hourly"]["carbon_monoxide"] = [None] * 144
    reading, _ = await read(OpenMeteo({}), {"/v1/air-quality": answer})
    starts = [slot.start.hour for slot in reading.forecasts["aqi"].slots[:5]]
    assert starts == [18, 19, 20, 22, 23]
    assert reading.fields["co"] is None


async def test_another_place_and_units() -> None:
    provider = OpenMeteo({"place": {"latitude": 48.85612, "longitude": 2.35229}})
    reading, session = await read(provider, MODEL)
    assert session.asked[0][1]["latitude"] == "48.86"
    assert reading.tags["location"] == "48.86,2.35"
    assert provider.title() == "48.86, 2.35"
    answer = recorded(f"{ROLE}/open_meteo/berlin.json")
    answer["hourly_units"]["carbon_monoxide"] = "mg/m³"
    reading, _ = await read(OpenMeteo({}), {"/v1/air-quality": answer})
    column = answer["hourly"]["carbon_monoxide"]
    assert reading.fields["co"] == pytest.approx(1000 * column[42])
    answer["hourly_units"]["ozone"] = "K"
    with pytest.raises(SourceBadAnswer, match="ozone"):
        await read(OpenMeteo({}), {"/v1/air-quality": answer})


@pytest.mark.parametrize(("provider", "low", "high"), [(OpenMeteo({}), 0, 5), (AirNow(KEY), 35, 40)])
@pytest.mark.parametrize("minute", [0, 34, 36, 59])
def test_providers_that_publish_by_the_hour_are_asked_after_it(
    provider: Provider, low: int, high: int, minute: int
) -> None:
    now = NOW.replace(minute=minute)
    due = provider.next_fetch(now, None)
    assert due is not None
    assert now < due <= now + HOUR + timedelta(minutes=6)
    assert low <= due.minute <= high


# AirNow

MEASURED = {"/aq/observation/current/ziplatlong/": "airnow/los_angeles.json"}


async def test_airnow_says_the_index_of_each_pollutant() -> None:
    reading, session = await read(AirNow(KEY), MEASURED)
    assert session.asked[0][1]["API_KEY"] == "secret-key"
    assert reading.tags["location"] == "Central LA CO"
    # 09:00 PST.
    assert reading.observed_at == datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert reading.fields["aqi"] == 54
    assert reading.fields["o3_aqi"] == 28
    assert reading.notes["averaging"] == "provider"
    assert shown(reading, "dominant_pollutant") == "pm2_5"
    assert "pm2_5" not in reading.fields
    assert {"pm2_5", "european_aqi", "uv_index"} <= AirNow(KEY).lacks()


async def test_airnow_reads_the_newest_hour_and_knows_no_minus_one() -> None:
    rows = recorded(f"{ROLE}/airnow/los_angeles.json")
    rows[1]["hourObserved"] = "08:00"
    rows[2]["nowcastAQI"] = -1
    reading, _ = await read(AirNow(KEY), {"/ziplatlong/": rows})
    assert reading.fields["aqi"] == 28
    assert "pm2_5_aqi" not in reading.fields
    assert "pm10_aqi" not in reading.fields


async def test_airnow_says_what_is_wrong() -> None:
    with pytest.raises(SourceUnauthorized):
        await read(AirNow(KEY), {"/ziplatlong/": "airnow/invalid_key.json"})
    with pytest.raises(SourceBadAnswer):
        await read(AirNow(KEY), {"/ziplatlong/": {"WebServiceError": [{"Message": "Something"}]}})
    rows = recorded(f"{ROLE}/airnow/los_angeles.json")
    with pytest.raises(SourceNoData):
        await read(AirNow(KEY), {"/ziplatlong/": [{**rows[0], "parameterName": "POLLEN"}]})
    with pytest.raises(SourceBadAnswer, match="time zone"):
        await read(AirNow(KEY), {"/ziplatlong/": [{**rows[0], "localTimeZone": "XYZ"}]})


# OpenAQ

STATIONS = {"/latest": "openaq/latest.json", "/v3/locations": "openaq/locations.json"}


async def test_the_nearest_monitor_that_is_alive_is_read_and_remembered() -> None:
    memory: dict[str, Any] = {}
    reading, session = await read(OpenAQ(KEY), STATIONS, memory=memory)
    assert reading.tags["location"] == "Berlin Neukölln"
    assert reading.fields["pm2_5"] == 35.49
    assert reading.fields["aqi"] == 100
    assert reading.notes["averaging"] == "instant"
    assert reading.fields["no2"] == pytest.approx(micrograms("no2", 10.5))
    # 0.0105 ppm are cut to 10 ppb: 10 · 50 / 53.
    assert reading.fields["no2_aqi"] == 9
    assert [headers for _, _, headers in session.asked] == [{"X-API-Key": "secret-key"}] * 2
    _, again = await read(OpenAQ(KEY), STATIONS, memory=memory)
    assert [url.rpartition("/")[2] for url, _, _ in again.asked] == ["latest"]
    memory["stations"]["at"] = (NOW - timedelta(hours=25)).isoformat()
    _, later = await read(OpenAQ(KEY), STATIONS, memory=memory)
    assert len(later.asked) == 2


async def test_a_monitor_whose_sensors_are_dead_makes_room_for_the_next() -> None:
    memory: dict[str, Any] = {}
    dead = recorded(f"{ROLE}/openaq/latest.json")
    for row in dead["results"][:2]:
        row["datetime"]["utc"] = "2026-11-19T17:00:00Z"
    far = {"results": [{"datetime": {"utc": "2026-11-20T17:00:00Z"}, "value": 9.05, "sensorsId": 7101}]}
    answers = {"/2178/latest": dead, "/2300/latest": far, "/v3/locations": STATIONS["/v3/locations"]}
    reading, session = await read(OpenAQ(KEY), answers, memory=memory)
    assert reading.tags["location"] == "Berlin Far Away"
    assert reading.fields["aqi"] == 50
    assert len(session.asked) == 3
    _, again = await read(OpenAQ(KEY), answers, memory=memory)
    assert [url.split("/")[-2] for url, _, _ in again.asked] == ["2300"]


async def test_monitors_that_died_are_looked_for_anew() -> None:
    memory: dict[str, Any] = {}
    await read(OpenAQ(KEY), STATIONS, memory=memory)
    with pytest.raises(SourceNoData, match="last hours"):
        await read(OpenAQ(KEY), STATIONS, NOW + 4 * HOUR, memory=memory)
    assert "stations" not in memory
    with pytest.raises(SourceNoData, match="alive"):
        await read(OpenAQ(KEY), STATIONS, NOW + 4 * HOUR, memory=memory)


async def test_a_monitor_may_be_named() -> None:
    provider = OpenAQ({**KEY, "station": "2300"})
    answer = recorded(f"{ROLE}/openaq/locations.json")
    answer["results"] = answer["results"][1:2]
    _, session = await read(provider, {"/latest": STATIONS["/latest"], "/v3/locations/2300": answer})
    assert session.asked[0][0].endswith("/v3/locations/2300")
    assert provider.title() == "2300"
    broken = recorded(f"{ROLE}/openaq/locations.json")
    broken["results"][1]["sensors"][0]["parameter"]["units"] = "particles/cm³"
    with pytest.raises(SourceBadAnswer, match="unit"):
        await read(OpenAQ(KEY), {"/latest": STATIONS["/latest"], "/v3/locations": broken})


# World Air Quality Index


async def test_waqi_is_shown_and_not_archived() -> None:
    provider = Waqi(KEY)
    reading, session = await read(provider, {"/feed/": "waqi/berlin.json"})
    assert session.asked[0][0].endswith("/feed/geo:52.52;13.41/")
    assert reading.fields["aqi"] == 42
    assert reading.fields["pm10_aqi"] == 17
    assert shown(reading, "dominant_pollutant") == "pm2_5"
    assert reading.attribution == "Umweltbundesamt, World Air Quality Index Project"
    assert not provider.recorded
    assert reading.observed_at == datetime(2026, 11, 20, 17, tzinfo=UTC)


async def test_waqi_knows_a_whole_without_parts() -> None:
    answer = recorded(f"{ROLE}/waqi/berlin.json")
    answer["data"] |= {"iaqi": {"t": {"v": 8.1}}, "aqi": 61}
    provider = Waqi({**KEY, "station": "6132"})
    reading, session = await read(provider, {"/feed/": answer})
    assert session.asked[0][0].endswith("/feed/@6132/")
    assert reading.fields["aqi"] == 61
    assert shown(reading, "dominant_pollutant") is None
    answer["data"] |= {"aqi": "-"}
    with pytest.raises(SourceNoData):
        await read(provider, {"/feed/": answer})


@pytest.mark.parametrize(
    ("said", "error"),
    [("Invalid key", SourceUnauthorized), ("Over quota", SourceRateLimited), ("Unknown station", SourceNoData)],
)
async def test_waqi_says_what_is_wrong_with_status_200(said: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await read(Waqi(KEY), {"/feed/": {"status": "error", "data": said}})


# PurpleAir

SENSOR = {"/v1/sensors/131075": "purpleair/sensor.json"}


@pytest.mark.parametrize(
    ("reading", "humidity", "micrograms_"),
    [
        # 0.524 · 30.1 - 0.0862 · 35 + 5.75.
        (30.1, 35, 18.5054),
        (0.0, 100, 0.0),
        # 0.000421 · 700² + 0.392 · 700 + 3.44.
        (700.0, 30, 484.13),
        # Half of each at (13.9 + 0.5) / 0.0244 = 590.16: linear 312.41, square 381.41.
        (590.1639, 30, 346.91),
    ],
)
def test_correction(reading: float, humidity: float, micrograms_: float) -> None:
    assert corrected(reading, humidity) == pytest.approx(micrograms_, abs=0.01)


async def test_purpleair_tells_corrected_particles() -> None:
    reading, session = await read(PurpleAir({**KEY, "sensor": "131075"}), SENSOR)
    assert session.asked[0][2] == {"X-API-Key": "secret-key"}
    assert reading.fields["pm2_5"] == pytest.approx(18.5054)
    assert reading.notes["uncorrected"] == 30.1
    assert reading.tags["location"] == "PurpleAir 131075"


@pytest.mark.parametrize(("first", "second", "agree"), [(2.0, 6.9, True), (2.0, 7.1, False), (None, 7.1, True)])
async def test_channels_that_contradict_each_other_are_no_data(first: float | None, second: float, agree: bool) -> None:
    answer = recorded(f"{ROLE}/purpleair/sensor.json")
    answer["sensor"] |= {"pm2.5_atm_a": first, "pm2.5_atm_b": second}
    if agree:
        await read(PurpleAir({**KEY, "sensor": "131075"}), {"/v1/sensors/131075": answer})
    else:
        with pytest.raises(SourceNoData, match="channels"):
            await read(PurpleAir({**KEY, "sensor": "131075"}), {"/v1/sensors/131075": answer})


async def test_hours_are_remembered_until_nowcast_is_known() -> None:
    memory: dict[str, Any] = {}
    answer = recorded(f"{ROLE}/purpleair/sensor.json")
    labels = []
    for hour in range(3):
        answer["sensor"]["last_seen"] = int((NOW + hour * HOUR).timestamp())
        reading, _ = await read(
            PurpleAir({**KEY, "sensor": "131075"}), {"/v1/": answer}, NOW + hour * HOUR, memory=memory
        )
        labels.append(reading.notes["averaging"])
    assert labels == ["instant", "nowcast", "nowcast"]
    assert len(memory["hours"]) == 3
    answer["sensor"]["last_seen"] = int((NOW + 26 * HOUR).timestamp())
    await read(PurpleAir({**KEY, "sensor": "131075"}), {"/v1/": answer}, NOW + 26 * HOUR, memory=memory)
    assert len(memory["hours"]) == 1


# Entities


async def test_entities_are_told_apart_by_device_class() -> None:
    access = FakeAccess()
    for entity_id, saved in recorded(f"{ROLE}/entity/airnow.json").items():
        access.add(entity_id, saved["state"], **saved["attributes"])
    more = ["sensor.airnow_ozone", "sensor.openuv_current_uv_index", "sensor.gone", "sensor.airnow_pm2_5"]
    provider = Entity({"entity": "sensor.airnow_pm2_5", "more_entities": more})
    reading, _ = await read(provider, access=access)
    assert len(provider.watched_entities()) == 4
    assert reading.fields["pm2_5"] == 12.05
    assert reading.fields["o3"] == pytest.approx(micrograms("o3", 54.1))
    assert reading.fields["uv_index"] == 3.2
    assert reading.fields["aqi"] == 56
    assert reading.notes["averaging"] == "instant"
    alone, _ = await read(Entity({"entity": "sensor.airnow_air_quality_index"}), access=access)
    assert alone.fields["aqi"] == 44
    assert alone.fields["european_aqi"] is None


async def test_entities_values_of_an_hour_are_its_mean() -> None:
    memory: dict[str, Any] = {}
    provider = Entity({"entity": "sensor.pm"})
    for minutes, state in ((0, "10"), (20, "20"), (60, "15")):
        access = FakeAccess()
        access.add("sensor.pm", state, device_class="pm25", unit="µg/m³")
        reading, _ = await read(provider, now=NOW + timedelta(minutes=minutes), access=access, memory=memory)
    # The hour before has a mean of 15, so NowCast is 15: 51 + 5.9 · 49 / 26.3 = 62.0.
    assert reading.fields["aqi"] == 62
    assert reading.notes["averaging"] == "nowcast"
    access.add("sensor.pm", "5", device_class="temperature", unit="°C")
    with pytest.raises(SourceBadAnswer, match="°C"):
        await read(provider, access=access)
    # What was kept in another shape is as good as nothing.
    reading, _ = await read(provider, access=_pm("20"), memory={"hours": {"2026-11-20T18:00:00+00:00": {"pm2_5": "x"}}})
    assert reading.notes["averaging"] == "instant"


def _pm(state: str) -> FakeAccess:
    access = FakeAccess()
    access.add("sensor.pm", state, device_class="pm25", unit="µg/m³")
    return access


# Category changes


def _with_index(index: float | None) -> Snapshot:
    reading = Reading(
        fields={"aqi": index},
        tags={"location": "Here", "parameter": "overall"},
        observed_at=NOW,
        fetched_at=NOW,
        notes={"dominant_pollutant": "o3"},
    )
    return Snapshot(reading=reading, now=NOW, provider="x", home=BERLIN)


@pytest.mark.parametrize(
    ("before", "after", "type_"),
    [(50, 51, "worsened"), (101, 100, "improved"), (51, 100, None), (None, 51, None), (51, None, None)],
)
def test_category_changes(before: float | None, after: float | None, type_: str | None) -> None:
    (event,) = AIR_QUALITY.events
    found = event.occurred(_with_index(before), _with_index(after))
    assert (found.type if found else None) == type_
    if found is not None:
        assert found.type in event.types
        assert found.attributes["aqi"] == after
        assert set(found.attributes) == {"location", "from", "to", "aqi", "dominant_pollutant"}
