"""A real Home Assistant core in this process, with Strata or another recorder of states beside it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
import random
import sys

from homeassistant import bootstrap, loader
from homeassistant.config_entries import SOURCE_IMPORT, SOURCE_USER, ConfigEntries, ConfigEntry
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.setup import async_setup_component

from custom_components.strata.core.model import TimeRange
from custom_components.strata.runtime import StrataData
from custom_components.strata.store.reader import StoreReader

ENTITIES = 150
PREFIX = "sensor.bench_"
_PATIENCE = 30.0
_CORE = {
    "name": "Bench",
    "latitude": 52.52,
    "longitude": 13.4,
    "elevation": 34,
    "country": "DE",
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "unit_system": "metric",
}
_CLASSES = (("power", "W"), ("temperature", "°C"), ("energy", "kWh"), ("humidity", "%"), ("voltage", "V"))


def _furnish(folder: Path) -> None:
    (folder / "configuration.yaml").write_text("", encoding="utf-8")
    (folder / "custom_components").symlink_to(Path(__file__).resolve().parents[2] / "custom_components")


@asynccontextmanager
async def home_assistant(folder: Path) -> AsyncGenerator[HomeAssistant]:
    """Run Home Assistant on a folder of its own, without a frontend."""
    _furnish(folder)
    hass = HomeAssistant(str(folder))
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    for domain in (*sorted(bootstrap.CORE_INTEGRATIONS), "network"):
        await async_setup_component(hass, domain, {})
    await async_process_ha_core_config(hass, dict(_CORE))
    hass.set_state(CoreState.running)
    await hass.async_block_till_done()
    try:
        yield hass
    finally:
        await hass.async_stop(force=True)


async def add_entry(hass: HomeAssistant, domain: str, *, data: Mapping[str, object] | None = None) -> ConfigEntry:
    """Set an integration up through its flow.

    Raises:
        RuntimeError: the flow did not end with an entry that runs.
    """
    source = SOURCE_USER if data is None else SOURCE_IMPORT
    result = await hass.config_entries.flow.async_init(
        domain, context={"source": source}, data=None if data is None else dict(data)
    )
    if result["type"].value == "form":
        result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    await hass.async_block_till_done()
    entries = hass.config_entries.async_entries(domain)
    limit = hass.loop.time() + _PATIENCE
    # Home Assistant tries again by itself and tells nobody.
    while entries and entries[0].state.value == "setup_retry" and hass.loop.time() < limit:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    if not entries or entries[0].state.value != "loaded":
        raise RuntimeError(f"{domain} could not be set up: {result}")
    return entries[0]


@asynccontextmanager
async def null_influxdb() -> AsyncGenerator[Mapping[str, object]]:
    """Run a server in another process that takes everything and keeps nothing; give the settings that lead to it."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.benchmarks.null_server", stdout=asyncio.subprocess.PIPE
    )
    try:
        port = int(await server.stdout.readline()) if server.stdout else 0
        yield {
            "api_version": "1",
            "host": "127.0.0.1",
            "port": port,
            "ssl": False,
            "verify_ssl": False,
            "database": "bench",
        }
    finally:
        server.terminate()
        await server.wait()


async def stored_since(entry: ConfigEntry[StrataData], began: int) -> int:
    """Return how many rows of the bench's sensors are in the file, dated `began` (microseconds) or later."""
    worker = entry.runtime_data.worker
    await worker.flush()

    def count(reader: StoreReader) -> int:
        sensors = [s.id or 0 for s in reader.series() if s.labels.get("entity_id", "").startswith(PREFIX)]
        return sum(len(reader.raw(number, TimeRange(began, 2**62))) for number in sensors)

    return await worker.read(count)


class StateChanges:
    """Sets states of a home's sensors, each to something new every time."""

    def __init__(self, hass: HomeAssistant, seed: int = 1) -> None:
        self._hass = hass
        self._chance = random.Random(seed)
        self._next = 0
        self.count = 0
        self.last: dict[str, str] = {}
        self._entities = []
        for number in range(ENTITIES):
            device_class, unit = _CLASSES[number % len(_CLASSES)]
            state_class = "total_increasing" if device_class == "energy" else "measurement"
            attributes = {
                "device_class": device_class,
                "unit_of_measurement": unit,
                "state_class": state_class,
                "friendly_name": f"Sensor {number}",
            }
            self._entities.append((f"{PREFIX}{number}", attributes))

    def change(self, count: int) -> None:
        """Change the next `count` sensors, in turn."""
        for _ in range(count):
            entity_id, attributes = self._entities[self._next]
            self._next = (self._next + 1) % ENTITIES
            self.count += 1
            value = (
                f"{self.count / 10:.1f}" if "energy" in attributes.values() else f"{self._chance.gauss(200, 50):.4f}"
            )
            if self.last.get(entity_id) == value:
                value += "1"
            self.last[entity_id] = value
            self._hass.states.async_set(entity_id, value, attributes)
