"""A provider's parameters as form fields, and what was entered as options."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
import re
from types import MappingProxyType
from typing import Any

from homeassistant.const import CONF_LATITUDE, CONF_LONGITUDE
from homeassistant.helpers import selector as sel
import probatio

from ..home import COORDINATE_DECIMALS
from ..sources.base import Home, Options, Param, ParamKind


def _select(param: Param) -> sel.Selector[Any]:
    config = sel.SelectSelectorConfig(
        options=list(param.choices), mode=sel.SelectSelectorMode.DROPDOWN, multiple=param.multiple
    )
    if param.translated:
        config["translation_key"] = param.key
    return sel.SelectSelector(config)


def _number(param: Param) -> sel.Selector[Any]:
    config = sel.NumberSelectorConfig(mode=sel.NumberSelectorMode.BOX, step="any")
    if param.minimum is not None:
        config["min"] = param.minimum
    if param.maximum is not None:
        config["max"] = param.maximum
    if param.unit is not None:
        config["unit_of_measurement"] = param.unit
    return sel.NumberSelector(config)


def _text(param: Param) -> sel.Selector[Any]:
    if not param.multiple:
        return sel.TextSelector()
    # As chips: a line for each of a dozen words would hide the rest of the form.
    return sel.SelectSelector(
        sel.SelectSelectorConfig(
            options=list(param.choices), custom_value=True, multiple=True, mode=sel.SelectSelectorMode.DROPDOWN
        )
    )


def _table(param: Param) -> sel.Selector[Any]:
    fields = {
        column.key: sel.ObjectSelectorField(selector=_FIELDS[column.kind](column), required=_is_asked_for(column, None))
        for column in param.columns
    }
    return sel.ObjectSelector(
        sel.ObjectSelectorConfig(
            fields=fields, multiple=True, label_field=param.columns[0].key, translation_key=param.key
        )
    )


_NOTHING: tuple[object, ...] = (None, "", [])

_FIELDS: dict[ParamKind, Callable[[Param], sel.Selector[Any]]] = {
    ParamKind.SELECT: _select,
    ParamKind.TEXT: _text,
    ParamKind.SECRET: lambda param: sel.TextSelector(sel.TextSelectorConfig(type=sel.TextSelectorType.PASSWORD)),
    ParamKind.NUMBER: _number,
    ParamKind.BOOLEAN: lambda param: sel.BooleanSelector(),
    ParamKind.TIME: lambda param: sel.TimeSelector(),
    ParamKind.TABLE: _table,
    ParamKind.LATITUDE_LONGITUDE: lambda param: sel.LocationSelector(sel.LocationSelectorConfig(radius=False)),
}


def _entity(param: Param, own: Mapping[str, str]) -> sel.Selector[Any]:
    config = sel.EntitySelectorConfig(domain=list(param.domains), multiple=param.multiple)
    if param.own is None:
        # A source made of Strata's own entities would feed on itself.
        config["exclude_entities"] = list(own)
    else:
        config["include_entities"] = [entity for entity, metric in own.items() if metric == param.own]
    return sel.EntitySelector(config)


def schema(
    params: Iterable[Param],
    home: Home,
    current: Options | None,
    own: Mapping[str, str] = MappingProxyType({}),
    currency: str | None = None,
) -> probatio.Schema:
    """Return the form of a source's parameters.

    `own` are Strata's own entities with the metric each shows. Amounts are in `currency`, else in that of the home.

    It proposes what is configured now (`current`), else what suits the home. A secret is never
    shown again: where there is one already, leaving its field empty keeps it.
    """
    fields: dict[Any, sel.Selector[Any]] = {}
    for param in (_in_currency(param, currency or home.currency) for param in params):
        kept_secret = param.kind is ParamKind.SECRET and current is not None and param.key in current
        proposed = None if kept_secret else _proposed(param, home, current)
        marker = probatio.Required if _is_asked_for(param, proposed) and not kept_secret else probatio.Optional
        name = probatio.Secret(param.key) if param.kind is ParamKind.SECRET else param.key
        description = None if proposed is None else {"suggested_value": proposed}
        fields[marker(name, description=description)] = (
            _entity(param, own) if param.kind is ParamKind.ENTITY else _FIELDS[param.kind](param)
        )
    return probatio.Schema(fields)


def _is_asked_for(param: Param, proposed: object | None) -> bool:
    """Say whether the frontend is to see to it that there is a value; `options_from` does anyway."""
    # It fills a required number with 0, which nobody has entered.
    return param.required and not (param.kind is ParamKind.NUMBER and proposed is None)


def _in_currency(param: Param, currency: str) -> Param:
    columns = tuple(_in_currency(column, currency) for column in param.columns)
    return replace(param, unit=param.unit and param.unit.format(currency=currency), columns=columns)


def _proposed(param: Param, home: Home, current: Options | None) -> object | None:
    return param.default(home) if current is None else current.get(param.key)


def options_from(
    params: Iterable[Param], user_input: Mapping[str, Any], current: Options | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the options that were entered, and the errors by parameter."""
    options: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for param in params:
        value = _cleaned(param, user_input.get(param.key))
        if value in _NOTHING and param.kind is ParamKind.SECRET and current is not None:
            value = current.get(param.key)
        if value in _NOTHING:
            if param.required:
                errors[param.key] = "required"
            continue
        options[param.key] = value
        if (error := _error(param, value)) is not None:
            errors[param.key] = error
    return options, errors


def _error(param: Param, value: Any) -> str | None:
    """Return the translation key of what is wrong with a value, None where nothing is."""
    if param.pattern is not None:
        texts = value if isinstance(value, list) else [value]
        if any(re.fullmatch(param.pattern, str(text)) is None for text in texts):
            return "invalid_format"
    return param.check(value) if param.check is not None else None


def _cleaned(param: Param, value: Any) -> Any:
    if param.kind is ParamKind.LATITUDE_LONGITUDE and isinstance(value, Mapping):
        return {key: round(value[key], COORDINATE_DECIMALS) for key in (CONF_LATITUDE, CONF_LONGITUDE)}
    if param.kind is ParamKind.TABLE:
        rows = value if isinstance(value, list) else [] if value is None else [value]
        cleaned = [{column.key: _cleaned(column, row.get(column.key)) for column in param.columns} for row in rows]
        return [{key: one for key, one in row.items() if one not in _NOTHING} for row in cleaned]
    if isinstance(value, list):
        return [text for one in value if (text := one.strip())]
    return value.strip() if isinstance(value, str) else value
