"""Anywhere: occupancy from Google Calendar itself, which tells working locations, absences and declined events."""

from typing import Any, ClassVar, Final, override

from ..base import Context, Json, Options, Param, ParamKind, Provider, Reading
from .google_api import CalendarService
from .google_events import FIELDS, events_of
from .people import PERSON, RULES, Habits, asked_about, foretold, listed

MOST_PAGES: Final = 8


class GoogleCalendar(Provider):
    """Google Calendar v3 with an OAuth client of the user's own; access tokens are renewed as they run out."""

    key = "google_calendar"
    base_url = "https://www.googleapis.com"
    attribution = "Google Calendar"
    requirements = ("google-api-python-client>=2.100", "google-auth>=2.0")
    params: ClassVar[tuple[Param, ...]] = (
        Param(key="client_id", kind=ParamKind.TEXT),
        Param(key="client_secret", kind=ParamKind.SECRET),
        Param(key="refresh_token", kind=ParamKind.SECRET),
        Param(
            key="calendar_ids",
            kind=ParamKind.TEXT,
            required=False,
            multiple=True,
            default=lambda home: ["primary"],
        ),
        PERSON,
        *RULES,
    )

    def __init__(self, options: Options) -> None:
        """Keep the parameters, a session with its token, and room for the person's habits."""
        super().__init__(options)
        self._person = str(options.get("person") or "") or None
        self._calendars = listed(options.get("calendar_ids")) or ("primary",)
        self._service = CalendarService(*(str(options[key]) for key in ("client_id", "client_secret", "refresh_token")))
        self._habits = Habits(self._person)

    @override
    def title(self) -> str:
        person = (self._person or "").partition(".")[2]
        return " ".join(filter(None, (person, *self._calendars)))

    @override
    def watched_entities(self) -> tuple[str, ...]:
        return (self._person,) if self._person else ()

    @override
    async def fetch(self, context: Context) -> Reading:
        start, end = asked_about(context)
        asked = {
            "timeMin": start.isoformat(),
            "timeMax": end.isoformat(),
            "singleEvents": True,
            "maxResults": 250,
            # Nothing more than is needed: no descriptions, and of those who attend only oneself.
            "maxAttendees": 1,
            "fields": FIELDS,
        }
        pages = [page for calendar in self._calendars for page in await self._pages(context, calendar, asked)]
        events = [event for page in pages for event in events_of(page, context.home.timezone)]
        return await foretold(context, self.options, events, self._habits, self.key)

    async def _pages(self, context: Context, calendar: str, asked: dict[str, Any]) -> list[Json]:
        timeout, now = context.timeout, context.now()

        def read() -> list[Json]:
            return self._service.pages({**asked, "calendarId": calendar}, timeout=timeout, now=now, most=MOST_PAGES)

        return await context.run_blocking(read)
