"""What a window subentry asks for."""

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any, Final

from .core.agenda import Appointment
from .core.daily import parse_profile
from .core.outlook import Aim
from .core.window import Phase

CONF_NAME: Final = "name"
CONF_DURATION: Final = "duration"
CONF_PROFILE: Final = "profile"
CONF_POWER: Final = "power"
CONF_WEIGHTS: Final = {Aim.PRICE: "price_weight", Aim.CARBON: "carbon_weight", Aim.SOLAR: "solar_weight"}
CONF_NOT_BEFORE: Final = "not_before"
CONF_READY_BY: Final = "ready_by"
CONF_CONTIGUOUS: Final = "contiguous"
CONF_SHORTEST_RUN: Final = "shortest_run"
CONF_APART: Final = "apart"
CONF_RANK: Final = "rank"
CONF_EXPORT_PRICE: Final = "export_price"
CONF_HOUSE_POWER: Final = "house_power"

DEFAULT_POWER = 1000.0
DEFAULTS: Mapping[str, Any] = {
    CONF_POWER: DEFAULT_POWER,
    CONF_WEIGHTS[Aim.PRICE]: 1.0,
    CONF_WEIGHTS[Aim.CARBON]: 0.0,
    CONF_WEIGHTS[Aim.SOLAR]: 0.0,
    CONF_CONTIGUOUS: True,
    CONF_APART: True,
    CONF_RANK: 1,
    CONF_EXPORT_PRICE: 0.0,
    CONF_HOUSE_POWER: 0.0,
}


def appointment_of(key: str, data: Mapping[str, Any]) -> Appointment:
    """Return what a subentry with this data asks for; what it does not say is as in `DEFAULTS`.

    Raises:
        ValueError: its load profile is none.
    """
    said = {**DEFAULTS, **data}
    text: str = said.get(CONF_PROFILE, "")
    profile = parse_profile(text) if text else (Phase(_period(said.get(CONF_DURATION)), float(said[CONF_POWER])),)
    return Appointment(
        key=key,
        profile=profile,
        weights={aim: float(said[name]) for aim, name in CONF_WEIGHTS.items()},
        not_before=_time(said.get(CONF_NOT_BEFORE)),
        ready_by=_time(said.get(CONF_READY_BY)),
        contiguous=said[CONF_CONTIGUOUS],
        shortest_run=_period(said.get(CONF_SHORTEST_RUN)) or None,
        apart=said[CONF_APART],
        rank=int(said[CONF_RANK]),
        export_price=float(said[CONF_EXPORT_PRICE]),
        house_watts=float(said[CONF_HOUSE_POWER]),
    )


def _period(said: Mapping[str, float] | None) -> timedelta:
    return timedelta(**said) if said else timedelta()


def _time(said: str | None) -> time | None:
    return time.fromisoformat(said) if said else None
