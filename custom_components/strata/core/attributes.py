"""Which attributes of a state are kept with its row."""

from collections.abc import Mapping, Set as AbstractSet

MATCH_ALL = "*"
"""An entity that asks for this not to be recorded wants none of its attributes kept."""
ALWAYS_KEPT = frozenset({"device_class", "friendly_name", "state_class", "unit_of_measurement"})
"""What is kept even then, as Home Assistant's recorder does."""
NEVER_KEPT = frozenset({"access_token", "entity_picture"})
"""Tokens, and addresses that carry one."""
COORDINATES = frozenset({"latitude", "longitude"})
COORDINATE_DECIMALS = 2
"""About one kilometre: where a person or the home is shall not be read from the store."""
_SPECIAL = NEVER_KEPT | COORDINATES


def recordable(attributes: Mapping[str, object], unrecorded: AbstractSet[str]) -> Mapping[str, object]:
    """Return what of a state's attributes may be stored.

    `unrecorded` is what the entity asks not to be recorded. The very same object comes back where
    nothing has to go, so that equal attributes stay one object all the way into the store.
    """
    if MATCH_ALL in unrecorded:
        return {name: value for name, value in attributes.items() if name in ALWAYS_KEPT}
    if unrecorded.isdisjoint(attributes) and _SPECIAL.isdisjoint(attributes):
        return attributes
    return {
        name: _rounded(value) if name in COORDINATES else value
        for name, value in attributes.items()
        if name not in unrecorded and name not in NEVER_KEPT
    }


def _rounded(coordinate: object) -> float | None:
    return round(float(coordinate), COORDINATE_DECIMALS) if isinstance(coordinate, int | float) else None
