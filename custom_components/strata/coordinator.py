"""One coordinator for every source: fetches it, keeps its last good reading, follows the clock."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
import random
from time import monotonic
from types import MappingProxyType
from typing import Any, override

from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, CoreState, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.event import async_track_point_in_utc_time, async_track_state_change_event
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import CONF_DETAILS, CONF_OPTIONS, CONF_PROVIDER, CONF_RANK, DOMAIN, LOGGER
from .core.model import FieldValue
from .fetching import SourceBroken, async_fetch, failure_key, log_broken
from .health import OK, Fetch, Health
from .home import home_of
from .issues import async_clear_source_issues, async_report_unauthorized
from .last_good import Kept, LastGood, without_secrets
from .memory import Memory, async_remove_memory
from .occurrences import Occurrences
from .recording import Recorder, plausible
from .runtime import StrataConfigEntry
from .sources.backoff import Backoff
from .sources.base import Provider, Reading, Role, Snapshot, SourceError, SourceUnauthorized
from .sources.fetch import Call
from .store.worker import StoreWorker

JITTER_SHARE = 0.1
LONGEST_JITTER = timedelta(minutes=5)
"""Homes must not all ask in the same second: up to a tenth of the wait, 5 minutes at most."""
SHORTEST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(days=1)
"""A board without a clock may start in the past, from where the next fetch seems years away."""
REQUESTS_KEPT = 200


class SourceCoordinator(DataUpdateCoordinator[Reading | None]):
    """A running source.

    `data` is the last good reading, from this run or an earlier one. It is served until its role
    says that it is too old, whether or not later fetches failed.
    """

    config_entry: StrataConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: StrataConfigEntry, subentry: ConfigSubentry, role: Role, worker: StoreWorker
    ) -> None:
        """Make the source that `subentry` describes.

        Raises:
            KeyError: the role has no such provider, or the provider needs a parameter that is not there.
        """
        self.role = role
        self.provider: Provider = role.provider(subentry.data[CONF_PROVIDER])(subentry.data[CONF_OPTIONS])
        self.details: Mapping[str, Any] = subentry.data.get(CONF_DETAILS, {})
        # Asking says at once whether a parameter is missing that the provider needs; they are followed once it starts.
        self.provider.watched_entities()
        self._watched: tuple[str, ...] = ()
        self.interval = max(role.interval, self.provider.interval or timedelta())
        pause = self.provider.pause.total_seconds()
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=subentry.title,
            update_interval=self.interval,
            request_refresh_debouncer=Debouncer(hass, LOGGER, cooldown=pause, immediate=True),
        )
        self.subentry = subentry
        self.subentry_id = subentry.subentry_id
        self.title = subentry.title
        self.rank = int(subentry.data.get(CONF_RANK, 1))
        self.configuration: tuple[str, Mapping[str, Any]] = (subentry.title, MappingProxyType(dict(subentry.data)))
        self.health = Health()
        self.requests: deque[Call] = deque(maxlen=REQUESTS_KEPT)
        self.implausible: dict[str, int] = {}
        """How often a field had an impossible value."""
        self._backoff = Backoff()
        self._last_good = LastGood(hass, subentry.subentry_id, self.provider, self.details)
        self.memory = Memory(self.provider)
        self.occurrences = Occurrences(self)
        self.stored_as = subentry.unique_id or subentry.subentry_id
        """The source's name in the store."""
        self._recorder = Recorder(worker, role, self.stored_as)
        self._holds = False
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._unsubscribe_clock: CALLBACK_TYPE | None = None
        self._unsubscribe_watched: CALLBACK_TYPE | None = None

    # What it says

    @property
    def reading(self) -> Reading | None:
        """The last good reading, however old."""
        return self.data

    @property
    def main(self) -> str:
        """The field that sums the source up."""
        return self.provider.main() or self.role.main

    @property
    def speaker(self) -> SourceCoordinator:
        """Who says what this source says: itself."""
        return self

    def snapshot(self) -> Snapshot | None:
        """What values are computed from, None when there is no reading that is still good."""
        now = dt_util.utcnow()
        if self.data is None or not self._is_good(self.data, now):
            return None
        return Snapshot(reading=self.data, now=now, provider=self.provider.key, home=home_of(self.hass))

    def _is_good(self, reading: Reading, now: datetime) -> bool:
        lifetime = self.role.good_for(reading)
        if lifetime is not None:
            return now < reading.observed_at + lifetime
        forecast = reading.forecasts.get(self.role.main)
        return forecast is not None and forecast.at(now) is not None

    # Its life

    async def async_start(self) -> None:
        """Take up the last good reading, then fetch in the background: never waits for the source."""
        kept = await self._last_good.load()
        await self.memory.async_load(self.hass, self.subentry_id)
        self.data = kept.reading
        self.health.restore(kept.turns)
        self._follow_clock()
        wait = self._wait_after(kept.reading) if kept.reading and self.snapshot() else timedelta()
        self.update_interval = max(wait, SHORTEST_WAIT) if wait else self.interval
        # Readings are stored even when the user has disabled every entity: polling needs a listener.
        self._unsubscribe.append(self.async_add_listener(lambda: None))
        self._watch()
        if not self._watched and wait > timedelta():
            # What is watched may have changed while nobody watched; other sources are asked when it is time.
            return
        if self.provider.local:
            # Entities of other integrations come up together with us.
            self._unsubscribe.append(async_at_started(self.hass, self._fetch_soon))
        else:
            self._fetch_soon()

    def reads_the_same_as(self, subentry: ConfigSubentry) -> bool:
        """Tell whether what was read so far is also what the source that `subentry` describes reads."""
        wanted: Mapping[str, Any] = subentry.data
        return (
            self.provider.key == wanted[CONF_PROVIDER]
            and self.details == wanted.get(CONF_DETAILS, {})
            and without_secrets(self.provider, self.provider.options)
            == without_secrets(self.provider, wanted[CONF_OPTIONS])
        )

    def lacks(self) -> frozenset[str]:
        """Return the metrics that never have a value with the parameters in force."""
        return self.role.lacks(self.provider, self.details)

    async def async_stop(self, *, forget: bool = False, removed: bool = False) -> None:
        """End: nothing is fetched, stored or announced any more.

        `forget` also drops the last good reading; a source that is `removed` leaves nothing.
        """
        await self.async_shutdown()
        while self._unsubscribe:
            self._unsubscribe.pop()()
        self._stop_watching()
        self._stop_clock()
        if forget:
            if self._holds:
                self._recorder.put_gap(dt_util.utcnow())
            async_clear_source_issues(self.hass, self.subentry_id)
            await self._last_good.remove()
        else:
            await self._last_good.save(self._kept())
        if removed:
            await async_remove_memory(self.hass, self.subentry_id)
        else:
            await self.memory.async_save(self.hass, self.subentry_id)

    async def async_forget(self) -> None:
        """Forget what was read so far, because it has been erased; the next reading is the first again.

        The recorder goes on knowing what it wrote, so the same reading is not stored anew. What a provider keeps of the
        home goes too, what it keeps of a service (tokens) stays.
        """
        self._stop_clock()
        self.data, self._holds = None, False
        if self.provider.local:
            self.provider = type(self.provider)(self.provider.options)
            self.memory.values.clear()
            await self.memory.async_save(self.hass, self.subentry_id)
        await self._last_good.remove()
        self.async_update_listeners()

    @callback
    def _fetch_soon(self, _hass: HomeAssistant | None = None) -> None:
        self.config_entry.async_create_background_task(self.hass, self.async_refresh(), f"{DOMAIN} fetch {self.title}")

    @callback
    def _watch(self) -> None:
        """Follow the entities that the provider reads now."""
        watched = self.provider.watched_entities()
        if watched == self._watched:
            return
        self._stop_watching()
        self._watched = watched
        if watched:
            self._unsubscribe_watched = async_track_state_change_event(self.hass, watched, self._watched_changed)

    @callback
    def _stop_watching(self) -> None:
        self._watched = ()
        if self._unsubscribe_watched is not None:
            self._unsubscribe_watched()
            self._unsubscribe_watched = None

    @callback
    def _watched_changed(self, _event: Event[EventStateChangedData]) -> None:
        if self.hass.state is not CoreState.running and self.provider.local:
            # Entities come up one by one; all of them are read once Home Assistant has started.
            return
        if self.config_entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS:
            # Entities of Strata's own leave before the sources that watch them.
            return
        self.config_entry.async_create_background_task(
            self.hass, self.async_request_refresh(), f"{DOMAIN} fetch {self.title}"
        )

    def _kept(self) -> Kept:
        return Kept(self.data, tuple(self.health.turns(dt_util.utcnow())))

    # Fetching

    @override
    async def _async_update_data(self) -> Reading | None:
        at, began = dt_util.utcnow(), monotonic()
        try:
            reading = await self._read()
        except SourceError as error:
            if self._shutdown_requested:
                return self.data
            # Home Assistant logs the whole chain at DEBUG, and what a library says may quote a secret.
            raise self._failed(error, at, monotonic() - began) from None
        if self._shutdown_requested:
            return self.data
        return self._succeeded(reading, at, monotonic() - began)

    async def _read(self) -> Reading:
        try:
            return await async_fetch(
                self.hass, self.role, self.provider, self._called, self.memory.values, self.details
            )
        finally:
            if not self._shutdown_requested:
                await self.memory.async_save(self.hass, self.subentry_id)

    @callback
    def _called(self, call: Call) -> None:
        self.requests.append(call)
        LOGGER.debug("%s asked %s%s: %s in %.2f s", self.title, call.host, call.path, call.status, call.seconds)

    def _succeeded(self, reading: Reading, at: datetime, seconds: float) -> Reading:
        self.health.add(Fetch(at, seconds, OK))
        self._backoff.succeeded()
        async_clear_source_issues(self.hass, self.subentry_id)
        reading, implausible = plausible(self.role, reading)
        for name in implausible:
            self.implausible[name] = self.implausible.get(name, 0) + 1
        before, self.data = self.snapshot(), reading
        self.occurrences.async_announce(before)
        self._watch()
        self.update_interval = max(self._wait_after(reading), SHORTEST_WAIT)
        self._follow_clock(implausible)
        self._last_good.save_later(self._kept)
        return reading

    def _failed(self, error: SourceError, at: datetime, seconds: float) -> UpdateFailed:
        key = failure_key(error)
        if isinstance(error, SourceBroken) and self.health.failure != key:
            log_broken(self.title, self.provider, error)
        self.health.add(Fetch(at, seconds, key, str(error)))
        if isinstance(error, SourceUnauthorized):
            async_report_unauthorized(self.hass, self.config_entry.entry_id, self.subentry)
        self._last_good.save_later(self._kept)
        # The frame announces a change of success to entities; a failure that lasts changes only their attributes.
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders={"reason": str(error)},
            retry_after=self._backoff.failed(error).total_seconds(),
        )

    def _wait_after(self, reading: Reading) -> timedelta:
        """How long until the next fetch, spread so that homes do not ask all at once."""
        now = dt_util.utcnow()
        # Asked as of the fetch: what fell due while Home Assistant was down is due now.
        if (due := self.provider.next_fetch(reading.fetched_at, reading)) is not None:
            # Providers that know when there is news spread it themselves.
            return min(max(due - now, timedelta()), LONGEST_WAIT)
        wait = min(max(reading.fetched_at + self.interval - now, timedelta()), self.interval)
        return wait + random.random() * min(wait * JITTER_SHARE, LONGEST_JITTER)

    # The clock

    @callback
    def _follow_clock(self, implausible: Mapping[str, FieldValue] | None = None) -> None:
        """Store what holds now, and come back when that changes without a fetch."""
        self._stop_clock()
        if self.data is None:
            return
        now = dt_util.utcnow()
        snapshot = self.snapshot()
        if not self.provider.recorded:
            pass
        elif snapshot is not None:
            self._recorder.put(snapshot, implausible)
            self._holds = True
        elif self._holds:
            self._recorder.put_gap(self._ended(self.data, now))
            self._holds = False
        if (change := self._next_change(self.data, now)) is not None:
            self._unsubscribe_clock = async_track_point_in_utc_time(self.hass, self._clock_moved, change)

    @callback
    def _stop_clock(self) -> None:
        if self._unsubscribe_clock is not None:
            self._unsubscribe_clock()
            self._unsubscribe_clock = None

    @callback
    def _clock_moved(self, _now: datetime) -> None:
        self._unsubscribe_clock = None
        self._follow_clock()
        self.async_update_listeners()

    def _next_change(self, reading: Reading, now: datetime) -> datetime | None:
        """The next slot border, or the end of the reading."""
        moments: list[datetime] = []
        lifetime = self.role.good_for(reading)
        if lifetime is not None:
            moments.append(reading.observed_at + lifetime)
        if self.role.slot_bound or lifetime is None:
            for forecast in reading.forecasts.values():
                moments.extend(border for slot in forecast.slots for border in (slot.start, slot.end))
        return min((moment for moment in moments if moment > now), default=None)

    def _ended(self, reading: Reading, now: datetime) -> datetime:
        """When the reading stopped being good, at the latest `now`."""
        lifetime = self.role.good_for(reading)
        if lifetime is not None:
            return min(reading.observed_at + lifetime, now)
        forecast = reading.forecasts.get(self.role.main)
        ends = [slot.end for slot in forecast.slots if slot.end <= now] if forecast else []
        return max(ends, default=now)
