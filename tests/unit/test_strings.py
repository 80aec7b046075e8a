"""Texts, icons, actions and code fit together: what one names the others have.

The rules are those of Home Assistant's hassfest for translations/en.json, icons.json and services.yaml, and some of
our own: every key the code uses has its text, and no text is left over.
"""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
import re
import string
from typing import Any

import homeassistant.helpers.config_validation as cv
from homeassistant.helpers.selector import validate_selector
import probatio
import pytest
import yaml

PACKAGE = Path(__file__).parents[2] / "custom_components" / "strata"
SOURCES = sorted(PACKAGE.rglob("*.py"))

KEY = re.compile(r"^(?!.+[_-]{2})(?![_-])[a-z0-9_-]+(?<![_-])$")
URL = re.compile(r"(?:[a-z0-9]+://|www\.)\w", re.IGNORECASE)


def _load(name: str) -> dict[str, Any]:
    path = PACKAGE / name
    if not path.exists():
        pytest.skip(f"{name} is not there")
    text = path.read_text(encoding="utf-8")
    content: dict[str, Any] = (yaml.safe_load(text) or {}) if path.suffix == ".yaml" else json.loads(text)
    return content


@pytest.fixture
def texts() -> dict[str, Any]:
    return _load("translations/en.json")


@pytest.fixture
def icons() -> dict[str, Any]:
    return _load("icons.json")


@pytest.fixture
def actions() -> dict[str, Any]:
    return _load("services.yaml")


def _key(value: str) -> str:
    if not KEY.match(value):
        raise probatio.Invalid(f"{value!r} is no translation key")
    return value


def _text(value: object) -> str:
    text = cv.string_with_no_html(value)
    if not text or text != text.strip():
        raise probatio.Invalid(f"{text!r} is empty or padded")
    if URL.search(text):
        raise probatio.Invalid(f"{text!r} has an address in it; use a placeholder")
    if "[%" in text:
        raise probatio.Invalid(f"{text!r} is a reference; nothing resolves it here")
    if re.search(r"'{\w+}'", text):
        raise probatio.Invalid(f"{text!r} has a placeholder in single quotes")
    for _, field, _, _ in string.Formatter().parse(text):
        if field is not None and not field.isidentifier():
            raise probatio.Invalid(f"{text!r}: {field!r} is no placeholder")
    return text


def _all(value: object) -> dict[object, object]:
    return {_key: value}


def _optional(**fields: object) -> dict[object, object]:
    return {probatio.Optional(name): value for name, value in fields.items()}


FIELDS = {"data": _all(_text), "data_description": _all(_text)}
SECTION = _optional(name=_text, description=_text, **FIELDS)
STEP = _optional(
    title=_text,
    description=_text,
    menu_options=_all(_text),
    menu_option_descriptions=_all(_text),
    submit=_text,
    sections=_all(SECTION),
    **FIELDS,
)
FLOW = {
    probatio.Required("step"): _all(STEP),
    **_optional(flow_title=_text, error=_all(_text), abort=_all(_text), progress=_all(_text), create_entry=_all(_text)),
}
SUBENTRY_FLOW = {
    **FLOW,
    probatio.Required("entry_type"): _text,
    probatio.Required("initiate_flow"): {probatio.Required("user"): _text, _key: _text},
}
ISSUE = probatio.Any(
    {probatio.Required("title"): _text, probatio.Required("description"): _text},
    {probatio.Required("title"): _text, probatio.Required("fix_flow"): FLOW},
)
SELECTOR_FIELD = {probatio.Required("name"): _text, probatio.Optional("description"): _text}
SELECTOR = _optional(
    options=_all(_text), choices=_all(_text), unit_of_measurement=_all(_text), fields=_all(SELECTOR_FIELD)
)
ATTRIBUTE = _optional(name=_text, state=_all(_text))
ENTITY = _optional(name=_text, unit_of_measurement=_text, state=_all(_text), state_attributes=_all(ATTRIBUTE))
NAMED = {probatio.Required("name"): _text, probatio.Required("description"): _text}
ACTION = {
    **NAMED,
    **_optional(fields=_all(NAMED), sections=_all({probatio.Required("name"): _text, **_optional(description=_text)})),
}
TEXTS = probatio.Schema(
    _optional(
        title=_text,
        config=FLOW,
        config_subentries=_all(SUBENTRY_FLOW),
        options=FLOW,
        selector=_all(SELECTOR),
        entity=_all(_all(ENTITY)),
        device=_all({probatio.Required("name"): _text}),
        exceptions=_all({probatio.Required("message"): _text}),
        issues=_all(ISSUE),
        services=_all(ACTION),
        system_health=_optional(info=_all(_text)),
    )
)

