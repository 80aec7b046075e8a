"""Asking views: finished rows by entity, area and date."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
import sqlite3
from typing import Protocol

from ...core.model import Micros, from_micros
from ..backlog import load_note
from ..connection import in_store_words, snapshot
from ..lineage import continued_numbers
from . import VIEWS, view as view_named
from .base import Column, Shape, View, ViewRow
from .refresh import REFRESHED

MOST_ROWS = 10_000


class Readable(Protocol):
    """What views are read through, such as a `StoreReader`."""

    @property
    def connection(self) -> sqlite3.Connection:
        """The read-only connection."""

    @property
    def path(self) -> object:
        """The file."""


@dataclass(frozen=True, slots=True)
class ViewAnswer:
    """Rows of a view as they are told: `columns` names them, `units` says in what numbers are.

    `more` says that there are rows beyond the limit; ask again with `offset` moved on by the rows
    that came.
    """

    view: str
    columns: tuple[str, ...]
    units: Mapping[str, str]
    rows: tuple[tuple[object, ...], ...]
    more: bool = False

    def as_dicts(self) -> list[dict[str, object]]:
        """Return one mapping per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class MaterializedViews:
    """Reads views; nothing is worked out here."""

    def __init__(self, reader: Readable) -> None:
        """Read through a reader, on its thread."""
        self._reader = reader

    @property
    def names(self) -> tuple[str, ...]:
        """The views there are."""
        return tuple(view.name for view in VIEWS)

    def refreshed(self) -> Micros | None:
        """Return when views last were complete, None before the first time."""
        with in_store_words(str(self._reader.path)):
            found: Micros | None = load_note(self._reader.connection, REFRESHED)
        return found

    def query(
        self,
        name: str,
        *,
        entities: Sequence[str] | None = None,
        areas: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
        limit: int = MOST_ROWS,
        offset: int = 0,
    ) -> ViewAnswer:
        """Return a view's rows, the oldest first.

        Args:
            name: the view.
            entities: only rows of these entities; None for all.
            areas: only rows of these areas, by id; None for all.
            start: the first local date, None for the oldest there is.
            end: the first local date that is not wanted any more, None for all.
            limit: how many rows at most.
            offset: how many rows to pass over.

        Raises:
            KeyError: there is no such view.
            ValueError: the view has no entities, areas or dates to choose by.
            StoreError: the file cannot be read.
        """
        view = view_named(name)
        connection = self._reader.connection
        with in_store_words(str(self._reader.path)), snapshot(connection):
            conditions, values = _conditions(connection, view, entities, areas, start, end)
            where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
            found = connection.execute(
                f"SELECT * FROM {view.table}{where} LIMIT ? OFFSET ?", (*values, limit + 1, offset)
            ).fetchall()
            more = len(found) > limit
            told = _told(connection, view, found[:limit])
        units = {column.told: column.unit for column in view.columns if column.unit}
        return ViewAnswer(name, tuple(column.told for column in view.columns), units, told, more)


def rows_of(connection: sqlite3.Connection, view: View, day: int) -> list[ViewRow]:
    """Return the rows of one local day as they are stored; of a view that follows from others all there are."""
    if view.derive is not None:
        return connection.execute(f"SELECT * FROM {view.table}").fetchall()
    return connection.execute(f"SELECT * FROM {view.table} WHERE date = ?", (day,)).fetchall()


def next_day(connection: sqlite3.Connection, after: int, last: int) -> int | None:
    """Return the first local day behind one, up to a last, on which any view has rows; days are ordinals."""
    found = [
        connection.execute(f"SELECT MIN(date) FROM {view.table} WHERE date > ? AND date <= ?", (after, last)).fetchone()
        for view in VIEWS
        if view.derive is None
    ]
    return min((day for (day,) in found if day is not None), default=None)


def _conditions(
    connection: sqlite3.Connection,
    view: View,
    entities: Sequence[str] | None,
    areas: Sequence[str] | None,
    start: date | None,
    end: date | None,
) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    day = _chosen_by(view, Shape.DATE, start is not None or end is not None)
    for limit, comparison in ((start, ">="), (end, "<")):
        if limit is not None:
            conditions.append(f"{day} {comparison} ?")
            values.append(limit.toordinal())
    for wanted, shape in ((entities, Shape.ENTITY), (areas, Shape.AREA)):
        column = _chosen_by(view, shape, wanted is not None)
        if wanted is not None:
            chosen: Iterable[object] = _series_of(connection, wanted) if shape is Shape.ENTITY else wanted
            items = list(chosen)
            conditions.append(f"{column} IN ({', '.join('?' * len(items))})")
            values += items
    return conditions, values


def _chosen_by(view: View, shape: Shape, asked: bool) -> str | None:  # noqa: FBT001 - private
    column = view.column(shape)
    if asked and column is None:
        raise ValueError(f"{view.name} has no {shape.value} to choose by")
    return column


def _series_of(connection: sqlite3.Connection, entities: Sequence[str]) -> list[int]:
    """Return the series of entities, and those that go on as theirs, whatever they were called."""
    marks = ", ".join("?" * len(entities))
    found = [
        number
        for (number,) in connection.execute(
            f"SELECT id FROM series WHERE json_extract(labels, '$.entity_id') IN ({marks})", tuple(entities)
        )
    ]
    if not (now := continued_numbers(connection)):
        return found
    own = {number for number in found if number not in now}
    return [*own, *(number for number, goes_on_as in now.items() if goes_on_as in own)]


def _told(connection: sqlite3.Connection, view: View, rows: list[tuple[object, ...]]) -> tuple[tuple[object, ...], ...]:
    """Return rows with dates, times and entity ids in place of numbers."""
    columns: list[Iterable[object]] = [list(column) for column in zip(*rows, strict=True)]
    for place, column in enumerate(view.columns):
        if columns and column.shape in _WORDS:
            columns[place] = _WORDS[column.shape](connection, column, columns[place])
    return tuple(zip(*columns, strict=True))


def _dates(_: sqlite3.Connection, __: Column, values: Iterable[object]) -> Iterable[object]:
    told = {value: date.fromordinal(int(str(value))).isoformat() for value in {*values}}
    return [told[value] for value in values]


def _instants(_: sqlite3.Connection, __: Column, values: Iterable[object]) -> Iterable[object]:
    told = {value: from_micros(int(str(value))).isoformat() for value in {*values}}
    return [told[value] for value in values]


def _entities(connection: sqlite3.Connection, _: Column, values: Iterable[object]) -> Iterable[object]:
    now = continued_numbers(connection)
    wanted = {*values, *now.values()}
    told: dict[object, str] = {
        number: entity_id or identity
        for number, identity, entity_id in connection.execute(
            "SELECT id, identity, json_extract(labels, '$.entity_id') FROM series"
        )
        if number in wanted
    }
    told |= {number: told[goes_on_as] for number, goes_on_as in now.items()}
    return [told.get(value, f"series {value}") for value in values]


_WORDS = {Shape.DATE: _dates, Shape.ENTITY: _entities, Shape.START: _instants}
