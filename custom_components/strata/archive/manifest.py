"""The manifest: which files there are, where they were proven to be, and which month each stands for.

It lives in the store, so that an entry and the deletion it allows are one transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import timedelta
import sqlite3
from typing import Self

from ..core.model import MICROS_PER_SECOND, Micros, TimeRange
from .parquet import DAILY, Written

ANNOUNCED, PENDING, VERIFIED, DAMAGED = "announced", "pending", "verified", "damaged"
"""States of a copy: to be sent, perhaps sent in part, proven, found to be gone or something else."""
TAKEN_UP = "taken up"
"""Stands where the digest of local rows would, in files that another store has made."""
_ONCE_PROVEN = f"SELECT file FROM archive_copy WHERE state IN ('{VERIFIED}', '{DAMAGED}')"

_COLUMNS = "id, content, period, revision, key, start, stop, rows, bytes, sha256, digest, created, settled"


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of the archive. `period` is the first local day it is of; times are microseconds."""

    id: int
    content: str
    period: str
    revision: int
    key: str
    start: Micros
    end: Micros
    rows: int
    bytes: int
    sha256: str
    digest: str
    """Of the local rows it was made of."""
    created: Micros
    settled: str | None
    """Of the local rows that were left when it had taken over from them; None before that."""

    @classmethod
    def of(
        cls,
        content: str,
        period: str,
        revision: int,
        when: TimeRange,
        written: Written,
        *,
        digest: str,
        created: Micros,
    ) -> Self:
        """Return a file that is not in the manifest yet, and has not taken over from any local rows."""
        return cls(
            id=0,
            content=content,
            period=period,
            revision=revision,
            key=key_of(content, period, revision),
            start=when.start,
            end=when.end,
            rows=written.rows,
            bytes=written.bytes,
            sha256=written.sha256,
            digest=digest,
            created=created,
            settled=None,
        )

    @property
    def when(self) -> TimeRange:
        """What it covers."""
        return TimeRange(self.start, self.end)


_FIELDS = tuple(each.name for each in fields(ArchiveFile))


@dataclass(frozen=True, slots=True)
class Copy:
    """A file at a target (a subentry id)."""

    target: str
    state: str
    verified: Micros | None


def key_of(content: str, period: str, revision: int) -> str:
    """Return the key of a file: `archives/2025/data_2025-03-01.parquet`, of later revisions `...r2.parquet`."""
    folder, name = ("archives", "data") if content == DAILY else ("raw", "raw")
    later = f".r{revision}" if revision > 1 else ""
    return f"{folder}/{period[:4]}/{name}_{period}{later}.parquet"


