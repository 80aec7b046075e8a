"""Entities that are given another id: whatever the user chose by the old one goes on under the new one.

Patterns stay as they are: they were chosen for what they match. Areas, labels and floors are chosen by ids that Home
Assistant never changes. An entity that is removed leaves the choices as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .anomalies.options import CONF_ANALYSIS, CONF_ENTITIES, CONF_PAUSED, CONF_QUIET_ENTITIES
from .const import CONF_OPTIONS, CONF_PROVIDER, CONF_RETENTION, CONF_ROLE, LOGGER, SUBENTRY_SOURCE
from .core.filter import IngestFilter
from .core.model import Series
from .keeping import CONF_PINNED, CONF_RULES, CONF_WATCHED, CONF_WEATHER, current_id, retention_of, watched_of
from .runtime import StrataConfigEntry
from .sources import role as role_of
from .sources.base import Param, ParamKind, source_id
from .store.backlog import load_note
from .store.base import StoreError
from .store.worker import StoreWorker

type Renaming = Mapping[str, str]
"""New entity ids by old ones; all at once, so two entities may swap theirs."""

NOTE: Final = "chosen_entities"
"""The name of the note in the store: registry ids by the entity ids that are chosen."""
EACH: Final = "*"
PLACES: Final[tuple[tuple[str, ...], ...]] = (
    ("include_entities",),
    ("exclude_entities",),
    (CONF_RETENTION, CONF_RULES, EACH, "entities"),
    (CONF_RETENTION, CONF_PINNED),
    (CONF_RETENTION, CONF_WATCHED),
    (CONF_RETENTION, CONF_WEATHER),
    (CONF_ANALYSIS, CONF_ENTITIES),
    (CONF_ANALYSIS, CONF_PAUSED),
    (CONF_ANALYSIS, CONF_QUIET_ENTITIES),
)
"""Where the hub's options hold entity ids. Parameters of sources say so themselves; other subentries hold none."""


@callback
def async_follow_renames(hass: HomeAssistant, entry: StrataConfigEntry) -> None:
    """Follow renames while the hub runs. To be called before ingest starts: it asks the filter about the new id."""

    @callback
    def updated(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        data = event.data
        if data["action"] == "update" and (old := data.get("old_entity_id")) is not None:
            _async_renamed(hass, entry, old, data["entity_id"])

    entry.async_on_unload(hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, updated))


@callback
def _async_renamed(hass: HomeAssistant, entry: StrataConfigEntry, old: str, new: str) -> None:
    data, renaming = entry.runtime_data, {old: new}
    _async_relabel(hass, data.worker)
    options = renamed_options(entry.options, renaming)
    if options != entry.options:
        # In force at once, so that what hears of the options finds nothing changed and looks at no other entity.
        data.options = options
        data.ingest.async_rename_choice(IngestFilter.from_options(options), watched_of(options))
        data.outdoor.async_rename(retention_of(options).get(CONF_WEATHER))
    # The others that hear of the rename come first.
    hass.loop.call_soon(data.anomalies.async_rename, old, new)
    _async_save(hass, entry, options, renaming)


async def async_catch_up_renames(hass: HomeAssistant, entry: StrataConfigEntry, worker: StoreWorker) -> None:
    """Follow renames that happened while the hub did not run.

    Of what was chosen it is noted who it was; where a note is missing, the labels of series say who had an id.
    """
    noted: Renaming = await worker.read(lambda reader: load_note(reader.connection, NOTE)) or {}
    registry = er.async_get(hass).entities
    moved = {
        old: known.entity_id
        for old, identity in noted.items()
        if (known := registry.get_entry(identity)) is not None and known.entity_id != old
    }
    missed = {old: new for old, new in _missed(hass, worker.all_series()).items() if old not in noted}
    if renaming := missed | moved:
        LOGGER.info("Given another id meanwhile: %s", ", ".join(f"{old} is {new}" for old, new in renaming.items()))
        _async_save(hass, entry, renamed_options(entry.options, renaming), renaming)
    # Old labels would be taken for a rename again when another entity has got the id.
    _async_relabel(hass, worker)


async def async_note_chosen(hass: HomeAssistant, entry: StrataConfigEntry, worker: StoreWorker) -> None:
    """Note which entities are chosen by their ids, so that they are known again whatever happens to those."""
    asked = _Asked()
    renamed_options(entry.options, asked)
    for subentry in entry.get_subentries_of_type(SUBENTRY_SOURCE):
        if (params := _params_of(subentry)) is not None:
            renamed_parameters(params, subentry.data[CONF_OPTIONS], asked)
    registry = er.async_get(hass)
    chosen = {entity_id: known.id for entity_id in sorted(asked.ids) if (known := registry.async_get(entity_id))}
    try:
        if chosen != (await worker.read(lambda reader: load_note(reader.connection, NOTE)) or {}):
            await worker.write(lambda store: store.save_note(NOTE, chosen))
    except StoreError as error:
        LOGGER.debug("It could not be noted which entities are chosen: %s", error)


