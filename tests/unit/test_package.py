"""The package is what Home Assistant's hassfest and HACS accept: manifest, brand, quality scale, and code against them.

hassfest cannot be installed; the workflow runs the real one. These are its rules as far as they concern us.
"""

import ast
import json
from pathlib import Path
import re
import struct

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from homeassistant.const import Platform
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "custom_components" / "strata"
MANIFEST = json.loads((PACKAGE / "manifest.json").read_text(encoding="utf-8"))
SOURCES = sorted(PACKAGE.rglob("*.py"))

REQUIRED_KEYS = {"domain", "name", "codeowners", "documentation", "iot_class", "issue_tracker", "version"}
OPTIONAL_KEYS = {
    "after_dependencies",
    "config_flow",
    "dependencies",
    "import_executor",
    "integration_type",
    "loggers",
    "quality_scale",
    "requirements",
    "single_config_entry",
}
IOT_CLASSES = {"assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"}
INTEGRATION_TYPES = {"device", "entity", "hardware", "helper", "hub", "service", "system"}
VERSION_FORMS = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]

# Components of Home Assistant that may be used without being a dependency.
ALWAYS_THERE = {*(platform.value for platform in Platform)} | {
    "alert", "automation", "conversation", "default_config", "device_automation", "frontend", "group", "homeassistant",
    "input_boolean", "input_button", "input_datetime", "input_number", "input_select", "input_text", "media_source",
    "onboarding", "panel_custom", "persistent_notification", "person", "script", "shopping_list", "sun",
    "system_health", "system_log", "timer", "webhook", "websocket_api", "zone",
}  # fmt: skip

# The rules of developers.home-assistant.io, by tier.
RULES = {
    "bronze": {
        "action-setup", "appropriate-polling", "brands", "common-modules", "config-flow", "config-flow-test-coverage",
        "dependency-transparency", "docs-actions", "docs-conditions", "docs-high-level-description",
        "docs-installation-instructions", "docs-removal-instructions", "docs-triggers", "entity-event-setup",
        "entity-unique-id", "has-entity-name", "runtime-data", "test-before-configure", "test-before-setup",
        "unique-config-entry",
    },
    "silver": {
        "action-exceptions", "config-entry-unloading", "docs-configuration-parameters", "docs-installation-parameters",
        "entity-unavailable", "integration-owner", "log-when-unavailable", "parallel-updates",
        "reauthentication-flow", "test-coverage",
    },
    "gold": {
        "devices", "diagnostics", "discovery", "discovery-update-info", "docs-data-update", "docs-examples",
        "docs-known-limitations", "docs-supported-devices", "docs-supported-functions", "docs-troubleshooting",
        "docs-use-cases", "dynamic-devices", "entity-category", "entity-device-class", "entity-disabled-by-default",
        "entity-translations", "exception-translations", "icon-translations", "reconfiguration-flow", "repair-issues",
        "stale-devices",
    },
    "platinum": {"async-dependency", "inject-websession", "strict-typing"},
}  # fmt: skip


def test_manifest_has_the_keys_that_are_needed_and_no_others() -> None:
    assert set(MANIFEST) >= REQUIRED_KEYS
    assert set(MANIFEST) <= REQUIRED_KEYS | OPTIONAL_KEYS


def test_manifest_keys_are_in_order() -> None:
    keys = list(MANIFEST)
    assert keys == ["domain", "name", *sorted(keys[2:])]


def test_manifest_values_are_allowed() -> None:
    assert MANIFEST["domain"] == PACKAGE.name
    assert MANIFEST["iot_class"] in IOT_CLASSES
    assert MANIFEST["integration_type"] in INTEGRATION_TYPES
    assert MANIFEST["documentation"].startswith("https://")
    assert "www.home-assistant.io" not in MANIFEST["documentation"]
    assert MANIFEST["issue_tracker"].startswith("https://")
    assert MANIFEST["codeowners"]
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])
    AwesomeVersion(MANIFEST["version"], ensure_strategy=VERSION_FORMS)