def newest(connection: sqlite3.Connection, content: str, period: str) -> ArchiveFile | None:
    """Return the newest revision for a period, proven or not."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM archive_file WHERE content = ? AND period = ? ORDER BY revision DESC LIMIT 1",
        (content, period),
    ).fetchone()
    return ArchiveFile(*found) if found else None


def revisions(connection: sqlite3.Connection, content: str, period: str) -> list[ArchiveFile]:
    """Return the revisions for a period of which a copy was proven once, newest first."""
    return [
        ArchiveFile(*row)
        for row in connection.execute(
            f"SELECT {_COLUMNS} FROM archive_file WHERE content = ? AND period = ?"
            f" AND id IN ({_ONCE_PROVEN}) ORDER BY revision DESC",
            (content, period),
        )
    ]


def has_whole_copy(connection: sqlite3.Connection, file: int) -> bool:
    """Tell whether a copy was proven and is not known to be damaged."""
    return any(copy.state == VERIFIED for copy in copies(connection, file))


def was_proven(connection: sqlite3.Connection, file: int) -> bool:
    """Tell whether a copy was proven once."""
    return any(copy.state in {VERIFIED, DAMAGED} for copy in copies(connection, file))


@dataclass(frozen=True, slots=True)
class Figures:
    """What a target holds: proven files by content, their bytes, and when the newest was proven."""

    months: int = 0
    raw_days: int = 0
    bytes: int = 0
    rows: int = 0
    last_verified: Micros | None = None
    damaged: tuple[str, ...] = ()
    """Keys of files that turned out to be gone or something else."""


def figures(connection: sqlite3.Connection, target: str) -> Figures:
    """Return what a target holds, as far as the manifest knows."""
    found = connection.execute(
        "SELECT COUNT(DISTINCT period) FILTER (WHERE content = ?), COUNT(DISTINCT period) FILTER (WHERE content != ?),"
        " COALESCE(SUM(bytes), 0), COALESCE(SUM(rows), 0), MAX(verified)"
        " FROM archive_copy JOIN archive_file ON file = id WHERE target = ? AND state = ?",
        (DAILY, DAILY, target, VERIFIED),
    ).fetchone()
    damaged = connection.execute(
        "SELECT key FROM archive_copy JOIN archive_file ON file = id WHERE target = ? AND state = ? ORDER BY key",
        (target, DAMAGED),
    )
    months, raw_days, size, rows, last = found
    return Figures(months, raw_days, size, rows, last, tuple(key for (key,) in damaged))


def files(connection: sqlite3.Connection, content: str, when: TimeRange | None = None) -> list[ArchiveFile]:
    """Return the newest proven revision of each period that touches `when`, oldest first."""
    found: dict[str, ArchiveFile] = {}
    for row in connection.execute(
        f"SELECT {_COLUMNS} FROM archive_file WHERE content = ? AND id IN ({_ONCE_PROVEN}) ORDER BY period, revision",
        (content,),
    ):
        file = ArchiveFile(*row)
        found[file.period] = file
    return [file for file in found.values() if when is None or file.when.overlaps(when)]


def gone(connection: sqlite3.Connection, when: TimeRange) -> TimeRange | None:
    """Return the part of a range outside of which no archived day is missing in the store, None where none is."""
    settled = {
        period
        for (period,) in connection.execute(
            "SELECT DISTINCT period FROM archive_file WHERE content = ? AND settled IS NOT NULL", (DAILY,)
        )
    }
    spans = [file.when for file in files(connection, DAILY, when) if file.period in settled]
    if not spans:
        return None
    return TimeRange(max(when.start, spans[0].start), min(when.end, max(each.end for each in spans)))


def all_files(connection: sqlite3.Connection) -> list[ArchiveFile]:
    """Return every revision that was announced, oldest first."""
    return [ArchiveFile(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM archive_file ORDER BY id")]


def held_by(connection: sqlite3.Connection, target: str, *states: str) -> list[ArchiveFile]:
    """Return the files of which a target has a copy in one of some states, by key."""
    marks = ", ".join("?" * len(states))
    return [
        ArchiveFile(*row)
        for row in connection.execute(
            f"SELECT {_COLUMNS} FROM archive_file JOIN archive_copy ON file = id"
            f" WHERE target = ? AND state IN ({marks}) ORDER BY key",
            (target, *states),
        )
    ]


def proven_longest_ago(connection: sqlite3.Connection, target: str, most: int) -> list[ArchiveFile]:
    """Return some files whose copies at a target were proven longest ago."""
    return [
        ArchiveFile(*row)
        for row in connection.execute(
            f"SELECT {_COLUMNS} FROM archive_file JOIN archive_copy ON file = id"
            " WHERE target = ? AND state = ? ORDER BY verified, id LIMIT ?",
            (target, VERIFIED, most),
        )
    ]


def take_up(connection: sqlite3.Connection, file: ArchiveFile, target: str, now: Micros) -> bool:
    """Write down a file that was found at a target and read to its end; return False where another is known instead.

    It stands for no local rows: what the store has of its period is merged into it by a revision.
    """
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM archive_file WHERE content = ? AND period = ? AND revision = ?",
        (file.content, file.period, file.revision),
    ).fetchone()
    number = None
    if found is not None:
        known = ArchiveFile(*found)
        if known.sha256 == file.sha256:
            number = known.id
        elif was_proven(connection, known.id):
            return False
        else:
            withdraw(connection, known.id)
    if number is None:
        number = announce(connection, replace(file, digest=TAKEN_UP, settled=TAKEN_UP), ()).id
    mark(connection, number, target, VERIFIED, now)
    return True


def kept_since(years: float, now: Micros) -> Micros:
    """Return the instant a number of years ago; files that end then or before are older."""
    return now - int(timedelta(days=365.25 * years).total_seconds()) * MICROS_PER_SECOND


def ended(connection: sqlite3.Connection, until: Micros) -> list[ArchiveFile]:
    """Return every file that ends at `until` or before, oldest first."""
    return [file for file in all_files(connection) if file.end <= until]


def copies(connection: sqlite3.Connection, file: int) -> list[Copy]:
    """Return where a file is, or was to go."""
    found = connection.execute("SELECT target, state, verified FROM archive_copy WHERE file = ?", (file,))
    return [Copy(*row) for row in found]


def missing(connection: sqlite3.Connection, file: int, targets: Iterable[str]) -> list[str]:
    """Return the targets that have no proven copy of a file."""
    proven = {copy.target for copy in copies(connection, file) if copy.state == VERIFIED}
    return [name for name in targets if name not in proven]


def announce(
    connection: sqlite3.Connection, file: ArchiveFile, targets: Iterable[str], instead: int | None = None
) -> ArchiveFile:
    """Write down that a file is about to be sent; return it with its number.

    With `instead`, it takes the place and the key of one that was never proven anywhere.
    """
    begun = {copy.target for copy in copies(connection, instead) if copy.state == PENDING} if instead else set()
    if instead:
        withdraw(connection, instead)
    values = [getattr(file, name) for name in _FIELDS[1:]]
    marks = ", ".join("?" * len(values))
    number = int(
        connection.execute(
            f"INSERT INTO archive_file ({_COLUMNS}) VALUES (NULL, {marks}) RETURNING id", values
        ).fetchone()[0]
    )
    for target in targets:
        mark(connection, number, target, PENDING if target in begun else ANNOUNCED, None)
    return replace(file, id=number)


def made_of(connection: sqlite3.Connection, file: int, digest: str) -> ArchiveFile:
    """Write down that a file holds these local rows too; return it as it is now."""
    connection.execute("UPDATE archive_file SET digest = ? WHERE id = ?", (digest, file))
    return ArchiveFile(*connection.execute(f"SELECT {_COLUMNS} FROM archive_file WHERE id = ?", (file,)).fetchone())


def withdraw(connection: sqlite3.Connection, file: int) -> None:
    """Forget a file that was announced and never proven anywhere, or was deleted."""
    connection.execute("DELETE FROM archive_copy WHERE file = ?", (file,))
    connection.execute("DELETE FROM archive_file WHERE id = ?", (file,))


def mark(connection: sqlite3.Connection, file: int, target: str, state: str, now: Micros | None) -> None:
    """Write down what a copy was proven to be."""
    connection.execute("INSERT OR REPLACE INTO archive_copy VALUES (?, ?, ?, ?)", (file, target, state, now))


def settle(connection: sqlite3.Connection, file: int, left: str) -> None:
    """Write down that a file has taken over from the local rows, and which of them were left."""
    connection.execute("UPDATE archive_file SET settled = ? WHERE id = ?", (left, file))


def hold(connection: sqlite3.Connection, when: TimeRange, until: Micros) -> None:
    """Leave rows that were put back alone until an instant."""
    connection.execute("INSERT INTO archive_hold VALUES (?, ?, ?)", (when.start, when.end, until))


def held(connection: sqlite3.Connection, when: TimeRange, now: Micros) -> bool:
    """Tell whether rows in a range were put back and are still wanted."""
    connection.execute("DELETE FROM archive_hold WHERE until <= ?", (now,))
    return bool(
        connection.execute(
            "SELECT 1 FROM archive_hold WHERE start < ? AND stop > ? LIMIT 1", (when.end, when.start)
        ).fetchone()
    )
