"""When somebody will be at home: the calendar, who is there now and the habits of the week, blended.

Presence now comes from trackers; the calendar foresees. Each says so as log-odds, and what is said of a
later time counts less: an event half as much every three days ahead, who is there now half as much every
hour. What they leave open is filled by the habits of the week. The result is a probability with its
reasons, and what follows from it: when the home empties, when somebody arrives, how sure that is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
import math
from typing import Final
from zoneinfo import ZoneInfo

from ..core.forecast import day_around
from ..core.model import Slot, from_micros, to_micros
from .calendar import AwayWindow, CalendarEvent, Place, Rules, Sign, Signal, away_windows, signals
from .weekly_profile import WeeklyProfile

HORIZON: Final = timedelta(hours=48)
SLOT: Final = timedelta(minutes=30)
DAY: Final = timedelta(hours=24)
EVENT_HALF_LIFE: Final = timedelta(hours=72)
PRESENCE_HALF_LIFE: Final = timedelta(hours=1)
PRESENCE: Final = 3.0
"""Log-odds of what a tracker says: 95 %."""
GRACE: Final = timedelta(minutes=30)
"""Who is still at home so long after an event away has begun does not go there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is foreseen for one person, or for all of a home, before anything is concluded."""

    now: datetime
    home: bool
    wfh: bool
    slots: tuple[Slot, ...]
    """Probability of being at home, 0 to 1."""
    windows: tuple[AwayWindow, ...]
    signals: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What follows from an outlook."""

    outlook: Outlook
    arrival: datetime | None
    departure: datetime | None
    prepare: datetime | None
    away_hours: float
    """Hours away to be expected in the next 24 hours."""
    confidence: float
    """How probable it is, by the forecast itself, that the arrival is as said: away just before it and at home
    just after. Without an arrival: the mean certainty of the next 24 hours."""


def predict(
    events: Iterable[CalendarEvent], *, now: datetime, present: bool | None, profile: WeeklyProfile, rules: Rules
) -> Prediction:
    """Return the prediction for one person.

    Args:
        events: Of all the person's calendars, recurring ones expanded.
        now: The present.
        present: Whether the person is at home by a tracker, None when no tracker knows.
        profile: The habits of the week.
        rules: What the user says about calendars and ways.
    """
    return conclude(outlook(events, now=now, present=present, profile=profile, rules=rules), rules.lead)


