"""The plausibility gate, by stories of real sensors: what is stored in the end, and under which flag."""

from dataclasses import dataclass, field
from itertools import pairwise
import math

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.strata.core.gate import Gate, Verdict
from custom_components.strata.core.model import EXCLUDED_FLAGS, Flag, Kind, Micros

SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE

OK, SPIKE, RESET, IMPOSSIBLE, STUCK = Flag.OK, Flag.SPIKE, Flag.RESET, Flag.IMPOSSIBLE, Flag.STUCK


@dataclass
class Log:
    """What a store would hold after a gate: one row per time, the last write wins."""

    gate: Gate
    rows: dict[Micros, tuple[float, Flag]] = field(default_factory=dict)
    writes: list[Verdict] = field(default_factory=list)

    def add(self, time: Micros, value: float) -> Flag:
        verdicts = self.gate.check(time, value)
        self.writes.extend(verdicts)
        self.rows.update({verdict.time: (verdict.value, verdict.flag) for verdict in verdicts})
        assert verdicts[-1][:2] == (time, value) or math.isnan(value)
        return verdicts[-1].flag

    def feed(self, values: list[float], *, step: Micros = MINUTE) -> list[Flag]:
        """Add values one `step` apart and return the flags as they were given at once."""
        start = max(self.rows, default=0)
        return [self.add(start + (number + 1) * step, value) for number, value in enumerate(values)]

    @property
    def flags(self) -> list[Flag]:
        return [self.rows[time][1] for time in sorted(self.rows)]

    @property
    def increase(self) -> float:
        """What a growing meter's good rows add up to; a fall below 90 % starts at zero (Home Assistant's rule)."""
        good = [value for _, (value, flag) in sorted(self.rows.items()) if flag not in EXCLUDED_FLAGS]
        return sum(b if b < 0.9 * a else b - a for a, b in pairwise(good))


def energy() -> Log:
    return Log(Gate(Kind.METER, device_class="energy", unit="kWh"))


def temperature(unit: str = "°C") -> Log:
    return Log(Gate(Kind.MEASUREMENT, device_class="temperature", unit=unit))


def plain_meter() -> Log:
    return Log(Gate(Kind.METER))


# --- meters ---------------------------------------------------------------------------------------------------------


def test_daily_reset_loses_nothing() -> None:
    log = energy()
    assert log.feed([24.4, 24.5, 0.0, 0.01, 0.05, 0.2]) == [OK, OK, RESET, OK, OK, OK]
    assert log.flags == [OK] * 6
    assert log.increase == pytest.approx(0.1 + 0.2)


def test_confirmed_value_keeps_its_own_time() -> None:
    gate = Gate(Kind.METER, unit="kWh")
    gate.check(10, 24.5)
    assert gate.check(20, 0.0) == (Verdict(20, 0.0, RESET),)
    assert gate.check(30, 0.01) == (Verdict(20, 0.0, OK), Verdict(30, 0.01, OK))
    assert gate.check(40, 0.02) == (Verdict(40, 0.02, OK),)


def test_reset_at_night_is_confirmed_when_the_sun_rises() -> None:
    log = energy()
    log.feed([24.4, 24.5, 0.0])
    assert log.add(max(log.rows) + 8 * HOUR, 0.01) is OK
    assert log.flags == [OK] * 4
    assert log.increase == pytest.approx(0.11)


def test_zero_between_two_readings_of_one_level_stays_flagged() -> None:
    log = energy()
    assert log.feed([24.5, 0.0, 24.6, 24.7]) == [OK, RESET, OK, OK]
    assert log.flags == [OK, RESET, OK, OK]
    assert log.increase == pytest.approx(0.2)


def test_zero_that_is_repeated_proves_nothing() -> None:
    log = energy()
    log.feed([24.5, 0.0, 0.0, 0.0, 24.6])
    assert log.flags == [OK, RESET, RESET, RESET, OK]
    assert log.increase == pytest.approx(0.1)


def test_device_that_starts_with_zero_before_it_knows_its_count() -> None:
    log = energy()
    log.feed([12345.0, 0.0])
    log.add(max(log.rows) + 6 * HOUR, 12399.0)
    assert log.flags == [OK, RESET, OK]
    assert log.increase == pytest.approx(54.0)


def test_yesterday_repeated_after_midnight_stays_flagged() -> None:
    log = energy()
    log.feed([24.5, 0.0, 0.02, 24.5, 24.5, 0.05, 0.06])
    assert log.flags == [OK, OK, OK, SPIKE, SPIKE, OK, OK]
    assert log.increase == pytest.approx(0.06)


