"""What a server gets to see of stored rows, roll-ups and forecasts."""

import numpy as np
import pytest

from custom_components.strata.core.model import Flag, Kind, Point, Series, SeriesKey
from custom_components.strata.core.rollup import rollup
from custom_components.strata.mirror.line_protocol import encode_block
from custom_components.strata.mirror.render import Renderer, tags_of
from custom_components.strata.store.answers import energy_kwh
from custom_components.strata.store.backlog import ForecastRows
from custom_components.strata.store.base import RawRows

HOUR = 3_600_000_000
LABELS = {
    "entity_id": "sensor.oven_power",
    "domain": "sensor",
    "device_class": "power",
    "area_id": "kitchen",
    "device_id": "0123456789abcdef",
    "friendly_name": "Oven power",
}
TAGS = {name: value for name, value in LABELS.items() if name != "friendly_name"} | {"event_type": "state_changed"}
TEXTS = {1: "heat", 2: "idle", 3: "on the way", 4: "x" * 70}


def renderer(**more):
    return Renderer(lambda codes: {code: TEXTS[code] for code in codes}, **more)


def of_entity(kind=Kind.MEASUREMENT, field="value", unit=None, **labels):
    key = SeriesKey.of_entity("home_assistant_events", "0a1b2c", field)
    return Series(key, kind, unit, {**LABELS, **labels})


def rows(*given):
    """Rows as (time, value, text code, flag)."""
    times, values, texts, flags = zip(*given, strict=True)
    return RawRows(np.array(times), np.array(values, float), np.array(texts), np.array([int(flag) for flag in flags]))


NONE = float("nan")


def test_a_number_keeps_its_measurement_with_labels_as_tags():
    block = renderer().rows(of_entity(), rows((5, 1200.0, 0, Flag.OK), (7, 3.5, 0, Flag.STUCK)))
    assert list(block.points()) == [
        Point("home_assistant_events", TAGS, {"value": 1200.0, "attr_friendly_name": "Oven power"}, 5),
        Point("home_assistant_events", TAGS, {"value": 3.5, "attr_friendly_name": "Oven power"}, 7),
    ]


def test_gaps_marks_and_implausible_values_are_no_points():
    given = [
        (1, 5.0, 0, Flag.SPIKE),
        (2, 5.0, 0, Flag.RESET),
        (3, NONE, 0, Flag.IMPOSSIBLE),
        (4, NONE, 0, Flag.GAP),
        (5, 7.0, 0, Flag.RESUME),
        (6, float("inf"), 0, Flag.OK),
        (7, NONE, 0, Flag.OK),
        (8, 9.0, 0, Flag.CYCLE),
    ]
    block = renderer().rows(of_entity(), rows(*given))
    assert [point.time for point in block.points()] == [8]
    assert renderer().rows(of_entity(), rows(*given[:-1])) is None


def test_texts_are_states_and_presence_has_both():
    series = of_entity(Kind.TEXT, "state", friendly_name="")
    block = renderer().rows(series, rows((1, NONE, 1, Flag.OK), (2, 1.0, 2, Flag.OK)))
    assert [point.fields for point in block.points()] == [{"state": "heat"}, {"value": 1.0, "state": "idle"}]


def test_on_off_is_a_number_with_the_word_where_there_is_one():
    block = renderer().rows(of_entity(Kind.ON_OFF), rows((1, 1.0, 0, Flag.OK), (2, 1.0, 3, Flag.OK)))
    assert [point.fields for point in block.points()] == [
        {"value": 1.0, "attr_friendly_name": "Oven power"},
        {"value": 1.0, "state": "on the way", "attr_friendly_name": "Oven power"},
    ]


def test_a_value_in_another_unit_is_a_field_of_its_own():
    block = renderer().rows(of_entity(field="value[kW]"), rows((1, 1.0, 0, Flag.OK)))
    assert next(block.points()).fields["value[kW]"] == 1.0


def test_a_server_of_numbers_gets_numbers_only():
    text = of_entity(Kind.TEXT, "state")
    assert renderer(strings=False).rows(text, rows((1, NONE, 1, Flag.OK))) is None
    block = renderer(strings=False).rows(text, rows((1, 1.0, 1, Flag.OK)))
    assert [point.fields for point in block.points()] == [{"value": 1.0}]


def test_a_reading_keeps_measurement_key_tags_and_field():
    key = SeriesKey.of_tags("carbon_intensity", {"region": "GB", "grid_operator": "NESO"}, "carbon_intensity_gco2_kwh")
    block = renderer().rows(Series(key, Kind.MEASUREMENT, "gCO2eq/kWh"), rows((1, 110.0, 0, Flag.OK)))
    (point,) = block.points()
    tags = {"region": "GB", "grid_operator": "NESO"}
    assert point == Point("carbon_intensity", tags, {"carbon_intensity_gco2_kwh": 110.0}, 1)


