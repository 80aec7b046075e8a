"""The pages for users and contributors tell the truth: what they name exists, and what exists they name.

Names of entities, providers and options are those of translations/en.json, which users see.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import re
from typing import Any
from urllib.parse import parse_qsl

from homeassistant.components.automation.config import ValidationStatus, async_validate_config_item
from homeassistant.core import HomeAssistant
from homeassistant.util import slugify
import pytest
import yaml

from custom_components.strata.core.filter import (
    DEFAULT_EXCLUDED_DEVICE_CLASSES,
    DEFAULT_EXCLUDED_DOMAINS,
)
from custom_components.strata.core.model import Kind, Row, SeriesKey, to_micros
from custom_components.strata.fetching import failure_key
from custom_components.strata.history_services import QUERY_VIEW_SCHEMA
from custom_components.strata.services import DOWNSAMPLED_TIERS
from custom_components.strata.sources import ROLES, base as source_base
from custom_components.strata.sources.electricity_pricing.actions import ACTIONS as PRICE_ACTIONS
from custom_components.strata.sources.electricity_pricing.entity import LISTS
from custom_components.strata.sources.electricity_pricing.rows import END_KEYS, PRICE_KEYS, START_KEYS
from custom_components.strata.store.schema import v1, v2
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DEFAULT_LADDER
from custom_components.strata.store.views import VIEWS
from custom_components.strata.tidying import DETAILS_KEPT, FORECASTS_KEPT

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "custom_components" / "strata"
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/store.md",
    "docs/archive.md",
    "docs/mirror.md",
    "docs/prices.md",
    "docs/views.md",
    "docs/presence.md",
    "docs/meter.md",
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
STORE = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
TEXTS: dict[str, Any] = json.loads((PACKAGE / "translations" / "en.json").read_text(encoding="utf-8"))
ACTIONS: dict[str, Any] = yaml.safe_load((PACKAGE / "services.yaml").read_text(encoding="utf-8"))
MANIFEST: dict[str, Any] = json.loads((PACKAGE / "manifest.json").read_text(encoding="utf-8"))

ENTITY_NAMES = {
    (platform, entity["name"]) for platform, entities in TEXTS["entity"].items() for entity in entities.values()
}
PROVIDERS = TEXTS["selector"]["provider"]["options"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _section(page: str, heading: str) -> str:
    """Return the text below a heading, down to the next one of its level or above."""
    lines = page.splitlines()
    assert heading in lines, f"there is no heading {heading!r}"
    own = heading.partition(" ")[0]
    section: list[str] = []
    fenced = False
    for line in lines[lines.index(heading) + 1 :]:
        fenced ^= line.startswith("```")
        level, _, _ = line.partition(" ")
        if not fenced and set(level) == {"#"} and len(level) <= len(own):
            break
        section.append(line)
    return "\n".join(section)


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def _rows(text: str) -> list[list[str]]:
    """Return the cells of all table rows but the heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    heads = {index - 1 for index, row in enumerate(rows) if set(row[0]) <= {"-"} and row[0]}
    return [row for index, row in enumerate(rows) if index not in heads and not set("".join(row)) <= {"-"}]


def _first_cells(text: str) -> set[str]:
    return {row[0].strip("*`") for row in _rows(text)}


def _anchors(page: str) -> list[str]:
    """Return what the headings of a page can be linked by, as GitHub makes it of headings that are there once."""
    text = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


# Links


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in LINK.findall(_page(name)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", PAGES)
def test_no_two_headings_share_a_link(name: str) -> None:
    anchors = _anchors(_page(name))
    assert sorted(anchors) == sorted(set(anchors))


def test_addresses_are_those_of_the_manifest_and_the_providers() -> None:
    assert MANIFEST["documentation"] in README
    assert MANIFEST["issue_tracker"] in README
    rows = _rows(_section(README, "## Privacy"))
    named = {address for row in rows for address in re.findall(r"`([a-z.\-]+)`", row[0])}
    asked = {provider.base_url.removeprefix("https://") for role in ROLES for provider in role.providers}
    assert named == asked - {""}


# Sources


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.key)
def test_the_table_of_a_role_has_its_providers_with_what_they_ask_for(role: source_base.Role) -> None:
    heading = f"### {TEXTS['selector']['role']['options'][role.key]}"
    table = _section(README, heading).partition("\n- ")[0]
    assert _first_cells(table) == {PROVIDERS[provider.key] for provider in role.providers}
    for row in _rows(table):
        provider = next(one for one in role.providers if PROVIDERS[one.key] == row[0].strip("*"))
        step = TEXTS["config_subentries"]["source"]["step"].get(f"{role.key}_{provider.key}", {})
        assert set(re.findall(r"\*(.+?)\*", row[2])) == set(step.get("data", {}).values()), provider.key
    said = _section(README, heading).removeprefix(table)
    assert all(f"**{PROVIDERS[provider.key]}**" in said for provider in role.providers)


