"""Several sources of one role: the first that has a good reading speaks for the role."""

from collections.abc import Callable, Sequence
from typing import Any

from homeassistant.core import CALLBACK_TYPE, callback

from .coordinator import SourceCoordinator
from .sources.base import Reading, Role, Snapshot


class RankedRole:
    """What a role says, whichever of its sources says it.

    Automations that use its entities need not change when a provider fails or is exchanged.
    """

    def __init__(self, role: Role, sources: Sequence[SourceCoordinator]) -> None:
        """Follow `sources`."""
        self.role = role
        self.sources: tuple[SourceCoordinator, ...] = ()
        self._listeners: list[CALLBACK_TYPE] = []
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self.async_follow(sources)

    @callback
    def async_follow(self, sources: Sequence[SourceCoordinator]) -> None:
        """Follow these sources from now on, the lowest rank first."""
        self.async_stop()
        self.sources = tuple(sorted(sources, key=lambda source: (source.rank, source.title)))
        self._unsubscribe = [source.async_add_listener(self._changed) for source in self.sources]
        self._changed()

    @callback
    def async_stop(self) -> None:
        """Follow nothing any more."""
        while self._unsubscribe:
            self._unsubscribe.pop()()

    @property
    def speaker(self) -> SourceCoordinator | None:
        """The first source by rank that has a good reading, or None.

        Only sources with the unit of the first one speak: a price must not turn into one of another currency
        under an automation that compares it.
        """
        units = [source.reading.unit for source in self.sources if source.reading]
        good = (source for source in self.sources if source.snapshot() is not None)
        return next((source for source in good if source.reading and source.reading.unit == units[0]), None)

    @property
    def reading(self) -> Reading | None:
        """The reading of the source that speaks; failing that, the newest word of the first."""
        source = self.speaker or (self.sources[0] if self.sources else None)
        return source.reading if source else None

    def snapshot(self) -> Snapshot | None:
        """What the role's values are computed from, None when no source has a good reading."""
        speaker = self.speaker
        return speaker.snapshot() if speaker else None

    @callback
    def async_add_listener(self, update_callback: CALLBACK_TYPE, context: Any = None) -> Callable[[], None]:
        """Call `update_callback` whenever the role may say something else."""
        self._listeners.append(update_callback)
        return lambda: self._listeners.remove(update_callback)

    @callback
    def _changed(self) -> None:
        for listener in list(self._listeners):
            listener()
