"""A source is added while the home is busy: nothing of the home is lost, and no other source notices."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from types import MappingProxyType

from freezegun import freeze_time
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.core.model import Flag, TimeRange, to_micros
from tests.integration.given import NOW, PRICE_URL, StartHub, entity_source, price_source, prices, settle

RATE = 500
"""Changes in a second."""
SECONDS = 4
ENTITIES = 50
BATCHES = 50
"""In a second: a change every 2 ms in the mean, ten at a time."""
PRICE = "sensor.energy_charts_de_lu_current_price"


class BusyHome:
    """Changes 50 sensors 500 times a second and remembers every state that was fired."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self.fired: dict[str, list[tuple[int, float]]] = {}

    @callback
    def listen(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if isinstance(state, State) and state.entity_id.startswith("sensor.busy_"):
            changed = round(state.last_changed_timestamp * 1_000_000)
            self.fired.setdefault(state.entity_id, []).append((changed, float(state.state)))

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for count in range(RATE * SECONDS):
            attributes = {"unit_of_measurement": "W", "device_class": "power"}
            self._hass.states.async_set(f"sensor.busy_{count % ENTITIES}", str(count), attributes)
            if count % (RATE // BATCHES) == 0:
                await asyncio.sleep(max(0.0, began + count / RATE - loop.time()))


@pytest.fixture(autouse=True)
def _far_from_any_slot_border() -> Generator[None]:
    # Time goes on, so that each change has an instant of its own.
    with freeze_time(NOW, tick=True):
        yield


@pytest.fixture
async def busy(home: HomeAssistant) -> AsyncGenerator[BusyHome]:
    there = BusyHome(home)
    stop = home.bus.async_listen(EVENT_STATE_CHANGED, there.listen)
    yield there
    stop()


async def stored(entry: MockConfigEntry, entity_id: str) -> list[tuple[int, float]]:
    """Return time and value of all rows the file has of an entity."""
    worker = entry.runtime_data.worker
    (series,) = (found for found in worker.all_series() if found.labels.get("entity_id") == entity_id)
    now = to_micros(dt_util.utcnow())
    rows = await worker.read(lambda reader: reader.raw(series.id, TimeRange(now - 600_000_000, now + 600_000_000)))
    assert set(rows.flags.tolist()) == {Flag.OK}
    return list(zip(rows.times.tolist(), rows.values.tolist(), strict=True))


async def test_every_fired_change_is_stored_while_sources_come_and_go(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker, busy: BusyHome
) -> None:
    aioclient_mock.get(PRICE_URL, json=prices())
    home.states.async_set("sensor.grid_carbon", "230", {"unit_of_measurement": "gCO2eq/kWh"})
    entry = await start_hub(price_source())
    await settle(home, entry)
    data = entry.runtime_data
    (untouched,) = data.sources.values()
    calls, shown = aioclient_mock.call_count, home.states.get(PRICE)
    assert shown is not None
    added = entity_source()
    subentry = ConfigSubentry(
        data=MappingProxyType(added["data"]), subentry_type="source", title="Grid", unique_id=added["unique_id"]
    )

    changes = asyncio.create_task(busy.run())
    await asyncio.sleep(1)
    home.config_entries.async_add_subentry(entry, subentry)
    async with asyncio.timeout(20):
        while (grid := home.states.get("sensor.grid_carbon_intensity")) is None or grid.state != "230.0":
            await asyncio.sleep(0.05)
    home.config_entries.async_update_subentry(entry, entry.subentries[subentry.subentry_id], title="Mains")
    await asyncio.sleep(1)
    home.config_entries.async_remove_subentry(entry, subentry.subentry_id)
    await changes
    await settle(home, entry)

    assert entry.runtime_data is data
    assert [*data.sources.values()] == [untouched]
    assert aioclient_mock.call_count == calls
    assert home.states.get(PRICE) is shown, "its state was not even written again"

    assert await data.worker.flush()
    assert sum(len(rows) for rows in busy.fired.values()) == RATE * SECONDS
    for entity_id, rows in busy.fired.items():
        assert await stored(entry, entity_id) == rows
    assert data.worker.counters.dropped == 0