def test_recognised_entities_are_those_the_provider_knows() -> None:
    text = _section(README, "#### Entities that are recognised")
    named = [tuple(re.findall(r"`(\w+)`", row[1])) for row in _rows(text)]
    assert sorted(named) == sorted(LISTS)
    keys = {*START_KEYS, *END_KEYS, *(known.key for known in PRICE_KEYS)}
    assert all(f"`{key}`" in text for key in keys)


def test_recognised_actions_are_those_the_provider_calls() -> None:
    rows = _rows(_section(README, "#### Actions that are recognised"))
    assert {row[1].strip("`") for row in rows} == {f"{domain}.{one.name}" for domain, one in PRICE_ACTIONS.items()}
    rolling = {row[1].strip("`").partition(".")[0] for row in rows if "every 15 minutes" in row[2]}
    assert rolling == {domain for domain, one in PRICE_ACTIONS.items() if one.rolling}


def test_data_under_a_licence_that_asks_for_it_is_attributed() -> None:
    text = _section(README, "## Data and licences")
    for role in ROLES:
        for provider in role.providers:
            if provider.attribution:
                # "Energy-Charts, Fraunhofer ISE (CC BY 4.0)": who made it, without the licence.
                for name in re.sub(r"\(.*\)", "", provider.attribution).split(", "):
                    assert name.strip() in text, provider.attribution


# Entities


def _entity_table(heading: str) -> set[str]:
    return _first_cells(_section(README, heading))


@pytest.mark.parametrize(
    ("role", "heading"),
    [
        ("carbon_intensity", "### Of a carbon intensity source"),
        ("electricity_pricing", "### Of an electricity price source"),
        ("air_quality", "### Of an air quality source"),
        ("occupancy_prediction", "### Of a presence forecast source"),
        ("smart_meter", "### Of a smart meter source"),
    ],
)
def test_every_metric_is_in_the_table_of_its_role(role: str, heading: str) -> None:
    (of,) = [one for one in ROLES if one.key == role]
    texts = TEXTS["entity"]
    names = {texts["binary_sensor" if metric.binary else "sensor"][metric.key]["name"] for metric in of.metrics}
    names |= {texts["event"][event.key]["name"] for event in of.events}
    assert _entity_table(heading) == names


def test_every_role_has_a_table_and_every_entity_is_in_one() -> None:
    tables = {"air_quality", "carbon_intensity", "electricity_pricing", "occupancy_prediction", "smart_meter"}
    assert {role.key for role in ROLES} == tables, "a role needs its table"
    assert _first_cells(_section(README, "## Entities")) == {name for _, name in ENTITY_NAMES}


def test_entity_ids_end_with_the_name_of_an_entity_of_their_platform() -> None:
    slugs = {platform: {slugify(name) for of, name in ENTITY_NAMES if of == platform} for platform, _ in ENTITY_NAMES}
    prefixes = "electricity_price_de_lu_energy_charts", "carbon_intensity_gb_neso"
    found = re.findall(rf"\b(sensor|binary_sensor)\.((?:{'|'.join(prefixes)})\w+)", README)
    assert found
    for platform, object_id in found:
        assert object_id.removeprefix(prefixes[0]).removeprefix(prefixes[1]).lstrip("_") in slugs[platform], object_id


# Actions


