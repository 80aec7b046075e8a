"""Text buckets in words instead of a file's numbers, and buckets of two origins as one."""

from collections.abc import Iterable, Mapping, Sequence
import sqlite3
from typing import Any

import numpy as np

from ..core.model import Kind, Series, TimeRange
from ..core.rollup import NO_STATE, Column, Ints, Rollup
from ..core.state_time import StateTime
from . import buckets
from .answers import Answer, answers
from .catalog import Dictionaries
from .tiers import Tier


def codes_in(rolled: Rollup) -> set[int]:
    """Return the numbers of the texts that a roll-up speaks of."""
    if rolled.kind is not Kind.TEXT:
        return set()
    said = (rolled.states.code, rolled.columns["first"], rolled.columns["last"])
    return {code for column in said for code in np.unique(column).tolist() if code != NO_STATE}


def in_words(rolled: Rollup, words: Mapping[int, str]) -> Rollup:
    """Return text buckets with their own numbers for texts, and the texts; other buckets as they are."""
    if rolled.kind is not Kind.TEXT:
        return rolled
    codes = sorted(codes_in(rolled))
    names = tuple(words.get(code, f"#{code}") for code in codes)
    return recoded(rolled, {code: place for place, code in enumerate(codes)}, names)


def recoded(rolled: Rollup, numbers: Mapping[int, int], names: tuple[str, ...]) -> Rollup:
    """Return text buckets with other numbers for their texts."""

    def new(column: Any) -> Any:
        return np.array([numbers.get(code, NO_STATE) for code in column.tolist()], np.int64)

    columns = {name: new(column) if name in {"first", "last"} else column for name, column in rolled.columns.items()}
    states = StateTime(rolled.states.bucket, new(rolled.states.code), rolled.states.micros)
    return Rollup(rolled.kind, rolled.starts, rolled.ends, columns, states, names)


def answers_in_words(rolled: Rollup, tier: str, unit: str | None) -> list[Answer]:
    """Return buckets that bring their own texts as they are told."""
    # Answers speak of texts by the store's numbers, of which 0 is none.
    names = {place + 1: name for place, name in enumerate(rolled.names)}
    if rolled.names:
        rolled = recoded(rolled, {place: place + 1 for place in range(len(rolled.names))}, ())
    return answers(rolled, tier, unit, lambda codes: {code: names[code] for code in codes})


def merge_buckets(archived: Rollup, local: Rollup) -> Rollup:
    """Return the buckets of both; of two with one start the one that knows more."""
    return joined(parted(archived, local))


def parted(archived: Rollup, local: Rollup) -> tuple[Rollup, Rollup]:
    """Return of each those buckets that stay: of two with one start the one that knows more.

    That is one made of values before one made of another's averages alone, then by covered time, then by samples. A
    late row can make a day anew of which most is archived and gone here; what is archived is the better one then.
    """
    common, there, here = np.intersect1d(archived.starts, local.starts, return_indices=True)
    # Where both know as much, what the store says now is the newer word.
    better = np.ones(len(common), bool)
    for mine, other in zip(reversed(_knowledge(local, here)), reversed(_knowledge(archived, there)), strict=True):
        better = np.where(mine == other, better, mine > other)
    keep_archived = np.ones(len(archived), bool)
    keep_archived[there[better]] = False
    keep_local = np.ones(len(local), bool)
    keep_local[here[~better]] = False
    return archived.select(keep_archived), local.select(keep_local)


def joined(parts: Sequence[Rollup]) -> Rollup:
    """Return buckets of one series and several origins in time order; no two of them start together."""
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    if names:
        place = {name: number for number, name in enumerate(names)}
        parts = [recoded(part, {code: place[name] for code, name in enumerate(part.names)}, names) for part in parts]
    told = buckets.concatenate(parts)
    return Rollup(told.kind, told.starts, told.ends, told.columns, told.states, names)


def _knowledge(rolled: Rollup, at: Ints) -> Sequence[Column]:
    """Return what says how much buckets know, what decides first first."""
    first, n = rolled.columns["first"][at], rolled.columns["n"][at]
    told = np.logical_or(n > 0, first != NO_STATE if rolled.kind is Kind.TEXT else np.isfinite(first))
    return told.astype(np.int64), rolled.columns["covered"][at], n


def put(
    connection: sqlite3.Connection,
    tier: Tier,
    timezone: str,
    dictionaries: Dictionaries,
    given: Iterable[tuple[Series, Rollup]],
) -> int:
    """Store buckets that come from elsewhere, text buckets in words; return how many were not there before.

    Where a bucket is there already, the one that knows more stays. Call it in a transaction; the series have numbers.
    """
    count = 0
    for series, rolled in given:
        when = TimeRange(int(rolled.starts[0]), int(rolled.starts[-1]) + 1)
        if rolled.kind is Kind.TEXT:
            numbers = {place: dictionaries.text(name) for place, name in enumerate(rolled.names)}
            rolled = recoded(rolled, numbers, ())  # noqa: PLW2901 - the same buckets
        here = buckets.read_series(connection, tier, series.id or 0, rolled.kind, when)
        merged = merge_buckets(rolled, here)
        count += len(merged) - len(here)
        buckets.replace(connection, tier, timezone, [(series.id or 0, merged)], when)
    return count