def test_absurd_jump_and_back_stays_flagged() -> None:
    log = energy()
    assert log.feed([12.0, 1200.0, 12.1]) == [OK, SPIKE, OK]
    assert log.increase == pytest.approx(0.1)


def test_jump_that_holds_is_believed_later() -> None:
    log = energy()
    assert log.feed([12.0, 1200.0, 1200.1]) == [OK, SPIKE, OK]
    assert log.flags == [OK, OK, OK]


def test_jump_is_judged_in_the_meters_own_unit() -> None:
    watt_hours = Log(Gate(Kind.METER, unit="Wh"))
    watt_hours.feed([12_000.0, 12_900.0, 1_200_000.0, 13_000.0])
    assert watt_hours.flags == [OK, OK, SPIKE, OK]
    water = Log(Gate(Kind.METER, device_class="water", unit="L"))
    water.feed([50_000.0, 50_090.0, 99_000.0, 50_100.0])
    assert water.flags == [OK, OK, SPIKE, OK]


def test_fast_but_possible_growth_is_believed() -> None:
    # A car that charges with 22 kW, seen every minute; then a house with two cars, seen once an hour.
    log = energy()
    assert log.feed([100.0, 100.37, 100.73, 101.1]) == [OK] * 4
    assert log.feed([145.0, 190.0], step=HOUR) == [OK, OK]


def test_coarse_steps_are_believed() -> None:
    log = energy()
    assert log.feed([7.0, 8.0, 9.0], step=SECOND) == [OK] * 3


def test_meter_that_stood_still_may_not_jump_by_what_it_could_have_grown() -> None:
    log = energy()
    log.feed([12.0])
    assert log.feed([1200.0, 1200.5], step=100 * HOUR) == [SPIKE, OK]
    assert log.flags == [OK, OK, OK]


def test_later_growth_confirms_a_jump_however_long_it_took() -> None:
    log = energy()
    log.feed([12.0, 90.0])
    log.add(max(log.rows) + HOUR, 91.0)
    assert log.flags == [OK, OK, OK]


def test_meter_of_unknown_unit_may_jump_but_resets_are_still_doubted() -> None:
    log = plain_meter()
    assert log.feed([8000.0, 50_000.0, 0.0, 50_010.0]) == [OK, OK, RESET, OK]
    assert log.flags == [OK, OK, RESET, OK]


def test_sparse_meter_beyond_its_old_level_is_a_new_cycle() -> None:
    log = plain_meter()
    log.feed([8000.0, 0.0, 9000.0], step=12 * HOUR)
    assert log.flags == [OK, OK, OK]
    assert log.increase == pytest.approx(9000.0)


def test_coarse_daily_meter_that_comes_as_high_every_day() -> None:
    log = Log(Gate(Kind.METER, unit="m³"))
    day: list[float] = [0.0, 1.0]
    log.feed([5.0, *day, *day, *day, 0.0], step=12 * HOUR)
    # One step a day. 5 -> 0 -> 1 shows the first reset; from then on the length of the cycle is known.
    assert log.flags == [OK] * 7 + [RESET]
    assert log.increase == pytest.approx(3.0)


def test_reset_then_growth_no_home_could_have_made() -> None:
    log = energy()
    log.feed([24.5, 0.0, 40.0, 24.6, 24.7])
    assert log.flags == [OK, RESET, SPIKE, OK, OK]
    assert log.increase == pytest.approx(0.2)


def test_reset_undone_by_a_little_more_than_a_tenth() -> None:
    log = energy()
    log.feed([24.5, 0.0])
    log.add(max(log.rows) + 5 * MINUTE, 27.1)
    assert log.flags == [OK, RESET, OK]
    assert log.increase == pytest.approx(2.6)


def test_meter_whose_first_cycle_was_seen_from_zero_may_come_as_high_again() -> None:
    log = plain_meter()
    log.feed([0.0, 2.0, 0.0, 2.0, 0.0, 2.0], step=HOUR)
    assert log.flags == [OK] * 6
    assert log.increase == pytest.approx(6.0)


def test_meter_of_things_that_do_not_flow_may_jump() -> None:
    log = Log(Gate(Kind.METER, unit="steps"))
    log.feed([200.0, 9000.0, 9001.0])
    assert log.flags == [OK] * 3


