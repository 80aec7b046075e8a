"""Diagnostics: everything that helps to understand a fault, and nothing that is secret."""

from collections.abc import Mapping
from dataclasses import asdict, replace
import re
from typing import Any

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_LATITUDE, CONF_LONGITUDE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util

from .archive.targets.s3 import CONF_ACCESS_KEY, CONF_SECRET_KEY
from .archive_coordinator import ArchiveCoordinator
from .const import (
    CONF_OPTIONS,
    CONF_PROVIDER,
    CONF_ROLE,
    CONF_SECRET,
    CONF_USERNAME,
    DOMAIN,
    SUBENTRY_ARCHIVE,
    SUBENTRY_MIRROR,
)
from .coordinator import SourceCoordinator
from .last_good import reading_as_json
from .mirror_coordinator import MirrorCoordinator
from .runtime import StrataConfigEntry, StrataData
from .sources import role as role_of
from .sources.base import ParamKind

TAG_LOCATION = "location"
_COORDINATES = re.compile(r"-?\d+\.\d+;-?\d+\.\d+")
"""As the path of a request may name a place."""
TO_REDACT = {CONF_LATITUDE, CONF_LONGITUDE, CONF_SECRET, CONF_USERNAME, CONF_ACCESS_KEY, CONF_SECRET_KEY}


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: StrataConfigEntry) -> dict[str, Any]:
    """Return diagnostics of the hub and all its sources; of a hub that does not run what is configured."""
    configured = {
        "options": dict(entry.options),
        "subentries": [_subentry(dict(subentry.as_dict())) for subentry in entry.subentries.values()],
    }
    return configured | _running(entry.runtime_data) if entry.state is ConfigEntryState.LOADED else configured


def _running(data: StrataData) -> dict[str, Any]:
    return {
        "store": {
            "sizes": asdict(replace(data.store.data, last={})) if data.store.data else None,
            "counters": asdict(data.worker.counters),
            "keep_days": {tier.name: tier.keep.days for tier in data.worker.ladder.tiers if tier.keep},
            "timezone": data.worker.timezone,
        },
        "retention": {
            "running": None if data.retention.progress is None else asdict(data.retention.progress),
            "failures": dict(data.retention.failures),
            "disk_free_bytes": data.retention_watch.disk_free,
        },
        "ingest": data.ingest.counters,
        "sources": {subentry_id: _source(source) for subentry_id, source in data.sources.items()},
        "mirrors": {subentry_id: _mirror(mirror) for subentry_id, mirror in data.mirror_set.running.items()},
        "archives": {subentry_id: _archive(archive) for subentry_id, archive in data.archives.running.items()},
        "ranked": {
            key: {
                "sources": [source.subentry_id for source in role.sources],
                "speaker": role.speaker.subentry_id if role.speaker else None,
            }
            for key, role in data.source_set.ranked.items()
        },
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: StrataConfigEntry, device: dr.DeviceEntry
) -> dict[str, Any]:
    """Return diagnostics of one source; of the hub's own device those of everything."""
    if entry.state is ConfigEntryState.LOADED:
        for subentry_id, source in entry.runtime_data.sources.items():
            if (DOMAIN, subentry_id) in device.identifiers:
                return _source(source)
        for subentry_id, mirror in entry.runtime_data.mirror_set.running.items():
            if (DOMAIN, subentry_id) in device.identifiers:
                return _mirror(mirror)
    return await async_get_config_entry_diagnostics(hass, entry)


def _source(source: SourceCoordinator) -> dict[str, Any]:
    now = dt_util.utcnow()
    reading = source.reading
    return {
        "title": source.title,
        "role": source.role.key,
        "provider": source.provider.key,
        "rank": source.rank,
        "healthy": source.health.healthy,
        "failure": source.health.failure,
        "consecutive_failures": source.health.consecutive_failures,
        "uptime": source.health.uptime(now),
        "interval_seconds": source.interval.total_seconds(),
        "wait_seconds": source.update_interval.total_seconds() if source.update_interval else None,
        "available": source.snapshot() is not None,
        "implausible": dict(source.implausible),
        # A reading's location may be a pair of rounded coordinates.
        "reading": async_redact_data(reading_as_json(reading), {TAG_LOCATION}) if reading else None,
        "fetches": [asdict(fetch) for fetch in source.health.fetches],
        "requests": [
            asdict(request) | {"path": _COORDINATES.sub(REDACTED, request.path)} for request in source.requests
        ],
    }


def _mirror(mirror: MirrorCoordinator) -> dict[str, Any]:
    progress = mirror.feed.progress()
    return {
        "title": mirror.title,
        "connected": mirror.connected,
        "failure": None if progress.trouble is None else str(progress.trouble),
        "waiting": asdict(progress.waiting),
        "lag_seconds": progress.lag,
        "replays": progress.replays,
        "replayed": progress.replayed,
        "figures": mirror.figures.note(),
    }


def _archive(archive: ArchiveCoordinator) -> dict[str, Any]:
    return {"title": archive.title, "failure": archive.failure, "figures": asdict(archive.data)}


def _subentry(subentry: dict[str, Any]) -> dict[str, Any]:
    """Return a subentry without the values of its secret parameters."""
    data = dict(subentry["data"])
    if subentry["subentry_type"] in {SUBENTRY_MIRROR, SUBENTRY_ARCHIVE}:
        mirrored: dict[str, Any] = async_redact_data({**subentry, "data": data}, TO_REDACT)
        return mirrored
    options: Mapping[str, Any] = data.get(CONF_OPTIONS, {})
    secrets = _secret_keys(data.get(CONF_ROLE, ""), data.get(CONF_PROVIDER, ""))
    data[CONF_OPTIONS] = {
        # What an unknown provider's parameters mean is unknown too.
        key: REDACTED if secrets is None or key in secrets else value
        for key, value in options.items()
    }
    redacted: dict[str, Any] = async_redact_data({**subentry, "data": data}, TO_REDACT)
    return redacted


def _secret_keys(role: str, provider: str) -> set[str] | None:
    try:
        params = role_of(role).provider(provider).params
    except KeyError:
        return None
    return {param.key for param in params if param.kind is ParamKind.SECRET}
