"""When the home was being watched: runs, and from when a series held again."""

import sqlite3

import numpy as np
from numpy.typing import NDArray

from ..core.model import Flag, Micros, TimeRange


def begin(connection: sqlite3.Connection, now: Micros) -> tuple[int, bool, Micros | None]:
    """End a run that was cut off, start a new one, and return (id, unclean, last alive).

    A run that was killed ends at the last moment it is known to have recorded: its newest
    heartbeat. Rows say nothing about that: prices are dated ahead, and clocks are set back.
    """
    unfinished = connection.execute("SELECT id, start, alive FROM run WHERE stop IS NULL ORDER BY id DESC").fetchall()
    newest = connection.execute("SELECT MAX(time) FROM live WHERE flag = ?", (int(Flag.HEARTBEAT),)).fetchone()[0]
    for number, start, alive in unfinished:
        end = max(start, alive, newest or 0)
        connection.execute("UPDATE run SET stop = ?, alive = ? WHERE id = ?", (end, end, number))
    before = connection.execute("SELECT MAX(stop) FROM run").fetchone()[0]
    start = max(now, before or 0)
    number = connection.execute("INSERT INTO run (start, alive) VALUES (?, ?) RETURNING id", (start, start)).fetchone()[
        0
    ]
    return int(number), bool(unfinished), before


def end(connection: sqlite3.Connection, run: int, now: Micros) -> None:
    """End a run orderly."""
    connection.execute(
        "UPDATE run SET stop = MAX(start, ?), alive = MAX(start, ?), clean = 1 WHERE id = ?",
        (now, now, run),
    )


def stops(connection: sqlite3.Connection, when: TimeRange) -> NDArray[np.int64]:
    """Return the instants in `when` at which recording stopped."""
    found = connection.execute(
        "SELECT DISTINCT stop FROM run WHERE stop >= ? AND stop < ? ORDER BY stop", (when.start, when.end)
    ).fetchall()
    return np.array([row[0] for row in found], np.int64)


def during(connection: sqlite3.Connection, when: TimeRange) -> list[tuple[Micros, Micros]]:
    """Return start and end of the runs that touch `when`; the run that goes on ends with `when`."""
    return [
        (int(start), int(stop))
        for start, stop in connection.execute(
            "SELECT start, COALESCE(stop, ?) FROM run WHERE start < ? AND COALESCE(stop, ?) > ? ORDER BY start",
            (when.end, when.end, when.end, when.start),
        )
    ]


def resumes(connection: sqlite3.Connection, when: TimeRange, series: int | None = None) -> dict[int, list[Micros]]:
    """Return, by series, the instants in `when` from which its last value held again."""
    chosen = "" if series is None else "series = ? AND "
    parameters = (() if series is None else (series,)) + (when.start, when.end)
    found: dict[int, list[Micros]] = {}
    for number, time in connection.execute(
        f"SELECT series, time FROM resume WHERE {chosen}time >= ? AND time < ?"
        f" UNION SELECT series, time FROM live WHERE {chosen}time >= ? AND time < ? AND flag = ?"
        " ORDER BY time",
        (*parameters, *parameters, int(Flag.RESUME)),
    ):
        found.setdefault(number, []).append(time)
    return found
