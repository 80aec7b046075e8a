"""Connections to the store's file, and SQLite's errors in the store's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import sqlite3

from .base import StoreDamaged, StoreError, StoreFull, StoreUnusable

_PAGE_SIZE = 4096
_CACHE_KIB = 8192
_BUSY_SECONDS = 10.0
WAL_PAGES = 2000
"""The WAL is copied back after this many pages (8 MB), so a page that grows over many flushes is
copied once instead of many times; that is what wears an SD card."""

_FULL = {sqlite3.SQLITE_FULL}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNUSABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_PRIMARY = 0xFF


@contextmanager
def in_store_words(path: Path | str) -> Iterator[None]:
    """Raise SQLite's errors as the store's, saying what happened to which file.

    Raises:
        StoreFull, StoreDamaged, StoreUnusable, StoreError: by SQLite's result code.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", 0) or 0) & _PRIMARY
        name = Path(path).name
        if code in _FULL:
            raise StoreFull(f"no room on the disk for {name}: {error}") from error
        if code in _DAMAGED:
            raise StoreDamaged(f"{name} is damaged: {error}") from error
        if code in _UNUSABLE:
            raise StoreUnusable(f"{name} cannot be opened for writing: {error}") from error
        raise StoreError(f"{name}: {error}") from error


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open (and create) the file for its only writer."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
        # Only an empty file takes this, so it has to come before the first table.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA foreign_keys = OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading; a reader never blocks the writer."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB // 4}")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one write transaction: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has already rolled back by itself after some errors, such as a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Let every read in the block see one and the same state of the file."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
