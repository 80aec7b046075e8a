"""Schema versions: each step brings the file from one version to the next, for good."""

from collections.abc import Callable, Sequence
import sqlite3

from ..base import StoreTooNew
from . import v1, v2

type Step = Callable[[sqlite3.Connection], None]

STEPS: tuple[Step, ...] = (v1.apply, v2.apply)
"""Step n makes version n + 1 from version n; a new file goes through all of them."""


def version(connection: sqlite3.Connection) -> int:
    """Return the file's schema version, 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> int:
    """Bring the file to the newest version and return how many steps that took.

    Each step is one transaction together with its version number, so an interrupted migration
    goes on where it stopped.

    Raises:
        StoreTooNew: the file was made by a newer Strata.
    """
    found = version(connection)
    if found > len(steps):
        raise StoreTooNew(
            f"the store has schema version {found}, this Strata knows up to {len(steps)}:"
            " install the newer Strata again"
        )
    for number, step in enumerate(steps[found:], found + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(connection)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    return len(steps) - found
