"""Roll-ups against a second-by-second walk and against numbers worked out by hand."""

from collections import defaultdict
from itertools import pairwise
import math

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from custom_components.strata.core.combine import combine
from custom_components.strata.core.model import Kind
from custom_components.strata.core.rollup import NO_STATE, Rollup, rollup

SECOND = 1_000_000
MINUTE = 60 * SECOND


def walk(times, values, edges, carry):
    """Walk every second of every bucket: the slow truth for a level."""
    held = dict(zip(times, values, strict=True))
    current = carry
    buckets = []
    for start, end in pairwise(edges):
        seen, n, total = [], 0, 0.0
        for second in range(start, end, SECOND):
            if second in held:
                current = held[second]
                if not math.isnan(current):
                    n += 1
                    total += current
            if not math.isnan(current):
                seen.append(current)
        buckets.append((n, len(seen), sum(seen), total, seen))
    return buckets


levels = st.one_of(st.just(math.nan), st.integers(-50, 50).map(float))
seconds = st.lists(st.integers(0, 119), unique=True, max_size=25).map(sorted)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), at=seconds, carry=levels)
def test_a_level_is_weighted_by_the_time_it_held(data, at, carry):
    values = data.draw(st.lists(levels, min_size=len(at), max_size=len(at)))
    cuts = data.draw(st.lists(st.integers(1, 119), unique=True, max_size=6).map(sorted))
    edges = [second * SECOND for second in (0, *cuts, 120)]
    times = [second * SECOND for second in at]

    rolled = rollup(times, values, edges, kind="measurement", carry=None if math.isnan(carry) else carry)

    for index, (n, covered, integral, total, seen) in enumerate(walk(times, values, edges, carry)):
        assert rolled.columns["n"][index] == n
        assert rolled.columns["covered"][index] == covered * SECOND
        assert rolled.columns["integral"][index] == pytest.approx(integral)
        assert rolled.columns["sum"][index] == pytest.approx(total)
        found = [rolled.columns[name][index] for name in ("min", "max", "first", "last")]
        if seen:
            assert found == [min(seen), max(seen), seen[0], seen[-1]]
        else:
            assert np.isnan(found).all()


@settings(max_examples=200, deadline=None)
@given(data=st.data(), at=seconds, kind=st.sampled_from(list(Kind)))
def test_finer_buckets_combine_to_what_coarser_ones_say(data, at, kind):
    if kind is Kind.TEXT:
        choice = st.sampled_from(["heat", "cool", None])
    elif kind is Kind.ON_OFF:
        choice = st.sampled_from([0.0, 1.0, math.nan])
    else:
        choice = levels
    values = data.draw(st.lists(choice, min_size=len(at), max_size=len(at)))
    carry = data.draw(st.sampled_from(["heat", None]) if kind is Kind.TEXT else st.sampled_from([1.0, None]))
    times = [second * SECOND for second in at]
    fine_edges = [second * SECOND for second in range(0, 121, 5)]
    edges = [0, 30 * SECOND, 60 * SECOND, 120 * SECOND]

    direct = rollup(times, values, edges, kind=kind, carry=carry)
    fine = rollup(times, values, fine_edges, kind=kind, carry=carry)
    stored = fine.select(fine.known)

    for combined in (combine(fine, edges), combine(stored, edges)):
        for name, column in direct.columns.items():
            np.testing.assert_allclose(combined.columns[name], column, rtol=1e-12, err_msg=name)
        for bucket in range(3):
            assert combined.seconds(bucket) == direct.seconds(bucket)


def test_a_water_heater_is_mostly_off():
    # On for 6 minutes at 2000 W, then off for 54: 200 W on average, though the rows average 1000.
    rolled = rollup([0, 6 * MINUTE], [2000.0, 0.0], [0, 60 * MINUTE], kind=Kind.MEASUREMENT)
    assert rolled.mean[0] == pytest.approx(200.0)
    assert rolled.columns["sum"][0] / rolled.columns["n"][0] == 1000.0
    assert rolled.covered_seconds[0] == 3600.0


