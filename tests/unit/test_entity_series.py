"""How one entity's states become rows."""

import math

import pytest

from custom_components.strata.core.entity_series import EntitySeries, Outcome
from custom_components.strata.core.model import Cause, Flag, Kind, SeriesKey
from tests.recorded_rows import LastRow, RecordedRows

NONE: frozenset[str] = frozenset()
POWER = {"device_class": "power", "unit_of_measurement": "W", "state_class": "measurement"}
ENERGY = {"device_class": "energy", "unit_of_measurement": "kWh", "state_class": "total_increasing"}
VALUE = SeriesKey.of_entity("home_assistant_events", "id1")
STATE = SeriesKey.of_entity("home_assistant_events", "id1", "state")
WHY = Cause("c1", "c0", "u1")


class Entity:
    """An entity whose states come at the given seconds of a run that starts at second 0."""

    def __init__(self, store: RecordedRows, domain: str = "sensor") -> None:
        self.series = EntitySeries(store, "id1", domain)

    def __call__(self, time: int, state: str, attributes: dict[str, object] | None = None) -> Outcome:
        return self.series.change(state, {} if attributes is None else attributes, NONE, time, WHY)


@pytest.fixture
def store() -> RecordedRows:
    return RecordedRows()


def test_each_new_state_is_a_row_with_its_attributes_and_cause(store: RecordedRows) -> None:
    entity = Entity(store)
    entity.series.relabel({"entity_id": "sensor.boiler"})
    assert entity(10, "230.5", POWER) is Outcome.VALUE
    assert entity(20, "231", POWER) is Outcome.VALUE
    assert store.told == [("value", 10, 230.5, Flag.OK), ("value", 20, 231.0, Flag.OK)]
    assert store.rows[0].attributes is POWER
    assert store.rows[0].cause == WHY
    series = store.known[VALUE]
    assert (series.kind, series.unit, series.fine) == (Kind.MEASUREMENT, "W", True)
    assert series.labels == {"entity_id": "sensor.boiler"}


def test_the_same_state_again_is_no_row(store: RecordedRows) -> None:
    entity = Entity(store, "light")
    entity(10, "on", {"brightness": 10})
    assert entity(20, "on", {"brightness": 20}) is Outcome.UNCHANGED
    assert store.told == [("value", 10, 1.0, Flag.OK)]


def test_a_gap_is_one_row_and_the_value_after_it_another(store: RecordedRows) -> None:
    entity = Entity(store, "light")
    entity(10, "on")
    assert entity(20, "unavailable") is Outcome.GAP
    assert entity(30, "unknown") is Outcome.UNCHANGED
    assert entity(40, "on") is Outcome.VALUE
    assert store.told == [
        ("value", 10, 1.0, Flag.OK),
        ("value", 20, None, Flag.GAP),
        ("value", 40, 1.0, Flag.OK),
    ]
    assert store.rows[1].cause == WHY


def test_nothing_to_say_before_the_first_value(store: RecordedRows) -> None:
    entity = Entity(store, "light")
    assert entity(10, "unavailable") is Outcome.UNCHANGED
    assert entity(20, "unknown") is Outcome.UNCHANGED
    assert entity.series.gap(30) is Outcome.UNCHANGED
    assert store.rows == []


def test_the_value_of_the_run_before_resumes_where_that_run_ended(store: RecordedRows) -> None:
    Entity(store)(10, "230", POWER)
    again = store.next_run(stop=500, start=900)
    entity = Entity(again)
    assert entity(10, "230", POWER) is Outcome.RESUMED
    assert again.told == [("value", 500, None, Flag.RESUME)]
    assert entity(950, "231", POWER) is Outcome.VALUE
    # Home Assistant was down too: the state is known from its own new start on only.
    restarted = store.next_run(stop=500, start=900)
    late = Entity(restarted)
    assert late(905, "unavailable") is Outcome.UNCHANGED
    assert late(930, "230.0", POWER) is Outcome.RESUMED
    assert restarted.told == [("value", 930, None, Flag.RESUME)]


