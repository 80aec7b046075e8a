"""Version 2: what is made of the history.

Each topic has its tables in a tuple of its own.
"""

import sqlite3

_TABLES: tuple[str, ...] = ()


def apply(connection: sqlite3.Connection) -> None:
    """Make version 2 from version 1."""
    for statement in _TABLES:
        connection.execute(statement)
