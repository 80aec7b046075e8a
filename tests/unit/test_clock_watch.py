"""When a system clock can be believed."""

import pytest

from custom_components.strata.core.clock_watch import ClockWatch, Jump

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
NOON = 1_772_366_400_000_000
"""2026-03-01 12:00 UTC."""


class Clocks:
    """One on the wall, and one that only ever runs on."""

    def __init__(self) -> None:
        self.wall = NOON
        self.steady = 5_000.0

    def watch(self, alive: int | None) -> ClockWatch:
        watch = ClockWatch(lambda: self.wall, lambda: self.steady)
        watch.begin(alive)
        return watch

    def run(self, length: int) -> None:
        self.wall += length
        self.steady += length / SECOND


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.mark.parametrize("alive", [None, NOON - 1, NOON - 7 * DAY, NOON + 400 * DAY])
def test_a_clock_that_runs_on_is_believed(clocks: Clocks, alive: int | None) -> None:
    watch = clocks.watch(alive)
    for length in (1, 10 * SECOND, HOUR, 3 * DAY, 30 * DAY):
        assert watch.look()
        clocks.run(length)
    assert watch.look()
    assert (watch.jumped(), watch.set_back()) == (None, 0)


def test_a_clock_long_after_all_that_was_seen_is_doubted_for_six_hours(clocks: Clocks) -> None:
    watch = clocks.watch(NOON - 8 * DAY)
    assert watch.doubted
    assert watch.believed == NOON - 8 * DAY
    clocks.run(6 * HOUR - SECOND)
    assert not watch.look()
    clocks.run(SECOND)
    assert watch.look()
    assert watch.believed == NOON + 6 * HOUR


def test_a_clock_that_was_ahead_and_is_set_right(clocks: Clocks) -> None:
    clocks.wall += 3650 * DAY
    watch = clocks.watch(NOON - HOUR)
    clocks.run(60 * SECOND)
    assert not watch.look()
    clocks.run(30 * SECOND)
    clocks.wall -= 3650 * DAY
    assert not watch.look()
    assert not watch.doubted
    assert watch.set_back() == -3650 * DAY
    assert watch.look()


def test_a_clock_that_is_set_back_by_too_little_is_doubted_still(clocks: Clocks) -> None:
    clocks.wall += 3650 * DAY
    watch = clocks.watch(NOON - HOUR)
    clocks.wall -= 1000 * DAY
    assert not watch.look()
    assert watch.set_back() == 0
    clocks.wall -= 2650 * DAY
    assert not watch.look()
    assert watch.set_back() == -3650 * DAY


def test_a_clock_that_was_behind_and_is_set_right(clocks: Clocks) -> None:
    clocks.wall -= 400 * DAY
    watch = clocks.watch(NOON - HOUR)
    clocks.run(60 * SECOND)
    assert watch.look()
    clocks.wall += 400 * DAY
    assert not watch.look()
    assert not watch.doubted
    assert watch.jumped() == Jump(NOON - 400 * DAY + 60 * SECOND, NOON + 60 * SECOND)
    assert watch.look()


def test_a_machine_that_was_paused(clocks: Clocks) -> None:
    watch = clocks.watch(NOON - HOUR)
    clocks.wall += 8 * HOUR
    assert not watch.look()
    clocks.run(10 * SECOND)
    assert not watch.look()
    assert watch.jumped() == Jump(NOON, NOON + 8 * HOUR)
    assert watch.jumped() is None


def test_a_clock_that_goes_wrong_and_comes_back_leaves_no_gap(clocks: Clocks) -> None:
    watch = clocks.watch(NOON - HOUR)
    clocks.wall += 100 * DAY
    assert not watch.look()
    assert watch.jumped() is None
    clocks.wall -= 100 * DAY
    assert not watch.look()
    assert watch.set_back() == -100 * DAY
    assert watch.jumped() is None
    assert watch.look()


def test_a_clock_that_was_set_ahead_for_good_is_believed_in_the_end(clocks: Clocks) -> None:
    watch = clocks.watch(NOON - HOUR)
    clocks.wall += 100 * DAY
    assert not watch.look()
    clocks.run(6 * HOUR)
    assert not watch.look()
    assert watch.jumped() == Jump(NOON, NOON + 100 * DAY)
    assert watch.look()


def test_small_corrections_are_none(clocks: Clocks) -> None:
    watch = clocks.watch(NOON - HOUR)
    for by in (HOUR, -HOUR, 119 * 60 * SECOND, -119 * 60 * SECOND):
        clocks.wall += by
        assert watch.look()
