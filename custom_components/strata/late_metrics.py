"""Entities that come once a source has something for them: nobody needs a solar power that is unknown for ever."""

from collections.abc import Callable, Sequence

from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN
from .entity import owner_id
from .runtime import StrataConfigEntry
from .source_set import Speaker, shown_metrics
from .sources.base import Metric


class LateMetrics:
    """Knows of each speaker which entities of a platform, sensor or binary sensor, are still to come."""

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry, platform: Platform) -> None:
        """Wait for nothing yet."""
        self._hass = hass
        self._entry = entry
        self._platform = platform
        self._waiting: dict[str, CALLBACK_TYPE] = {}

    @callback
    def async_ready(self, speaker: Speaker, add: Callable[[Sequence[Metric]], None]) -> list[Metric]:
        """Return the metrics of the platform that are shown at once; those to come go to `add`, once each.

        Called again for a speaker it begins anew.
        """
        owner = owner_id(self._entry.entry_id, speaker)
        if (stop := self._waiting.pop(owner, None)) is not None:
            stop()
        binary = self._platform is Platform.BINARY_SENSOR
        metrics = [metric for metric in shown_metrics(speaker) if metric.binary is binary]
        waiting = [metric for metric in metrics if not self._is_ready(owner, speaker, metric)]
        if waiting:
            self._waiting[owner] = speaker.async_add_listener(lambda: self._look(owner, speaker, waiting, add))
        return [metric for metric in metrics if metric not in waiting]

    @callback
    def _look(
        self, owner: str, speaker: Speaker, waiting: list[Metric], add: Callable[[Sequence[Metric]], None]
    ) -> None:
        known = [metric for metric in waiting if _is_known(speaker, metric)]
        waiting[:] = [metric for metric in waiting if metric not in known]
        if not waiting:
            self._waiting.pop(owner)()
        if known:
            add(known)

    def _is_ready(self, owner: str, speaker: Speaker, metric: Metric) -> bool:
        """Say whether a metric has been known, be it before a restart."""
        if _is_known(speaker, metric):
            return True
        unique_id = f"{owner}_{metric.key}"
        return er.async_get(self._hass).async_get_entity_id(self._platform, DOMAIN, unique_id) is not None


def _is_known(speaker: Speaker, metric: Metric) -> bool:
    if metric.comes_when is None:
        return True
    snapshot = speaker.snapshot()
    return snapshot is not None and metric.comes_when(snapshot)