_icon = probatio.Match(r"^mdi:[a-z0-9-]+$")
ENTITY_ICON = _optional(
    default=_icon,
    state=_all(_icon),
    range={str: _icon},
    state_attributes=_all(_optional(default=_icon, state=_all(_icon))),
)
ICONS = probatio.Schema(
    _optional(
        entity=_all(_all(ENTITY_ICON)),
        services=_all({probatio.Required("service"): _icon, **_optional(sections=_all(_icon))}),
        config={str: object},
        options={str: object},
        config_subentries={str: object},
        issues={str: object},
    )
)


def _flows(texts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in ("config", "options"):
        if name in texts:
            yield name, texts[name]
    yield from texts.get("config_subentries", {}).items()
    for name, issue in texts.get("issues", {}).items():
        if "fix_flow" in issue:
            yield name, issue["fix_flow"]


def _action_fields(action: dict[str, Any]) -> set[str]:
    fields = (action or {}).get("fields", {})
    inner = {name for field in fields.values() for name in field.get("fields", {})}
    return {name for name, field in fields.items() if "fields" not in field} | inner


def test_texts_have_the_form_home_assistant_reads(texts: dict[str, Any]) -> None:
    TEXTS(texts)


def test_every_field_of_a_form_is_explained(texts: dict[str, Any]) -> None:
    for flow_name, flow in _flows(texts):
        for step_name, step in flow["step"].items():
            for part in (step, *step.get("sections", {}).values()):
                assert set(part.get("data", {})) == set(part.get("data_description", {})), f"{flow_name}.{step_name}"


def test_icons_have_the_form_home_assistant_reads(icons: dict[str, Any]) -> None:
    ICONS(icons)
    for platform in icons.get("entity", {}).values():
        for name, icon in platform.items():
            assert icon.get("default") not in icon.get("state", {}).values(), f"{name}: a state's icon is the default"


def test_icons_belong_to_entities_and_actions_that_have_texts(icons: dict[str, Any], texts: dict[str, Any]) -> None:
    for platform, entities in icons.get("entity", {}).items():
        assert set(entities) <= set(texts["entity"][platform]), platform
    assert set(icons.get("services", {})) == set(texts.get("services", {}))


def test_every_action_has_texts_and_every_text_its_action(actions: dict[str, Any], texts: dict[str, Any]) -> None:
    described = texts.get("services", {})
    assert set(actions) == set(described)
    for name, action in actions.items():
        assert _action_fields(action) == set(described[name].get("fields", {})), name


def test_actions_have_the_form_home_assistant_reads(actions: dict[str, Any]) -> None:
    for name, action in actions.items():
        assert set(action or {}) <= {"target", "fields"}, f"{name}: names and descriptions are in translations/en.json"
        for field_name, field in (action or {}).get("fields", {}).items():
            inner = field.get("fields", {field_name: field})
            for inner_name, inner_field in inner.items():
                allowed = {"required", "default", "example", "selector", "filter", "advanced"}
                assert set(inner_field) <= allowed, f"{name}.{inner_name}"
                validate_selector(inner_field["selector"])


def _literals() -> set[str]:
    return {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _translated_calls() -> Iterator[tuple[str, str, str]]:
    """Yield place, name of what is called, and its literal translation key."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for keyword in node.keywords:
                if keyword.arg == "translation_key" and isinstance(keyword.value, ast.Constant) and keyword.value.value:
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", called, keyword.value.value


def test_every_error_and_issue_in_the_code_has_its_text(texts: dict[str, Any]) -> None:
    for place, called, key in _translated_calls():
        if re.search(r"(Error|Failed|NotReady|AuthFailed)$", called):
            assert key in texts["exceptions"], place
        elif called.endswith("create_issue"):
            assert key in texts["issues"], place
        elif called.endswith("EntityDescription"):
            assert any(key in platform for platform in texts["entity"].values()), place


@pytest.mark.parametrize("group", ["exceptions", "issues"])
def test_no_text_is_left_over(texts: dict[str, Any], group: str) -> None:
    unused = set(texts.get(group, {})) - _literals()
    assert not unused, f"{group} that no code names"
