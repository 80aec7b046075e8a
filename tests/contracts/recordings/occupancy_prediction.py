"""Occupancy: a good world for each provider."""

from collections.abc import Mapping
import json
import time
from typing import Any

import httplib2
import pytest

from tests.contracts.recording import Recording
from tests.source_world import Route, recorded

ROLE = "occupancy_prediction"


def google(patch: pytest.MonkeyPatch, route: Route, limit: float) -> None:
    """Let the requests of Google's library be answered: of tokens always well, of events by the route."""
    token = json.dumps(recorded(f"{ROLE}/google_calendar/token.json")).encode()

    def request(http: Any, uri: str, method: str = "GET", **more: Any) -> tuple[httplib2.Response, bytes]:
        if "oauth2.googleapis.com" in uri:
            return httplib2.Response({"status": "200"}), token
        answer = route(uri)
        time.sleep(min(answer.delay, limit, 0.05))
        if answer.delay >= limit:
            raise TimeoutError("timed out")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return httplib2.Response({"status": str(answer.status), **headers}), answer.body

    patch.setattr(httplib2.Http, "request", request)


RECORDINGS: Mapping[str, Recording] = {
    "calendar": Recording(
        options={
            "calendars": ["calendar.anna"],
            "work_calendars": ["calendar.anna_working_location"],
            "person": "person.anna",
        },
        entity=f"{ROLE}/calendar/states.json",
        action=f"{ROLE}/calendar/get_events.json",
        # Present for 10 minutes more in the middle of the running slot: 1 / (1 + e^-(3 / 2^(1/6))).
        value=93.5,
        unit="%",
    ),
    "household": Recording(
        options={"people": ["sensor.anna_probability", "sensor.ben_probability"], "lead": 20},
        entity=f"{ROLE}/household/states.json",
        # 1 - 0.6 x 0.5
        value=70.0,
        unit="%",
    ),
    "google_calendar": Recording(
        options={"client_id": "id", "client_secret": "secret", "refresh_token": "token", "calendar_ids": ["primary"]},
        answers={"/calendars/primary/events": f"{ROLE}/google_calendar/events.json"},
        library=google,
        plans=True,
        # Nobody is tracked, nothing is known of habits and no event runs.
        value=50.0,
        unit="%",
    ),
}
