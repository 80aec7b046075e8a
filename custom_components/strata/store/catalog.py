"""What rows refer to: series, and the dictionaries of texts, attributes and causes."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
import hashlib
import json
import sqlite3
from typing import Any

from ..core.model import Cause, Kind, Series, SeriesKey
from .base import StoreError
from .keys import MAX_SERIES

_REMEMBERED_TEXTS = 20_000
_REMEMBERED_CAUSES = 20_000
_REMEMBERED_ATTRIBUTES = 5_000


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

    Used by the writer only. After a transaction is rolled back, `forget` drops ids that may never
    have been written.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Start with nothing remembered."""
        self._connection = connection
        self._texts: OrderedDict[str, int] = OrderedDict()
        self._attributes: OrderedDict[bytes, int] = OrderedDict()
        self._in_force: dict[int, tuple[Mapping[str, object], int]] = {}
        self._causes: OrderedDict[str, int] = OrderedDict()
        self._plain: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def forget(self) -> None:
        """Drop everything remembered."""
        for memory in (self._texts, self._attributes, self._causes, self._plain):
            memory.clear()
        self._in_force.clear()

    def text(self, value: str) -> int:
        """Return the id of a text."""
        number = self._texts.get(value)
        if number is None:
            number = self._number("text", "value", value)
            _remember(self._texts, value, number, _REMEMBERED_TEXTS)
        return number

    def attributes(self, series: int, content: Mapping[str, object]) -> int | None:
        """Return the id of attributes, None while the series' attributes have not changed."""
        before = self._in_force.get(series)
        if before and before[0] is content:
            return None
        text = as_json(content)
        digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12).digest()
        number = self._attributes.get(digest)
        if number is None:
            number = self._store_attributes(digest, text)
            _remember(self._attributes, digest, number, _REMEMBERED_ATTRIBUTES)
        self._in_force[series] = (content, number)
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
        return number, linked

    def _promote(self, context: str) -> list[tuple[int, int, int]]:
        first = self._plain.pop(context, None)
        if first is None:
            return []
        return [(*first, self._store_cause(Cause(context)))]

    def _store_cause(self, cause: Cause) -> int:
        number = int(
            self._connection.execute(
                "INSERT INTO cause (context, parent, user) VALUES (?, ?, ?) RETURNING id",
                (cause.id, cause.parent, cause.user),
            ).fetchone()[0]
        )
        _remember(self._causes, cause.id, number, _REMEMBERED_CAUSES)
        return number

    def _store_attributes(self, digest: bytes, text: str) -> int:
        found = self._connection.execute("SELECT id FROM attributes WHERE digest = ?", (digest,)).fetchone()
        found = (
            found
            or self._connection.execute(
                "INSERT INTO attributes (digest, json) VALUES (?, ?) RETURNING id",
                (digest, text.encode(errors="replace").decode()),
            ).fetchone()
        )
        return int(found[0])

    def _number(self, table: str, column: str, value: str) -> int:
        value = value.encode(errors="replace").decode()
        found = self._connection.execute(
            f"SELECT id FROM {table} WHERE {column} = ?",
            (value,),
        ).fetchone()
        found = (
            found
            or self._connection.execute(
                f"INSERT INTO {table} ({column}) VALUES (?) RETURNING id",
                (value,),
            ).fetchone()
        )
        return int(found[0])


def _remember[K, V](memory: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    memory[key] = value
    if len(memory) > limit:
        memory.popitem(last=False)
