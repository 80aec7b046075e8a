"""The good worlds of all providers; a role is one file in `recordings` and one line here."""

from collections.abc import Mapping

from tests.contracts.recording import Recording
from tests.contracts.recordings import (
    air_quality,
    carbon_intensity,
    electricity_pricing,
    occupancy_prediction,
    smart_meter,
)

_BY_ROLE = (air_quality, carbon_intensity, electricity_pricing, occupancy_prediction, smart_meter)

RECORDINGS: Mapping[tuple[str, str], Recording] = {
    (role.ROLE, provider): recording for role in _BY_ROLE for provider, recording in role.RECORDINGS.items()
}
"""By role and provider."""
