"""Windows against trying everything, and the edges that people fall over."""

from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from math import inf, isnan, nan
import random
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core.model import Slot
from custom_components.strata.core.window import Phase, Window, find_profile_windows, find_windows
from tests.naive_windows import MINUTE, cases, found, loose, minutes_of, profile_stretches, stretches

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
SAMPLE = 1500
"""Cases of each kind; scripts/bench tries 10,000."""


def slots(*values: float, length: timedelta = HOUR, start: datetime = MIDNIGHT) -> list[Slot]:
    return [Slot(start + at * length, start + (at + 1) * length, value) for at, value in enumerate(values)]


def hours(window: Window) -> tuple[float, float]:
    return (window.start - MIDNIGHT) / HOUR, (window.end - MIDNIGHT) / HOUR


def test_stretches_are_those_of_trying_every_minute() -> None:
    for case in cases(1, SAMPLE):
        windows = found(case, contiguous=True)
        expected = stretches(case)
        assert [minutes_of(case, window)[0] for window in windows] == [start for start, _ in expected], case
        assert [window.value for window in windows] == pytest.approx([mean for _, mean in expected], abs=1e-6)
        assert all(window.end - window.start == case.duration * MINUTE for window in windows)


def test_loose_windows_are_the_cheapest_minutes() -> None:
    for case in cases(2, SAMPLE):
        windows = found(case, contiguous=False)
        expected = loose(case)
        assert [minutes_of(case, window) for window in windows] == [minutes for minutes, _ in expected], case
        assert [window.value for window in windows] == pytest.approx([mean for _, mean in expected], abs=1e-6)
        for window in windows:
            assert all(end < start for (_, end), (start, _) in pairwise(window.parts))


def test_profiles_are_placed_as_by_trying_every_minute() -> None:
    chance = random.Random(3)
    for case in cases(3, 400):
        phases = [(chance.randint(1, 25), chance.choice([0, 1, 3, 20])) for _ in range(chance.randint(1, 4))]
        phases.append((5, 10))
        windows = find_profile_windows(
            case.slots,
            [Phase(length * MINUTE, watts) for length, watts in phases],
            count=case.count,
            earliest=case.moment(case.earliest),
            latest=case.moment(case.latest),
            highest=case.highest,
        )
        expected = profile_stretches(case, [watts for length, watts in phases for _ in range(length)])
        assert [minutes_of(case, window)[0] for window in windows] == [start for start, _ in expected], case
        assert [window.value for window in windows] == pytest.approx([mean for _, mean in expected], abs=1e-6)


def test_runs_of_a_shortest_length_are_the_cheapest_of_all_subsets() -> None:
    chance = random.Random(4)
    for _ in range(300):
        values = [chance.choice([nan, *range(-3, 9)]) for _ in range(chance.randint(3, 12))]
        wanted, least = chance.randint(1, 6), chance.randint(1, 4)
        windows = find_windows(
            slots(*values, length=15 * MINUTE),
            wanted * 15 * MINUTE,
            contiguous=False,
            shortest_run=least * 15 * MINUTE,
        )
        costs = [
            sum(values[cell] for cell in cells)
            for cells in combinations(range(len(values)), wanted)
            if all(run >= min(least, wanted) for run in _runs(cells))
        ]
        best = min((cost for cost in costs if not isnan(cost)), default=None)
        assert bool(windows) == (best is not None), values
        if best is not None:
            assert windows[0].value == pytest.approx(best / wanted)
            assert sum((end - start for start, end in windows[0].parts), timedelta()) == wanted * 15 * MINUTE
            assert all(end - start >= min(least, wanted) * 15 * MINUTE for start, end in windows[0].parts)


def _runs(cells: tuple[int, ...]) -> list[int]:
    runs: list[int] = []
    for at, cell in enumerate(cells):
        if at and cells[at - 1] == cell - 1:
            runs[-1] += 1
        else:
            runs.append(1)
    return runs


