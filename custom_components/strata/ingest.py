"""Home Assistant's state changes, on their way into the store.

An entity is known by its registry id, so renaming it, moving it or changing its class keeps its
series and only changes their labels. An entity without a registry entry is known by its entity id;
when it gets an entry later, its series ends there and the one of its registry id begins, because a
series keeps its identity for life. Both carry the same `entity_id` label.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
from time import time as now

from homeassistant.const import EVENT_STATE_CHANGED, EntityCategory
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.entity import entity_sources

from .core.entity_series import EntitySeries, Outcome
from .core.filter import NOTHING, EntityFacts, IngestFilter, Selection
from .core.model import MICROS_PER_SECOND, Cause, Micros
from .core.row_sink import RowSink
from .core.states import GAP_STATES

PASSWORD_DOMAINS = frozenset({"input_text", "text"})
SLICE = 200
"""Entities looked at in one go where all are: some milliseconds on a small machine."""
_NONE_UNRECORDED: frozenset[str] = frozenset()
_DEVICE_CHANGES = frozenset({"area_id", "labels"})


class _Entity:
    """An entity that has had a state: its series, and what decides whether they get it."""

    __slots__ = ("attributes", "recorded", "series", "traits")

    def __init__(self, series: EntitySeries) -> None:
        self.series = series
        self.recorded = False
        self.attributes: Mapping[str, object] = {}
        self.traits: tuple[object, ...] = ()


class Ingest:
    """Listens to Home Assistant's states and hands what is wanted to the store.

    Everything here runs in the event loop and touches neither disk nor network. Registry look-ups
    and the filter's decision are made once per entity and again when something they rest on
    changes. Deleting an area or a label arrives as updates of the entities and devices that had it.
    """

    def __init__(
        self, hass: HomeAssistant, worker: RowSink, ingest_filter: IngestFilter, watched: Selection = NOTHING
    ) -> None:
        """Prepare; nothing is recorded before `async_start`. Watched entities get 5-minute summaries."""
        self._hass = hass
        self._worker = worker
        self._filter = ingest_filter
        self._watched = watched
        self._scanned: AbstractSet[str] = frozenset()
        self._entities: dict[str, _Entity] = {}
        self._counters: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))
        self._unsubscribe: list[Callable[[], None]] = []
        self._next_slices: dict[Callable[[str], None], asyncio.Handle] = {}
        """By work that is done a slice at a time: its next slice."""

    @property
    def counters(self) -> dict[str, int]:
        """How many states had which outcome since this object was made."""
        return {outcome.value: count for outcome, count in self._counters.items()}

    @callback
    def async_start(self) -> None:
        """Record the states as they are, and from now on every change."""
        listen = self._hass.bus.async_listen
        self._unsubscribe = [
            listen(EVENT_STATE_CHANGED, self._state_changed),
            listen(er.EVENT_ENTITY_REGISTRY_UPDATED, self._entity_registry_updated),
            listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._device_registry_updated),
        ]
        self._in_slices(self._catch_up, self._hass.states.async_entity_ids())

    @callback
    def async_stop(self) -> None:
        """Stop listening. The store knows when a run ends, so open values need no row."""
        while self._unsubscribe:
            self._unsubscribe.pop()()
        for handle in self._next_slices.values():
            handle.cancel()
        self._next_slices.clear()
        self._entities.clear()

    @callback
    def async_set_filter(self, ingest_filter: IngestFilter) -> None:
        """Use another filter from now on.

        The series of entities that are no longer wanted get a gap; those newly wanted begin with
        the state they have.
        """
        self._filter = ingest_filter
        self._in_slices(self._reconsider, list(self._entities))

    @callback
    def async_set_watched(self, watched: Selection) -> None:
        """Let other entities get 5-minute summaries from now on."""
        self._watched = watched
        self._in_slices(self._reconsider, list(self._entities))

    @callback
    def async_rename_choice(self, ingest_filter: IngestFilter, watched: Selection) -> None:
        """Take the same choices in new words, while one entity is given another id: the others stay as decided."""
        self._filter, self._watched = ingest_filter, watched

    @callback
    def async_set_scanned(self, entities: AbstractSet[str]) -> None:
        """Let the entities that are searched for anomalies get 5-minute summaries too."""
        changed = self._scanned ^ entities
        self._scanned = entities
        # Not in slices: those under way for another reason would be given up.
        for entity_id in changed:
            self._reconsider(entity_id)

    @callback
    def async_begin_again(self, entities: Iterable[str]) -> None:
        """Know nothing of what entities were before now: their history has been erased."""
        for entity_id in entities:
            if (entity := self._entities.get(entity_id)) is not None:
                entity.series.forget(_now())

    @callback
    def _state_changed(self, event: Event[EventStateChangedData]) -> None:
        data = event.data
        new = data["new_state"]
        if new is not None:
            self._record(new)
        elif (entity := self._entities.get(data["entity_id"])) is not None:
            cause = Cause(event.context.id, event.context.parent_id, event.context.user_id)
            self._counters[entity.series.gap(round(event.time_fired_timestamp * MICROS_PER_SECOND), cause)] += 1

    def _in_slices(self, work: Callable[[str], None], waiting: list[str]) -> None:
        """Do `work` for each entity, a slice at a time: a home may have thousands. What was left of it begins anew."""
        if (under_way := self._next_slices.pop(work, None)) is not None:
            under_way.cancel()
        for entity_id in waiting[:SLICE]:
            work(entity_id)
        if rest := waiting[SLICE:]:
            self._next_slices[work] = self._hass.loop.call_soon(self._in_slices, work, rest)

    def _catch_up(self, entity_id: str) -> None:
        """Record a state that was there before us."""
        if (state := self._hass.states.get(entity_id)) is not None and entity_id not in self._entities:
            self._record(state)

    def _record(self, state: State) -> None:
        entity = self._entities.get(state.entity_id) or self._meet(state)
        attributes = state.attributes
        if attributes is not entity.attributes and state.state not in GAP_STATES:
            self._learn(entity, state)
        if not entity.recorded:
            self._counters[Outcome.EXCLUDED] += 1
            return
        info, context = state.state_info, state.context
        outcome = entity.series.change(
            state.state,
            attributes,
            _NONE_UNRECORDED if info is None else info["unrecorded_attributes"],
            round(state.last_changed_timestamp * MICROS_PER_SECOND),
            Cause(context.id, context.parent_id, context.user_id),
        )
        self._counters[outcome] += 1

    def _meet(self, state: State) -> _Entity:
        entry = er.async_get(self._hass).async_get(state.entity_id)
        identity = state.entity_id if entry is None else entry.id
        entity = _Entity(EntitySeries(self._worker, identity, state.domain))
        self._entities[state.entity_id] = entity
        entity.attributes, entity.traits = state.attributes, _traits(state.attributes)
        entity.recorded = self._resolve(state.entity_id, entity)
        return entity

    def _learn(self, entity: _Entity, state: State) -> None:
        """Look at attributes that are new: some of them decide what an entity is."""
        entity.attributes = state.attributes
        traits = _traits(state.attributes)
        if traits != entity.traits:
            entity.traits = traits
            self._decide(state.entity_id, entity)

    def _decide(self, entity_id: str, entity: _Entity) -> None:
        """Ask the filter again; a series that is no longer wanted ends here."""
        wanted = self._resolve(entity_id, entity)
        if entity.recorded and not wanted:
            moment = _now()
            entity.series.gap(moment)
            entity.series.begin_again(moment + 1)
        entity.recorded = wanted

    def _reconsider(self, entity_id: str) -> None:
        """Decide again after a change outside the entity's own state, and record what it opens."""
        entity = self._entities.get(entity_id)
        if entity is None:
            return
        before = entity.recorded
        self._decide(entity_id, entity)
        state = self._hass.states.get(entity_id)
        if entity.recorded and not before and state is not None:
            # What it was while nobody wanted it is not ours to tell.
            entity.series.begin_again(_now())
            self._record(state)

    def _resolve(self, entity_id: str, entity: _Entity) -> bool:
        """Label the entity's series and tell whether the filter wants them."""
        entry = er.async_get(self._hass).async_get(entity_id)
        device_class, friendly_name, mode = entity.traits
        labels = {"entity_id": entity_id, "domain": entity_id.partition(".")[0]}
        area_id, own_labels, platform, diagnostic = None, set[str](), None, False
        if entry is not None:
            area_id = er.async_get_effective_area_id(self._hass, entry)
            own_labels, platform = entry.labels, entry.platform
            diagnostic = entry.entity_category is EntityCategory.DIAGNOSTIC
            device_class = entry.device_class or device_class or entry.original_device_class
            if entry.device_id is not None:
                labels["device_id"] = entry.device_id
                device = dr.async_get(self._hass).async_get(entry.device_id)
                own_labels = own_labels if device is None else own_labels | device.labels
        elif (source := entity_sources(self._hass).get(entity_id)) is not None:
            platform = source["domain"]
        named = {"device_class": device_class, "area_id": area_id, "friendly_name": friendly_name}
        facts = EntityFacts(
            entity_id=entity_id,
            platform=platform,
            device_class=str(device_class) if device_class else None,
            area_id=area_id,
            labels=frozenset(own_labels),
            diagnostic=diagnostic,
            secret=labels["domain"] in PASSWORD_DOMAINS and mode == "password",
        )
        entity.series.relabel(
            labels | {name: str(value) for name, value in named.items() if value},
            watched=self._watched.names(facts) or self._watched.globs(facts) or entity_id in self._scanned,
        )
        return self._filter.wants(facts)

    @callback
    def _entity_registry_updated(self, event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        data = event.data
        entity_id = data["entity_id"]
        if data["action"] != "update":
            # Another identity from here on, or none. An id in use is never given to a new entry, so no state is lost.
            if (gone := self._entities.pop(entity_id, None)) is not None:
                gone.series.gap(_now())
            return
        # The state moves after this event: taken away under the old name, set under the new one.
        renamed = self._entities.pop(data.get("old_entity_id", ""), None)
        if renamed is not None:
            self._entities[entity_id] = renamed
        self._reconsider(entity_id)

    @callback
    def _device_registry_updated(self, event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        data = event.data
        if data["action"] != "update" or _DEVICE_CHANGES.isdisjoint(data["changes"]):
            return
        devices, entities = dr.async_get(self._hass), er.async_get(self._hass)
        # A part of a device is where the whole is, unless it says otherwise.
        parts = [part.id for part in dr.async_entries_for_parent_device(devices, data["device_id"])]
        for device_id in (data["device_id"], *parts):
            for entry in er.async_entries_for_device(entities, device_id):
                self._reconsider(entry.entity_id)


def _traits(attributes: Mapping[str, object]) -> tuple[object, ...]:
    get = attributes.get
    return get("device_class"), get("friendly_name"), get("mode")


def _now() -> Micros:
    return round(now() * MICROS_PER_SECOND)