def test_every_action_is_described_with_its_fields() -> None:
    text = _section(README, "## Actions")
    assert set(re.findall(r"^### `strata\.(\w+)`$", text, re.MULTILINE)) == set(ACTIONS)
    for name, action in ACTIONS.items():
        described = _section(README, f"### `strata.{name}`")
        for field in action["fields"]:
            assert f"`{field}`" in described, f"{name}.{field}"
        for row in _rows(described):
            assert row[0].strip("`") in action["fields"], f"{name}: {row[0]}"
    tiers = _section(README, "### `strata.downsample`")
    assert all(f"`{tier}`" in tiers for tier in DOWNSAMPLED_TIERS)
    forecasts = {stored.forecast for role in ROLES for stored in role.forecasts}
    assert all(f"`{key}`" in _section(README, "### `strata.get_forecast`") for key in forecasts)


def test_every_failure_a_source_can_have_is_named() -> None:
    kinds = [
        one for one in vars(source_base).values() if isinstance(one, type) and issubclass(one, source_base.SourceError)
    ]
    keys = {failure_key(kind("")) for kind in kinds}
    assert all(f"`{key}`" in _section(README, "### `strata.get_current`") for key in keys)


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def test_answers_have_the_keys_the_code_gives() -> None:
    files = [
        *PACKAGE.glob("*services.py"),
        PACKAGE / "erasing.py",
        PACKAGE / "retention_preview.py",
        *PACKAGE.glob("api/*.py"),
        *PACKAGE.glob("store/*.py"),
        *PACKAGE.glob("anomalies/*.py"),
    ]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    fields = {field.name for role in ROLES for field in role.fields}
    fields |= {column.told for view in VIEWS for column in view.columns}
    answers = [yaml.safe_load(block) for block in _blocks(README, "yaml") if block.startswith("# answer")]
    assert len(answers) == len(ACTIONS)
    for answer in answers:
        for key in _keys(answer):
            assert f'"{key}"' in code or key in fields, key


# Examples

YAML_BLOCKS = [yaml.safe_load(block) for block in _blocks(README, "yaml") if not block.startswith("# answer")]
AUTOMATIONS = [automation for block in YAML_BLOCKS for automation in block.get("automation", ())]