def test_a_reading_that_is_text_is_text_under_its_own_name():
    key = SeriesKey.of_tags("electricity_pricing", {"currency": "EUR"}, "cheapest_hours")
    series = Series(key, Kind.TEXT)
    block = renderer().rows(series, rows((1, NONE, 1, Flag.OK)))
    assert [point.fields for point in block.points()] == [{"cheapest_hours": "heat"}]
    assert renderer(strings=False).rows(series, rows((1, NONE, 1, Flag.OK))) is None


def test_without_labels_an_entity_is_known_by_its_identity():
    series = Series(SeriesKey.of_entity("home_assistant_events", "light.hall"), Kind.ON_OFF)
    assert tags_of(series) == {"entity_id": "light.hall", "event_type": "state_changed"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("two\nlines", "two lines"),
        ("\ttab\x00", "tab"),
        ("trailing\\", "trailing/"),
        ("a\\ b", "a/ b"),
        ("a\\,b", "a/,b"),
        ("C:\\temp", "C:\\temp"),
        ("  ", None),
        ("", None),
    ],
)
def test_tags_are_cleaned_of_what_servers_read_differently(given, shown):
    assert tags_of(of_entity(area_id=given)).get("area_id") == shown


# ------------------------------------------------------------------------------------------------ roll-ups
def bucket_points(series, tier, rolled, **more):
    return [point for block in renderer(**more).buckets(series, tier, rolled) for point in block.points()]


