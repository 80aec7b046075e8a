"""Who is told what: alerts that belong together become one finding, and a day has few of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from ..analysis.anomaly import may_push
from ..analysis.anomaly.grouping import TOGETHER
from ..analysis.base import Episode
from ..analysis.watching import Target
from ..core.model import Micros
from ..store.tiers import HOUR

NEWS_FOR: Final = 6 * HOUR
"""An alert older than this is history: it is listed, nobody is told."""
_REMEMBERED: Final = 100


@dataclass(frozen=True, slots=True)
class Alert:
    """An episode of an entity of which somebody should be told."""

    target: Target
    episode: Episode
    time: Micros


@dataclass(frozen=True, slots=True)
class Told:
    """What goes out as one: the most severe alert, the others of the same time, and whether to notify."""

    main: Alert
    related: tuple[Alert, ...]
    notify: bool


@dataclass(slots=True)
class Teller:
    """Remembers what was told: when findings began, and when somebody was notified."""

    begun: list[Micros] = field(default_factory=list)
    notified: list[Micros] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self:
        """Take up what `as_json` gave; what cannot be read counts as nothing."""
        try:
            return cls(*([int(time) for time in (data or {})[name]] for name in ("begun", "notified")))
        except KeyError, TypeError, ValueError:
            return cls()

    def as_json(self) -> dict[str, Any]:
        """Return what has to survive a restart."""
        return {"begun": self.begun[-_REMEMBERED:], "notified": self.notified[-_REMEMBERED:]}

    def tell(self, alerts: Iterable[Alert], now: Micros, timezone: str) -> list[Told]:
        """Return what goes out, each group once; alerts that are no news any more are left out.

        An alert that belongs to a finding already told joins it without a further notification, unless the
        episode itself has become worse since it was first told of.
        """
        fresh = sorted((each for each in alerts if now - each.time <= NEWS_FOR), key=lambda each: each.episode.start)
        return [self._told(group, now, timezone) for group in _groups(fresh)]

    def _told(self, group: list[Alert], now: Micros, timezone: str) -> Told:
        group.sort(key=lambda each: (-each.episode.severity.rank, -each.episode.score, each.target.entity_id))
        main, *related = group
        begin = min(each.episode.start for each in group)
        known = any(abs(begin - start) <= TOGETHER for start in self.begun)
        worse = any(each.time > each.episode.alerts[0] for each in group if each.episode.alerts)
        notify = (not known or worse) and may_push(now, main.episode.severity, self.notified, timezone=timezone)
        if not known:
            self.begun.append(begin)
        if notify:
            self.notified.append(now)
        return Told(main, tuple(related), notify)


def _groups(alerts: list[Alert]) -> list[list[Alert]]:
    """Return alerts, in the order in which their episodes began, in groups that began together."""
    groups: list[list[Alert]] = []
    for alert in alerts:
        if groups and alert.episode.start - groups[-1][0].episode.start <= TOGETHER:
            groups[-1].append(alert)
        else:
            groups.append([alert])
    return groups
