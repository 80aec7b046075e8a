"""What is archived: days by the month, and (if wanted) single rows by the day. One class for each."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Set as AbstractSet
from datetime import timedelta
import hashlib
from pathlib import Path
import sqlite3
from typing import Any, ClassVar, override

import numpy as np
from numpy.typing import NDArray

from ..core.clock import DAY, day_range, floor_day, local_date
from ..core.model import Flag, Kind, Micros, Series, SeriesKey, TimeRange, from_micros
from ..core.rollup import Rollup
from ..store import buckets, rows, runs
from ..store.base import RawRows
from ..store.connection import snapshot
from ..store.keys import key_period
from ..store.pace import paced
from ..store.reader import StoreReader
from ..store.release import release
from ..store.tiers import Tier
from ..store.words import codes_in, in_words, merge_buckets
from .aliases import NO_ALIASES, Aliases
from .parquet import DAILY, RAW, Written, read, read_raw, same_buckets, same_rows, write, write_raw
from .tables import RawColumns

_MARKS = (int(Flag.GAP), int(Flag.RESUME))
"""Flags of rows without a value."""

type Parts[V] = dict[tuple[SeriesKey, Kind], tuple[Series, V]]
"""What a file holds, by series and kind."""


class Content[V](ABC):
    """One kind of content: how it is cut into periods, read, written, merged and told apart."""

    name: ClassVar[str]

    def __init__(self, tier: Tier, timezone: str) -> None:
        """Take the tier it comes from and the home's clock."""
        self._tier = tier
        self.timezone = timezone

    @abstractmethod
    def period_at(self, instant: Micros) -> tuple[str, TimeRange]:
        """Return the period an instant belongs to, as the date of its first day, and its range."""

    @abstractmethod
    def local(self, reader: StoreReader, when: TimeRange) -> Parts[V]:
        """Return what the store holds of a range."""

    @abstractmethod
    def digest(self, connection: sqlite3.Connection, when: TimeRange, only: AbstractSet[int] | None = None) -> str:
        """Return what tells the store's rows of a range from any others, or those of some series."""

    @abstractmethod
    def write(self, path: Path, parts: Parts[V], compression: str) -> Written:
        """Write a file and prove it."""

    @abstractmethod
    def parts(self, path: Path) -> Iterator[tuple[Series, Kind, V]]:
        """Yield the series of a file as it calls them."""

    @abstractmethod
    def starts(self, path: Path) -> Iterator[tuple[Series, NDArray[np.int64]]]:
        """Yield the series of a file, each with when its rows begin."""

    def is_of_clock(self, starts: NDArray[np.int64]) -> bool:
        """Tell whether rows begin where they would by the home's clock."""
        return bool(len(starts))

    def load(self, path: Path, called: Aliases = NO_ALIASES) -> Parts[V]:
        """Read a whole file, its series under the names that they have here; two that are one here are merged."""
        return self.called(self.parts(path), called)

    def called(self, parts: Iterable[tuple[Series, Kind, V]], called: Aliases) -> Parts[V]:
        """Return parts under the names that they have here; two that are one here are merged."""
        found: Parts[V] = {}
        for one, kind, content in parts:
            series = called.of(one)
            known = found.get((series.key, kind))
            found[series.key, kind] = (series, content if known is None else self.merged(known[1], content))
        return found

    @abstractmethod
    def merged(self, archived: V, local: V) -> V:
        """Return what both say of one series; where they disagree, the one that knows more."""

    @abstractmethod
    def same(self, one: V, other: V) -> bool:
        """Tell whether two say exactly the same."""

    @abstractmethod
    def let_go(self, connection: sqlite3.Connection, when: TimeRange, stay: frozenset[int]) -> tuple[int, int]:
        """Delete local rows that a proven file stands for, or let the ladder do so; return rows and bytes deleted.

        Call it in the transaction that checks that the file stands for them.
        """

    def periods(self, connection: sqlite3.Connection, until: Micros) -> Iterator[tuple[str, TimeRange]]:
        """Yield the periods that end at `until` or before and have rows, oldest first."""
        begin = self.oldest(connection)
        while begin is not None:
            period, when = self.period_at(begin)
            if when.end > until:
                return
            yield period, when
            begin = self.oldest(connection, when.end)

    def oldest(self, connection: sqlite3.Connection, since: Micros = 0) -> Micros | None:
        """Return when the oldest row from `since` on may begin, None where there are none."""
        first = connection.execute(
            f"SELECT MIN(key) FROM {self._tier.table} WHERE key >= ?", (since // self._tier.span << 24,)
        ).fetchone()[0]
        return None if first is None else max(since, key_period(first) * self._tier.span)

    def merge(self, archived: Parts[V], local: Parts[V]) -> Parts[V]:
        """Return an archived file's parts with what the store holds besides."""
        merged = dict(archived)
        for key, (series, here) in local.items():
            known = archived.get(key)
            merged[key] = (series, here if known is None else self.merged(known[1], here))
        return merged

    def adds(self, archived: Parts[V], merged: Parts[V]) -> bool:
        """Tell whether merged parts say anything that the archived ones do not."""
        if archived.keys() != merged.keys():
            return True
        return not all(self.same(archived[key][1], there) for key, (_, there) in merged.items())


class Days(Content[Rollup]):
    """Days, a file for each local month."""

    name = DAILY

    @override
    def period_at(self, instant: Micros) -> tuple[str, TimeRange]:
        first = local_date(self.timezone, instant).replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
        span = TimeRange(day_range(self.timezone, first).start, day_range(self.timezone, following).start)
        return first.isoformat(), span

    @override
    def oldest(self, connection: sqlite3.Connection, since: Micros = 0) -> Micros | None:
        # A chunk reaches over the end of a month, so what is in it has to be looked at.
        while (begin := super().oldest(connection, since)) is not None:
            chunk = TimeRange(begin, (begin // self._tier.span + 1) * self._tier.span)
            found = buckets.read_all(connection, self._tier, chunk)
            if found:
                return min(int(rolled.starts[0]) for rolled in found.values())
            since = chunk.end
        return None

    @override
    def local(self, reader: StoreReader, when: TimeRange) -> Parts[Rollup]:
        with snapshot(reader.connection):
            known = {series.id: series for series in reader.series()}
            found = buckets.read_all(reader.connection, self._tier, when)
            words = reader.texts({code for rolled in paced(found.values()) for code in codes_in(rolled)})
        return {
            (known[number].key, kind): (known[number], in_words(rolled, words))
            for (number, kind), rolled in paced(found.items())
        }

    @override
    def digest(self, connection: sqlite3.Connection, when: TimeRange, only: AbstractSet[int] | None = None) -> str:
        digest = hashlib.sha256()
        with snapshot(connection):
            found = buckets.read_all(connection, self._tier, when, only)
        for (series, kind), rolled in paced(sorted(found.items())):
            states = rolled.states
            columns = (rolled.starts, rolled.ends, *rolled.columns.values(), states.bucket, states.code, states.micros)
            _add(digest, f"{series} {kind} {len(rolled)}", columns)
        return digest.hexdigest()

    @override
    def let_go(self, connection: sqlite3.Connection, when: TimeRange, stay: frozenset[int]) -> tuple[int, int]:
        before = self._bytes(connection)
        rows_deleted = buckets.remove(connection, self._tier, self.timezone, when, stay)
        return rows_deleted, before - self._bytes(connection)

    def _bytes(self, connection: sqlite3.Connection) -> int:
        found = connection.execute(f"SELECT COALESCE(SUM(length(blob)), 0) FROM {self._tier.table}").fetchone()
        return int(found[0])

    @override
    def write(self, path: Path, parts: Parts[Rollup], compression: str) -> Written:
        return write(path, parts.values(), timezone=self.timezone, compression=compression)

    @override
    def parts(self, path: Path) -> Iterator[tuple[Series, Kind, Rollup]]:
        return ((series, rolled.kind, rolled) for series, rolled in paced(read(path)))

    @override
    def starts(self, path: Path) -> Iterator[tuple[Series, NDArray[np.int64]]]:
        return ((series, rolled.starts) for series, rolled in paced(read(path)))

    @override
    def is_of_clock(self, starts: NDArray[np.int64]) -> bool:
        return all(floor_day(self.timezone, start) == start for start in starts.tolist())

    @override
    def same(self, one: Rollup, other: Rollup) -> bool:
        return same_buckets(one, other)

    @override
    def merged(self, archived: Rollup, local: Rollup) -> Rollup:
        return merge_buckets(archived, local)


class Events(Content[RawColumns]):
    """Single rows, a file for each day of UTC: the ladder deletes them by such days."""

    name = RAW

    @override
    def period_at(self, instant: Micros) -> tuple[str, TimeRange]:
        begin = instant // DAY * DAY
        return from_micros(begin).date().isoformat(), TimeRange(begin, begin + DAY)

    @override
    def local(self, reader: StoreReader, when: TimeRange) -> Parts[RawColumns]:
        with snapshot(reader.connection):
            known = {series.id: series for series in reader.series()}
            found = rows.read_all(reader.connection, when)
            codes = {code for each in paced(found.values()) for code in np.unique(each.texts).tolist() if code}
            words = reader.texts(codes)
            marks = _marks(reader.connection, when, found) if found else {}
        parts: Parts[RawColumns] = {}
        for number in paced(found.keys() | marks.keys()):
            each = rows.merge([marks.get(number, rows.NO_ROWS), found.get(number, rows.NO_ROWS)])
            texts = [words.get(code) for code in each.texts.tolist()]
            if number in known:
                one = known[number]
                parts[one.key, one.kind] = (one, (each.times, each.values, texts, each.flags))
        return parts

    @override
    def digest(self, connection: sqlite3.Connection, when: TimeRange, only: AbstractSet[int] | None = None) -> str:
        digest = hashlib.sha256()
        with snapshot(connection):
            found = rows.read_all(connection, when, only)
        for series, each in paced(sorted(found.items())):
            _add(digest, f"{series} {len(each)}", (each.times, each.values, each.texts, each.flags))
        return digest.hexdigest()

    @override
    def let_go(self, connection: sqlite3.Connection, when: TimeRange, stay: frozenset[int]) -> tuple[int, int]:
        release(connection, when)
        return 0, 0

    @override
    def write(self, path: Path, parts: Parts[RawColumns], compression: str) -> Written:
        return write_raw(path, parts.values(), timezone=self.timezone, compression=compression)

    @override
    def parts(self, path: Path) -> Iterator[tuple[Series, Kind, RawColumns]]:
        return ((series, series.kind, each) for series, each in paced(read_raw(path)))

    @override
    def starts(self, path: Path) -> Iterator[tuple[Series, NDArray[np.int64]]]:
        return ((series, each[0]) for series, each in paced(read_raw(path)))

    @override
    def same(self, one: RawColumns, other: RawColumns) -> bool:
        return same_rows(one, other)

    @override
    def merged(self, archived: RawColumns, local: RawColumns) -> RawColumns:
        return merge_rows(archived, local)


def _marks(connection: sqlite3.Connection, when: TimeRange, found: Mapping[int, RawRows]) -> dict[int, RawRows]:
    """Return, by series, when it stopped being known without a row of its own, and when its last value held again.

    Recording stops for all series at once, and no row says so. One that stops on the instant of a row ends right after
    it, and one from which a value holds at once is none, as in roll-ups.
    """
    resumes = runs.resumes(connection, when)
    stops = runs.stops(connection, when)
    spoken = [number for (number,) in connection.execute("SELECT series FROM last")] if len(stops) else []
    marks: dict[int, RawRows] = {}
    for number in paced(resumes.keys() | set(spoken)):
        again = np.array(resumes.get(number, ()), np.int64)
        ends = stops[~np.isin(stops, again)]
        ends = np.unique(ends + np.isin(ends, found[number].times)) if number in found else ends
        times = np.concatenate((ends, again))
        flags = np.repeat(np.array([Flag.GAP, Flag.RESUME], np.int64), (len(ends), len(again)))
        order = np.argsort(times, kind="stable")
        nothing = np.full(len(times), np.nan), np.zeros(len(times), np.int64)
        marks[number] = rows.take(RawRows(times, *nothing, flags), order)
    return marks


def merge_rows(archived: RawColumns, local: RawColumns) -> RawColumns:
    """Return the rows of both; of two at one instant the local one, but never a mark instead of a value."""
    theirs = archived[0][~np.isin(archived[3], _MARKS)]
    stay = ~(np.isin(local[3], _MARKS) & np.isin(local[0], theirs))
    times = np.concatenate((archived[0], local[0][stay]))
    order = np.argsort(times, kind="stable")
    newest = order[np.append(np.diff(times[order]) > 0, [True])] if len(times) else order
    texts = [*archived[2], *(text for text, stays in zip(local[2], stay.tolist(), strict=True) if stays)]
    return (
        times[newest],
        np.concatenate((archived[1], local[1][stay]))[newest],
        [texts[at] for at in newest.tolist()],
        np.concatenate((archived[3], local[3][stay]))[newest],
    )


def _add(digest: Any, name: str, columns: Iterable[Any]) -> None:
    digest.update(name.encode())
    for column in columns:
        digest.update(np.ascontiguousarray(column).tobytes())