def _calls(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "action" in value:
            yield value
        for inner in value.values():
            yield from _calls(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _calls(inner)


def test_examples_call_actions_that_exist_with_fields_they_have() -> None:
    called = set()
    for call in _calls(YAML_BLOCKS):
        domain, _, name = call["action"].partition(".")
        if domain == "strata":
            called.add(name)
            fields = ACTIONS[name]["fields"]
            assert set(call.get("data", {})) <= set(fields)
            assert {field for field, of in fields.items() if of.get("required")} <= set(call.get("data", {}))
    assert called == set(ACTIONS)


def test_examples_of_views_ask_what_can_be_asked() -> None:
    page = _page("docs/views.md")
    asked = [yaml.safe_load(block)["data"] for block in _blocks(page, "yaml")]
    asked += [
        {k: v for k, v in json.loads(block).items() if k not in {"id", "type"}} for block in _blocks(page, "json")
    ]
    for address in re.findall(r"/api/strata/v2/views/(\w+\?[^\s\"]+)", page):
        name, _, query = address.partition("?")
        asked.append({"view": name, **dict(parse_qsl(query))})
    assert len(asked) == 4
    for question in asked:
        QUERY_VIEW_SCHEMA(question)


@pytest.mark.parametrize("automation", AUTOMATIONS, ids=lambda automation: slugify(automation["alias"]))
async def test_automations_are_accepted_by_home_assistant(hass: HomeAssistant, automation: dict[str, Any]) -> None:
    config = await async_validate_config_item(hass, slugify(automation["alias"]), automation)
    assert config is not None
    assert config.validation_status is ValidationStatus.OK, config.validation_error


def test_automations_are_written_as_they_are_today() -> None:
    assert len(AUTOMATIONS) >= 4
    for automation in AUTOMATIONS:
        assert {"alias", "triggers", "actions"} <= set(automation) <= {"alias", "triggers", "conditions", "actions"}


# Options and fixed times


def test_every_option_is_named() -> None:
    text = _section(README, "## Options")
    sections = TEXTS["options"]["step"]["history"]["sections"]
    for section in sections.values():
        for label in section["data"].values():
            assert label in text, label
    for item in DEFAULT_EXCLUDED_DOMAINS | DEFAULT_EXCLUDED_DEVICE_CLASSES:
        assert f"`{item}`" in text, item


def test_layers_are_kept_as_long_as_said() -> None:
    labels = TEXTS["options"]["step"]["history"]["sections"]["keep"]["data"]
    kept = {row[0]: row[1] for row in _rows(_section(README, "### How long it is kept"))}
    stored = {row[0].strip("`"): row[2] for row in _rows(_section(STORE, "## Layers"))}
    for tier in DEFAULT_LADDER.tiers:
        assert tier.keep is not None
        assert kept[labels[tier.name]] == stored[tier.name] == f"{tier.keep.days} days"
    text = _section(README, "### How long it is kept")
    assert f"kept {DETAILS_KEPT.days} days" in text
    assert timedelta(days=365) == FORECASTS_KEPT
    assert "forecasts as they were issued one year" in text


# For contributors


def test_every_script_that_is_named_exists_and_every_script_is_named() -> None:
    named = {name for page in PAGES for name in re.findall(r"scripts/(\w+)", _page(page))}
    commands = {path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix}
    assert named == commands


def test_options_of_scripts_exist() -> None:
    for row in _rows(_section(README, "## For contributors").partition("### Layout")[0]):
        script = ROOT / row[0].strip("`").split(" ")[0]
        # A script whose work is done by a package hands its options on to it.
        files = [script, *script.parent.glob("*/__main__.py")]
        code = "\n".join(file.read_text(encoding="utf-8") for file in files)
        for option in re.findall(r"--\w+", " ".join(row)):
            assert option in code, f"{row[0]} {option}"


def test_files_that_are_named_exist() -> None:
    folders = (ROOT, PACKAGE)
    for page in PAGES:
        for path in re.findall(r"`([\w./]+/[\w.]+\.(?:py|md|json|yaml))`", _page(page)):
            assert any((folder / path).exists() for folder in folders), f"{page}: {path}"
    (layout,) = _blocks(_section(README, "### Layout"), "")
    for name in re.findall(r"[\w/]+(?:\.\w+|/)(?=\s)", layout):
        assert any((folder / name).exists() for folder in (*folders, ROOT / "tests", ROOT / "docs")), name


def test_the_walk_through_shows_the_provider_as_it_is() -> None:
    (block,) = _blocks(README, "python")
    place, *lines = block.splitlines()
    code = iter((ROOT / place.removeprefix("# ")).read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.strip() not in {"", "..."}:
            assert line in code, f"{line!r} is not there, or not in this order"


# The page about the store


def test_every_table_of_the_store_is_described() -> None:
    created = {
        name for statement in (*v1._TABLES, *v2._TABLES) for name in re.findall(r"CREATE TABLE (\w+)", statement)
    }
    described = {name for row in _rows(_section(STORE, "## Schema")) for name in re.findall(r"`(\w+)`", row[0])}
    assert described == created


def test_the_example_of_reading_the_file_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = _blocks(STORE, "python")
    start = datetime(2026, 10, 20, tzinfo=UTC)
    path = tmp_path / "strata.db"
    clock = [to_micros(start)]
    with SqliteStore(path, timezone="UTC", now=lambda: clock[0]) as store:
        series = store.series(
            SeriesKey.of_entity("home_assistant_events", "registry_id"),
            kind=Kind.MEASUREMENT,
            unit="W",
            labels={"entity_id": "sensor.fridge_power"},
        )
        # 100 W for half an hour, then 60 W: 80 W in the first hour.
        store.write([Row(series, to_micros(start), 100.0), Row(series, to_micros(start + timedelta(minutes=30)), 60.0)])
        clock[0] = to_micros(start + timedelta(hours=2))
        store.write([], heartbeat=clock[0])
        store.roll_up(clock[0])
    exec(block.replace("/config/strata/strata.db", str(path)), {})  # noqa: S102 - our own page
    assert capsys.readouterr().out.splitlines() == [
        "2026-10-20T00:00:00+00:00 80.0 W, known for 3600 s",
        "2026-10-20T01:00:00+00:00 60.0 W, known for 3600 s",
    ]
