"""The change feed: everything that was written, in an order a mirror can follow.

Rows in `live` are their own feed. When compaction moves them into chunks, an entry in `changes`
says which series and period received them and up to which `seq`; roll-ups add entries of their
own, and so do views for each day whose rows have changed. A reader first drains `changes`, then
reads `live`, both from one snapshot, and keeps a `Cursor` of two numbers. It meets every row at
least once, however far behind it is.

`live.seq` is not AUTOINCREMENT: SQLite would rewrite its sequence table's page in every flush.
The store numbers rows itself and keeps the highest number when `live` runs empty.
"""

from dataclasses import dataclass
import sqlite3

from .base import Change, Cursor
from .connection import snapshot, transaction
from .rows import VALUE_FLAGS, LiveRows, read_live
from .tiers import RAW, Ladder
from .views import VIEWS


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """The next things written. Only one of `changes` and `live` is filled.

    Save `cursor` once everything in the batch has arrived where it should.
    """

    changes: tuple[Change, ...]
    live: LiveRows | None
    cursor: Cursor

    def __bool__(self) -> bool:
        """Tell whether there is anything new."""
        return bool(self.changes) or (self.live is not None and len(self.live) > 0)


def read(connection: sqlite3.Connection, ladder: Ladder, cursor: Cursor, limit: int = 5000) -> FeedBatch:
    """Return up to `limit` entries after `cursor`."""
    names = {tier.number: tier.name for tier in ladder.tiers} | {view.number: view.name for view in VIEWS}
    with snapshot(connection):
        found = connection.execute(
            "SELECT seq, tier, series, start, stop, upto FROM changes WHERE seq > ? ORDER BY seq LIMIT ?",
            (cursor.changes, limit),
        ).fetchall()
        if found:
            changes = tuple(
                Change(names[tier], series, start, stop)
                for _, tier, series, start, stop, upto in found
                if tier in names and (names[tier] != RAW or upto > cursor.live)
            )
            return FeedBatch(changes, None, Cursor(found[-1][0], cursor.live))
        live = read_live(
            connection,
            f"seq IN (SELECT seq FROM live WHERE seq > ? AND flag IN {VALUE_FLAGS} ORDER BY seq LIMIT ?)",
            (cursor.live, limit),
        )
    end = int(live.seq[-1]) if len(live) else cursor.live
    return FeedBatch((), live if len(live) else None, Cursor(cursor.changes, end))


def newest(connection: sqlite3.Connection) -> Cursor:
    """Return the cursor of a reader that wants only what comes from now on."""
    changes, live, kept = connection.execute(
        "SELECT (SELECT MAX(seq) FROM changes), (SELECT MAX(seq) FROM live),"
        " (SELECT value FROM meta WHERE name = 'live_seq')"
    ).fetchone()
    return Cursor(changes or 0, max(live or 0, kept or 0))


def load_cursor(connection: sqlite3.Connection, name: str) -> Cursor | None:
    """Return a reader's saved cursor."""
    found = connection.execute("SELECT changes, live FROM cursor WHERE name = ?", (name,)).fetchone()
    return None if found is None else Cursor(*found)


def save_cursor(connection: sqlite3.Connection, name: str, cursor: Cursor) -> None:
    """Keep a reader's cursor; what it has passed may be dropped from the feed."""
    with transaction(connection):
        connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (name, cursor.changes, cursor.live))


def drop_cursor(connection: sqlite3.Connection, name: str) -> None:
    """Forget a reader."""
    with transaction(connection):
        connection.execute("DELETE FROM cursor WHERE name = ?", (name,))
