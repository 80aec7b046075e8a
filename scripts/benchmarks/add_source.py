"""A source is added through its form while 500 states change every second.

Every change has to be stored once, and a source that is there already must not notice: it stays the same object,
its entities never become unavailable.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigEntry, SubentryFlowContext
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from custom_components.strata.const import SUBENTRY_SOURCE
from custom_components.strata.store.sqlite import now_micros
from scripts.benchmarks.figures import Figure, Options
from scripts.benchmarks.home_assistant import StateChanges, add_entry, home_assistant, stored_since

RATE = 500
_TICK = 0.02


def measure(options: Options) -> Iterator[Figure]:
    """Add a source in the middle of it and count."""
    fired, stored, added, disturbed = asyncio.run(_all(options, 6.0 if options.quick else 20.0))
    yield Figure("changes not stored once", abs(fired - stored), "", 0, note=f"{fired} fired")
    yield Figure("sources added meanwhile", added, "", 1, at_least=True)
    yield Figure("disturbances of the other source", disturbed, "", 0)


async def _all(options: Options, seconds: float) -> tuple[int, int, int, int]:
    async with home_assistant(options.folder) as hass:
        for name in ("one", "two"):
            attributes = {"unit_of_measurement": "gCO2eq/kWh", "state_class": "measurement"}
            hass.states.async_set(f"sensor.grid_{name}", "213", attributes)
        entry = await add_entry(hass, "strata")
        await _add(hass, entry, "sensor.grid_one")
        (first,) = entry.runtime_data.sources.values()
        gone = _watch_entities(hass, entry)
        changes = StateChanges(hass)
        began = now_micros()
        load = asyncio.create_task(_load(changes, seconds))
        await asyncio.sleep(seconds / 3)
        await _add(hass, entry, "sensor.grid_two")
        added = len(entry.runtime_data.sources) - 1
        await load
        replaced = first not in entry.runtime_data.sources.values()
        return changes.count, await stored_since(entry, began), added, len(gone) + replaced


def _watch_entities(hass: HomeAssistant, entry: ConfigEntry) -> list[str]:
    """Return a list that fills with those of the entry's entities that become unavailable or go."""
    ours = {e.entity_id for e in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)}
    gone: list[str] = []

    @callback
    def changed(event: Event[EventStateChangedData]) -> None:
        new = event.data["new_state"]
        if event.data["entity_id"] in ours and (new is None or new.state == STATE_UNAVAILABLE):
            gone.append(event.data["entity_id"])

    hass.bus.async_listen("state_changed", changed)
    return gone


async def _load(changes: StateChanges, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while (passed := loop.time() - began) < seconds:
        changes.change(int(passed * RATE) - changes.count)
        await asyncio.sleep(_TICK)


async def _add(hass: HomeAssistant, entry: ConfigEntry, entity_id: str) -> None:
    """Go through the form of a source that reads an entity.

    Raises:
        RuntimeError: the form does not end with a new source.
    """
    flows = hass.config_entries.subentries
    form = await flows.async_init((entry.entry_id, SUBENTRY_SOURCE), context=SubentryFlowContext(source=SOURCE_USER))
    answers: tuple[dict[str, Any], ...] = (
        {"role": "carbon_intensity"},
        {"provider": "entity"},
        {"entity": entity_id},
        {},
    )
    for answer in answers:
        form = await flows.async_configure(form["flow_id"], answer)
    if form["type"].value != "create_entry":
        raise RuntimeError(f"the source was not added: {form}")
    await asyncio.sleep(0.5)
