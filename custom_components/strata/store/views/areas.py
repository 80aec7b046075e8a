"""Which area each series was in: a sensor that moves leaves its history in the room it was made in."""

from collections.abc import Mapping
import sqlite3

from ...core.model import Micros, Series

type AreaHistory = dict[int, list[tuple[Micros, str]]]
"""By series, since when it is where, oldest first."""


def area_history(connection: sqlite3.Connection) -> AreaHistory:
    """Return what was noted."""
    found: AreaHistory = {}
    for series, since, area in connection.execute("SELECT series, since, area FROM view_area ORDER BY since"):
        found.setdefault(series, []).append((since, area))
    return found


def note_areas(connection: sqlite3.Connection, series: Mapping[int, Series], now: Micros) -> None:
    """Note where each series is now, if it was elsewhere or nowhere before.

    The first note counts for all time before it: earlier areas are not known.
    """
    before = {number: notes[-1][1] for number, notes in area_history(connection).items()}
    moved = []
    for number, known in series.items():
        area = known.labels.get("area_id", "")
        if number not in before:
            if area:
                moved.append((number, 0, area))
        elif before[number] != area:
            moved.append((number, now, area))
    connection.executemany("INSERT OR REPLACE INTO view_area VALUES (?, ?, ?)", moved)
