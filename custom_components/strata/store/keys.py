"""Chunk keys: which period, which series, which kind, in one integer."""

from collections.abc import Iterator, Set as AbstractSet

from ..core.model import Kind, TimeRange

_KIND_BITS = 4
_SERIES_BITS = 20
_PERIOD_SHIFT = _KIND_BITS + _SERIES_BITS
MAX_SERIES = (1 << _SERIES_BITS) - 1

KINDS: tuple[Kind, ...] = (Kind.MEASUREMENT, Kind.METER, Kind.ON_OFF, Kind.TEXT)
"""A kind's place here is its number in the file: only ever append."""
NO_KIND = 15
"""Used where chunks hold rows as they came, which have no kind."""


def chunk_key(period: int, series: int, kind: int) -> int:
    """Return the key of one series' chunk of one kind in one period."""
    return period << _PERIOD_SHIFT | series << _KIND_BITS | kind


def key_period(key: int) -> int:
    """Return the period of a chunk key."""
    return key >> _PERIOD_SHIFT


def key_series(key: int) -> int:
    """Return the series of a chunk key."""
    return key >> _KIND_BITS & MAX_SERIES


def key_kind(key: int) -> int:
    """Return the kind number of a chunk key."""
    return key & (1 << _KIND_BITS) - 1


def periods(span: int, when: TimeRange) -> range:
    """Return the periods of length `span` (microseconds) that `when` touches."""
    if when.end <= when.start:
        return range(0)
    return range(when.start // span, (when.end - 1) // span + 1)


def key_range(first: int, last: int) -> tuple[int, int]:
    """Return the half-open key range of all series in periods `first` to `last`, both included."""
    return first << _PERIOD_SHIFT, (last + 1) << _PERIOD_SHIFT


def key_ranges(spans: range, only: AbstractSet[int] | None = None) -> Iterator[tuple[int, int]]:
    """Yield half-open key ranges, in order, with all chunks of the periods in `spans`, or those of some series.

    Of some series there is a range for each period, which takes in the series that are numbered between them, too.
    """
    if only is None:
        if len(spans):
            yield key_range(spans[0], spans[-1])
    elif only:
        lowest, highest = min(only), max(only)
        for period in spans:
            yield chunk_key(period, lowest, 0), chunk_key(period, highest, NO_KIND) + 1
