"""A world for sources without a network: a session that answers what a test says, a home, states and actions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
import json
from pathlib import Path
from typing import Any

from custom_components.strata.core.stretch import Past
from custom_components.strata.sources.base import EntityOrigin, EntityState, Home, Json, SourceNoData
from custom_components.strata.sources.fetch import HttpContext

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 20, 18, 5, tzinfo=UTC)
BERLIN = Home(latitude=52.52, longitude=13.41, country="DE", currency="EUR", timezone="Europe/Berlin")
LONDON = Home(latitude=51.5, longitude=-0.12, country="GB", currency="GBP", timezone="Europe/London")
CHICAGO = Home(latitude=41.88, longitude=-87.63, country="US", currency="USD", timezone="America/Chicago")
SYDNEY = Home(latitude=-33.87, longitude=151.21, country="AU", currency="AUD", timezone="Australia/Sydney")


def recorded(path: str) -> Any:
    """Return the fixture at `path` below tests/fixtures: decoded JSON, or text."""
    text = (FIXTURES / path).read_text(encoding="utf-8")
    return json.loads(text) if path.endswith(".json") else Text(text)


class Text(str):
    """An answer that is text as it is, such as XML."""

    __slots__ = ()


@dataclass
class Answer:
    """One HTTP answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @classmethod
    def of(cls, data: object) -> Answer:
        return cls(data.encode() if isinstance(data, Text) else json.dumps(data).encode())

    @property
    def content(self) -> Answer:
        return self

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        await asyncio.sleep(self.delay)
        for begin in range(0, len(self.body), n):
            yield self.body[begin : begin + n]


type Route = Callable[[str], Answer]


class FakeSession:
    """Answers requests by `route`, which is given the URL with its query, and keeps what was asked."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        """URL without query, query, headers."""
        self.sent: list[Json] = []
        """The bodies of POST requests."""

    @asynccontextmanager
    async def get(
        self, url: str, *, params: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> AsyncIterator[Answer]:
        self.asked.append((url, dict(params or {}), dict(headers or {})))
        query = "&".join(f"{key}={value}" for key, value in (params or {}).items())
        yield self.route(f"{url}?{query}" if query else url)

    @asynccontextmanager
    async def post(self, url: str, *, json: Json, headers: Mapping[str, str] | None) -> AsyncIterator[Answer]:
        self.asked.append((url, {}, dict(headers or {})))
        self.sent.append(json)
        yield self.route(url)


@dataclass
class FakeAccess:
    """States, origins and action answers of a home."""

    states: dict[str, EntityState] = field(default_factory=dict)
    platforms: dict[str, str] = field(default_factory=dict)
    unique_ids: dict[str, str] = field(default_factory=dict)
    actions: Callable[[str, str, Mapping[str, object]], Json] | None = None
    called: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)

    def add(self, entity_id: str, state: str, *, platform: str | None = None, **attributes: object) -> None:
        if "unit" in attributes:
            attributes["unit_of_measurement"] = attributes.pop("unit")
        self.states[entity_id] = EntityState(
            entity_id=entity_id, state=state, attributes=attributes, last_updated=datetime(2026, 11, 1, tzinfo=UTC)
        )
        if platform:
            self.platforms[entity_id] = platform

    def state(self, entity_id: str) -> EntityState | None:
        return self.states.get(entity_id)

    def origin(self, entity_id: str) -> EntityOrigin | None:
        platform = self.platforms.get(entity_id)
        return EntityOrigin(platform, "entry-1", self.unique_ids.get(entity_id)) if platform else None

    preferences: dict[str, Json] = field(default_factory=dict)
    pasts: dict[tuple[str, ...], Past] = field(default_factory=dict)
    """What is stored, by entity id and tier, or by measurement, field and tier."""
    looked_back: list[tuple[str, ...]] = field(default_factory=list)

    def entities(self, platform: str) -> tuple[str, ...]:
        return tuple(sorted(entity for entity, made_by in self.platforms.items() if made_by == platform))

    async def energy_preferences(self) -> Mapping[str, Json]:
        return self.preferences

    async def history(self, entity_id: str, start: datetime, end: datetime, *, tier: str) -> Past:
        return self._past((entity_id, tier), start, end)

    async def stored(
        self, measurement: str, name: str, start: datetime, end: datetime, *, tier: str, tags: Mapping[str, str]
    ) -> Past:
        return self._past((measurement, name, tier), start, end)

    def _past(self, key: tuple[str, ...], start: datetime, end: datetime) -> Past:
        self.looked_back.append(key)
        past = self.pasts.get(key, Past())
        return Past(tuple(one for one in past.stretches if start <= one.start < end), past.unit)

    async def action(self, domain: str, name: str, parameters: Mapping[str, object]) -> Json:
        self.called.append((domain, name, dict(parameters)))
        if self.actions is None:
            raise SourceNoData("there is no such action")
        return self.actions(domain, name, parameters)


def by_path(answers: Mapping[str, Answer]) -> Route:
    """Return a route that answers by the part of the URL that is found in it; anything else is 404."""

    def route(url: str) -> Answer:
        return next((answer for part, answer in answers.items() if part in url), Answer(status=404))

    return route


def world(
    route: Route = lambda url: Answer(status=404),
    *,
    home: Home = BERLIN,
    access: FakeAccess | None = None,
    now: datetime = NOW,
    timeout: float = 1.0,
    **more: Any,
) -> tuple[HttpContext, FakeSession]:
    """Return a context over a session that answers by `route`, and that session."""
    session = FakeSession(route)
    context = HttpContext(
        session,
        "https://source.test",
        home=home,
        access=access or FakeAccess(),
        now=lambda: now,
        timeout=timeout,
        **more,
    )
    return context, session
