"""Parquet files: written beside their place, read back and compared, and only then made visible.

>>> written = write(path, [(series, rollup)], timezone="Europe/Berlin")      # doctest: +SKIP
>>> for series, rollup in read(path):                                         # doctest: +SKIP
...     print(series.labels["entity_id"], rollup.mean)

pyarrow is linked and imported by the functions that need it; call them off the event loop.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.model import Kind, Series, SeriesKey, TimeRange
from ..core.portioned import portioned
from ..core.rollup import NO_STATE, Rollup
from ..store.pace import paced
from .columns import BUCKET_COLUMNS, METADATA_KEY, RAW_COLUMNS, SCHEMA_VERSION, SORTED_BY, ColumnType, columns_of
from .errors import ArchiveError, FileDamaged, FileTooNew
from .linking import link_pyarrow
from .tables import (
    RawColumns,
    SeriesBuckets,
    SeriesRows,
    bucket_table,
    raw_of,
    raw_table,
    rollup_of,
    schema_of,
    sort_key,
    split,
)

if TYPE_CHECKING:
    import pyarrow as pa

COMPRESSIONS = ("gzip", "zstd")
DAILY, RAW = "daily", "raw"
_ROWS_AT_ONCE = 8_192
"""Rows of a row group: what is in memory at a time."""
_CHUNK = 1 << 20

type Wanted = Callable[[Series], bool]
"""Tells which series of a file are to be read."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written and proven."""

    path: Path
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Description:
    """What a file says of itself."""

    schema: int
    tier: str
    timezone: str
    rows: int


def write(
    path: Path | str,
    parts: Iterable[SeriesBuckets],
    *,
    tier: str = DAILY,
    timezone: str = "UTC",
    compression: str = "gzip",
) -> Written:
    """Write buckets as one file, prove it and make it visible under its name.

    Args:
        path: where; a file of that name is replaced at once by the whole new one.
        parts: series and their buckets, one entry for each series and kind; offsets are in the roll-up's columns.
        tier: what the buckets are.
        timezone: the clock that hours and days follow, for the file's own description.
        compression: `gzip` or `zstd`.

    Raises:
        FileDamaged: what was read back is not what was written.
        ArchiveError: the file could not be written.
    """
    ordered = sorted((part for part in parts if len(part[1])), key=sort_key)
    return _proven(
        Path(path),
        columns_of(tier),
        (bucket_table(some) for some in portioned(ordered, _bucket_weight, _ROWS_AT_ONCE)),
        lambda found: _same_buckets(ordered, found),
        _Form(tier, timezone, compression),
    )


def write_raw(
    path: Path | str, parts: Iterable[SeriesRows], *, timezone: str = "UTC", compression: str = "gzip"
) -> Written:
    """Write single rows as one file, prove it and make it visible; see `write`."""
    ordered = sorted((part for part in parts if len(part[1][0])), key=_raw_key)
    return _proven(
        Path(path),
        RAW_COLUMNS,
        (raw_table(some) for some in portioned(ordered, _raw_weight, _ROWS_AT_ONCE)),
        lambda found: _same_rows(ordered, found),
        _Form(RAW, timezone, compression),
    )


def read(
    path: Path | str,
    *,
    when: TimeRange | None = None,
    wanted: Wanted | None = None,
) -> Iterator[SeriesBuckets]:
    """Yield a file's series and their buckets, one series at a time; text buckets carry their names.

    Args:
        path: the file.
        when: only buckets that start in here.
        wanted: tells which series are; all when None.

    Raises:
        FileTooNew: a newer Strata wrote the file.
        FileDamaged: it is no such file, or cannot be read to its end.
    """
    for series, kind, table in _series_tables(Path(path), BUCKET_COLUMNS, wanted):
        rollup = rollup_of(kind, table)
        if when is not None:
            rollup = rollup.select((rollup.starts >= when.start) & (rollup.starts < when.end))
        if len(rollup):
            yield series, rollup


