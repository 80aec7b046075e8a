"""The agenda of planned windows: one window a day for each load, kept apart where that is wanted.

What has begun is never moved. Of the rest, the load with the lower rank chooses first, and those that are to be kept
apart stay out of each other's time. A load that has run rests until the next of its daily spans. Where forecasts say
nothing in time, a load with a deadline runs at the last moment that still meets it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo

from .daily import next_span
from .objective import Plan, Wish, plans
from .outlook import Aim, Outlook
from .window import Phase, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """A load that runs once a day, in the span from `not_before` until `ready_by`."""

    key: str
    profile: tuple[Phase, ...]
    weights: Mapping[Aim, float]
    not_before: time | None = None
    ready_by: time | None = None
    contiguous: bool = True
    shortest_run: timedelta | None = None
    apart: bool = True
    rank: int = 1
    export_price: float = 0.0
    house_watts: float = 0.0

    @property
    def duration(self) -> timedelta:
        """How long it runs in all."""
        return sum((phase.duration for phase in self.profile), timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """When a load runs. `until` is the end of the daily span this is for."""

    parts: tuple[Span, ...]
    until: datetime
    plan: Plan | None = None
    """Why then; None when nothing was foreseen, or when this was booked in an earlier run."""
    overlaps: bool = False
    """True when there was no time of its own left, so it runs together with another."""

    @property
    def start(self) -> datetime:
        """When it begins."""
        return self.parts[0][0]

    @property
    def end(self) -> datetime:
        """When it is done."""
        return self.parts[-1][1]

    def runs_at(self, moment: datetime) -> bool:
        """Tell whether the load runs."""
        return any(start <= moment < end for start, end in self.parts)

    def borders_after(self, moment: datetime) -> list[datetime]:
        """Return when it is switched from then on."""
        return [border for part in self.parts for border in part if border > moment]


def book(
    appointments: Iterable[Appointment],
    kept: Mapping[str, Booking],
    outlook: Outlook | None,
    now: datetime,
    zone: tzinfo,
) -> dict[str, Booking | None]:
    """Return the booking of each load, given those that have `kept` theirs because they had begun.

    None for a load about which nothing is foreseen and which has no deadline, or which does not fit into any span.
    """
    waiting = sorted(appointments, key=lambda each: (each.rank, each.key))
    running = [each for each in waiting if (held := kept.get(each.key)) and held.end > now]
    bookings: dict[str, Booking | None] = {each.key: kept[each.key] for each in running}
    taken = [part for each in running if each.apart for part in kept[each.key].parts]
    for each in waiting:
        if each in running:
            continue
        done = kept[each.key].until if each.key in kept else None
        booking = _book(each, outlook, taken if each.apart else [], now, zone, done)
        bookings[each.key] = booking
        if booking is not None and each.apart:
            taken.extend(booking.parts)
    return bookings


def _book(
    each: Appointment,
    outlook: Outlook | None,
    taken: list[Span],
    now: datetime,
    zone: tzinfo,
    done: datetime | None,
) -> Booking | None:
    span = next_span(now, zone, each.not_before, each.ready_by, needed=each.duration, after=done)
    if span is None:
        return None
    start, until = span
    for avoid in (tuple(taken), ()) if taken else ((),):
        if (plan := _best(each, outlook, start, until, avoid, now)) is not None:
            return Booking(parts=plan.window.parts, until=until, plan=plan, overlaps=_meets(plan.window.parts, taken))
    if each.ready_by is None:
        return None
    last = (until - each.duration, until)
    return Booking(parts=(last,), until=until, overlaps=_meets((last,), taken))


def _best(
    each: Appointment, outlook: Outlook | None, start: datetime, until: datetime, avoid: tuple[Span, ...], now: datetime
) -> Plan | None:
    if outlook is None:
        return None
    wish = Wish(
        profile=each.profile,
        weights=each.weights,
        earliest=start,
        latest=until,
        contiguous=each.contiguous,
        shortest_run=each.shortest_run,
        avoid=avoid,
    )
    seen = replace(outlook, export_price=each.export_price, house_watts=each.house_watts)
    try:
        return next(iter(plans(seen, wish, now)), None)
    except ValueError:
        # Nothing is foreseen for an aim that counts.
        return None


def _meets(parts: Iterable[Span], taken: Iterable[Span]) -> bool:
    return any(start < other_end and other_start < end for start, end in parts for other_start, other_end in taken)