def test_of_equal_windows_the_earliest_is_taken() -> None:
    (window,) = find_windows(slots(2, 1, 1, 1, 2), HOUR)
    assert hours(window) == (1, 2)
    # Tenths that do not add up exactly are as equal as people think they are.
    (window,) = find_windows(slots(0.1, 0.2, 0.3, 0.3, 0.2, 0.1, 9, 0.3, 0.2, 0.1), 3 * HOUR)
    assert hours(window) == (0, 3)


def test_a_window_may_begin_within_a_slot() -> None:
    (window,) = find_windows(slots(5, 1, 2, 9), timedelta(minutes=90))
    assert hours(window) == (1, 2.5)
    (window,) = find_windows(slots(9, 2, 1, 5), timedelta(minutes=90))
    # It ends with the cheap hour, so it begins in the middle of the one before.
    assert hours(window) == (1.5, 3)
    assert window.value == pytest.approx((0.5 * 2 + 1) / 1.5)


def test_nothing_runs_in_a_hole() -> None:
    holed = [*slots(1, 1), *slots(5, 5, 5, start=MIDNIGHT + 3 * HOUR)]
    assert hours(find_windows(holed, 3 * HOUR)[0]) == (3, 6)
    assert find_windows(holed, 4 * HOUR) == []
    assert [hours(each) for each in find_windows(slots(1, nan, 2, inf), HOUR, count=9)] == [(0, 1), (2, 3)]


def test_a_window_lies_between_earliest_and_latest_and_out_of_what_is_avoided() -> None:
    day = slots(1, 2, 3, 4, 5, 6)
    (window,) = find_windows(day, HOUR, earliest=MIDNIGHT + 90 * MINUTE, latest=MIDNIGHT + 5 * HOUR)
    assert hours(window) == (1.5, 2.5)
    (window,) = find_windows(day, HOUR, highest=True, latest=MIDNIGHT + 4.5 * HOUR)
    assert hours(window) == (3.5, 4.5)
    assert window.value == pytest.approx(4.5)
    avoid = [(MIDNIGHT - HOUR, MIDNIGHT + 0.5 * HOUR), (MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR)]
    assert hours(find_windows(day, HOUR, avoid=avoid)[0]) == (2, 3)
    assert hours(find_windows(day, 0.5 * HOUR, avoid=avoid)[0]) == (0.5, 1)
    assert find_windows(day, HOUR, earliest=MIDNIGHT + 2 * HOUR, latest=MIDNIGHT + HOUR) == []


def test_further_windows_leave_the_first_as_it_is() -> None:
    # The best is in the middle; two that avoid it would cost less together, but the best comes first.
    day = slots(4, 2, 1, 2, 4, 9)
    windows = find_windows(day, 2 * HOUR, count=3)
    assert [(hours(window), window.value) for window in windows] == [((1, 3), 1.5), ((3, 5), 3.0)]
    assert find_windows(day, 2 * HOUR) == windows[:1]


def test_a_loose_window_takes_the_cheap_slots_and_a_piece_of_the_next() -> None:
    (window,) = find_windows(slots(5, 1, 9, 1, 2), 2.5 * HOUR, contiguous=False)
    assert window.parts == (
        (MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR),
        (MIDNIGHT + 3 * HOUR, MIDNIGHT + 4.5 * HOUR),
    )
    assert window.value == pytest.approx((1 + 1 + 0.5 * 2) / 2.5)
    assert find_windows(slots(1, 2), 3 * HOUR, contiguous=False) == []


def test_runs_shorter_than_asked_for_are_joined() -> None:
    day = slots(1, 9, 1, 3, 3, 9)
    (loose_window,) = find_windows(day, 2 * HOUR, contiguous=False)
    assert len(loose_window.parts) == 2
    (window,) = find_windows(day, 2 * HOUR, contiguous=False, shortest_run=2 * HOUR)
    assert (window.parts, window.value) == (((MIDNIGHT + 2 * HOUR, MIDNIGHT + 4 * HOUR),), 2.0)
    assert find_windows(slots(1, nan, 1), 2 * HOUR, contiguous=False, shortest_run=2 * HOUR) == []
    assert find_windows([], 2 * HOUR, contiguous=False, shortest_run=2 * HOUR) == []