def read_raw(path: Path | str, *, when: TimeRange | None = None, wanted: Wanted | None = None) -> Iterator[SeriesRows]:
    """Yield a file's series and their single rows; see `read`."""
    for series, _, table in _series_tables(Path(path), RAW_COLUMNS, wanted):
        times, values, texts, flags = raw_of(table)
        if when is not None:
            low, high = (int(at) for at in np.searchsorted(times, (when.start, when.end)))
            times, values, texts, flags = times[low:high], values[low:high], texts[low:high], flags[low:high]
        if len(times):
            yield series, (times, values, texts, flags)


def describe(path: Path | str) -> Description:
    """Return what a file says of itself.

    Raises:
        FileTooNew, FileDamaged: it is not a file of ours that can be read.
    """
    with _opened(Path(path)) as file:
        said = _description(file)
        return Description(said["schema"], said["tier"], said["timezone"], file.metadata.num_rows)


def keys_of(path: Path | str) -> list[tuple[SeriesKey, Kind]]:
    """Return which series a file holds, without reading what they say.

    Raises:
        FileTooNew, FileDamaged: it is not a file of ours that can be read.
    """
    with _opened(Path(path)) as file:
        _description(file)
        found: dict[tuple[SeriesKey, Kind], None] = {}
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=["measurement", "identity", "field", "kind"]):
            rows = dict.fromkeys(zip(*(column.to_pylist() for column in batch.columns), strict=True))
            found |= {(SeriesKey(*row[:3]), Kind(row[3])): None for row in rows}
    return [*found]


def sha256_of(path: Path | str) -> str:
    """Return the hash of a file's content."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def make_durable(path: Path) -> None:
    """Make a file and its place in its folder survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder survive a power cut, where the file system can."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Some network shares open no folders.
    try:
        os.fsync(number)
    except OSError:
        return
    finally:
        os.close(number)


# Writing


@dataclass(frozen=True, slots=True)
class _Form:
    tier: str
    timezone: str
    compression: str

    def metadata(self, columns: Mapping[str, ColumnType]) -> dict[bytes, bytes]:
        said = {
            "schema": SCHEMA_VERSION,
            "tier": self.tier,
            "timezone": self.timezone,
            "sorted_by": [name for name in SORTED_BY if name in columns],
            "units": {name: column.unit for name, column in columns.items() if column.unit},
        }
        return {METADATA_KEY: json.dumps(said, sort_keys=True).encode()}


def _proven(
    path: Path,
    columns: Mapping[str, ColumnType],
    tables: Iterable[pa.Table],
    same: Callable[[Path], bool],
    form: _Form,
) -> Written:
    if form.compression not in COMPRESSIONS:
        raise ValueError(f"{form.compression!r} is none of {', '.join(COMPRESSIONS)}")
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = _write(draft, columns, tables, form)
        if not same(draft):
            raise FileDamaged(f"{path.name} reads back as something else than was written")
        written = Written(path, rows, draft.stat().st_size, sha256_of(draft))
        make_durable(draft)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ArchiveError(f"{path.name} could not be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return written


def _write(draft: Path, columns: Mapping[str, ColumnType], tables: Iterable[pa.Table], form: _Form) -> int:
    link_pyarrow()
    import pyarrow.parquet as pq

    rows = 0
    schema = schema_of(columns)
    # Without Arrow's own schema in the file, every engine sees the same plain types.
    with pq.ParquetWriter(draft, schema, compression=form.compression, store_schema=False) as writer:
        for table in tables:
            writer.write_table(table.rename_columns(list(columns)))
            rows += len(table)
            del table
            _give_back()
        writer.add_key_value_metadata(form.metadata(columns))
    return rows


def _bucket_weight(part: SeriesBuckets) -> int:
    return len(part[1]) + len(part[1].states.bucket)


def _raw_weight(part: SeriesRows) -> int:
    return len(part[1][0])


def _raw_key(part: SeriesRows) -> tuple[str, ...]:
    series = part[0]
    return (series.key.measurement, series.key.identity, series.key.field, series.kind)


# Proving


def same_buckets(one: Rollup, other: Rollup) -> bool:
    """Tell whether two roll-ups say exactly the same, whatever numbers they give their texts."""
    if one.kind is not other.kind or one.columns.keys() != other.columns.keys():
        return False
    if not (np.array_equal(one.starts, other.starts) and np.array_equal(one.ends, other.ends)):
        return False
    for name, column in one.columns.items():
        there = other.columns[name]
        if _words(one, column) != _words(other, there) if _is_text(one, name) else not _equal(column, there):
            return False
    return _state_times(one) == _state_times(other)


def _is_text(rollup: Rollup, name: str) -> bool:
    return rollup.kind is Kind.TEXT and name in {"first", "last"}


def _equal(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other, equal_nan=one.dtype == np.float64))


