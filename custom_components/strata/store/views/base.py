"""What a view is: finished rows of one day, kept in a table of their own and read as they are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .facts import Facts

type ViewRow = tuple[object, ...]
"""Values in the order of the view's columns."""


class Shape(StrEnum):
    """How a column is stored and told."""

    DATE = "date"
    """A local date, stored as its ordinal."""
    ENTITY = "entity"
    """A series, stored by number and told by the entity id it has now."""
    START = "start"
    """The instant an hour begins, in microseconds."""
    AREA = "area"
    """An area's id; empty where the entity has none."""
    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"


_TOLD = {Shape.DATE: "date", Shape.ENTITY: "entity_id", Shape.START: "start", Shape.AREA: "area"}

_KEYS = frozenset(_TOLD)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in the table, its shape, and the unit of its numbers."""

    name: str
    shape: Shape = Shape.NUMBER
    unit: str | None = None
    key: bool = False
    """Whether it tells rows apart although its shape does not say so."""

    @property
    def told(self) -> str:
        """The name of the column in answers."""
        return _TOLD.get(self.shape, self.name)


DATE = Column("date", Shape.DATE)
SERIES = Column("series", Shape.ENTITY)
START = Column("start", Shape.START)
AREA = Column("area", Shape.AREA)
HOUR = Column("hour", Shape.WHOLE)


@dataclass(frozen=True, slots=True)
class View:
    """One view.

    `rows` gives a day's finished rows. `derive` is for views that follow from other views instead
    of a day: it gives all rows there are, from the file and the newest day.
    """

    name: str
    number: int
    """What entries of the change feed know it by, for good; above the numbers of tiers."""
    columns: tuple[Column, ...]
    keep_days: int
    """How long rows stay, counted from today."""
    rows: Callable[[Facts], Iterable[ViewRow]] | None = None
    derive: Callable[[sqlite3.Connection, int], Iterable[ViewRow]] | None = None

    @property
    def table(self) -> str:
        """The table its rows are in."""
        return f"view_{self.name}"

    @property
    def key_size(self) -> int:
        """How many columns, from the first on, tell its rows apart."""
        return len([column for column in self.columns if column.key or column.shape in _KEYS])

    @property
    def keys(self) -> tuple[Column, ...]:
        """The columns that tell its rows apart."""
        return self.columns[: self.key_size]

    def column(self, shape: Shape) -> str | None:
        """Return the name of the column of a shape, None where the view has none."""
        return next((column.name for column in self.columns if column.shape is shape), None)


YEAR = 366
FIVE_YEARS = 5 * 365 + 1
QUARTER = 92
