"""The record of a source's fetches and its uptime."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.strata.health import FETCHES_KEPT, OK, Fetch, Health

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def fetch(at: datetime, outcome: str = OK) -> Fetch:
    return Fetch(at, 0.1, outcome)


def test_nothing_is_known_before_the_first_fetch() -> None:
    health = Health()
    assert (health.healthy, health.failure, health.uptime(START)) == (None, None, None)
    assert health.turns(START) == []


def test_uptime_is_the_share_of_time_not_of_fetches() -> None:
    health = Health()
    health.add(fetch(START))
    for minutes in range(60, 120, 5):
        health.add(fetch(START + timedelta(minutes=minutes), "cannot_connect"))
    health.add(fetch(START + 2 * HOUR))
    # An hour up, an hour down, two hours up.
    assert health.uptime(START + 4 * HOUR) == pytest.approx(75.0)


def test_failure_and_its_length() -> None:
    health = Health()
    health.add(fetch(START, "no_data"))
    health.add(fetch(START + HOUR, "cannot_connect"))
    assert (health.healthy, health.failure, health.consecutive_failures) == (False, "cannot_connect", 2)
    health.add(fetch(START + 2 * HOUR))
    assert (health.healthy, health.failure, health.consecutive_failures) == (True, None, 0)


def test_time_when_nobody_watched_does_not_count() -> None:
    before = Health()
    before.add(fetch(START))
    before.add(fetch(START + HOUR, "no_data"))
    kept = before.turns(START + 2 * HOUR)

    after = Health()
    after.restore(kept)
    assert after.healthy is False, "as it was when watching ended"
    after.add(fetch(START + 10 * HOUR))
    # One hour up, one down, eight unwatched, two up.
    assert after.uptime(START + 12 * HOUR) == pytest.approx(75.0)


def test_only_the_last_week_counts_and_older_turns_are_forgotten() -> None:
    health = Health()
    at = START
    for day in range(30):
        at = START + timedelta(days=day)
        health.add(fetch(at, "no_data" if day % 2 else OK))
    # Days 22 to 28 of alternating days: 23, 25, 27 are down, and day 29 has just begun.
    assert health.uptime(at) == pytest.approx(100 * 4 / 7)
    assert len(health.turns(at)) <= 10


def test_only_the_newest_fetches_are_kept() -> None:
    health = Health()
    for minute in range(FETCHES_KEPT + 50):
        health.add(fetch(START + timedelta(minutes=minute)))
    assert len(health.fetches) == FETCHES_KEPT
    assert health.fetches[0].at == START + timedelta(minutes=50)