def test_another_value_than_that_of_the_run_before_is_a_row(store: RecordedRows) -> None:
    Entity(store)(10, "230", POWER)
    again = store.next_run(stop=500, start=900)
    assert Entity(again)(700, "240", POWER) is Outcome.VALUE
    assert again.told == [("value", 700, 240.0, Flag.OK)]


def test_a_first_row_is_never_put_before_what_is_known(store: RecordedRows) -> None:
    Entity(store)(100, "230", POWER)
    unclean = store.next_run(stop=50, start=900)
    assert Entity(unclean)(100, "230", POWER) is Outcome.RESUMED
    assert unclean.told == [("value", 101, None, Flag.RESUME)]
    clock_was_wrong = store.next_run(stop=50, start=900)
    Entity(clock_was_wrong)(20, "240", POWER)
    assert clock_was_wrong.told == [("value", 101, 240.0, Flag.OK)]


def test_history_begins_when_it_is_first_watched() -> None:
    store = RecordedRows(started=1_000)
    Entity(store)(10, "230", POWER)
    assert store.told == [("value", 1_000, 230.0, Flag.OK)]


def test_an_implausible_last_value_does_not_resume(store: RecordedRows) -> None:
    Entity(store)(10, "230", POWER)
    again = store.next_run(stop=500, start=900)
    again.newest[VALUE] = LastRow(400, 9_999.0, None, Flag.SPIKE)
    assert Entity(again)(400, "9999", POWER) is Outcome.VALUE
    assert again.told == [("value", 500, 9_999.0, Flag.OK)]


def test_a_value_that_was_in_a_gap_when_the_run_ended_resumes(store: RecordedRows) -> None:
    entity = Entity(store, "lock")
    entity(10, "locked")
    entity(20, "unavailable")
    again = store.next_run(stop=500, start=900)
    assert Entity(again, "lock")(910, "locked") is Outcome.RESUMED
    assert again.told == [("value", 910, None, Flag.RESUME)]


def test_begin_again_looks_at_the_next_state_as_the_first(store: RecordedRows) -> None:
    entity = Entity(store, "light")
    entity(10, "on")
    entity.series.gap(50)
    entity.series.begin_again(80)
    assert entity(10, "on") is Outcome.RESUMED
    assert store.told[-1] == ("value", 80, None, Flag.RESUME)


def test_not_a_number_is_kept_and_flagged(store: RecordedRows) -> None:
    entity = Entity(store)
    for time, state in enumerate(("20", "nan", "inf", "21"), start=1):
        assert entity(time, state, POWER) is Outcome.VALUE
    assert [row.flag for row in store.rows] == [Flag.OK, Flag.IMPOSSIBLE, Flag.IMPOSSIBLE, Flag.OK]
    assert not math.isfinite(store.rows[1].value or 0.0)


def test_a_meter_that_starts_again_is_flagged_until_the_next_value_confirms_it(store: RecordedRows) -> None:
    entity = Entity(store)
    entity(10, "100", ENERGY)
    entity(20, "2", ENERGY)
    assert store.rows[-1].flag is Flag.RESET
    entity(30, "3", ENERGY)
    confirmed = [row for row in store.rows if row.time == 20][-1]
    assert (confirmed.value, confirmed.flag) == (2.0, Flag.OK)
    assert confirmed.attributes is ENERGY
    assert confirmed.cause == WHY
    newest = {row.time: (row.value, row.flag) for row in store.rows}
    assert newest == {10: (100.0, Flag.OK), 20: (2.0, Flag.OK), 30: (3.0, Flag.OK)}
    assert store.known[VALUE].kind is Kind.METER


def test_the_gate_remembers_the_run_before(store: RecordedRows) -> None:
    Entity(store)(10, "100", ENERGY)
    again = store.next_run(stop=500, start=900)
    Entity(again)(910, "2", ENERGY)
    assert again.rows[-1].flag is Flag.RESET


def test_another_unit_of_the_same_quantity_is_converted(store: RecordedRows) -> None:
    entity = Entity(store)
    entity(10, "500", POWER)
    entity(20, "1.5", {**POWER, "unit_of_measurement": "kW"})
    entity(30, "600", POWER)
    assert store.told == [
        ("value", 10, 500.0, Flag.OK),
        ("value", 20, 1500.0, Flag.OK),
        ("value", 30, 600.0, Flag.OK),
    ]
    assert set(store.known) == {VALUE}
    assert store.known[VALUE].unit == "W"


