"""Events as Google Calendar v3 tells them."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from ...analysis.calendar import CalendarEvent, days
from ..answer import mapping, moment, sequence
from ..base import Json, SourceBadAnswer, SourceNoData

FIELDS: Final = (
    "nextPageToken,items(status,summary,location,start,end,transparency,eventType,workingLocationProperties,"
    "attendees(self,responseStatus))"
)
"""All that is asked for."""


def events_of(page: Json, timezone: str) -> Iterator[CalendarEvent]:
    """Yield the events of a page; days are those of `timezone`.

    Raises:
        SourceNoData, SourceBadAnswer: it is no page of events.
    """
    rows = mapping(page, "the answer").get("items")
    if rows is None:
        raise SourceNoData("the answer has no list of events")
    for row in sequence(rows, "the events"):
        if (told := mapping(row, "an event")).get("status") != "cancelled":
            # Of cancelled occurrences little more than that is told.
            yield _event(told, timezone)


def _event(row: dict[str, Json], timezone: str) -> CalendarEvent:
    start, end = (mapping(row.get(side), f"the {side} of an event") for side in ("start", "end"))
    place = mapping(row.get("workingLocationProperties") or {}, "a working location")
    custom = mapping(place.get("customLocation") or {}, "a working location")
    label = str(custom.get("label") or "")
    try:
        if all_day := "date" in start:
            first, after = (date.fromisoformat(str(side.get("date"))) for side in (start, end))
            times = days(first, after, timezone)
        else:
            times = (_time(start, timezone), _time(end, timezone))
        return CalendarEvent(
            start=times[0],
            end=times[1],
            all_day=all_day,
            summary=" ".join(filter(None, (label, str(row.get("summary") or "")))),
            location=str(row.get("location") or ""),
            status=str(row.get("status") or "confirmed"),
            transparency=str(row.get("transparency") or "opaque"),
            event_type=str(row.get("eventType") or "default"),
            working_location=str(place["type"]) if place.get("type") else None,
            response=_response(row),
        )
    except (ValueError, OverflowError) as error:
        raise SourceBadAnswer("an event has no start and end in order") from error


def _time(side: dict[str, Json], timezone: str) -> datetime:
    return moment(side.get("dateTime"), ZoneInfo(timezone))


def _response(row: dict[str, Json]) -> str | None:
    """Return what one answered to an invitation oneself."""
    for guest in sequence(row.get("attendees") or [], "those who attend"):
        told = mapping(guest, "somebody who attends")
        if told.get("self"):
            return str(told.get("responseStatus"))
    return None
