"""Outside context in, history kept in layers, insight out."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    EVENT_CORE_CONFIG_UPDATE,
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STOP,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

from .anomalies.coordinator import AnomalyCoordinator
from .anomalies.event_entity import async_fire_on_bus
from .anomalies.options import AnalysisOptions
from .api import async_register_api
from .archive_set import ArchiveSet, holds_raw_rows
from .clock_follower import ClockFollower
from .const import DOMAIN, LOGGER, PLATFORMS, STORE_FILE, STORE_FOLDER, TITLE
from .core.filter import IngestFilter
from .core.model import Micros, to_micros
from .entity import ranked_identifier
from .fetching import QUOTAS, Quotas
from .import_services import async_resume_import
from .ingest import Ingest
from .issues import async_clear_all, async_clear_store_issues, async_report_notice, async_report_store_too_new
from .keeping import CONF_WEATHER, retention_of, watched_of
from .last_good import async_remove_last_good
from .memory import async_remove_memory
from .mirror_set import MirrorSet
from .outdoor import OutdoorTemperature
from .renames import async_catch_up_renames, async_follow_renames, async_note_chosen
from .retention import Retention
from .retention_watch import async_connect_retention
from .runtime import StrataConfigEntry, StrataData, ladder_of, supervise
from .services import async_setup_services
from .source_set import SourceSet
from .store.base import StoreError, StoreNotice, StoreTooNew
from .store.hold import Hold
from .store.worker import StoreWorker
from .store_coordinator import StoreCoordinator
from .view_refresh import ViewRefresh, async_inputs
from .window_set import WindowSet, windows_file

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions and the API, which are there whether or not the hub is set up."""
    hass.data[QUOTAS] = Quotas(hass)
    await hass.data[QUOTAS].async_load()
    async_setup_services(hass)
    async_register_api(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: StrataConfigEntry) -> bool:
    """Open the store, then start what writes to it."""
    worker = await _open_store(hass, entry)
    # Whatever fails below, the file is closed; closing it twice does nothing.
    entry.async_on_unload(worker.close)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        manufacturer=TITLE,
        entry_type=dr.DeviceEntryType.SERVICE,
    )
    await async_catch_up_renames(hass, entry, worker)
    ingest = Ingest(hass, worker, IngestFilter.from_options(entry.options), watched_of(entry.options))
    entry.runtime_data = data = StrataData(
        worker=worker,
        ingest=ingest,
        source_set=SourceSet(hass, entry, worker),
        mirror_set=MirrorSet(hass, entry, worker),
        window_set=WindowSet(hass, entry),
        store=StoreCoordinator(hass, entry, worker),
        anomalies=AnomalyCoordinator(hass, entry, worker, ingest),
        hold=Hold(worker),
        outdoor=OutdoorTemperature(hass, worker),
        archives=ArchiveSet(hass, entry, worker),
        retention=Retention(worker, _now),
        views=(views := ViewRefresh(worker, _now, lambda: async_inputs(hass, entry.runtime_data.source_set))),
        options=entry.options,
        hub_device_id=device.id,
        tasks=[],
    )
    _keep_running(hass, entry, "writer", worker.run)
    _follow_clock(hass, entry)
    async_connect_retention(hass, entry)
    # Should something below fail, nothing may go on into a closed store.
    entry.async_on_unload(data.mirror_set.async_stop)
    entry.async_on_unload(data.archives.async_stop)
    entry.async_on_unload(data.source_set.async_stop)
    entry.async_on_unload(data.window_set.async_stop)
    entry.async_on_unload(data.ingest.async_stop)
    entry.async_on_unload(data.anomalies.async_stop)
    async_follow_renames(hass, entry)
    data.ingest.async_start()
    entry.async_on_unload(data.outdoor.async_stop)
    data.outdoor.async_follow(retention_of(entry.options).get(CONF_WEATHER))
    await data.source_set.async_follow()
    await data.mirror_set.async_follow()
    await data.archives.async_follow()
    # Not before it knows what is to be done first: rows that go without that are lost.
    _keep_running(hass, entry, "retention", data.retention.run)
    await data.window_set.async_follow()
    await data.anomalies.async_start()
    async_fire_on_bus(hass, entry)
    await async_resume_import(hass, entry)
    _keep_running(hass, entry, "views", views.run)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_create_background_task(hass, data.store.async_refresh(), f"{DOMAIN} store size")
    await async_note_chosen(hass, entry, worker)
    _listen(hass, entry)
    return True


def _now() -> Micros:
    return to_micros(dt_util.utcnow())


