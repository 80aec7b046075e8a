"""Giving way to the event loop, on a clock of the test's own."""

from collections.abc import Iterator

import pytest

from custom_components.strata.store import pace


class Clock:
    """Stands still but for what the test says."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def perf_counter(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(self.seconds)
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def test_work_of_a_millisecond_is_followed_by_a_pause(clock: Clock) -> None:
    for _ in pace.paced(range(10)):
        clock.seconds += 0.0004
    # Three pieces make more than a millisecond, so there is a pause after the third, the sixth and the ninth.
    assert len(clock.pauses) == 3
    assert clock.seconds == pytest.approx(10 * 0.0004 + 3 * 0.0005)


def test_what_takes_no_time_is_not_held_up(clock: Clock) -> None:
    assert list(pace.paced("strata")) == list("strata")
    assert clock.pauses == []


def test_time_spent_by_whoever_gives_the_pieces_counts_too(clock: Clock) -> None:
    def slow() -> Iterator[int]:
        for number in range(3):
            clock.seconds += 0.002
            yield number

    assert list(pace.paced(slow())) == [0, 1, 2]
    assert len(clock.pauses) == 3


def test_a_pause_is_not_taken_twice(clock: Clock) -> None:
    own = pace.Pace()
    clock.seconds += 0.001
    own.step()
    own.step()
    assert len(clock.pauses) == 1
