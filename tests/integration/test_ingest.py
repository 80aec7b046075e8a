"""State changes of a real Home Assistant, on their way into the store."""

import asyncio
from collections.abc import Callable
import datetime as dt
from pathlib import Path

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.sensor.const import NON_NUMERIC_DEVICE_CLASSES
from homeassistant.const import EntityCategory
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    label_registry as lr,
)
from homeassistant.helpers.entity import entity_sources
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.core.filter import IngestFilter
from custom_components.strata.core.model import Cause, Flag, Series, SeriesKey, TimeRange, to_micros
from custom_components.strata.core.states import TEXT_DEVICE_CLASSES
from custom_components.strata.ingest import SLICE, Ingest
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.worker import StoreWorker
from tests.recorded_rows import RecordedRows

POWER = {"device_class": "power", "unit_of_measurement": "W", "state_class": "measurement", "friendly_name": "Boiler"}
START = dt.datetime(2026, 11, 20, 10, 0, tzinfo=dt.UTC)


def second(count: float) -> int:
    """Microseconds at `count` seconds after the start."""
    return to_micros(START + dt.timedelta(seconds=count))


@pytest.fixture(autouse=True)
def _time(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(START)


@pytest.fixture
def store() -> RecordedRows:
    return RecordedRows(started=second(0))


@pytest.fixture
def start(hass: HomeAssistant, store: RecordedRows) -> Callable[..., Ingest]:
    def started(**options: object) -> Ingest:
        ingest = Ingest(hass, store, IngestFilter.from_options(options))
        ingest.async_start()
        return ingest

    return started


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    entry = MockConfigEntry(domain="mqtt")
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
def boiler(hass: HomeAssistant, entry: MockConfigEntry) -> er.RegistryEntry:
    device = dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, identifiers={("mqtt", "boiler")})
    return er.async_get(hass).async_get_or_create(
        "sensor",
        "mqtt",
        "boiler-power",
        suggested_object_id="boiler",
        config_entry=entry,
        device_id=device.id,
        original_device_class="power",
    )


def series_of(store: RecordedRows, identity: str, field: str = "value") -> Series:
    return store.known[SeriesKey.of_entity("home_assistant_events", identity, field)]


def told(store: RecordedRows) -> list[tuple[float | str | None, float, Flag]]:
    """The rows as (value or text, seconds after the start, flag)."""
    return [
        (row.value if row.text is None else row.text, (row.time - second(0)) / 1_000_000, row.flag)
        for row in store.rows
    ]


def test_sensor_classes_that_are_no_numbers_are_those_of_home_assistant() -> None:
    assert {device_class.value for device_class in NON_NUMERIC_DEVICE_CLASSES} == TEXT_DEVICE_CLASSES


