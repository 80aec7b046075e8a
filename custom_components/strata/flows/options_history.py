"""The options page *History*: what is recorded, and how long each tier is kept."""

from collections.abc import Mapping
from typing import Any

from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.data_entry_flow import section
from homeassistant.helpers import selector as sel
import probatio

from ..const import CONF_KEEP
from ..core.filter import CONF_DEFAULT_EXCLUSIONS, FilterError, IngestFilter
from ..keeping import LONGEST_KEEP
from ..runtime import ladder_of
from ..store.tiers import DEFAULT_LADDER, LadderError
from .options_page import OptionsPage

SECTIONS = ("include", "exclude")
_OWN = (CONF_KEEP, CONF_DEFAULT_EXCLUSIONS, *(f"{name}_" for name in SECTIONS))
"""What this page decides."""


def _list_selectors(domains: list[str]) -> dict[str, sel.Selector[Any]]:
    def choice(options: list[str]) -> sel.SelectSelector:
        return sel.SelectSelector(
            sel.SelectSelectorConfig(
                options=options,
                multiple=True,
                custom_value=True,
                sort=True,
                mode=sel.SelectSelectorMode.DROPDOWN,
            )
        )

    classes = {item.value for device_class in (SensorDeviceClass, BinarySensorDeviceClass) for item in device_class}
    return {
        "domains": choice(domains),
        "entities": sel.TextSelector(sel.TextSelectorConfig(multiple=True)),
        "labels": sel.LabelSelector(sel.LabelSelectorConfig(multiple=True)),
        "areas": sel.AreaSelector(sel.AreaSelectorConfig(multiple=True)),
        "device_classes": choice(sorted(classes)),
    }


class HistoryPage(OptionsPage):
    """One page in sections."""

    async def async_step_history(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask, check; save where that deletes nothing."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            options = _flat(user_input)
            try:
                IngestFilter.from_options(options)
                ladder_of(options)
            except FilterError as error:
                errors[error.key.partition("_")[0]] = "invalid_filter_item"
                placeholders["item"] = str(error.item)
            except LadderError as error:
                # Only neighbours are compared, so the coarser one names the pair.
                errors[CONF_KEEP] = f"tier_{error.coarser}_too_short"
                placeholders |= _days(error, options)
            else:
                return await self.save_or_warn(_OWN, options)
        suggested = user_input or _sectioned(self.config_entry.options)
        return self.async_show_form(
            step_id="history",
            data_schema=self.add_suggested_values_to_schema(self._schema(), suggested),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _schema(self) -> probatio.Schema:
        selectors = _list_selectors(sorted({state.domain for state in self.hass.states.async_all()}))
        return probatio.Schema(
            {
                probatio.Required("include"): section(
                    probatio.Schema({probatio.Optional(f"include_{of}"): field for of, field in selectors.items()}),
                    {"collapsed": True},
                ),
                probatio.Required("exclude"): section(
                    probatio.Schema(
                        {
                            probatio.Required(CONF_DEFAULT_EXCLUSIONS, default=True): sel.BooleanSelector(),
                            **{probatio.Optional(f"exclude_{of}"): field for of, field in selectors.items()},
                        }
                    ),
                    {"collapsed": True},
                ),
                probatio.Required(CONF_KEEP): section(_keep_schema(), {"collapsed": False}),
            }
        )


def _keep_schema() -> probatio.Schema:
    days = sel.NumberSelector(
        sel.NumberSelectorConfig(
            min=0, max=LONGEST_KEEP, step=1, mode=sel.NumberSelectorMode.BOX, unit_of_measurement="days"
        )
    )
    return probatio.Schema(
        {
            probatio.Required(tier.name, default=tier.keep.days): probatio.All(days, probatio.Coerce(int))
            for tier in DEFAULT_LADDER.tiers
            if tier.keep is not None
        }
    )


def _flat(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as they are kept: the filter's at the top, the keeps under one key."""
    options: dict[str, Any] = {}
    for name in SECTIONS:
        for key, value in user_input[name].items():
            # The form hands over the rows that were left empty too.
            said = [item for item in value if item.strip()] if isinstance(value, list) else value
            if said != []:
                options[key] = said
    return {**options, CONF_KEEP: dict(user_input[CONF_KEEP])}


def _sectioned(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return kept options as the form's sections hold them."""
    sections: dict[str, Any] = {
        name: {key: value for key, value in options.items() if key.startswith(f"{name}_")} for name in SECTIONS
    }
    if CONF_DEFAULT_EXCLUSIONS in options:
        sections["exclude"][CONF_DEFAULT_EXCLUSIONS] = options[CONF_DEFAULT_EXCLUSIONS]
    return {**sections, CONF_KEEP: dict(options.get(CONF_KEEP, {}))}


def _days(error: LadderError, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the days of the offending pair for the message."""
    keeps = options[CONF_KEEP]
    return {
        "finer_days": str(keeps[error.finer]),
        "coarser_days": str(keeps[error.coarser]),
    }
