"""Reading the archive back, file by file and series by series.

What is missing or damaged is named, and the rest still comes.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..core.model import Kind, Micros, Series, SeriesKey, TimeRange
from ..store.base import StoreError
from ..store.sqlite import SqliteStore
from ..store.tiers import DAILY
from ..store.words import merge_buckets, recoded
from . import manifest
from .aliases import Aliases
from .content import merge_rows
from .errors import ArchiveError
from .manifest import ArchiveFile
from .parquet import RAW, Wanted, keys_of, read, read_raw
from .tables import SeriesBuckets, SeriesRows
from .vault import Vault


@dataclass(slots=True)
class RestoreReport:
    """What was read, and what could not be."""

    files: list[str] = field(default_factory=list)
    rows: int = 0
    entities: set[str] = field(default_factory=set)
    """Which were found, as they are called today."""
    problems: list[str] = field(default_factory=list)


class Restorer:
    """Reads what a vault's targets hold; never more than one series of one file is in memory."""

    def __init__(
        self,
        vault: Vault,
        names: Mapping[SeriesKey, str] | None = None,
        *,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take the store and its targets.

        Args:
            vault: where the files are.
            names: what entities are called today, whatever files call them.
            go_on: asked before each file; where it answers False, reading ends with a StoreError.
        """
        self._vault = vault
        self._names = names or {}
        self._go_on = go_on
        self.access = vault.access
        self.report = RestoreReport()

    def days(
        self, when: TimeRange, entities: Container[str] | None = None, *, keys: Container[SeriesKey] | None = None
    ) -> Iterator[SeriesBuckets]:
        """Yield archived days that start in `when`, month by month, series by series, in words.

        What goes wrong is in `report.problems`, with the name of the file. Series are chosen by what their entities are
        called today, or by their keys.
        """
        for _, parts in self.day_files(when, entities, keys=keys):
            yield from parts

    def day_files(
        self, when: TimeRange, entities: Container[str] | None = None, *, keys: Container[SeriesKey] | None = None
    ) -> Iterator[tuple[ArchiveFile, Iterator[SeriesBuckets]]]:
        """Yield the files of months that touch `when`, and of each what `days` yields."""
        called = self._vault.aliases()
        for file, path in self._paths(DAILY, when):
            yield file, self._days(file, path, when, called, self._wanted(called, entities, keys))

    def _days(
        self, file: ArchiveFile, path: str, when: TimeRange, called: Aliases, wanted: Wanted | None
    ) -> Iterator[SeriesBuckets]:
        parts = self._guarded(file.key, read(path, when=when, wanted=wanted))
        for series, days in called.told(parts, self._twofold(called, path), _kind_of_days, merge_buckets):
            self.report.rows += len(days)
            yield self._as_today(series), days

    def events(self, when: TimeRange, entities: Container[str] | None = None) -> Iterator[SeriesRows]:
        """Yield archived single rows in `when`, day by day, series by series."""
        for file, parts in self.event_files(when, entities):
            for series, (times, values, texts, flags) in self._guarded(file.key, parts):
                low, high = (int(at) for at in np.searchsorted(times, (when.start, when.end)))
                if low < high:
                    yield series, (times[low:high], values[low:high], texts[low:high], flags[low:high])

    def event_files(
        self, when: TimeRange, entities: Container[str] | None = None
    ) -> Iterator[tuple[ArchiveFile, Iterator[SeriesRows]]]:
        """Yield the files of single values that touch `when`, and all rows of each; those raise where it is damaged."""
        called = self._vault.aliases()
        for file, path in self._paths(RAW, when):
            yield file, self._rows(path, called, entities)

    def _rows(self, path: str, called: Aliases, entities: Container[str] | None) -> Iterator[SeriesRows]:
        parts = read_raw(path, wanted=self._wanted(called, entities))
        for series, rows in called.told(parts, self._twofold(called, path), _kind_of_rows, merge_rows):
            self.report.rows += len(rows[0])
            yield self._as_today(series), rows

    def _name(self, series: Series) -> str | None:
        return self._names.get(series.key) or series.labels.get("entity_id")

    def _wanted(
        self, called: Aliases, entities: Container[str] | None, keys: Container[SeriesKey] | None = None
    ) -> Wanted | None:
        if keys is not None:
            return lambda series: called.of(series).key in keys
        return None if entities is None else lambda series: self._name(called.of(series)) in entities

    def _as_today(self, series: Series) -> Series:
        if (name := self._name(series)) is None:
            return series
        self.report.entities.add(name)
        return replace(series, labels={**series.labels, "entity_id": name})

    def _twofold(self, called: Aliases, path: str) -> frozenset[tuple[SeriesKey, Kind]]:
        """Return which series of a file are one here, where any may be."""
        try:
            return called.twofold(keys_of(path)) if called.keys else frozenset()
        except ArchiveError:
            return frozenset()  # Reading the file says what is wrong with it.

    def _paths(self, content: str, when: TimeRange) -> Iterator[tuple[ArchiveFile, str]]:
        for file in self._vault.files(content, when):
            if not self._go_on():
                raise StoreError("Strata is being unloaded, so the rest of the archive was not read: ask again")
            found = self._newest_whole(file)
            if found is None:
                continue
            whole, path = found
            self.report.files.append(whole.key)
            yield whole, str(path)
            path.unlink(missing_ok=True)

    def _newest_whole(self, newest: ArchiveFile) -> tuple[ArchiveFile, Path] | None:
        """Bring the newest revision of a period here that can be had; None where none can. What is not is said."""
        said = ""
        for file in self._vault.revisions(newest):
            try:
                path = self._vault.fetch(file)
            except ArchiveError as error:
                said = said or f"{file.key}: {error}"
                continue
            if said:
                self.report.problems.append(f"{said}; {file.key} was read instead, and lacks what came later")
            return file, path
        if said:
            self.report.problems.append(said)
        return None

    def _guarded[P: SeriesBuckets | SeriesRows](self, key: str, parts: Iterator[P]) -> Iterator[P]:
        try:
            yield from parts
        except ArchiveError as error:
            self.report.problems.append(f"{key}: {error}")


def _kind_of_days(part: SeriesBuckets) -> Kind:
    return part[1].kind


def _kind_of_rows(part: SeriesRows) -> Kind:
    return part[0].kind


def put_back(
    store: SqliteStore, parts: Sequence[SeriesBuckets], *, hold: tuple[TimeRange, Micros] | None = None
) -> int:
    """Put archived days back into the daily tier; return how many are there now that were not before.

    Args:
        store: the store, on its thread.
        parts: series and days, in words.
        hold: a range that the archiver leaves alone, and until when.
    """
    given = [(_known(store, series, rolled.kind), rolled) for series, rolled in parts]
    store.save_series()
    if hold is not None:
        store.transact(lambda connection: manifest.hold(connection, *hold))
    return store.put_buckets(DAILY, given)


def put_hours(store: SqliteStore, parts: Sequence[SeriesBuckets]) -> int:
    """Take hours where the store has none, with the days they make; return how many there were none of.

    The store has to be ready for that: see `SqliteStore.begin_import`.
    """
    given = [(_known(store, series, rolled.kind), rolled) for series, rolled in parts]
    store.save_series()
    codes = store.codes({name for _, rolled in given for name in rolled.names})
    count = 0
    for series, rolled in given:
        if rolled.names:
            numbers = {place: codes[name] for place, name in enumerate(rolled.names)}
            rolled = recoded(rolled, numbers, ())  # noqa: PLW2901 - the same hours
        count += store.import_hours(replace(series, kind=rolled.kind), rolled)
    return count


def _known(store: SqliteStore, series: Series, kind: Kind) -> Series:
    """Return the store's own object of an archived series; what it knows of it is newer than what the archive does."""
    return store.find(series.key) or store.series(
        series.key,
        kind=kind,
        unit=series.unit,
        labels=series.labels,
        fine=series.fine,
        monotonic=series.monotonic,
    )
