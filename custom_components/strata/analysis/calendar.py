"""What calendar events say about where somebody will be.

Only what an event says itself counts, by the strength of how it says so: where one works (Google's and
others' working location), out of office, a physical place, a word of the user's lists. A busy hour
without any of these says nothing about home or away.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
import re
from typing import Final
from zoneinfo import ZoneInfo

from ..core.clock import day_range
from ..core.model import from_micros
from .words import WordList


class Place(StrEnum):
    """Where an event puts somebody."""

    HOME = "home"
    AWAY = "away"


class Sign(StrEnum):
    """How an event says so, the strongest first."""

    WORKING_LOCATION = "working_location"
    OUT_OF_OFFICE = "out_of_office"
    LOCATION = "location"
    WORD = "word"


STRENGTH: Final = {Sign.WORKING_LOCATION: 3.0, Sign.OUT_OF_OFFICE: 2.5, Sign.LOCATION: 2.2, Sign.WORD: 1.7}
"""Log-odds: 95, 92, 90 and 85 %. Only their order is practice; the figures are our choice."""
TENTATIVE: Final = 0.5
"""Weight of an event that is not certain to take place."""

_HOME_OFFICE: Final = "homeOffice"
_IGNORED_TYPES: Final = frozenset({"birthday"})
_ONLINE: Final = re.compile(
    r"https?://|www\.|(?<!\w)(?:zoom|(?:microsoft|ms) teams|teams meeting|google meet|webex|skype|jitsi|hangouts?"
    r"|gotomeeting|facetime|whatsapp|online|virtual|video ?call|phone|telefon|téléphone|teléfono)(?!\w)",
    re.IGNORECASE,
)
"""A location that is a link or names a way to talk is nowhere one goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEvent:
    """One occurrence of an event, its end exclusive; what a calendar does not tell keeps its default.

    `status`, `transparency`, `event_type`, `working_location` and `response` are in the words of the
    Google Calendar API: `confirmed|tentative|cancelled`, `opaque|transparent`,
    `default|outOfOffice|workingLocation|birthday|...`, `homeOffice|officeLocation|customLocation`,
    `accepted|tentative|declined|needsAction`.
    """

    start: datetime
    end: datetime
    all_day: bool = False
    summary: str = ""
    location: str = ""
    status: str = "confirmed"
    transparency: str = "opaque"
    event_type: str = "default"
    working_location: str | None = None
    response: str | None = None

    def __post_init__(self) -> None:
        """Refuse naive times and events that end before they start."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("an event needs times with a time zone")
        if self.end < self.start:
            raise ValueError(f"the event ends ({self.end}) before it starts ({self.start})")


def days(first: date, after: date, timezone: str) -> tuple[datetime, datetime]:
    """Return start and end of the local days from `first` to the day before `after`, in UTC.

    An end that is not after the start, which some calendars write, is taken as one day.
    """
    after = max(after, first + timedelta(days=1))
    return from_micros(day_range(timezone, first).start), from_micros(day_range(timezone, after).start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the user says about calendars and ways."""

    timezone: str
    home: WordList = field(default_factory=lambda: WordList(("WFH", "HOME")))
    away: WordList = field(default_factory=lambda: WordList(()))
    travel: timedelta = timedelta(minutes=30)
    lead: timedelta = timedelta(minutes=30)
    work: tuple[time, time] = (time(9), time(17))
    """An all-day working location is about these hours, not about the night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Where somebody is to be in `[start, end)`, ways not included, and what says so."""

    start: datetime
    end: datetime
    place: Place
    sign: Sign
    weight: float
    all_day: bool = False
    word: str | None = None
    """The word of the user's lists that was found."""

    @property
    def log_odds(self) -> float:
        """Evidence for being at home, negative for being away."""
        return STRENGTH[self.sign] * (1 if self.place is Place.HOME else -1)


@dataclass(frozen=True, slots=True)
class AwayWindow:
    """A stretch away from home, ways there and back included; `weight` is that of its surest event."""

    start: datetime
    end: datetime
    weight: float = 1.0