def test_nothing_known_is_uncovered_and_not_zero():
    rolled = rollup([], [], [0, MINUTE, 2 * MINUTE], kind=Kind.MEASUREMENT)
    assert not rolled.known.any()
    assert np.isnan(rolled.mean).all()
    assert len(rolled.select(rolled.known)) == 0


def test_a_value_holds_for_days_without_a_row():
    rolled = rollup([], [], [0, MINUTE], kind=Kind.MEASUREMENT, carry=21.5)
    assert rolled.columns["n"].tolist() == [0]
    assert rolled.mean.tolist() == [21.5]


def test_a_carry_inside_a_gap_does_not_hold():
    rolled = rollup([], [], [0, MINUTE], kind=Kind.MEASUREMENT, carry=21.5, in_force=False)
    assert not rolled.known.any()


def test_a_value_that_only_holds_again_is_no_sample():
    rolled = rollup(
        [0, 10 * SECOND, 20 * SECOND],
        [5.0, math.nan, 5.0],
        [0, 60 * SECOND],
        kind=Kind.MEASUREMENT,
        samples=[True, True, False],
    )
    assert rolled.columns["n"][0] == 1
    assert rolled.covered_seconds[0] == 50.0
    assert rolled.columns["integral"][0] == 250.0


class TestMeter:
    def test_grows_by_the_differences(self):
        rolled = rollup([10, 20, 70], [101.0, 103.5, 104.0], [0, 60, 120], kind=Kind.METER, carry=100.0)
        assert rolled.columns["increase"].tolist() == [3.5, 0.5]
        assert rolled.columns["resets"].tolist() == [0, 0]
        assert rolled.columns["first"].tolist() == [101.0, 104.0]
        assert rolled.columns["last"].tolist() == [103.5, 104.0]

    def test_without_a_carry_the_first_reading_adds_nothing(self):
        rolled = rollup([10, 20], [100.0, 101.0], [0, 60], kind=Kind.METER)
        assert rolled.columns["increase"].tolist() == [1.0]

    def test_a_daily_reset_counts_from_zero(self):
        rolled = rollup([10, 20, 30], [0.0, 0.4, 0.9], [0, 60], kind=Kind.METER, carry=24.5)
        assert rolled.columns["increase"].tolist() == pytest.approx([0.9])
        assert rolled.columns["resets"].tolist() == [1]

    def test_counts_on_across_a_gap(self):
        rolled = rollup([20], [107.0], [0, 60], kind=Kind.METER, carry=100.0, in_force=False)
        assert rolled.columns["increase"].tolist() == [7.0]
        assert rolled.columns["covered"].tolist() == [40]

    def test_a_net_meter_may_go_down(self):
        rolled = rollup([10, 20], [4.0, 3.0], [0, 60], kind=Kind.METER, carry=5.0, monotonic=False)
        assert rolled.columns["increase"].tolist() == [-2.0]
        assert rolled.columns["resets"].tolist() == [0]

    def test_a_marked_cycle_counts_from_zero_even_for_a_net_meter(self):
        rolled = rollup([10], [0.5], [0, 60], kind=Kind.METER, carry=5.0, monotonic=False, cycles=[True])
        assert rolled.columns["increase"].tolist() == [0.5]
        assert rolled.columns["resets"].tolist() == [1]

    def test_a_small_dip_is_noise(self):
        rolled = rollup([10, 20], [99.9, 100.1], [0, 60], kind=Kind.METER, carry=100.0)
        assert rolled.columns["increase"].tolist() == pytest.approx([0.1])
        assert rolled.columns["resets"].tolist() == [0]


class TestOnOff:
    def test_keeps_time_on_and_transitions(self):
        rolled = rollup(
            [10 * SECOND, 25 * SECOND, 70 * SECOND],
            [1.0, 0.0, 1.0],
            [0, 60 * SECOND, 120 * SECOND],
            kind=Kind.ON_OFF,
            carry=0.0,
        )
        assert (rolled.columns["on"] / SECOND).tolist() == [15.0, 50.0]
        assert rolled.columns["transitions"].tolist() == [2, 1]
        assert rolled.mean.tolist() == pytest.approx([0.25, 50 / 60])

    def test_on_again_after_a_gap_is_no_transition(self):
        rolled = rollup([10, 20, 30], [1.0, math.nan, 1.0], [0, 60], kind=Kind.ON_OFF)
        assert rolled.columns["transitions"].tolist() == [0]


