"""Erasing series: their rows in every layer, and everything that only they referred to."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
import sqlite3

import numpy as np

from ..core.model import Kind, Micros
from . import buckets, details, rows
from .keys import KINDS, MAX_SERIES, NO_KIND, key_kind, key_period
from .tiers import HOURLY, RAW, Tier
from .views import VIEWS
from .views.base import Shape

_BY_SERIES = ("live", "resume", "last", "carry", "base", "dirty", "changes", "kept_from", "view_area")
"""Tables with a column `series` whose rows go."""
_WITH_TEXTS = ("live", "last", "carry", "base")


@dataclass(slots=True)
class Erased:
    """What went, or would go: rows by layer and table, and the bytes of their chunks."""

    rows: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    texts: int = 0
    spans: list[tuple[Micros, Micros]] = field(default_factory=list)
    """Stretches with hours of the series: what is told of all together there has to be worked out again."""

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())


def erase(
    connection: sqlite3.Connection,
    tiers: Collection[Tier],
    series: Collection[int],
    names: Collection[str],
    *,
    forget: bool,
    dry_run: bool,
) -> Erased:
    """Erase series from the file, or say what that would be; to be used after compaction, in a transaction.

    `names` are entity ids and identities under which findings about them are kept. With `forget` the series
    go, too. Finished rows of views that tell of several entities together stay; `spans` says where they can be worked
    out again.
    """
    done = Erased()
    which = f"({', '.join(str(int(number)) for number in series)})"
    texts: set[int] = set()
    for tier in tiers:
        where = f"(key >> 4) & {MAX_SERIES} IN {which}"
        found = connection.execute(f"SELECT key, rows, blob FROM {tier.table} WHERE {where}").fetchall()
        done.rows[tier.name] = sum(count for _, count, _ in found)
        done.bytes += sum(len(blob) for _, _, blob in found)
        texts |= {code for key, _, blob in found for code in _codes(key, blob)}
        if tier.name == HOURLY:
            done.spans = [(key_period(key) * tier.span, (key_period(key) + 1) * tier.span) for key, _, _ in found]
        if not dry_run:
            connection.execute(f"DELETE FROM {tier.table} WHERE {where}")
    by_view = [view.table for view in VIEWS if view.column(Shape.ENTITY)]
    for table in (*_BY_SERIES, *by_view):
        done.rows[table] = _count(connection, table, f"series IN {which}")
        if not dry_run:
            connection.execute(f"DELETE FROM {table} WHERE series IN {which}")
    marks = ", ".join("?" * len(names))
    done.rows["anomaly"] = _count(connection, "anomaly", f"entity IN ({marks})", *names)
    done.rows["detail"] = details.erase(connection, frozenset(series), dry_run=dry_run)
    if not dry_run:
        connection.execute(f"DELETE FROM anomaly WHERE entity IN ({marks})", tuple(names))
        if forget:
            connection.execute(f"DELETE FROM series WHERE id IN {which}")
        done.texts = _forget_texts(connection, tiers, texts - {0})
    return done


def _count(connection: sqlite3.Connection, table: str, where: str, *values: object) -> int:
    return int(connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}", values).fetchone()[0])


def _codes(key: int, blob: bytes) -> Iterator[int]:
    """Yield the codes of texts that a chunk speaks of."""
    if key_kind(key) == NO_KIND:
        yield from np.unique(rows.decode_rows(blob).texts).tolist()
    elif KINDS[key_kind(key)] is Kind.TEXT:
        rolled = buckets.decode_buckets(blob, Kind.TEXT)
        for column in (rolled.states.code, rolled.columns["first"], rolled.columns["last"]):
            yield from (code for code in np.unique(column).tolist() if code > 0)


def _forget_texts(connection: sqlite3.Connection, tiers: Collection[Tier], codes: set[int]) -> int:
    """Delete the texts of codes that nothing speaks of any more; return how many."""
    unused = set(codes)
    for table in _WITH_TEXTS:
        unused -= {code for (code,) in connection.execute(f"SELECT DISTINCT text FROM {table}")}
    for tier in tiers:
        if not unused:
            return 0
        text = KINDS.index(Kind.TEXT)
        where = "1" if tier.name == RAW else f"key & 15 = {text}"
        for key, blob in connection.execute(f"SELECT key, blob FROM {tier.table} WHERE {where}"):
            unused.difference_update(_codes(key, blob))
    connection.executemany("DELETE FROM text WHERE id = ?", [(code,) for code in sorted(unused)])
    return len(unused)


def without_trace(connection: sqlite3.Connection, work: Callable[[], Erased]) -> Erased:
    """Run `work` so that what it deletes is overwritten, in the file and its log, and cannot be found there."""
    connection.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        return work()
    finally:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute("PRAGMA secure_delete = OFF").fetchall()
