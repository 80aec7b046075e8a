"""What the user decides about the search for anomalies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, Final, Self

from ..analysis.anomaly import METHODS as _METHODS, SENSITIVITIES as _SENSITIVITIES, QuietHours

CONF_ANALYSIS: Final = "analysis"
"""Where the hub's options keep all of this."""
CONF_SENSITIVITY: Final = "sensitivity"
CONF_METHOD: Final = "method"
CONF_ENTITIES: Final = "entities"
CONF_LABELS: Final = "labels"
CONF_PAUSED: Final = "paused"
CONF_QUIET_ENTITIES: Final = "quiet_entities"
CONF_QUIET_FROM: Final = "quiet_from"
CONF_QUIET_UNTIL: Final = "quiet_until"
CONF_QUIET_ONLY_AWAY: Final = "quiet_only_away"

OFF: Final = "off"
SENSITIVITIES: Final = (OFF, *_SENSITIVITIES)
METHODS: Final = tuple(_METHODS)
NEEDS: Final[Mapping[str, str]] = {"isolation_forest": "learning", "ensemble": "learning"}
"""What has to be installed for a method: a name in `dependencies.FEATURES`."""
QUIET_FROM: Final = time(23)
QUIET_UNTIL: Final = time(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisOptions:
    """The options as they are used; `entities` and `labels` both empty means the default choice."""

    sensitivity: str = "medium"
    method: str = METHODS[0]
    entities: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()
    paused: frozenset[str] = frozenset()
    quiet_entities: frozenset[str] = frozenset()
    quiet_from: time = QUIET_FROM
    quiet_until: time = QUIET_UNTIL
    quiet_only_away: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Return what the hub's options say; what they do not say is the default."""
        said: Mapping[str, Any] = options.get(CONF_ANALYSIS, {})
        return cls(
            sensitivity=said.get(CONF_SENSITIVITY, "medium"),
            method=said.get(CONF_METHOD, METHODS[0]),
            entities=tuple(said.get(CONF_ENTITIES, ())),
            labels=frozenset(said.get(CONF_LABELS, ())),
            paused=frozenset(said.get(CONF_PAUSED, ())),
            quiet_entities=frozenset(said.get(CONF_QUIET_ENTITIES, ())),
            quiet_from=time.fromisoformat(said.get(CONF_QUIET_FROM, QUIET_FROM.isoformat())),
            quiet_until=time.fromisoformat(said.get(CONF_QUIET_UNTIL, QUIET_UNTIL.isoformat())),
            quiet_only_away=said.get(CONF_QUIET_ONLY_AWAY, True),
        )

    @property
    def active(self) -> bool:
        """Whether anything is looked for by itself."""
        return self.sensitivity != OFF

    @property
    def quiet_hours(self) -> QuietHours:
        """The rule of quiet hours."""
        return QuietHours(self.quiet_from, self.quiet_until, only_away=self.quiet_only_away)
