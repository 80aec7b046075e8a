"""Roll-up tiers: buckets of a series as chunks, written, replaced and read."""

from collections.abc import Iterable, Sequence, Set as AbstractSet
import sqlite3
import struct

import numpy as np

from ..core.clock import utc_offset
from ..core.model import Kind, TimeRange
from ..core.rollup import COLUMNS, Column, Floats, Ints, Rollup
from ..core.state_time import NO_STATES, StateTime
from . import chunks
from .keys import KINDS, chunk_key, key_kind, key_period, key_range, key_series
from .pace import paced
from .rows import read_chunks, stored_periods
from .tiers import Tier

OFFSET = "offset"
_FOLDING = frozenset({Kind.MEASUREMENT, Kind.ON_OFF})
_NOISY = frozenset({"sum", "increase"})
_LENGTH = struct.Struct("<I")


def encode_buckets(rollup: Rollup, timezone: str) -> bytes:
    """Return the buckets as a chunk, with the local clock's offset at each start."""
    columns: list[Column] = [
        rollup.starts,
        rollup.ends - rollup.starts,
        rollup.columns[OFFSET] if OFFSET in rollup.columns else _offsets(rollup, timezone),
    ]
    columns += [_typed(column, COLUMNS[rollup.kind][name]) for name, column in _folded(rollup).items()]
    body = chunks.encode(columns)
    if rollup.kind is not Kind.TEXT:
        return body
    states = rollup.states
    return _LENGTH.pack(len(body)) + body + chunks.encode([states.bucket, states.code, states.micros])


def decode_buckets(blob: bytes, kind: Kind) -> Rollup:
    """Return a chunk's buckets; none where it is damaged."""
    states = NO_STATES
    if kind is Kind.TEXT:
        (length,) = _LENGTH.unpack_from(blob)
        parts = chunks.decode_sound(blob[_LENGTH.size + length :])
        if parts is None:
            return empty(kind)
        states = StateTime(*(part.astype(np.int64) for part in parts))
        blob = blob[_LENGTH.size : _LENGTH.size + length]
    found = chunks.decode_sound(blob)
    if found is None:
        return empty(kind)
    starts, durations, *rest = found
    columns = dict(zip((OFFSET, *COLUMNS[kind]), rest, strict=True))
    if kind in _FOLDING:
        columns["first"] = _unfolded(columns)
    begin = starts.astype(np.int64)
    return Rollup(kind, begin, begin + durations.astype(np.int64), columns, states)


def _typed(column: Column, kind: type) -> Column:
    return column.astype(np.float64) if kind is float else column.astype(np.int64)


def _folded(rollup: Rollup) -> dict[str, Column]:
    """Return the kind's columns, leaving out what the row before says anyway.

    The value in force where a bucket begins is nearly always the one in force where the bucket
    before ended, so `first` is kept (NaN otherwise) only where it is not.
    """
    columns = {name: rollup.columns[name] for name in COLUMNS[rollup.kind]}
    if rollup.kind in _FOLDING and len(rollup) > 1:
        first = columns["first"].copy()
        first[1:][first[1:] == columns["last"][:-1]] = np.nan
        columns["first"] = first
    for name in _NOISY & columns.keys():
        columns[name] = _without_noise(columns[name], columns["last"])
    if rollup.kind is Kind.MEASUREMENT:
        columns["integral"] = _to_37_bits(columns["integral"])
    return columns


def _without_noise(values: Column, scale: Column) -> Column:
    """Return sums and differences of decimals as the decimals they are.

    Adding floats leaves errors in the last bits (0.1 + 0.2); where six decimals are the same
    number but for such an error, they are what was meant, and they are short.
    """
    rounded = np.round(values, 6)
    size = np.fmax(np.abs(values), np.abs(scale))
    short = np.abs(rounded - values) <= 1e-12 * size
    return np.where(short, rounded, values).astype(np.float64)


