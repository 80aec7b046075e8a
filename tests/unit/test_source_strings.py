"""Every role, provider, parameter, metric and failure has its texts and icons, and the actions know them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from custom_components.strata.fetching import _FAILURE_KEYS
from custom_components.strata.flows.choice import AUTO
from custom_components.strata.services import DOWNSAMPLED_TIERS
from custom_components.strata.sources import ROLES
from custom_components.strata.sources.base import Metric, Param, Provider, Role
from custom_components.strata.store.tiers import DEFAULT_LADDER

PACKAGE = Path(__file__).parents[2] / "custom_components" / "strata"
TEXTS: dict[str, Any] = json.loads((PACKAGE / "translations" / "en.json").read_text(encoding="utf-8"))
ICONS: dict[str, Any] = json.loads((PACKAGE / "icons.json").read_text(encoding="utf-8"))
ACTIONS: dict[str, Any] = yaml.safe_load((PACKAGE / "services.yaml").read_text(encoding="utf-8"))
SOURCE = TEXTS["config_subentries"]["source"]

METRICS = [(role, metric) for role in ROLES for metric in role.metrics]
PROVIDERS = [(role, provider) for role in ROLES for provider in role.providers]
PARAMS = [(role, provider, param) for role, provider in PROVIDERS for param in provider.params] + [
    (role, role, param) for role in ROLES for param in role.details
]


def _name(value: object) -> str:
    return str(getattr(value, "key", value))


@pytest.mark.parametrize("role", ROLES, ids=_name)
def test_role(role: Role) -> None:
    assert role.key in TEXTS["selector"]["role"]["options"]
    assert role.key in TEXTS["device"]
    for action in ("find_window", "get_current", "get_forecast"):
        assert role.key in ACTIONS[action]["fields"]["role"]["selector"]["select"]["options"]


@pytest.mark.parametrize(("role", "provider"), PROVIDERS, ids=_name)
def test_provider(role: Role, provider: type[Provider]) -> None:
    assert provider.key in TEXTS["selector"]["provider"]["options"]
    step = SOURCE["step"].get(f"{role.key}_{provider.key}", {})
    assert set(step.get("data", {})) == {param.key for param in provider.params}


@pytest.mark.parametrize("role", [role for role in ROLES if role.details], ids=_name)
def test_details(role: Role) -> None:
    assert set(SOURCE["step"][f"{role.key}_details"]["data"]) == {param.key for param in role.details}


def test_details_are_asked_where_a_role_has_any() -> None:
    steps = {name.removesuffix("_details") for name in SOURCE["step"] if name.endswith("_details")}
    assert steps == {role.key for role in ROLES if role.details}
    for preview in ("preview", "preview_forecast"):
        assert set(SOURCE["step"][preview]["data"]) == {"rank", "details"}


@pytest.mark.parametrize(("role", "of", "param"), PARAMS, ids=_name)
def test_translated_choices_of_a_parameter(role: Role, of: object, param: Param) -> None:
    for one in (param, *param.columns):
        if one.translated:
            assert set(TEXTS["selector"][one.key]["options"]) >= set(one.choices)
    if param.columns:
        assert set(TEXTS["selector"][param.key]["fields"]) == {column.key for column in param.columns}


def test_who_does_not_want_to_choose_is_offered_the_best() -> None:
    assert AUTO in TEXTS["selector"]["provider"]["options"]


@pytest.mark.parametrize(("role", "metric"), METRICS, ids=_name)
def test_metric(role: Role, metric: Metric) -> None:
    platform = "binary_sensor" if metric.binary else "sensor"
    assert metric.key in TEXTS["entity"][platform]
    # What has a device class that is more than a time gets its icon from Home Assistant.
    assert metric.key in ICONS["entity"][platform] or metric.device_class not in (None, "timestamp")
    for option in metric.options:
        assert option in TEXTS["entity"][platform][metric.key]["state"]


@pytest.mark.parametrize("role", ROLES, ids=_name)
def test_events(role: Role) -> None:
    for event in role.events:
        said = TEXTS["entity"]["event"][event.key]["state_attributes"]["event_type"]["state"]
        assert set(said) == set(event.types)
        assert event.key in ICONS["entity"]["event"]


def test_every_failure_can_be_said() -> None:
    keys = set(_FAILURE_KEYS.values())
    assert keys <= set(SOURCE["error"])
    assert keys <= set(TEXTS["exceptions"])
    assert keys == set(TEXTS["entity"]["binary_sensor"]["healthy"]["state_attributes"]["failure"]["state"])


def test_tiers() -> None:
    (options,) = [ACTIONS["downsample"]["fields"]["tier"]["selector"]["select"]["options"]]
    assert tuple(options) == DOWNSAMPLED_TIERS
    assert set(TEXTS["selector"]["tier"]["options"]) == set(options)
    form = TEXTS["options"]
    assert set(form["step"]["history"]["sections"]["keep"]["data"]) == set(DEFAULT_LADDER.names)
    for coarser in DEFAULT_LADDER.names[1:]:
        assert f"tier_{coarser}_too_short" in form["error"]