def test_requirements_leave_room_for_the_versions_home_assistant_pins() -> None:
    pinned = [requirement for requirement in MANIFEST["requirements"] if re.search(r"==|~=|<", requirement)]
    assert not pinned, f"{pinned}: a pin breaks other integrations as soon as Home Assistant moves its own"


def test_a_config_flow_is_there_when_the_manifest_says_so() -> None:
    if not (PACKAGE / "__init__.py").exists():
        pytest.skip("the integration's entry point is not there")
    assert MANIFEST.get("config_flow", False) == (PACKAGE / "config_flow.py").exists()


def test_setup_of_the_integration_declares_its_schema() -> None:
    entry_point = PACKAGE / "__init__.py"
    if not entry_point.exists():
        pytest.skip("the integration's entry point is not there")
    names = {
        target.id
        for node in ast.parse(entry_point.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    assert "CONFIG_SCHEMA" in names


def _used_components() -> set[str]:
    used = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "homeassistant.components":
                used.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                used.update(re.findall(r"^homeassistant\.components\.(\w+)", node.module))
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    used.update(re.findall(r"^homeassistant\.components\.(\w+)", alias.name))
    return used


def test_components_in_use_are_dependencies() -> None:
    declared = {*MANIFEST.get("dependencies", []), *MANIFEST.get("after_dependencies", [])}
    # A component for which we have a platform file loads that file itself.
    platforms = {path.stem for path in PACKAGE.glob("*.py")}
    assert _used_components() <= declared | platforms | ALWAYS_THERE


def test_every_json_file_parses() -> None:
    for path in [*PACKAGE.rglob("*.json"), ROOT / "hacs.json"]:
        json.loads(path.read_text(encoding="utf-8"))


def test_custom_integrations_have_no_strings_json() -> None:
    assert not (PACKAGE / "strings.json").exists(), "nothing reads it; translations/en.json is the source"


def test_hacs_file_has_the_floor_and_no_unknown_keys() -> None:
    hacs = json.loads((ROOT / "hacs.json").read_text(encoding="utf-8"))
    known = {"name", "country", "filename", "hide_default_branch", "homeassistant", "persistent_directory"}
    known |= {"content_in_root", "zip_release"}
    assert set(hacs) <= known
    assert hacs["name"] == MANIFEST["name"]
    assert hacs["homeassistant"] == "2026.10.0"


def test_one_integration_in_the_repository() -> None:
    assert [path.name for path in (ROOT / "custom_components").iterdir() if (path / "manifest.json").exists()] == [
        "strata"
    ]


@pytest.mark.parametrize(("name", "size"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_brand_image_has_its_size(name: str, size: int) -> None:
    head = (PACKAGE / "brand" / name).read_bytes()[:26]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, _depth, colour_type = struct.unpack(">IIBB", head[16:26])
    assert (width, height) == (size, size)
    # 6 is RGB with an alpha channel.
    assert colour_type == 6


def _quality_scale() -> dict[str, str | dict[str, str]]:
    rules: dict[str, str | dict[str, str]] = yaml.safe_load(
        (PACKAGE / "quality_scale.yaml").read_text(encoding="utf-8")
    )["rules"]
    return rules


def _status(rule: str | dict[str, str]) -> str:
    return rule if isinstance(rule, str) else rule["status"]


def test_quality_scale_lists_every_rule_once() -> None:
    rules = re.findall(r"^  ([a-z-]+):", (PACKAGE / "quality_scale.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rules) == sorted(set().union(*RULES.values()))
    assert len(rules) == 54


def test_quality_scale_says_why_where_it_has_to() -> None:
    for name, rule in _quality_scale().items():
        assert _status(rule) in {"done", "todo", "exempt"}, name
        if _status(rule) == "exempt":
            assert isinstance(rule, dict), f"{name} needs a comment"
            assert rule["comment"].strip(), name


def test_manifest_claims_no_tier_that_is_not_reached() -> None:
    claimed = MANIFEST["quality_scale"]
    assert claimed in {*RULES, "custom"}
    if claimed != "custom":
        tiers = list(RULES)[: list(RULES).index(claimed) + 1]
        rules = _quality_scale()
        assert not [name for tier in tiers for name in RULES[tier] if _status(rules[name]) == "todo"]
