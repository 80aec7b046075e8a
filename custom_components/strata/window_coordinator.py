"""One planned window as its entities see it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from .const import LOGGER
from .core.agenda import Booking
from .core.window import Span
from .runtime import StrataConfigEntry
from .window_subentry import appointment_of


class WindowCoordinator(DataUpdateCoordinator[Booking | None]):
    """A planned window; `data` is when it runs next or now, `answer` what is said about that."""

    config_entry: StrataConfigEntry

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry, subentry: ConfigSubentry) -> None:
        """Make the window that `subentry` describes.

        Raises:
            ValueError: its load profile is none.
        """
        super().__init__(hass, LOGGER, config_entry=entry, name=subentry.title)
        self.subentry_id = subentry.subentry_id
        self.title = subentry.title
        self.configuration: tuple[str, Mapping[str, Any]] = (subentry.title, dict(subentry.data))
        self.appointment = appointment_of(subentry.subentry_id, subentry.data)
        self.answer: JsonObjectType = {}

    @property
    def is_on(self) -> bool:
        """Whether the load is to run now."""
        return self.data is not None and self.data.runs_at(dt_util.utcnow())

    @property
    def part(self) -> Span | None:
        """The stretch that runs now, else the next one."""
        return self.part_at(dt_util.utcnow())

    def part_at(self, moment: datetime) -> Span | None:
        """Return the stretch that runs then, else the next one after that."""
        parts = self.data.parts if self.data else ()
        return next((part for part in parts if part[1] > moment), None)