def test_a_converted_value_resumes_too(store: RecordedRows) -> None:
    Entity(store)(10, "500", POWER)
    again = store.next_run(stop=50, start=90)
    assert Entity(again)(95, "0.5", {**POWER, "unit_of_measurement": "kW"}) is Outcome.RESUMED


def test_another_quantity_does_not_run_into_the_series(store: RecordedRows) -> None:
    humidity = {"device_class": "humidity", "unit_of_measurement": "%", "state_class": "measurement"}
    entity = Entity(store)
    entity(10, "45", humidity)
    entity(20, "2300", POWER)
    entity(30, "2400", POWER)
    entity(40, "50", humidity)
    assert store.told == [
        ("value", 10, 45.0, Flag.OK),
        ("value", 20, None, Flag.GAP),
        ("value[W]", 20, 2300.0, Flag.OK),
        ("value[W]", 30, 2400.0, Flag.OK),
        ("value[W]", 40, None, Flag.GAP),
        ("value", 40, 50.0, Flag.OK),
    ]
    assert [series.unit for series in store.known.values()] == ["%", "W"]
    assert Entity(store.next_run(stop=50, start=90))(95, "2400", POWER) is Outcome.RESUMED


def test_a_unit_that_comes_later_or_goes_is_the_same_quantity(store: RecordedRows) -> None:
    entity = Entity(store)
    entity(10, "5", {"state_class": "measurement"})
    assert store.known[VALUE].unit is None
    entity(20, "6", POWER)
    assert store.known[VALUE].unit == "W"
    entity(30, "7", {"state_class": "measurement"})
    assert store.known[VALUE].unit == "W"
    assert [row.value for row in store.rows] == [5.0, 6.0, 7.0]


def test_a_sensor_that_becomes_a_meter_keeps_its_series(store: RecordedRows) -> None:
    entity = Entity(store)
    entity(10, "5", {**ENERGY, "state_class": "measurement"})
    entity(20, "6", ENERGY)
    assert [row.value for row in store.rows] == [5.0, 6.0]
    assert store.known[VALUE].kind is Kind.METER


def test_numbers_and_texts_of_one_entity_live_apart(store: RecordedRows) -> None:
    entity = Entity(store)
    entity(10, "12")
    entity(20, "error")
    entity(30, "unknown")
    entity(40, "13")
    assert store.told == [
        ("value", 10, 12.0, Flag.OK),
        ("value", 20, None, Flag.GAP),
        ("state", 20, "error", Flag.OK),
        ("state", 30, None, Flag.GAP),
        ("value", 40, 13.0, Flag.OK),
    ]
    assert store.known[STATE].kind is Kind.TEXT


def test_a_kind_that_comes_and_goes_in_one_field_is_that_of_the_last_state(store: RecordedRows) -> None:
    entity = Entity(store, "robot")
    for time, state, kind in ((10, "on", Kind.ON_OFF), (20, "3", Kind.MEASUREMENT), (30, "off", Kind.ON_OFF)):
        entity(time, state)
        assert store.known[VALUE].kind is kind
    assert [row.value for row in store.rows] == [1.0, 3.0, 0.0]


def test_new_labels_reach_every_series_of_the_entity(store: RecordedRows) -> None:
    entity = Entity(store)
    entity.series.relabel({"entity_id": "sensor.a"})
    entity(10, "12")
    entity(20, "error")
    series = store.known[VALUE]
    entity.series.relabel({"entity_id": "sensor.b", "area_id": "hall"})
    assert [known.labels for known in store.known.values()] == [{"entity_id": "sensor.b", "area_id": "hall"}] * 2
    assert store.known[VALUE] is series
    entity.series.relabel({"entity_id": "sensor.b", "area_id": "hall"})
    assert len(store.rows) == 3


def test_a_number_keeps_the_text_it_cannot_give_back(store: RecordedRows) -> None:
    entity = Entity(store)
    entity(10, "1.10")
    assert (store.rows[0].value, store.rows[0].text) == (1.1, "1.10")


