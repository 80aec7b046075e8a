"""The journal of what was done to the history as a whole: ladder steps, archive runs, restores, imports, erasures."""

from dataclasses import dataclass
from datetime import timedelta
import json
import sqlite3

from ..core.model import MICROS_PER_SECOND, Micros

KEPT = timedelta(days=400)
"""A year can be looked back on, whenever one looks."""

WINS_SPACE = "type NOT LIKE 'downsample%' AND type != 'erase'"
"""Which entries add to the space that was won: the steps of the ladder have a table of their own."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One run of something: what, when (microseconds), how long, how much, and what went wrong."""

    operation_type: str
    started: Micros
    duration_seconds: float = 0.0
    records_processed: int = 0
    bytes_freed: int = 0
    errors: tuple[str, ...] = ()


def record(connection: sqlite3.Connection, operation: Operation) -> None:
    """Write an operation down and let go of what is older than a journal is good for; call it in a transaction.

    What says how much space was won stays, for it adds up: there is such an entry for each run of the archive.
    """
    connection.execute(
        "INSERT INTO operation (type, started, seconds, records, bytes_freed, errors) VALUES (?, ?, ?, ?, ?, ?)",
        (
            operation.operation_type,
            operation.started,
            operation.duration_seconds,
            operation.records_processed,
            operation.bytes_freed,
            json.dumps(operation.errors),
        ),
    )
    oldest = operation.started - int(KEPT.total_seconds()) * MICROS_PER_SECOND
    connection.execute(f"DELETE FROM operation WHERE started < ? AND NOT (bytes_freed > 0 AND {WINS_SPACE})", (oldest,))


def since(connection: sqlite3.Connection, start: Micros) -> list[Operation]:
    """Return the operations that started at `start` or later, newest first."""
    return [
        Operation(name, started, seconds, records, freed, tuple(json.loads(errors)))
        for name, started, seconds, records, freed, errors in connection.execute(
            "SELECT type, started, seconds, records, bytes_freed, errors FROM operation"
            " WHERE started >= ? ORDER BY started DESC, id DESC",
            (start,),
        )
    ]


def last_successes(connection: sqlite3.Connection, until: Micros = 2**63 - 1) -> dict[str, Micros]:
    """Return when each type of operation last ended without an error, of those that began before `until`."""
    return {
        name: int(ended)
        for name, ended in connection.execute(
            "SELECT type, MAX(started + CAST(seconds * 1000000 AS INTEGER)) FROM operation"
            " WHERE errors = '[]' AND started < ? GROUP BY type",
            (until,),
        )
    }