def test_two_falls_in_a_row() -> None:
    log = energy()
    log.feed([24.5, 3.0, 0.0, 0.01])
    assert log.flags == [OK, RESET, OK, OK]
    assert log.increase == pytest.approx(0.01)


def test_rounding_is_no_fall() -> None:
    log = energy()
    assert log.feed([24.50, 24.49, 24.50, 24.48, 24.51]) == [OK] * 5
    assert log.increase == pytest.approx(0.01)


@pytest.mark.parametrize(("level", "fallen"), [(24.5, 23.0), (12345.0, 12340.0), (12345.0, 11500.0)])
def test_small_fall_and_back_stays_flagged(level: float, fallen: float) -> None:
    log = energy()
    assert log.feed([level, fallen, level + 0.1]) == [OK, SPIKE, OK]
    assert log.increase == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("fallen", "flag"), [(99.1, OK), (98.9, SPIKE), (95.0, SPIKE), (90.0, SPIKE), (89.9, RESET), (85.0, RESET)]
)
def test_how_deep_a_fall_is_a_reset(fallen: float, flag: Flag) -> None:
    assert plain_meter().feed([100.0, fallen]) == [OK, flag]


def test_fall_made_good_in_part_is_believed_later() -> None:
    log = energy()
    log.feed([24.5, 23.0, 24.0])
    assert log.flags == [OK, OK, OK]


def test_glitch_of_a_meter_that_has_only_begun() -> None:
    log = energy()
    log.feed([0.5, 0.0, 0.6])
    assert log.flags == [OK, RESET, OK]
    assert log.increase == pytest.approx(0.1)


def test_small_fall_that_holds_is_believed_later() -> None:
    log = energy()
    log.feed([24.5, 23.0, 23.1])
    assert log.flags == [OK, OK, OK]


def test_return_below_the_old_level_is_doubted_on_its_own() -> None:
    log = energy()
    log.feed([24.5, 0.0, 23.0, 24.6])
    assert log.flags == [OK, RESET, SPIKE, OK]


def test_spike_before_a_reset() -> None:
    log = energy()
    log.feed([24.5, 900.0, 0.0, 0.01])
    assert log.flags == [OK, SPIKE, OK, OK]
    assert log.increase == pytest.approx(0.01)


@pytest.mark.parametrize("value", [-0.01, -5.0, -math.inf])
def test_growing_meter_is_never_negative(value: float) -> None:
    log = energy()
    log.feed([24.5, value, 24.6])
    assert log.flags == [OK, IMPOSSIBLE, OK]


def test_net_meter_may_fall_and_be_negative() -> None:
    log = Log(Gate(Kind.METER, device_class="energy", unit="kWh", monotonic=False))
    assert log.feed([3.0, 2.5, 0.0, -2.0, -1.9]) == [OK] * 5
    log.feed([500.0, -1.8])
    assert log.flags == [OK] * 5 + [SPIKE, OK]


def test_series_of_nonsense_is_not_doubted_for_ever() -> None:
    log = energy()
    assert log.feed([24.5, 3.0, 900.0, 40.0, 40.1]) == [OK, RESET, SPIKE, OK, OK]


# --- measurements ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "before", "sentinel"),
    [("°C", 21.0, 85.0), ("°C", 21.0, -127.0), ("°F", 70.0, 185.0), ("°F", 70.0, -196.6), ("K", 294.0, 358.15)],
)
def test_temperature_sentinel_and_back_stays_flagged(unit: str, before: float, sentinel: float) -> None:
    log = temperature(unit)
    assert log.feed([before, sentinel, before + 0.1]) == [OK, SPIKE, OK]
    assert log.flags == [OK, SPIKE, OK]


def test_sentinel_proves_nothing_by_repetition() -> None:
    log = temperature()
    log.feed([21.0] + [-127.0] * 10 + [21.1, 85.0, -127.0, 85.0, -127.0, 21.2])
    assert log.flags == [OK] + [SPIKE] * 10 + [OK] + [SPIKE] * 4 + [OK]


def test_warm_water_of_85_degrees_is_no_sentinel() -> None:
    log = temperature()
    assert log.feed([78.0, 84.5, 85.0, 85.0, 85.5]) == [OK] * 5


def test_hot_pipe_is_believed_when_it_stays_hot() -> None:
    log = temperature()
    assert log.feed([21.0, 85.0, 84.0]) == [OK, SPIKE, OK]
    assert log.flags == [OK, OK, OK]


