"""Forecasts as they were issued: what was foreseen, when, for when."""

import sqlite3

import numpy as np

from ..core.model import Forecast, Micros, SeriesKey, Slot, from_micros, to_micros
from . import chunks
from .base import StoredForecast


def save(connection: sqlite3.Connection, source: str, key: SeriesKey, forecast: Forecast) -> bool:
    """Keep a forecast; return False where it says what the one before it said.

    Call it inside a transaction.
    """
    starts = np.array([to_micros(slot.start) for slot in forecast.slots], np.int64)
    ends = np.array([to_micros(slot.end) for slot in forecast.slots], np.int64)
    values = np.array([slot.value for slot in forecast.slots], np.float64)
    blob = chunks.encode([starts, ends - starts, values])
    before = connection.execute(
        "SELECT blob, unit FROM forecast WHERE source = ? AND field = ? ORDER BY issued DESC LIMIT 1",
        (source, key.field),
    ).fetchone()
    if before == (blob, forecast.unit):
        return False
    connection.execute(
        "INSERT INTO forecast (source, measurement, identity, field, unit, issued, rows, blob)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            source,
            key.measurement,
            key.identity,
            key.field,
            forecast.unit,
            to_micros(forecast.issued_at),
            len(starts),
            blob,
        ),
    )
    return True


def read(
    connection: sqlite3.Connection,
    source: str,
    field: str | None = None,
    *,
    issued_before: Micros | None = None,
    limit: int = 1,
) -> list[StoredForecast]:
    """Return a source's newest forecasts, newest first, as known at `issued_before`."""
    found = connection.execute(
        "SELECT measurement, identity, field, unit, issued, blob FROM forecast WHERE source = ?"
        " AND (? IS NULL OR field = ?) AND (? IS NULL OR issued < ?) ORDER BY issued DESC LIMIT ?",
        (source, field, field, issued_before, issued_before, limit),
    ).fetchall()
    return [
        StoredForecast(
            source,
            SeriesKey(measurement, identity, name),
            Forecast(unit, from_micros(issued), _slots(blob)),
        )
        for measurement, identity, name, unit, issued, blob in found
    ]


def _slots(blob: bytes) -> tuple[Slot, ...]:
    columns = chunks.decode_sound(blob)
    if columns is None:
        return ()
    starts, durations, values = (column.tolist() for column in columns)
    return tuple(
        Slot(from_micros(start), from_micros(start + duration), value)
        for start, duration, value in zip(starts, durations, values, strict=True)
    )


def prune(connection: sqlite3.Connection, before: Micros) -> int:
    """Delete forecasts issued before an instant; return how many."""
    return connection.execute("DELETE FROM forecast WHERE issued < ?", (before,)).rowcount
