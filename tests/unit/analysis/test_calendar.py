"""What events say, case by case, in the words of the calendars they come from."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from custom_components.strata.analysis.calendar import (
    CalendarEvent,
    Place,
    Rules,
    Sign,
    Signal,
    away_windows,
    days,
    signals,
)
from custom_components.strata.analysis.words import WordList

BERLIN = "Europe/Berlin"
RULES = Rules(
    timezone=BERLIN,
    home=WordList(("WFH", "HOME", "home office")),
    away=WordList(("flight", "office", "Urlaub", "trip")),
)


def at(hour: int, minute: int = 0, day: int = 20) -> datetime:
    """A UTC instant of November 2026, when Berlin is an hour ahead."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def event(**said: object) -> CalendarEvent:
    return CalendarEvent(**{"start": at(9), "end": at(17), **said})  # type: ignore[arg-type]


def said(one: CalendarEvent, rules: Rules = RULES) -> Signal | None:
    found = signals([one], rules)
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("told", "place", "sign"),
    [
        # Working location, which is transparent by design, before all else.
        (
            {"event_type": "workingLocation", "working_location": "homeOffice", "transparency": "transparent"},
            Place.HOME,
            Sign.WORKING_LOCATION,
        ),
        (
            {"event_type": "workingLocation", "working_location": "officeLocation", "summary": "Home"},
            Place.AWAY,
            Sign.WORKING_LOCATION,
        ),
        (
            {"event_type": "workingLocation", "working_location": "customLocation", "summary": "Café"},
            Place.AWAY,
            Sign.WORKING_LOCATION,
        ),
        (
            {"event_type": "workingLocation", "working_location": "customLocation", "summary": "Home office"},
            Place.HOME,
            Sign.WORKING_LOCATION,
        ),
        # Home Assistant's calendar of working locations tells only the words.
        ({"event_type": "workingLocation", "summary": "Home"}, Place.HOME, Sign.WORKING_LOCATION),
        ({"event_type": "workingLocation", "summary": "Office"}, Place.AWAY, Sign.WORKING_LOCATION),
        # Out of office.
        ({"event_type": "outOfOffice", "summary": "Out of office"}, Place.AWAY, Sign.OUT_OF_OFFICE),
        ({"event_type": "outOfOffice", "summary": "Sick at home"}, Place.HOME, Sign.OUT_OF_OFFICE),
        # A place one goes to beats the words of the title.
        ({"summary": "Dentist", "location": "Torstraße 1, Berlin"}, Place.AWAY, Sign.LOCATION),
        ({"summary": "WFH", "location": "Torstraße 1, Berlin"}, Place.AWAY, Sign.LOCATION),
        ({"summary": "Pick up", "location": "Home Depot"}, Place.AWAY, Sign.LOCATION),
        ({"summary": "Coffee", "location": "12 Homer St"}, Place.AWAY, Sign.LOCATION),
        ({"summary": "Plumber", "location": "Home, 5 Elm Street"}, Place.HOME, Sign.LOCATION),
        ({"summary": "Plumber", "location": "home"}, Place.HOME, Sign.LOCATION),
        # Words.
        ({"summary": "WFH"}, Place.HOME, Sign.WORD),
        ({"summary": "wfh - focus"}, Place.HOME, Sign.WORD),
        ({"summary": "At home: plumber"}, Place.HOME, Sign.WORD),
        ({"summary": "Flight home"}, Place.AWAY, Sign.WORD),
        ({"summary": "Home  Office"}, Place.HOME, Sign.WORD),
        ({"summary": "WFH, no office"}, Place.HOME, Sign.WORD),
        ({"summary": "URLAUB"}, Place.AWAY, Sign.WORD),
        ({"summary": "WFH", "location": "https://meet.google.com/abc-defg-hij"}, Place.HOME, Sign.WORD),
        ({"summary": "Trip planning", "location": "Microsoft Teams Meeting"}, Place.AWAY, Sign.WORD),
    ],
)
def test_event_says_where(told: dict[str, object], place: Place, sign: Sign) -> None:
    signal = said(event(**told))
    assert signal is not None
    assert (signal.place, signal.sign, signal.weight) == (place, sign, 1.0)
    assert (signal.start, signal.end) == (at(9), at(17))


@pytest.mark.parametrize(
    "told",
    [
        {"summary": "Standup"},
        {"summary": ""},
        {"summary": "Homer's birthday"},
        {"summary": "Homework", "location": "   "},
        {"summary": "Sync", "location": "https://zoom.us/j/123"},
        {"summary": "Sync", "location": "Zoom"},
        {"summary": "WFH", "response": "declined"},
        {"summary": "WFH", "status": "cancelled"},
        {"summary": "Concert", "location": "Arena", "transparency": "transparent"},
        {"summary": "Trip of Anna", "event_type": "birthday"},
        {"event_type": "workingLocation", "working_location": "homeOffice", "status": "cancelled"},
        {"summary": "WFH", "end": at(9)},
    ],
)
def test_event_says_nothing(told: dict[str, object]) -> None:
    assert said(event(**told)) is None


