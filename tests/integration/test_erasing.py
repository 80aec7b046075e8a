"""What erasing an entity reaches: readings made of it, findings about it, what it was called before, and memories."""

from contextlib import nullcontext
from datetime import UTC, datetime
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.anomalies.coordinator import AnomalyCoordinator
from custom_components.strata.archive.erase import ArchiveErasure
from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import SeriesKey, TimeRange, to_micros
from custom_components.strata.mirror.errors import MirrorQueryError, MirrorUnsupported
from tests.integration.given import NOW, StartHub, entity_source, settle
from tests.integration.test_anomalies import CELLAR, FRIDGE, start as start_lived
from tests.integration.test_source_history import CARBON_UNIT, carbon_of, price_entity

EVER = TimeRange(0, 2**61)
PRICE_UNIT = {"unit_of_measurement": "EUR/kWh"}
LOAD = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"}


async def erase(hass: HomeAssistant, *entities: str, dry_run: bool = False) -> dict[str, Any]:
    asked = {"entities": [*entities], "dry_run": dry_run}
    answer = await hass.services.async_call(DOMAIN, "erase", asked, blocking=True, return_response=True)
    assert isinstance(answer, dict)
    return answer


async def in_file(entry: MockConfigEntry, text: str) -> list[str]:
    """Return the tables of the store in which a text is found; series that go on are known by their names."""
    worker = entry.runtime_data.worker
    await worker.flush()

    def look(reader: Any) -> list[str]:
        names = [name for (name,) in reader.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [
            name for name in names for row in reader.connection.execute(f"SELECT * FROM {name}") if text in str(row)
        ]

    # Which source gives the price of views is a choice, kept in `meta`, and says nothing of what it was.
    return sorted(set(await worker.read(look)) - {"series", "meta"})


async def count_of(entry: MockConfigEntry, key: SeriesKey) -> int:
    worker = entry.runtime_data.worker
    await worker.flush()
    series = worker.find(key)
    if series is None or series.id is None:
        return 0
    return len((await worker.read(lambda reader: reader.raw(series.id, EVER))).times)


def price_of(provider: str) -> SeriesKey:
    return SeriesKey.of_tags("electricity_pricing", {"provider": provider, "currency": "EUR"}, "current_price")


# What sources made of it


async def test_what_a_source_read_from_the_entity_goes_too(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> None:
    freezer.move_to(NOW)
    home.states.async_set("sensor.price", "0.25", PRICE_UNIT)
    home.states.async_set("sensor.grid_carbon", "100", CARBON_UNIT)
    entry = await start_hub(price_entity(), entity_source())
    await settle(home, entry)
    price, carbon = price_of("entity:sensor.price"), carbon_of()
    assert await count_of(entry, price) == 1
    [source] = [each for each in entry.runtime_data.sources.values() if each.role.key == "electricity_pricing"]

    dry = await erase(home, "sensor.price", dry_run=True)
    assert dry["readings"] == ["electricity_pricing", "home_assistant_events"]
    assert source.reading is not None
    done = await erase(home, "sensor.price")
    assert done["rows"]["raw"] == dry["rows"]["raw"] == 2
    assert await count_of(entry, price) == 0
    assert await count_of(entry, carbon) == 1
    assert await in_file(entry, "sensor.price") == []
    kept = hass_storage.get(f"strata.source.{source.subentry_id}")
    assert kept is None or "0.25" not in json.dumps(kept)
    assert source.reading is None

    # The source goes on with its next reading, and with nothing from before.
    freezer.tick(60)
    home.states.async_set("sensor.price", "0.30", PRICE_UNIT)
    await settle(home, entry)
    worker = entry.runtime_data.worker
    await worker.flush()
    number = worker.find(price).id
    rows = await worker.read(lambda reader: reader.raw(number, EVER))
    assert (rows.times.tolist(), rows.values.tolist()) == ([to_micros(NOW) + 60_000_000], [0.30])


async def test_readings_of_a_source_that_is_gone_are_found_by_their_tags(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(NOW)
    home.states.async_set("sensor.price", "0.25", PRICE_UNIT)
    entry = await start_hub(price_entity())
    await settle(home, entry)
    (subentry,) = entry.subentries.values()
    home.config_entries.async_remove_subentry(entry, subentry.subentry_id)
    await settle(home, entry)
    home.states.async_remove("sensor.price")
    await home.async_block_till_done()
    await erase(home, "sensor.price")
    worker = entry.runtime_data.worker
    assert [one for one in worker.all_series() if "sensor.price" in str(one)] == []
    with pytest.raises(ServiceValidationError):
        await erase(home, "sensor.price")


async def test_a_sensor_of_a_source_stands_for_its_series(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(NOW)
    home.states.async_set("sensor.price", "0.25", PRICE_UNIT)
    home.states.async_set("sensor.grid_carbon", "100", CARBON_UNIT)
    entry = await start_hub(price_entity(), entity_source())
    await settle(home, entry)
    registry = er.async_get(home)
    own = {each.unique_id: each.entity_id for each in registry.entities.values() if each.platform == DOMAIN}
    [shown] = [entity for unique, entity in own.items() if unique.endswith("_current_price")]
    [worked_out] = [entity for unique, entity in own.items() if unique.endswith("_daily_average_price")] or [None]
    await erase(home, shown)
    assert await count_of(entry, price_of("entity:sensor.price")) == 0
    assert await count_of(entry, carbon_of()) == 1
    # The entity that was read is not ours to erase for that.
    assert await in_file(entry, "0.25") is not None
    events = SeriesKey.of_entity("home_assistant_events", "sensor.price")
    assert await count_of(entry, events) == 1
    if worked_out is not None:
        assert "nothing is stored" in (await erase(home, worked_out, dry_run=True))["left"][0]


# What was found about it


@pytest.fixture
def clock(freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    freezer.move_to(datetime(2026, 11, 21, 10, 2, tzinfo=UTC))
    return freezer


async def test_nothing_of_a_finding_comes_back_after_an_erasure(
    home: HomeAssistant, start_hub: StartHub, clock: FrozenDateTimeFactory, tmp_path: Path
) -> None:
    entry = await start_lived(home, start_hub, tmp_path)
    anomalies: AnomalyCoordinator = entry.runtime_data.anomalies
    assert [watched.target.entity_id for watched, _ in anomalies.open] == [FRIDGE]
    assert await in_file(entry, FRIDGE) != []

    done = await erase(home, FRIDGE)
    assert "anomaly_alerts" in done["readings"]
    await home.async_block_till_done()

    worker = entry.runtime_data.worker
    fridge = worker.find(SeriesKey.of_entity("home_assistant_events", FRIDGE))
    assert fridge is not None
    # Neither now nor after the looks of the next hours is anything known of it.
    for _ in range(4):
        assert await in_file(entry, FRIDGE) == []
        assert worker.last(fridge) is None
        assert not [one for one in worker.all_series() if FRIDGE in str(one.key.tags)]
        assert FRIDGE not in [watched.target.entity_id for watched, _ in anomalies.open]
        assert FRIDGE not in anomalies.watched or anomalies.watched[FRIDGE].episodes == ()
        assert FRIDGE not in str(home.states.get("event.strata_anomaly").attributes)  # type: ignore[union-attr]
        assert home.states.get("binary_sensor.strata_power_anomaly").state == "off"  # type: ignore[union-attr]
        clock.tick(3600)
        await worker.flush()
        await worker.write(lambda store: store.roll_up())
        anomalies.scanned_until = None
        await anomalies.async_refresh()
        await home.async_block_till_done()
    assert await count_of(entry, SeriesKey.of_entity("home_assistant_events", CELLAR)) > 0
    # It goes on with its next value.
    home.states.async_set(FRIDGE, "81", home.states.get(FRIDGE).attributes)  # type: ignore[union-attr]
    await home.async_block_till_done()
    assert await count_of(entry, SeriesKey.of_entity("home_assistant_events", FRIDGE)) == 1

    await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    assert FRIDGE not in [watched.target.entity_id for watched, _ in entry.runtime_data.anomalies.open]
    event = home.states.get("event.strata_anomaly")
    assert event is not None
    assert FRIDGE not in str(event.attributes)


async def test_a_look_under_way_does_not_bring_back_what_it_read(
    home: HomeAssistant, start_hub: StartHub, clock: FrozenDateTimeFactory, tmp_path: Path
) -> None:
    entry = await start_lived(home, start_hub, tmp_path)
    anomalies: AnomalyCoordinator = entry.runtime_data.anomalies
    anomalies.scanned_until = None
    looking = home.async_create_task(anomalies.async_refresh())
    await erase(home, FRIDGE)
    await looking
    marking = await in_file(entry, FRIDGE)
    assert marking == []
    assert anomalies.open == []


async def test_an_entity_that_is_gone_leaves_no_name(
    home: HomeAssistant, start_hub: StartHub, clock: FrozenDateTimeFactory, tmp_path: Path
) -> None:
    entry = await start_lived(home, start_hub, tmp_path)
    home.states.async_remove(FRIDGE)
    await home.async_block_till_done()
    await erase(home, FRIDGE)
    assert [one for one in entry.runtime_data.worker.all_series() if FRIDGE in str(one)] == []
    # Should it come back, it is recorded like any other.
    home.states.async_set(FRIDGE, "81", {"device_class": "power", "unit_of_measurement": "W"})
    await home.async_block_till_done()
    assert await count_of(entry, SeriesKey.of_entity("home_assistant_events", FRIDGE)) == 1


# What it was called before


async def test_points_under_earlier_ids_are_deleted_on_servers(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(NOW)
    registry = er.async_get(home)
    made = registry.async_get_or_create("sensor", "other", "one", suggested_object_id="first")
    entry = await start_hub()
    data = entry.runtime_data
    home.states.async_set("sensor.first", "1", LOAD)
    await home.async_block_till_done()
    for old, new in (("sensor.first", "sensor.second"), ("sensor.second", "sensor.third")):
        registry.async_update_entity(made.entity_id, new_entity_id=new)
        made = registry.async_get(new)  # type: ignore[assignment]
        home.states.async_remove(old)
        freezer.tick(1)
        home.states.async_set(new, new[-1] and "2", LOAD)
        await home.async_block_till_done()
    await data.worker.flush()
    # Over a restart too.
    await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    data = entry.runtime_data
    # Another entity is called that by now, so its points there cannot be told apart.
    home.states.async_set("sensor.second", "9", LOAD)
    await home.async_block_till_done()
    mirror = SimpleNamespace(
        title="Server",
        async_paused=nullcontext,
        async_forget_lines=AsyncMock(),
        async_delete_series=AsyncMock(return_value=["strata_raw"]),
    )
    key = SeriesKey.of_entity("home_assistant_events", made.id)
    found = ArchiveErasure(names={key.identity: {"sensor.zeroth", "sensor.third"}})
    with (
        patch.dict(data.mirror_set.running, {"one": mirror}),
        patch("custom_components.strata.erasing._from_archives", return_value=found),
    ):
        done = await erase(home, "sensor.third")
    assert done["earlier_ids"] == ["sensor.first", "sensor.zeroth"]
    assert [note for note in done["left"] if note.startswith("sensor.second")] != []
    asked = mirror.async_delete_series.call_args.args[0]
    assert {one.labels["entity_id"] for one in asked} == {"sensor.third", "sensor.first", "sensor.zeroth"}
    assert await count_of(entry, SeriesKey.of_entity("home_assistant_events", "sensor.second")) == 1


async def test_what_it_wrote_before_it_was_registered_goes_too(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(NOW)
    entry = await start_hub()
    home.states.async_set("sensor.load", "1", LOAD)
    await home.async_block_till_done()
    made = er.async_get(home).async_get_or_create("sensor", "other", "one", suggested_object_id="load")
    assert made.entity_id != "sensor.load"
    home.states.async_remove("sensor.load")
    er.async_get(home).async_update_entity(made.entity_id, new_entity_id="sensor.load")
    freezer.tick(1)
    home.states.async_set("sensor.load", "2", LOAD)
    await home.async_block_till_done()
    keys = [SeriesKey.of_entity("home_assistant_events", name) for name in ("sensor.load", made.id)]
    assert [await count_of(entry, key) for key in keys] != [0, 0]
    await erase(home, "sensor.load")
    assert [await count_of(entry, key) for key in keys] == [0, 0]


# What could not be done


@pytest.mark.parametrize(("error", "known"), [(MirrorQueryError("no answer"), True), (MirrorUnsupported("3"), False)])
async def test_what_a_server_has_left_can_be_asked_for_again(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, error: Exception, known: bool
) -> None:
    freezer.move_to(NOW)
    entry = await start_hub()
    home.states.async_set("sensor.load", "1", LOAD)
    await home.async_block_till_done()
    home.states.async_remove("sensor.load")
    await home.async_block_till_done()
    mirror = SimpleNamespace(
        title="Server",
        async_paused=nullcontext,
        async_forget_lines=AsyncMock(),
        async_delete_series=AsyncMock(side_effect=error),
    )
    with patch.dict(entry.runtime_data.mirror_set.running, {"one": mirror}):
        assert (await erase(home, "sensor.load"))["problems"] != []
    assert (await in_file(entry, "sensor.load")) in ([], ["operation"])
    if known:
        assert (await erase(home, "sensor.load"))["problems"] == []
    with pytest.raises(ServiceValidationError):
        await erase(home, "sensor.load")


async def test_nothing_is_erased_while_rows_cannot_be_stored(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    with (
        patch.object(entry.runtime_data.worker, "flush", return_value=False),
        pytest.raises(HomeAssistantError, match="wait in memory"),
    ):
        await erase(home, "sensor.load")
