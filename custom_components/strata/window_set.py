"""The planned windows: follows the hub's subentries, plans them together, and keeps what has begun."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType
from homeassistant.util.signal_type import SignalType

from .api.plan import answer_plan
from .const import DOMAIN, LOGGER, SUBENTRY_WINDOW
from .core.agenda import Booking, book
from .core.model import Forecast, Slot
from .core.outlook import Outlook
from .runtime import StrataConfigEntry
from .source_set import SOURCES_CHANGED
from .window_coordinator import WindowCoordinator
from .window_outlook import async_outlook

type AddWindow = Callable[[WindowCoordinator], None]

WINDOWS_CHANGED: SignalType[()] = SignalType(f"{DOMAIN}_windows_changed")
"""Sent when a window begins or ends, is planned anew, was added, or has left."""

VERSION = 1
LONGEST_WAIT = timedelta(minutes=15)


def windows_file(hass: HomeAssistant) -> Store[dict[str, Any]]:
    """Return where the windows that have begun are kept over a restart."""
    return Store(hass, VERSION, f"{DOMAIN}.windows")


class WindowSet:
    """Runs a coordinator for each window subentry; `running` is by subentry id."""

    def __init__(self, hass: HomeAssistant, entry: StrataConfigEntry) -> None:
        """Begin with no windows; `async_follow` starts them."""
        self._hass = hass
        self._entry = entry
        self._platforms: list[AddWindow] = []
        self._lock = asyncio.Lock()
        self._stopped = False
        self._file = windows_file(hass)
        self._kept: dict[str, Booking] | None = None
        self._answers: dict[str, JsonObjectType] = {}
        """Bookings that have begun, and what was said about them."""
        self._seen: tuple[tuple[Slot, ...], ...] = ()
        """What was foreseen when they were planned."""
        self._unsubscribe_timer: CALLBACK_TYPE | None = None
        self._unsubscribe_sources: CALLBACK_TYPE | None = None
        self.running: dict[str, WindowCoordinator] = {}

    @callback
    def async_add_platform(self, add: AddWindow) -> None:
        """Let a platform add its entities for every window there is and every one to come."""
        self._platforms.append(add)
        for window in self.running.values():
            add(window)

    async def async_follow(self) -> None:
        """Start what is new, end what is gone, make anew what changed, and plan them all."""
        async with self._lock:
            if self._stopped:
                return
            if self._kept is None:
                await self._load()
            wanted = {each.subentry_id: each for each in self._entry.get_subentries_of_type(SUBENTRY_WINDOW)}
            for subentry_id, window in [*self.running.items()]:
                subentry = wanted.get(subentry_id)
                if subentry is None or window.configuration != (subentry.title, dict(subentry.data)):
                    del self.running[subentry_id]
                    await self._end(window, removed=subentry is None)
            started = [
                made
                for subentry_id, subentry in wanted.items()
                if subentry_id not in self.running and (made := self._make(subentry)) is not None
            ]
            self.running |= {window.subentry_id: window for window in started}
            if self._unsubscribe_sources is None:
                self._unsubscribe_sources = async_dispatcher_connect(self._hass, SOURCES_CHANGED, self._sources_changed)
            await self._plan(force=True)
            for window in started:
                for add in self._platforms:
                    add(window)

    async def async_stop(self) -> None:
        """End all windows; those that have begun are kept."""
        self._stopped = True
        if self._unsubscribe_sources is not None:
            self._unsubscribe_sources()
            self._unsubscribe_sources = None
        self._stop_timer()
        async with self._lock:
            for window in self.running.values():
                await window.async_shutdown()

    def _make(self, subentry: ConfigSubentry) -> WindowCoordinator | None:
        try:
            return WindowCoordinator(self._hass, self._entry, subentry)
        except (TypeError, ValueError) as error:
            LOGGER.error("The window %s cannot be read: %s", subentry.title, error)
            return None

    async def _end(self, window: WindowCoordinator, *, removed: bool) -> None:
        if removed:
            # Its entities and device leave with the subentry: Home Assistant clears its registries.
            self._keeping.pop(window.subentry_id, None)
            self._answers.pop(window.subentry_id, None)
            await self._save()
        else:
            for platform in async_get_platforms(self._hass, DOMAIN):
                for entity in [*platform.entities.values()]:
                    if getattr(entity, "coordinator", None) is window:
                        await entity.async_remove()
        await window.async_shutdown()

    # Planning

    @callback
    def _sources_changed(self) -> None:
        if self.running and not self._stopped:
            self._entry.async_create_background_task(self._hass, self._plan_again(), f"{DOMAIN} windows")

    async def _plan_again(self, *, force: bool = False) -> None:
        async with self._lock:
            if not self._stopped:
                await self._plan(force=force)

    async def _plan(self, *, force: bool) -> None:
        """Book all windows anew where something that is foreseen has changed; with `force` in any case."""
        if not self.running:
            self._stop_timer()
            async_dispatcher_send(self._hass, WINDOWS_CHANGED)
            return
        outlook = await async_outlook(self._hass, self._entry.runtime_data)
        seen = _seen(outlook)
        if not force and seen == self._seen:
            return
        self._seen = seen
        await self._keep_what_has_begun()
        now = dt_util.utcnow()
        bookings = await self._hass.async_add_executor_job(
            partial(
                book,
                [window.appointment for window in self.running.values()],
                dict(self._keeping),
                outlook if outlook.known else None,
                now,
                dt_util.get_default_time_zone(),
            )
        )
        if self._stopped:
            return
        for window in self.running.values():
            self._show(window, bookings[window.subentry_id])
        await self._keep_what_has_begun()
        self._set_timer()
        async_dispatcher_send(self._hass, WINDOWS_CHANGED)

    @callback
    def _show(self, window: WindowCoordinator, booking: Booking | None) -> None:
        if booking is not None and booking.plan is not None:
            window.answer = answer_plan(booking.plan)
        elif booking is not None and booking == self._keeping.get(window.subentry_id):
            window.answer = self._answers.get(window.subentry_id, {})
        else:
            window.answer = {}
        window.async_set_updated_data(booking)

    @property
    def _keeping(self) -> dict[str, Booking]:
        if self._kept is None:
            self._kept = {}
        return self._kept

    async def _keep_what_has_begun(self) -> None:
        """A window that has begun stays where it is, over a restart too."""
        now = dt_util.utcnow()
        changed = False
        for window in self.running.values():
            booking = window.data
            if booking is not None and booking.start <= now and self._keeping.get(window.subentry_id) != booking:
                self._keeping[window.subentry_id] = booking
                self._answers[window.subentry_id] = window.answer
                changed = True
        if changed:
            await self._save()

    # Time

    @callback
    def _set_timer(self) -> None:
        """Come back when the next window begins or ends, and from time to time: nobody announces the sun."""
        self._stop_timer()
        now = dt_util.utcnow()
        bookings = [window.data for window in self.running.values() if window.data]
        borders = [border for booking in bookings for border in booking.borders_after(now)]
        moment = min([*borders, now + LONGEST_WAIT])
        self._unsubscribe_timer = async_track_point_in_utc_time(self._hass, self._border, moment)

    @callback
    def _stop_timer(self) -> None:
        if self._unsubscribe_timer is not None:
            self._unsubscribe_timer()
            self._unsubscribe_timer = None

    @callback
    def _border(self, _now: datetime) -> None:
        self._unsubscribe_timer = None
        # Switched at once; planning follows.
        for window in self.running.values():
            window.async_update_listeners()
        self._entry.async_create_background_task(self._hass, self._plan_again(force=True), f"{DOMAIN} windows")

    # What is kept

    async def _save(self) -> None:
        await self._file.async_save(
            {
                key: {
                    "parts": [[start.isoformat(), end.isoformat()] for start, end in booking.parts],
                    "until": booking.until.isoformat(),
                    "overlaps": booking.overlaps,
                    "answer": self._answers.get(key, {}),
                }
                for key, booking in self._keeping.items()
            }
        )

    async def _load(self) -> None:
        kept: dict[str, Any] = await self._file.async_load() or {}
        for key, one in kept.items():
            try:
                parts = tuple(
                    (datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in one["parts"]
                )
                until = datetime.fromisoformat(one["until"])
                self._keeping[key] = Booking(parts=parts, until=until, overlaps=one["overlaps"])
                self._answers[key] = one["answer"]
            except (KeyError, TypeError, ValueError) as error:
                LOGGER.warning("What was kept of the window %s cannot be read and is left out: %r", key, error)


def _seen(outlook: Outlook) -> tuple[tuple[Slot, ...], ...]:
    """Return what an outlook says, whenever it was said."""
    forecasts: tuple[Forecast | None, ...] = outlook.price, outlook.carbon, outlook.solar
    return tuple(forecast.slots if forecast else () for forecast in forecasts)
