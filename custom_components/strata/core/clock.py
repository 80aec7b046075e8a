"""The home's wall clock: where local hours and days begin, in every time zone.

All instants are microseconds since the epoch. Buckets follow the clock on the wall, so an hour
may begin at UTC xx:30 (Kolkata, Adelaide) and last 30 minutes (Lord Howe's change of 30 minutes),
and a day may have 23, 24 or 25 hours. Borders never overlap and leave no hole, and five-minute
buckets of UTC lie within hours everywhere since 2012 (before, Newfoundland changed its clocks at
00:01).

The first use of a time zone reads its file and looks for its offset changes (about 1 ms per
year); what is found is kept. Offsets come from the IANA time zone database through `zoneinfo`.
"""

from bisect import bisect_right
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .model import MICROS_PER_SECOND, Micros, TimeRange, from_micros

HOUR: Micros = 3600 * MICROS_PER_SECOND
DAY: Micros = 24 * HOUR

_EPOCH_DAY = date(1970, 1, 1).toordinal()
# Offsets are looked up per chunk of time. Two changes of one zone were never less than 3.9 days apart (tzdata 2026f),
# so one look a day misses none.
_CHUNK: Micros = 400 * DAY
_LOOK_EVERY: Micros = DAY


class _Spell(NamedTuple):
    """A stretch `[start, end)` of constant UTC offset; all in microseconds."""

    start: Micros
    end: Micros
    offset: Micros


@lru_cache(maxsize=64)
def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {timezone!r}: use an IANA name such as Europe/Berlin") from error


def _look_up(zone: ZoneInfo, t: Micros) -> Micros:
    offset = from_micros(t).astimezone(zone).utcoffset()
    return (offset or timedelta()) // timedelta(microseconds=1)


def _change_between(zone: ZoneInfo, before: Micros, after: Micros) -> Micros:
    """Return the first second with the offset of `after`; both are whole seconds with different offsets."""
    new = _look_up(zone, after)
    while after - before > MICROS_PER_SECOND:
        middle = (before + after) // (2 * MICROS_PER_SECOND) * MICROS_PER_SECOND
        if _look_up(zone, middle) == new:
            after = middle
        else:
            before = middle
    return after


@lru_cache(maxsize=512)
def _changes(timezone: str, chunk: int) -> tuple[tuple[Micros, Micros], ...]:
    """Return the chunk's (instant, offset from then on): its beginning, then each change inside it."""
    zone = _zone(timezone)
    at = chunk * _CHUNK
    offset = _look_up(zone, at)
    found = [(at, offset)]
    for later in range(at + _LOOK_EVERY, at + _CHUNK + 1, _LOOK_EVERY):
        now = _look_up(zone, later)
        if now != offset:
            found.append((_change_between(zone, later - _LOOK_EVERY, later), now))
            offset = now
    return tuple(found)


@lru_cache(maxsize=256)
def _spells(timezone: str, first: int, last: int) -> tuple[_Spell, ...]:
    """Return the spells of chunks `first` to `last` and of one chunk on either side.

    The outer chunks keep the two outer ends, which are no changes, far from what is asked for.
    """
    starts: list[tuple[Micros, Micros]] = []
    for chunk in range(first - 1, last + 2):
        for instant, offset in _changes(timezone, chunk):
            if not starts or starts[-1][1] != offset:
                starts.append((instant, offset))
    ends = [instant for instant, _ in starts[1:]] + [(last + 2) * _CHUNK]
    return tuple(_Spell(instant, end, offset) for (instant, offset), end in zip(starts, ends, strict=True))