def test_sensor_that_starts_with_its_sentinel() -> None:
    log = temperature()
    assert log.feed([85.0, 21.0, 21.1]) == [SPIKE, OK, OK]
    assert log.flags == [SPIKE, OK, OK]
    tank = temperature()
    tank.feed([85.0, 84.9])
    assert tank.flags == [OK, OK]
    absent = temperature()
    assert absent.feed([-127.0, 85.0, 21.0]) == [SPIKE, SPIKE, OK]


def test_jump_without_sentinel() -> None:
    log = temperature()
    log.feed([21.0, -40.0, 21.1, 80.0, 80.0, 79.0])
    assert log.flags == [OK, SPIKE, OK, OK, OK, OK]


def test_shower_pipe_is_no_jump() -> None:
    assert temperature().feed([18.0, 45.0, 20.0, 50.0]) == [OK] * 4


def test_air_pressure_does_not_jump() -> None:
    log = Log(Gate(Kind.MEASUREMENT, device_class="atmospheric_pressure", unit="hPa"))
    log.feed([1013.2, 957.0, 1013.1])
    assert log.flags == [OK, SPIKE, OK]


def test_kettle_is_real() -> None:
    log = Log(Gate(Kind.MEASUREMENT, device_class="power", unit="W"))
    assert log.feed([3.0, 2950.0, 3.0, -4800.0, 0.0, 11_000.0]) == [OK] * 6
    assert log.feed([4_294_967.295, -2e6]) == [IMPOSSIBLE, IMPOSSIBLE]
    assert Log(Gate(Kind.MEASUREMENT, device_class="power", unit="kW")).feed([11.0, 4294.9]) == [OK, IMPOSSIBLE]


# --- what is impossible ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_impossible(kind: Kind, value: float) -> None:
    gate = Gate(kind)
    gate.seed(0, 1.0)
    (verdict,) = gate.check(5, value)
    assert verdict.flag is IMPOSSIBLE
    assert verdict.time == 5
    assert gate.check(6, 1.0)[-1].flag is OK


@pytest.mark.parametrize(
    ("device_class", "unit", "possible", "impossible"),
    [
        ("temperature", "°C", [-273.15, -40, 1300], [-273.2, 3276.7, 6553.5]),
        ("temperature", "°F", [-459.67, 212], [-460, 4000]),
        ("temperature", "K", [0, 300], [-0.1]),
        ("humidity", "%", [0, 100], [-1, 101, 655.35]),
        ("moisture", "%", [0, 100], [-0.1, 100.1]),
        ("battery", "%", [0, 100], [-1, 255]),
        ("battery", None, [0, 100], [-1, 255]),
        ("atmospheric_pressure", "hPa", [330, 1084.8], [0, 299, 10132.5]),
        ("atmospheric_pressure", "inHg", [25, 31], [0, 1013]),
        ("pressure", "bar", [-0.9, 0, 200], [-2]),
        ("carbon_dioxide", "ppm", [0, 400, 40_000], [-1]),
        ("pm25", "µg/m³", [0, 999], [-0.1]),
        ("illuminance", "lx", [0, 130_000], [-1]),
        ("power_factor", "%", [-100, 100], [101]),
        ("ph", None, [0, 14], [-1, 14.1]),
        ("voltage", "V", [-400, 400], []),
        (None, None, [-1e300, 1e300], []),
        ("made_up", "furlong", [-1, 1], []),
        ("temperature", "furlong", [-1e6, 1e6], []),
        # Nothing says whether these are degrees Celsius or Fahrenheit.
        ("temperature", None, [-400, 3000], []),
    ],
)
def test_limits_of_device_classes(
    device_class: str | None, unit: str | None, possible: list[float], impossible: list[float]
) -> None:
    def first(value: float) -> Flag:
        return Gate(Kind.MEASUREMENT, device_class=device_class, unit=unit).check(0, value)[-1].flag

    assert [first(value) for value in possible] == [OK] * len(possible)
    assert [first(value) for value in impossible] == [IMPOSSIBLE] * len(impossible)


def test_limits_of_the_caller_replace_those_of_the_device_class() -> None:
    gate = Gate(Kind.MEASUREMENT, device_class="humidity", unit="%", minimum=-5, maximum=105)
    assert [gate.check(n, value)[-1].flag for n, value in enumerate((-5, 105, -6, 106))] == [
        OK,
        OK,
        IMPOSSIBLE,
        IMPOSSIBLE,
    ]
    open_ended = Gate(Kind.MEASUREMENT, minimum=-math.inf, maximum=math.inf)
    assert open_ended.check(0, math.inf)[-1].flag is IMPOSSIBLE
    meter = Gate(Kind.METER, minimum=-10.0)
    assert meter.check(0, -1.0)[-1].flag is IMPOSSIBLE


