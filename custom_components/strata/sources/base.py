"""What a source is made of: roles, providers, parameters, metrics, readings, errors."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from ..core.model import FieldValue, Forecast
from .errors import (
    SourceBadAnswer,
    SourceError,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from .home_access import EntityOrigin, EntityState, Home, HomeAccess, Json
from .param import Options, Param, ParamKind

__all__ = [
    "Context",
    "EntityOrigin",
    "EntityState",
    "Home",
    "HomeAccess",
    "Json",
    "Metric",
    "MetricValue",
    "Occurrence",
    "Options",
    "Param",
    "ParamKind",
    "Part",
    "Provider",
    "Quota",
    "Reading",
    "Role",
    "Snapshot",
    "SourceBadAnswer",
    "SourceError",
    "SourceEvent",
    "SourceNoData",
    "SourceRateLimited",
    "SourceUnauthorized",
    "SourceUnreachable",
    "StoredField",
    "StoredForecast",
    "StoredPart",
    "as_it_is",
    "provider_lacks",
    "reading_fields",
    "source_id",
]


class Context(Protocol):
    """What a provider sees of the world while it fetches."""

    home: Home
    access: HomeAccess

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""

    @property
    def memory(self) -> MutableMapping[str, Json]:
        """What the provider keeps for itself from fetch to fetch, such as a rotated token or a looked-up station.

        It survives a restart, is shown nowhere, and begins empty whenever the source's parameters change.
        """

    @property
    def timeout(self) -> float:
        """Seconds a single request may take: for libraries that make their requests themselves."""

    async def get_json(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (),
    ) -> Json:
        """GET `path` below the provider's `base_url` and return the decoded JSON.

        Args:
            path: Appended to the base URL.
            params: The query.
            headers: Sent along.
            accepted: Statuses whose body is an answer too, for servers that explain themselves there.

        Raises:
            SourceUnreachable: no connection, timeout (5 s) or a 5xx answer.
            SourceUnauthorized: 401 or 403.
            SourceRateLimited: 429, or the shared quota is used up.
            SourceNoData: 204 or 404.
            SourceBadAnswer: any other 4xx, or a body that is not JSON.
        """

    async def get_text(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (),
    ) -> str:
        """GET `path` and return the body as text (UTF-8), for XML and the like; a web page is a bad answer.

        Raises as `get_json` does.
        """

    async def post_json(
        self,
        path: str,
        *,
        body: Json,
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (),
    ) -> Json:
        """POST `body` as JSON to `path` and return the decoded JSON.

        Raises as `get_json` does.
        """

    async def run_blocking[T](self, work: Callable[[], T]) -> T:
        """Run what may block (a library without asyncio) in a thread and return its result.

        It counts as one request. `work` gives `timeout` to the library; whatever it raises passes through, and the
        provider says which SourceError it is.

        Raises:
            SourceRateLimited: the shared quota is used up.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a source says of one of many things it covers, such as a circuit of a meter.

    It holds until a later reading says something else of the same measurement and tags, or no longer names them.
    """

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, FieldValue]
    at: datetime | None = None
    """The instant it is for, where that is not the reading's `observed_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a source says, in its role's fields and units.

    `fields` holds the role's canonical fields that are known (None or absent: unknown).
    `tags` are the role's key tags. `observed_at` is the instant the values are for, by the
    source's own word; `fetched_at` is when we were told. Forecasts are by metric name.
    """

    fields: Mapping[str, FieldValue | None]
    tags: Mapping[str, str]
    observed_at: datetime
    fetched_at: datetime
    unit: str | None = None
    """Unit of the role's main value where the payload decides it, such as `SEK/kWh`."""
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    estimated: bool = False
    attribution: str | None = None
    notes: Mapping[str, Json] = field(default_factory=dict)
    """Small extra facts that are shown as attributes, never credentials."""
    timezone: str | None = None
    """IANA time zone whose days its forecasts are made for; None leaves that to the role."""
    parts: tuple[Part, ...] = ()
    """In the measurements and fields of `Role.parts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `requests` per `period`, shared by all sources with the same host and key."""

    requests: int
    period: timedelta


