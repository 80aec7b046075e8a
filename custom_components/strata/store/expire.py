"""Deleting days for good: only where the user wants it so, for nothing coarser stands for them."""

from datetime import timedelta
import sqlite3
import time

from ..core.model import Micros
from . import operations
from .connection import transaction
from .job import SeriesById
from .keys import key_period, key_series
from .operations import Operation
from .tiers import DAILY, Keeps, Ladder

EXPIRE = "expire_daily"
"""What this is called in the journal."""


def expired(
    connection: sqlite3.Connection, ladder: Ladder, series: SeriesById, now: Micros, keeps: Keeps
) -> list[tuple[int, int, int]]:
    """Return key, rows and bytes of the chunks of which every day is past its time; what was put back stays."""
    tier = ladder[DAILY]
    limits: dict[int, Micros] = {}
    for number in series:
        keep = keeps.get(number, {}).get(DAILY, tier.keep)
        if keep is not None:
            limits[number] = now - keep // timedelta(microseconds=1)
    if not limits:
        return []
    held = connection.execute("SELECT start, stop FROM archive_hold WHERE until > ?", (now,)).fetchall()
    newest = max(limits.values()) // tier.span << 24
    return [
        (key, rows, size)
        for key, rows, size in connection.execute(
            f"SELECT key, rows, length(blob) FROM {tier.table} WHERE key < ?", (newest,)
        )
        if (key_period(key) + 1) * tier.span <= limits.get(key_series(key), 0)
        and not any(
            start < (key_period(key) + 1) * tier.span and stop > key_period(key) * tier.span for start, stop in held
        )
    ]


def expire_days(
    connection: sqlite3.Connection, ladder: Ladder, series: SeriesById, now: Micros, keeps: Keeps
) -> Operation:
    """Delete them, and write down that it was done."""
    began = time.perf_counter()
    found = expired(connection, ladder, series, now, keeps)
    done = Operation(
        EXPIRE,
        now,
        records_processed=sum(rows for _, rows, _ in found),
        bytes_freed=sum(size for _, _, size in found),
    )
    if found:
        with transaction(connection):
            connection.executemany(f"DELETE FROM {ladder[DAILY].table} WHERE key = ?", [(key,) for key, _, _ in found])
            # Months that an archive has are not whole here any more.
            until = max(key_period(key) + 1 for key, _, _ in found) * ladder[DAILY].span
            connection.execute(
                "UPDATE archive_file SET settled = ? WHERE content = ? AND settled IS NULL AND start < ?",
                (EXPIRE, DAILY, until),
            )
            operations.record(connection, done)
    return Operation(EXPIRE, now, time.perf_counter() - began, done.records_processed, done.bytes_freed)