def test_impossible_value_leaves_a_suspicion_waiting() -> None:
    log = energy()
    log.feed([24.5, 0.0, math.nan, -1.0, 0.01])
    assert log.flags == [OK, OK, IMPOSSIBLE, IMPOSSIBLE, OK]
    other = energy()
    other.feed([24.5, 0.0, math.nan, 24.6])
    assert other.flags == [OK, RESET, IMPOSSIBLE, OK]


def test_suspicion_waits_over_a_gap() -> None:
    for value, flag in ((0.01, OK), (24.6, RESET)):
        log = energy()
        log.feed([24.5, 0.0])
        log.add(max(log.rows) + 30 * HOUR, value)
        assert log.flags == [OK, flag, OK]


# --- order, restart, stuck ------------------------------------------------------------------------------------------


def test_late_value_is_judged_by_limits_alone_and_changes_nothing() -> None:
    gate = Gate(Kind.METER, unit="kWh")
    gate.check(100, 24.5)
    gate.check(200, 0.0)
    assert gate.check(150, 9000.0) == (Verdict(150, 9000.0, OK),)
    assert gate.check(150, -1.0) == (Verdict(150, -1.0, IMPOSSIBLE),)
    assert gate.check(300, 0.01) == (Verdict(200, 0.0, OK), Verdict(300, 0.01, OK))


def test_value_at_the_same_time_replaces_the_suspect() -> None:
    gate = Gate(Kind.METER, unit="kWh")
    gate.check(100, 24.5)
    assert gate.check(200, 0.0)[-1].flag is RESET
    assert gate.check(200, 24.6) == (Verdict(200, 24.6, OK),)
    assert gate.check(300, 24.7) == (Verdict(300, 24.7, OK),)


def test_value_at_the_same_time_does_not_bring_the_replaced_one_back() -> None:
    gate = Gate(Kind.METER, unit="kWh")
    gate.check(100, 24.5)
    gate.check(200, 0.0)
    assert gate.check(200, 0.01) == (Verdict(200, 0.01, RESET),)
    assert gate.check(300, 0.02) == (Verdict(200, 0.01, OK), Verdict(300, 0.02, OK))


def test_value_at_the_same_time_as_a_good_one() -> None:
    gate = Gate(Kind.METER, unit="kWh")
    gate.check(100, 24.5)
    assert gate.check(100, 24.6) == (Verdict(100, 24.6, OK),)
    assert gate.check(100, 0.0) == (Verdict(100, 0.0, RESET),)


def test_seeded_level_is_what_the_first_value_is_held_against() -> None:
    log = energy()
    log.gate.seed(0, 24.5)
    assert log.feed([0.0, 24.6]) == [RESET, OK]
    fresh = energy()
    assert fresh.feed([0.0]) == [OK]


def test_seeded_suspicion_can_still_be_confirmed_or_not() -> None:
    for value, expected in ((0.01, (Verdict(5, 0.0, OK), Verdict(9, 0.01, OK))), (24.6, (Verdict(9, 24.6, OK),))):
        known = Gate(Kind.METER, unit="kWh")
        known.seed(0, 24.5)
        known.seed(5, 0.0, RESET)
        assert known.check(9, value) == expected
        alone = Gate(Kind.METER, unit="kWh")
        alone.seed(5, 0.0, RESET)
        assert alone.check(9, value) == expected


@pytest.mark.parametrize(("value", "flag"), [(math.nan, OK), (-3.0, OK), (math.inf, SPIKE), (3.0, IMPOSSIBLE)])
def test_seed_passes_over_what_is_impossible(value: float, flag: Flag) -> None:
    gate = Gate(Kind.METER, unit="kWh")
    gate.seed(0, 24.5)
    gate.seed(1, value, flag)
    assert gate.check(2, 24.6) == (Verdict(2, 24.6, OK),)


@pytest.mark.parametrize("flag", [Flag.GAP, Flag.RESUME, Flag.CYCLE, Flag.STUCK])
def test_seed_believes_values_of_any_other_flag(flag: Flag) -> None:
    gate = Gate(Kind.METER, unit="kWh")
    gate.seed(0, 24.5, flag)
    assert gate.check(1, 0.0)[-1].flag is RESET


