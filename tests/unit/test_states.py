"""How Home Assistant's states are typed."""

import math

import pytest

from custom_components.strata.core.model import Kind
from custom_components.strata.core.states import FIELD_OF_KIND, read_state

POWER = {"device_class": "power", "unit_of_measurement": "W", "state_class": "measurement"}
ENERGY = {"device_class": "energy", "unit_of_measurement": "kWh", "state_class": "total_increasing"}


@pytest.mark.parametrize("state", ["unknown", "unavailable"])
@pytest.mark.parametrize("domain", ["sensor", "light", "person", "climate", "event"])
def test_unknown_is_a_gap(domain: str, state: str) -> None:
    assert read_state(domain, state, {}) is None


@pytest.mark.parametrize(
    ("domain", "state", "value", "text"),
    [
        ("binary_sensor", "on", 1, None),
        ("binary_sensor", "off", 0, None),
        ("switch", "on", 1, None),
        ("light", "off", 0, None),
        ("fan", "on", 1, None),
        ("input_boolean", "off", 0, None),
        ("automation", "on", 1, None),
        ("calendar", "off", 0, None),
        ("sun", "above_horizon", 1, None),
        ("sun", "below_horizon", 0, None),
        ("lock", "locked", 0, None),
        ("lock", "unlocked", 1, None),
        ("lock", "jammed", 1, "jammed"),
        ("lock", "locking", 1, "locking"),
        ("cover", "open", 1, None),
        ("cover", "closed", 0, None),
        ("cover", "opening", 1, "opening"),
        ("valve", "closing", 1, "closing"),
        # A domain nobody has told us about, and groups.
        ("group", "on", 1, None),
        ("robot", "off", 0, None),
    ],
)
def test_two_states_are_one_and_zero(domain: str, state: str, value: float, text: str | None) -> None:
    assert read_state(domain, state, {}) == (Kind.ON_OFF, value, text)


@pytest.mark.parametrize(
    ("domain", "state", "attributes"),
    [
        ("climate", "off", {}),
        ("media_player", "on", {}),
        ("select", "3", {}),
        ("input_text", "12", {}),
        ("sensor", "on", {}),
        ("sensor", "7", {"device_class": "enum"}),
        ("sensor", "2026-11-20T10:00:00+00:00", {"device_class": "timestamp"}),
        ("sensor", "rinsing", {}),
        ("sensor", "", {}),
        ("sensor", "defect", POWER),
        ("sensor", "1_000", POWER),
        ("fan", "auto", {}),
        ("alarm_control_panel", "armed_away", {}),
        ("group", "home", {}),
        # Codes, not numbers: a number would lose the zeros, or the meaning.
        ("sensor", "007", {}),
        ("sensor", "1e5", {}),
        ("sensor", "nan", {}),
        ("sensor", "inf", {}),
        ("sensor", "١٢", {}),
        ("sensor", "+5", {}),
        ("sensor", "4006381333931004006381333931", {}),
    ],
)
def test_named_states_are_text(domain: str, state: str, attributes: dict[str, object]) -> None:
    assert read_state(domain, state, attributes) == (Kind.TEXT, None, state)


def test_zones_are_named_states_that_say_whether_someone_is_home() -> None:
    assert read_state("person", "home", {}) == (Kind.TEXT, 1, "home")
    assert read_state("device_tracker", "not_home", {}) == (Kind.TEXT, 0, "not_home")
    assert read_state("person", "Work", {}) == (Kind.TEXT, 0, "Work")


def test_an_event_is_what_happened_not_when() -> None:
    assert read_state("event", "2026-11-20T10:00:00.000+00:00", {"event_type": "double_press"}) == (
        Kind.TEXT,
        None,
        "double_press",
    )
    assert read_state("event", "2026-11-20T10:00:00.000+00:00", {}) == (
        Kind.TEXT,
        None,
        "2026-11-20T10:00:00.000+00:00",
    )


@pytest.mark.parametrize(
    ("domain", "state", "attributes", "value"),
    [
        ("sensor", "230.5", POWER, 230.5),
        ("sensor", "-3", POWER, -3),
        ("sensor", "1e5", POWER, 100_000),
        ("sensor", "007", POWER, 7),
        ("sensor", "١٢", POWER, 12),
        ("sensor", "21.5", {"unit_of_measurement": "°C"}, 21.5),
        ("sensor", "5", {"state_class": "measurement"}, 5),
        ("sensor", "42", {"device_class": "aqi"}, 42),
        ("sensor", "270", {"state_class": "measurement_angle"}, 270),
        ("number", "20.0", {}, 20),
        ("input_number", "3.25", {}, 3.25),
        ("counter", "9", {}, 9),
        ("zone", "2", {}, 2),
        ("proximity", "300", {"unit_of_measurement": "m"}, 300),
        # No unit, no class: a number if it is written as one.
        ("sensor", "5", {}, 5),
        ("sensor", "-0.5", {}, -0.5),
        ("sensor", "21.0", {}, 21),
        ("sensor", "1e-05", {}, 0.00001),
        ("plant_pot", "12", {}, 12),
    ],
)
def test_numbers(domain: str, state: str, attributes: dict[str, object], value: float) -> None:
    assert read_state(domain, state, attributes) == (Kind.MEASUREMENT, value, None)


def test_a_number_that_cannot_give_its_text_back_keeps_it() -> None:
    assert read_state("sensor", "1.10", {}) == (Kind.MEASUREMENT, 1.1, "1.10")
    assert read_state("sensor", "2026.10", {}) == (Kind.MEASUREMENT, 2026.1, "2026.10")


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        (ENERGY, Kind.METER),
        ({"state_class": "total", "unit_of_measurement": "kWh", "device_class": "energy"}, Kind.METER),
        (
            {
                "state_class": "total",
                "unit_of_measurement": "EUR",
                "device_class": "monetary",
                "last_reset": "2026-01-01",
            },
            Kind.METER,
        ),
        ({"state_class": "total", "unit_of_measurement": "EUR", "device_class": "monetary"}, Kind.MEASUREMENT),
        (
            {"state_class": "measurement", "unit_of_measurement": "kWh", "device_class": "energy_storage"},
            Kind.MEASUREMENT,
        ),
        # Attributes of the wrong type say nothing.
        ({"state_class": 3, "unit_of_measurement": "W", "device_class": ["power"]}, Kind.MEASUREMENT),
    ],
)
def test_what_grows_is_a_meter(attributes: dict[str, object], kind: Kind) -> None:
    assert read_state("sensor", "17.5", attributes) == (kind, 17.5, None)


def test_nan_and_infinity_of_a_number_sensor_reach_the_gate() -> None:
    for state in ("nan", "inf", "-inf", "NaN", "Infinity"):
        typed = read_state("sensor", state, POWER)
        assert typed is not None
        assert typed.kind is Kind.MEASUREMENT
        assert typed.value is not None
        assert not math.isfinite(typed.value)


def test_numbers_and_texts_never_share_a_field() -> None:
    assert set(FIELD_OF_KIND) == set(Kind)
    assert {FIELD_OF_KIND[kind] for kind in Kind if kind is not Kind.TEXT} == {"value"}
    assert FIELD_OF_KIND[Kind.TEXT] == "state"
