"""What series of files that another store has made are called here.

An entity's series is known by its registry id, and an installation that is set up anew gives new ones. Where the
entity id is the same, the history goes on: the files stay as they are, and what they tell is read under the name that
the series has here. Of several registry ids that had one entity id, the newest goes on; the others stay series of their
own, as they were.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
import sqlite3

from ..core.entity_series import MEASUREMENT
from ..core.model import Kind, Series, SeriesKey
from ..store.lineage import continued
from ..store.sqlite import SqliteStore

_ENTITY = "entity:"
_COLUMNS = "measurement, identity, field, entity_id, known_as, called"

type Part[V] = tuple[Series, V]


@dataclass(frozen=True, slots=True)
class Aliases:
    """By a series' key in files: its key here, where that is another."""

    keys: Mapping[SeriesKey, SeriesKey] = field(default_factory=dict)

    def of(self, series: Series) -> Series:
        """Return a series of a file as it is called here."""
        key = self.keys.get(series.key)
        return series if key is None else replace(series, key=key)

    def twofold(self, found: Iterable[tuple[SeriesKey, Kind]]) -> frozenset[tuple[SeriesKey, Kind]]:
        """Return what two series of one file are both called here."""
        seen: set[tuple[SeriesKey, Kind]] = set()
        twice: set[tuple[SeriesKey, Kind]] = set()
        for key, kind in found:
            called = (self.keys.get(key, key), kind)
            (twice if called in seen else seen).add(called)
        return frozenset(twice)

    def told[V](
        self,
        parts: Iterable[Part[V]],
        twofold: Collection[tuple[SeriesKey, Kind]],
        kind_of: Callable[[Part[V]], Kind],
        merged: Callable[[V, V], V],
    ) -> Iterator[Part[V]]:
        """Yield a file's parts as they are called here; those that are one here come as one, at the end."""
        held: dict[tuple[SeriesKey, Kind], Part[V]] = {}
        for part in parts:
            series, content = self.of(part[0]), part[1]
            name = (series.key, kind_of(part))
            if name not in twofold:
                yield series, content
            elif name in held:
                held[name] = (series, merged(held[name][1], content))
            else:
                held[name] = (series, content)
        yield from held.values()


NO_ALIASES = Aliases()


def load(connection: sqlite3.Connection) -> Aliases:
    """Return what series of files are called here."""
    return Aliases(continued(connection))


def unknown(connection: sqlite3.Connection, found: Iterable[Series]) -> list[Series]:
    """Return the series of a file that are new, which of most files are none."""
    known = {SeriesKey(*row) for row in connection.execute("SELECT measurement, identity, field FROM archive_alias")}
    return [series for series in found if series.key not in known]


def waiting(connection: sqlite3.Connection) -> list[str]:
    """Return the entity ids of files that this Home Assistant does not have yet."""
    found = connection.execute("SELECT DISTINCT entity_id FROM archive_alias WHERE known_as IS NULL ORDER BY entity_id")
    return [entity_id for (entity_id,) in found]


def learn(store: SqliteStore, found: Iterable[Series], entities: Mapping[str, str]) -> None:
    """Get to know the series of a file, and let each be one of this store's. Newer files come first.

    Args:
        store: the store, on its thread.
        found: the series as the file calls them.
        entities: what entities are known by here, by entity id.
    """
    own = frozenset(entities.values())
    for series in found:
        key = series.key
        known = store.transact(lambda connection, key=key: _known(connection, key))  # type: ignore[misc]
        if key.field in known:
            continue
        if known:
            # What an entity is called, and whether it is here, its newest series has said.
            entity_id, known_as = next(iter(known.values()))
        else:
            entity_id = _entity_id(series)
            stays = entity_id is None or key.identity.removeprefix(_ENTITY) in own
            stays = stays or _is_claimed(store, key, entity_id or "")
            known_as = key.identity if stays else _present(entities, entity_id or "")
        _note(store, series, entity_id, known_as)
    store.save_series()


def resolve(store: SqliteStore, entities: Mapping[str, str]) -> int:
    """Let series whose entity has come to be here since go on as its; return how many did."""
    open_ones = store.transact(
        lambda connection: connection.execute(f"SELECT {_COLUMNS} FROM archive_alias WHERE known_as IS NULL").fetchall()
    )
    count = 0
    for measurement, identity, name, entity_id, _, _ in open_ones:
        known_as = _present(entities, entity_id)
        own = store.find(SeriesKey(measurement, identity, name))
        if known_as is None or own is None:
            continue
        # What the store has of it itself stays: it may be in no file yet, and goes into one under the new name.
        _note(store, own, entity_id, known_as)
        count += 1
    store.save_series()
    return count


def forget(connection: sqlite3.Connection, keys: Collection[SeriesKey]) -> None:
    """Forget what series were called that are erased."""
    for key in keys:
        connection.execute(
            "DELETE FROM archive_alias WHERE measurement = ? AND (identity = ? OR known_as = ?)"
            " AND (field = ? OR called = ?)",
            (key.measurement, key.identity, key.identity, key.field, key.field),
        )


def _known(connection: sqlite3.Connection, key: SeriesKey) -> dict[str, tuple[str | None, str | None]]:
    """Return by field what is known of the series with an identity: their entity id, and what they are here."""
    found = connection.execute(
        "SELECT field, entity_id, known_as FROM archive_alias WHERE measurement = ? AND identity = ?",
        (key.measurement, key.identity),
    )
    return {name: (entity_id, known_as) for name, entity_id, known_as in found}


def _is_claimed(store: SqliteStore, key: SeriesKey, entity_id: str) -> bool:
    """Tell whether another registry id of files goes on as this entity already."""
    return store.transact(
        lambda connection: (
            connection.execute(
                "SELECT 1 FROM archive_alias WHERE measurement = ? AND entity_id = ? AND identity != ?",
                (key.measurement, entity_id, key.identity),
            ).fetchone()
            is not None
        )
    )


def _entity_id(series: Series) -> str | None:
    """Return the entity id of an entity's own series; readings are known by what they are of, wherever they are."""
    own = series.key.measurement == MEASUREMENT and series.key.identity.startswith(_ENTITY)
    return series.labels.get("entity_id") if own else None


def _present(entities: Mapping[str, str], entity_id: str) -> str | None:
    known = entities.get(entity_id)
    return None if known is None else f"{_ENTITY}{known}"


def _note(store: SqliteStore, series: Series, entity_id: str | None, known_as: str | None) -> None:
    key = SeriesKey(series.key.measurement, known_as or series.key.identity, series.key.field)
    known = store.find(key)
    if (
        known is not None
        and known is not series
        and None not in {known.unit, series.unit}
        and known.unit != series.unit
    ):
        # As with values of another unit that an entity itself has: they never run into each other.
        key = replace(key, field=f"{key.field}[{series.unit}]")
    if store.find(key) is None:
        store.series(
            key,
            kind=series.kind,
            unit=series.unit,
            labels=series.labels,
            fine=series.fine,
            monotonic=series.monotonic,
        )
    row = (
        *(getattr(series.key, name) for name in ("measurement", "identity", "field")),
        entity_id,
        known_as,
        key.field,
    )
    store.transact(
        lambda connection: connection.execute(
            f"INSERT OR REPLACE INTO archive_alias ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row
        )
    )
