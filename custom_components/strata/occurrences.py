"""What happens from one good reading of a source to the next: logged, fired, and told to event entities."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from homeassistant.core import CALLBACK_TYPE, callback

from .const import LOGGER
from .sources.base import Occurrence, Snapshot

if TYPE_CHECKING:
    from .coordinator import SourceCoordinator

ATTR_SOURCE = "source"
ATTR_TITLE = "title"
ATTR_TYPE = "type"


class Occurrences:
    """Finds out what has happened to one source.

    What was last said counts only while it is good. A restart takes up the last good reading, so it is no change by
    itself; and after a long silence there is nothing to compare with.
    """

    def __init__(self, source: SourceCoordinator) -> None:
        """Watch `source`, which says when there is news."""
        self._source = source
        self._listeners: list[tuple[str, Callable[[Occurrence], None]]] = []

    @callback
    def async_listen(self, key: str, listener: Callable[[Occurrence], None]) -> CALLBACK_TYPE:
        """Tell `listener` of each occurrence of the event `key`; what is returned ends that."""
        entry = (key, listener)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    @callback
    def async_announce(self, before: Snapshot | None) -> None:
        """Say what has happened since `before`."""
        after = self._source.snapshot()
        if before is None or after is None:
            return
        for event in self._source.role.events:
            if (occurrence := event.occurred(before, after)) is None:
                continue
            LOGGER.info("%s: %s (%s)", self._source.title, occurrence.type, _said(occurrence.attributes))
            about = {ATTR_SOURCE: self._source.subentry_id, ATTR_TITLE: self._source.title, ATTR_TYPE: occurrence.type}
            self._source.hass.bus.async_fire(event.fired, {**about, **occurrence.attributes})
            for key, listener in [*self._listeners]:
                if key == event.key:
                    listener(occurrence)


def _said(attributes: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in attributes.items())