async def test_changes_become_rows_with_their_cause(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    ingest = start()
    freezer.tick(1.25)
    hass.states.async_set("light.hall", "on", {"brightness": 3}, context=Context("u1", "p1", "c1"))
    freezer.tick(1)
    hass.states.async_set("light.hall", "on", {"brightness": 200})
    hass.states.async_set("light.hall", "on", {"brightness": 200}, force_update=True)
    freezer.tick(1)
    hass.states.async_set("light.hall", "off", {})
    assert told(store) == [(1.0, 1.25, Flag.OK), (0.0, 3.25, Flag.OK)]
    assert store.rows[0].cause == Cause("c1", "p1", "u1")
    assert store.rows[0].attributes == {"brightness": 3}
    assert ingest.counters == {"value": 2, "gap": 0, "resumed": 0, "unchanged": 2, "excluded": 0}
    assert series_of(store, "light.hall").labels == {"entity_id": "light.hall", "domain": "light"}


async def test_unchanged_attributes_stay_one_object(
    hass: HomeAssistant, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    start()
    for value in range(3):
        hass.states.async_set("sensor.boiler", str(value), dict(POWER))
    assert len({id(row.attributes) for row in store.rows}) == 1


async def test_states_that_are_there_at_the_start(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    hass.states.async_set("light.hall", "on")
    hass.states.async_set("light.attic", "unavailable")
    freezer.tick(60)
    start()
    assert told(store) == [(1.0, 0, Flag.OK)]
    freezer.tick(1)
    hass.states.async_set("light.attic", "off")
    assert told(store)[1:] == [(0.0, 61, Flag.OK)]


async def test_reload_of_the_integration_leaves_no_hole_and_no_double(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    ingest = start()
    hass.states.async_set("light.hall", "on")
    hass.states.async_set("light.attic", "on")
    ingest.async_stop()
    freezer.tick(30)
    hass.states.async_set("light.attic", "off")
    assert len(store.rows) == 2
    freezer.tick(30)
    again = store.next_run(stop=second(5), start=second(60))
    Ingest(hass, again, IngestFilter()).async_start()
    assert told(again) == [(None, 5, Flag.RESUME), (0.0, 30, Flag.OK)]


async def test_an_entity_that_goes_leaves_a_gap(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    start()
    hass.states.async_set("light.hall", "on")
    freezer.tick(2)
    hass.states.async_remove("light.hall", context=Context("u1", None, "c9"))
    assert told(store) == [(1.0, 0, Flag.OK), (None, 2, Flag.GAP)]
    assert store.rows[1].cause == Cause("c9", None, "u1")
    freezer.tick(2)
    hass.states.async_set("light.hall", "on")
    assert told(store)[2:] == [(1.0, 4, Flag.OK)]


async def test_an_entity_of_the_registry_is_known_by_its_id(
    hass: HomeAssistant, boiler: er.RegistryEntry, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    ar.async_get(hass).async_get_or_create("Cellar")
    assert boiler.device_id is not None
    dr.async_get(hass).async_update_device(boiler.device_id, area_id="cellar")
    start()
    hass.states.async_set(boiler.entity_id, "230", POWER)
    series = series_of(store, boiler.id)
    assert series.labels == {
        "entity_id": "sensor.boiler",
        "domain": "sensor",
        "device_class": "power",
        "area_id": "cellar",
        "device_id": boiler.device_id,
        "friendly_name": "Boiler",
    }
    assert series.fine


async def test_rename_move_and_class_keep_one_series(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    boiler: er.RegistryEntry,
    start: Callable[..., Ingest],
    store: RecordedRows,
) -> None:
    registry = er.async_get(hass)
    areas = ar.async_get(hass)
    start()
    hass.states.async_set("sensor.boiler", "230", POWER)
    series = series_of(store, boiler.id)

    # A registered entity moves its state itself: taken away under the old name, set under the new one.
    @callback
    def move(event: object) -> None:
        hass.states.async_remove("sensor.boiler")
        hass.states.async_set("sensor.water_heater", "230", POWER)

    stop = hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, move)
    freezer.tick(1)
    registry.async_update_entity("sensor.boiler", new_entity_id="sensor.water_heater")
    stop()
    assert series.labels["entity_id"] == "sensor.water_heater"

    area = areas.async_get_or_create("Attic")
    registry.async_update_entity("sensor.water_heater", name="Water heater", area_id=area.id)
    assert series.labels["area_id"] == "attic"
    areas.async_delete(area.id)
    assert "area_id" not in series.labels

    registry.async_update_entity("sensor.water_heater", device_class="apparent_power")
    assert series.labels["device_class"] == "apparent_power"
    hass.states.async_set("sensor.water_heater", "230", {**POWER, "friendly_name": "Water heater"})
    assert series.labels["friendly_name"] == "Water heater"
    freezer.tick(1)
    hass.states.async_set("sensor.water_heater", "240", POWER)

    assert told(store) == [(230.0, 0, Flag.OK), (240.0, 2, Flag.OK)]
    assert list(store.known.values()) == [series]


async def test_renaming_a_real_entity_leaves_no_gap(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    start()
    assert await async_setup_component(hass, "input_boolean", {"input_boolean": {"guests": {"initial": True}}})
    await hass.async_block_till_done()
    freezer.tick(5)
    er.async_get(hass).async_update_entity("input_boolean.guests", new_entity_id="input_boolean.visitors")
    await hass.async_block_till_done()
    freezer.tick(5)
    await hass.services.async_call(
        "input_boolean", "turn_off", target={"entity_id": "input_boolean.visitors"}, blocking=True
    )
    assert told(store) == [(1.0, 0, Flag.OK), (0.0, 10, Flag.OK)]
    assert [series.labels["entity_id"] for series in store.known.values()] == ["input_boolean.visitors"]


async def test_a_device_moves_and_its_parts_with_it(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    boiler: er.RegistryEntry,
    start: Callable[..., Ingest],
    store: RecordedRows,
) -> None:
    devices = dr.async_get(hass)
    assert boiler.device_id is not None
    part = devices.async_get_or_create_child(
        config_entry_id=entry.entry_id, identifiers={("mqtt", "pump")}, parent_device_id=boiler.device_id
    )
    pump = er.async_get(hass).async_get_or_create(
        "switch", "mqtt", "pump", suggested_object_id="pump", config_entry=entry, device_id=part.id
    )
    start()
    hass.states.async_set("sensor.boiler", "230", POWER)
    hass.states.async_set("switch.pump", "on")
    ar.async_get(hass).async_get_or_create("Cellar")
    devices.async_update_device(boiler.device_id, area_id="cellar")
    assert series_of(store, boiler.id).labels["area_id"] == "cellar"
    assert series_of(store, pump.id).labels["area_id"] == "cellar"
    # Changes that say nothing about where it is or what it is called pass by.
    devices.async_update_device(boiler.device_id, sw_version="2")
    assert len(store.rows) == 2


async def test_a_disabled_entity_of_a_moved_device_is_nobody(
    hass: HomeAssistant, boiler: er.RegistryEntry, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    start()
    assert boiler.device_id is not None
    dr.async_get(hass).async_update_device(boiler.device_id, labels={"watch"})
    er.async_get(hass).async_update_entity("sensor.boiler", new_entity_id="sensor.other")
    er.async_get(hass).async_remove("sensor.other")
    assert store.rows == []


async def test_labels_areas_and_classes_decide_while_it_runs(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    boiler: er.RegistryEntry,
    start: Callable[..., Ingest],
    store: RecordedRows,
) -> None:
    private = lr.async_get(hass).async_create("private").label_id
    ingest = start(exclude_labels=[private])
    hass.states.async_set("sensor.boiler", "230", POWER)
    freezer.tick(1)
    er.async_get(hass).async_update_entity("sensor.boiler", labels={private})
    freezer.tick(1)
    hass.states.async_set("sensor.boiler", "240", POWER)
    assert ingest.counters["excluded"] == 1
    freezer.tick(1)
    lr.async_get(hass).async_delete(private)
    freezer.tick(1)
    hass.states.async_set("sensor.boiler", "250", POWER)
    assert told(store) == [(230.0, 0, Flag.OK), (None, 1, Flag.GAP), (240.0, 3, Flag.OK), (250.0, 4, Flag.OK)]


async def test_label_of_the_device_counts(
    hass: HomeAssistant, boiler: er.RegistryEntry, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    start(include_labels=["watch"])
    hass.states.async_set("sensor.boiler", "230", POWER)
    assert store.rows == []
    assert boiler.device_id is not None
    dr.async_get(hass).async_update_device(boiler.device_id, labels={"watch"})
    assert told(store) == [(230.0, 0, Flag.OK)]


async def test_another_filter(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    ingest = start()
    hass.states.async_set("light.hall", "on")
    hass.states.async_set("switch.pump", "off")
    freezer.tick(5)
    ingest.async_set_filter(IngestFilter.from_options({"exclude_domains": ["light"]}))
    assert told(store)[2:] == [(None, 5, Flag.GAP)]
    freezer.tick(5)
    hass.states.async_set("light.hall", "off")
    hass.states.async_set("light.hall", "on")
    freezer.tick(5)
    ingest.async_set_filter(IngestFilter())
    # It is on again, but what it was in between is nobody's business.
    assert told(store)[3:] == [(None, 15, Flag.RESUME)]
    freezer.tick(5)
    hass.states.async_set("light.hall", "off")
    assert told(store)[4:] == [(0.0, 20, Flag.OK)]


async def test_a_state_without_its_attributes_is_judged_again_when_they_come(
    hass: HomeAssistant, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    start(include_device_classes=["power"])
    hass.states.async_set("sensor.boiler", "unavailable")
    hass.states.async_set("sensor.boiler", "230", POWER)
    assert told(store) == [(230.0, 0, Flag.OK)]


async def test_an_entity_that_becomes_a_secret_ends_at_once(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    start()
    hass.states.async_set("input_text.note", "milk", {"mode": "text"})
    freezer.tick(1)
    hass.states.async_set("input_text.note", "hunter2", {"mode": "password"})
    freezer.tick(1)
    hass.states.async_set("input_text.note", "bread", {"mode": "text"})
    assert told(store) == [("milk", 0, Flag.OK), (None, 1, Flag.GAP), ("bread", 2, Flag.OK)]


async def test_an_entity_that_gets_a_registry_entry_begins_a_series(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    start: Callable[..., Ingest],
    store: RecordedRows,
) -> None:
    start()
    hass.states.async_set("light.hall", "on")
    freezer.tick(3)
    # Home Assistant gives an id to an entry only when no state has it.
    hass.states.async_remove("light.hall")
    created = er.async_get(hass).async_get_or_create(
        "light", "mqtt", "hall", suggested_object_id="hall", config_entry=entry
    )
    freezer.tick(3)
    hass.states.async_set("light.hall", "on")
    assert created.entity_id == "light.hall"
    assert [(row.series.key.identity, row.flag) for row in store.rows] == [
        ("entity:light.hall", Flag.OK),
        ("entity:light.hall", Flag.GAP),
        (f"entity:{created.id}", Flag.OK),
    ]


async def test_an_entity_that_leaves_the_registry_ends(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    boiler: er.RegistryEntry,
    start: Callable[..., Ingest],
    store: RecordedRows,
) -> None:
    start()
    hass.states.async_set("sensor.boiler", "230", POWER)
    freezer.tick(2)
    er.async_get(hass).async_remove("sensor.boiler")
    hass.states.async_remove("sensor.boiler")
    assert told(store) == [(230.0, 0, Flag.OK), (None, 2, Flag.GAP)]


async def test_what_is_left_out_by_its_integration(
    hass: HomeAssistant, entry: MockConfigEntry, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    er.async_get(hass).async_get_or_create(
        "sensor", "strata", "rows", suggested_object_id="rows", entity_category=EntityCategory.DIAGNOSTIC
    )
    entity_sources(hass)["sensor.clock"] = {"domain": "time_date"}
    start()
    hass.states.async_set("sensor.rows", "5")
    hass.states.async_set("sensor.clock", "10:00")
    hass.states.async_set("sensor.other", "5")
    assert [row.series.labels["entity_id"] for row in store.rows] == ["sensor.other"]


async def test_unrecorded_attributes_do_not_reach_the_store(
    hass: HomeAssistant, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    start()
    hass.states.async_set_internal(
        "sensor.price",
        "0.21",
        {"unit_of_measurement": "EUR/kWh", "slots": [1, 2]},
        force_update=False,
        context=None,
        state_info={"unrecorded_attributes": frozenset({"slots"})},
        timestamp=START.timestamp(),
    )
    assert store.rows[0].attributes == {"unit_of_measurement": "EUR/kWh"}


async def test_thousands_of_states_are_taken_in_slices(
    hass: HomeAssistant, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    for number in range(3 * SLICE):
        hass.states.async_set(f"light.lamp_{number}", "on")
    ingest = start()
    assert len(store.rows) == SLICE
    # Changes and removals in between are not lost and not doubled.
    hass.states.async_set(f"light.lamp_{3 * SLICE - 1}", "off")
    hass.states.async_remove(f"light.lamp_{3 * SLICE - 2}")
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(store.rows) == 3 * SLICE - 1
    assert len({row.series.key for row in store.rows}) == 3 * SLICE - 1
    assert store.rows[SLICE].value == 0.0
    ingest.async_stop()


async def test_stopping_ends_the_first_look_too(
    hass: HomeAssistant, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    for number in range(2 * SLICE):
        hass.states.async_set(f"light.lamp_{number}", "on")
    start().async_stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(store.rows) == SLICE


async def test_from_the_bus_into_the_file_and_over_a_restart(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path, boiler: er.RegistryEntry
) -> None:
    def now() -> int:
        return to_micros(dt_util.utcnow())

    async def run(*, first: bool) -> tuple[StoreWorker, Ingest]:
        worker = StoreWorker(tmp_path / "strata.db", timezone="Europe/Berlin", listener=lambda notice: None, now=now)
        report = await worker.open()
        assert report.created is first
        ingest = Ingest(hass, worker, IngestFilter())
        ingest.async_start()
        return worker, ingest

    worker, ingest = await run(first=True)
    hass.states.async_set("sensor.boiler", "230.5", POWER)
    hass.states.async_set("climate.hall", "heat")
    freezer.tick(5)
    hass.states.async_set("climate.hall", "unavailable")
    freezer.tick(5)
    ingest.async_stop()
    await worker.close()

    freezer.tick(60)
    worker, ingest = await run(first=False)
    freezer.tick(5)
    hass.states.async_set("sensor.boiler", "231.5", POWER)
    assert ingest.counters == {"value": 1, "gap": 0, "resumed": 1, "unchanged": 1, "excluded": 0}
    assert await worker.flush()
    series = {known.labels["entity_id"]: known for known in worker.all_series()}
    assert series["sensor.boiler"].key == SeriesKey.of_entity("home_assistant_events", boiler.id)
    assert series["sensor.boiler"].unit == "W"
    day = TimeRange(second(0), second(3600))

    def rows(entity_id: str) -> Callable[[StoreReader], list[tuple[float, float, int]]]:
        number = series[entity_id].id
        assert number is not None

        def read(reader: StoreReader) -> list[tuple[float, float, int]]:
            raw = reader.raw(number, day)
            return [
                ((time - second(0)) / 1e6, value, flag)
                for time, value, flag in zip(raw.times.tolist(), raw.values.tolist(), raw.flags.tolist(), strict=True)
            ]

        return read

    assert await worker.read(rows("sensor.boiler")) == [(0, 230.5, Flag.OK), (75, 231.5, Flag.OK)]
    assert [(time, flag) for time, _, flag in await worker.read(rows("climate.hall"))] == [(0, Flag.OK), (5, Flag.GAP)]
    ingest.async_stop()
    await worker.close()


async def test_new_filter_is_applied_a_slice_at_a_time(
    hass: HomeAssistant, start: Callable[..., Ingest], store: RecordedRows
) -> None:
    ingest = start()
    for number in range(SLICE + 1):
        hass.states.async_set(f"light.number_{number}", "on")
    before = len(store.rows)
    ingest.async_set_filter(IngestFilter.from_options({"exclude_domains": ["light"]}))
    assert len(store.rows) == before + SLICE, "the loop is free again before all are looked at"
    # A second change meanwhile is the one that counts.
    ingest.async_set_filter(IngestFilter.from_options({"exclude_entities": ["light.number_*"]}))
    await hass.async_block_till_done()
    assert [row.flag for row in store.rows[before:]] == [Flag.GAP] * (SLICE + 1)
    ingest.async_set_filter(IngestFilter())
    ingest.async_stop()
    after = len(store.rows)
    await hass.async_block_till_done()
    assert len(store.rows) == after
