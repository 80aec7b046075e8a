"""When each room is used: hour by hour, on an ordinary week, and day by day."""

from collections.abc import Iterator
from dataclasses import replace
import sqlite3

import numpy as np

from .base import AREA, DATE, FIVE_YEARS, HOUR, START, YEAR, Column, Shape, View, ViewRow
from .facts import Facts, number

PROFILE_DAYS = 56
"""The ordinary week is that of the last eight."""
_DAY_OF_WEEK = Column("day_of_week", Shape.WHOLE)
"""0 is Monday."""


def _hours(facts: Facts) -> Iterator[ViewRow]:
    day = facts.day
    for room in facts.rooms:
        for hour in np.flatnonzero(~np.isnan(room.rate) | (room.motion_count > 0)).tolist():
            yield (
                day.date,
                day.starts[hour],
                room.area,
                day.clock_hours[hour],
                day.weekday,
                int(room.motion_count[hour]),
                number(room.rate[hour]),
            )


def _week(connection: sqlite3.Connection, newest: int) -> Iterator[ViewRow]:
    """Yield the mean of each hour of the week over the weeks that are over; today is not."""
    yield from connection.execute(
        "SELECT area, day_of_week, hour, AVG(motion_count), AVG(occupancy_rate), COUNT(*)"
        " FROM view_hourly_room_activity WHERE date >= ? AND date < ? GROUP BY area, day_of_week, hour",
        (newest - PROFILE_DAYS, newest),
    )


def _days(facts: Facts) -> Iterator[ViewRow]:
    day = facts.day
    for room in facts.rooms:
        if not room.covered.any():
            continue
        busiest = int(np.nanargmax(room.rate))
        yield (
            day.date,
            room.area,
            float(room.occupied.sum()),
            float(room.occupied.sum() / room.covered.sum()),
            int(room.motion_count.sum()),
            day.clock_hours[busiest] if room.rate[busiest] > 0 else None,
        )


HOURLY_ROOM_ACTIVITY = View(
    name="hourly_room_activity",
    number=102,
    columns=(
        DATE,
        START,
        AREA,
        HOUR,
        _DAY_OF_WEEK,
        Column("motion_count", Shape.WHOLE),
        Column("occupancy_rate"),
    ),
    keep_days=YEAR,
    rows=_hours,
)
WEEKDAY_ROOM_ACTIVITY = View(
    name="weekday_room_activity",
    number=109,
    columns=(
        AREA,
        replace(_DAY_OF_WEEK, key=True),
        replace(HOUR, key=True),
        Column("motion_count"),
        Column("occupancy_rate"),
        Column("hours", Shape.WHOLE),
    ),
    keep_days=YEAR,
    derive=_week,
)
DAILY_ROOM_OCCUPANCY = View(
    name="daily_room_occupancy",
    number=108,
    columns=(
        DATE,
        AREA,
        Column("occupied_seconds", unit="s"),
        Column("occupancy_rate"),
        Column("motion_count", Shape.WHOLE),
        Column("busiest_hour", Shape.WHOLE),
    ),
    keep_days=FIVE_YEARS,
    rows=_days,
)
