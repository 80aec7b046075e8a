"""The one form of all sources: role, provider, parameters, a test fetch that is shown, done."""

import math
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
    UnknownSubEntry,
)
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers import entity_registry as er, selector as sel
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
import probatio

from ..const import (
    CONF_DETAILS,
    CONF_OPTIONS,
    CONF_PROVIDER,
    CONF_RANK,
    CONF_ROLE,
    DOMAIN,
    SUBENTRY_SOURCE,
)
from ..coordinator import SourceCoordinator
from ..core.model import FieldValue
from ..fetching import SourceBroken, async_fetch, failure_key, log_broken
from ..home import home_of
from ..memory import Memory
from ..recording import plausible
from ..runtime import StrataConfigEntry
from ..sources import ROLES, role as role_of
from ..sources.base import Options, ParamKind, Provider, Reading, Role, Snapshot, SourceError, source_id
from . import parameters
from .choice import AUTO, best, choice, in_order

LAST_RANK = 99


class SourceFlow(ConfigSubentryFlow):
    """Add a source, or change one; its role stays what it is."""

    _role: Role
    _provider_type: type[Provider]
    _provider: Provider
    _reading: Reading
    _memory: Memory
    _details: Options = MappingProxyType({})
    _chosen_rank: int | None = None

    # Role and provider

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose what the source is about."""
        if user_input is not None:
            self._role = role_of(user_input[CONF_ROLE])
            return await self.async_step_provider()
        roles = choice(CONF_ROLE, [role.key for role in ROLES])
        return self.async_show_form(
            step_id="user", data_schema=probatio.Schema({probatio.Required(CONF_ROLE): roles}), last_step=False
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change provider or parameters of a source that is there."""
        try:
            self._role = role_of(self._get_reconfigure_subentry().data[CONF_ROLE])
        except KeyError:
            return self.async_abort(reason="unknown_role")
        self._details = self._get_reconfigure_subentry().data.get(CONF_DETAILS, {})
        return await self.async_step_provider()

    async def async_step_provider(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose where its readings come from."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            chosen = user_input[CONF_PROVIDER]
            home = home_of(self.hass)
            self._provider_type = best(self._role, home) if chosen == AUTO else self._role.provider(chosen)
            if self._provider_type.params:
                return await self.async_step_parameters()
            if await self._try({}, errors, placeholders):
                return await self.async_step_preview()
        current = self._current
        ordered = [*([] if current else [AUTO]), *in_order(self._role, home_of(self.hass))]
        proposed = current.data[CONF_PROVIDER] if current else None
        key = probatio.Required(CONF_PROVIDER, default=proposed if proposed in ordered else ordered[0])
        return self.async_show_form(
            step_id="provider",
            data_schema=probatio.Schema({key: choice(CONF_PROVIDER, ordered)}),
            errors=errors,
            description_placeholders=placeholders,
            last_step=False,
        )

    # Parameters

    async def async_step_parameters(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Fill in what the provider needs to know; a test fetch checks it."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        current = self._current_options()
        if user_input is not None:
            options, errors = parameters.options_from(self._provider_type.params, user_input, current)
            if not errors and await self._try(options, errors, placeholders):
                return await self.async_step_preview()
        entities = er.async_entries_for_config_entry(er.async_get(self.hass), self._get_entry().entry_id)
        own = {entity.entity_id: entity.translation_key or "" for entity in entities}
        schema = parameters.schema(self._provider_type.params, home_of(self.hass), current, own)
        if user_input is not None:
            secrets = {param.key for param in self._provider_type.params if param.kind is ParamKind.SECRET}
            schema = self.add_suggested_values_to_schema(
                schema, {key: value for key, value in user_input.items() if key not in secrets}
            )
        return self.async_show_form(
            step_id=parameters_step(self._role, self._provider_type),
            data_schema=schema,
            errors=errors,
            description_placeholders=placeholders,
            last_step=False,
        )

    async def _try(self, options: Options, errors: dict[str, str], placeholders: dict[str, str]) -> bool:
        """Fetch once with `options`; say in `errors` why there is no reading."""
        self._provider = self._provider_type(options)
        if self._unique_id in self._taken_ids():
            errors["base"] = "already_configured"
            return False
        self._memory = self._memory_of(self._provider)
        try:
            reading = await self._fetch()
        except SourceError as error:
            if isinstance(error, SourceBroken):
                log_broken(self._provider.key, self._provider, error)
            errors["base"] = failure_key(error)
            placeholders["reason"] = str(error)
            return False
        self._reading = reading
        return True

    async def _fetch(self) -> Reading:
        try:
            return await async_fetch(self.hass, self._role, self._provider, memory=self._memory.values)
        finally:
            if (source := self._running) is not None and source.memory is self._memory:
                await self._memory.async_save(self.hass, source.subentry_id)

    def _memory_of(self, provider: Provider) -> Memory:
        """Return what the running source keeps where it is the same, so that a token is not exchanged twice."""
        memory = Memory(provider)
        source = self._running
        return source.memory if source is not None and source.memory.fingerprint == memory.fingerprint else memory

    # Preview

    async def async_step_preview(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show what the source says and save it."""
        others = self._others()
        if user_input is not None:
            self._chosen_rank = int(user_input.get(CONF_RANK, self._rank(others)))
            if user_input.get(CONF_DETAILS):
                return await self.async_step_details()
            return await self._save(self._chosen_rank)
        fields: dict[Any, Any] = {}
        if others:
            number = sel.NumberSelectorConfig(min=1, max=LAST_RANK, step=1, mode=sel.NumberSelectorMode.BOX)
            rank = self._chosen_rank or self._rank(others)
            fields[probatio.Required(CONF_RANK, default=rank)] = sel.NumberSelector(number)
        if self._role.details:
            fields[probatio.Required(CONF_DETAILS, default=False)] = sel.BooleanSelector()
        reading, _ = plausible(self._role, self._role.refine(self._reading, self._details, home_of(self.hass)))
        forecast = reading.forecasts.get(self._provider.main() or self._role.main)
        placeholders = {"title": await self._title(), "value": await self._values(reading)}
        if forecast and forecast.slots:
            until = dt_util.as_local(forecast.slots[-1].end)
            placeholders |= {"slots": str(len(forecast.slots)), "until": until.strftime("%Y-%m-%d %H:%M")}
        return self.async_show_form(
            step_id="preview_forecast" if "slots" in placeholders else "preview",
            data_schema=probatio.Schema(fields),
            description_placeholders=placeholders,
        )

    async_step_preview_forecast = async_step_preview

    async def async_step_details(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Answer the role's optional questions, then look at the reading again."""
        errors: dict[str, str] = {}
        if user_input is not None:
            details, errors = parameters.options_from(self._role.details, user_input, None)
            if not errors:
                self._details = details
                return await self.async_step_preview()
        currency = (self._reading.unit or "").partition("/")[0]
        schema = parameters.schema(
            self._role.details, home_of(self.hass), self._details or None, currency=currency or None
        )
        if user_input is not None:
            schema = self.add_suggested_values_to_schema(schema, user_input)
        return self.async_show_form(
            step_id=details_step(self._role), data_schema=schema, errors=errors, last_step=False
        )

    async def _save(self, rank: int) -> SubentryFlowResult:
        data = {
            CONF_ROLE: self._role.key,
            CONF_PROVIDER: self._provider.key,
            CONF_OPTIONS: dict(self._provider.options),
            CONF_RANK: rank,
        } | ({CONF_DETAILS: dict(self._details)} if self._details else {})
        title = await self._title()
        if (source := self._running) is None or source.memory is not self._memory:
            self._memory.hand_over(self.hass)
        if (current := self._current) is None:
            return self.async_create_entry(title=title, data=data, unique_id=self._unique_id)
        if current.unique_id == self._unique_id:
            # The same source: it keeps the name it may have been given.
            title = current.title
        return self.async_update_and_abort(
            self._get_entry(), current, title=title, data=data, unique_id=self._unique_id
        )

    async def _values(self, reading: Reading) -> str:
        """The role's main value as the preview shows it, and others that sum it up by their names."""
        role = self._role
        names = await async_get_translations(self.hass, self.hass.config.language, "entity", {DOMAIN})
        present = Snapshot(reading=reading, now=dt_util.utcnow(), provider=self._provider.key, home=home_of(self.hass))
        values = role.fields_at(present)
        units = {field.name: field.unit or reading.unit or "" for field in role.fields}
        main = self._provider.main() or role.main
        shown = [_with_unit(values.get(main), units[main])]
        for name in role.shown:
            if (value := values.get(name)) is not None:
                label = names.get(f"component.{DOMAIN}.entity.sensor.{name}.name", name)
                shown.append(f"{label}: {_with_unit(value, units[name])}")
        return " · ".join(shown)

    async def _title(self) -> str:
        """Return what the source is about, for which place, and who says so: `Electricity price AT (Energy-Charts)`."""
        names = await async_get_translations(self.hass, self.hass.config.language, "selector", {DOMAIN})
        topic, provider = (
            names.get(f"component.{DOMAIN}.selector.{kind}.options.{key}", key)
            for kind, key in ((CONF_ROLE, self._role.key), (CONF_PROVIDER, self._provider.key))
        )
        detail = self._provider.title() if self._provider.title_shown else ""
        if self._provider.local and detail:
            # "Home Assistant entity" says nothing; what the entity is called does.
            words = ((self.hass.states.get(word), word) for word in detail.split())
            return f"{topic} ({' '.join(state.name if state else word for state, word in words)})"
        return " ".join(filter(None, (topic, detail, f"({provider})")))

    # What is there already

    @property
    def _current(self) -> ConfigSubentry | None:
        """The source that is changed, None when one is added.

        Raises:
            AbortFlow: it has been removed while its form was open.
        """
        if self.source != SOURCE_RECONFIGURE:
            return None
        try:
            return self._get_reconfigure_subentry()
        except UnknownSubEntry:
            raise AbortFlow("source_removed") from None

    @property
    def _running(self) -> SourceCoordinator | None:
        """The running source that is changed."""
        entry: StrataConfigEntry = self._get_entry()
        if (current := self._current) is None or entry.state is not ConfigEntryState.LOADED:
            return None
        return entry.runtime_data.sources.get(current.subentry_id)

    def _current_options(self) -> Options | None:
        current = self._current
        if current is None or current.data[CONF_PROVIDER] != self._provider_type.key:
            return None
        options: Options = current.data[CONF_OPTIONS]
        return options

    @property
    def _unique_id(self) -> str:
        return source_id(self._role, self._provider)

    def _siblings(self) -> list[ConfigSubentry]:
        current = self._current
        subentries = self._get_entry().get_subentries_of_type(SUBENTRY_SOURCE)
        return [subentry for subentry in subentries if subentry is not current]

    def _taken_ids(self) -> set[str | None]:
        return {subentry.unique_id for subentry in self._siblings()}

    def _others(self) -> list[ConfigSubentry]:
        return [subentry for subentry in self._siblings() if subentry.data[CONF_ROLE] == self._role.key]

    def _rank(self, others: list[ConfigSubentry]) -> int:
        """The rank it has, for a new source the last."""
        if (current := self._current) is not None:
            return int(current.data[CONF_RANK])
        return min(max((int(other.data[CONF_RANK]) for other in others), default=0) + 1, LAST_RANK)


def parameters_step(role: Role, provider: type[Provider]) -> str:
    """Return the id of the step that asks for a provider's parameters, so that each has its own texts."""
    return f"{role.key}_{provider.key}"


def details_step(role: Role) -> str:
    """Return the id of the step that asks a role's optional questions."""
    return f"{role.key}_details"


for _role in ROLES:
    setattr(SourceFlow, f"async_step_{details_step(_role)}", SourceFlow.async_step_details)
    for _provider in _role.providers:
        setattr(SourceFlow, f"async_step_{parameters_step(_role, _provider)}", SourceFlow.async_step_parameters)


def _with_unit(value: FieldValue | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{_readable(value) if isinstance(value, float) else value} {unit}".strip()


def _readable(value: float) -> str:
    """Return `value` with four significant digits, all of those before the point, and no exponent."""
    places = max(3 - math.floor(math.log10(abs(value))), 0) if value else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text
