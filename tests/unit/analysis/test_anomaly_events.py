"""Doors, motion, switches: more than chance brings, less than there should be, and hours that are to be quiet."""

from datetime import UTC, datetime, time
from math import comb

import numpy as np
import pytest

from custom_components.strata.analysis.anomaly import QuietHours, broken, scan
from custom_components.strata.analysis.anomaly.counts import _log_tail
from custom_components.strata.analysis.base import AnomalyKind, Severity
from custom_components.strata.core.model import to_micros

HOUR = 3_600_000_000
START = to_micros(datetime(2026, 3, 2, tzinfo=UTC))


def _motion(days: int, seed: int = 0) -> np.ndarray:
    """Events per hour: some from 7 to 22, none at night."""
    rng = np.random.default_rng(seed)
    clock = np.arange(days * 24) % 24
    return rng.poisson(np.where((clock >= 7) & (clock < 22), 3.0, 0.0)).astype(float)


def _times(days: int) -> np.ndarray:
    return START + np.arange(days * 24) * HOUR


def test_usual_motion_is_calm():
    assert sum(len(scan(_times(35), _motion(35, seed), kind="event").episodes) for seed in range(5)) <= 1


def test_a_burst_is_found_in_its_hour():
    counts = _motion(30)
    counts[28 * 24 + 12] = 40
    (episode,) = scan(_times(30), counts, kind="event").episodes
    assert episode.kind is AnomalyKind.BURST
    assert episode.start == START + (28 * 24 + 12) * HOUR
    assert ", is " in episode.text
    assert episode.evidence[0].value >= 40


def test_motion_at_night_is_found():
    counts = _motion(30)
    counts[28 * 24 + 3] = 6
    (episode,) = scan(_times(30), counts, kind="event").episodes
    assert episode.start == START + (28 * 24 + 3) * HOUR


def test_silence_is_found_within_its_second_day():
    counts = _motion(30)
    counts[27 * 24 :] = 0
    (episode,) = scan(_times(30), counts, kind="event").episodes
    assert episode.kind is AnomalyKind.SILENCE
    assert START + 27 * 24 * HOUR < episode.start < START + 29 * 24 * HOUR


def test_nothing_is_said_before_two_weeks_are_known():
    counts = _motion(13)
    counts[12 * 24 + 12] = 60
    assert scan(_times(13), counts, kind="event").episodes == ()


def test_single_events_need_no_rows_of_zeros():
    """The same home told as one row an event gives the same episodes."""
    counts = _motion(30)
    counts[28 * 24 + 3] = 6
    times = np.repeat(_times(30), counts.astype(int)) + 1
    end = int(_times(30)[-1]) + HOUR
    single = scan(times, np.ones(len(times)), kind="event", until=end)
    rows = scan(_times(30), counts, kind="event", until=end)
    assert [e.start for e in single.episodes] == [e.start for e in rows.episodes]


def test_being_switched_on_is_the_event_of_a_state():
    """On for two rows is one event; an unknown row in between is none."""
    rng = np.random.default_rng(0)
    clock = np.arange(30 * 288) % 288
    on = ((clock > 84) & (clock < 260) & (rng.random(30 * 288) < 0.2)).astype(float)
    on[28 * 288 + 36 : 28 * 288 + 60 : 2] = 1.0
    on[100] = np.nan
    (episode,) = scan(START + np.arange(30 * 288) * HOUR // 12, on, kind="on_off").episodes
    assert episode.start == START + (28 * 24 + 3) * HOUR


@pytest.mark.parametrize(("n", "mean"), [(3, 0.5), (5, 1.0), (8, 2.0)])
def test_the_tail_is_that_of_a_negative_binomial(n, mean):
    """With a dispersion of 1 it is geometric: P(N >= n) = (mean / (mean + 1)) ** n."""
    assert _log_tail(n, mean, 1.0) == pytest.approx(n * np.log(mean / (mean + 1)), rel=1e-6)


def test_the_tail_with_dispersion_one_half_matches_a_sum_by_hand():
    size, share = 2, 3.0 / 5.0  # mean 3, size 2
    exact = 1 - sum(comb(k + size - 1, k) * (1 - share) ** size * share**k for k in range(6))
    assert _log_tail(6, 3.0, 0.5) == pytest.approx(np.log(exact), rel=1e-6)


RULE = QuietHours(time(23), time(6))


def _at(day: int, hour: int, minute: int = 0) -> int:
    """Return an instant of March 2026 in New York, which is 5 h behind until the 8th."""
    return to_micros(datetime(2026, 3, day, hour, minute, tzinfo=UTC)) + 5 * HOUR


def test_quiet_hours_go_past_midnight_on_the_clock_of_the_home():
    events = [(_at(2, 22, 59), True), (_at(2, 23), True), (_at(3, 5, 59), True), (_at(3, 6), True)]
    found = broken(RULE, events, timezone="America/New_York", what="opening")
    assert [(e.start, e.severity, e.kind) for e in found] == [
        (_at(2, 23), Severity.HIGH, AnomalyKind.QUIET_HOURS),
        (_at(3, 5, 59), Severity.HIGH, AnomalyKind.QUIET_HOURS),
    ]
    assert found[0].text == "1 opening between 23:00 and 06:00 while nobody was at home"


def test_quiet_hours_while_away_say_nothing_of_who_is_at_home():
    assert broken(RULE, [(_at(2, 23, 30), False)], timezone="America/New_York") == []
    always = QuietHours(time(23), time(6), only_away=False)
    (episode,) = broken(always, [(_at(2, 23, 30), False), (_at(2, 23, 40), False)], timezone="America/New_York")
    assert episode.text == "2 events between 23:00 and 06:00"


def test_quiet_hours_within_a_day():
    rule = QuietHours(time(9), time(17), only_away=False)
    assert rule.holds(_at(2, 9), "America/New_York", away=False)
    assert not rule.holds(_at(2, 17), "America/New_York", away=False)
