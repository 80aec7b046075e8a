"""The temperature of the chosen weather entity is a series of its own."""

from datetime import UTC, datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.strata.core.model import SeriesKey, TimeRange, to_micros
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
    # A temperature that nobody asks for any more does not hold on.
    assert await values(entry) == pytest.approx([3.5, 4.0, float("nan"), 4.5, float("nan")], nan_ok=True)


async def hours(entry, begin: datetime, count: int) -> list[tuple[float, float]]:
    """Return the known seconds and the mean of hours."""
    worker, series = entry.runtime_data.worker, entry.runtime_data.worker.find(KEY)
    await worker.flush()
    until = to_micros(begin + timedelta(hours=count))
    await worker.write(lambda store: store.roll_up(until))
    found = await worker.read(lambda reader: reader.tier("hourly", series.id, series.kind, TimeRange(0, until)))
    return [*zip(found.covered_seconds.tolist(), found.mean.tolist(), strict=True)]


@pytest.mark.parametrize("ending", ["nothing chosen", "another chosen", "unavailable", "no temperature", "removed"])
async def test_a_temperature_ends_where_it_is_not_known(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, ending: str
) -> None:
    begin = datetime(2026, 11, 21, 10, tzinfo=UTC)
    freezer.move_to(begin)
    home.states.async_set("weather.other", "sunny", {"temperature": 20, "temperature_unit": "°C"})
    weather(home, 4.0)
    entry = await start_hub(retention={"weather": "weather.home"})
    freezer.move_to(begin + timedelta(minutes=15))
    match ending:
        case "nothing chosen":
            home.config_entries.async_update_entry(entry, options={})
        case "another chosen":
            home.config_entries.async_update_entry(entry, options={"retention": {"weather": "weather.other"}})
        case "unavailable":
            weather(home, 4.0, "unavailable")
        case "no temperature":
            weather(home, None)
        case "removed":
            home.states.async_remove("weather.home")
    await home.async_block_till_done(wait_background_tasks=False)
    freezer.move_to(begin + timedelta(hours=3))
    assert await hours(entry, begin, 3) == [(900.0, 4.0)]
    # It begins again with what is said then, not with what was said meanwhile.
    weather(home, 7.0)
    home.config_entries.async_update_entry(entry, options={"retention": {"weather": "weather.home"}})
    await home.async_block_till_done(wait_background_tasks=False)
    freezer.move_to(begin + timedelta(hours=4))
    assert await hours(entry, begin, 4) == [(900.0, 4.0), (3600.0, 7.0)]


async def test_what_was_said_before_it_was_chosen_is_not_told(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    begin = datetime(2026, 11, 21, 10, tzinfo=UTC)
    freezer.move_to(begin)
    weather(home, 4.0)
    entry = await start_hub()
    freezer.move_to(begin + timedelta(minutes=45))
    home.config_entries.async_update_entry(entry, options={"retention": {"weather": "weather.home"}})
    await home.async_block_till_done(wait_background_tasks=False)
    freezer.move_to(begin + timedelta(hours=1))
    assert await hours(entry, begin, 1) == [(900.0, 4.0)]


async def test_it_follows_a_renamed_entity_without_a_gap(home: HomeAssistant, start_hub: StartHub) -> None:
    registry = er.async_get(home)
    known = registry.async_get_or_create("weather", "demo", "1", suggested_object_id="home")
    weather(home, 3.5)
    entry = await start_hub(retention={"weather": "weather.home"})

    @callback
    def move(event: object) -> None:
        home.states.async_remove("weather.home")
        home.states.async_set("weather.house", "sunny", {"temperature": 3.5, "temperature_unit": "°C"})

    stop = home.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, move)
    registry.async_update_entity("weather.home", new_entity_id="weather.house")
    stop()
    await home.async_block_till_done(wait_background_tasks=False)
    home.states.async_set("weather.house", "sunny", {"temperature": 5.0, "temperature_unit": "°C"})
    await home.async_block_till_done(wait_background_tasks=False)
    worker = entry.runtime_data.worker
    await worker.flush()
    series = worker.find(SeriesKey.of_entity("home_assistant_events", known.id, "temperature"))
    rows = await worker.read(lambda reader: reader.raw(series.id, TimeRange(0, 2**62)))
    assert rows.values.tolist() == [3.5, 5.0]
    assert series.labels["entity_id"] == "weather.house"


async def test_another_unit_is_converted_and_nonsense_is_not_known(home: HomeAssistant, start_hub: StartHub) -> None:
    weather(home, 3.5)
    entry = await start_hub(retention={"weather": "weather.home"})
    for temperature, unit in ((50.0, "°F"), (50.0, "bar"), (float("inf"), "°C"), (6.0, None)):
        home.states.async_set("weather.home", "sunny", {"temperature": temperature, "temperature_unit": unit})
        await home.async_block_till_done(wait_background_tasks=False)
    assert await values(entry) == pytest.approx([3.5, 10.0, float("nan"), 6.0], nan_ok=True)


async def test_nothing_is_recorded_where_nothing_is_chosen(home: HomeAssistant, start_hub: StartHub) -> None:
    weather(home, 3.5)
    entry = await start_hub()
    await home.async_block_till_done(wait_background_tasks=False)
    assert entry.runtime_data.worker.find(KEY) is None
