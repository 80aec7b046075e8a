"""A provider's good world: its options, its answers, its home, and what it says there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from custom_components.strata.sources.base import Home, Json
from tests.source_world import BERLIN, Answer, FakeAccess, Route, recorded

type DayAnswer = Callable[[datetime, timedelta, Sequence[float]], Any]
"""Writes prices per kWh, from a start on and each for a length, as a provider's answer does.

`Routed` answers are by the part of the URL, any other is the same for all URLs.
"""


class Routed(dict[str, Any]):
    """Answers by the part of the URL."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A provider's good world and the main value it says there."""

    options: Mapping[str, object]
    home: Home = BERLIN
    answers: Mapping[str, str] = field(default_factory=dict)
    """Part of the URL (with its query): fixture. JSON, or text where its name ends otherwise."""
    entity: str | None = None
    """Fixture of states by entity id; without ids those of the option `entity`."""
    platform: str | None = None
    preferences: str | None = None
    """Fixture of the Energy dashboard's settings."""
    action: str | None = None
    """Fixture of what an action answers."""
    library: Callable[[pytest.MonkeyPatch, Route, float], None] | None = None
    """For a provider that uses a library: let the library's requests be answered by a route (status, headers and
    body), failing as the library does; the number is the time limit in seconds, which `Answer.delay` may exceed."""
    value: float
    unit: str
    wrong_units: tuple[str, ...] = ("W", "EUR", "kWh", "%")
    """For a provider that reads one entity: units of something else."""
    unit_at: tuple[str, ...] = ()
    """Where in an answer its unit is: URL part, then keys; a number is a place in a list, `*` all of it."""
    currency_at: tuple[str, ...] = ()
    """Where in an answer its currency is, in the same words."""
    day: DayAnswer | None = None
    """For prices: how its answer for any day is written."""
    rows: bool = True
    """False where what an answer says is in none of its lists."""
    plans: bool = False
    """True where an answer lists plans: that there are none is an answer too, and old ones are about the past."""
    answers_400: bool = False
    """True where the body of a 400 says what is wrong, so that it may mean anything."""

    def payloads(self) -> dict[str, Any]:
        return {part: recorded(path) for part, path in self.answers.items()}

    def access(self) -> FakeAccess:
        access = FakeAccess()
        if self.entity is not None:
            known: dict[str, Any] = recorded(self.entity)
            states = {str(self.options["entity"]): known} if "state" in known else known
            for entity_id, saved in states.items():
                access.add(entity_id, saved["state"], platform=self.platform, **saved["attributes"])
                if "unique_id" in saved:
                    access.unique_ids[entity_id] = saved["unique_id"]
        if self.preferences is not None:
            access.preferences = recorded(self.preferences)
        if self.action is not None:
            answer: Json = recorded(self.action)
            access.actions = lambda domain, name, parameters: answer
        return access


def routes(payloads: Mapping[str, Any]) -> dict[str, Answer]:
    """Return the answers of decoded payloads."""
    return {part: Answer.of(payload) for part, payload in payloads.items()}
