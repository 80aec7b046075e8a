"""What other keeps would delete: rows and bytes of each series, measured, before anything is decided."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
import sqlite3

from ..core.model import Micros
from .base import TierSize
from .keys import key_period, key_range, key_series
from .pace import paced
from .tiers import DAILY, Keeps, Ladder, Tier


@dataclass(frozen=True, slots=True)
class Terms:
    """How long everything is kept: the ladder, what is otherwise for single series, and whether days expire."""

    ladder: Ladder
    keeps: Keeps
    expire_days: bool = False

    def limit(self, tier: Tier, series: int, now: Micros) -> Micros:
        """Return up to when a series' rows of a tier are past their time; 0 where they never are."""
        if tier.name == DAILY and not self.expire_days:
            return 0
        keep = self.keeps.get(series, {}).get(tier.name, self.ladder[tier.name].keep)
        return 0 if keep is None else now - keep // timedelta(microseconds=1)


type Losses = Mapping[int, Mapping[str, TierSize]]
"""By series and tier."""


def losses(connection: sqlite3.Connection, before: Terms, after: Terms, series: Iterable[int], now: Micros) -> Losses:
    """Return what would be deleted under other terms and is not under those in force."""
    numbers = list(series)
    found: dict[int, dict[str, TierSize]] = {}
    for tier in after.ladder.tiers:
        old = {number: before.limit(tier, number, now) for number in numbers}
        new = {number: after.limit(tier, number, now) for number in numbers}
        shorter = {number for number in numbers if new[number] > old[number]}
        if shorter:
            _add(connection, tier, {number: (old[number], new[number]) for number in shorter}, found)
    return found


def _add(
    connection: sqlite3.Connection,
    tier: Tier,
    limits: Mapping[int, tuple[Micros, Micros]],
    found: dict[int, dict[str, TierSize]],
) -> None:
    oldest = min(old for old, _ in limits.values()) // tier.span
    newest = max(new for _, new in limits.values()) // tier.span
    chunks = connection.execute(
        f"SELECT key, rows, length(blob) FROM {tier.table} WHERE key >= ? AND key < ?", key_range(oldest, newest)
    )
    for key, rows, size in paced(chunks):
        old, new = limits.get(key_series(key), (0, 0))
        end = (key_period(key) + 1) * tier.span
        if old < end <= new:
            own = found.setdefault(key_series(key), {})
            so_far = own.get(tier.name, TierSize())
            own[tier.name] = TierSize(so_far.rows + rows, so_far.bytes + size)
