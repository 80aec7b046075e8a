"""The temperature of the chosen weather entity is a series of its own."""

from homeassistant.core import HomeAssistant
import pytest

from custom_components.strata.core.model import SeriesKey, TimeRange
from tests.integration.given import StartHub

KEY = SeriesKey("home_assistant_events", "entity:weather.home", "temperature")


def weather(hass: HomeAssistant, temperature: object, state: str = "sunny") -> None:
    hass.states.async_set("weather.home", state, {"temperature": temperature, "temperature_unit": "°C"})


async def values(entry) -> list[float]:
    worker = entry.runtime_data.worker
    await worker.flush()
    series = worker.find(KEY)
    return (await worker.read(lambda reader: reader.raw(series.id, TimeRange(0, 2**62)))).values.tolist()


async def test_temperature_is_recorded_while_it_is_wanted(home: HomeAssistant, start_hub: StartHub) -> None:
    weather(home, 3.5)
    entry = await start_hub(retention={"weather": "weather.home"})
    for temperature, state in ((3.5, "rainy"), (4, "rainy"), (None, "unavailable"), (4.5, "sunny")):
        weather(home, temperature, state)
        await home.async_block_till_done(wait_background_tasks=False)
    assert await values(entry) == pytest.approx([3.5, 4.0, float("nan"), 4.5], nan_ok=True)
    series = entry.runtime_data.worker.find(KEY)
    assert (series.unit, series.labels["entity_id"], series.labels["device_class"]) == (
        "°C",
        "weather.home",
        "temperature",
    )
    home.config_entries.async_update_entry(entry, options={})
    await home.async_block_till_done(wait_background_tasks=False)
    weather(home, 9.0)
    await home.async_block_till_done(wait_background_tasks=False)
    assert len(await values(entry)) == 4


async def test_nothing_is_recorded_where_nothing_is_chosen(home: HomeAssistant, start_hub: StartHub) -> None:
    weather(home, 3.5)
    entry = await start_hub()
    await home.async_block_till_done(wait_background_tasks=False)
    assert entry.runtime_data.worker.find(KEY) is None
