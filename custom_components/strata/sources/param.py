"""What a source's form asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .home_access import Home

type Options = Mapping[str, object]
"""A source's parameters as its form saved them."""


class ParamKind(StrEnum):
    """How the form asks for a parameter."""

    SELECT = "select"
    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the name of a kind of question
    NUMBER = "number"
    ENTITY = "entity"
    BOOLEAN = "boolean"
    TIME = "time"
    TABLE = "table"
    """Rows of `Param.columns`, any number of them."""
    LATITUDE_LONGITUDE = "location"


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One question of a source's form; its label is the translation of `key`."""

    key: str
    kind: ParamKind
    required: bool = True
    choices: tuple[str, ...] = ()
    """For SELECT: the values; labels are shown as they are unless `translated`."""
    translated: bool = False
    default: Callable[[Home], object | None] = lambda home: None
    """What the form proposes for this home; None proposes nothing."""
    domains: tuple[str, ...] = ()
    """For ENTITY: the entity domains to choose from."""
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None
    """For NUMBER: what stands behind the number; `{currency}` is that of the home, or of the reading it is about."""
    pattern: str | None = None
    """For TEXT: a regular expression the whole value has to match."""
    multiple: bool = False
    """For ENTITY, TEXT and SELECT: any number of values; the option is a list, and `pattern` is for each."""
    columns: tuple[Param, ...] = ()
    """For TABLE: the questions of a row; the option is a list of objects."""
    own: str | None = None
    """For ENTITY: only those of Strata's own entities that show this metric; None for entities of others only."""
    check: Callable[[object], str | None] | None = None
    """Given the value as it would be saved: None where it is fine, else the translation key of the error."""
