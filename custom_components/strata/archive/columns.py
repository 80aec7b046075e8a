"""The columns of an archived file: flat, typed, with units, readable by whatever reads Parquet.

A file of roll-ups has a row for each series and bucket. A text series has, after each such row, one row more for each
state it was in: there `state` and `state_seconds` are set and everything counted is null, so that sums over a column
never count twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..core.model import Kind
from ..store.answers import count_field, energy_field

SCHEMA_VERSION = 1
METADATA_KEY = b"strata"
"""Where a file's own description is in its metadata: a JSON object."""

SERIES_TEXTS = ("measurement", "identity", "field", "kind", "unit")
LABELS = ("entity_id", "domain", "device_class", "area_id", "device_id", "friendly_name")
"""Labels that have a column of their own; `labels` holds all of them as JSON."""
SORTED_BY = ("measurement", "identity", "field", "kind", "start", "state")


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column: its type as pyarrow names it, and the unit its values are in."""

    type: str
    unit: str | None = None


OF_VALUE = "unit"
"""The unit of a column whose values are in the unit that the row's column `unit` names."""
OF_INTEGRAL = "unit*s"
"""The same, multiplied by seconds."""

SERIES_COLUMNS: Mapping[str, ColumnType] = {
    **{name: ColumnType("string") for name in (*SERIES_TEXTS, *LABELS, "labels")},
    "fine": ColumnType("bool"),
    "monotonic": ColumnType("bool"),
}
BUCKET_COLUMNS: Mapping[str, ColumnType] = {
    **SERIES_COLUMNS,
    "date": ColumnType("date32"),
    "start": ColumnType("time", "UTC"),
    "end": ColumnType("time", "UTC"),
    "offset_seconds": ColumnType("int32", "s"),
    "samples": ColumnType("int64"),
    "covered_seconds": ColumnType("double", "s"),
    "avg_value": ColumnType("double", OF_VALUE),
    "min_value": ColumnType("double", OF_VALUE),
    "max_value": ColumnType("double", OF_VALUE),
    "first_value": ColumnType("double", OF_VALUE),
    "last_value": ColumnType("double", OF_VALUE),
    "sum_value": ColumnType("double", OF_VALUE),
    "integral": ColumnType("double", OF_INTEGRAL),
    "increase": ColumnType("double", OF_VALUE),
    "resets": ColumnType("int64"),
    "energy": ColumnType("double", "kWh"),
    "on_seconds": ColumnType("double", "s"),
    "transitions": ColumnType("int64"),
    "first_state": ColumnType("string"),
    "last_state": ColumnType("string"),
    "state": ColumnType("string"),
    "state_seconds": ColumnType("double", "s"),
}
"""Roll-ups of any tier; in a file the samples and the energy are called as answers of its tier call them."""
RAW_COLUMNS: Mapping[str, ColumnType] = {
    **SERIES_COLUMNS,
    "time": ColumnType("time", "UTC"),
    "value": ColumnType("double", OF_VALUE),
    "state": ColumnType("string"),
    "flag": ColumnType("int32"),
}

STORED_AS: Mapping[Kind, Mapping[str, str]] = {
    Kind.MEASUREMENT: {
        "n": "samples",
        "covered": "covered_seconds",
        "integral": "integral",
        "sum": "sum_value",
        "min": "min_value",
        "max": "max_value",
        "first": "first_value",
        "last": "last_value",
    },
    Kind.METER: {
        "n": "samples",
        "covered": "covered_seconds",
        "increase": "increase",
        "resets": "resets",
        "first": "first_value",
        "last": "last_value",
    },
    Kind.ON_OFF: {
        "n": "samples",
        "covered": "covered_seconds",
        "on": "on_seconds",
        "transitions": "transitions",
        "first": "first_value",
        "last": "last_value",
    },
    Kind.TEXT: {
        "n": "samples",
        "covered": "covered_seconds",
        "transitions": "transitions",
        "first": "first_state",
        "last": "last_state",
    },
}
"""By kind, the column of the file that holds each column of the roll-up."""
IN_MICROSECONDS = frozenset({"covered", "on"})
"""Roll-up columns in whole microseconds. In files they are seconds; a day has so few microseconds that a double holds
their millionth exactly enough to give the very same number back."""


def columns_of(tier: str) -> dict[str, ColumnType]:
    """Return the columns of a file of a tier's roll-ups, by the names they have in it."""
    called = {"samples": count_field(tier), "energy": energy_field(tier)}
    return {called.get(name, name): column for name, column in BUCKET_COLUMNS.items()}
