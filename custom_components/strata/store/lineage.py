"""A series and those it goes on from: an entity has rows under each registry id that it had here.

Rows stay where they are, and are told together: of two of one time the one that an archive's file would keep.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
import sqlite3
from typing import TYPE_CHECKING

from ..core.model import Kind, Series, SeriesKey, TimeRange
from ..core.rollup import Rollup
from . import rows
from .base import RawRows
from .words import merge_buckets

if TYPE_CHECKING:
    from .reader import StoreReader


@dataclass(frozen=True, slots=True)
class Lineage:
    """A series as it is told, and what else in the store is its own, oldest first."""

    series: Series
    earlier: tuple[Series, ...] = ()

    @property
    def all(self) -> tuple[Series, ...]:
        """Every series of it, itself last."""
        return (*self.earlier, self.series)

    def tier(self, reader: StoreReader, name: str, when: TimeRange, kind: Kind | None = None) -> Rollup:
        """Return its buckets that start in `when`, of the kind it is of now if no other is asked for.

        Of two of one start it is the one that knows more.
        """
        of = self.series.kind if kind is None else kind
        return reduce(merge_buckets, (reader.tier(name, one.id or 0, of, when) for one in self.all))

    def raw(self, reader: StoreReader, when: TimeRange) -> RawRows:
        """Return its rows in `when`; of two of one instant the newer series' one."""
        if not self.earlier:
            return reader.raw(self.series.id or 0, when)
        return rows.merge([reader.raw(one.id or 0, when) for one in self.all])


def continued(connection: sqlite3.Connection) -> dict[SeriesKey, SeriesKey]:
    """Return, by the key of each series that goes on as another, the key of that one."""
    found = connection.execute(
        "SELECT measurement, identity, field, known_as, called FROM archive_alias WHERE known_as IS NOT NULL"
        " AND (known_as != identity OR called != field)"
    )
    return {
        SeriesKey(measurement, identity, name): SeriesKey(measurement, known_as, called)
        for measurement, identity, name, known_as, called in found
    }


def continued_numbers(connection: sqlite3.Connection) -> dict[int, int]:
    """Return, by the number of each series that goes on as another, the number of that one."""
    return dict(
        connection.execute(
            "SELECT earlier.id, now.id FROM archive_alias AS alias"
            " JOIN series AS earlier USING (measurement, identity, field)"
            " JOIN series AS now ON now.measurement = alias.measurement AND now.identity = alias.known_as"
            " AND now.field = alias.called WHERE earlier.id != now.id"
        ).fetchall()
    )


def lineages(
    told: Iterable[Series], everything: Iterable[Series], called: Mapping[SeriesKey, SeriesKey]
) -> Sequence[Lineage]:
    """Return series with those that go on as one of them, which are not told by themselves.

    Args:
        told: what is asked for.
        everything: every series of the store.
        called: by a series' key, the key of the one it goes on as.
    """
    known = {one.key: one for one in everything if one.id is not None}
    wanted: dict[SeriesKey, Series] = {}
    for one in told:
        key = called.get(one.key, one.key)
        newest = known.get(key, one)
        wanted.setdefault(newest.key, newest)
    earlier: dict[SeriesKey, list[Series]] = {}
    for before, key in called.items():
        if key in wanted and key != before and before in known:
            earlier.setdefault(key, []).append(known[before])
    return [
        Lineage(one, tuple(sorted(earlier.get(key, ()), key=lambda each: each.id or 0))) for key, one in wanted.items()
    ]