def test_times_that_are_too_uneven_for_runs_are_refused() -> None:
    late = MIDNIGHT + timedelta(microseconds=7)
    with pytest.raises(ValueError, match="too uneven"):
        find_windows(slots(1, 2, 3), 2 * HOUR, contiguous=False, shortest_run=HOUR, earliest=late)


def test_the_night_of_the_change_is_as_long_as_it_is() -> None:
    zone = ZoneInfo("Europe/Berlin")
    # On 2026-10-25 the hour from 2 to 3 comes twice: by the clock these four hours look like three.
    night = [
        Slot(datetime(2026, 10, 25, 1, tzinfo=zone), datetime(2026, 10, 25, 2, tzinfo=zone), 9.0),
        Slot(datetime(2026, 10, 25, 2, tzinfo=zone), datetime(2026, 10, 25, 2, tzinfo=zone, fold=1), 1.0),
        Slot(datetime(2026, 10, 25, 2, tzinfo=zone, fold=1), datetime(2026, 10, 25, 3, tzinfo=zone), 2.0),
        Slot(datetime(2026, 10, 25, 3, tzinfo=zone), datetime(2026, 10, 25, 4, tzinfo=zone), 3.0),
    ]
    (window,) = find_windows(night, 3 * HOUR)
    assert (window.start, window.end) == (datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 3, tzinfo=UTC))
    assert window.value == 2.0


def test_slots_that_overlap_end_where_the_next_begins() -> None:
    overlapping = [*slots(1, 5, 5), Slot(MIDNIGHT + 0.5 * HOUR, MIDNIGHT + HOUR, 0.0), *slots(3)]
    (window,) = find_windows(overlapping, HOUR)
    # The last slot given for midnight holds until half past.
    assert (hours(window), window.value) == ((0, 1), 1.5)


def test_a_profile_is_placed_by_where_it_draws_most() -> None:
    day = slots(1, 1, 1, 5, 2, 5, length=timedelta(minutes=30))
    profile = [Phase(timedelta(minutes=60), 100), Phase(timedelta(minutes=30), 2000)]
    (window,) = find_profile_windows(day, profile, earliest=MIDNIGHT + HOUR)
    # By hand: heating in the half hour of 2 after (1, 5): (50*1 + 50*5 + 1000*2) / 1100.
    assert hours(window) == (1.0, 2.5)
    assert window.value == pytest.approx((50 * 1 + 50 * 5 + 1000 * 2) / 1100)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: find_windows(slots(1), timedelta()), "needs a duration"),
        (lambda: find_windows(slots(1), -HOUR), "needs a duration"),
        (lambda: find_windows(slots(1), HOUR, count=0), "at least one"),
        (lambda: find_windows(slots(1), HOUR, earliest=datetime(2026, 11, 21)), "time zone"),  # noqa: DTZ001
        (lambda: find_profile_windows(slots(1), []), "draws power"),
        (lambda: find_profile_windows(slots(1), [Phase(HOUR, 0)]), "draws power"),
        (lambda: find_profile_windows(slots(1), [Phase(HOUR, 5), Phase(HOUR, -1)]), "less than nothing"),
        (lambda: find_profile_windows(slots(1), [Phase(timedelta(), 5)]), "needs a duration"),
    ],
)
def test_what_makes_no_sense_is_refused(ask: object, words: str) -> None:
    assert callable(ask)
    with pytest.raises(ValueError, match=words):
        ask()


def test_no_slots_give_no_windows() -> None:
    assert find_windows([], HOUR) == find_windows([], HOUR, contiguous=False) == []