def test_value_reported_again_and_again_is_stuck() -> None:
    log = Log(Gate(Kind.MEASUREMENT, stuck_after=HOUR))
    assert log.feed([20.0] * 4, step=30 * MINUTE) == [OK, OK, OK, STUCK]
    assert log.feed([20.1, 20.1], step=30 * MINUTE) == [OK, OK]
    seeded = Log(Gate(Kind.METER, unit="kWh", stuck_after=HOUR))
    seeded.gate.seed(0, 5.0)
    assert seeded.feed([5.0, 5.0], step=HOUR) == [OK, STUCK]


def test_confirmed_value_is_stuck_from_its_own_time_on() -> None:
    log = Log(Gate(Kind.MEASUREMENT, device_class="temperature", unit="°C", stuck_after=HOUR))
    assert log.feed([21.0, 80.0, 80.0, 80.0, 80.0], step=25 * MINUTE) == [OK, SPIKE, OK, OK, STUCK]


def test_without_a_limit_nothing_is_stuck() -> None:
    assert energy().feed([5.0] * 3, step=1000 * HOUR) == [OK] * 3


# --- whatever comes -------------------------------------------------------------------------------------------------

GATES = st.sampled_from(
    [
        dict[str, object](kind=Kind.METER, unit="kWh", device_class="energy"),
        dict[str, object](kind=Kind.METER, unit="kWh", monotonic=False),
        dict[str, object](kind=Kind.METER),
        dict[str, object](kind=Kind.MEASUREMENT, device_class="temperature", unit="°C"),
        dict[str, object](kind=Kind.MEASUREMENT, stuck_after=10),
        dict[str, object](kind=Kind.ON_OFF),
    ]
)
VALUES = st.one_of(
    st.floats(), st.sampled_from([0.0, -0.0, 24.5, 24.6, 0.01, 85.0, -127.0, 1200.0, 5e-324, 1.7976931348623157e308])
)


@settings(max_examples=400)
@given(GATES, st.lists(st.tuples(st.integers(0, 40), VALUES), max_size=30))
def test_every_value_is_kept_under_its_own_time(options: dict[str, object], values: list[tuple[Micros, float]]) -> None:
    gate = Gate(**options)  # type: ignore[arg-type]
    given_at: dict[Micros, list[str]] = {}
    for time, value in values:
        given_at.setdefault(time, []).append(repr(value))
        *confirmed, last = gate.check(time, value)
        assert (last.time, repr(last.value)) == (time, repr(value))
        assert len(confirmed) <= 1
        for earlier in confirmed:
            assert earlier.flag is OK
            assert earlier.time < time
            # What is given out once more is what was last written there, so nothing newer is overwritten.
            assert repr(earlier.value) in given_at[earlier.time]
        if not math.isfinite(value):
            assert last.flag is IMPOSSIBLE


@settings(max_examples=200)
@given(
    st.lists(st.lists(st.floats(0.1, 1.5), min_size=1, max_size=20), min_size=1, max_size=5),
    st.floats(0.1, 50.0),
    st.sampled_from(["kWh", "furlong", None]),
)
def test_honest_meter_loses_nothing(cycles: list[list[float]], before: float, unit: str | None) -> None:
    """A count that is restarted and seen to grow again: every bit of its growth is counted, every row is good."""
    log, expected = Log(Gate(Kind.METER, unit=unit)), 0.0
    log.feed([before])
    for steps in cycles:
        level = 0.001
        log.feed([0.0, level])
        for step in steps:
            level += step
            log.feed([level])
        expected += level
    assert set(log.flags) == {OK}
    assert log.increase == pytest.approx(expected)


@settings(max_examples=200)
@given(st.lists(st.floats(0.0, 1.5), min_size=3, max_size=40), st.data())
def test_lone_fault_never_counts(steps: list[float], data: st.DataObject) -> None:
    """One fault anywhere in a long count is left out, and the count is what it is without it."""
    levels = [1000.0]
    for step in steps:
        levels.append(levels[-1] + step)
    where = data.draw(st.integers(1, len(levels) - 2))
    fault = data.draw(st.sampled_from([0.0, 0.5, 300.0, 980.0, 5000.0, 1e9, math.nan, -1.0]))
    log = energy()
    for number, level in enumerate(levels):
        log.add(number * MINUTE, fault if number == where else level)
    assert log.rows[where * MINUTE][1] in EXCLUDED_FLAGS
    assert log.increase == pytest.approx(levels[-1] - levels[0])
