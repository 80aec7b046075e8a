"""A real Home Assistant core in a folder of its own, and the flows a user would go through."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeassistant import bootstrap, loader
from homeassistant.config_entries import SOURCE_USER, ConfigEntries, ConfigEntry, SubentryFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.setup import async_setup_component
import zeroconf

from custom_components.strata.const import BASE_URLS, DOMAIN, SUBENTRY_ARCHIVE, SUBENTRY_SOURCE
from custom_components.strata.runtime import StrataConfigEntry, StrataData

from .calendars import add_calendar
from .home import Home

PLATFORM = "simulated_home"
_ZEROCONF_INIT = zeroconf.Zeroconf.__init__
ALWAYS_THERE = ("network",)
"""Of what every Home Assistant starts by itself, what the shared HTTP session needs."""


class StepError(Exception):
    """A step of the demo did not do what it has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChoice:
    """What a user would choose in the form of a source."""

    role: str
    provider: str
    mode: str
    """`recorded`: its service is played by the demo; `entity`: an entity of the home; `live`: its real service."""
    tag: str
    """What tells its series from those of other sources: the value of one of its key tags."""
    options: Mapping[str, object]
    has_form: bool = True
    """Whether the provider asks for parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedSource:
    """A source that was added, and what its form showed before it was saved."""

    choice: SourceChoice
    subentry_id: str
    title: str
    preview: Mapping[str, str]


def _as_in_a_new_process() -> None:
    """Undo what a core leaves behind in the process: a restart of Home Assistant is one of its process."""
    # Home Assistant makes every later instance the first one, which is closed by now.
    zeroconf.Zeroconf.__new__ = lambda cls, *_args, **_kwargs: object.__new__(cls)  # type: ignore[method-assign]
    zeroconf.Zeroconf.__init__ = _ZEROCONF_INIT  # type: ignore[method-assign]


async def boot(folder: Path, home: Home, base_urls: dict[str, str]) -> HomeAssistant:
    """Load Home Assistant on a configuration folder, as its own bootstrap does but without a frontend.

    It still has to be started: other integrations bring their entities up before that.

    Raises:
        StepError: it cannot be loaded.
    """
    _as_in_a_new_process()
    hass = HomeAssistant(str(folder))
    loader.async_setup(hass)
    # Everything is installed already; nothing is fetched.
    hass.config.skip_pip = True
    hass.config.debug = True
    hass.config_entries = ConfigEntries(hass, {})
    hass.data[BASE_URLS] = base_urls
    await loader.async_get_custom_components(hass)
    if not await bootstrap.async_load_base_functionality(hass):
        raise StepError("Home Assistant's registries could not be loaded")
    for domain in (*sorted(bootstrap.CORE_INTEGRATIONS), *ALWAYS_THERE):
        if not await async_setup_component(hass, domain, {}):
            raise StepError(f"Home Assistant's {domain} could not be set up")
    await async_process_ha_core_config(hass, _core_config(home))
    _register(hass, home)
    add_calendar(hass)
    if hass.config_entries.async_entries(DOMAIN) and not await async_setup_component(hass, DOMAIN, {}):
        raise StepError("Strata could not be set up again after a restart")
    await hass.async_block_till_done()
    return hass


def _core_config(home: Home) -> dict[str, object]:
    berlin = home.timezone == "Europe/Berlin"
    return {
        "name": "Strata demo",
        "latitude": 52.52 if berlin else 39.74,
        "longitude": 13.4 if berlin else -104.98,
        "elevation": 34,
        "country": "DE" if berlin else "US",
        "currency": "EUR" if berlin else "USD",
        "time_zone": home.timezone,
        "unit_system": "metric",
    }


def _register(hass: HomeAssistant, home: Home) -> None:
    """Give the home's entities their places in the registries, where a restart finds them again."""
    areas, entities = ar.async_get(hass), er.async_get(hass)
    for entity in home.entities.values():
        domain, _, name = entity.entity_id.partition(".")
        entry = entities.async_get_or_create(domain, PLATFORM, entity.entity_id, suggested_object_id=name)
        if entity.area and entry.area_id is None:
            entities.async_update_entity(entry.entity_id, area_id=areas.async_get_or_create(entity.area).id)


def hub(hass: HomeAssistant) -> StrataConfigEntry:
    """Return Strata's config entry."""
    entry: ConfigEntry[StrataData] = hass.config_entries.async_entries(DOMAIN)[0]
    return entry


