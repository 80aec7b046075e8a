"""Roll-ups as Arrow tables, and back; exact in both directions. Needs pyarrow, so use it off the event loop only."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.model import MICROS_PER_SECOND, Kind, Series, SeriesKey
from ..core.rollup import COLUMNS, NO_STATE, Column, Rollup
from ..core.state_time import NO_STATES, StateTime
from ..store.answers import energy_kwh
from ..store.pace import paced
from . import arrow
from .columns import BUCKET_COLUMNS, IN_MICROSECONDS, LABELS, RAW_COLUMNS, SERIES_COLUMNS, STORED_AS, ColumnType

if TYPE_CHECKING:
    import pyarrow as pa

type SeriesBuckets = tuple[Series, Rollup]
"""A series as the file or the store knows it, and buckets of one kind; text buckets carry their names."""
type SeriesRows = tuple[Series, RawColumns]
type RawColumns = tuple[NDArray[np.int64], NDArray[np.float64], Sequence[str | None], NDArray[np.int64]]
"""Times, values (NaN for none), texts (None for none), flags."""

OFFSET = "offset"
_NOTHING = np.iinfo(np.int64).min
"""Stands for null in a column of whole numbers on its way into a table."""
_IDENTITY = ("measurement", "identity", "field", "kind")
_SHORT = {"int32": "int32", "int64": "int64", "double": "float64", "string": "string", "bool": "bool_"}


def arrow_type(column: ColumnType) -> Any:
    """Return pyarrow's type of a column."""
    import pyarrow as pa

    if column.type == "time":
        return pa.timestamp("us", tz="UTC")
    if column.type == "date32":
        return pa.date32()
    return getattr(pa, _SHORT[column.type])()


def schema_of(columns: Mapping[str, ColumnType]) -> pa.Schema:
    """Return the Arrow schema of a file."""
    import pyarrow as pa

    return pa.schema([pa.field(name, arrow_type(column)) for name, column in columns.items()])


def sort_key(part: tuple[Series, Rollup]) -> tuple[str, ...]:
    """Return where a series stands in a file."""
    series, rollup = part
    return (series.key.measurement, series.key.identity, series.key.field, rollup.kind)


def bucket_table(parts: Sequence[SeriesBuckets]) -> pa.Table:
    """Return buckets as a table, in the order of `parts` and of time."""
    columns: dict[str, list[Any]] = {name: [] for name in BUCKET_COLUMNS if name not in SERIES_COLUMNS}
    lengths = []
    for series, rollup in paced(parts):
        rows = _bucket_rows(series, rollup)
        lengths.append(len(rows["start"]))
        for name, values in columns.items():
            values.append(rows.get(name, lengths[-1]))
    described = [(series, rollup.kind) for series, rollup in parts]
    return _table(BUCKET_COLUMNS, described, lengths, columns)


def raw_table(parts: Sequence[SeriesRows]) -> pa.Table:
    """Return single rows as a table, in the order of `parts`."""
    columns: dict[str, list[Any]] = {"time": [], "value": [], "state": [], "flag": []}
    for _, rows in parts:
        for name, values in zip(columns, rows, strict=True):
            columns[name].append(values)
    lengths = [len(rows[0]) for _, rows in parts]
    return _table(RAW_COLUMNS, [(series, series.kind) for series, _ in parts], lengths, columns)


def _table(
    types: Mapping[str, ColumnType],
    described: Sequence[tuple[Series, Kind]],
    lengths: Sequence[int],
    columns: Mapping[str, Sequence[Any]],
) -> pa.Table:
    import pyarrow as pa

    place = np.repeat(np.arange(len(described), dtype=np.int32), lengths)
    arrays = []
    for name, column in paced(types.items()):
        if name in SERIES_COLUMNS:
            said: list[Any] = [_of_series(name, series, kind) for series, kind in described]
            known = arrow.flags(said) if column.type == "bool" else arrow.texts(said)
            arrays.append(known.take(arrow.numbers(place, pa.int32())))
        else:
            arrays.append(_array(columns[name], column))
    return pa.Table.from_arrays(arrays, schema=schema_of(types))


