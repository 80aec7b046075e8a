"""What belongs to an entity: its own series, what sources made of it, what was found about it, and earlier ids."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
import re

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN
from .coordinator import SourceCoordinator
from .core.entity_series import MEASUREMENT
from .core.model import Kind, Series, SeriesKey
from .entity import owner_id
from .recording import series_key
from .refusal import not_there
from .runtime import StrataConfigEntry, StrataData
from .sources.base import Metric
from .store.catalog import earlier_ids
from .store.erase import forecast_keys
from .store.reader import StoreReader

_ENTITY_PROVIDER = "entity"
_BETWEEN_NAMES = re.compile(r"[\s,:]+")
"""What stands between entity ids in a tag, such as `entity:sensor.price`."""


@dataclass(slots=True)
class Belongings:
    """What belongs to some entities."""

    series: dict[SeriesKey, Series] = field(default_factory=dict)
    forecasts: dict[SeriesKey, Series] = field(default_factory=dict)
    """What forecasts are kept under, as series that are not in the store."""
    sources: dict[str, SourceCoordinator] = field(default_factory=dict)
    """Running sources that remember some of it, by subentry id."""
    tellers: list[Series] = field(default_factory=list)
    """Series of Strata's own entities, whose attributes may tell of others."""
    written: set[SeriesKey] = field(default_factory=set)
    """What running sources go on writing."""
    earlier: dict[str, list[str]] = field(default_factory=dict)
    """Ids that the entities had before, by the identity of their series."""
    left: list[str] = field(default_factory=list)
    """What was left alone, or cannot be told apart, in words."""

    def add(self, series: Iterable[Series]) -> None:
        """Take series; those that are not stored yet are none."""
        self.series |= {one.key: one for one in series if one.id is not None}

    def add_earlier(self, identity: str, names: Iterable[str]) -> None:
        """Take ids that an entity had before."""
        known = self.earlier.setdefault(identity, [])
        known += [name for name in names if name not in known]

    def on_servers(self) -> list[Series]:
        """Return series as servers may know them: those of entities under every id they had."""
        known = [*self.series.values(), *self.forecasts.values()]
        renamed = [
            replace(one, labels={**one.labels, "entity_id": name})
            for one in self.series.values()
            for name in self.earlier.get(one.key.identity, ())
        ]
        return known + renamed


async def async_belongings(hass: HomeAssistant, entry: StrataConfigEntry, entities: Collection[str]) -> Belongings:
    """Return what belongs to entities.

    Raises:
        NotThere: nothing of one of them is stored.
        StoreError: the store cannot be read.
    """
    data, found = entry.runtime_data, Belongings()
    forecasts = await data.worker.read(lambda reader: forecast_keys(reader.connection))
    called = await data.worker.read(StoreReader.continued)
    for entity_id in entities:
        before = len(found.series) + len(found.forecasts) + len(found.left)
        _own(hass, data, found, entity_id, called)
        _shown(hass, entry, found, entity_id)
        _made(hass, data, found, entity_id, [SeriesKey(*key) for key in forecasts])
        if before == len(found.series) + len(found.forecasts) + len(found.left):
            raise not_there("entity_not_recorded", entity=entity_id)
    registry = er.async_get(hass)
    own = {one.entity_id for one in er.async_entries_for_config_entry(registry, entry.entry_id)}
    found.tellers = [one for one in data.worker.all_series() if one.labels.get("entity_id") in own]
    for source in data.sources.values():
        keys = _keys_of(data, source)
        if any(key in found.series or key in found.forecasts for key in keys):
            found.sources[source.subentry_id] = source
            found.written |= keys
    return found


@callback
def _own(
    hass: HomeAssistant, data: StrataData, found: Belongings, entity_id: str, called: Mapping[SeriesKey, SeriesKey]
) -> None:
    """Add the series of an entity: under its registry entry, those that go on as its, and those last known as it."""
    entry = er.async_get(hass).async_get(entity_id)
    identities = {f"entity:{entity_id}"} | ({f"entity:{entry.id}"} if entry else set())
    own = [
        one
        for one in data.worker.all_series()
        if one.key.measurement == MEASUREMENT
        and (
            called.get(one.key, one.key).identity in identities
            or one.key.identity in identities
            or one.labels.get("entity_id") == entity_id
        )
    ]
    found.add(own)
    for one in own:
        found.add_earlier(one.key.identity, usable_ids(hass, found, entity_id, earlier_ids(one.labels)))


