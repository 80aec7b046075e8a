"""Which entities are recorded: includes and excludes as in Home Assistant's own entity filters.

The first line that decides wins:

1. A text field in password mode is never recorded, whatever the options say.
2. The entity itself is named: included, else excluded.
3. A glob matches its entity id: included, else excluded.
4. One of its labels (its own or its device's): included, else excluded.
5. Its domain, area or device class is excluded: not recorded.
6. The default exclusions name it: not recorded, unless the same domain (device class) is included.
7. Its domain, area or device class is included: recorded.
8. Otherwise it is recorded, unless the options say what to include.

Naming single entities beside broad excludes makes exceptions from those excludes and nothing
else (line 8 still records the rest); naming single entities alone means these and no others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
import fnmatch
import re
from typing import Self

CONF_DEFAULT_EXCLUSIONS = "default_exclusions"

_GLOB = re.compile(r"[*?\[]")
_ENTITY_ID = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")

DEFAULT_EXCLUDED_DOMAINS = frozenset(
    {
        # Their state is only the time they were last used; what they did shows in other entities.
        "ai_task",
        "button",
        "conversation",
        "image",
        "infrared",
        "input_button",
        "notify",
        "radio_frequency",
        "scene",
        "stt",
        "tag",
        "tts",
        "wake_word",
        # Comes and goes with each lightning strike or earthquake: series without end.
        "geo_location",
        # About software, not about the home.
        "update",
    }
)
DEFAULT_EXCLUDED_DEVICE_CLASSES = frozenset({"timestamp", "uptime"})
"""Last seen, last restart, next alarm: each state is a new text that no roll-up can use."""
DEFAULT_EXCLUDED_SENSOR_PLATFORMS = frozenset({"sun", "time_date", "uptime", "worldclock"})
"""Clocks, and what can be computed from one at any time. `sun.sun` itself is no sensor."""
DEFAULT_EXCLUDED_DIAGNOSTICS = frozenset({"strata"})
"""Integrations whose diagnostic entities are left out: recording our own would feed on itself."""


class FilterError(ValueError):
    """An option of the filter is not what it has to be; `key` and `item` say which."""

    def __init__(self, key: str, item: object, wanted: str) -> None:
        """Keep the option's key and the item in it that is wrong."""
        super().__init__(f"{key}: {item!r} is not {wanted}")
        self.key = key
        self.item = item


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFacts:
    """What a filter may ask about an entity."""

    entity_id: str
    platform: str | None = None
    """The integration that provides it."""
    device_class: str | None = None
    area_id: str | None = None
    """Its own area, or its device's."""
    labels: frozenset[str] = frozenset()
    """Label ids of the entity and of its device."""
    diagnostic: bool = False
    secret: bool = False
    """Its state is a secret, such as a text field in password mode."""

    @property
    def domain(self) -> str:
        """The part of the entity id before the dot."""
        return self.entity_id.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One side of a filter. `entities` holds entity ids and globs; the rest are plain names."""

    domains: frozenset[str] = frozenset()
    entities: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()
    device_classes: frozenset[str] = frozenset()
    _globs: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the globs among the entities once."""
        globs = sorted(filter(_GLOB.search, self.entities))
        pattern = re.compile("|".join(map(fnmatch.translate, globs))) if globs else None
        object.__setattr__(self, "_globs", pattern)

    def names(self, facts: EntityFacts) -> bool:
        """Tell whether the entity itself is listed."""
        return facts.entity_id in self.entities

    def globs(self, facts: EntityFacts) -> bool:
        """Tell whether a glob matches the entity's id."""
        return self._globs is not None and self._globs.match(facts.entity_id) is not None

    def labelled(self, facts: EntityFacts) -> bool:
        """Tell whether the entity or its device carries one of the labels."""
        return not self.labels.isdisjoint(facts.labels)

    def covers(self, facts: EntityFacts) -> bool:
        """Tell whether the entity's domain, area or device class is listed."""
        return facts.domain in self.domains or facts.area_id in self.areas or facts.device_class in self.device_classes

    @property
    def broad(self) -> bool:
        """Whether anything but single entities is listed."""
        return bool(self.domains or self.labels or self.areas or self.device_classes or self._globs)


NOTHING = Selection()
_LISTS = tuple(listed.name for listed in fields(Selection) if listed.init)
OPTION_KEYS = tuple(f"{side}_{name}" for side in ("include", "exclude") for name in _LISTS)
"""The options `IngestFilter.from_options` reads, each a list of texts."""


@dataclass(frozen=True, slots=True)
class IngestFilter:
    """Decides which entities are recorded; see the module for the order of its rules."""

    include: Selection = NOTHING
    exclude: Selection = NOTHING
    default_exclusions: bool = True

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> Self:
        """Return the filter that `OPTION_KEYS` and `default_exclusions` of `options` describe.

        All are optional and other keys are ignored. Case and surrounding spaces do not matter.

        Raises:
            FilterError: a list holds something else than texts, or `include_entities` or
                `exclude_entities` something that is neither an entity id nor a glob.
        """
        return cls(
            _selection(options, "include"),
            _selection(options, "exclude"),
            bool(options.get(CONF_DEFAULT_EXCLUSIONS, True)),
        )

    def wants(self, facts: EntityFacts) -> bool:
        """Tell whether the entity is to be recorded."""
        if facts.secret:
            return False
        for test in (Selection.names, Selection.globs, Selection.labelled):
            if test(self.include, facts):
                return True
            if test(self.exclude, facts):
                return False
        if self.exclude.covers(facts) or (self.default_exclusions and self._left_out_by_default(facts)):
            return False
        return self.include.covers(facts) or not self._only_included

    @property
    def _only_included(self) -> bool:
        return self.include.broad or (bool(self.include.entities) and not self.exclude.broad)

    def _left_out_by_default(self, facts: EntityFacts) -> bool:
        return (
            facts.domain in DEFAULT_EXCLUDED_DOMAINS - self.include.domains
            or facts.device_class in DEFAULT_EXCLUDED_DEVICE_CLASSES - self.include.device_classes
            or (facts.domain == "sensor" and facts.platform in DEFAULT_EXCLUDED_SENSOR_PLATFORMS)
            or (facts.diagnostic and facts.platform in DEFAULT_EXCLUDED_DIAGNOSTICS)
        )


def _selection(options: Mapping[str, object], side: str) -> Selection:
    lists = {name: frozenset(_texts(options, f"{side}_{name}")) for name in _LISTS}
    for item in lists["entities"]:
        if not (_GLOB.search(item) or _ENTITY_ID.fullmatch(item)):
            raise FilterError(f"{side}_entities", item, "an entity id such as light.kitchen or a glob such as light.*")
    return Selection(**lists)


def _texts(options: Mapping[str, object], key: str) -> Iterable[str]:
    listed = options.get(key) or ()
    if not isinstance(listed, list | tuple | set | frozenset):
        raise FilterError(key, listed, "a list")
    for item in listed:
        if not isinstance(item, str) or not item.strip():
            raise FilterError(key, item, "a text")
        yield item.strip().lower()