class Provider(ABC):
    """One place readings come from. A new provider is one subclass in one file."""

    key: ClassVar[str]
    """Unique within the role; the translation key of its name."""
    base_url: ClassVar[str] = ""
    """Where `Context.get_json` paths begin; empty for providers that read Home Assistant."""
    params: ClassVar[tuple[Param, ...]] = ()
    interval: ClassVar[timedelta | None] = None
    """How often to fetch where that is less often than the role's interval."""
    quota: ClassVar[Quota | None] = None
    countries: ClassVar[frozenset[str]] = frozenset()
    """ISO 3166 countries it covers; empty for everywhere. Used to order the form."""
    currencies: ClassVar[frozenset[str]] = frozenset()
    """For prices: the currencies it gives them in; empty where that is open."""
    local: ClassVar[bool] = False
    """True when it reads Home Assistant itself and needs no network."""
    title_shown: ClassVar[bool] = True
    """False where `title` is too long to be read: sources are then called after the provider alone."""
    recorded: ClassVar[bool] = True
    """False where the provider's terms forbid to archive what it says: it is shown and neither stored nor mirrored."""
    attribution: ClassVar[str | None] = None
    pause: ClassVar[timedelta] = timedelta(seconds=10)
    """Shortest time between fetches that watched entities ask for."""
    gives: ClassVar[frozenset[str]] = frozenset()
    """Fields it gives although most providers of its role do not."""
    requirements: ClassVar[tuple[str, ...]] = ()
    """Libraries it needs beside those of the manifest, as pip names them; there when `fetch` is called."""

    def __init__(self, options: Options) -> None:
        """Keep the parameters the user chose."""
        self.options = options

    @abstractmethod
    async def fetch(self, context: Context) -> Reading:
        """Return the present reading.

        Raises:
            SourceError: one of its subclasses, by what went wrong.
        """

    @classmethod
    def covers(cls, home: Home) -> bool:
        """Tell whether it is made for where this home is."""
        return home.country in cls.countries

    def title(self) -> str:
        """Return what tells two sources of this provider apart, such as the region."""
        return ""

    def next_fetch(self, now: datetime, reading: Reading | None) -> datetime | None:
        """Return when to fetch next where the provider's publication times decide; else None."""
        del now, reading
        return None

    def watched_entities(self) -> tuple[str, ...]:
        """Return the entities whose changes ask for a new fetch; asked again after each fetch."""
        return ()

    def main(self) -> str | None:
        """Return the field that sums this provider up where the role's main field is not what it tells."""
        return None

    def lacks(self) -> frozenset[str]:
        """Return the metrics that never have a value with these options: no entity is made for them."""
        return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a metric is computed from: the last good reading and the present."""

    reading: Reading
    now: datetime
    provider: str
    home: Home


type MetricValue = str | int | float | datetime | bool | None


def has_field(name: str) -> Callable[[Snapshot], bool]:
    """Return what says whether a reading knows a field."""
    return lambda snapshot: snapshot.reading.fields.get(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One sensor of a role. Its key is its translation key and icon key."""

    key: str
    value: Callable[[Snapshot], MetricValue]
    unit: str | None = None
    """Unit of measurement; with `unit_from_reading` the reading's unit is used instead."""
    unit_from_reading: bool = False
    unit_of: Callable[[Snapshot], str] | None = None
    """For a unit that only the reading or the home knows, such as a currency."""
    device_class: str | None = None
    state_class: str | None = None
    precision: int | None = None
    options: tuple[str, ...] = ()
    """For device class `enum`: the states."""
    binary: bool = False
    """True for a binary sensor."""
    diagnostic: bool = False
    enabled: bool = True
    comes_when: Callable[[Snapshot], bool] | None = None
    """Where not every source has it: its entity comes once this holds, and stays. None lets it come at once."""
    attributes: Callable[[Snapshot], Mapping[str, Json]] | None = None
    unrecorded: frozenset[str] = frozenset()
    """Attributes too long for the recorder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredField:
    """One field of a role that becomes a series."""

    name: str
    kind: str = "measurement"
    unit: str | None = None
    """Unit in the store; None takes the reading's unit."""
    minimum: float | None = None
    maximum: float | None = None
    """Values outside are impossible for this field and are flagged."""
    fine: bool = False
    """True for what is worth 5-minute summaries."""
    stored_as: str | None = None
    """The series' field where it has another name than the role's."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Key tags of its series that differ from those of the reading."""
    label: str | None = None
    """The entry of `Role.fields_at` whose text each row of it carries, as the tag `Role.label`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A measurement of a role's parts, and its fields."""

    measurement: str
    fields: tuple[StoredField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredForecast:
    """How a role's forecast is stored: its key in `Reading.forecasts`, its measurement and field."""

    forecast: str
    measurement: str
    field: str
    offset_field: str | None = None
    """Field of a rendered point that says how many hours ahead its slot begins."""
    judged_by: timedelta | None = None
    """How long before an hour the forecast has to be in force that is compared with what came, where it is of the
    source's main value; None where what was foreseen comes for certain."""


def as_it_is(reading: Reading, details: Options, home: Home) -> Reading:
    """Return the reading as the provider gave it."""
    del details, home
    return reading


def provider_lacks(provider: Provider, details: Options) -> frozenset[str]:
    """Return what the provider itself says that it lacks."""
    del details
    return provider.lacks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Something that has just happened: one of its event's types, and what there is to say about it."""

    type: str
    attributes: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent:
    """What may happen from one good reading of a source to the next. Its key is its entity's translation key."""

    key: str
    types: tuple[str, ...]
    fired: str
    """The event on Home Assistant's bus."""
    occurred: Callable[[Snapshot, Snapshot], Occurrence | None]
    """Given the snapshots before and after a fetch: what has happened, or None."""


def reading_fields(snapshot: Snapshot) -> Mapping[str, FieldValue | None]:
    """Return the fields as the provider gave them."""
    return snapshot.reading.fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a kind of source is about."""

    key: str
    measurement: str
    tags: tuple[str, ...]
    """Key tags: together they say which series a reading belongs to."""
    fields: tuple[StoredField, ...]
    metrics: tuple[Metric, ...]
    main: str
    """Field (and forecast name) that sums the role up, shown in forms and answers."""
    interval: timedelta
    good_for: Callable[[Reading], timedelta | None]
    """How long after `observed_at` a reading may still be served; None: while a forecast slot
    of `main` contains the present."""
    providers: tuple[type[Provider], ...]
    forecasts: tuple[StoredForecast, ...] = ()
    parts: tuple[StoredPart, ...] = ()
    slot_bound: bool = False
    """True when values change at slot borders, without a new fetch."""
    events: tuple[SourceEvent, ...] = ()
    label: str | None = None
    """Tag of rendered points that says what kind of value each is, and that is no part of a series' identity."""
    fields_at: Callable[[Snapshot], Mapping[str, FieldValue | None]] = reading_fields
    """The role's fields at `snapshot.now`, those that follow from forecasts included: what is stored and
    shown after a fetch and, for a slot-bound role, at each slot border."""

    details: tuple[Param, ...] = ()
    """Optional questions for a source of any provider, such as taxes; asked in a step of their own."""
    refine: Callable[[Reading, Options, Home], Reading] = as_it_is
    """Adds to a provider's reading what follows from the answers to `details`."""
    lacks: Callable[[Provider, Options], frozenset[str]] = provider_lacks
    """The metrics that never have a value with this provider and these details."""
    shown: tuple[str, ...] = ()
    """Further fields that sum the role up, shown in the form beside `main` where they are known."""

    def provider(self, key: str) -> type[Provider]:
        """Return the provider called `key`.

        Raises:
            KeyError: the role has no such provider.
        """
        for provider in self.providers:
            if provider.key == key:
                return provider
        raise KeyError(f"{self.key} has no provider {key!r}")


def source_id(role: Role, provider: Provider) -> str:
    """Return what tells a source from all others: its role, its provider, and what the provider is asked for."""
    return f"{role.key}:{provider.key}:{provider.title()}"