def outlook(
    events: Iterable[CalendarEvent], *, now: datetime, present: bool | None, profile: WeeklyProfile, rules: Rules
) -> Outlook:
    """Return what is foreseen for one person; the arguments are those of `predict`."""
    told = signals(events, rules)
    wfh = _works_from_home(told, now, rules)
    if present:
        told = tuple(signal for signal in told if not _is_refuted(signal, now))
    blend = _Blend(told, now=now, present=present, profile=profile, rules=rules)
    first = _floor(now)
    starts = [first + SLOT * step for step in range(HORIZON // SLOT)]
    slots = tuple(Slot(start, start + SLOT, blend.probability(max(start + SLOT / 2, now))) for start in starts)
    windows = tuple(window for window in away_windows(told, rules.travel) if window.end > now)
    home = blend.probability(now) >= 0.5 if present is None else present
    return Outlook(now=now, home=home, wfh=wfh, slots=slots, windows=windows, signals=_telling(told, now))


def _floor(moment: datetime) -> datetime:
    step = SLOT // timedelta(microseconds=1)
    return from_micros(to_micros(moment) // step * step)


def _is_refuted(signal: Signal, now: datetime) -> bool:
    return signal.place is Place.AWAY and signal.start + GRACE <= now < signal.end


def _telling(told: Iterable[Signal], now: datetime) -> tuple[Signal, ...]:
    return tuple(signal for signal in told if signal.end > now and signal.start < now + HORIZON)


def _works_from_home(told: Iterable[Signal], now: datetime, rules: Rules) -> bool:
    """Tell whether the strongest word of today about work is "at home"."""
    start, end = day_around(now, ZoneInfo(rules.timezone))
    today = [
        signal
        for signal in told
        if signal.start < end
        and signal.end > start
        and (signal.place is Place.HOME or signal.sign in {Sign.WORKING_LOCATION, Sign.OUT_OF_OFFICE})
    ]
    strongest = max(today, key=lambda signal: (abs(signal.log_odds) * signal.weight, signal.log_odds), default=None)
    return strongest is not None and strongest.place is Place.HOME


class _Blend:
    """The probability of being at home at any time, from events, presence and habits."""

    def __init__(
        self, told: Sequence[Signal], *, now: datetime, present: bool | None, profile: WeeklyProfile, rules: Rules
    ) -> None:
        self._spans = [(*_span(signal, rules), signal) for signal in told]
        self._now = now
        self._present = None if present is None else (PRESENCE if present else -PRESENCE)
        self._profile = profile
        self._timezone = rules.timezone
        # Who is there now says nothing about the time after somebody was to leave or to come.
        borders = [moment for start, end, _ in self._spans for moment in (start, end) if moment > now]
        self._present_until = min(borders, default=now + HORIZON)

    def probability(self, moment: datetime) -> float:
        ahead = moment - self._now
        log_odds = _logit(self._profile.share(moment, self._timezone))
        if (signal := self._said(moment)) is not None:
            weight = signal.weight * 0.5 ** (ahead / EVENT_HALF_LIFE)
            log_odds = weight * signal.log_odds + (1 - weight) * log_odds
        if self._present is not None and moment < self._present_until:
            weight = 0.5 ** (ahead / PRESENCE_HALF_LIFE)
            log_odds = weight * self._present + (1 - weight) * log_odds
        return 1 / (1 + math.exp(-log_odds))

    def _said(self, moment: datetime) -> Signal | None:
        """Return the strongest signal for `moment`; where two contradict, the shorter is the exception that counts."""
        running = [signal for start, end, signal in self._spans if start <= moment < end]
        if not running:
            return None
        shortest = min(running, key=lambda signal: signal.end - signal.start)
        agreeing = [signal for signal in running if signal.place is shortest.place]
        return max(agreeing, key=lambda signal: abs(signal.log_odds) * signal.weight)


def _span(signal: Signal, rules: Rules) -> tuple[datetime, datetime]:
    way = rules.travel if signal.place is Place.AWAY else timedelta()
    return signal.start - way, signal.end + way


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch away, by the calendar or because home is less probable than not; `told` is the calendar's end."""

    start: datetime
    end: datetime
    told: datetime | None


def conclude(seen: Outlook, lead: timedelta) -> Prediction:
    """Return what follows from an outlook; `lead` is how long before the arrival the home is prepared."""
    stretches = _stretches(seen)
    arrival = next(
        (moment for stretch in stretches if stretch.end > seen.now and (moment := _arrival(stretch, seen))), None
    )
    # Who is away leaves again only after the arrival.
    leaves_after = seen.now if seen.home else arrival
    departure = next(
        (
            max(stretch.start, seen.now)
            for stretch in stretches
            if leaves_after and stretch.end > leaves_after and (seen.home or stretch.start >= leaves_after)
        ),
        None,
    )
    return Prediction(
        outlook=seen,
        arrival=arrival,
        departure=departure,
        prepare=arrival - lead if arrival else None,
        away_hours=_away_hours(seen),
        confidence=_confidence(seen, arrival),
    )


def _stretches(seen: Outlook) -> list[_Stretch]:
    told = [_Stretch(window.start, window.end, window.end) for window in seen.windows]
    likely = [_Stretch(slot.start, slot.end, None) for slot in seen.slots if slot.value < 0.5]
    merged: list[_Stretch] = []
    for one in sorted([*told, *likely], key=lambda stretch: stretch.start):
        if merged and one.start <= merged[-1].end:
            last = merged[-1]
            ends = [moment for moment in (last.told, one.told) if moment]
            merged[-1] = _Stretch(last.start, max(last.end, one.end), max(ends, default=None))
        else:
            merged.append(one)
    return merged


def _arrival(stretch: _Stretch, seen: Outlook) -> datetime | None:
    """Return when a stretch ends: as the calendar says, else when home becomes probable; None beyond the horizon."""
    if stretch.told is not None:
        return stretch.told
    return stretch.end if seen.slots and stretch.end < seen.slots[-1].end else None


def _away_hours(seen: Outlook) -> float:
    end = seen.now + DAY
    hours = 0.0
    for slot in seen.slots:
        shared = min(slot.end, end) - max(slot.start, seen.now)
        hours += max(shared / timedelta(hours=1), 0.0) * (1 - slot.value)
    return hours


def _confidence(seen: Outlook, arrival: datetime | None) -> float:
    if arrival is None:
        coming = [slot.value for slot in seen.slots if slot.start < seen.now + DAY]
        return sum(max(value, 1 - value) for value in coming) / len(coming) if coming else 0.0
    before = [slot.value for slot in seen.slots if slot.end <= arrival]
    after = [slot.value for slot in seen.slots if slot.start >= arrival]
    return (1 - before[-1] if before else 0.5) * (after[0] if after else 0.5)


def household(people: Sequence[Outlook], lead: timedelta) -> Prediction:
    """Return the prediction for all together: somebody is at home, or nobody is.

    Args:
        people: Their outlooks, of the same present; slots that not all of them have are left out.
        lead: How long before the first arrival the home is prepared.

    Raises:
        ValueError: there is nobody.
    """
    if not people:
        raise ValueError("a household needs somebody")
    empty: dict[tuple[datetime, datetime], list[float]] = {}
    for person in people:
        for slot in person.slots:
            empty.setdefault((slot.start, slot.end), []).append(1 - slot.value)
    slots = tuple(
        Slot(start, end, 1 - math.prod(away))
        for (start, end), away in sorted(empty.items())
        if len(away) == len(people)
    )
    windows = people[0].windows
    for person in people[1:]:
        windows = _shared(windows, person.windows)
    seen = Outlook(
        now=people[0].now,
        home=any(person.home for person in people),
        wfh=any(person.wfh for person in people),
        slots=slots,
        windows=windows,
        signals=tuple(signal for person in people for signal in person.signals),
    )
    return conclude(seen, lead)


def _shared(left: Sequence[AwayWindow], right: Sequence[AwayWindow]) -> tuple[AwayWindow, ...]:
    """Return where both are away: the home is empty."""
    return tuple(
        AwayWindow(start, end, min(one.weight, other.weight))
        for one in left
        for other in right
        if (start := max(one.start, other.start)) < (end := min(one.end, other.end))
    )
