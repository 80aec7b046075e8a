"""Writes a layer of some entities into a file of the configuration folder, a stretch of one series at a time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
import csv
import json
from pathlib import Path
from typing import Any, ClassVar, TextIO, override

import numpy as np

from .archive.columns import RAW_COLUMNS, columns_of
from .archive.linking import link_pyarrow
from .archive.tables import SeriesBuckets, SeriesRows, bucket_table, raw_table, schema_of
from .core.model import Series, TimeRange
from .core.rollup import Ints, Rollup
from .store.answers import NUMBERS, Answer, count_field, energy_field
from .store.history import read_rows
from .store.lineage import Lineage
from .store.reader import StoreReader
from .store.tiers import RAW
from .store.words import answers_in_words, codes_in, in_words

FOLDER = "exports"
"""Inside our own folder of the configuration."""
type Stretch = Any
"""What one step reads and writes; each format has its own."""


class Export(ABC):
    """One file under way; `read` is for a reading thread, the rest for any other."""

    suffix: ClassVar[str]

    def __init__(self, path: Path, tier: str) -> None:
        """Name the file; it is there under its name only when it is whole."""
        self.path = path
        self.tier = tier
        self.rows = 0
        self._draft = path.with_name(f".{path.name}.part")

    @abstractmethod
    def open(self) -> None:
        """Begin."""

    @abstractmethod
    def read(self, reader: StoreReader, told: Lineage, when: TimeRange, without: Ints | None) -> Stretch | None:
        """Return what there is of a series but for buckets that start at some instants, None for nothing."""

    @abstractmethod
    def of(self, series: Series, rolled: Rollup) -> Stretch:
        """Return buckets that bring their own texts as they are written."""

    @abstractmethod
    def write(self, stretch: Stretch) -> None:
        """Append it."""

    @abstractmethod
    def end(self) -> None:
        """Let go of the file."""

    def finish(self) -> int:
        """Make the file visible; return its bytes."""
        self.end()
        self._draft.replace(self.path)
        return self.path.stat().st_size

    def give_up(self) -> None:
        """Leave nothing behind."""
        self.end()
        self._draft.unlink(missing_ok=True)


class CsvExport(Export):
    """Text that a spreadsheet reads; needs nothing installed."""

    suffix = "csv"
    _file: TextIO | None = None

    @override
    def open(self) -> None:
        self._file = self._draft.open("w", newline="", encoding="utf-8")
        self._csv = csv.writer(self._file)
        self._names = _columns(self.tier)
        self._csv.writerow(self._names)

    @override
    def read(self, reader: StoreReader, told: Lineage, when: TimeRange, without: Ints | None) -> list[Answer] | None:
        written = frozenset(() if without is None else without.tolist())
        found = [row for start, row in read_rows(reader, self.tier, told, when) if start not in written]
        return _named(told.series, found) or None

    @override
    def of(self, series: Series, rolled: Rollup) -> list[Answer]:
        return _named(series, answers_in_words(rolled, self.tier, series.unit))

    @override
    def write(self, stretch: list[Answer]) -> None:
        for row in stretch:
            values = (row.get(name) for name in self._names)
            self._csv.writerow([json.dumps(v, ensure_ascii=False) if isinstance(v, dict) else v for v in values])
        self.rows += len(stretch)

    @override
    def end(self) -> None:
        if self._file is not None:
            self._file.close()


def _named(series: Series, rows: Sequence[Answer]) -> list[Answer]:
    known: Answer = {"entity_id": series.labels.get("entity_id", series.key.identity), "unit": series.unit}
    return [known | row for row in rows]


def _columns(tier: str) -> tuple[str, ...]:
    """Return the columns of a layer, the same whatever is in it; what a kind does not have is empty."""
    if tier == RAW:
        return ("entity_id", "unit", "time", "value", "state", "flag")
    counted = (*NUMBERS, count_field(tier), energy_field(tier), "first_value", "last_value", "covered_seconds")
    of_some_kinds = ("increase", "resets", "on_seconds", "transitions", "state_seconds")
    return ("entity_id", "unit", "start", "end", *counted, *of_some_kinds)


class ParquetExport(Export):
    """Columns as in archives; needs pyarrow."""

    suffix = "parquet"
    _writer: Any = None

    @override
    def open(self) -> None:
        link_pyarrow()
        import pyarrow.parquet as pq

        columns = RAW_COLUMNS if self.tier == RAW else columns_of(self.tier)
        self._writer = pq.ParquetWriter(self._draft, schema_of(columns), compression="gzip")

    @override
    def read(
        self, reader: StoreReader, told: Lineage, when: TimeRange, without: Ints | None
    ) -> SeriesBuckets | SeriesRows | None:
        if self.tier == RAW:
            rows = told.raw(reader, when)
            words = reader.texts({code for code in np.unique(rows.texts).tolist() if code})
            texts = [words.get(code) for code in rows.texts.tolist()]
            return (told.series, (rows.times, rows.values, texts, rows.flags)) if len(rows) else None
        rolled = told.tier(reader, self.tier, when)
        if without is not None:
            rolled = rolled.select(~np.isin(rolled.starts, without))
        return (told.series, in_words(rolled, reader.texts(codes_in(rolled)))) if len(rolled) else None

    @override
    def of(self, series: Series, rolled: Rollup) -> SeriesBuckets:
        return series, rolled

    @override
    def write(self, stretch: SeriesBuckets | SeriesRows) -> None:
        series, found = stretch
        if isinstance(found, Rollup):
            # Roll-ups of every layer have the same columns; hours have names of their own for some.
            table = bucket_table([(series, found)]).rename_columns(list(columns_of(self.tier)))
        else:
            table = raw_table([(series, found)])
        self._writer.write_table(table)
        self.rows += len(table)

    @override
    def end(self) -> None:
        if self._writer is not None:
            self._writer.close()


FORMATS: dict[str, type[Export]] = {kind.suffix: kind for kind in (ParquetExport, CsvExport)}
