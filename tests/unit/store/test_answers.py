"""Hours and days as they are told; every expected number is worked out by hand."""

import json

import numpy as np
import pytest

from custom_components.strata.core.model import Kind
from custom_components.strata.core.rollup import rollup
from custom_components.strata.store.answers import answers
from custom_components.strata.store.buckets import empty
from custom_components.strata.store.tiers import DAILY, HOURLY

MINUTE = 60_000_000
HOUR = 60 * MINUTE
START = 1_772_366_400_000_000
"""2026-03-01 12:00 UTC."""
EDGES = [START, START + HOUR]


def texts(codes: set[int]) -> dict[int, str]:
    return {code: {1: "heat", 2: "idle"}[code] for code in codes}


def test_a_power_is_averaged_over_time_and_integrated() -> None:
    # 1200 W for a quarter of an hour, 200 W for the other three.
    found = rollup([START, START + 15 * MINUTE], [1200.0, 200.0], EDGES, kind=Kind.MEASUREMENT)
    [hour] = answers(found, HOURLY, "W", texts)
    assert hour == {
        "start": "2026-03-01T12:00:00+00:00",
        "end": "2026-03-01T13:00:00+00:00",
        "avg_value": 450.0,
        "min_value": 200.0,
        "max_value": 1200.0,
        "sample_count": 2,
        "total_energy": pytest.approx(0.45),
        "first_value": 1200.0,
        "last_value": 200.0,
        "covered_seconds": 3600.0,
    }


def test_a_meter_has_an_increase_and_no_average() -> None:
    found = rollup([START + MINUTE, START + 2 * MINUTE], [1500.0, 1750.0], EDGES, kind=Kind.METER, carry=1400.0)
    [day] = answers(found, DAILY, "Wh", texts)
    assert (day["avg_value"], day["min_value"], day["max_value"]) == (None, None, None)
    assert (day["total_samples"], day["daily_energy"]) == (2, pytest.approx(0.35))
    assert (day["increase"], day["resets"], day["first_value"], day["last_value"]) == (350.0, 0, 1500.0, 1750.0)
    assert "sample_count" not in day


def test_a_temperature_has_no_energy() -> None:
    found = rollup([START], [20.5], EDGES, kind=Kind.MEASUREMENT)
    [hour] = answers(found, HOURLY, "°C", texts)
    assert (hour["avg_value"], hour["total_energy"]) == (20.5, None)


def test_on_and_off_have_their_seconds() -> None:
    found = rollup([START, START + 15 * MINUTE, START + 45 * MINUTE], [1.0, 0.0, np.nan], EDGES, kind=Kind.ON_OFF)
    [hour] = answers(found, HOURLY, None, texts)
    assert hour["state_seconds"] == {"on": 900.0, "off": 1800.0}
    assert hour["avg_value"] == pytest.approx(1 / 3)
    assert (hour["min_value"], hour["max_value"], hour["transitions"]) == (0.0, 1.0, 1)
    assert hour["covered_seconds"] == 2700.0


def test_texts_have_the_seconds_of_each_state() -> None:
    found = rollup([START + 20 * MINUTE, START + 50 * MINUTE], np.array([1, 2]), EDGES, kind=Kind.TEXT)
    [hour] = answers(found, HOURLY, None, texts)
    assert hour["state_seconds"] == {"heat": 1800.0, "idle": 600.0}
    assert (hour["first_value"], hour["last_value"], hour["transitions"]) == ("heat", "idle", 1)
    assert (hour["avg_value"], hour["total_energy"], hour["sample_count"]) == (None, None, 2)


def test_answers_are_json_whatever_is_unknown() -> None:
    found = rollup([START, START + 1], [1.0, np.nan], [START, START + HOUR, START + 2 * HOUR], kind=Kind.MEASUREMENT)
    told = answers(found, HOURLY, "W", texts)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told[1]["avg_value"] is None


def test_nothing_is_told_of_nothing() -> None:
    assert answers(empty(Kind.MEASUREMENT), HOURLY, None, texts) == []
