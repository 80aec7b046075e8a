"""Version 2: what is made of the history.

Each topic has its tables in a tuple of its own.
"""

import sqlite3

_OPERATIONS = (
    """CREATE TABLE operation (
        id INTEGER PRIMARY KEY, type TEXT NOT NULL, started INTEGER NOT NULL, seconds REAL NOT NULL,
        records INTEGER NOT NULL, bytes_freed INTEGER NOT NULL, errors TEXT NOT NULL)""",
    "CREATE INDEX operation_started ON operation (started)",
)

_RETENTION = (
    """CREATE TABLE kept_from (
        tier TEXT NOT NULL, series INTEGER NOT NULL, since INTEGER NOT NULL,
        PRIMARY KEY (tier, series)) WITHOUT ROWID""",
)

_TABLES: tuple[str, ...] = (
    *_OPERATIONS,
    *_RETENTION,
)


def apply(connection: sqlite3.Connection) -> None:
    """Make version 2 from version 1."""
    for statement in _TABLES:
        connection.execute(statement)
