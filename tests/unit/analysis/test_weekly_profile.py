"""The habits of the week from stretches whose shares are plain to see."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.strata.analysis.weekly_profile import Presence, WeeklyProfile

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)


def stretch(start: datetime, length: timedelta, share: float, known: float = 1.0) -> Presence:
    seconds = length.total_seconds()
    return Presence(start, start + length, share * seconds, known * seconds)


def test_nothing_known_says_nothing() -> None:
    profile = WeeklyProfile()
    assert profile.share(MONDAY, "UTC") == 0.5
    assert profile.known == timedelta()
    assert WeeklyProfile.learned([], "UTC").share(MONDAY, "UTC") == 0.5


def test_many_weeks_of_one_habit_come_close_to_it() -> None:
    weeks = [
        stretch(MONDAY - timedelta(weeks=week) + HOUR * hour, HOUR, 0.0 if 8 <= hour < 17 else 1.0)
        for week in range(8)
        for hour in range(24)
    ]
    profile = WeeklyProfile.learned(weeks, "UTC")
    assert profile.known == timedelta(days=8)
    # Eight quarters seen and one in doubt, which leans to what these eight say of working days: (0 + 1/18) / 9.
    assert profile.share(MONDAY + 12 * HOUR, "UTC") == pytest.approx(0.02)
    assert profile.share(MONDAY + 7 * HOUR, "UTC") == pytest.approx(0.98)
    # Tuesday was never seen: Mondays stand for it, (0 + 0.5) / 9 of a quarter.
    assert profile.share(MONDAY + 36 * HOUR, "UTC") == pytest.approx(0.5 / 9)
    # The weekend neither, and nothing like it.
    assert profile.share(MONDAY + timedelta(days=5, hours=12), "UTC") == 0.5


def test_one_observation_is_worth_as_much_as_the_doubt() -> None:
    profile = WeeklyProfile.learned([stretch(MONDAY, timedelta(minutes=15), 1.0)], "UTC")
    # Like days give (1 + 0.5) / 2, which is 0.75, and the quarter itself (1 + 0.75) / 2.
    assert profile.share(MONDAY + timedelta(minutes=14), "UTC") == pytest.approx(0.875)
    assert profile.share(MONDAY + timedelta(minutes=15), "UTC") == 0.5


def test_unknown_time_does_not_count_as_away() -> None:
    half_known = WeeklyProfile.learned([stretch(MONDAY, timedelta(minutes=15), 0.5, known=0.5)], "UTC")
    # Half a quarter known, all of it at home: alike (0.5 + 0.5) / 1.5 = 2/3, then (0.5 + 2/3) / 1.5.
    assert half_known.share(MONDAY, "UTC") == pytest.approx(7 / 9)


def test_quarters_are_those_of_the_local_clock() -> None:
    # 18:30 UTC on Sunday is midnight on Monday in Kolkata.
    sunday = MONDAY - timedelta(hours=5, minutes=30)
    profile = WeeklyProfile.learned([stretch(sunday, timedelta(minutes=15), 1.0)], "Asia/Kolkata")
    assert profile.share(sunday + timedelta(weeks=3), "Asia/Kolkata") == pytest.approx(0.875)
    assert profile.share(sunday + timedelta(weeks=3), "UTC") == 0.5


def test_a_stretch_is_spread_over_the_quarters_it_touches() -> None:
    # 00:10 to 00:40, all away: 5, 15 and 10 minutes.
    profile = WeeklyProfile.learned([stretch(MONDAY + timedelta(minutes=10), timedelta(minutes=30), 0.0)], "UTC")
    # Alike with f of a quarter known: 0.5 / (1 + f); then that / (1 + f).
    for minute, known in ((0, 1 / 3), (20, 1.0), (35, 2 / 3)):
        expected = 0.5 / (1 + known) ** 2
        assert profile.share(MONDAY + timedelta(minutes=minute), "UTC") == pytest.approx(expected)
