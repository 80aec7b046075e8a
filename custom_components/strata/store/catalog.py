"""What rows refer to: series, and the dictionaries of texts, attributes and causes."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, MutableMapping
import hashlib
import json
import sqlite3
from typing import Any

from ..core.model import Cause, Flag, Kind, Series, SeriesKey
from ..core.texts import storable
from .base import StoreError
from .keys import MAX_SERIES

_REMEMBERED_TEXTS = 20_000
_REMEMBERED_CAUSES = 20_000
_REMEMBERED_ATTRIBUTES = 5_000


ENTITY_ID, EARLIER_IDS = "entity_id", "earlier_entity_ids"
"""Labels: what an entity is called, and what it was called before, parted by commas."""


def earlier_ids(labels: Mapping[str, str]) -> list[str]:
    """Return the ids that an entity had before, as far as the store was there to see."""
    return [name for name in labels.get(EARLIER_IDS, "").split(",") if name]


def relabelled(before: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Return new labels of a series, with the ids its entity had before: servers may know it by those."""
    now, then = labels.get(ENTITY_ID), before.get(ENTITY_ID)
    names = [*earlier_ids(before), *([then] if now and then else [])]
    kept = ",".join(dict.fromkeys(name for name in names if name != now))
    return {**labels, EARLIER_IDS: kept} if kept else dict(labels)


def load_series(connection: sqlite3.Connection) -> list[Series]:
    """Return every series in the file."""
    return [
        Series(
            SeriesKey(measurement, identity, field),
            Kind(kind),
            unit,
            json.loads(labels),
            bool(fine),
            bool(monotonic),
            number,
        )
        for number, measurement, identity, field, kind, unit, fine, monotonic, labels in connection.execute(
            "SELECT id, measurement, identity, field, kind, unit, fine, monotonic, labels FROM series"
        )
    ]


def save_series(connection: sqlite3.Connection, series: Series) -> int:
    """Write what is known about a series and return its id.

    Raises:
        StoreError: the file holds as many series as it can.
    """
    number = connection.execute(
        "INSERT INTO series (measurement, identity, field, kind, unit, fine, monotonic, labels)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (measurement, identity, field) DO UPDATE SET kind = excluded.kind,"
        " unit = excluded.unit, fine = excluded.fine, monotonic = excluded.monotonic,"
        " labels = excluded.labels RETURNING id",
        (
            series.key.measurement,
            series.key.identity,
            series.key.field,
            series.kind,
            series.unit,
            series.fine,
            series.monotonic,
            json.dumps(series.labels, ensure_ascii=False, separators=(",", ":")),
        ),
    ).fetchone()[0]
    if number > MAX_SERIES:
        raise StoreError(f"the store is full of series: it holds up to {MAX_SERIES}")
    return int(number)


DEFINED_IN = {Flag.ATTRIBUTES: "attributes", Flag.CAUSE: "cause"}


def digest_of(text: str) -> bytes:
    """Return what tells one text of attributes from another."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12).digest()


def move_definitions(connection: sqlite3.Connection, upto: int, until: int) -> None:
    """Write the definitions in `live`, up to a number and an instant, into their tables."""
    found = connection.execute(
        "SELECT flag, value, cause FROM live WHERE flag >= ? AND seq <= ? AND time < ?",
        (int(Flag.ATTRIBUTES), upto, until),
    ).fetchall()
    connection.executemany(
        "INSERT OR IGNORE INTO attributes VALUES (?, ?, ?)",
        [(int(number), digest_of(text), text) for flag, number, text in found if flag == Flag.ATTRIBUTES],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO cause VALUES (?, ?, ?, ?)",
        [(int(number), *json.loads(text)) for flag, number, text in found if flag == Flag.CAUSE],
    )


def as_json(attributes: Mapping[str, object]) -> str:
    """Return attributes as JSON; what JSON does not know becomes text, never an error."""
    try:
        return json.dumps(attributes, default=_plain, separators=(",", ":"), ensure_ascii=False)
    except TypeError, ValueError, RecursionError:
        plain = {str(name): repr(value) for name, value in attributes.items()}
        return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> object:
    """Return a JSON value for something JSON has no word for."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return list(value)
    return str(value)


