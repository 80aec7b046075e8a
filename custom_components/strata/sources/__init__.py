"""Outside sources: a role says what is measured, a provider where it comes from."""

from .air_quality import AIR_QUALITY
from .base import Role
from .carbon_intensity import CARBON_INTENSITY
from .electricity_pricing import ELECTRICITY_PRICING
from .occupancy_prediction import OCCUPANCY_PREDICTION
from .smart_meter import SMART_METER

ROLES: tuple[Role, ...] = (CARBON_INTENSITY, ELECTRICITY_PRICING, AIR_QUALITY, OCCUPANCY_PREDICTION, SMART_METER)
"""All roles, in the order forms show them. A new role is one line here."""


def role(key: str) -> Role:
    """Return the role called `key`.

    Raises:
        KeyError: there is none.
    """
    for candidate in ROLES:
        if candidate.key == key:
            return candidate
    raise KeyError(f"there is no role {key!r}")