def test_unrecorded_attributes_stay_out(store: RecordedRows) -> None:
    series = EntitySeries(store, "id1", "sensor")
    series.change("5", {"unit_of_measurement": "W", "slots": [1]}, frozenset({"slots"}), 10, WHY)
    assert store.rows[0].attributes == {"unit_of_measurement": "W"}


TOTAL = {"device_class": "energy", "unit_of_measurement": "kWh", "state_class": "total"}


def reset_at(second: int) -> dict[str, object]:
    """Attributes of a meter that last started again at this second of the epoch."""
    return {**TOTAL, "last_reset": f"1970-01-01T00:00:{second:02}+00:00"}


def test_a_meter_that_may_fall_says_itself_when_it_starts_again(store: RecordedRows) -> None:
    entity = Entity(store)
    entity(1_000_000, "5.5", reset_at(0))
    entity(2_000_000, "5", reset_at(0))
    entity(3_000_000, "5.1", reset_at(3))
    entity(4_000_000, "5.2", reset_at(3))
    assert [row.flag for row in store.rows] == [Flag.OK, Flag.OK, Flag.CYCLE, Flag.OK]
    assert (store.known[VALUE].kind, store.known[VALUE].monotonic) == (Kind.METER, False)


@pytest.mark.parametrize(
    ("attributes", "flag"),
    [
        (reset_at(5), Flag.CYCLE),
        (reset_at(0), Flag.OK),
        (TOTAL, Flag.OK),
        ({**TOTAL, "last_reset": "midnight"}, Flag.OK),
        ({**TOTAL, "last_reset": "1970-01-01T00:00:05"}, Flag.OK),
        ({**TOTAL, "last_reset": 5}, Flag.OK),
        # One that only grows is judged by its falls alone.
        ({**reset_at(5), "state_class": "total_increasing"}, Flag.OK),
    ],
)
def test_a_meter_that_started_again_while_nobody_watched(
    store: RecordedRows, attributes: dict[str, object], flag: Flag
) -> None:
    Entity(store)(1_000_000, "5.5", reset_at(0))
    again = store.next_run(stop=2_000_000, start=8_000_000)
    Entity(again)(9_000_000, "5.6", attributes)
    assert [(row.value, row.flag) for row in again.rows] == [(5.6, flag)]


def test_a_meter_that_loses_its_reset_time_did_not_start_again(store: RecordedRows) -> None:
    entity = Entity(store)
    entity(1_000_000, "5.5", reset_at(0))
    entity(2_000_000, "5.6", TOTAL)
    assert [row.flag for row in store.rows] == [Flag.OK, Flag.OK]


def test_a_verdict_that_comes_late_finds_what_belongs_to_its_row(store: RecordedRows) -> None:
    sensor = {"device_class": "temperature", "unit_of_measurement": "°C", "state_class": "measurement"}
    entity = Entity(store)
    seconds = 1_000_000
    entity(1 * seconds, "20", sensor)
    jump = {**sensor, "friendly_name": "Oven"}
    entity(2 * seconds, "90", jump)
    assert store.rows[-1].flag is Flag.SPIKE
    entity(3 * seconds, "nan", sensor)
    assert store.rows[-1].flag is Flag.IMPOSSIBLE
    entity(4 * seconds, "91", sensor)
    assert [(row.time // seconds, row.value, row.flag) for row in store.rows[-2:]] == [
        (2, 90.0, Flag.OK),
        (4, 91.0, Flag.OK),
    ]
    assert store.rows[-2].attributes is jump


def test_a_sensor_that_never_settles_is_not_remembered_for_ever(store: RecordedRows) -> None:
    sensor = {"device_class": "temperature", "unit_of_measurement": "°C", "state_class": "measurement"}
    entity = Entity(store)
    entity(1, "20", sensor)
    for time in range(2, 40):
        entity(time, "85" if time % 2 else "-127", sensor)
    entity(50, "20.5", sensor)
    assert store.rows[-1].flag is Flag.OK
    assert {row.flag for row in store.rows[1:-1]} <= {Flag.SPIKE, Flag.OK, Flag.IMPOSSIBLE}
    assert len({row.time for row in store.rows}) == 40