@pytest.mark.parametrize("told", [{"status": "tentative"}, {"response": "tentative"}])
def test_tentative_event_counts_half(told: dict[str, object]) -> None:
    signal = said(event(summary="WFH", **told))
    assert signal is not None
    assert signal.weight == 0.5


def test_strength_falls_from_working_location_to_words() -> None:
    kinds = [
        {"event_type": "workingLocation", "working_location": "officeLocation"},
        {"event_type": "outOfOffice"},
        {"location": "Arena"},
        {"summary": "Flight"},
    ]
    odds = [signal.log_odds for kind in kinds if (signal := said(event(**kind)))]
    assert len(odds) == 4
    assert odds == sorted(odds)
    assert odds[-1] < 0


def test_event_has_to_be_a_stretch_of_real_time() -> None:
    with pytest.raises(ValueError, match="time zone"):
        CalendarEvent(start=datetime(2026, 11, 20, 9), end=at(10))  # noqa: DTZ001 - what is refused
    with pytest.raises(ValueError, match="ends"):
        event(start=at(10), end=at(9))


@pytest.mark.parametrize(
    ("first", "after", "timezone", "start", "end"),
    [
        # The end of all-day events is exclusive; days are those of the home's clock.
        (date(2026, 11, 20), date(2026, 11, 21), BERLIN, at(23, day=19), at(23)),
        (date(2026, 11, 20), date(2026, 11, 23), BERLIN, at(23, day=19), at(23, day=22)),
        (date(2026, 11, 20), date(2026, 11, 20), BERLIN, at(23, day=19), at(23)),
        # Days on which clocks change have 23 and 25 hours.
        (
            date(2026, 3, 29),
            date(2026, 3, 30),
            BERLIN,
            datetime(2026, 3, 28, 23, tzinfo=UTC),
            datetime(2026, 3, 29, 22, tzinfo=UTC),
        ),
        (
            date(2026, 10, 25),
            date(2026, 10, 26),
            BERLIN,
            datetime(2026, 10, 24, 22, tzinfo=UTC),
            datetime(2026, 10, 25, 23, tzinfo=UTC),
        ),
        (date(2026, 11, 20), date(2026, 11, 21), "America/Chicago", at(6), at(6, day=21)),
        (date(2026, 11, 20), date(2026, 11, 21), "Asia/Kolkata", at(18, 30, day=19), at(18, 30)),
    ],
)
def test_days_of_the_home(first: date, after: date, timezone: str, start: datetime, end: datetime) -> None:
    assert days(first, after, timezone) == (start, end)


def test_all_day_working_location_is_about_the_working_day() -> None:
    start, end = days(date(2026, 10, 24), date(2026, 10, 26), BERLIN)
    told = event(start=start, end=end, all_day=True, working_location="homeOffice")
    found = signals([told], Rules(timezone=BERLIN, work=(time(8, 30), time(16))))
    # Saturday is summer time (UTC+2), Sunday is winter time (UTC+1).
    assert [(signal.start, signal.end) for signal in found] == [
        (datetime(2026, 10, 24, 6, 30, tzinfo=UTC), datetime(2026, 10, 24, 14, tzinfo=UTC)),
        (datetime(2026, 10, 25, 7, 30, tzinfo=UTC), datetime(2026, 10, 25, 15, tzinfo=UTC)),
    ]
    assert {signal.place for signal in found} == {Place.HOME}


def test_all_day_trip_is_away_day_and_night() -> None:
    start, end = days(date(2026, 11, 20), date(2026, 11, 22), BERLIN)
    signal = said(event(start=start, end=end, all_day=True, location="Paris"))
    assert signal is not None
    assert (signal.start, signal.end) == (at(23, day=19), at(23, day=21))


def test_words_are_the_users() -> None:
    rules = Rules(timezone=BERLIN, home=WordList(("Zuhause", " ", "ÉTÉ")), away=WordList(()))
    assert said(event(summary="zuhause bleiben"), rules) is not None
    assert said(event(summary="L'été au jardin"), rules) is not None
    assert said(event(summary="WFH"), rules) is None
    assert said(event(summary="C++ course"), Rules(timezone=BERLIN, away=WordList(("c++",)))) is not None


TRAVEL = timedelta(minutes=30)


def away(start: datetime, end: datetime, *, weight: float = 1.0) -> Signal:
    return Signal(start=start, end=end, place=Place.AWAY, sign=Sign.LOCATION, weight=weight)


def test_away_windows_include_the_ways_and_are_merged() -> None:
    told = [
        away(at(9), at(11)),
        # An hour later at another place: the way home and the way out touch, so nobody goes home.
        away(at(12), at(13), weight=0.5),
        away(at(15), at(16), weight=0.5),
        # Within the first.
        away(at(9, 30), at(10)),
        Signal(start=at(18), end=at(19), place=Place.HOME, sign=Sign.WORD, weight=1.0),
        # Overnight.
        away(at(22), at(6, day=21)),
    ]
    windows = away_windows(told, TRAVEL)
    assert [(window.start, window.end, window.weight) for window in windows] == [
        (at(8, 30), at(13, 30), 1.0),
        (at(14, 30), at(16, 30), 0.5),
        (at(21, 30), at(6, 30, day=21), 1.0),
    ]