@callback
def _follow_clock(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Build on nothing that a wrong clock says; once it was set, everything that remembers moments begins anew."""
    data = entry.runtime_data
    follower = ClockFollower(data.worker, _now, lambda: hass.config_entries.async_schedule_reload(entry.entry_id))
    data.retention.hooks.believes_clock = follower.believes
    _keep_running(hass, entry, "clock", follower.run)


@callback
def _keep_running(
    hass: HomeAssistant, entry: StrataConfigEntry, name: str, work: Callable[[], Awaitable[None]]
) -> None:
    task = entry.async_create_background_task(hass, supervise(name, work), f"{DOMAIN} {name}")
    entry.runtime_data.tasks.append(task)


async def _open_store(hass: HomeAssistant, entry: StrataConfigEntry) -> StoreWorker:
    """Open the store in the configuration folder.

    Raises:
        ConfigEntryError: only another version can read the file.
        ConfigEntryNotReady: it cannot be opened now, for instance because the disk is full.
    """

    @callback
    def listener(notice: StoreNotice) -> None:
        async_report_notice(hass, notice)

    worker = StoreWorker(
        Path(hass.config.path(STORE_FOLDER, STORE_FILE)),
        timezone=hass.config.time_zone,
        listener=listener,
        now=_now,
        ladder=ladder_of(entry.options),
    )
    worker.archived_only = holds_raw_rows(entry.options)
    try:
        await worker.open()
    except StoreTooNew as error:
        await worker.close()
        async_report_store_too_new(hass, str(error))
        raise ConfigEntryError(
            translation_domain=DOMAIN,
            translation_key="store_too_new",
            translation_placeholders={"reason": str(error)},
        ) from error
    except StoreError as error:
        await worker.close()
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key="store_failed",
            translation_placeholders={"reason": str(error)},
        ) from error
    async_clear_store_issues(hass)
    return worker


@callback
def _listen(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Follow what changes while the hub runs, and the end of Home Assistant."""
    data = entry.runtime_data

    @callback
    def home_changed(_event: Event) -> None:
        # Place and currency are read anew for each fetch; only the store keeps a clock of its own.
        data.worker.timezone = hass.config.time_zone

    @callback
    def stopping(_event: Event) -> None:
        # What integrations set while they shut down says nothing about the home.
        data.ingest.async_stop()
        data.outdoor.async_stop()

    async def final_write(_event: Event) -> None:
        await data.hold.end()
        data.ingest.async_stop()
        await data.anomalies.async_stop()
        await data.store.async_shutdown()
        await data.mirror_set.async_stop()
        await data.archives.async_stop()
        await data.worker.close()

    entry.async_on_unload(hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, home_changed))
    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stopping))
    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, final_write))
    entry.async_on_unload(entry.add_update_listener(_async_updated))


async def _async_updated(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Apply changed options and subentries; nothing else is touched and nothing is reloaded."""
    data = entry.runtime_data
    if entry.options != data.options:
        data.options = entry.options
        data.ingest.async_set_filter(IngestFilter.from_options(entry.options))
        data.ingest.async_set_watched(watched_of(entry.options))
        data.outdoor.async_follow(retention_of(entry.options).get(CONF_WEATHER))
        data.worker.ladder = ladder_of(entry.options)
        await data.anomalies.async_set_options(AnalysisOptions.of(entry.options))
    await data.source_set.async_follow()
    await data.mirror_set.async_follow()
    await data.archives.async_follow()
    await data.window_set.async_follow()
    await async_note_chosen(hass, entry, data.worker)


async def async_unload_entry(hass: HomeAssistant, entry: StrataConfigEntry) -> bool:
    """End everything in the order in which it feeds on each other; what waits is stored."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    data = entry.runtime_data
    await data.hold.end()
    data.ingest.async_stop()
    await data.window_set.async_stop()
    await data.source_set.async_stop()
    await data.mirror_set.async_stop()
    await data.anomalies.async_stop()
    await data.store.async_shutdown()
    await data.archives.async_stop()
    for task in data.tasks:
        task.cancel()
    await data.worker.close()
    return True


async def async_remove_entry(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Forget the sources' last readings; the recorded history stays where it is."""
    for subentry_id in entry.subentries:
        await async_remove_last_good(hass, subentry_id)
        await async_remove_memory(hass, subentry_id)
    await hass.data[QUOTAS].async_remove()
    await windows_file(hass).async_remove()
    async_clear_all(hass)
    LOGGER.info(
        "The recorded history stays in %s; delete that folder if it is no longer wanted",
        hass.config.path(STORE_FOLDER),
    )


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: StrataConfigEntry, device: dr.DeviceEntry
) -> bool:
    """Allow removing a device that nothing stands behind any more; only a running hub knows that."""
    if entry.state is not ConfigEntryState.LOADED:
        return False
    source_set = entry.runtime_data.source_set
    in_use = {(DOMAIN, entry.entry_id), *((DOMAIN, subentry_id) for subentry_id in entry.subentries)}
    in_use |= {
        ranked_identifier(entry.entry_id, key) for key, role in source_set.ranked.items() if len(role.sources) > 1
    }
    return not device.identifiers & in_use
