"""Scans of single series: what is found, what is not, and that nothing is ever rewritten."""

from datetime import UTC, datetime
import json

import numpy as np
import pytest

from custom_components.strata.analysis.anomaly import mark_normal, scan
from custom_components.strata.analysis.base import AnomalyKind
from custom_components.strata.core.model import to_micros

MINUTE = 60_000_000
STEP = 5 * MINUTE
DAY = 288
START = to_micros(datetime(2026, 3, 2, tzinfo=UTC))  # A Monday.


def _times(days: int) -> np.ndarray:
    return START + np.arange(days * DAY) * STEP


def _room(days: int, seed: int = 0) -> np.ndarray:
    """A value that follows the day, with noise of its own."""
    rng = np.random.default_rng(seed)
    phase = np.arange(days * DAY) / DAY * 2 * np.pi
    return 100 + 20 * np.sin(phase) + rng.normal(0, 3, days * DAY)


def test_a_calm_series_is_calm():
    for seed in range(5):
        assert scan(_times(30), _room(30, seed)).episodes == ()


def test_a_level_shift_is_found_where_it_begins_and_explained():
    values = _room(30)
    begin = 27 * DAY + 100
    values[begin:] += 60
    result = scan(_times(30), values, unit="W")
    (episode,) = result.episodes
    assert START + begin * STEP <= episode.start < START + (begin + 12) * STEP
    assert episode.open
    assert episode.kind is AnomalyKind.LEVEL_SHIFT
    assert "W, is " in episode.text
    assert episode.alerts[0] == episode.start
    reason = episode.evidence[0]
    assert reason.value > reason.expected_high > reason.expected_low


def test_hourly_passes_find_what_one_scan_finds():
    """What is judged once stays, however often and from whichever window it is looked at again."""
    values = _room(34, seed=3)
    values[31 * DAY + 50 : 31 * DAY + 80] += 90
    values[33 * DAY :] -= 70
    times = _times(34)
    whole = scan(times, values)
    state = None
    alerts = []
    for end in range(30 * DAY, 34 * DAY + 1, 12):
        result = scan(times[:end], values[:end], state=json.loads(json.dumps(state)))
        state = result.state
        alerts += result.alerts
    assert [(e.key, e.end, e.severity, e.kind) for e in result.episodes] == [
        (e.key, e.end, e.severity, e.kind) for e in whole.episodes
    ]
    assert len(whole.episodes) == 2
    assert alerts == list(whole.alerts)
    again = scan(times, values, state=state)
    assert again.episodes == result.episodes
    assert again.alerts == ()


def test_what_is_marked_as_normal_is_not_told_again():
    values = _room(34, seed=4)
    for day in (29, 32):
        values[day * DAY + 50 : day * DAY + 80] += 90
    times = _times(34)
    first = scan(times[: 31 * DAY], values[: 31 * DAY])
    (episode,) = first.episodes
    assert len(scan(times, values, state=first.state).episodes) == 2
    marked = mark_normal(first.state, episode.key)
    later = scan(times, values, state=json.loads(json.dumps(marked)))
    assert [e.normal for e in later.episodes] == [True]
    with pytest.raises(KeyError):
        mark_normal(first.state, "1")


def test_nothing_alerts_while_a_home_is_new():
    values = _room(6)
    values[5 * DAY :] += 500
    result = scan(_times(6), values)
    assert result.status == "learning"
    assert result.episodes == ()


@pytest.mark.parametrize(
    ("option", "value"), [("sensitivity", "extreme"), ("kind", "colour"), ("timezone", "Mars/Olympus")]
)
def test_what_there_is_not_is_refused(option, value):
    with pytest.raises(ValueError, match=value):
        scan(_times(2), _room(2), **{option: value})


def test_times_and_values_have_one_length():
    with pytest.raises(ValueError, match="length"):
        scan([1, 2, 3], [1.0, 2.0])
