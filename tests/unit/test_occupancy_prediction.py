"""Occupancy from calendars: what each provider makes of what it is told, and what leaves the home."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from typing import Any

import httplib2
import pytest

from custom_components.strata.core.stretch import Past, Stretch
from custom_components.strata.sources.base import (
    Json,
    Reading,
    Snapshot,
    SourceBadAnswer,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from custom_components.strata.sources.occupancy_prediction import OCCUPANCY_PREDICTION
from custom_components.strata.sources.occupancy_prediction.calendar import Calendars
from custom_components.strata.sources.occupancy_prediction.google_calendar import GoogleCalendar
from custom_components.strata.sources.occupancy_prediction.household import Household
from custom_components.strata.sources.occupancy_prediction.people import RULES
from tests.contracts.recordings.occupancy_prediction import RECORDINGS, google
from tests.source_world import BERLIN, LONDON, NOW, SYDNEY, Answer, FakeAccess, by_path, recorded, world

CALENDARS = RECORDINGS["calendar"]
EVENTS = "occupancy_prediction/google_calendar/events.json"


def at(hour: int, minute: int = 0, day: int = 20) -> str:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC).isoformat()


async def read(access: FakeAccess | None = None, *, now: datetime = NOW, drop: str = "", **options: object) -> Reading:
    context, session = world(access=access or CALENDARS.access(), now=now)
    chosen = {key: value for key, value in {**CALENDARS.options, **options}.items() if key != drop}
    reading = await Calendars(chosen).fetch(context)
    assert session.asked == []
    return reading


# Home Assistant's calendars


async def test_evening_out_after_a_day_at_home() -> None:
    reading = await read()
    assert reading.tags == {"source": "home_assistant", "person": "anna"}
    # The concert from 20:00 to 22:30 in Berlin, with half an hour there and back.
    assert reading.fields["next_departure_time"] == at(18, 30)
    assert reading.fields["next_arrival_time"] == at(22)
    assert reading.fields["prepare_time"] == at(21, 30)
    assert reading.fields["currently_home"] is True
    assert reading.fields["wfh_today"] is True
    assert 0 < float(str(reading.fields["confidence"])) < 1
    # 3.5 of the coming 24 hours away, and what is open at half of that.
    assert 3.5 < float(str(reading.fields["away_hours"])) < 24
    assert len(reading.forecasts["home_probability"].slots) == 96
    assert reading.notes["away"] == [{"start": at(18, 30), "end": at(22), "weight": 1.0}]
    (reason,) = [reason for reason in _reasons(reading) if reason["sign"] == "location"]
    assert reason == {
        "start": at(19), "end": at(21, 30), "place": "away", "sign": "location", "weight": 1.0, "word": None
    }  # fmt: skip
    # What events are called stays in the calendar.
    assert "Concert" not in json.dumps([dict(reading.notes), dict(reading.fields)])


def _reasons(reading: Reading) -> list[dict[str, Json]]:
    reasons = reading.notes["reasons"]
    assert isinstance(reasons, list)
    return [reason for reason in reasons if isinstance(reason, dict)]


async def test_calendars_are_asked_for_today_and_two_days_more() -> None:
    access = CALENDARS.access()
    await read(access)
    (call,) = access.called
    assert call == (
        "calendar",
        "get_events",
        {
            "entity_id": ["calendar.anna", "calendar.anna_working_location"],
            "start_date_time": at(23, day=19),
            "end_date_time": (NOW + timedelta(hours=48)).isoformat(),
        },
    )


async def test_person_decides_who_is_at_home() -> None:
    access = CALENDARS.access()
    access.add("person.anna", "not_home")
    assert (await read(access)).fields["currently_home"] is False
    access.add("person.anna", "unavailable")
    unknown = await read(access)
    assert unknown.fields["home_probability"] == 50.0
    assert (await read(drop="person")).tags["person"] == "home"


async def test_a_calendar_that_is_gone_is_named_and_the_others_speak() -> None:
    access = CALENDARS.access()
    access.add("calendar.anna_working_location", "unavailable")
    answer = recorded("occupancy_prediction/calendar/get_events.json")
    access.actions = lambda domain, name, parameters: {"calendar.anna": answer["calendar.anna"]}
    reading = await read(access)
    assert reading.notes["missing_calendars"] == ["calendar.anna_working_location"]
    assert reading.fields["wfh_today"] is False
    assert reading.fields["next_arrival_time"] == at(22)


@pytest.mark.parametrize("state", [None, "unavailable"])
async def test_no_calendar_at_all(state: str | None) -> None:
    access = FakeAccess()
    if state:
        access.add("calendar.anna", state)
    with pytest.raises(SourceNoData, match=r"calendar\.anna"):
        await read(access)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"calendar.anna": []},
        {"calendar.anna": {"events": None}},
        {"calendar.anna": {"events": ["x"]}},
        {"calendar.anna": {"events": [{"start": "2026-11-20", "end": "soon"}]}},
        {"calendar.anna": {"events": [{"start": "2026-11-20T09:00:00", "end": "2026-11-20T08:00:00"}]}},
        {"calendar.anna": {"events": [{"summary": "WFH"}]}},
    ],
)
async def test_answer_that_is_not_as_documented(answer: Json) -> None:
    access = CALENDARS.access()
    access.actions = lambda domain, name, parameters: answer
    with pytest.raises(SourceBadAnswer):
        await read(access)


@pytest.mark.parametrize(
    ("state", "unit", "minutes"),
    [("20", "min", 20), ("0.5", "h", 30), ("900", "s", 15), ("20", None, 20), ("unknown", "min", 45), ("5", "km", 45)],
)
async def test_the_way_may_be_as_long_as_an_entity_says(state: str, unit: str | None, minutes: int) -> None:
    access = CALENDARS.access()
    access.add("sensor.way", state, **({"unit": unit} if unit else {}))
    reading = await read(access, travel=45, travel_entity="sensor.way", lead=10)
    arrival = datetime(2026, 11, 20, 21, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    assert reading.fields["next_arrival_time"] == arrival.isoformat()
    assert reading.fields["prepare_time"] == (arrival - timedelta(minutes=10)).isoformat()


async def test_words_and_hours_are_the_users() -> None:
    access = CALENDARS.access()
    rows = [
        {"start": "2026-11-20", "end": "2026-11-21", "summary": "Zuhause"},
        {"start": "2026-11-20T21:00:00+01:00", "end": "2026-11-20T22:00:00+01:00", "summary": "Sauna"},
        {"start": "2026-11-21T09:00:00+01:00", "end": "2026-11-21T22:00:00+01:00", "location": "Wrangelstraße"},
    ]
    access.actions = lambda domain, name, parameters: {"calendar.anna": {"events": rows}}
    reading = await read(
        access, home_words=["zuhause"], away_words=["Sauna"], work_from="08:30:00", work_until="quarter past"
    )
    assert reading.fields["wfh_today"] is True
    assert reading.fields["next_arrival_time"] == at(21, 30)
    reasons = _reasons(reading)
    # The name of the home zone is home.
    assert [(reason["place"], reason["word"]) for reason in reasons] == [("away", "Sauna"), ("home", "Wrangelstraße")]
    assert (await read(access, home_words=[])).fields["wfh_today"] is False


async def test_habits_are_learned_from_the_store_every_six_hours() -> None:
    access = CALENDARS.access()
    access.actions = lambda domain, name, parameters: {"calendar.anna": {"events": []}}
    hours = []
    begin = datetime(2026, 10, 26, tzinfo=UTC)
    for number in range(24 * 20):
        start = begin + timedelta(hours=number)
        away = 8 <= start.hour < 16
        hours.append(
            Stretch(
                start=start,
                end=start + timedelta(hours=1),
                known=3600,
                seconds={"not_home": 3600.0} if away else {"home": 3600.0},
            )
        )
    access.pasts["person.anna", "hourly"] = Past(tuple(hours))
    provider = Calendars(CALENDARS.options)

    async def fetched(now: datetime) -> Reading:
        context, _ = world(access=access, now=now)
        return await provider.fetch(context)

    reading = await fetched(NOW)
    assert access.looked_back == [("person.anna", "hourly"), ("person.anna", "raw")]
    # Saturdays were seen twice: away from 8 to 16 UTC.
    assert reading.fields["next_departure_time"] == at(8, day=21)
    assert reading.fields["next_arrival_time"] == at(16, day=21)
    await fetched(NOW + timedelta(hours=5))
    assert len(access.looked_back) == 2
    await fetched(NOW + timedelta(hours=6))
    assert len(access.looked_back) == 4


def test_source_is_named_after_person_and_calendars_and_follows_them() -> None:
    provider = Calendars(CALENDARS.options)
    names = ("person.anna", "calendar.anna", "calendar.anna_working_location")
    assert provider.title() == " ".join(names)
    assert provider.watched_entities() == names


@pytest.mark.parametrize(("country", "word"), [("DE", "Homeoffice"), ("FR", "télétravail"), (None, "HOME")])
def test_form_proposes_the_words_of_the_country(country: str | None, word: str) -> None:
    proposed = {param.key: param.default(replace(LONDON, country=country)) for param in RULES}
    words = proposed["home_words"]
    assert isinstance(words, list)
    assert words[:2] == ["WFH", "HOME"]
    assert word in words
    assert all(isinstance(value, list) for key, value in proposed.items() if key.endswith("words"))


# The household


async def household(access: FakeAccess, **options: object) -> Reading:
    known = RECORDINGS["household"]
    context, _ = world(access=access)
    return await Household({**known.options, **options}).fetch(context)


async def test_household_is_away_where_all_are() -> None:
    reading = await household(RECORDINGS["household"].access())
    assert reading.tags == {"source": "household", "person": "household"}
    assert [slot.value for slot in reading.forecasts["home_probability"].slots] == [70.0, 44.0]
    assert reading.fields["next_arrival_time"] == at(19)
    assert reading.fields["prepare_time"] == at(18, 40)
    assert reading.fields["currently_home"] is False
    assert reading.fields["wfh_today"] is True


async def test_of_whom_nothing_is_known_may_be_at_home() -> None:
    access = RECORDINGS["household"].access()
    access.add("sensor.ben_probability", "unavailable")
    with pytest.raises(SourceNoData, match=r"sensor\.ben_probability"):
        await household(access)
    with pytest.raises(SourceNoData, match=r"sensor\.nobody"):
        await household(access, people=["sensor.nobody"])


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"currently_home": True, "wfh_today": False, "away": [], "forecast": "x"},
        {"currently_home": True, "wfh_today": False, "away": [], "forecast": [{"probability": 120}]},
        {"currently_home": True, "wfh_today": False, "away": [{"weight": 1, "start": "x"}], "forecast": []},
    ],
)
async def test_other_sensors_are_no_people(attributes: dict[str, object]) -> None:
    access = FakeAccess()
    access.add("sensor.power", "40", **attributes)
    with pytest.raises(SourceBadAnswer):
        await household(access, people=["sensor.power"])


# Google


async def google_reading(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Answer], **options: object
) -> tuple[Reading, list[str]]:
    asked: list[str] = []
    route = by_path(answers)

    def watched(url: str) -> Answer:
        asked.append(url)
        return route(url)

    google(monkeypatch, watched, 1.0)
    context, _ = world()
    return await GoogleCalendar({**RECORDINGS["google_calendar"].options, **options}).fetch(context), asked


def page(*items: dict[str, Any], **more: object) -> Answer:
    return Answer.of({"items": list(items), **more})


async def test_google_tells_working_locations_absences_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, asked = await google_reading(monkeypatch, {"/primary/": Answer.of(recorded(EVENTS))})
    assert reading.tags == {"source": "google_calendar", "person": "home"}
    assert reading.fields["wfh_today"] is True
    # The review was declined, the birthday is none of ours.
    assert [(one["place"], one["sign"]) for one in _reasons(reading)] == [
        ("away", "location"),
        ("away", "out_of_office"),
    ]
    assert reading.fields["next_arrival_time"] == at(22)
    (url,) = asked
    assert url.startswith("https://www.googleapis.com/calendar/v3/calendars/primary/events?")
    assert "singleEvents=true" in url
    assert "description" not in url


async def test_google_is_asked_page_by_page_and_calendar_by_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {
        "start": {"dateTime": "2026-11-21T10:00:00+01:00"},
        "end": {"dateTime": "2026-11-21T11:00:00+01:00"},
        "location": "Arena",
    }
    answers = {"pageToken=more": page(event), "/primary/": page(nextPageToken="more"), "/team/": page()}
    reading, asked = await google_reading(monkeypatch, answers, calendar_ids=["primary", "team"])
    assert reading.fields["next_arrival_time"] == at(10, 30, day=21)
    assert len(asked) == 3


async def test_google_place_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {
        "eventType": "workingLocation",
        "start": {"date": "2026-11-21"},
        "end": {"date": "2026-11-22"},
        "workingLocationProperties": {"type": "customLocation", "customLocation": {"label": "Home of my parents"}},
    }
    reading, _ = await google_reading(monkeypatch, {"/primary/": page(event)}, home_words=["Home"])
    assert [reason["place"] for reason in _reasons(reading)] == ["home"]
    reading, _ = await google_reading(monkeypatch, {"/primary/": page(event)}, home_words=["WFH"])
    assert [reason["place"] for reason in _reasons(reading)] == ["away"]


def limited(reason: str) -> Answer:
    body = {"error": {"code": 403, "message": "no", "errors": [{"reason": reason, "domain": "usageLimits"}]}}
    return replace(Answer.of(body), status=403, headers={"content-type": "application/json"})


async def test_google_refuses_for_other_reasons_than_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    for reason in ("rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"):
        with pytest.raises(SourceRateLimited):
            await google_reading(monkeypatch, {"/primary/": limited(reason)})


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (
            "400",
            b'{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}',
            "invalid_grant",
        ),
        ("401", b'{"error": "invalid_client"}', "does not accept"),
        ("400", b"nonsense", "does not accept"),
    ],
)
async def test_refresh_token_that_is_no_longer_valid(
    monkeypatch: pytest.MonkeyPatch, status: str, body: bytes, error: str
) -> None:
    def request(http: Any, uri: str, method: str = "GET", **more: Any) -> tuple[httplib2.Response, bytes]:
        assert "oauth2.googleapis.com/token" in uri
        return httplib2.Response({"status": status}), body

    monkeypatch.setattr(httplib2.Http, "request", request)
    context, _ = world()
    with pytest.raises(SourceUnauthorized, match=error):
        await GoogleCalendar(RECORDINGS["google_calendar"].options).fetch(context)


async def test_google_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def request(http: Any, uri: str, method: str = "GET", **more: Any) -> tuple[httplib2.Response, bytes]:
        raise httplib2.ServerNotFoundError("no such host")

    monkeypatch.setattr(httplib2.Http, "request", request)
    context, _ = world()
    with pytest.raises(SourceUnreachable):
        await GoogleCalendar(RECORDINGS["google_calendar"].options).fetch(context)


def test_google_source_is_named_after_its_calendars() -> None:
    options = RECORDINGS["google_calendar"].options
    assert GoogleCalendar(options).title() == "primary"
    assert GoogleCalendar({**options, "person": "person.anna", "calendar_ids": []}).title() == "anna primary"
    assert GoogleCalendar({**options, "person": "person.anna"}).watched_entities() == ("person.anna",)
    assert GoogleCalendar(options).watched_entities() == ()


# The role


async def test_metrics_are_in_the_units_of_their_sensors() -> None:
    reading = await read()
    snapshot = Snapshot(reading=reading, now=NOW, provider="calendar", home=SYDNEY)
    values = {metric.key: metric.value(snapshot) for metric in OCCUPANCY_PREDICTION.metrics}
    assert values["home_probability"] == 93.5
    assert values["confidence"] == pytest.approx(100 * float(str(reading.fields["confidence"])))
    assert values["next_arrival_time"] == datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert values["currently_home"] is True
    empty = replace(reading, fields={}, forecasts={})
    nothing = Snapshot(reading=empty, now=NOW, provider="calendar", home=BERLIN)
    assert {metric.value(nothing) for metric in OCCUPANCY_PREDICTION.metrics} == {None}
