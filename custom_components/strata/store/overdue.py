"""Rows that are still there although their time is over."""

import sqlite3

from ..core.model import Micros
from .keys import key_period, key_range, key_series
from .pace import paced
from .preview import Terms
from .tiers import Tier


def oldest_overdue(
    connection: sqlite3.Connection, tier: Tier, terms: Terms, now: Micros, grace: Micros = 0
) -> Micros | None:
    """Return from when the oldest rows are that have been past their time for longer than `grace`; None for none."""
    last = key_range(0, now // tier.span)[1]
    limits: dict[int, Micros] = {}
    # Those that are kept for ever may come first, so the oldest of all says nothing.
    for (key,) in paced(connection.execute(f"SELECT key FROM {tier.table} WHERE key < ? ORDER BY key", (last,))):
        number = key_series(key)
        if number not in limits:
            limits[number] = terms.limit(tier, number, now) - grace
        start = key_period(key) * tier.span
        if start + tier.span <= limits[number]:
            return start
        if start > now - grace:
            break
    return None
