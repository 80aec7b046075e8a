"""The good worlds of all providers; a role is one file in `recordings` and one line here."""

from collections.abc import Mapping

from tests.contracts.recording import Recording
from tests.contracts.recordings import carbon_intensity, electricity_pricing

_BY_ROLE = (carbon_intensity, electricity_pricing)

RECORDINGS: Mapping[tuple[str, str], Recording] = {
    (role.ROLE, provider): recording for role in _BY_ROLE for provider, recording in role.RECORDINGS.items()
}
"""By role and provider."""
