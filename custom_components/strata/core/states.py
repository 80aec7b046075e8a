"""What a Home Assistant state is: a number, on or off, a named state, or a gap.

A typed state carries its text only where the value alone cannot give the state back: `open` is 1,
`opening` is 1 with its text, `1.10` from a sensor without a unit is 1.1 with its text.
"""

from collections.abc import Callable, Mapping
from functools import partial
import re
from typing import NamedTuple

from .model import Kind
from .texts import storable

GAP_STATES = frozenset({"unavailable", "unknown"})

FIELD_OF_KIND: Mapping[Kind, str] = {
    Kind.MEASUREMENT: "value",
    Kind.METER: "value",
    Kind.ON_OFF: "value",
    Kind.TEXT: "state",
}
"""The field of `home_assistant_events` that holds a kind; one field cannot hold numbers and texts."""


class TypedState(NamedTuple):
    """A state as it is stored: its kind, its number if it has one, its text if it needs one."""

    kind: Kind
    value: float | None
    text: str | None


class StateTraits(NamedTuple):
    """What decides how the states of an entity are read; units are the state attribute's."""

    device_class: str | None = None
    state_class: str | None = None
    unit: str | None = None
    resets: bool = False
    """The entity has the attribute `last_reset`."""

    @classmethod
    def of(cls, attributes: Mapping[str, object]) -> StateTraits:
        """Return the traits that a state's attributes tell."""
        get = attributes.get
        device_class, state_class, unit = get("device_class"), get("state_class"), get("unit_of_measurement")
        return cls(
            device_class if isinstance(device_class, str) else None,
            state_class if isinstance(state_class, str) else None,
            storable(unit) if isinstance(unit, str) else None,
            "last_reset" in attributes,
        )


type StateReader = Callable[[str, Mapping[str, object]], TypedState]
"""Types a state string, given the state's attributes; never called with `GAP_STATES`."""

NUMBER_DOMAINS = frozenset({"air_quality", "counter", "input_number", "number", "zone"})
TEXT_DOMAINS = frozenset(
    {
        "alarm_control_panel",
        "alert",
        "assist_satellite",
        "camera",
        "climate",
        "date",
        "datetime",
        "input_datetime",
        "input_select",
        "input_text",
        "lawn_mower",
        "media_player",
        "select",
        "text",
        "time",
        "timer",
        "vacuum",
        "water_heater",
        "weather",
    }
)
"""Domains with many states; here even `on`, `off` and `3` are names."""
TEXT_DEVICE_CLASSES = frozenset({"date", "enum", "timestamp", "uptime"})
"""Home Assistant's sensor device classes that are no numbers."""
PRESENCE_DOMAINS = frozenset({"device_tracker", "person"})

_SWITCHED = {"on": 1.0, "off": 0.0}
_OPENED = {"open": 1.0, "closed": 0.0, "opening": 1.0, "closing": 1.0}
_UNLOCKED = {
    "unlocked": 1.0,
    "locked": 0.0,
    # Not known to be locked, so not locked: the side a home errs on.
    **dict.fromkeys(("unlocking", "locking", "open", "opening", "jammed"), 1.0),
}
_RISEN = {"above_horizon": 1.0, "below_horizon": 0.0}

_WORDS: Mapping[str, tuple[Mapping[str, float], frozenset[str]]] = {
    # Domain: the value of each word, and the two words that the values themselves stand for.
    **dict.fromkeys(
        (
            "automation",
            "binary_sensor",
            "calendar",
            "fan",
            "humidifier",
            "input_boolean",
            "light",
            "remote",
            "schedule",
            "script",
            "siren",
            "switch",
            "update",
        ),
        (_SWITCHED, frozenset({"on", "off"})),
    ),
    **dict.fromkeys(("cover", "valve"), (_OPENED, frozenset({"open", "closed"}))),
    "lock": (_UNLOCKED, frozenset({"unlocked", "locked"})),
    "sun": (_RISEN, frozenset({"above_horizon", "below_horizon"})),
}

