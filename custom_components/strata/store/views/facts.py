"""What views share about one day, worked out once."""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from ...core.model import Series
from .day import Day, Floats
from .energy import DeviceEnergy, Tariff, Total, carbon, devices, tariff, total, whole_home
from .rooms import RoomHours, rooms


class Facts:
    """One day and what follows from it, each part when it is first asked for."""

    def __init__(self, day: Day, known_before: Callable[[Series], bool] = lambda series: False) -> None:
        """Take the day; `known_before` is as in `energy.devices`."""
        self.day = day
        self._known_before = known_before

    @cached_property
    def devices(self) -> list[DeviceEnergy]:
        """What each device used."""
        return devices(self.day, self._known_before)

    @cached_property
    def tariff(self) -> Tariff:
        """The price of each hour."""
        return tariff(self.day)

    @cached_property
    def carbon(self) -> Floats:
        """The carbon intensity of each hour."""
        return carbon(self.day)

    @cached_property
    def home(self) -> tuple[str, Floats] | None:
        """What the home used by hour, and what says so."""
        return whole_home(self.day, self.devices)

    @cached_property
    def rooms(self) -> list[RoomHours]:
        """What happened in each room."""
        return rooms(self.day)

    def total(self, kwh: Floats) -> Total:
        """Return what energy by hour cost and stood for."""
        return total(kwh, self.tariff, self.carbon)


def number(value: float) -> float | None:
    """Return a number as it is stored: none instead of NaN."""
    return None if np.isnan(value) else float(value)
