"""Anywhere: occupancy from calendars Home Assistant already has, whichever integration they come from."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Final, override
from zoneinfo import ZoneInfo

from ...analysis.calendar import CalendarEvent, days
from ..answer import mapping, moment, sequence
from ..base import Context, Json, Options, Param, ParamKind, Provider, Reading, SourceBadAnswer, SourceNoData
from .people import PERSON, RULES, Habits, asked_about, foretold, listed

_GONE: Final = frozenset({"unavailable"})


class Calendars(Provider):
    """Any number of calendar entities of one person, and the entity that tells where the person is.

    Calendars of working locations (Home Assistant's Google Calendar makes one, disabled at first) are named
    apart: their events tell where one works by what they are called.
    """

    key = "calendar"
    params = (
        Param(key="calendars", kind=ParamKind.ENTITY, domains=("calendar",), multiple=True),
        Param(key="work_calendars", kind=ParamKind.ENTITY, domains=("calendar",), multiple=True, required=False),
        PERSON,
        *RULES,
    )
    local = True

    def __init__(self, options: Options) -> None:
        """Keep the parameters, and room for the person's habits."""
        super().__init__(options)
        self._person = str(options.get("person") or "") or None
        self._work = listed(options.get("work_calendars"))
        self._calendars = tuple(dict.fromkeys((*listed(options["calendars"]), *self._work)))
        self._habits = Habits(self._person)

    @override
    def title(self) -> str:
        return " ".join(filter(None, (self._person, *self._calendars)))

    @override
    def watched_entities(self) -> tuple[str, ...]:
        # A calendar's state changes when an event begins or ends.
        return tuple(filter(None, (self._person, *self._calendars)))

    @override
    async def fetch(self, context: Context) -> Reading:
        there = [name for name in self._calendars if _is_there(context, name)]
        if not there:
            raise SourceNoData(f"none of the calendars is there: {', '.join(self._calendars)}")
        start, end = asked_about(context)
        parameters = {
            "entity_id": there,
            "start_date_time": start.isoformat(),
            "end_date_time": end.isoformat(),
        }
        answer = mapping(await context.access.action("calendar", "get_events", parameters), "the answer")
        events = [
            event
            for name in there
            if name in answer
            for event in _events(answer[name], context.home.timezone, working=name in self._work)
        ]
        reading = await foretold(context, self.options, events, self._habits, "home_assistant")
        missing: list[Json] = [name for name in self._calendars if name not in answer]
        return replace(reading, notes={**reading.notes, "missing_calendars": missing}) if missing else reading


def _is_there(context: Context, entity_id: str) -> bool:
    state = context.access.state(entity_id)
    return state is not None and state.state not in _GONE


def _events(answer: Json, timezone: str, *, working: bool) -> Iterable[CalendarEvent]:
    for row in sequence(mapping(answer, "a calendar").get("events"), "the events"):
        yield _event(mapping(row, "an event"), timezone, working=working)


def _event(row: dict[str, Json], timezone: str, *, working: bool) -> CalendarEvent:
    """Return an event as `calendar.get_events` tells it: dates for whole days, times with an offset."""
    start, end = str(row.get("start") or ""), str(row.get("end") or "")
    all_day = len(start) == len("2026-11-20")
    try:
        times = (
            days(date.fromisoformat(start), date.fromisoformat(end), timezone)
            if all_day
            else (moment(start, ZoneInfo(timezone)), moment(end, ZoneInfo(timezone)))
        )
        return CalendarEvent(
            start=times[0],
            end=times[1],
            all_day=all_day,
            summary=str(row.get("summary") or ""),
            location=str(row.get("location") or ""),
            status=str(row.get("status") or "confirmed"),
            event_type="workingLocation" if working else "default",
        )
    except (ValueError, OverflowError) as error:
        raise SourceBadAnswer("an event has no start and end in order") from error
