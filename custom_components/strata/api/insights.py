"""`insights`: what is unusual about the home."""

from datetime import timedelta
from typing import Any, ClassVar, override

from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType
import probatio

from ..anomalies.coordinator import ANOMALIES_CHANGED, AnomalyCoordinator
from ..anomalies.entities import with_evidence
from ..core.model import to_micros
from ..http import BASE_PATH, ApiCall, StrataView
from ..runtime import StrataConfigEntry
from ..websocket import CONF_SUBSCRIBE, followed

CONF_LOOKBACK_HOURS = "lookback_hours"
LONGEST_LOOKBACK = 90 * 24
"""Hours; episodes are kept for 90 days."""
_LOOKBACK = probatio.All(probatio.Coerce(int), probatio.Range(min=1, max=LONGEST_LOOKBACK))


def answer_anomalies(anomalies: AnomalyCoordinator, lookback_hours: int) -> JsonObjectType:
    """Return the episodes that went on in the last hours, newest first, and who is watched how."""
    found = anomalies.since(to_micros(dt_util.utcnow() - timedelta(hours=lookback_hours)))
    answer: dict[str, Any] = {
        "lookback_hours": lookback_hours,
        "method": anomalies.options.method,
        "sensitivity": anomalies.options.sensitivity,
        "anomalies_count": len(found),
        "anomalies": [with_evidence(*pair) for pair in found],
        "watched": {
            each.target.entity_id: {"status": each.status, "days": each.days} for each in anomalies.watched.values()
        },
    }
    return answer


class AnomaliesView(StrataView):
    """Episodes, with the evidence for each."""

    url = f"{BASE_PATH}/insights/anomalies"
    name = "api:strata:insights:anomalies"
    query: ClassVar[probatio.Schema] = probatio.Schema({probatio.Optional(CONF_LOOKBACK_HOURS, default=24): _LOOKBACK})

    @override
    async def async_answer(self, call: ApiCall) -> JsonObjectType:
        return answer_anomalies(call.entry.runtime_data.anomalies, call.query[CONF_LOOKBACK_HOURS])


@websocket_command(
    {
        probatio.Required("type"): "strata/anomalies",
        probatio.Optional(CONF_LOOKBACK_HOURS, default=24): _LOOKBACK,
        probatio.Optional(CONF_SUBSCRIBE): bool,
    }
)
@followed(ANOMALIES_CHANGED)
async def anomalies(_hass: HomeAssistant, entry: StrataConfigEntry, msg: dict[str, Any]) -> JsonObjectType:
    """Say what is unusual."""
    return answer_anomalies(entry.runtime_data.anomalies, msg[CONF_LOOKBACK_HOURS])


VIEWS = (AnomaliesView,)
COMMANDS = (anomalies,)
