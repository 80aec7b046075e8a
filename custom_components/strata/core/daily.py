"""Spans of time that come every day, such as from 22:00 until 6:00, in the home's clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
import re

from .window import Phase, Span

MIDNIGHT = time()
_PHASE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(min|h)\s*(\d+(?:[.,]\d+)?)\s*(k?)W\s*", re.IGNORECASE)


def daily_spans(now: datetime, zone: tzinfo, begin: time | None = None, end: time | None = None) -> Iterator[Span]:
    """Yield the spans that end after `now`, one for each day, in order, without end.

    A span goes from `begin` to the next `end`. With only one of them it lasts from that time to the same time on the
    next day, with neither from midnight to midnight. A time that the clock skips is taken as that much later, one
    that comes twice as its first.
    """
    first = begin or end or MIDNIGHT
    last = end or begin or MIDNIGHT
    across = 1 if last <= first else 0
    day = now.astimezone(zone).date() - timedelta(days=1 + across)
    while True:
        start = datetime.combine(day, first, zone).astimezone(UTC)
        stop = datetime.combine(day + timedelta(days=across), last, zone).astimezone(UTC)
        if stop > now and stop > start:
            yield start, stop
        day += timedelta(days=1)


def next_span(
    now: datetime,
    zone: tzinfo,
    begin: time | None,
    end: time | None,
    *,
    needed: timedelta,
    after: datetime | None = None,
) -> Span | None:
    """Return the first daily span in which there is still time for `needed`, cut to what is left of it.

    With `after` the span begins there at the earliest: what ran once in a span does not run in it again. None where
    no span is long enough.
    """
    for start, stop in daily_spans(now, zone, begin, end):
        if start < (after or start):
            continue
        if stop - max(start, now) >= needed:
            return max(start, now), stop
        if start > now + timedelta(days=3):
            break
    return None


def parse_profile(text: str) -> tuple[Phase, ...]:
    """Return the phases of a load from text such as `10 min 60 W, 1.5 h 2.1 kW`.

    Raises:
        ValueError: the text is something else.
    """
    phases = []
    for part in re.split(r"[;\n]|,(?!\d)", text):
        if (found := _PHASE.fullmatch(part)) is None:
            raise ValueError(f"{part.strip()!r} is no phase: write it as 10 min 60 W")
        length, power = (float(number.replace(",", ".")) for number in found.group(1, 3))
        minutes = length * (60 if found.group(2).lower() == "h" else 1)
        phases.append(Phase(timedelta(minutes=minutes), power * (1000 if found.group(4) else 1)))
    return tuple(phases)