class _Asked(dict[str, str]):
    """A renaming that renames nothing and keeps which ids it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()

    @override
    def get(self, key: str, default: Any = None) -> Any:
        self.ids.add(key)
        return default


def _missed(hass: HomeAssistant, all_series: Iterable[Series]) -> Renaming:
    """Return the entities whose series are labelled with another id than they have; ids that several had are left."""
    ids: dict[str, set[str]] = {}
    for series in all_series:
        if (current := current_id(hass, series)) is not None and (said := series.labels.get("entity_id")) is not None:
            ids.setdefault(said, set()).add(current)
    return {old: now.pop() for old, now in ids.items() if len(now) == 1 and old not in now}


@callback
def _async_relabel(hass: HomeAssistant, worker: StoreWorker) -> None:
    """Label series with the ids that their entities have, also of those that have no state now."""
    for series in worker.all_series():
        current = current_id(hass, series)
        if current is not None and current != series.labels.get("entity_id"):
            worker.series(
                series.key,
                kind=series.kind,
                unit=series.unit,
                labels={**series.labels, "entity_id": current},
                fine=series.fine,
                monotonic=series.monotonic,
            )


@callback
def _async_save(hass: HomeAssistant, entry: StrataConfigEntry, options: Mapping[str, Any], renaming: Renaming) -> None:
    # What is as it was is neither saved nor announced.
    hass.config_entries.async_update_entry(entry, options=options)
    for subentry in entry.get_subentries_of_type(SUBENTRY_SOURCE):
        _async_save_source(hass, entry, subentry, renaming)


@callback
def _async_save_source(
    hass: HomeAssistant, entry: StrataConfigEntry, subentry: ConfigSubentry, renaming: Renaming
) -> None:
    if (params := _params_of(subentry)) is None:
        return
    kept: Mapping[str, Any] = subentry.data[CONF_OPTIONS]
    options = renamed_parameters(params, kept, renaming)
    if options == kept:
        return
    role = role_of(subentry.data[CONF_ROLE])
    wanted = source_id(role, role.provider(subentry.data[CONF_PROVIDER])(options))
    taken = {other.unique_id for other in entry.get_subentries_of_type(SUBENTRY_SOURCE)} - {subentry.unique_id}
    hass.config_entries.async_update_subentry(
        entry,
        subentry,
        data={**subentry.data, CONF_OPTIONS: options},
        unique_id=subentry.unique_id if wanted in taken else wanted,
    )


def _params_of(subentry: ConfigSubentry) -> Sequence[Param] | None:
    """Return what a source's form asks, None where this version does not know the source; that is told elsewhere."""
    try:
        return role_of(subentry.data[CONF_ROLE]).provider(subentry.data[CONF_PROVIDER]).params
    except KeyError:
        return None


def renamed_options(options: Mapping[str, Any], renaming: Renaming) -> dict[str, Any]:
    """Return the hub's options with the new ids in place of the old ones; those given stay as they are."""
    renamed: Any = dict(options)
    for place in PLACES:
        renamed = _renamed_at(renamed, place, renaming)
    return dict(renamed)


def renamed_parameters(params: Sequence[Param], options: Mapping[str, Any], renaming: Renaming) -> dict[str, Any]:
    """Return a source's options with the new ids in place of the old ones."""
    renamed = dict(options)
    for param in params:
        if param.key in renamed and param.kind is ParamKind.ENTITY:
            renamed[param.key] = _renamed(renamed[param.key], renaming)
        elif param.key in renamed and param.kind is ParamKind.TABLE:
            renamed[param.key] = [renamed_parameters(param.columns, row, renaming) for row in renamed[param.key]]
    return renamed


def _renamed_at(value: Any, place: Sequence[str], renaming: Renaming) -> Any:
    if not place:
        return _renamed(value, renaming)
    key, rest = place[0], place[1:]
    if key == EACH:
        return [_renamed_at(one, rest, renaming) for one in value]
    if key not in value:
        return value
    return {**value, key: _renamed_at(value[key], rest, renaming)}


def _renamed(value: Any, renaming: Renaming) -> Any:
    if isinstance(value, str):
        # The filter takes ids whatever their case and the spaces around them.
        return renaming.get(value.strip().lower(), value)
    return [_renamed(one, renaming) for one in value] if isinstance(value, list | tuple) else value