def _array(parts: Sequence[Any], column: ColumnType) -> pa.Array:
    """Return one column from the parts of its series; a part that is a number stands for as many nulls."""
    import pyarrow as pa

    kind = arrow_type(column)
    if column.type == "string":
        return arrow.texts([text for part in parts for text in ([None] * part if isinstance(part, int) else part)])
    empty, dtype = (np.nan, np.float64) if column.type == "double" else (_NOTHING, np.int64)
    filled = [np.full(part, empty) if isinstance(part, int) else np.asarray(part, dtype) for part in parts]
    values = np.concatenate([np.empty(0, dtype), *filled]).astype(dtype)
    missing = np.isnan(values) if column.type == "double" else values == _NOTHING
    plain = pa.float64() if column.type == "double" else pa.int64()
    filled_in = np.where(missing, 0, values).astype(dtype)
    return arrow.numbers(filled_in, plain, missing).cast(pa.int32() if column.type == "date32" else kind).cast(kind)


def _of_series(name: str, series: Series, kind: Kind) -> str | bool | None:
    if name in LABELS:
        return series.labels.get(name)
    return {
        "measurement": series.key.measurement,
        "identity": series.key.identity,
        "field": series.key.field,
        "kind": str(kind),
        "unit": series.unit,
        "labels": json.dumps(series.labels, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        "fine": series.fine,
        "monotonic": series.monotonic,
    }[name]


def _bucket_rows(series: Series, rollup: Rollup) -> dict[str, Any]:
    """Return the columns of one series' rows: one for each bucket, and after it one for each state met in it."""
    rows = _main_rows(series, rollup)
    states = rollup.states
    if not len(states.bucket):
        return rows
    rank = np.empty(len(rollup.names), np.int64)
    rank[sorted(range(len(rollup.names)), key=rollup.names.__getitem__)] = np.arange(len(rollup.names))
    of_bucket = np.concatenate((np.arange(len(rollup)), states.bucket))
    is_state = np.arange(len(of_bucket)) >= len(rollup)
    order = np.lexsort((np.concatenate((np.full(len(rollup), -1), rank[states.code])), of_bucket))
    words = [*[None] * len(rollup), *(rollup.names[code] for code in states.code.tolist())]
    seconds = np.concatenate((np.full(len(rollup), np.nan), states.micros / MICROS_PER_SECOND))
    of_bucket, is_state = of_bucket[order], is_state[order]
    return {
        **{name: _spread(column, of_bucket, is_state, name) for name, column in rows.items()},
        "state": [words[at] for at in order.tolist()],
        "state_seconds": seconds[order],
    }


_OF_EVERY_ROW = frozenset({"date", "start", "end", "offset_seconds"})


def _spread(column: Any, of_bucket: NDArray[np.int64], is_state: NDArray[np.bool_], name: str) -> Any:
    """Return a column for buckets and states alike: states repeat when they were, and count nothing."""
    if isinstance(column, list):
        return [None if state else column[at] for at, state in zip(of_bucket.tolist(), is_state.tolist(), strict=True)]
    taken = np.asarray(column)[of_bucket]
    if name in _OF_EVERY_ROW:
        return taken
    return np.where(is_state, np.nan if taken.dtype == np.float64 else _NOTHING, taken)


def _main_rows(series: Series, rollup: Rollup) -> dict[str, Any]:
    offsets = rollup.columns[OFFSET]
    rows: dict[str, Any] = {
        "date": (rollup.starts + offsets * MICROS_PER_SECOND) // (86_400 * MICROS_PER_SECOND),
        "start": rollup.starts,
        "end": rollup.ends,
        "offset_seconds": offsets,
    }
    for name, stored in STORED_AS[rollup.kind].items():
        column = rollup.columns[name]
        if stored.endswith("_state"):
            rows[stored] = [None if code == NO_STATE else rollup.names[code] for code in column.tolist()]
        else:
            rows[stored] = column / MICROS_PER_SECOND if name in IN_MICROSECONDS else column
    if rollup.kind in {Kind.MEASUREMENT, Kind.ON_OFF}:
        rows["avg_value"] = rollup.mean
    if (energy := energy_kwh(rollup, series.unit)) is not None:
        rows["energy"] = energy
    return rows


# And back


def split(table: pa.Table) -> Iterator[tuple[Series, Kind, pa.Table]]:
    """Yield the rows of each series in a table in which they stand together."""
    if not len(table):
        return
    changes = np.zeros(len(table) - 1, bool)
    for name in _IDENTITY:
        codes = arrow.values_of(table[name].combine_chunks().dictionary_encode().indices, np.int32)
        changes |= np.diff(codes) != 0
    borders = [0, *(np.flatnonzero(changes) + 1).tolist(), len(table)]
    for begin, end in pairwise(borders):
        part = table.slice(begin, end - begin)
        yield (*_series_at(part), part)


def _series_at(table: pa.Table) -> tuple[Series, Kind]:
    said = {name: table[name][0].as_py() for name in SERIES_COLUMNS}
    kind = Kind(said["kind"])
    key = SeriesKey(said["measurement"], said["identity"], said["field"])
    return Series(key, kind, said["unit"], json.loads(said["labels"]), said["fine"], said["monotonic"]), kind


def rollup_of(kind: Kind, table: pa.Table) -> Rollup:
    """Return the buckets that the rows of one series say."""
    starts = _ints(table, "start")
    is_state = np.zeros(len(starts), np.bool_)
    if kind is Kind.TEXT:
        is_state = ~arrow.missing_of(table["state"].combine_chunks())
    mains = ~is_state
    columns: dict[str, Column] = {OFFSET: _ints(table, "offset_seconds")[mains]}
    names: dict[str, int] = {}
    for name, of_kind in COLUMNS[kind].items():
        stored = STORED_AS[kind][name]
        if stored.endswith("_state"):
            columns[name] = _codes(table[stored].to_pylist(), names)[mains]
        elif name in IN_MICROSECONDS:
            columns[name] = np.rint(_floats(table, stored)[mains] * MICROS_PER_SECOND).astype(np.int64)
        else:
            columns[name] = (_floats if of_kind is float else _ints)(table, stored)[mains]
    states = NO_STATES
    if is_state.any():
        bucket = (np.cumsum(mains) - 1)[is_state]
        code = _codes(table["state"].to_pylist(), names)[is_state]
        micros = np.rint(_floats(table, "state_seconds")[is_state] * MICROS_PER_SECOND).astype(np.int64)
        order = np.lexsort((code, bucket))
        states = StateTime(bucket[order], code[order], micros[order])
    return Rollup(kind, starts[mains], _ints(table, "end")[mains], columns, states, tuple(names))


def raw_of(table: pa.Table) -> RawColumns:
    """Return the single rows that the rows of one series say."""
    return _ints(table, "time"), _floats(table, "value"), table["state"].to_pylist(), _ints(table, "flag")


def _ints(table: pa.Table, name: str) -> NDArray[np.int64]:
    array = table[name].cast("int64").combine_chunks()
    return np.where(arrow.missing_of(array), 0, arrow.values_of(array, np.int64))


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    array = table[name].combine_chunks()
    return np.where(arrow.missing_of(array), np.nan, arrow.values_of(array, np.float64))


def _codes(words: Sequence[str | None], names: dict[str, int]) -> NDArray[np.int64]:
    """Return a number for each text, the same for the same text; a new one is added to `names`."""
    return np.array([NO_STATE if word is None else names.setdefault(word, len(names)) for word in words], np.int64)
