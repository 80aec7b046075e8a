"""System health: the store at a glance, and whether the sources can be reached."""

from typing import Any
from urllib.parse import urlsplit

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .const import BASE_URLS, DOMAIN
from .runtime import StrataConfigEntry, StrataData

MEGABYTE = 1_000_000


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register what is shown."""
    register.async_register_info(_async_info, f"/config/integrations/integration/{DOMAIN}")


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return what is shown."""
    entries: list[StrataConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    if not entries:
        return {"hub": "not set up"}
    data = entries[0].runtime_data
    counters = data.worker.counters
    sources = data.sources.values()
    return {
        "store_size": f"{data.store.data.file_bytes / MEGABYTE:.1f} MB" if data.store.data else None,
        "stored_events": counters.stored,
        "waiting_rows": counters.waiting,
        "dropped_rows": counters.dropped,
        "sources": len(data.sources),
        "healthy_sources": sum(1 for source in sources if source.health.healthy),
        **{
            # Not awaited: the page fills in each answer as it comes.
            f"{urlsplit(url).netloc} reachable": system_health.async_check_can_reach_url(hass, url)
            for url in sorted(_base_urls(hass, data))
        },
    }


def _base_urls(hass: HomeAssistant, data: StrataData) -> set[str]:
    overridden = hass.data.get(BASE_URLS, {})
    return {
        overridden.get(f"{source.role.key}.{source.provider.key}", source.provider.base_url)
        for source in data.sources.values()
        if source.provider.base_url
    }
