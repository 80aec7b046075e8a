"""Views: answers that are kept ready.

A new view is a file, a table in the schema and a line here.
"""

from .base import View
from .daily_carbon_summary import DAILY_CARBON_SUMMARY
from .daily_device_runtime import DAILY_DEVICE_RUNTIME
from .daily_energy_by_device import DAILY_ENERGY_BY_DEVICE
from .energy_cost import DAILY_ENERGY_COST, HOURLY_ENERGY_COST
from .hourly_energy_summary import HOURLY_ENERGY_SUMMARY
from .room_activity import DAILY_ROOM_OCCUPANCY, HOURLY_ROOM_ACTIVITY, WEEKDAY_ROOM_ACTIVITY

VIEWS: tuple[View, ...] = (
    DAILY_ENERGY_BY_DEVICE,
    HOURLY_ROOM_ACTIVITY,
    DAILY_CARBON_SUMMARY,
    HOURLY_ENERGY_SUMMARY,
    HOURLY_ENERGY_COST,
    DAILY_ENERGY_COST,
    DAILY_DEVICE_RUNTIME,
    DAILY_ROOM_OCCUPANCY,
    WEEKDAY_ROOM_ACTIVITY,
)


def view(name: str) -> View:
    """Return a view by name.

    Raises:
        KeyError: there is no such view.
    """
    for found in VIEWS:
        if found.name == name:
            return found
    raise KeyError(name)
