"""Version 1.

series ── key (measurement, identity, field), kind, unit, labels: what is known now
text, attributes, cause ── dictionaries: each distinct thing once
run, resume ── when the home was watched, and from when a series held again
live ── the newest rows, append only; compaction empties it into chunks
raw_chunk, five_minute_chunk, hourly_chunk, daily_chunk, detail_chunk
    key = period << 24 | series << 4 | kind (details: of all series); an ordinary rowid table, because long blobs in
    a WITHOUT ROWID table spill into overflow pages
last ── the newest row of a series
carry, base ── what was known of it up to where roll-ups have come, and where raw rows begin
watermark ── up to when tiers are rolled up, and from when they are kept
dirty ── what late rows made stale
changes, cursor ── the change feed and its readers
forecast ── forecasts as issued
ladder_step ── what retention did
"""

import sqlite3

_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY AUTOINCREMENT, measurement TEXT NOT NULL, identity TEXT NOT NULL,
        field TEXT NOT NULL, kind TEXT NOT NULL, unit TEXT, fine INTEGER NOT NULL,
        monotonic INTEGER NOT NULL, labels TEXT NOT NULL,
        UNIQUE (measurement, identity, field))""",
    "CREATE TABLE text (id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE)",
    "CREATE TABLE attributes (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, json TEXT NOT NULL)",
    "CREATE INDEX attributes_digest ON attributes (digest)",
    "CREATE TABLE cause (id INTEGER PRIMARY KEY, context TEXT NOT NULL, parent TEXT, user TEXT)",
    "CREATE INDEX cause_context ON cause (context)",
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY, start INTEGER NOT NULL, alive INTEGER NOT NULL,
        stop INTEGER, clean INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE resume (
        series INTEGER NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (series, time)) WITHOUT ROWID""",
    """CREATE TABLE live (
        seq INTEGER PRIMARY KEY, series INTEGER NOT NULL, time INTEGER NOT NULL, value REAL,
        text INTEGER NOT NULL, flag INTEGER NOT NULL, attributes INTEGER, cause INTEGER)""",
    *(
        f"CREATE TABLE {name}_chunk (key INTEGER PRIMARY KEY, rows INTEGER NOT NULL, blob BLOB NOT NULL)"
        for name in ("raw", "five_minute", "hourly", "daily", "detail")
    ),
    *(
        f"""CREATE TABLE {name} (
            series INTEGER PRIMARY KEY, time INTEGER NOT NULL, value REAL, text INTEGER NOT NULL,
            flag INTEGER NOT NULL)"""
        for name in ("last", "carry", "base")
    ),
    "CREATE TABLE watermark (tier TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE dirty (series INTEGER PRIMARY KEY, start INTEGER NOT NULL, stop INTEGER NOT NULL)",
    """CREATE TABLE changes (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, tier INTEGER NOT NULL, series INTEGER NOT NULL,
        start INTEGER NOT NULL, stop INTEGER NOT NULL, upto INTEGER NOT NULL)""",
    """CREATE TABLE cursor (
        name TEXT PRIMARY KEY, changes INTEGER NOT NULL, live INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE forecast (
        id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, measurement TEXT NOT NULL,
        identity TEXT NOT NULL, field TEXT NOT NULL, unit TEXT NOT NULL, issued INTEGER NOT NULL,
        rows INTEGER NOT NULL, blob BLOB NOT NULL)""",
    "CREATE INDEX forecast_source ON forecast (source, field, issued)",
    """CREATE TABLE ladder_step (
        id INTEGER PRIMARY KEY, tier TEXT NOT NULL, finished INTEGER NOT NULL,
        source_rows INTEGER NOT NULL, rows INTEGER NOT NULL, bytes_freed INTEGER NOT NULL,
        seconds REAL NOT NULL, problems TEXT NOT NULL)""",
)


def apply(connection: sqlite3.Connection) -> None:
    """Make version 1 in an empty file."""
    for statement in _TABLES:
        connection.execute(statement)
