"""One running mirror: its feed, its place in the hub's life, and what is shown of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .const import (
    CONF_CONTENTS,
    CONF_DATABASE,
    CONF_HISTORY,
    CONF_NATIVE_WRITE,
    CONF_ORG,
    CONF_PER_TIER,
    CONF_SECRET,
    CONF_SERVER,
    CONF_URL,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
    CONF_VERSION,
    DOMAIN,
    HISTORY_EVERYTHING,
    LOGGER,
)
from .core.model import Micros, Series, TimeRange, to_micros
from .mirror.errors import MirrorError
from .mirror.feed import MirrorFeed, Progress
from .mirror.figures import Figures, MirrorNotice, NoticeKind
from .mirror.influx import Connection, InfluxClient
from .mirror.parcels import Plan
from .mirror.render import identity_tags
from .mirror.selection import ROLL_UPS, Content, Layout
from .mirror.servers import server_kind
from .mirror.view_points import as_in_views
from .mirror_issues import (
    async_clear_mirror_held,
    async_clear_mirror_issues,
    async_report_backlog_full,
    async_report_mirror_held,
)
from .runtime import StrataConfigEntry, supervise
from .sources import ROLES
from .store.base import StoreError
from .store.tiers import RAW
from .store.worker import StoreWorker

INTERVAL = timedelta(seconds=30)


def connection_of(data: Mapping[str, Any]) -> Connection:
    """Return where a mirror's subentry data leads to."""
    return Connection(
        url=data[CONF_URL],
        username=data.get(CONF_USERNAME, ""),
        secret=data.get(CONF_SECRET, ""),
        org=data.get(CONF_ORG, ""),
        native_write=data.get(CONF_NATIVE_WRITE, False),
    )


def contents_of(data: Mapping[str, Any]) -> frozenset[Content]:
    """Return what a mirror's subentry data asks for."""
    return frozenset(Content(content) for content in data[CONF_CONTENTS])


def layout_of(data: Mapping[str, Any]) -> Layout:
    """Return into which databases a mirror's subentry data spreads it."""
    return Layout(base=data[CONF_DATABASE], per_tier=data.get(CONF_PER_TIER, True))


def _offset_fields() -> dict[tuple[str, str], str]:
    return {
        (stored.measurement, stored.field): stored.offset_field
        for role in ROLES
        for stored in role.forecasts
        if stored.offset_field is not None
    }


def series_by_id(worker: StoreWorker) -> Callable[[int], Series | None]:
    """Return what finds a series by its number; safe to call from any thread."""
    known: dict[int, Series] = {}

    def find(number: int) -> Series | None:
        nonlocal known
        series = known.get(number)
        # A store that was started anew numbers its series anew.
        if series is None or series.id != number:
            # A new dictionary, because another thread may be looking into the one before.
            found = {each.id: each for each in worker.all_series() if each.id is not None}
            known, series = found, found.get(number)
        return series

    return find


