"""From when a series' raw rows and hours are kept: what is older has been handed down and deleted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
import sqlite3

from ..core.clock import floor_day, floor_hour, next_day, next_hour
from ..core.model import Micros
from .job import watermark
from .tiers import HOURLY, HOURLY_FROM, RAW, RAW_FROM

_WHOLE = {RAW: (floor_hour, next_hour), HOURLY: (floor_day, next_day)}
"""By tier: the buckets that are made of its rows."""
_OF_ALL = {RAW: RAW_FROM, HOURLY: HOURLY_FROM}
"""By tier: the watermark that says it of all series, in files that were made before each had its own."""


def kept_from(connection: sqlite3.Connection, tier: str, series: int) -> Micros:
    """Return from when a series' rows of a tier are kept, 0 where none was ever deleted."""
    found = connection.execute("SELECT since FROM kept_from WHERE tier = ? AND series = ?", (tier, series)).fetchone()
    of_all = watermark(connection, _OF_ALL[tier]) or 0
    return max(of_all, int(found[0])) if found else of_all


def border(connection: sqlite3.Connection, timezone: str, tier: str, series: int) -> Micros:
    """Return the first local hour (of raw rows) or day (of hours) from which all rows of a series are kept."""
    return _first_whole(timezone, tier, kept_from(connection, tier, series))


def move(connection: sqlite3.Connection, tier: str, series: Iterable[int], since: Micros) -> None:
    """Say from when rows of some series are kept now; it never goes back. Call it in a transaction."""
    connection.executemany(
        "INSERT INTO kept_from VALUES (?, ?, ?) ON CONFLICT (tier, series) DO UPDATE SET"
        " since = MAX(since, excluded.since)",
        [(tier, number, since) for number in series],
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """From when rows of a tier are kept, of each series; `of_all` where a series has no entry."""

    of_all: Micros = 0
    since: Mapping[int, Micros] = field(default_factory=dict)

    def __getitem__(self, series: int) -> Micros:
        """Return it for one series, 0 where nothing was ever deleted."""
        return max(self.of_all, self.since.get(series, 0))

    def whole(self, timezone: str, tier: str) -> Kept:
        """Return from which local hour (of raw rows) or day (of hours) all rows are kept."""
        begins = {since: _first_whole(timezone, tier, since) for since in {self.of_all, *self.since.values()}}
        return Kept(begins[self.of_all], {number: begins[since] for number, since in self.since.items()})


def load(connection: sqlite3.Connection, tier: str) -> Kept:
    """Return from when every series' rows of a tier are kept."""
    since = dict(connection.execute("SELECT series, since FROM kept_from WHERE tier = ?", (tier,)).fetchall())
    return Kept(watermark(connection, _OF_ALL[tier]) or 0, since)


def load_borders(connection: sqlite3.Connection, timezone: str, tier: str) -> Kept:
    """Return `border` of every series."""
    return load(connection, tier).whole(timezone, tier)


def _first_whole(timezone: str, tier: str, since: Micros) -> Micros:
    floor, following = _WHOLE[tier]
    return since if not since or floor(timezone, since) == since else following(timezone, since)