def _to_37_bits(values: Column) -> Column:
    """Round floats to 37 significant bits, a relative error of at most 4e-12.

    An integral over an hour is known far less exactly than that, and its last bits are noise that
    no compression can shorten. 37 leave the two lowest bytes of a float empty.
    """
    mantissa, exponent = np.frexp(values)
    rounded: Floats = np.ldexp(np.rint(mantissa * 2.0**37), exponent - 37)
    return rounded


def _unfolded(columns: dict[str, Column]) -> Column:
    first = columns["first"]
    missing = np.isnan(first) & (columns["covered"] > 0)
    missing[:1] = False
    first[missing] = columns["last"][np.flatnonzero(missing) - 1]
    return first


def _offsets(rollup: Rollup, timezone: str) -> Ints:
    return np.array([utc_offset(timezone, start) for start in rollup.starts.tolist()], np.int64)


def with_offsets(rollup: Rollup, timezone: str) -> Rollup:
    """Return the buckets with the local clock's offset from UTC, in seconds, at each start."""
    columns = {OFFSET: _offsets(rollup, timezone), **rollup.columns}
    return Rollup(rollup.kind, rollup.starts, rollup.ends, columns, rollup.states, rollup.names)


def concatenate(parts: Sequence[Rollup]) -> Rollup:
    """Return buckets of one series and kind as one, in time order."""
    if len(parts) == 1:
        return parts[0]
    kind = parts[0].kind
    starts = np.concatenate([part.starts for part in parts])
    bases = np.cumsum([0, *(len(part) for part in parts[:-1])])
    states = StateTime(
        np.concatenate([p.states.bucket + base for p, base in zip(parts, bases, strict=True)]),
        np.concatenate([part.states.code for part in parts]),
        np.concatenate([part.states.micros for part in parts]),
    )
    joined = Rollup(
        kind,
        starts,
        np.concatenate([part.ends for part in parts]),
        {name: np.concatenate([p.columns[name] for p in parts]) for name in parts[0].columns},
        states,
    )
    return joined if (np.diff(starts) > 0).all() else _in_order(joined)


