"""Methods by name: what each answers, and that only the scan may alert alone."""

from datetime import UTC, datetime
import sys

import numpy as np
import pytest

from custom_components.strata.analysis import DETECTORS
from custom_components.strata.analysis.anomaly import MethodUnavailableError, detect, group, may_push, scan
from custom_components.strata.analysis.base import AnomalyKind, Episode, Finding, Severity
from custom_components.strata.core.model import to_micros

STEP = 300_000_000
HOUR = 12 * STEP
DAY = 288
START = to_micros(datetime(2026, 3, 2, tzinfo=UTC))
TIMES = START + np.arange(30 * DAY) * STEP


def _values(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    phase = np.arange(30 * DAY) / DAY * 2 * np.pi
    return 100 + 20 * np.sin(phase) + rng.normal(0, 3, 30 * DAY)


def _faulty() -> np.ndarray:
    values = _values()
    values[28 * DAY : 28 * DAY + 60] += 120
    return values


@pytest.mark.parametrize("method", ["statistical", "seasonal", "isolation_forest", "ensemble", "prophet"])
def test_every_method_finds_what_is_plain(method):
    answer = detect(TIMES, _faulty(), method=method, unit="W", since=START + 25 * DAY * STEP)
    assert answer.method == method
    assert any(abs(e.start - (START + 28 * DAY * STEP)) <= 12 * STEP for e in answer.episodes)


def test_the_scan_gives_z_scores_and_the_most_severe():
    """The fault is 120 above a level with a standard deviation of 20 / √2 and noise of 3."""
    answer = detect(TIMES, _faulty())
    (episode,) = answer.episodes
    z = answer.evidence["z_scores"][episode.key]
    assert 120 / 1.4826 / 17 < z < 150 / 14
    assert answer.evidence["most_severe"] == episode.key
    low, high = answer.evidence["expected_values"][episode.key]
    assert low < high < 220


def test_prophet_is_a_name_and_the_answer_says_what_ran():
    answer = detect(TIMES, _values(), method="prophet")
    assert (answer.method, answer.ran) == ("prophet", "seasonal")


def test_the_forecast_is_that_of_the_next_day():
    """The series repeats its day, so tomorrow's curve is known but for the noise."""
    forecast = detect(TIMES, _values(), method="seasonal").evidence["forecast_next_24h"]
    assert len(forecast) == 24
    end = START + 30 * DAY * STEP
    assert [slot["time"] for slot in forecast] == [end + hour * HOUR for hour in range(24)]
    for slot in forecast:
        true = 100 + 20 * np.sin((slot["time"] - START) / (DAY * STEP) * 2 * np.pi)
        assert slot["value"] == pytest.approx(true, abs=4)
        assert slot["low"] < true < slot["high"]


def test_the_forecast_knows_weekends():
    clock = np.arange(30 * DAY)
    weekend = (clock // DAY) % 7 >= 5
    values = np.where(weekend, 500.0, 100.0) + np.random.default_rng(0).normal(0, 3, 30 * DAY)
    until = 26 * DAY  # The 27th day is a Saturday.
    slots = detect(TIMES[:until], values[:until], method="seasonal").evidence["forecast_next_24h"]
    assert all(slot["value"] > 300 for slot in slots)


def test_the_others_raise_severity_and_never_alert_alone():
    values = _values()
    values[28 * DAY : 28 * DAY + 24] += 38
    alone = detect(TIMES, values)
    together = detect(TIMES, values, method="ensemble")
    assert [e.start for e in together.episodes] == [e.start for e in alone.episodes]
    for one, other in zip(alone.episodes, together.episodes, strict=True):
        raised = 1 if together.evidence["agreed"][one.key] else 0
        assert other.severity is Severity.of_rank(one.severity.rank + raised)
    assert together.evidence["methods"] == ["statistical", "seasonal", "isolation_forest"]
    assert "forecast_next_24h" in together.evidence["seasonal"]


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MethodUnavailableError, match="scikit-learn") as caught:
        detect(TIMES, _values(), method="isolation_forest")
    assert caught.value.requirement == "scikit-learn"
    assert detect(TIMES, _faulty(), method="ensemble").evidence["missing"] == ["isolation_forest"]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"method": "magic"}, "magic"),
        ({"sensitivity": "extreme"}, "extreme"),
        ({"method": "seasonal", "kind": "event"}, "event"),
    ],
)
def test_what_there_is_not_is_refused(options, wrong):
    with pytest.raises(ValueError, match=wrong):
        detect(TIMES, _values(), **options)


def _episode(start: int, score: float = 7.0, severity: Severity = Severity.LOW, *, end: int | None = 0) -> Episode:
    return Episode(
        start=start,
        end=start + HOUR if end == 0 else end,
        peak=start,
        score=score,
        severity=severity,
        kind=AnomalyKind.SPIKE,
        text=f"at {start}",
        evidence=(),
    )


def test_episodes_that_begin_within_three_hours_are_one_finding():
    findings = group(
        {
            "a": [_episode(START), _episode(START + 10 * HOUR)],
            "b": [_episode(START + 2 * HOUR, 12.0, Severity.HIGH, end=None)],
            "c": [_episode(START + 3 * HOUR)],
        }
    )
    assert [f.subjects for f in findings] == [("b", "a"), ("c",), ("a",)]
    assert (findings[0].since, findings[0].until, findings[0].severity) == (START, None, Severity.HIGH)
    assert findings[1].until == START + 4 * HOUR
    assert all(isinstance(f, Finding) and f.as_json()["detector"] == "anomaly" for f in findings)


def test_three_a_day_are_enough_and_little_waits_for_the_digest():
    noon = START + 12 * HOUR
    assert may_push(noon, Severity.MEDIUM, [noon - HOUR, noon - 2 * HOUR], timezone="UTC")
    assert not may_push(noon, Severity.HIGH, [noon - HOUR, noon - 2 * HOUR, noon - 3 * HOUR], timezone="UTC")
    assert may_push(noon, Severity.HIGH, [noon - 13 * HOUR] * 3, timezone="UTC")
    assert not may_push(noon, Severity.LOW, [], timezone="UTC")
    assert may_push(noon, Severity.LOW, [], timezone="UTC", least=Severity.LOW)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_finds_what_is_planted_and_is_silent_otherwise(name):
    detector = DETECTORS[name]
    assert detector.key == name
    if name == "anomaly":
        assert len(detector.find(TIMES, _faulty())) == 1
        assert detector.find(TIMES, _values()) == []
        assert detector.find(TIMES[: 5 * DAY], _faulty()[: 5 * DAY]) == []


def test_an_episode_survives_json():
    (episode,) = scan(TIMES, _faulty(), unit="W").episodes
    assert Episode.from_json(episode.as_json()) == episode
    assert Severity.of_rank(9) is Severity.HIGH
