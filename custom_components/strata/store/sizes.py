"""What fills the file, measured."""

import sqlite3

from . import operations
from .base import Sizes, TierSize
from .keys import key_series
from .tiers import Ladder


def measure(connection: sqlite3.Connection, ladder: Ladder, *, by_series: bool = False) -> Sizes:
    """Return rows and bytes of each tier, and with `by_series` of each series in each tier.

    Rows that are not compacted yet are counted in the raw tier, at the bytes of their pages.
    """
    pages, page_size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    tiers: dict[str, TierSize] = {}
    series: dict[int, dict[str, TierSize]] = {}
    for tier in ladder.tiers:
        rows, size = connection.execute(
            f"SELECT COALESCE(SUM(rows), 0), COALESCE(SUM(length(blob)), 0) FROM {tier.table}"
        ).fetchone()
        tiers[tier.name] = TierSize(rows, size)
        if by_series:
            for key, count, length in connection.execute(f"SELECT key, rows, length(blob) FROM {tier.table}"):
                own = series.setdefault(key_series(key), {})
                before = own.get(tier.name, TierSize())
                own[tier.name] = TierSize(before.rows + count, before.bytes + length)
    finest = ladder.tiers[0].name
    waiting = connection.execute("SELECT COUNT(*) FROM live WHERE series > 0").fetchone()[0]
    tiers[finest] = TierSize(tiers[finest].rows + waiting, tiers[finest].bytes + waiting * _LIVE_ROW)
    return Sizes(pages * page_size, tiers, series, _freed(connection), operations.last_successes(connection))


def _freed(connection: sqlite3.Connection) -> int:
    """Return the bytes of chunks the ladder and archives have deleted, as they were measured when that was done."""
    ladder, others = connection.execute(
        "SELECT (SELECT COALESCE(SUM(bytes_freed), 0) FROM ladder_step),"
        f" (SELECT COALESCE(SUM(bytes_freed), 0) FROM operation WHERE {operations.WINS_SPACE})"
    ).fetchone()
    return int(ladder) + int(others)


_LIVE_ROW = 40
"""Bytes of a row in `live` (measured on SQLite 3.53: record header, three integers, a float)."""