class MirrorCoordinator(DataUpdateCoordinator[Progress]):
    """Runs the mirror of one subentry; what it shows is looked at from time to time."""

    config_entry: StrataConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: StrataConfigEntry, subentry: ConfigSubentry, worker: StoreWorker
    ) -> None:
        """Prepare; `async_start` begins.

        Raises:
            KeyError: this version does not know the kind of server.
        """
        super().__init__(hass, LOGGER, config_entry=entry, name=subentry.title, update_interval=INTERVAL)
        self.subentry = subentry
        self.configuration = (subentry.title, dict(subentry.data))
        self._worker = worker
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._pauses = 0
        self._pausing = asyncio.Lock()
        data = subentry.data
        client = InfluxClient(async_get_clientsession(hass, data.get(CONF_VERIFY_SSL, True)), connection_of(data))
        plan = Plan(
            contents_of(data),
            layout_of(data),
            worker.ladder,
            series_by_id(worker),
            _offset_fields(),
            server_kind(data[CONF_SERVER]).strings,
            {role.measurement: role.label for role in ROLES if role.label is not None},
            lambda: worker.timezone,
        )
        self.feed = MirrorFeed(subentry.subentry_id, worker, client, plan, listener=self._notice, now=_now)
        self.data = self.feed.progress()

    async def async_delete_series(self, series: Iterable[Series], when: TimeRange | None = None) -> list[str]:
        """Delete the points of some series on the server; return the databases in which that was done.

        Nothing is sent meanwhile. Readings share their points' names with other fields of the same source; those are
        sent again from the store.

        Raises:
            MirrorUnsupported: this kind of server cannot.
            MirrorError: it could, and did not.
        """
        there = [*series]
        async with self.async_paused():
            done = await self._delete_series(there, when)
            self._send_siblings(there, when)
            return done

    @asynccontextmanager
    async def async_paused(self) -> AsyncGenerator[None]:
        """Send nothing meanwhile, not even what was read already; the place is kept, so nothing is lost.

        Requests under way are waited for: what they carry could arrive after it was deleted.
        """
        self._pauses += 1
        try:
            async with self._pausing:
                await self.feed.hold()
                await self._halt()
                self.feed.release()
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self.feed.release()
                self._go_on()

    def _send_siblings(self, there: list[Series], when: TimeRange | None) -> None:
        """Send again what shares its points with series that were deleted, and was deleted with them."""
        gone, named = {one.key for one in there}, {_known_by(one) for one in there}
        siblings = {
            one.id
            for one in self._worker.all_series()
            if one.id is not None and one.key not in gone and _known_by(one) in named
        }
        if siblings:
            span = when or TimeRange(0, _now())
            try:
                self.feed.replay(span.start, span.end, frozenset(siblings))
            except ValueError as error:
                raise MirrorError(f"readings beside those that were deleted cannot be sent again: {error}") from error

    async def _delete_series(self, there: list[Series], when: TimeRange | None) -> list[str]:
        data = self.subentry.data
        client = InfluxClient(async_get_clientsession(self.hass, data.get(CONF_VERIFY_SSL, True)), connection_of(data))
        server = server_kind(data[CONF_SERVER])(client, data.get(CONF_VERSION, ""))
        layout = layout_of(data)
        # What is sent now says nothing of what was sent before it was chosen anew.
        tiers = [RAW, *(content.value for content in sorted(ROLL_UPS))]
        # Points that arrived last are not found at once everywhere.
        await asyncio.sleep(server.readable_after)
        done = await server.delete_series([layout.name(tier) for tier in tiers], there, when)
        of_views = await server.delete_series([layout.name(Content.VIEWS)], as_in_views(there), when)
        return [*dict.fromkeys([*done, *of_views])]

    async def async_forget_lines(self, series: Iterable[Series]) -> None:
        """Forget the lines of series that were set aside, also in the store.

        Raises:
            StoreError: the store cannot be written.
        """
        there = [*series]
        self.figures.forget_lines((one.key.measurement, identity_tags(one)) for one in [*there, *as_in_views(there)])
        await self.feed.save()
        self.async_set_updated_data(self.feed.progress())

    @property
    def subentry_id(self) -> str:
        """What the mirror is known by."""
        return self.subentry.subentry_id

    @property
    def title(self) -> str:
        """What the user calls it."""
        return self.subentry.title

    @property
    def figures(self) -> Figures:
        """What it has counted."""
        return self.feed.figures

    @property
    def connected(self) -> bool:
        """Whether points arrive."""
        return self.feed.progress().trouble is None

    async def async_start(self) -> None:
        """Take up where the mirror was and follow the store from there.

        Raises:
            StoreError: the store cannot be used.
        """
        since = 0 if self.subentry.data.get(CONF_HISTORY) == HISTORY_EVERYTHING else None
        await self.feed.open(since=since)
        self._go_on()

    @callback
    def _go_on(self) -> None:
        before = self._task
        if self._stopped or (before is not None and not before.done() and not before.cancelling()):
            return
        self._task = self.config_entry.async_create_background_task(
            self.hass, self._follow(before), f"{DOMAIN} mirror {self.subentry_id}"
        )

    async def _follow(self, before: asyncio.Task[None] | None) -> None:
        """Run the feed as soon as the one before has ended."""
        if before is not None:
            await asyncio.wait([before])
        await supervise(f"mirror {self.title}", self.feed.run)

    async def async_stop(self, *, forget: bool = False) -> None:
        """End, and keep the place; with `forget` the mirror is gone for good."""
        self._stopped = True
        await self.async_shutdown()
        await self._halt()
        if not forget:
            await self.feed.close()
            return
        async_clear_mirror_issues(self.hass, self.subentry_id)
        try:
            await self.feed.forget()
        except StoreError as error:
            LOGGER.warning("The place of the mirror %s could not be removed from the store: %s", self.title, error)

    async def _halt(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @override
    async def _async_update_data(self) -> Progress:
        return self.feed.progress()

    @callback
    def _notice(self, notice: MirrorNotice) -> None:
        {
            NoticeKind.FAILING: self._failing,
            NoticeKind.HELD: self._held,
            NoticeKind.RECOVERED: self._recovered,
            NoticeKind.BACKLOG_FULL: self._backlog_full,
            NoticeKind.QUARANTINED: self._quarantined,
        }[notice.kind](notice)
        self.async_set_updated_data(self.feed.progress())

    def _failing(self, notice: MirrorNotice) -> None:
        LOGGER.warning("The mirror %s cannot be reached; points wait in the store: %s", self.title, notice.detail)

    def _held(self, notice: MirrorNotice) -> None:
        LOGGER.warning("The mirror %s refuses points, which wait in the store: %s", self.title, notice.detail)
        async_report_mirror_held(self.hass, self.config_entry.entry_id, self.subentry, notice)

    def _recovered(self, notice: MirrorNotice) -> None:
        LOGGER.info("The mirror %s takes points again", self.title)
        async_clear_mirror_held(self.hass, self.subentry_id)

    def _backlog_full(self, notice: MirrorNotice) -> None:
        LOGGER.error(
            "The backlog of the mirror %s is full; its oldest %s rows were given up", self.title, notice.detail
        )
        async_report_backlog_full(self.hass, self.subentry, notice)

    def _quarantined(self, notice: MirrorNotice) -> None:
        LOGGER.warning("The mirror %s does not take some lines, which are set aside: %s", self.title, notice.detail)


def _known_by(series: Series) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what points of a series are found by on a server."""
    return series.key.measurement, tuple(sorted(identity_tags(series).items()))


def _now() -> Micros:
    return to_micros(dt_util.utcnow())
