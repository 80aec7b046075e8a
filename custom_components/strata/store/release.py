"""Raw chunks that are in a proven archive file as they are: where that is wanted, only those may be deleted."""

from collections.abc import Iterable
import hashlib
import sqlite3

from ..core.model import TimeRange
from .keys import key_range
from .pace import paced
from .rows import RAW_SPAN


def release(connection: sqlite3.Connection, when: TimeRange) -> None:
    """Say that the raw chunks of a range may be deleted as long as they stay as they are. Call it in a transaction."""
    low, high = key_range(when.start // RAW_SPAN, (when.end - 1) // RAW_SPAN)
    connection.execute("DELETE FROM archive_released WHERE key >= ? AND key < ?", (low, high))
    connection.executemany(
        "INSERT INTO archive_released VALUES (?, ?)",
        [
            (key, _hash(blob))
            for key, blob in paced(
                connection.execute("SELECT key, blob FROM raw_chunk WHERE key >= ? AND key < ?", (low, high))
            )
        ],
    )


def released(connection: sqlite3.Connection, keys: Iterable[int]) -> list[int]:
    """Return which of some raw chunks may be deleted."""
    free = []
    for key in paced(keys):
        found = connection.execute(
            "SELECT blob, hash FROM raw_chunk JOIN archive_released USING (key) WHERE key = ?", (key,)
        ).fetchone()
        if found and _hash(found[0]) == found[1]:
            free.append(key)
    return free


def forget(connection: sqlite3.Connection, keys: Iterable[int]) -> None:
    """Drop what is known of chunks that were deleted."""
    connection.executemany("DELETE FROM archive_released WHERE key = ?", paced((key,) for key in keys))


def _hash(blob: bytes) -> bytes:
    return hashlib.blake2b(blob, digest_size=16).digest()
