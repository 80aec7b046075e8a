"""Sound or damaged: checks, and setting a damaged file aside without touching it."""

from datetime import datetime
from pathlib import Path
import sqlite3

_COMPANIONS = ("-wal", "-shm")


def quick_check(connection: sqlite3.Connection) -> str | None:
    """Return what is wrong with the file, or None when it is sound."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return None if found == "ok" else str(found)


def set_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged file and its companions out of the way; return the new name.

    Nothing is overwritten: the name carries the moment, and a number where that is taken.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    path.rename(target)
    for companion in _COMPANIONS:
        beside = path.with_name(path.name + companion)
        if beside.exists():
            beside.rename(target.with_name(target.name + companion))
    return target