class Dictionaries:
    """Ids of texts, attributes and causes; each distinct thing is stored once.

    A new text is written at once. New attributes and causes come up much more often, and a page or
    two for each in every flush would wear out an SD card: they are left in `definitions`, which go
    into `live` with the rows that refer to them, and compaction moves them into their tables.

    Used by the writer only. After a transaction is rolled back, `forget` drops ids that may never
    have been written.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Start with nothing remembered."""
        self._connection = connection
        self.definitions: list[tuple[Flag, int, str]] = []
        """What has been given a number and is not yet on its way into the file."""
        self._texts: OrderedDict[str, int] = OrderedDict()
        self._attributes: OrderedDict[bytes, int] = OrderedDict()
        self._in_force: dict[int, tuple[Mapping[str, object], int]] = {}
        self._causes: OrderedDict[str, int] = OrderedDict()
        self._plain: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._newest: dict[Flag, int] = {}
        self._watchers: dict[object, dict[str, set[int]]] = {}

    def watched_by(self, who: object) -> bool:
        """Tell whether somebody watches."""
        return who in self._watchers

    def watch(self, who: object) -> dict[str, set[int]]:
        """Return sets, by table, in which every id is noted that is given out from now on, until `unwatch`."""
        noted = self._watchers[who] = {"text": set(), "attributes": set(), "cause": set()}
        return noted

    def unwatch(self, who: object) -> None:
        """Note nothing for somebody any more."""
        self._watchers.pop(who, None)

    def _hand_out(self, table: str, number: int) -> int:
        for noted in self._watchers.values():
            noted[table].add(number)
        return number

    def drop(self, table: str, numbers: frozenset[int]) -> None:
        """Forget entries of one table that were deleted, or their numbers would be given out again."""
        memories: Mapping[str, MutableMapping[Any, int]] = {
            "text": self._texts,
            "attributes": self._attributes,
            "cause": self._causes,
        }
        memory = memories[table]
        for meaning in [meaning for meaning, number in memory.items() if number in numbers]:
            del memory[meaning]
        if table == "attributes":
            for series in [series for series, (_, number) in self._in_force.items() if number in numbers]:
                del self._in_force[series]

    def forget(self) -> None:
        """Drop everything remembered."""
        for memory in (self._texts, self._attributes, self._causes, self._plain):
            memory.clear()
        self._in_force.clear()
        self._newest.clear()
        self.definitions.clear()

    def text(self, value: str) -> int:
        """Return the id of a text."""
        number = self._texts.get(value)
        if number is None:
            number = self._number(value)
            _remember(self._texts, value, number, _REMEMBERED_TEXTS)
        return self._hand_out("text", number)

    def attributes(self, series: int, content: Mapping[str, object]) -> int | None:
        """Return the id of attributes, None while the series' attributes have not changed."""
        before = self._in_force.get(series)
        if before and before[0] is content:
            return None
        text = storable(as_json(content))
        digest = digest_of(text)
        number = self._attributes.get(digest)
        if number is None:
            found = self._connection.execute("SELECT id FROM attributes WHERE digest = ?", (digest,)).fetchone()
            number = int(found[0]) if found else self._define(Flag.ATTRIBUTES, text)
            _remember(self._attributes, digest, number, _REMEMBERED_ATTRIBUTES)
        self._in_force[series] = (content, self._hand_out("attributes", number))
        return None if before and before[1] == number else number

    def cause(self, series: int, time: int, cause: Cause) -> tuple[int | None, list[tuple[int, int, int]]]:
        """Return the id of a cause worth keeping, and rows that turn out to share it.

        Most changes are a device's own report: their context has no parent, no user and stands
        alone, so it says nothing and is only remembered for a while. As soon as another row
        refers to it (as its context or its parent), it says something about the first row too,
        which is returned as `(series, time, cause id)`.
        """
        linked = [*self._promote(cause.id), *(self._promote(cause.parent) if cause.parent else ())]
        number = self._causes.get(cause.id)
        if number is None and (cause.parent or cause.user):
            number = self._store_cause(cause)
        if number is None:
            _remember(self._plain, cause.id, (series, time), _REMEMBERED_CAUSES)
        else:
            self._hand_out("cause", number)
        return number, linked

    def _promote(self, context: str) -> list[tuple[int, int, int]]:
        first = self._plain.pop(context, None)
        if first is None:
            return []
        return [(*first, self._store_cause(Cause(context)))]

    def _store_cause(self, cause: Cause) -> int:
        number = self._define(Flag.CAUSE, json.dumps([cause.id, cause.parent, cause.user]))
        _remember(self._causes, cause.id, number, _REMEMBERED_CAUSES)
        return self._hand_out("cause", number)

    def _define(self, what: Flag, content: str) -> int:
        newest = self._newest.get(what)
        if newest is None:
            newest = self._connection.execute(
                f"SELECT MAX(COALESCE((SELECT MAX(id) FROM {DEFINED_IN[what]}), 0),"
                " COALESCE((SELECT MAX(value) FROM live WHERE flag = ?), 0))",
                (int(what),),
            ).fetchone()[0]
        number = self._newest[what] = int(newest) + 1
        self.definitions.append((what, number, content))
        return number

    def _number(self, text: str) -> int:
        text = storable(text)
        found = self._connection.execute("SELECT id FROM text WHERE value = ?", (text,)).fetchone()
        # Numbers below 1 are not for texts of the home, and SQLite would give those out that follow the highest.
        found = (
            found
            or self._connection.execute(
                "INSERT INTO text (id, value) SELECT MAX(COALESCE(MAX(id), 0), 0) + 1, ? FROM text RETURNING id",
                (text,),
            ).fetchone()
        )
        return int(found[0])


def _remember[K, V](memory: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    memory[key] = value
    if len(memory) > limit:
        memory.popitem(last=False)
