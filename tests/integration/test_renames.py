"""What the user chose by an entity's id goes on when that entity is given another id."""

from collections.abc import Iterator, Mapping
import json
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.helpers import entity_registry as er, selector as sel
import probatio
import pytest

from custom_components.strata import renames
from custom_components.strata.anomalies.options import CONF_ANALYSIS
from custom_components.strata.const import SUBENTRY_ARCHIVE, SUBENTRY_MIRROR, SUBENTRY_WINDOW
from custom_components.strata.core.model import Flag, SeriesKey, TimeRange
from custom_components.strata.keeping import async_keeps, policies_of
from custom_components.strata.sources import ROLES
from custom_components.strata.sources.base import Param, ParamKind
from custom_components.strata.store.base import StoreError
from tests.integration.given import StartHub, entity_source, settle

OLD, NEW = "sensor.fridge", "sensor.cooler"
POWER = {"device_class": "power", "unit_of_measurement": "W"}
PAGES = ("history", "retention", "analysis", "archives")
FOR_EVER = dict.fromkeys(("raw", "five_minute", "hourly", "daily"))


@pytest.fixture
def fridge(home: HomeAssistant) -> er.RegistryEntry:
    entry = er.async_get(home).async_get_or_create("sensor", "demo", "fridge", suggested_object_id="fridge")
    home.states.async_set(OLD, "60", POWER)
    return entry


def rename(hass: HomeAssistant, old: str = OLD, new: str = NEW) -> None:
    """Rename as Home Assistant does with an entity that is there: its state moves after the event."""

    @callback
    def move(event: object) -> None:
        if (state := hass.states.get(old)) is not None:
            hass.states.async_remove(old)
            hass.states.async_set(new, state.state, state.attributes)

    stop = hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, move)
    er.async_get(hass).async_update_entity(old, new_entity_id=new)
    stop()


async def kept_for_ever(hass: HomeAssistant, entry: Any) -> set[str]:
    worker = entry.runtime_data.worker
    await worker.flush()
    keeps = await async_keeps(hass, worker.all_series(), policies_of(entry.options), worker.ladder)
    return {series.key.identity for series in worker.all_series() if keeps.get(series.id) == FOR_EVER}


async def rows(entry: Any, series: Any) -> list[tuple[float, Flag]]:
    worker = entry.runtime_data.worker
    await worker.flush()
    found = await worker.read(lambda reader: reader.raw(series.id, TimeRange(0, 2**62)))
    return [(value, Flag(flag)) for value, flag in zip(found.values.tolist(), found.flags.tolist(), strict=True)]


# Every place is known


