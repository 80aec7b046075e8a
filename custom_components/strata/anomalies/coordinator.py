"""Looks for anomalies: every hour at everything that is watched, and at once at what leaves its usual bounds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.event import async_call_later, async_track_state_change_event
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util
from homeassistant.util.signal_type import SignalType

from ..analysis.anomaly import broken
from ..analysis.anomaly.state import State
from ..analysis.base import Episode
from ..analysis.watching import STEP, Target, choose
from ..const import DOMAIN, LOGGER
from ..core.model import Micros, Series, to_micros
from ..dependencies import DependencyMissing, async_require
from ..ingest import Ingest
from ..runtime import StrataConfigEntry
from ..store.base import StoreError
from ..store.worker import StoreWorker
from .options import NEEDS, AnalysisOptions
from .points import AlertPoints
from .telling import Alert, Teller, Told
from .watched import LEARNING, PAUSED, STATISTICAL, Found, How, Watched, async_scan

INTERVAL: Final = timedelta(minutes=5)
FIRST_LOOK: Final = 60
"""Seconds after Home Assistant's start: it has enough to do before."""
ANOMALIES_ERASED: SignalType[frozenset[str]] = SignalType(f"{DOMAIN}.anomalies_erased")
"""Sent with entity ids of which nothing is to be known any more."""
ANOMALIES_CHANGED: SignalType[()] = SignalType(f"{DOMAIN}.anomalies_changed")
"""Sent when episodes or who is watched may have changed."""
_TELLER: Final = ""
"""Where among the entities' states it is kept what was told."""

type Listener = Callable[[Told], None]