async def add_hub(hass: HomeAssistant) -> str | None:
    """Go through Strata's config flow; return the id of the source flow it leads into.

    Raises:
        StepError: the flow does not end with a hub that runs.
    """
    form = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    _expect(form, FlowResultType.FORM, "the hub's form")
    result = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    _expect(result, FlowResultType.CREATE_ENTRY, "the hub")
    await hass.async_block_till_done()
    if result["result"].state.value != "loaded":
        raise StepError(f"the hub was added, but is {result['result'].state.value}: {result['result'].reason}")
    next_flow = result.get("next_flow")
    return next_flow[1] if next_flow else None


async def keep_days(hass: HomeAssistant, days: Mapping[str, int]) -> None:
    """Set how many days each tier is kept, through the hub's options."""
    menu = await hass.config_entries.options.async_init(hub(hass).entry_id)
    _expect(menu, FlowResultType.MENU, "the menu of the hub's options")
    form = await hass.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": "history"})
    sections = {"include": {}, "exclude": {"default_exclusions": True}, "keep": dict(days)}
    result = await hass.config_entries.options.async_configure(form["flow_id"], sections)
    if result.get("step_id") == "retention_preview":
        result = await hass.config_entries.options.async_configure(result["flow_id"], {})
    _expect(result, FlowResultType.CREATE_ENTRY, "the hub's options")
    await hass.async_block_till_done()


async def watch_nothing(hass: HomeAssistant) -> None:
    """Switch the search for anomalies off, through the hub's options."""
    menu = await hass.config_entries.options.async_init(hub(hass).entry_id)
    _expect(menu, FlowResultType.MENU, "the menu of the hub's options")
    form = await hass.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": "analysis"})
    answers = {"sensitivity": "off", "method": "statistical", "quiet_hours": {}}
    result = await hass.config_entries.options.async_configure(form["flow_id"], answers)
    _expect(result, FlowResultType.CREATE_ENTRY, "the options about anomalies")
    await hass.async_block_till_done()


async def add_archive(hass: HomeAssistant, folder: Path) -> None:
    """Go through the form of an archive in a folder."""
    flows = hass.config_entries.subentries
    context = SubentryFlowContext(source=SOURCE_USER)
    menu: Any = await flows.async_init((hub(hass).entry_id, SUBENTRY_ARCHIVE), context=context)
    _expect(menu, FlowResultType.MENU, "the kinds of archives")
    form: Any = await flows.async_configure(menu["flow_id"], {"next_step_id": "local"})
    _expect(form, FlowResultType.FORM, "the archive's form")
    answer: Any = await flows.async_configure(form["flow_id"], {"path": str(folder)})
    if answer.get("step_id") == "local_confirm":  # It is on the disk of the demo's home.
        answer = await flows.async_configure(form["flow_id"], {})
    _expect(answer, FlowResultType.CREATE_ENTRY, "the archive")
    await hass.async_block_till_done()


async def add_source(hass: HomeAssistant, choice: SourceChoice, flow_id: str | None) -> AddedSource:
    """Go through the form of a source, in the flow that is open already or in a new one.

    Raises:
        StepError: a step answers something else than the next one.
    """
    flows = hass.config_entries.subentries
    entry = hub(hass)
    what = f"the source {choice.role} from {choice.provider}"
    known = set(entry.subentries)
    if flow_id is None:
        context = SubentryFlowContext(source=SOURCE_USER)
        form: Any = await flows.async_init((entry.entry_id, SUBENTRY_SOURCE), context=context)
        _expect(form, FlowResultType.FORM, what)
        flow_id = str(form["flow_id"])
    answers: list[dict[str, object]] = [{"role": choice.role}, {"provider": choice.provider}]
    # A provider that needs to know nothing shows its preview at once.
    answers += [dict(choice.options)] if choice.has_form else []
    for answer in answers:
        form = await flows.async_configure(flow_id, answer)
        _expect(form, FlowResultType.FORM, what)
    preview = {key: str(value) for key, value in (form["description_placeholders"] or {}).items()}
    if not str(form["step_id"]).startswith("preview"):
        raise StepError(f"{what} shows no preview: {form['errors']} {preview}")
    result = await flows.async_configure(flow_id, {})
    _expect(result, FlowResultType.CREATE_ENTRY, what)
    await hass.async_block_till_done()
    (subentry_id,) = set(entry.subentries) - known
    return AddedSource(
        choice=choice, subentry_id=subentry_id, title=entry.subentries[subentry_id].title, preview=preview
    )


def _expect(result: Any, kind: FlowResultType, what: str) -> None:
    if result["type"] is not kind or result.get("errors"):
        shown = {key: result.get(key) for key in ("type", "step_id", "errors", "reason", "description_placeholders")}
        raise StepError(f"{what}: expected {kind.value}, got {shown}")
