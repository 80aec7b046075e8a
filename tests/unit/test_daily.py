"""Daily spans in the home's clock, and loads written as text."""

from datetime import datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core.daily import daily_spans, next_span, parse_profile
from custom_components.strata.core.window import Phase

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("begin", "end", "spans"),
    [
        (time(22), time(6), [("2026-11-20T21:00", "2026-11-21T05:00"), ("2026-11-21T21:00", "2026-11-22T05:00")]),
        (time(9), time(17), [("2026-11-21T08:00", "2026-11-21T16:00"), ("2026-11-22T08:00", "2026-11-22T16:00")]),
        (None, time(7), [("2026-11-20T06:00", "2026-11-21T06:00"), ("2026-11-21T06:00", "2026-11-22T06:00")]),
        (time(22), None, [("2026-11-20T21:00", "2026-11-21T21:00"), ("2026-11-21T21:00", "2026-11-22T21:00")]),
        (None, None, [("2026-11-20T23:00", "2026-11-21T23:00"), ("2026-11-21T23:00", "2026-11-22T23:00")]),
    ],
)
def test_spans_come_every_day(begin: time | None, end: time | None, spans: list[tuple[str, str]]) -> None:
    # Four in the morning in Berlin.
    found = islice(daily_spans(utc("2026-11-21T03:00"), BERLIN, begin, end), 2)
    assert [*found] == [(utc(start), utc(stop)) for start, stop in spans]


def test_a_span_is_as_long_as_the_night_is() -> None:
    def length(now: str) -> timedelta:
        start, stop = next(daily_spans(utc(now), BERLIN, time(22), time(6)))
        return stop - start

    assert [length(f"{day}T21:30") for day in ("2026-03-28", "2026-10-24", "2026-11-24")] == [
        7 * HOUR,
        9 * HOUR,
        8 * HOUR,
    ]


def test_times_that_are_skipped_or_come_twice() -> None:
    # On 2026-03-29 the clock goes from 2:00 to 3:00, so 2:30 is taken as 3:30.
    start, _ = next(daily_spans(utc("2026-03-29T00:00"), BERLIN, time(2, 30), time(6)))
    assert start == utc("2026-03-29T01:30")
    # On 2026-10-25 it is 2:30 twice: the first counts.
    _, stop = next(daily_spans(utc("2026-10-24T23:00"), BERLIN, time(1), time(2, 30)))
    assert stop == utc("2026-10-25T00:30")


def test_the_next_span_has_time_enough() -> None:
    night = {"begin": time(22), "end": time(6)}
    now = utc("2026-11-21T02:00")
    assert next_span(now, BERLIN, **night, needed=3 * HOUR) == (now, utc("2026-11-21T05:00"))
    assert next_span(now, BERLIN, **night, needed=3.5 * HOUR) == (utc("2026-11-21T21:00"), utc("2026-11-22T05:00"))
    assert next_span(now, BERLIN, **night, needed=9 * HOUR) is None
    ran = utc("2026-11-21T05:00")
    assert next_span(now, BERLIN, **night, needed=HOUR, after=ran) == (
        utc("2026-11-21T21:00"),
        utc("2026-11-22T05:00"),
    )


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("10 min 60 W, 25 min 2.1 kW", [(10, 60), (25, 2100)]),
        ("90min 500W", [(90, 500)]),
        ("1 h 100 W, 1.5 H 2 kW", [(60, 100), (90, 2000)]),
        ("2,5 min 0 w; 1 min 1,5 KW\n3 min 7 W", [(2.5, 0), (1, 1500), (3, 7)]),
    ],
)
def test_profiles_are_read(text: str, phases: list[tuple[float, float]]) -> None:
    assert parse_profile(text) == tuple(Phase(timedelta(minutes=minutes), watts) for minutes, watts in phases)


@pytest.mark.parametrize("text", ["", "an hour", "10 min", "60 W", "10 min 60 W 5", "-5 min 60 W", "10 min 60 W,"])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no phase"):
        parse_profile(text)