@callback
def usable_ids(hass: HomeAssistant, found: Belongings, entity_id: str, names: Iterable[str]) -> list[str]:
    """Return those earlier ids of an entity that no other entity has by now; say which were left alone."""
    registry, usable = er.async_get(hass), []
    for name in sorted(set(names) - {entity_id}):
        if registry.async_get(name) is None and hass.states.get(name) is None:
            usable.append(name)
            continue
        note = f"{name}, which {entity_id} was called before, is another entity now: its points on servers stay"
        if note not in found.left:
            found.left.append(note)
    return usable


@callback
def _shown(hass: HomeAssistant, entry: StrataConfigEntry, found: Belongings, entity_id: str) -> None:
    """Add the series behind an entity that shows what one of our sources says."""
    registered = er.async_get(hass).async_get(entity_id)
    if registered is None or registered.platform != DOMAIN:
        return
    data = entry.runtime_data
    for speaker in data.source_set.speakers():
        for metric in speaker.role.metrics:
            if registered.unique_id != f"{owner_id(entry.entry_id, speaker)}_{metric.key}":
                continue
            spoken = [speaker] if isinstance(speaker, SourceCoordinator) else data.source_set.of_role(speaker.role.key)
            for source in spoken:
                _behind(data, found, source, metric, entity_id)


@callback
def _behind(data: StrataData, found: Belongings, source: SourceCoordinator, metric: Metric, entity_id: str) -> None:
    if source.reading is None:
        found.left.append(f"{source.title} has no reading now, so the series behind {entity_id} are not known")
        return
    tags = source.reading.tags
    keys = [series_key(source.role, one, tags) for one in source.role.fields if one.name == metric.key]
    foreseen = [
        SeriesKey.of_tags(one.measurement, tags, one.field)
        for one in source.role.forecasts
        if one.forecast == metric.key
    ]
    if not keys and not foreseen:
        found.left.append(f"{entity_id} shows what is worked out from other readings: nothing is stored for it")
        return
    found.add(one for key in keys if (one := data.worker.find(key)) is not None)
    found.forecasts |= {key: Series(key, Kind.MEASUREMENT) for key in foreseen}


@callback
def _made(
    hass: HomeAssistant, data: StrataData, found: Belongings, entity_id: str, forecasts: Iterable[SeriesKey]
) -> None:
    """Add what was made of an entity: findings about it, and what sources say that read it."""
    names = {entity_id, *(name for known in found.earlier.values() for name in known)}
    everything = data.worker.all_series()
    found.add(one for one in everything if _names(one.key.tags, names))
    found.forecasts |= {key: Series(key, Kind.MEASUREMENT) for key in forecasts if _names(key.tags, names)}
    for source in data.sources.values():
        if entity_id not in source.provider.watched_entities() or source.reading is None:
            continue
        keys = _keys_of(data, source)
        if source.provider.key == _ENTITY_PROVIDER:
            found.add(one for one in everything if one.key in keys)
            found.forecasts |= {key: Series(key, Kind.MEASUREMENT) for key in forecasts if key in keys}
        elif not all(_names(key.tags, names) for key in keys):
            state = hass.states.get(entity_id)
            part = {entity_id, state.name} if state else {entity_id}
            found.add(one for one in everything if one.key in keys and part & {*one.key.tags.values()})
            found.left.append(
                f"{source.title} reads {entity_id} among others: what it made of all together stays;"
                " name the sensors of that source to erase it"
            )


def _names(tags: Mapping[str, str], names: Collection[str]) -> bool:
    """Tell whether a tag speaks of one of some entities."""
    return any(part in names for value in tags.values() for part in _BETWEEN_NAMES.split(value))


def _keys_of(data: StrataData, source: SourceCoordinator) -> set[SeriesKey]:
    """Return the keys under which a source's readings and forecasts are kept, as its last reading names them."""
    return set() if source.reading is None else set(_keys(data, source, source.reading.tags))


def _keys(data: StrataData, source: SourceCoordinator, tags: Mapping[str, str]) -> Iterator[SeriesKey]:
    for one in source.role.fields:
        yield series_key(source.role, one, tags)
    for stored in source.role.forecasts:
        yield SeriesKey.of_tags(stored.measurement, tags, stored.field)
    measurements = {part.measurement for part in source.role.parts}
    for series in data.worker.all_series():
        if series.key.measurement in measurements and tags.items() <= series.key.tags.items():
            yield series.key