def _spells_around(timezone: str, start: Micros, end: Micros) -> tuple[_Spell, ...]:
    return _spells(timezone, start // _CHUNK, end // _CHUNK)


def _spell_at(timezone: str, t: Micros) -> _Spell:
    spells = _spells_around(timezone, t, t)
    return spells[bisect_right(spells, t, key=_start) - 1]


def _start(spell: _Spell) -> Micros:
    return spell.start


def utc_offset(timezone: str, t: Micros) -> int:
    """Return how many seconds the local clock is ahead of UTC at `t`.

    Raises:
        ValueError: the time zone is unknown (so do all functions of this module).
    """
    return _spell_at(timezone, t).offset // MICROS_PER_SECOND


def offsets(timezone: str, start: Micros, end: Micros) -> list[tuple[Micros, Micros]]:
    """Return (instant, microseconds ahead of UTC from then on) of every stretch of constant offset in `[start, end]`.

    The first instant is at or before `start`; the others are where the clocks change.
    """
    return [
        (spell.start, spell.offset)
        for spell in _spells_around(timezone, start, end)
        if spell.end > start and spell.start <= end
    ]


def local_date(timezone: str, t: Micros) -> date:
    """Return the date on the local calendar at `t`."""
    return date.fromordinal(_EPOCH_DAY + (t + _spell_at(timezone, t).offset) // DAY)


def floor_hour(timezone: str, t: Micros) -> Micros:
    """Return the last hour border at or before `t`."""
    spell = _spell_at(timezone, t)
    return max(spell.start, t - (t + spell.offset) % HOUR)


def next_hour(timezone: str, t: Micros) -> Micros:
    """Return the first hour border after `t`."""
    spell = _spell_at(timezone, t)
    return min(spell.end, t - (t + spell.offset) % HOUR + HOUR)


def hour_edges(timezone: str, start: Micros, end: Micros) -> list[Micros]:
    """Return every hour border b with `start <= b <= end`, ascending.

    A border is where the local clock shows a full hour, and every instant at which the UTC offset
    changes. Where clocks go back, the repeated hour has a bucket of its own.
    """
    if end < start:
        return []
    edges: list[Micros] = []
    for number, spell in enumerate(_spells_around(timezone, start, end)):
        if number and start <= spell.start <= end:
            edges.append(spell.start)
        after = max(start, spell.start + (number > 0))
        full = after + -(after + spell.offset) % HOUR
        edges.extend(range(full, min(end + 1, spell.end), HOUR))
    return edges


def first_moment(timezone: str, day: date, time: Micros = 0) -> Micros:
    """Return the first instant at which the local clock shows `day` and `time` after its midnight, or later.

    A time that the clock skips is the first moment after the gap, one that it shows twice the first of the two.
    """
    shown = (day.toordinal() - _EPOCH_DAY) * DAY + time
    # No zone is, or was, more than a day away from UTC.
    return next(
        instant
        for spell in _spells_around(timezone, shown - DAY, shown + DAY)
        if (instant := max(spell.start, shown - spell.offset)) < spell.end
    )


def floor_day(timezone: str, t: Micros) -> Micros:
    """Return the last day border at or before `t`."""
    today = local_date(timezone, t)
    # Clocks that went back across midnight (Newfoundland until 2011) show the old date again in the new day.
    tomorrow = first_moment(timezone, today + timedelta(days=1))
    return tomorrow if tomorrow <= t else first_moment(timezone, today)


def next_day(timezone: str, t: Micros) -> Micros:
    """Return the first day border after `t`."""
    day = local_date(timezone, t) + timedelta(days=1)
    while (border := first_moment(timezone, day)) <= t:
        day += timedelta(days=1)
    return border


def day_edges(timezone: str, start: Micros, end: Micros) -> list[Micros]:
    """Return every day border b with `start <= b <= end`, ascending.

    A border is the first local midnight of a date or, where clocks skip midnight, the first
    instant of that date. A date that never was (Samoa's 2011-12-30) adds none.
    """
    if end < start:
        return []
    day = local_date(timezone, start)
    last = local_date(timezone, end) + timedelta(days=1)
    edges: list[Micros] = []
    while day <= last:
        border = first_moment(timezone, day)
        if start <= border <= end and (not edges or border > edges[-1]):
            edges.append(border)
        day += timedelta(days=1)
    return edges


def day_range(timezone: str, day: date) -> TimeRange:
    """Return the range of the local date `day`; empty for a date that never was."""
    return TimeRange(first_moment(timezone, day), first_moment(timezone, day + timedelta(days=1)))