class TestText:
    def test_keeps_seconds_per_state(self):
        rolled = rollup(
            [0, 40 * SECOND, 80 * SECOND],
            ["heat", "cool", None],
            [0, 60 * SECOND, 120 * SECOND],
            kind=Kind.TEXT,
        )
        assert rolled.seconds(0) == {"heat": 40.0, "cool": 20.0}
        assert rolled.seconds(1) == {"cool": 20.0}
        assert rolled.columns["transitions"].tolist() == [1, 0]
        assert [rolled.names[code] for code in rolled.columns["first"]] == ["heat", "cool"]

    def test_codes_work_like_text(self):
        codes = np.array([7, NO_STATE], np.int64)
        rolled = rollup([0, 30 * SECOND], codes, [0, 60 * SECOND], kind=Kind.TEXT, carry=3, in_force=False)
        assert rolled.seconds(0) == {7: 30.0}
        assert rolled.columns["transitions"].tolist() == [1]
        assert rolled.columns["last"].tolist() == [7]

    def test_an_unknown_code_carries_nothing(self):
        rolled = rollup([], np.empty(0, np.int64), [0, 60], kind=Kind.TEXT, carry=NO_STATE)
        assert not rolled.known.any()


def test_states_follow_a_selection():
    rolled = rollup([0, 60], ["a", "b"], [0, 60, 120], kind=Kind.TEXT)
    chosen = rolled.select(np.array([False, True]))
    assert len(chosen) == 1
    assert chosen.seconds(0) == {"b": 60 / SECOND}


def test_selection_without_states():
    rolled = rollup([0, 60], [1.0, 2.0], [0, 60, 120], kind=Kind.MEASUREMENT)
    assert rolled.select(np.array([True, False])).columns["last"].tolist() == [1.0]


def test_rows_outside_the_buckets_are_left_out():
    rolled = rollup([-5, 0, 60], [9.0, 1.0, 9.0], [0, 60], kind=Kind.MEASUREMENT)
    assert rolled.columns["n"].tolist() == [1]
    assert rolled.columns["max"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("times", "values", "edges", "message"),
    [
        ([0], [1.0], [0], "borders"),
        ([0], [1.0], [60, 0], "borders"),
        ([0, 1], [1.0], [0, 60], "2 times"),
        ([5, 5], [1.0, 2.0], [0, 60], "ascend"),
    ],
)
def test_refuses_what_has_no_order(times, values, edges, message):
    with pytest.raises(ValueError, match=message):
        rollup(times, values, edges, kind="measurement")


def test_combining_refuses_buckets_that_cross_a_border():
    fine = rollup([0], [1.0], [0, 40, 80], kind="measurement")
    with pytest.raises(ValueError, match="crosses"):
        combine(fine, [0, 60, 120])
    assert combine(fine, [0, 60, 120], strict=False).columns["covered"].tolist() == [80, 0]


def test_combining_refuses_borders_without_order():
    fine = rollup([0], [1.0], [0, 40], kind="measurement")
    with pytest.raises(ValueError, match="borders"):
        combine(fine, [40, 0])


def test_buckets_outside_are_left_out_of_a_combination():
    fine = rollup([0], [1.0], [0, 40, 80], kind="measurement")
    combined = combine(fine, [40, 80])
    assert isinstance(combined, Rollup)
    assert combined.columns["covered"].tolist() == [40]


def test_time_in_states_is_summed_across_buckets():
    seconds: defaultdict[str | int, float] = defaultdict(float)
    rolled = rollup([0, 90], ["a", "b"], [0, 60, 120], kind=Kind.TEXT)
    for bucket in range(2):
        for state, value in rolled.seconds(bucket).items():
            seconds[state] += value * SECOND
    assert dict(seconds) == {"a": 90.0, "b": 30.0}
