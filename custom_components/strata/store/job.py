"""What the jobs of a store's maintenance share: the file, its tiers, its clock, its series."""

from collections.abc import Mapping
import sqlite3

from ..core.model import Micros, Series
from .tiers import Ladder

type SeriesById = Mapping[int, Series]


class StoreJob:
    """Works on one store's connection, on the writer's thread only."""

    def __init__(self, connection: sqlite3.Connection, ladder: Ladder, timezone: str, series: SeriesById) -> None:
        """Take what to work on; `series` is the store's live mapping by id."""
        self._connection = connection
        self._ladder = ladder
        self._timezone = timezone
        self._series = series

    @property
    def connection(self) -> sqlite3.Connection:
        """The open file."""
        return self._connection

    @property
    def series(self) -> SeriesById:
        """Every series by its number."""
        return self._series

    def _like_this[J: StoreJob](self, kind: type[J]) -> J:
        """Return a job of another kind on the same store."""
        return kind(self._connection, self._ladder, self._timezone, self._series)


def watermark(connection: sqlite3.Connection, name: str) -> Micros | None:
    """Return a watermark, None before there is one.

    `hourly` and `daily` say up to when a tier is rolled up, `raw_from` and `hourly_from` from when
    it is kept.
    """
    found = connection.execute("SELECT until FROM watermark WHERE tier = ?", (name,)).fetchone()
    return None if found is None else int(found[0])


def set_watermark(connection: sqlite3.Connection, name: str, until: Micros) -> None:
    """Move a watermark forward; it never goes back."""
    connection.execute(
        "INSERT INTO watermark VALUES (?, ?) ON CONFLICT (tier) DO UPDATE SET until = MAX(until, excluded.until)",
        (name, until),
    )
