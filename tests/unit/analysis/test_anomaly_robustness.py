"""Whatever a series holds, a scan neither fails nor takes it for what is usual."""

from datetime import UTC, datetime
import json
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from custom_components.strata.analysis.anomaly import KINDS, METHODS, detect, scan
from custom_components.strata.analysis.base import AnomalyKind
from custom_components.strata.core.model import to_micros

STEP = 300_000_000
DAY = 288
START = to_micros(datetime(2026, 3, 2, tzinfo=UTC))


def _times(count: int) -> np.ndarray:
    return START + np.arange(count) * STEP


def _usual(days: int = 30, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100 + 20 * np.sin(np.arange(days * DAY) / DAY * 2 * np.pi) + rng.normal(0, 3, days * DAY)


def _with(value: float, every: int) -> np.ndarray:
    values = _usual()
    values[::every] = value
    return values


def _reset() -> np.ndarray:
    values = np.cumsum(np.abs(_usual()))
    values[20 * DAY :] -= values[20 * DAY]
    return values


SERIES = {
    "empty": ([], []),
    "one point": ([START], [1.0]),
    "two points": ([START, START + STEP], [1.0, 2.0]),
    "two of one time": ([START, START], [1.0, 2.0]),
    "all missing": (_times(3000), np.full(3000, np.nan)),
    "none": (_times(10), [None] * 10),
    "all infinite": (_times(3000), np.full(3000, np.inf)),
    "constant": (_times(30 * DAY), np.full(30 * DAY, 21.5)),
    "zero": (_times(30 * DAY), np.zeros(30 * DAY)),
    "some missing": (_times(30 * DAY), _with(np.nan, 7)),
    "some infinite": (_times(30 * DAY), _with(-np.inf, 7)),
    "some huge": (_times(30 * DAY), _with(1e300, 7)),
    "backwards": (_times(30 * DAY)[::-1], _usual()),
    "hourly": (START + np.arange(30 * 24) * 12 * STEP, _usual()[::12]),
    "once a day": (START + np.arange(60) * DAY * STEP, _usual(60)[::DAY]),
    "a year of gaps": (START + np.arange(365) * DAY * STEP + np.arange(365) % 7 * STEP, _usual(365)[::DAY]),
    "a year between": (np.concatenate((_times(3 * DAY), _times(3 * DAY) + 365 * DAY * STEP)), _usual(6)),
    "counter reset": (_times(30 * DAY), _reset()),
    "negative": (_times(30 * DAY), -_usual()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SERIES)
def test_no_series_is_too_strange(name, kind):
    times, values = SERIES[name]
    result = scan(times, values, kind=kind, timezone="America/New_York", unit="W")
    json.dumps(result.state, allow_nan=False)
    assert np.isfinite(result.scores).all()
    again = scan(times, values, kind=kind, timezone="America/New_York", state=result.state)
    assert again.episodes == result.episodes


@pytest.mark.parametrize("method", [name for name in METHODS if name != "statistical"])
@pytest.mark.parametrize("name", SERIES)
def test_no_series_is_too_strange_for_the_other_methods(name, method):
    times, values = SERIES[name]
    answer = detect(times, values, method=method)
    json.dumps([episode.as_json() for episode in answer.episodes], allow_nan=False)
    json.dumps(answer.evidence, allow_nan=False)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_cannot_be_a_value_changes_nothing(value):
    values = _usual()
    values[25 * DAY :: 11] = value
    assert scan(_times(30 * DAY), values).episodes == ()
    values[29 * DAY : 29 * DAY + 40] = 300
    assert len(scan(_times(30 * DAY), values).episodes) == 1


def test_another_unit_makes_the_history_start_again():
    """From W to kW: reported once, learned anew, and a fault in the new unit is seen."""
    values = _usual(45)
    values[20 * DAY :] /= 1000
    calm = scan(_times(45 * DAY), values).episodes
    assert len(calm) == 1
    assert calm[0].start < START + 21 * DAY * STEP
    values[43 * DAY :] += 0.1
    assert len(scan(_times(45 * DAY), values).episodes) == 2


def test_a_meter_that_starts_again_is_no_anomaly_and_hides_none():
    rng = np.random.default_rng(2)
    grown = np.abs(rng.normal(0.05, 0.01, 30 * DAY))
    register = 5000 + np.cumsum(grown)
    register[25 * DAY :] -= register[25 * DAY]
    assert scan(_times(30 * DAY), register, kind="meter", unit="kWh").episodes == ()
    grown[28 * DAY :] += 0.5
    register = 5000 + np.cumsum(grown)
    register[25 * DAY :] -= register[25 * DAY]
    (episode,) = scan(_times(30 * DAY), register, kind="meter", unit="kWh").episodes
    assert episode.start < START + 28 * DAY * STEP + 12 * STEP


def test_a_year_of_silence_is_unavailable_and_what_was_before_is_forgotten():
    times = np.concatenate((_times(20 * DAY), _times(20 * DAY) + 365 * DAY * STEP))
    kinds = [e.kind for e in scan(times, np.concatenate((_usual(20), _usual(20, seed=1) + 500))).episodes]
    assert kinds == []


def test_missing_readings_count_up_to_now():
    values = _usual(20)
    now = int(_times(20 * DAY)[-1]) + 30 * 12 * STEP
    (episode,) = scan(_times(20 * DAY), values, until=now).episodes
    assert episode.kind is AnomalyKind.UNAVAILABLE
    assert episode.open
    assert episode.text.startswith("longest time without a reading in 20 days")
    assert scan(_times(20 * DAY), values).episodes == ()


def test_flat_is_the_one_thing_that_a_young_home_is_told_about():
    values = _usual(6)
    values[4 * DAY :] = values[4 * DAY]
    (episode,) = scan(_times(6 * DAY), values).episodes
    assert episode.kind is AnomalyKind.FLAT


@pytest.mark.parametrize(
    ("timezone", "month", "day"),
    [("Europe/Berlin", 3, 29), ("Europe/Berlin", 10, 25), ("Australia/Lord_Howe", 4, 5), ("Asia/Kolkata", 4, 5)],
)
def test_a_change_of_the_clocks_is_no_anomaly(timezone, month, day):
    """The home's habits follow the clock on the wall, whatever it does."""
    times = to_micros(datetime(2026, month, day, tzinfo=UTC)) + np.arange(-25 * DAY, 5 * DAY) * STEP
    zone = ZoneInfo(timezone)
    hours = np.array([datetime.fromtimestamp(t / 1e6, zone).hour for t in times])
    values = np.where(hours == 7, 1500.0, 80.0) + np.random.default_rng(1).normal(0, 5, len(times))
    assert scan(times, values, timezone=timezone).episodes == ()
