"""The options page *Anomalies*: what is watched, how closely, and quiet hours."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.data_entry_flow import section
from homeassistant.helpers import selector as sel
import probatio

from ..analysis.watching import choose
from ..anomalies.options import (
    CONF_ANALYSIS,
    CONF_ENTITIES,
    CONF_LABELS,
    CONF_METHOD,
    CONF_PAUSED,
    CONF_QUIET_ENTITIES,
    CONF_QUIET_FROM,
    CONF_QUIET_ONLY_AWAY,
    CONF_QUIET_UNTIL,
    CONF_SENSITIVITY,
    METHODS,
    NEEDS,
    QUIET_FROM,
    QUIET_UNTIL,
    SENSITIVITIES,
)
from ..dependencies import DependencyMissing, async_require
from .options_page import OptionsPage

_DOMAINS = ["binary_sensor", "counter", "input_boolean", "input_number", "light", "number", "sensor", "switch"]
_QUIET = "quiet_hours"


def _entities(domains: list[str]) -> sel.EntitySelector:
    return sel.EntitySelector(
        sel.EntitySelectorConfig(multiple=True, filter=[sel.EntityWithDeviceFilterSelectorConfig(domain=domains)])
    )


def _choice(options: tuple[str, ...], key: str) -> sel.SelectSelector:
    return sel.SelectSelector(
        sel.SelectSelectorConfig(options=list(options), translation_key=key, mode=sel.SelectSelectorMode.DROPDOWN)
    )


def _schema() -> probatio.Schema:
    quiet = {
        probatio.Optional(CONF_QUIET_ENTITIES): _entities(["binary_sensor"]),
        probatio.Required(CONF_QUIET_FROM, default=QUIET_FROM.isoformat()): sel.TimeSelector(),
        probatio.Required(CONF_QUIET_UNTIL, default=QUIET_UNTIL.isoformat()): sel.TimeSelector(),
        probatio.Required(CONF_QUIET_ONLY_AWAY, default=True): sel.BooleanSelector(),
    }
    return probatio.Schema(
        {
            probatio.Required(CONF_SENSITIVITY, default="medium"): _choice(SENSITIVITIES, CONF_SENSITIVITY),
            probatio.Required(CONF_METHOD, default=METHODS[0]): _choice(METHODS, CONF_METHOD),
            probatio.Optional(CONF_ENTITIES): _entities(_DOMAINS),
            probatio.Optional(CONF_LABELS): sel.LabelSelector(sel.LabelSelectorConfig(multiple=True)),
            probatio.Optional(CONF_PAUSED): _entities(_DOMAINS),
            probatio.Required(_QUIET): section(probatio.Schema(quiet), {"collapsed": True}),
        }
    )


class AnalysisPage(OptionsPage):
    """One page; what cannot be watched is refused by name."""

    async def async_step_analysis(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask, check, save."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            said = {**{key: value for key, value in user_input.items() if key != _QUIET}, **user_input[_QUIET]}
            if (refused := self._unwatchable(said)) is not None:
                errors[CONF_ENTITIES] = "entity_not_watchable"
                placeholders["entity"] = refused
            elif not await self._is_installed(said[CONF_METHOD]):
                errors[CONF_METHOD] = "dependency_missing"
            else:
                kept = {key: value for key, value in said.items() if value != []}
                return self.save((CONF_ANALYSIS,), {CONF_ANALYSIS: kept})
        kept = dict(self.config_entry.options.get(CONF_ANALYSIS, {}))
        quiet = {key: value for key, value in kept.items() if key.startswith("quiet_")}
        suggested = user_input or {**kept, _QUIET: quiet}
        return self.async_show_form(
            step_id="analysis",
            data_schema=self.add_suggested_values_to_schema(_schema(), suggested),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _unwatchable(self, said: Mapping[str, Any]) -> str | None:
        """Return the first chosen entity that cannot be watched: it is not recorded, or its states are words."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return None
        series = self.config_entry.runtime_data.worker.all_series()
        for entity_id in said.get(CONF_ENTITIES, ()):
            if not choose(series, {entity_id}, chosen=[entity_id]):
                return str(entity_id)
        return None

    async def _is_installed(self, method: str) -> bool:
        if (feature := NEEDS.get(method)) is None:
            return True
        try:
            await async_require(self.hass, feature)
        except DependencyMissing:
            return False
        return True
