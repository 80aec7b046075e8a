"""What a scan leaves behind for the next one, as JSON types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ...core.clock import DAY
from ...core.model import Micros
from ..base import Episode
from .episodes import Draft

VERSION = 1
KEPT: Micros = 90 * DAY
"""Episodes are kept this long after their end; normal ones for a year."""
NORMAL_KEPT: Micros = 365 * DAY


@dataclass(frozen=True, slots=True)
class State:
    """Everything up to `judged_until` is judged for good; `draft` is the newest episode as the policy sees it."""

    judged_until: Micros = 0
    draft: Draft | None = None
    episodes: tuple[Episode, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "version": VERSION,
            "judged_until": self.judged_until,
            "draft": None if self.draft is None else self.draft.as_json(),
            "episodes": [episode.as_json() for episode in self.episodes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self:
        """Take up what `as_json` gave; what cannot be read, or is of another version, counts as nothing."""
        if not data or data.get("version") != VERSION:
            return cls()
        try:
            draft = None if data["draft"] is None else Draft.from_json(data["draft"])
            return cls(int(data["judged_until"]), draft, tuple(Episode.from_json(e) for e in data["episodes"]))
        except KeyError, TypeError, ValueError:
            return cls()

    def with_episodes(self, new: Sequence[Episode], draft: Draft | None, judged_until: Micros) -> Self:
        """Return the state after a scan: episodes of the same key are replaced, old ones dropped."""
        by_key = {episode.key: episode for episode in (*self.episodes, *new)}
        kept = [
            episode
            for _, episode in sorted(by_key.items(), key=lambda item: item[1].start)
            if episode.end is None or judged_until - episode.end < (NORMAL_KEPT if episode.normal else KEPT)
        ]
        return replace(self, judged_until=judged_until, draft=draft, episodes=tuple(kept))


def mark_normal(state: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the state in which an episode is normal: nothing like it, or smaller, is reported from here on.

    An episode that is still going on stays open without alerts, and what it becomes is normal too.

    Raises:
        KeyError: the state has no such episode.
    """
    known = State.from_json(state)
    if not any(episode.key == key for episode in known.episodes):
        raise KeyError(key)
    draft = known.draft
    if draft is not None and str(draft.start) == key:
        draft.normal = True
    episodes = tuple(replace(e, normal=True) if e.key == key else e for e in known.episodes)
    return replace(known, draft=draft, episodes=episodes).as_json()