class AnomalyCoordinator(DataUpdateCoordinator[None]):
    """What is watched, and what is unusual about it."""

    config_entry: StrataConfigEntry

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry, worker: StoreWorker, ingest: Ingest) -> None:
        """Begin with nothing watched; `async_start` takes up what earlier runs found."""
        super().__init__(hass, LOGGER, config_entry=entry, name="anomalies", update_interval=INTERVAL)
        self.options = AnalysisOptions.of(entry.options)
        self.watched: dict[str, Watched] = {}
        """By entity id."""
        self.scanned_until: Micros | None = None
        self.worker = worker
        self._ingest = ingest
        self._states: dict[str, dict[str, Any]] = {}
        self._teller = Teller()
        self._points = AlertPoints(worker)
        self._listeners_to_told: list[Listener] = []
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._unsubscribe_states: CALLBACK_TYPE | None = None
        self._outside: set[str] = set()
        self._looking = asyncio.Lock()
        """One look at a time, and none while something is erased: it would bring back what it read before."""

    # What is known

    @property
    def open(self) -> list[tuple[Watched, Episode]]:
        """Every episode that goes on, the most severe first."""
        found = [(watched, episode) for watched in self.watched.values() for episode in watched.open]
        return sorted(found, key=lambda pair: (-pair[1].severity.rank, -pair[1].score, pair[0].target.entity_id))

    def since(self, moment: Micros) -> list[tuple[Watched, Episode]]:
        """Return the episodes that went on at some time after `moment`, newest first; those called normal too."""
        found = [
            (watched, episode)
            for watched in self.watched.values()
            for episode in watched.episodes
            if (episode.end is None or episode.end > moment) and episode.key not in watched.forgiven
        ]
        return sorted(found, key=lambda pair: -pair[1].start)

    # Its life

    async def async_start(self) -> None:
        """Take up what earlier runs found, and look for the first time when Home Assistant has come to rest."""
        try:
            self._states = await self.worker.read(lambda reader: reader.anomalies())
        except StoreError as error:
            LOGGER.warning("What was found unusual before could not be read: %s", error)
        self._teller = Teller.from_json(self._states.pop(_TELLER, None))
        self._choose()
        # Looking goes on whether or not anybody has enabled an entity.
        self._unsubscribe.append(self.async_add_listener(self._announce))
        self._unsubscribe.append(async_at_started(self.hass, self._look_later))

    async def async_stop(self) -> None:
        """End: nothing is looked at or told any more."""
        while self._unsubscribe:
            self._unsubscribe.pop()()
        self._follow(())
        await self.async_shutdown()

    async def async_set_options(self, options: AnalysisOptions) -> None:
        """Watch by other options from now on."""
        if options == self.options:
            return
        self.options = options
        self.scanned_until = None
        self._choose()
        await self.async_request_refresh()

    @callback
    def async_rename(self, old: str, new: str) -> None:
        """Go on watching an entity that was given another id; the options have it under that already."""
        self.options = AnalysisOptions.of(self.config_entry.options)
        if not self._unsubscribe:
            # Not started yet, or ended.
            return
        if (known := self.watched.get(old)) is not None:
            known.target = replace(known.target, entity_id=new)
            self.watched = {new if each == old else each: watched for each, watched in self.watched.items()}
            self._outside = {new if each == old else each for each in self._outside}
            self._ingest.async_set_scanned(frozenset(self.watched))
            self._announce()
        self._follow(tuple(self.watched))

    @callback
    def async_listen_told(self, listener: Listener) -> CALLBACK_TYPE:
        """Hear of what goes out, on the event loop."""
        self._listeners_to_told.append(listener)
        return lambda: self._listeners_to_told.remove(listener)

    @callback
    def _announce(self) -> None:
        async_dispatcher_send(self.hass, ANOMALIES_CHANGED)

    @callback
    def _look_later(self, _hass: HomeAssistant) -> None:
        async def look(_now: datetime) -> None:
            await self.async_refresh()

        self._unsubscribe.append(async_call_later(self.hass, FIRST_LOOK, look))

    # Who is watched

    @callback
    def _choose(self) -> None:
        """Take up the entities that are to be watched now; what is known of the others stays in the store."""
        entities = set(self.hass.states.async_entity_ids())
        if not self.options.active:
            targets: list[Target] = []
        else:
            chosen = [*self.options.entities, *self._labelled(entities)]
            targets = choose(self.worker.all_series(), entities, chosen=chosen)
        before = self.watched
        self.watched = {target.entity_id: self._take_up(target, before.get(target.entity_id)) for target in targets}
        # Judging by hours sees far less than judging by five minutes.
        self._ingest.async_set_scanned(frozenset(self.watched))
        self._follow(tuple(self.watched))

    def _take_up(self, target: Target, known: Watched | None) -> Watched:
        if known is None or known.target.identity != target.identity:
            state = self._states.get(target.identity)
            known = Watched(target, LEARNING, episodes=State.from_json(state).episodes, state=state)
        known.target = target
        if target.entity_id in self.options.paused:
            known.status = PAUSED
        elif known.status == PAUSED:
            known.status = LEARNING
        return known

    def _labelled(self, entities: set[str]) -> list[str]:
        if not self.options.labels:
            return []
        registry, devices = er.async_get(self.hass), dr.async_get(self.hass)
        found = []
        for entry in registry.entities.values():
            device = devices.async_get(entry.device_id) if entry.device_id else None
            labels = entry.labels | (device.labels if device else set())
            if entry.entity_id in entities and labels & self.options.labels:
                found.append(entry.entity_id)
        return sorted(found)

    # Looking

    @override
    async def _async_update_data(self) -> None:
        if not self.options.active:
            return
        now = to_micros(dt_util.utcnow())
        try:
            await self._look_around(now)
        except StoreError as error:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="store_failed",
                translation_placeholders={"reason": str(error)},
            ) from error

    async def _look_around(self, now: Micros) -> None:
        async with self._looking:
            until = await self.worker.read(lambda reader: reader.rolled_until())
            if until is not None and until != self.scanned_until:
                self._choose()
                await self._look(list(self.watched.values()), until, now)
                self.scanned_until = until
            elif self._outside:
                early = [self.watched[entity_id] for entity_id in self._outside if entity_id in self.watched]
                self._outside.clear()
                # What is judged is judged for good, so no row of it may still be waiting.
                await self.worker.flush()
                await self._look(early, now - now % STEP, now, newest=True)

    async def _look(self, watched: list[Watched], until: Micros, now: Micros, *, newest: bool = False) -> None:
        """Scan entities one after the other, keep what was found, and tell."""
        found: list[Found] = []
        how = How(self.options.sensitivity, await self._method())
        for each in watched:
            if each.status == PAUSED:
                continue
            try:
                found.append(await async_scan(self.hass, self.worker, each, until, how, newest=newest))
            except StoreError:
                raise
            except Exception:  # noqa: BLE001 - see below
                # One series that cannot be read as expected must not keep the others from being watched.
                LOGGER.exception("%s could not be scanned for anomalies", each.target.entity_id)
        # Of an episode that grew worse within one look the last alert says it all.
        latest = {
            (one.watched.target.entity_id, episode.key): Alert(one.watched.target, episode, time)
            for one in found
            for episode, time in one.alerts
        }
        await self._conclude([one.watched for one in found], [*latest.values()], now)

    async def _method(self) -> str:
        """Return the method of the options, or the one that needs nothing where a library is missing."""
        try:
            if (feature := NEEDS.get(self.options.method)) is not None:
                await async_require(self.hass, feature)
        except DependencyMissing:
            return STATISTICAL
        return self.options.method

    async def _conclude(self, watched: list[Watched], alerts: list[Alert], now: Micros) -> None:
        told = self._teller.tell(alerts, now, self.worker.timezone)
        for each in watched:
            self._points.put(each, self.options.method, now)
        await self._save(watched)
        self._send(told)

    @callback
    def _send(self, told: list[Told]) -> None:
        for one in told:
            for listener in [*self._listeners_to_told]:
                listener(one)

    async def _save(self, watched: list[Watched]) -> None:
        states: dict[str, Mapping[str, Any]] = {
            each.target.identity: each.state for each in watched if each.state is not None
        }
        self._states |= {identity: dict(state) for identity, state in states.items()}
        states[_TELLER] = self._teller.as_json()
        await self.worker.write(lambda store: store.save_anomalies(states))

    # What the user says

    async def async_mark_normal(self, entity_id: str, key: str | None) -> Episode:
        """Take an episode as normal: nothing like it is told of any more.

        Args:
            entity_id: a watched entity.
            key: the episode; None: the newest.

        Raises:
            KeyError: the entity is not watched, or has no such episode.
            StoreError: it could not be kept.
        """
        async with self._looking:
            watched = self.watched[entity_id]
            if key is None:
                if not watched.episodes:
                    raise KeyError(entity_id)
                key = watched.episodes[-1].key
            episode = watched.mark_normal(key)
            await self._save([watched])
        self._points.put(watched, self.options.method, to_micros(dt_util.utcnow()))
        self.async_update_listeners()
        return episode

    @asynccontextmanager
    async def async_erasing(self, series: Iterable[Series]) -> AsyncIterator[None]:
        """Look at nothing while series are erased, and know nothing of their entities from then on."""
        async with self._looking:
            try:
                yield
            finally:
                known = [*series]
                self._forget({one.key.identity for one in known})
                entities = frozenset(one.labels.get("entity_id", "") for one in known)
                async_dispatcher_send(self.hass, ANOMALIES_ERASED, entities)
                self.async_update_listeners()

    @callback
    def _forget(self, identities: set[str]) -> None:
        for identity in identities:
            self._states.pop(identity, None)
        erased = [each.target for each in self.watched.values() if each.target.identity in identities]
        for target in erased:
            self.watched[target.entity_id] = Watched(target, LEARNING)
            self._outside.discard(target.entity_id)
            self._points.forget(target.entity_id)

    # What happens between two looks

    @callback
    def _follow(self, entities: tuple[str, ...]) -> None:
        if self._unsubscribe_states is not None:
            self._unsubscribe_states()
            self._unsubscribe_states = None
        followed = {*entities, *(self.options.quiet_entities if self.options.active else ())}
        if followed:
            self._unsubscribe_states = async_track_state_change_event(self.hass, followed, self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        """Notice a value outside of what was ever seen, and events in quiet hours."""
        entity_id, state, before = event.data["entity_id"], event.data["new_state"], event.data["old_state"]
        if state is None:
            return
        watched = self.watched.get(entity_id)
        if watched is not None and watched.bounds is not None and watched.target.kind == "numeric":
            low, high = watched.bounds
            try:
                if not low <= float(state.state) <= high:
                    self._outside.add(entity_id)
            except ValueError:
                pass
        if entity_id in self.options.quiet_entities and state.state == "on" and before and before.state == "off":
            self._opened_quietly(entity_id, state.last_changed)

    @callback
    def _opened_quietly(self, entity_id: str, moment: datetime) -> None:
        persons = self.hass.states.async_all("person")
        away = bool(persons) and all(person.state != "home" for person in persons)
        time = to_micros(moment)
        found = broken(self.options.quiet_hours, [(time, away)], timezone=self.worker.timezone)
        known = choose(self.worker.all_series(), {entity_id}, chosen=[entity_id])
        alerts = [Alert(known[0], episode, time) for episode in found if known]
        self._send(self._teller.tell(alerts, time, self.worker.timezone))
