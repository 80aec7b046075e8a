"""The hub's options: checked, saved, in force at once."""

from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.integration.given import StartHub

KEEP = {"raw": 7, "five_minute": 35, "hourly": 90, "daily": 365}


def answers(keep: dict[str, int] | None = None, **lists: Any) -> dict[str, Any]:
    include = {key: value for key, value in lists.items() if key.startswith("include_")}
    exclude = {key: value for key, value in lists.items() if not key.startswith("include_")}
    return {"include": include, "exclude": {"default_exclusions": True, **exclude}, "keep": keep or KEEP}


async def open_page(hass: HomeAssistant, entry: MockConfigEntry, page: str) -> dict[str, Any]:
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "init")
    assert page in menu["menu_options"]
    result = await hass.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": page})
    return dict(result)


async def submit(hass: HomeAssistant, entry: MockConfigEntry, user_input: dict[str, Any]) -> dict[str, Any]:
    result = await open_page(hass, entry, "history")
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "history")
    return dict(await hass.config_entries.options.async_configure(result["flow_id"], user_input))


async def test_options_are_saved_and_in_force_without_a_reload(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    data = entry.runtime_data
    home.states.async_set("light.hall", "on")
    home.states.async_set("light.attic", "on")

    result = await submit(
        home, entry, answers({**KEEP, "raw": 14}, exclude_domains=["switch"], exclude_entities=["light.at*"])
    )
    await home.async_block_till_done()

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {
        "default_exclusions": True,
        "exclude_domains": ["switch"],
        "exclude_entities": ["light.at*"],
        "keep": {**KEEP, "raw": 14},
    }
    assert entry.runtime_data is data, "the hub was not reloaded"
    assert data.worker.ladder["raw"].keep == timedelta(days=14)

    before = data.worker.counters.received
    home.states.async_set("light.attic", "off")
    assert data.worker.counters.received == before
    home.states.async_set("light.hall", "off")
    assert data.worker.counters.received == before + 1


async def test_saved_options_are_proposed_again(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub(
        include_labels=["important"], default_exclusions=False, exclude_areas=["cellar"], keep={**KEEP, "daily": 730}
    )
    result = await open_page(home, entry, "history")
    sections = result["data_schema"].schema
    proposed = {
        str(field): field.description["suggested_value"]
        for part in sections.values()
        for field in part.schema.schema
        if field.description
    }
    assert proposed == {
        "include_labels": ["important"],
        "exclude_areas": ["cellar"],
        "default_exclusions": False,
        **KEEP,
        "daily": 730,
    }


@pytest.mark.parametrize(
    ("keep", "error", "placeholders"),
    [
        ({"raw": 35}, "tier_five_minute_too_short", {"finer_days": "35", "coarser_days": "35"}),
        ({"five_minute": 100}, "tier_hourly_too_short", {"finer_days": "100", "coarser_days": "90"}),
        ({"hourly": 400}, "tier_daily_too_short", {"finer_days": "400", "coarser_days": "365"}),
    ],
)
async def test_a_coarser_tier_that_is_kept_shorter_is_refused(
    home: HomeAssistant,
    start_hub: StartHub,
    keep: dict[str, int],
    error: str,
    placeholders: dict[str, str],
) -> None:
    entry = await start_hub()
    result = await submit(home, entry, answers({**KEEP, **keep}))
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"keep": error})
    assert result["description_placeholders"] == placeholders
    assert entry.options == {}

    result = dict(await home.config_entries.options.async_configure(result["flow_id"], answers()))
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_an_item_that_names_no_entity_is_refused(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    result = await submit(home, entry, answers(include_entities=["light.hall", "kitchen"]))
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"include": "invalid_filter_item"})
    assert result["description_placeholders"] == {"item": "kitchen"}

    result = dict(
        await home.config_entries.options.async_configure(
            # Rows that were left empty say nothing.
            result["flow_id"],
            answers(include_entities=["light.hall", "", "light.kitchen"], include_domains=[" "]),
        )
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["include_entities"] == ["light.hall", "light.kitchen"]
    assert "include_domains" not in entry.options


async def test_a_page_leaves_the_options_of_others_alone(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub(include_domains=["light"], of_another_page=3)
    await submit(home, entry, answers(exclude_domains=["switch"]))
    assert entry.options == {
        "of_another_page": 3,
        "default_exclusions": True,
        "exclude_domains": ["switch"],
        "keep": KEEP,
    }