def test_an_hour_of_power_says_mean_extremes_count_and_energy():
    # 1000 W for a quarter of an hour and 200 W for the rest: 400 W on average, 0.4 kWh.
    rolled = rollup([0, HOUR // 4], [1000.0, 200.0], [0, HOUR], kind="measurement")
    (point,) = bucket_points(of_entity(unit="W"), "hourly", rolled)
    assert point.measurement == "home_assistant_events"
    assert point.tags == TAGS | {"tier": "hourly", "field": "value"}
    assert point.time == 0
    assert point.fields == {
        "sample_count": 2,
        "covered_seconds": 3600.0,
        "avg_value": 400.0,
        "min_value": 200.0,
        "max_value": 1000.0,
        "first_value": 1000.0,
        "last_value": 200.0,
        "total_energy": pytest.approx(0.4),
        "attr_friendly_name": "Oven power",
    }
    assert type(point.fields["sample_count"]) is int


def test_a_day_has_the_names_of_a_day():
    rolled = rollup([0], [2.0], [0, 24 * HOUR], kind="measurement")
    (point,) = bucket_points(of_entity(unit="kW"), "daily", rolled)
    assert point.fields["total_samples"] == 1
    assert point.fields["daily_energy"] == pytest.approx(48.0)
    assert not {"sample_count", "total_energy"} & point.fields.keys()


def test_a_meter_says_its_increase_and_energy_in_kwh():
    rolled = rollup([0, 1000, 2000], [500.0, 800.0, 100.0], [0, HOUR], kind="meter", carry=400.0)
    (point,) = bucket_points(of_entity(Kind.METER, unit="Wh"), "hourly", rolled)
    # 400 to 500 to 800, then a new cycle that reached 100.
    assert point.fields["increase"] == 500.0
    assert point.fields["resets"] == 1
    assert point.fields["total_energy"] == pytest.approx(0.5)
    (water,) = bucket_points(of_entity(Kind.METER, unit="m³"), "hourly", rolled)
    assert "total_energy" not in water.fields


def test_on_off_says_how_long_it_was_on():
    rolled = rollup([0, HOUR // 4], [1.0, 0.0], [0, HOUR], kind="on_off", carry=0.0)
    (point,) = bucket_points(of_entity(Kind.ON_OFF), "hourly", rolled)
    assert point.fields["on_seconds"] == 900.0
    assert point.fields["avg_value"] == 0.25
    assert point.fields["transitions"] == 2
    assert "total_energy" not in point.fields


def test_texts_say_the_seconds_in_each_state():
    rolled = rollup([0, HOUR // 4, HOUR // 2], np.array([1, 2, 1]), [0, HOUR, 2 * HOUR], kind="text")
    whole, *states = bucket_points(of_entity(Kind.TEXT, "state"), "hourly", rolled.select(rolled.known))[0:1] + [
        point for point in bucket_points(of_entity(Kind.TEXT, "state"), "hourly", rolled) if "in_state" in point.tags
    ]
    assert whole.fields == {
        "sample_count": 3,
        "covered_seconds": 3600.0,
        "transitions": 2,
        "first_state": "heat",
        "last_state": "heat",
        "attr_friendly_name": "Oven power",
    }
    assert {(point.tags["in_state"], point.time): point.fields["state_seconds"] for point in states} == {
        ("heat", 0): 2700.0,
        ("idle", 0): 900.0,
        ("heat", HOUR): 3600.0,
    }


def test_states_that_never_come_twice_get_no_series_of_their_own():
    rolled = rollup([0], np.array([1]), [0, HOUR], kind="text")
    assert len(bucket_points(of_entity(Kind.TEXT, "state", device_class="timestamp"), "hourly", rolled)) == 1


def test_overlong_and_rare_states_are_summed_up():
    times = np.arange(60) * 1_000_000
    texts = {code: f"state {code}" for code in range(1, 61)}
    rolled = rollup(times, np.arange(1, 61), [0, *times[10::10].tolist(), HOUR], kind="text")
    many = Renderer(lambda codes: {code: texts[code] for code in codes})
    blocks = list(many.buckets(of_entity(Kind.TEXT, "state"), "hourly", rolled))
    states = {block.tags["in_state"] for block in blocks[1:]}
    assert len(states) == 51
    assert "(other)" in states
    total = sum(point.fields["state_seconds"] for block in blocks[1:] for point in block.points())
    assert total == pytest.approx(3600.0)
    long = rollup([0], np.array([4]), [0, HOUR], kind="text")
    assert [point.tags.get("in_state") for point in bucket_points(of_entity(Kind.TEXT, "state"), "hourly", long)] == [
        None,
        "(other)",
    ]


def test_a_text_without_known_time_has_no_states():
    rolled = rollup([HOUR - 1], np.array([-1]), [0, HOUR], kind="text", carry=None)
    assert [
        point for point in bucket_points(of_entity(Kind.TEXT, "state"), "hourly", rolled) if "in_state" in point.tags
    ] == []


def test_no_buckets_are_no_points():
    rolled = rollup([0], [1.0], [0, HOUR], kind="measurement")
    assert bucket_points(of_entity(), "hourly", rolled.select(np.array([False]))) == []


def test_energy_needs_an_energy_or_power_unit():
    rolled = rollup([0], [1.0], [0, HOUR], kind="measurement")
    assert energy_kwh(rolled, None) is None
    assert energy_kwh(rolled, "°C") is None
    assert energy_kwh(rolled, "kWh") is None
    assert energy_kwh(rolled, "MW").tolist() == pytest.approx([1000.0])


# ------------------------------------------------------------------------------------------------ forecasts
def test_a_forecast_stands_at_the_instants_it_is_for():
    key = SeriesKey.of_tags("electricity_pricing_forecast", {"provider": "awattar", "currency": "EUR"}, "price")
    found = ForecastRows(
        key, "EUR/kWh", 10 * HOUR, np.array([10 * HOUR, 11 * HOUR + HOUR // 4]), np.array([0.2, -0.01])
    )
    block = renderer(offset_fields={("electricity_pricing_forecast", "price"): "hour_offset"}).forecast(found)
    assert list(block.points()) == [
        Point(key.measurement, key.tags, {"price": 0.2, "hour_offset": 0.0}, 10 * HOUR),
        Point(key.measurement, key.tags, {"price": -0.01, "hour_offset": 1.25}, 11 * HOUR + HOUR // 4),
    ]
    plain = renderer().forecast(found)
    assert encode_block(plain)[0] == (
        f"electricity_pricing_forecast,currency=EUR,provider=awattar price=0.2 {10 * HOUR}000"
    )


def test_no_tag_has_the_name_of_a_field():
    """One database may hold every tier, and InfluxDB 3 takes a name as a tag or as a field of a measurement."""
    text = of_entity(Kind.TEXT, "state")
    rolled = rollup([0, HOUR // 2], np.array([1, 2]), [0, HOUR], kind="text")
    points = [
        *renderer().rows(text, rows((1, 1.0, 1, Flag.OK))).points(),
        *bucket_points(text, "hourly", rolled),
    ]
    tags = {name for point in points for name in point.tags}
    fields = {name for point in points for name in point.fields}
    assert "state" in fields
    assert not tags & fields


def test_what_a_number_says_in_words_is_a_tag_of_its_points():
    key = SeriesKey.of_tags("air_quality", {"location": "Here"}, "aqi")
    labelled = renderer(labels={"air_quality": "category"})
    given = rows((1, 40.0, 1, Flag.OK), (2, 60.0, 2, Flag.OK), (3, 45.0, 1, Flag.OK), (4, 5.0, 0, Flag.OK))
    points = [
        point for block in labelled.blocks(Series(key, Kind.MEASUREMENT, "AQI"), given) for point in block.points()
    ]
    here = {"location": "Here"}
    assert sorted(points, key=lambda point: point.time) == [
        Point("air_quality", {**here, "category": "heat"}, {"aqi": 40.0}, 1),
        Point("air_quality", {**here, "category": "idle"}, {"aqi": 60.0}, 2),
        Point("air_quality", {**here, "category": "heat"}, {"aqi": 45.0}, 3),
        Point("air_quality", here, {"aqi": 5.0}, 4),
    ]
    # Texts of a series of texts, and of other measurements, are no tags.
    text = Series(SeriesKey.of_tags("air_quality", here, "mood"), Kind.TEXT)
    (block,) = labelled.blocks(text, rows((1, NONE, 1, Flag.OK)))
    assert list(block.points()) == [Point("air_quality", here, {"mood": "heat"}, 1)]
    (block,) = renderer().blocks(Series(key, Kind.MEASUREMENT), given)
    assert len(block) == 4
    assert list(renderer().blocks(of_entity(), rows((1, NONE, 0, Flag.GAP)))) == []
    assert list(labelled.blocks(Series(key, Kind.MEASUREMENT), rows((1, NONE, 0, Flag.GAP)))) == []