# A number as a template would print one: no leading zeros (those are codes), digits 0 to 9 only.
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,17})?(?:e[-+][0-9]{1,2})?", re.ASCII)


def state_reader(domain: str, traits: StateTraits) -> StateReader:
    """Return what types the states of an entity of `domain` with these traits.

    Kinds: two-state domains are ON_OFF; numbers are METER for the state classes `total` and
    `total_increasing` and MEASUREMENT otherwise; all else is TEXT. A balance (device class
    `monetary`, `total`, no `last_reset`) goes down as well as up and is a MEASUREMENT. A state that
    does not fit its entity's kind is TEXT, so one entity may have states of two kinds.
    """
    if domain in _READERS:
        return _READERS[domain]
    if domain == "sensor" and traits.device_class in TEXT_DEVICE_CLASSES:
        return _text
    if traits.state_class or traits.unit or (domain == "sensor" and traits.device_class):
        return partial(_number, _number_kind(traits))
    return _unmarked_sensor if domain == "sensor" else _unmarked


def read_state(domain: str, state: str, attributes: Mapping[str, object]) -> TypedState | None:
    """Return the typed state, or None for a gap (`unknown`, `unavailable`)."""
    if state in GAP_STATES:
        return None
    return state_reader(domain, StateTraits.of(attributes))(state, attributes)


def _number_kind(traits: StateTraits) -> Kind:
    balance = traits.device_class == "monetary" and not traits.resets
    if traits.state_class == "total_increasing" or (traits.state_class == "total" and not balance):
        return Kind.METER
    return Kind.MEASUREMENT


def _number(kind: Kind, state: str, attributes: Mapping[str, object]) -> TypedState:
    # NaN and infinities are numbers here: the plausibility gate flags them, nothing is lost.
    try:
        value = float(state)
    except ValueError:
        return TypedState(Kind.TEXT, None, state)
    # Python reads 1_000, which no device writes as a number.
    return TypedState(Kind.TEXT, None, state) if "_" in state else TypedState(kind, value, None)


def _text(state: str, attributes: Mapping[str, object]) -> TypedState:
    return TypedState(Kind.TEXT, None, state)


def _event(state: str, attributes: Mapping[str, object]) -> TypedState:
    # The state is the time of the event, which the row has; what happened is the event type.
    event_type = attributes.get("event_type")
    return TypedState(Kind.TEXT, None, event_type if isinstance(event_type, str) else state)


def _presence(state: str, attributes: Mapping[str, object]) -> TypedState:
    # Zones are named states, so the time in each survives in the roll-ups; the value says "home".
    return TypedState(Kind.TEXT, float(state == "home"), state)


def _unmarked_sensor(state: str, attributes: Mapping[str, object]) -> TypedState:
    """Type the state of a sensor without unit, state class and device class by its looks."""
    if not _PLAIN_NUMBER.fullmatch(state):
        return TypedState(Kind.TEXT, None, state)
    value = float(state)
    return TypedState(Kind.MEASUREMENT, value, None if state in {repr(value), f"{value:.0f}"} else state)


def _unmarked(state: str, attributes: Mapping[str, object]) -> TypedState:
    value = _SWITCHED.get(state)
    return _unmarked_sensor(state, attributes) if value is None else TypedState(Kind.ON_OFF, value, None)


def _words(words: Mapping[str, float], plain: frozenset[str]) -> StateReader:
    typed = {word: TypedState(Kind.ON_OFF, value, None if word in plain else word) for word, value in words.items()}
    return lambda state, attributes: typed.get(state) or TypedState(Kind.TEXT, None, state)


_READERS: Mapping[str, StateReader] = {
    **{domain: _words(*words) for domain, words in _WORDS.items()},
    **dict.fromkeys(NUMBER_DOMAINS, partial(_number, Kind.MEASUREMENT)),
    **dict.fromkeys(TEXT_DOMAINS, _text),
    **dict.fromkeys(PRESENCE_DOMAINS, _presence),
    "event": _event,
}