def fields_with_entities(schema: probatio.Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where a form asks for entities: by a selector of them, or as texts in a field of that name."""
    for marker, field in schema.schema.items():
        name = str(marker)
        if isinstance(field, section):
            yield from fields_with_entities(field.schema, (*path, name))
        elif isinstance(field, sel.ObjectSelector):
            for column, one in (field.config.get("fields") or {}).items():
                if isinstance(one["selector"], sel.EntitySelector) or column.endswith(("entity", "entities")):
                    yield (*path, name, "*", column)
        elif isinstance(field, sel.EntitySelector) or name.endswith(("entity", "entities")):
            yield (*path, name)


def filled(schema: probatio.Schema, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a user enters who names the fridge wherever an entity can be named."""
    entered: dict[str, Any] = {}
    for marker, field in schema.schema.items():
        name = str(marker)
        if isinstance(field, section):
            entered[name] = filled(field.schema, {})
        elif isinstance(field, sel.ObjectSelector):
            entered[name] = [{"entities": [OLD], "raw": 30}]
        elif isinstance(field, sel.EntitySelector) or name.endswith(("entity", "entities")):
            several = not isinstance(field, sel.EntitySelector) or field.config.get("multiple")
            entered[name] = [OLD] if several else OLD
        elif not isinstance(marker.default, probatio.Undefined):
            entered[name] = marker.default()
    return entered


async def test_every_option_that_can_hold_an_entity_follows(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    entry = await start_hub()
    await entry.runtime_data.worker.flush()
    flows = home.config_entries.options
    menu = await flows.async_init(entry.entry_id)
    pages = tuple(menu["menu_options"])
    assert set(pages) == set(PAGES)
    flows.async_abort(menu["flow_id"])
    asked: set[str] = set()
    for page in pages:
        menu = await flows.async_init(entry.entry_id)
        form = await flows.async_configure(menu["flow_id"], {"next_step_id": page})
        asked |= {
            ".".join(path[-3:] if "*" in path else path[-1:]) for path in fields_with_entities(form["data_schema"])
        }
        result = await flows.async_configure(form["flow_id"], filled(form["data_schema"], {}))
        if result.get("step_id") == "retention_preview":
            result = await flows.async_configure(form["flow_id"], {})
        assert result["type"] is FlowResultType.CREATE_ENTRY, (page, result.get("errors"))
        await settle(home, entry)
    known = {".".join(place[-3:] if "*" in place else place[-1:]) for place in renames.PLACES}
    assert asked == known, "a place that holds entity ids is not in the table, or no form asks for it any more"

    before = json.dumps(dict(entry.options))
    assert before.count(OLD) == len(renames.PLACES)
    rename(home)
    await settle(home, entry)
    assert json.dumps(dict(entry.options)) == before.replace(OLD, NEW)


@pytest.mark.parametrize("kind", [SUBENTRY_ARCHIVE, SUBENTRY_MIRROR, SUBENTRY_WINDOW])
async def test_forms_of_other_subentries_ask_for_no_entity(home: HomeAssistant, start_hub: StartHub, kind: str) -> None:
    entry = await start_hub()
    result = await home.config_entries.subentries.async_init((entry.entry_id, kind), context={"source": "user"})
    for step in result.get("menu_options") or [None]:
        form = result
        if step is not None:
            result = await home.config_entries.subentries.async_init((entry.entry_id, kind), context={"source": "user"})
            form = await home.config_entries.subentries.async_configure(result["flow_id"], {"next_step_id": step})
        assert not [*fields_with_entities(form["data_schema"])]


@pytest.mark.parametrize(
    "params",
    [pytest.param(provider.params, id=f"{role.key}-{provider.key}") for role in ROLES for provider in role.providers],
)
def test_every_entity_of_a_source_follows(params: tuple[Param, ...]) -> None:
    named = [param for param in params if param.kind is ParamKind.ENTITY]
    options = {param.key: [OLD, "sensor.other"] if param.multiple else OLD for param in named}
    renamed = renames.renamed_parameters(params, options, {OLD: NEW})
    assert json.dumps(renamed) == json.dumps(options).replace(OLD, NEW)
    others = {param.key: OLD for param in params if param.kind in {ParamKind.TEXT, ParamKind.SECRET}}
    assert renames.renamed_parameters(params, others, {OLD: NEW}) == others


def test_entities_in_tables_follow() -> None:
    column = Param(key="meter", kind=ParamKind.ENTITY)
    table = Param(key="phases", kind=ParamKind.TABLE, columns=(column, Param(key="name", kind=ParamKind.TEXT)))
    options = {"phases": [{"meter": OLD, "name": OLD}, {"name": "spare"}]}
    assert renames.renamed_parameters((table,), options, {OLD: NEW}) == {
        "phases": [{"meter": NEW, "name": OLD}, {"name": "spare"}]
    }


def test_patterns_stay_and_two_may_swap() -> None:
    options = {
        "include_entities": ["sensor.fri*", " Sensor.Fridge ", "sensor.cooler"],
        "retention": {"pinned": ["sensor.cooler", "sensor.fridge", "sensor.fridge_2"]},
        "keep": {"raw": 7},
    }
    assert renames.renamed_options(options, {OLD: NEW, NEW: OLD}) == {
        "include_entities": ["sensor.fri*", NEW, OLD],
        "retention": {"pinned": [OLD, NEW, "sensor.fridge_2"]},
        "keep": {"raw": 7},
    }
    assert renames.renamed_options({}, {OLD: NEW}) == {}


# While the hub runs


async def test_a_pin_follows_and_raw_rows_stay(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    entry = await start_hub(retention={"pinned": [OLD]})
    assert await kept_for_ever(home, entry) == {f"entity:{fridge.id}"}
    rename(home)
    await settle(home, entry)
    assert await kept_for_ever(home, entry) == {f"entity:{fridge.id}"}
    assert entry.options["retention"]["pinned"] == [NEW]


async def test_a_pin_follows_an_entity_that_is_disabled(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    entry = await start_hub(retention={"pinned": [OLD]})
    await entry.runtime_data.worker.flush()
    home.states.async_remove(OLD)
    er.async_get(home).async_update_entity(OLD, disabled_by=er.RegistryEntryDisabler.USER)
    assert await home.config_entries.async_reload(entry.entry_id)
    er.async_get(home).async_update_entity(OLD, new_entity_id=NEW)
    await settle(home, entry)
    assert await kept_for_ever(home, entry) == {f"entity:{fridge.id}"}


async def test_an_included_entity_is_recorded_on_without_a_gap(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    entry = await start_hub(include_entities=[OLD], retention={"watched": [OLD]})
    rename(home)
    await settle(home, entry)
    home.states.async_set(NEW, "61", POWER)
    await settle(home, entry)
    (series,) = (one for one in entry.runtime_data.worker.all_series() if one.key.identity == f"entity:{fridge.id}")
    assert await rows(entry, series) == [(60.0, Flag.OK), (61.0, Flag.OK)]
    assert series.labels["entity_id"] == NEW
    assert entry.options["include_entities"] == [NEW]
    # The old name means nobody now.
    home.states.async_set(OLD, "1", POWER)
    await settle(home, entry)
    assert entry.runtime_data.worker.find(SeriesKey.of_entity("home_assistant_events", OLD)) is None


async def test_an_excluded_entity_stays_excluded(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    entry = await start_hub(exclude_entities=[OLD])
    rename(home)
    home.states.async_set(NEW, "61", POWER)
    await settle(home, entry)
    assert not [one for one in entry.runtime_data.worker.all_series() if one.key.identity == f"entity:{fridge.id}"]


async def test_only_what_changes_is_touched(home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry) -> None:
    entry = await start_hub(retention={"pinned": ["sensor.other"]}, **{CONF_ANALYSIS: {"paused": ["sensor.other"]}})
    told: list[object] = []

    async def updated(*_args: object) -> None:
        told.append(1)

    entry.async_on_unload(entry.add_update_listener(updated))
    rename(home)
    await settle(home, entry)
    assert not told, "nothing is saved where the entity was never chosen"
    er.async_get(home).async_update_entity(NEW, name="Cooler")
    er.async_get(home).async_remove(NEW)
    await settle(home, entry)
    assert not told
    ran_on = entry.runtime_data
    er.async_get(home).async_get_or_create("sensor", "demo", "other", suggested_object_id="other")
    rename(home, "sensor.other", "sensor.another")
    await settle(home, entry)
    assert len(told) == 1
    assert entry.runtime_data is ran_on, "nothing is reloaded"
    assert entry.options["retention"]["pinned"] == ["sensor.another"]


async def test_watching_for_anomalies_goes_on(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    entry = await start_hub(**{CONF_ANALYSIS: {"entities": [OLD], "paused": [OLD], "quiet_entities": [OLD]}})
    anomalies = entry.runtime_data.anomalies
    await entry.runtime_data.worker.flush()
    anomalies._choose()
    watched = anomalies.watched[OLD]
    rename(home)
    await settle(home, entry)
    assert anomalies.watched == {NEW: watched}
    assert watched.target.entity_id == NEW
    assert anomalies.options.entities == (NEW,)
    assert anomalies.options.paused == anomalies.options.quiet_entities == {NEW}
    assert watched.target.series.fine
    anomalies._choose()
    assert [*anomalies.watched] == [NEW]


# While it did not run


async def test_renamed_while_the_hub_did_not_run(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    twin = er.async_get(home).async_get_or_create("sensor", "demo", "twin", suggested_object_id="twin")
    home.states.async_set("sensor.twin", "5", POWER)
    source = entity_source(OLD)
    entry = await start_hub(source, retention={"pinned": [OLD], "watched": ["sensor.twin"]})
    await entry.runtime_data.worker.flush()
    await home.config_entries.async_unload(entry.entry_id)
    registry = er.async_get(home)
    for old, new in ((OLD, "sensor.aside"), ("sensor.twin", OLD), ("sensor.aside", "sensor.twin")):
        rename(home, old, new)
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert entry.options["retention"] == {"pinned": ["sensor.twin"], "watched": [OLD]}
    (subentry,) = entry.subentries.values()
    assert subentry.data["options"] == {"entity": "sensor.twin"}
    assert await kept_for_ever(home, entry) == {f"entity:{fridge.id}"}
    # Told once: another entity that gets the id later is not taken for the one that had it.
    await home.config_entries.async_unload(entry.entry_id)
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert entry.options["retention"] == {"pinned": ["sensor.twin"], "watched": [OLD]}
    assert {
        one.labels["entity_id"] for one in entry.runtime_data.worker.all_series() if twin.id in one.key.identity
    } == {OLD}
    assert registry.async_get(OLD).id == twin.id


async def test_one_without_a_history_renamed_while_the_hub_did_not_run(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    """What is not to be recorded must not be recorded because its name has changed."""
    entry = await start_hub(exclude_entities=[OLD])
    await home.config_entries.async_unload(entry.entry_id)
    rename(home)
    er.async_get(home).async_get_or_create("sensor", "demo", "another", suggested_object_id="fridge")
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert entry.options["exclude_entities"] == [NEW]
    assert not [one for one in entry.runtime_data.worker.all_series() if one.key.identity == f"entity:{fridge.id}"]


async def test_another_entity_that_takes_the_name_and_is_chosen_is_another(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    """A new device gets the old one's name: the choice follows the old one, until the user chooses anew."""
    entry = await start_hub(retention={"pinned": [OLD]})
    rename(home)
    other = er.async_get(home).async_get_or_create("sensor", "demo", "another", suggested_object_id="fridge")
    home.states.async_set(OLD, "1", POWER)
    await settle(home, entry)
    home.config_entries.async_update_entry(entry, options={"retention": {"pinned": [OLD]}})
    await settle(home, entry)
    for _ in range(2):
        assert await kept_for_ever(home, entry) == {f"entity:{other.id}"}
        assert await home.config_entries.async_reload(entry.entry_id)
        await settle(home, entry)
    assert entry.options["retention"]["pinned"] == [OLD]


async def test_it_can_do_without_the_note(home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry) -> None:
    entry = await start_hub(retention={"pinned": [OLD]})
    worker = entry.runtime_data.worker
    await worker.write(lambda store: store.save_note(renames.NOTE, None))
    with patch.object(worker, "write", side_effect=StoreError("no room")):
        await renames.async_note_chosen(home, entry, worker)
    await worker.flush()
    await home.config_entries.async_unload(entry.entry_id)
    rename(home)
    await home.config_entries.async_setup(entry.entry_id)
    await settle(home, entry)
    assert entry.options["retention"]["pinned"] == [NEW]
    assert await kept_for_ever(home, entry) == {f"entity:{fridge.id}"}


async def test_a_removed_entity_leaves_the_choice(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    entry = await start_hub(retention={"pinned": [OLD]})
    await entry.runtime_data.worker.flush()
    home.states.async_remove(OLD)
    er.async_get(home).async_remove(OLD)
    await settle(home, entry)
    assert await home.config_entries.async_reload(entry.entry_id)
    assert entry.options["retention"]["pinned"] == [OLD]
    assert await kept_for_ever(home, entry) == {f"entity:{fridge.id}"}


async def test_a_source_of_another_version_is_left_as_it_is(
    home: HomeAssistant, start_hub: StartHub, fridge: er.RegistryEntry
) -> None:
    source = entity_source(OLD)
    source["data"]["provider"] = "future"
    entry = await start_hub(source)
    rename(home)
    await settle(home, entry)
    (subentry,) = entry.subentries.values()
    assert subentry.data["options"] == {"entity": OLD}