def signals(events: Iterable[CalendarEvent], rules: Rules) -> tuple[Signal, ...]:
    """Return what the events say, in time order."""
    found = (signal for event in events for signal in _judge(event, rules))
    return tuple(sorted(found, key=lambda signal: (signal.start, signal.end)))


def _judge(event: CalendarEvent, rules: Rules) -> Sequence[Signal]:
    if _is_ignored(event) or (verdict := _verdict(event, rules)) is None:
        return ()
    sign, place, word = verdict
    spans = [(event.start, event.end)]
    if event.all_day and (sign is Sign.WORKING_LOCATION or place is Place.HOME):
        # It is about the working day: nobody works from home at 3 in the morning.
        spans = _working_hours(event, rules)
    tentative = "tentative" in {event.status, event.response}
    weight = TENTATIVE if tentative else 1.0
    return [
        Signal(start=start, end=end, place=place, sign=sign, weight=weight, all_day=event.all_day, word=word)
        for start, end in spans
        if end > start
    ]


def _is_ignored(event: CalendarEvent) -> bool:
    # A working location is transparent by design: it takes no time.
    free = event.transparency == "transparent" and not _tells_where_one_works(event)
    return free or event.status == "cancelled" or event.response == "declined" or event.event_type in _IGNORED_TYPES


def _tells_where_one_works(event: CalendarEvent) -> bool:
    return event.event_type == "workingLocation" or event.working_location is not None


def _verdict(event: CalendarEvent, rules: Rules) -> tuple[Sign, Place, str | None] | None:
    """Return the strongest thing the event says: how, where, and by which word."""
    said = _by_words(event.summary, rules)
    if _tells_where_one_works(event):
        at_home = event.working_location == _HOME_OFFICE or (
            event.working_location in {None, "customLocation"} and said is not None and said[0] is Place.HOME
        )
        return Sign.WORKING_LOCATION, Place.HOME if at_home else Place.AWAY, None
    if event.event_type == "outOfOffice":
        # Not at work is not yet away: "at home with a cold" says where.
        return Sign.OUT_OF_OFFICE, said[0] if said else Place.AWAY, said[1] if said else None
    if event.location.strip() and not _ONLINE.search(event.location):
        word = rules.home.names(event.location)
        return Sign.LOCATION, Place.HOME if word else Place.AWAY, word
    return (Sign.WORD, *said) if said else None


def _by_words(text: str, rules: Rules) -> tuple[Place, str] | None:
    """Return what the first word of either list in `text` says: "Flight home" is a flight, "Home office" is home."""
    hits = [
        (*hit, place)
        for words, place in ((rules.home, Place.HOME), (rules.away, Place.AWAY))
        if (hit := words.find(text)) is not None
    ]
    if not hits:
        return None
    _, _, word, place = min(hits)
    return place, word


def _working_hours(event: CalendarEvent, rules: Rules) -> list[tuple[datetime, datetime]]:
    """Return the working hours of each of the event's local days."""
    zone = ZoneInfo(rules.timezone)
    begin, end = rules.work
    day, spans = event.start.astimezone(zone).date(), []
    while (start := datetime.combine(day, begin, zone)) < event.end:
        spans.append((start.astimezone(UTC), datetime.combine(day, end, zone).astimezone(UTC)))
        day += timedelta(days=1)
    return spans


def away_windows(told: Iterable[Signal], travel: timedelta) -> tuple[AwayWindow, ...]:
    """Return the stretches away, ways included; those that touch or overlap are one."""
    merged: list[AwayWindow] = []
    away = (signal for signal in told if signal.place is Place.AWAY)
    for signal in sorted(away, key=lambda signal: signal.start):
        start, end = signal.start - travel, signal.end + travel
        if merged and start <= merged[-1].end:
            last = merged[-1]
            merged[-1] = AwayWindow(last.start, max(last.end, end), max(last.weight, signal.weight))
        else:
            merged.append(AwayWindow(start, end, signal.weight))
    return tuple(merged)
