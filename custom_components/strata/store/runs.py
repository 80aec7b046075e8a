"""When the home was being watched: runs, and from when a series held again."""

import sqlite3

import numpy as np
from numpy.typing import NDArray

from ..core.clock_watch import AHEAD
from ..core.model import Flag, Micros, TimeRange

_DOUBTED = "clock_doubted"
"""In `meta`: the newest moment that was certain when a run began to doubt the clock."""


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
    certain = _after_doubt(connection, now)
    before = connection.execute("SELECT MAX(stop) FROM run").fetchone()[0]
    start = max(now, before or 0)
    number = connection.execute("INSERT INTO run (start, alive) VALUES (?, ?) RETURNING id", (start, start)).fetchone()[
        0
    ]
    return int(number), bool(unfinished), before if certain is None else certain


def doubt(connection: sqlite3.Connection, certain: Micros | None) -> None:
    """Keep that the clock is doubted since a moment that was certain; None where it is believed again."""
    connection.execute("DELETE FROM meta WHERE name = ?", (_DOUBTED,))
    if certain is not None:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (_DOUBTED, certain))


def _after_doubt(connection: sqlite3.Connection, now: Micros) -> Micros | None:
    """Take back what a run with a wrong clock dated ahead, where it is right now; return what was certain before it.

    Nothing of it is anywhere but in `live`. By how much the clock was wrong nobody knows any more.
    """
    found = connection.execute("SELECT value FROM meta WHERE name = ?", (_DOUBTED,)).fetchone()
    if found is None:
        return None
    certain = int(found[0])
    if now > certain + AHEAD:
        return certain
    wrong = now + AHEAD // 2
    connection.execute("DELETE FROM run WHERE start > ?", (wrong,))
    keep_newest_number(connection)
    connection.execute("DELETE FROM live WHERE time > ? AND flag < ?", (wrong, int(Flag.ATTRIBUTES)))
    connection.execute("UPDATE live SET time = ? WHERE time > ?", (now, wrong))
    doubt(connection, None)
    return None


def end(connection: sqlite3.Connection, run: int, now: Micros) -> None:
    """End a run orderly."""
    connection.execute(
        "UPDATE run SET stop = MAX(start, ?), alive = MAX(start, ?), clean = 1 WHERE id = ?",
        (now, now, run),
    )


def begin_another(connection: sqlite3.Connection, began: Micros) -> int:
    """Begin a run beside those that have ended; return its id."""
    found = connection.execute("INSERT INTO run (start, alive) VALUES (?, ?) RETURNING id", (began, began)).fetchone()
    return int(found[0])


def keep_newest_number(connection: sqlite3.Connection) -> None:
    """Keep the highest number of `live`, whose rows with it are about to leave: numbers never go back."""
    connection.execute(
        "INSERT INTO meta SELECT 'live_seq', MAX(seq) FROM live WHERE true HAVING MAX(seq) IS NOT NULL"
        " ON CONFLICT (name) DO UPDATE SET value = MAX(value, excluded.value)"
    )


def move(connection: sqlite3.Connection, run: int, after: Micros, by: Micros) -> int:
    """Give what a run dated after an instant another time, as far as it is in `live`; return how many rows that was.

    They get new numbers, too, so that whoever follows the feed hears of them once more.
    """
    connection.execute(
        "UPDATE run SET start = IIF(start > ?1, start + ?2, start), alive = IIF(alive > ?1, alive + ?2, alive)"
        " WHERE id = ?3",
        (after, by, run),
    )
    doubt(connection, None)
    first, last = connection.execute(
        "SELECT (SELECT MIN(seq) FROM live WHERE time > ?), (SELECT MAX(seq) FROM live)", (after,)
    ).fetchone()
    if first is None:
        return 0
    return connection.execute(
        "UPDATE live SET time = time + ?, seq = seq + ? WHERE time > ?", (by, last + 1 - first, after)
    ).rowcount


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