def _words(rollup: Rollup, codes: Any) -> list[str | None]:
    return [None if code == NO_STATE else _word(rollup, code) for code in codes.tolist()]


def _word(rollup: Rollup, code: int) -> str:
    return rollup.names[code] if rollup.names else str(code)


def _state_times(rollup: Rollup) -> list[tuple[int, str, int]]:
    states = rollup.states
    words = [_word(rollup, code) for code in states.code.tolist()]
    return sorted(zip(states.bucket.tolist(), words, states.micros.tolist(), strict=True))


def _same_series(one: Series, other: Series) -> bool:
    described = (one.key, one.unit, one.labels, one.fine, one.monotonic)
    return described == (other.key, other.unit, other.labels, other.fine, other.monotonic)


def _same_buckets(parts: Sequence[SeriesBuckets], path: Path) -> bool:
    found = read(path)
    for series, rollup in paced(parts):
        there = next(found, None)
        if there is None or not (_same_series(series, there[0]) and same_buckets(rollup, there[1])):
            return False
    return next(found, None) is None


def _same_rows(parts: Sequence[SeriesRows], path: Path) -> bool:
    found = read_raw(path)
    for series, rows in paced(parts):
        there = next(found, None)
        if there is None or not (_same_series(series, there[0]) and same_rows(rows, there[1])):
            return False
    return next(found, None) is None


def same_rows(one: RawColumns, other: RawColumns) -> bool:
    """Tell whether two say exactly the same rows."""
    numbers = all(_equal(one[at], other[at]) for at in (0, 1, 3))
    return numbers and list(one[2]) == list(other[2])


# Reading


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file; whatever pyarrow finds wrong with it means that it is damaged."""
    link_pyarrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield file
    except FileNotFoundError as error:
        raise ArchiveError(f"{path.name} is not there") from error
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise FileDamaged(f"{path.name} cannot be read: {error}") from error


def _description(file: Any) -> dict[str, Any]:
    found = json.loads((file.metadata.metadata or {})[METADATA_KEY])
    if found["schema"] > SCHEMA_VERSION:
        raise FileTooNew(f"the file has schema {found['schema']}, this Strata knows up to {SCHEMA_VERSION}")
    return dict(found)


def _series_tables(
    path: Path, columns: Mapping[str, ColumnType], wanted: Wanted | None
) -> Iterator[tuple[Any, Any, pa.Table]]:
    """Yield the series of a file, read row group by row group; no series is in two of them."""
    link_pyarrow()
    import pyarrow as pa

    with _opened(path) as file:
        tier = _description(file)["tier"]
        called = list(columns if tier == RAW else columns_of(tier))
        for number in range(file.num_row_groups):
            table = pa.Table.from_batches(file.iter_batches(_ROWS_AT_ONCE, [number], called), file.schema_arrow)
            table = table.select(called).rename_columns(list(columns)).cast(schema_of(columns))
            for series, kind, part in split(table):
                if wanted is None or wanted(series):
                    yield series, kind, part
                del part
            del table
            _give_back()


def _give_back() -> None:
    """Let the system have the memory of the row group before: pyarrow would keep several times what it needs."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def range_of(parts: Iterable[SeriesBuckets]) -> TimeRange | None:
    """Return from the first start to the last end of buckets, None where there are none."""
    spans = [(int(rollup.starts[0]), int(rollup.ends[-1])) for _, rollup in parts if len(rollup)]
    return TimeRange(min(low for low, _ in spans), max(high for _, high in spans)) if spans else None