def _in_order(rollup: Rollup) -> Rollup:
    order = np.argsort(rollup.starts, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    states = rollup.states
    return Rollup(
        rollup.kind,
        rollup.starts[order],
        rollup.ends[order],
        {name: column[order] for name, column in rollup.columns.items()},
        StateTime(place[states.bucket], states.code, states.micros),
    )


def replace(
    connection: sqlite3.Connection,
    tier: Tier,
    timezone: str,
    written: Iterable[tuple[int, Rollup]],
    when: TimeRange,
) -> int:
    """Make each series' buckets that start in `when` exactly the given ones; return their count.

    Only chunks of the given roll-up's kind are touched. The change feed is told.
    """
    changes: list[tuple[int, int, int, int]] = []
    count = 0
    present = _present(connection, tier, when)
    for series, bare in paced(written):
        rollup = with_offsets(bare, timezone)
        count += len(rollup)
        kind = KINDS.index(rollup.kind)
        period = rollup.starts // tier.span
        old = present.get((series, kind), set())
        removed = False
        for number in sorted({*period.tolist(), *old}):
            key = chunk_key(number, series, kind)
            kept, gone = _outside(connection, tier, key, when) if number in old else (empty(rollup.kind), False)
            removed |= gone
            _write_chunk(connection, tier, timezone, key, [kept, rollup.select(period == number)])
        if removed:
            changes.append((tier.number, series, when.start, when.end))
        elif len(rollup):
            changes.append((tier.number, series, int(rollup.starts[0]), int(rollup.ends[-1])))
    connection.executemany("INSERT INTO changes (tier, series, start, stop, upto) VALUES (?, ?, ?, ?, 0)", changes)
    return count


def remove(
    connection: sqlite3.Connection, tier: Tier, timezone: str, when: TimeRange, stay: frozenset[int] = frozenset()
) -> int:
    """Delete the buckets that start in `when`, but for the series in `stay`; return their count.

    The change feed is not told: what followers have is still true.
    """
    count = 0
    for (series, kind), places in paced(_present(connection, tier, when).items()):
        if series in stay:
            continue
        for number in places:
            key = chunk_key(number, series, kind)
            (before,) = connection.execute(f"SELECT rows FROM {tier.table} WHERE key = ?", (key,)).fetchone()
            kept, gone = _outside(connection, tier, key, when)
            if gone:
                count += before - len(kept)
                _write_chunk(connection, tier, timezone, key, [kept])
    return count


def _write_chunk(connection: sqlite3.Connection, tier: Tier, timezone: str, key: int, parts: Sequence[Rollup]) -> None:
    """Write one chunk's buckets, or delete the chunk where there are none left."""
    parts = [part for part in parts if len(part)]
    if not parts:
        connection.execute(f"DELETE FROM {tier.table} WHERE key = ?", (key,))
        return
    joined = concatenate(parts)
    connection.execute(
        f"INSERT OR REPLACE INTO {tier.table} VALUES (?, ?, ?)", (key, len(joined), encode_buckets(joined, timezone))
    )


def _outside(connection: sqlite3.Connection, tier: Tier, key: int, when: TimeRange) -> tuple[Rollup, bool]:
    """Return a stored chunk's buckets that start outside `when`, and whether there are others."""
    (blob,) = connection.execute(f"SELECT blob FROM {tier.table} WHERE key = ?", (key,)).fetchone()
    stored = decode_buckets(blob, KINDS[key_kind(key)])
    outside = (stored.starts < when.start) | (stored.starts >= when.end)
    return stored.select(outside), not outside.all()


def _present(connection: sqlite3.Connection, tier: Tier, when: TimeRange) -> dict[tuple[int, int], set[int]]:
    """Return, by series and kind number, the periods of `when` that have a chunk already."""
    found = stored_periods(connection, tier.table, tier.span, when)
    present: dict[tuple[int, int], set[int]] = {}
    if len(found):
        for (key,) in connection.execute(
            f"SELECT key FROM {tier.table} WHERE key >= ? AND key < ?",
            key_range(found[0], found[-1]),
        ):
            present.setdefault((key_series(key), key_kind(key)), set()).add(key_period(key))
    return present


def read_series(connection: sqlite3.Connection, tier: Tier, series: int, kind: Kind, when: TimeRange) -> Rollup:
    """Return one series' buckets that start in `when`; uncovered ones are absent."""
    parts = []
    for period in stored_periods(connection, tier.table, tier.span, when):
        found = connection.execute(
            f"SELECT blob FROM {tier.table} WHERE key = ?",
            (chunk_key(period, series, KINDS.index(kind)),),
        ).fetchone()
        if found:
            parts.append(_cut(decode_buckets(found[0], kind), when))
    return concatenate(parts) if parts else empty(kind)


def read_all(
    connection: sqlite3.Connection, tier: Tier, when: TimeRange, only: AbstractSet[int] | None = None
) -> dict[tuple[int, Kind], Rollup]:
    """Return every series' buckets that start in `when`, or those of some, by series and kind."""
    found = stored_periods(connection, tier.table, tier.span, when)
    parts: dict[tuple[int, Kind], list[Rollup]] = {}
    for key, blob in paced(read_chunks(connection, tier.table, found, only)):
        kind = KINDS[key_kind(key)]
        buckets = _cut(decode_buckets(blob, kind), when)
        if len(buckets):
            parts.setdefault((key_series(key), kind), []).append(buckets)
    return {name: concatenate(some) for name, some in paced(parts.items())}


def _cut(rollup: Rollup, when: TimeRange) -> Rollup:
    inside = (rollup.starts >= when.start) & (rollup.starts < when.end)
    return rollup if inside.all() else rollup.select(inside)


def empty(kind: Kind) -> Rollup:
    """Return no buckets."""
    none = np.empty(0, np.int64)
    columns: dict[str, Column] = {
        name: _typed(none, kind_of) for name, kind_of in {OFFSET: int, **COLUMNS[kind]}.items()
    }
    return Rollup(kind, none, none, columns)
