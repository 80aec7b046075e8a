"""The options page *Retention*: how long which entities are kept, told what that deletes before it is saved."""

from collections.abc import Mapping
from typing import Any

from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers import selector as sel
import probatio

from ..const import CONF_KEEP, CONF_RETENTION
from ..core.policy import KINDS, PRESETS, TIERS
from ..keeping import (
    CONF_EXPIRE_DAYS,
    CONF_KINDS,
    CONF_PINNED,
    CONF_PRICE,
    CONF_RULES,
    CONF_WATCHED,
    CONF_WEATHER,
    FOR_EVER_DAYS,
    LONGEST_KEEP,
    wrong_rule,
)
from .options_page import OptionsPage

CONF_PRESET = "preset"
_TIMES, _MORE = "times", "more"
WEEKDAYS = tuple(str(number) for number in range(7))


class RetentionPage(OptionsPage):
    """One page."""

    async def async_step_retention(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask and check; save where that deletes nothing."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            if (wrong := wrong_rule(user_input.get(CONF_RULES, ()))) is not None:
                errors[CONF_RULES], placeholders = wrong
            else:
                chosen = _flat(user_input)
                return await self.save_or_warn((CONF_RETENTION, *chosen), chosen)
        return self.async_show_form(
            step_id="retention",
            data_schema=self.add_suggested_values_to_schema(
                _page(self.hass), user_input or _sectioned(self.config_entry.options)
            ),
            errors=errors,
            description_placeholders=placeholders,
        )


def _page(hass: HomeAssistant) -> probatio.Schema:
    times = {
        probatio.Required("hourly_at", default="02:00:00"): sel.TimeSelector(),
        probatio.Required("daily_at", default="02:30:00"): sel.TimeSelector(),
        probatio.Required("archive_at", default="03:00:00"): sel.TimeSelector(),
        probatio.Required("archive_on", default=WEEKDAYS[-1]): _choice(WEEKDAYS, "archive_weekday"),
    }
    more = {
        probatio.Required(CONF_EXPIRE_DAYS, default=False): sel.BooleanSelector(),
        probatio.Optional(CONF_WEATHER): _entities("weather", multiple=False),
        probatio.Optional(CONF_PRICE): sel.NumberSelector(
            sel.NumberSelectorConfig(
                min=0,
                max=1000,
                step="any",
                mode=sel.NumberSelectorMode.BOX,
                unit_of_measurement=f"{hass.config.currency}/GB",
            )
        ),
    }
    return probatio.Schema(
        {
            probatio.Optional(CONF_PRESET): _choice(tuple(PRESETS), "retention_preset"),
            probatio.Optional(CONF_KINDS): _choice(tuple(KINDS), "retention_kind", multiple=True),
            probatio.Optional(CONF_RULES): _rules(sorted({state.domain for state in hass.states.async_all()})),
            probatio.Optional(CONF_PINNED): _entities(),
            probatio.Optional(CONF_WATCHED): _entities(),
            probatio.Required(_TIMES): section(probatio.Schema(times), {"collapsed": True}),
            probatio.Required(_MORE): section(probatio.Schema(more), {"collapsed": True}),
        }
    )


def _entities(domain: str | None = None, *, multiple: bool = True) -> sel.EntitySelector:
    config = sel.EntitySelectorConfig(multiple=multiple)
    if domain is not None:
        config["filter"] = [sel.EntityWithDeviceFilterSelectorConfig(domain=domain)]
    return sel.EntitySelector(config)


def _choice(options: tuple[str, ...], key: str, *, multiple: bool = False) -> sel.SelectSelector:
    return sel.SelectSelector(
        sel.SelectSelectorConfig(
            options=list(options), multiple=multiple, translation_key=key, mode=sel.SelectSelectorMode.DROPDOWN
        )
    )


def _rules(domains: list[str]) -> sel.ObjectSelector:
    def names(options: list[str]) -> sel.SelectSelector:
        return sel.SelectSelector(
            sel.SelectSelectorConfig(
                options=options, multiple=True, custom_value=True, mode=sel.SelectSelectorMode.DROPDOWN
            )
        )

    classes = {item.value for device_class in (SensorDeviceClass, BinarySensorDeviceClass) for item in device_class}
    named: Mapping[str, sel.Selector[Any]] = {
        "entities": _entities(),
        "labels": sel.LabelSelector(sel.LabelSelectorConfig(multiple=True)),
        "areas": sel.AreaSelector(sel.AreaSelectorConfig(multiple=True)),
        "device_classes": names(sorted(classes)),
        "domains": names(domains),
    }
    days = sel.NumberSelector(
        sel.NumberSelectorConfig(
            min=FOR_EVER_DAYS,
            max=LONGEST_KEEP,
            step=1,
            mode=sel.NumberSelectorMode.BOX,
            unit_of_measurement="days",
        )
    )
    fields: dict[str, sel.ObjectSelectorField] = {
        name: {"selector": selector, "required": False} for name, selector in named.items()
    }
    fields |= {tier: {"selector": days, "required": False} for tier in TIERS}
    return sel.ObjectSelector(sel.ObjectSelectorConfig(fields=fields, multiple=True, translation_key="retention_rule"))


def _flat(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as they are kept: this page's under one key, and what a preset says of every tier."""
    page = {key: value for key, value in user_input.items() if key not in {CONF_PRESET, _TIMES, _MORE}}
    page |= {**user_input[_TIMES], **user_input[_MORE]}
    chosen: dict[str, Any] = {CONF_RETENTION: {key: value for key, value in page.items() if value not in ([], None)}}
    if (preset := user_input.get(CONF_PRESET)) is not None:
        keeps = PRESETS[preset]
        chosen[CONF_KEEP] = {tier: FOR_EVER_DAYS if keep is None else keep.days for tier, keep in keeps.items()}
    return chosen


def _sectioned(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return kept options as the form's sections hold them."""
    said = dict(options.get(CONF_RETENTION, {}))
    times = {key: said.pop(key) for key in ("hourly_at", "daily_at", "archive_at", "archive_on") if key in said}
    more = {key: said.pop(key) for key in (CONF_EXPIRE_DAYS, CONF_WEATHER, CONF_PRICE) if key in said}
    return {**said, _TIMES: times, _MORE: more}
