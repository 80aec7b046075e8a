"""What buckets of texts say by name and what they add up, against sums made by hand and by brute force."""

from collections import defaultdict
from itertools import pairwise
import random

import numpy as np
import pytest

from custom_components.strata.core.combine import combine
from custom_components.strata.core.model import Kind
from custom_components.strata.core.rollup import Rollup, rollup
from custom_components.strata.core.state_time import MOST_STATES, OTHERS, OTHERS_NAME

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def told(rolled: Rollup) -> list[dict[str | int, float]]:
    return [rolled.seconds(bucket) for bucket in range(len(rolled))]


def spoken(lengths: list[int], names: list[str]) -> Rollup:
    """Roll up states that follow each other, of so many seconds each, into one bucket that they fill."""
    times = [sum(lengths[:place]) * SECOND for place in range(len(lengths))]
    return rollup(times, names, [0, sum(lengths) * SECOND], kind=Kind.TEXT)


def test_as_many_states_as_have_room_are_all_named() -> None:
    names = [f"track {number}" for number in range(MOST_STATES)]
    rolled = spoken([10] * MOST_STATES, names)
    assert told(rolled) == [dict.fromkeys(names, 10.0)]


def test_of_more_the_longest_are_named_and_the_others_added_up() -> None:
    names = [f"track {number}" for number in range(MOST_STATES + 3)]
    lengths = [100 + number for number in range(MOST_STATES + 3)]
    random.Random(3).shuffle(lengths)
    length_of = dict(zip(names, lengths, strict=True))
    longest = sorted(names, key=length_of.__getitem__)[3:]
    (seconds,) = told(spoken(lengths, names))
    assert seconds == {**{name: float(length_of[name]) for name in longest}, OTHERS_NAME: 100.0 + 101.0 + 102.0}


def test_samples_and_transitions_count_every_state_and_the_ends_are_what_they_were() -> None:
    names = [f"seen at {number}" for number in range(120)]
    rolled = spoken([30] * 120, names)
    said = {name: column.tolist() for name, column in rolled.columns.items()}
    assert (said["n"], said["transitions"], said["covered"]) == ([120], [119], [HOUR])
    assert [rolled.names[code] for code in (said["first"][0], said["last"][0])] == ["seen at 0", "seen at 119"]
    (seconds,) = told(rolled)
    assert seconds == {**dict.fromkeys(names[:MOST_STATES], 30.0), OTHERS_NAME: 3600.0 - 30 * MOST_STATES}


def test_a_state_of_that_name_is_one_of_the_others() -> None:
    names = [OTHERS_NAME, *(f"track {number}" for number in range(MOST_STATES + 1))]
    (seconds,) = told(spoken([500, *[10] * MOST_STATES, 5], names))
    assert seconds[OTHERS_NAME] == 505.0
    assert sum(seconds.values()) == 500 + 10 * MOST_STATES + 5
    assert told(spoken([7, 5], [OTHERS_NAME, "on"])) == [{OTHERS_NAME: 7.0, "on": 5.0}]


def test_numbers_of_the_store_have_one_for_the_others() -> None:
    codes = [*range(1_000_000, 1_000_000 + MOST_STATES), 7]
    rolled = rollup(range(len(codes)), np.array(codes), [0, len(codes) + 99], kind=Kind.TEXT)
    (seconds,) = told(rolled)
    # 7 lasts longest, being the last; of the others, which last equally long, the newest is not named.
    assert seconds == {
        7: 100 / SECOND,
        **dict.fromkeys(codes[: MOST_STATES - 1], 1 / SECOND),
        OTHERS: 1 / SECOND,
    }


def brute(times: list[int], codes: list[int], edges: list[int]) -> list[dict[int, int]]:
    spent: list[dict[int, int]] = [defaultdict(int) for _ in edges[1:]]
    for begin, end, code in zip(times, [*times[1:], edges[-1]], codes, strict=True):
        for bucket, (low, high) in enumerate(pairwise(edges)):
            if code >= 0 and min(end, high) > max(begin, low):
                spent[bucket][code] += min(end, high) - max(begin, low)
    return spent


@pytest.mark.parametrize("seed", range(20))
def test_hours_and_the_days_they_make_lose_no_second(seed: int) -> None:
    dice = random.Random(seed)
    edges = [hour * HOUR for hour in range(25)]
    times = sorted(dice.sample(range(24 * HOUR), dice.choice((30, 300, 1500))))
    vocabulary = dice.choice((5, MOST_STATES, 60, 4000))
    codes = [dice.choice((-1, dice.randint(1, vocabulary), dice.randint(1, 3))) for _ in times]
    hours = rollup(times, np.array(codes), edges, kind=Kind.TEXT)
    exact = brute(times, codes, edges)
    seconds = told(hours)
    for found, expected in zip(seconds, exact, strict=True):
        check(found, expected)
    day = told(combine(hours, [0, 24 * HOUR]))[0]
    direct = told(rollup(times, np.array(codes), [0, 24 * HOUR], kind=Kind.TEXT))[0]
    whole = brute(times, codes, [0, 24 * HOUR])[0]
    check(direct, whole)
    assert round(sum(day.values()) * SECOND) == sum(whole.values())
    assert len([code for code in day if code != OTHERS]) <= MOST_STATES
    if vocabulary <= MOST_STATES:
        assert day == direct
    for code, known in day.items():
        # What a day says of a state is never more than there was of it, and all of it where hours named it.
        named = sum(each.get(code, 0.0) for each in seconds)
        assert code == OTHERS or (known == pytest.approx(named) and known <= whole[int(code)] / SECOND + 1e-9)


def check(found: dict[str | int, float], exact: dict[int, int]) -> None:
    longest = sorted(exact, key=lambda code: (-exact[code], code))[:MOST_STATES]
    expected = {code: exact[code] / SECOND for code in longest}
    if len(exact) > MOST_STATES:
        expected[OTHERS] = sum(exact[code] for code in exact.keys() - set(longest)) / SECOND
    assert found == pytest.approx(expected)
