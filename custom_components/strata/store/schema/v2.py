"""Version 2: what is made of the history.

Each topic has its tables in a tuple of its own.
"""

import sqlite3

from ...core.state_time import OTHERS, OTHERS_NAME

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

_VIEWS = (
    "CREATE TABLE view_due (date INTEGER PRIMARY KEY)",
    """CREATE TABLE view_area (
        series INTEGER NOT NULL, since INTEGER NOT NULL, area TEXT NOT NULL,
        PRIMARY KEY (series, since)) WITHOUT ROWID""",
    """CREATE TABLE view_daily_energy_by_device (
        date INTEGER NOT NULL, series INTEGER NOT NULL, total_kwh REAL, avg_power REAL, peak_power REAL,
        cost REAL, currency TEXT, carbon_kg REAL, cost_kwh REAL, carbon_kwh REAL,
        PRIMARY KEY (date, series)) WITHOUT ROWID""",
    """CREATE TABLE view_hourly_energy_summary (
        date INTEGER NOT NULL, start INTEGER NOT NULL, area TEXT NOT NULL, hour INTEGER NOT NULL,
        total_kwh REAL, avg_power REAL, devices INTEGER NOT NULL,
        PRIMARY KEY (date, start, area)) WITHOUT ROWID""",
    """CREATE TABLE view_hourly_energy_cost (
        date INTEGER NOT NULL, start INTEGER NOT NULL, hour INTEGER NOT NULL, total_kwh REAL, price REAL,
        cost REAL, currency TEXT, carbon_kg REAL, basis TEXT NOT NULL,
        PRIMARY KEY (date, start)) WITHOUT ROWID""",
    """CREATE TABLE view_daily_energy_cost (
        date INTEGER PRIMARY KEY, total_kwh REAL, cost REAL, currency TEXT, avg_price REAL, carbon_kg REAL,
        cost_kwh REAL, carbon_kwh REAL, basis TEXT NOT NULL)""",
    """CREATE TABLE view_daily_carbon_summary (
        date INTEGER PRIMARY KEY, avg_carbon REAL, min_carbon REAL, max_carbon REAL, avg_renewable REAL,
        covered_seconds REAL NOT NULL)""",
    """CREATE TABLE view_hourly_room_activity (
        date INTEGER NOT NULL, start INTEGER NOT NULL, area TEXT NOT NULL, hour INTEGER NOT NULL,
        day_of_week INTEGER NOT NULL, motion_count INTEGER NOT NULL, occupancy_rate REAL,
        PRIMARY KEY (date, start, area)) WITHOUT ROWID""",
    """CREATE TABLE view_weekday_room_activity (
        area TEXT NOT NULL, day_of_week INTEGER NOT NULL, hour INTEGER NOT NULL, motion_count REAL NOT NULL,
        occupancy_rate REAL, hours INTEGER NOT NULL,
        PRIMARY KEY (area, day_of_week, hour)) WITHOUT ROWID""",
    """CREATE TABLE view_daily_room_occupancy (
        date INTEGER NOT NULL, area TEXT NOT NULL, occupied_seconds REAL NOT NULL, occupancy_rate REAL,
        motion_count INTEGER NOT NULL, busiest_hour INTEGER,
        PRIMARY KEY (date, area)) WITHOUT ROWID""",
    """CREATE TABLE view_daily_device_runtime (
        date INTEGER NOT NULL, series INTEGER NOT NULL, state_changes INTEGER NOT NULL, on_seconds REAL NOT NULL,
        covered_seconds REAL NOT NULL,
        PRIMARY KEY (date, series)) WITHOUT ROWID""",
)
_ANOMALIES = ("CREATE TABLE anomaly (entity TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",)

_ARCHIVE = (
    # period: the first day of the month (daily) or the day (raw); digest: of the local rows the file was made of;
    # settled: of the local rows that were left when the file had taken over, NULL before that
    # (and something that no rows are where days went without an archive).
    """CREATE TABLE archive_file (
        id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL, period TEXT NOT NULL, revision INTEGER NOT NULL,
        key TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, rows INTEGER NOT NULL,
        bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, digest TEXT NOT NULL, created INTEGER NOT NULL, settled TEXT,
        UNIQUE (content, period, revision))""",
    """CREATE TABLE archive_copy (
        file INTEGER NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL, verified INTEGER,
        PRIMARY KEY (file, target)) WITHOUT ROWID""",
    # Raw chunks that are in a proven file as they are, and so may go: their keys and the hashes of their blobs.
    "CREATE TABLE archive_released (key INTEGER PRIMARY KEY, hash BLOB NOT NULL)",
    # Series of files that another store has made, and what they are called here: known_as NULL while the entity is not
    # there, entity_id NULL where the series is of none.
    """CREATE TABLE archive_alias (
        measurement TEXT NOT NULL, identity TEXT NOT NULL, field TEXT NOT NULL, entity_id TEXT, known_as TEXT,
        called TEXT NOT NULL, PRIMARY KEY (measurement, identity, field)) WITHOUT ROWID""",
    "CREATE TABLE archive_hold (start INTEGER NOT NULL, stop INTEGER NOT NULL, until INTEGER NOT NULL)",
)

_TEXTS = (
    # What roll-ups call the states they do not name; a text of a state that is called so gives way by a space.
    f"UPDATE text SET value = value || ' ' WHERE value = '{OTHERS_NAME}'",
    f"INSERT INTO text (id, value) VALUES ({OTHERS}, '{OTHERS_NAME}')",
)

_TABLES: tuple[str, ...] = (
    *_OPERATIONS,
    *_RETENTION,
    *_VIEWS,
    *_ARCHIVE,
    *_ANOMALIES,
    *_TEXTS,
)


def apply(connection: sqlite3.Connection) -> None:
    """Make version 2 from version 1."""
    for statement in _TABLES:
        connection.execute(statement)
