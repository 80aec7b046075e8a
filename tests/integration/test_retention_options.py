"""The page about retention, and what it says a change deletes."""

from datetime import timedelta
import re
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.strata.core.model import to_micros
from custom_components.strata.retention_preview import said_bytes
from tests.integration.given import StartHub
from tests.integration.test_options_flow import open_page

HOUR = 3_600_000_000
TIMES = {"hourly_at": "02:00:00", "daily_at": "02:30:00", "archive_at": "03:00:00", "archive_on": "6"}
KEEP = {"raw": 7, "five_minute": 35, "hourly": 90, "daily": 365}


def page(*, times: dict[str, str] | None = None, more: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    return {"times": {**TIMES, **(times or {})}, "more": {"expire_days": False, **(more or {})}, **said}


@pytest.fixture
async def entry(home: HomeAssistant, start_hub: StartHub) -> MockConfigEntry:
    """A hub with six days of rows, one an hour, of two entities."""
    home.states.async_set("sensor.plug", "12", {"device_class": "power", "unit_of_measurement": "W"})
    home.states.async_set("light.hall", "on")
    hub = await start_hub()
    worker = hub.runtime_data.worker
    hours = to_micros(dt_util.utcnow()) // HOUR
    for series in worker.all_series():
        if series.labels.get("entity_id") in {"sensor.plug", "light.hall"}:
            for ago in range(1, 6 * 24 + 1):
                worker.put(series, (hours - ago) * HOUR + 1, float(ago % 2))
    await worker.flush()
    await worker.write(lambda store: store.roll_up())
    return hub


async def submit(hass: HomeAssistant, entry: MockConfigEntry, said: dict[str, Any]) -> dict[str, Any]:
    form = await open_page(hass, entry, "retention")
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "retention")
    return dict(await hass.config_entries.options.async_configure(form["flow_id"], said))


async def test_a_page_that_deletes_nothing_is_saved_at_once(home: HomeAssistant, entry: MockConfigEntry) -> None:
    said = page(
        kinds=["power"],
        rules=[{"labels": ["vital"], "raw": 0}],
        pinned=["light.hall"],
        watched=[],
        more={"price_per_gb": 0.5, "weather": "weather.home"},
        times={"archive_on": "2"},
    )
    result = await submit(home, entry, said)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {
        "retention": {
            "kinds": ["power"],
            "rules": [{"labels": ["vital"], "raw": 0}],
            "pinned": ["light.hall"],
            "expire_days": False,
            "price_per_gb": 0.5,
            "weather": "weather.home",
            **TIMES,
            "archive_on": "2",
        }
    }
    form = await open_page(home, entry, "retention")
    proposed = {str(key): key.description for key in form["data_schema"].schema}
    assert proposed["kinds"] == {"suggested_value": ["power"]}
    sections = {str(key): value for key, value in form["data_schema"].schema.items()}
    times = {str(key): key.description for key in sections["times"].schema.schema}
    assert times["archive_on"] == {"suggested_value": "2"}


async def test_what_a_change_deletes_is_shown_first(home: HomeAssistant, entry: MockConfigEntry) -> None:
    said = page(rules=[{"domains": ["light"], "raw": 2}, {"entities": ["sensor.plug"], "raw": 5}])
    shown = await submit(home, entry, said)
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, "retention_preview")
    placeholders = shown["description_placeholders"]
    # Of the light the third to the sixth day go, of the plug the sixth; an hour on the border may stay.
    assert int(placeholders["rows"]) in range(4 * 24 + 24 - 2, 4 * 24 + 24 + 1)
    assert [line.split(":")[0] for line in placeholders["entities"].splitlines()] == ["- light.hall", "- sensor.plug"]
    pattern = r"- [a-z.]+: \d+ single changes, [\d.]+ k?B"
    assert all(re.fullmatch(pattern, line) for line in placeholders["entities"].splitlines())
    assert entry.options == {}
    result = await home.config_entries.options.async_configure(shown["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await home.async_block_till_done()

    report = await entry.runtime_data.retention.downsample("raw")
    assert report.problems == ()
    assert abs(report.source_rows - int(placeholders["rows"])) <= 2


async def test_what_shorter_layers_delete_is_shown_on_their_page_too(
    home: HomeAssistant, entry: MockConfigEntry
) -> None:
    form = await open_page(home, entry, "history")
    keep = {"raw": 2, "five_minute": 35, "hourly": 90, "daily": 365}
    said = {"include": {}, "exclude": {"default_exclusions": True}, "keep": keep}
    shown = await home.config_entries.options.async_configure(form["flow_id"], said)
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, "retention_preview")
    assert int(shown["description_placeholders"]["rows"]) > 0
    assert entry.options == {}
    done = await home.config_entries.options.async_configure(shown["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["keep"] == keep


async def test_a_preset_fills_in_the_days(home: HomeAssistant, entry: MockConfigEntry) -> None:
    result = await submit(home, entry, page(preset="keep_everything"))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["keep"] == dict.fromkeys(KEEP, 0)
    await home.async_block_till_done()
    assert [tier.keep for tier in entry.runtime_data.worker.ladder.tiers] == [None] * 4
    shown = await submit(home, entry, page(preset="minimal"))
    assert shown["step_id"] == "retention_preview"
    await home.config_entries.options.async_configure(shown["flow_id"], {})
    assert entry.options["keep"] == {"raw": 2, "five_minute": 7, "hourly": 30, "daily": 365}
    await home.async_block_till_done()
    assert entry.runtime_data.worker.ladder["raw"].keep == timedelta(days=2)


@pytest.mark.parametrize(
    ("rule", "error", "placeholders"),
    [
        ({"raw": 3}, "rule_incomplete", {"rule": "2"}),
        ({"domains": ["light"]}, "rule_incomplete", {"rule": "2"}),
        (
            {"domains": ["light"], "raw": 30, "hourly": 20},
            "rule_hourly_too_short",
            {"rule": "2", "finer_days": "30", "coarser_days": "20"},
        ),
        (
            {"domains": ["light"], "hourly": 0, "daily": 20},
            "rule_daily_too_short",
            {"rule": "2", "finer_days": "0", "coarser_days": "20"},
        ),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(
    home: HomeAssistant, entry: MockConfigEntry, rule: dict[str, Any], error: str, placeholders: dict[str, str]
) -> None:
    result = await submit(home, entry, page(rules=[{"domains": ["switch"], "raw": 1}, rule]))
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"rules": error})
    assert result["description_placeholders"] == placeholders
    assert entry.options == {}

    with pytest.raises(ServiceValidationError) as refused:
        await preview(home, rules=[{"domains": ["switch"], "raw": 1}, rule])
    assert (refused.value.translation_key, refused.value.translation_placeholders) == (error, placeholders)


async def preview(hass: HomeAssistant, context: Context | None = None, **asked: Any) -> dict[str, Any]:
    answer: Any = await hass.services.async_call(
        "strata", "preview_retention", asked, blocking=True, return_response=True, context=context
    )
    return dict(answer)


async def test_the_action_says_what_would_go_and_changes_nothing(home: HomeAssistant, entry: MockConfigEntry) -> None:
    answer = await preview(home, keep={"raw": 1}, pinned=["sensor.plug"])
    assert [told["name"] for told in answer["entities"]] == ["light.hall"]
    assert answer["rows"] in range(5 * 24 - 1, 5 * 24 + 1)
    assert answer["entities"][0]["tiers"]["raw"]["rows"] == answer["rows"]
    assert answer["bytes"] == answer["entities"][0]["bytes"] > 0
    assert entry.options == {}
    assert await preview(home, preset="keep_everything") == {"rows": 0, "bytes": 0, "entities": []}
    assert (await preview(home, kinds=["alerts"], rules=[{"areas": ["attic"], "raw": 1}]))["rows"] == 0


async def test_days_are_in_the_preview_only_when_they_expire(home: HomeAssistant, entry: MockConfigEntry) -> None:
    worker = entry.runtime_data.worker
    now = worker._now()
    series = next(each for each in worker.all_series() if each.labels.get("entity_id") == "sensor.plug")
    worker.put(series, now - 200 * 24 * HOUR, 5.0)
    await worker.flush()
    await worker.write(lambda store: store.roll_up())
    keep = {"raw": 1, "five_minute": 2, "hourly": 3, "daily": 30}
    kept = await preview(home, keep=keep)
    assert all("daily" not in told["tiers"] for told in kept["entities"])
    gone = await preview(home, keep=keep, expire_days=True)
    assert {told["name"] for told in gone["entities"] if "daily" in told["tiers"]} == {"sensor.plug"}


async def test_keeps_that_contradict_are_refused(home: HomeAssistant, entry: MockConfigEntry) -> None:
    with pytest.raises(ServiceValidationError, match="hourly has to be kept longer than five_minute"):
        await preview(home, keep={"hourly": 10})


async def test_the_action_is_for_admins(
    home: HomeAssistant, entry: MockConfigEntry, hass_read_only_user: MockUser
) -> None:
    with pytest.raises(Unauthorized):
        await preview(home, Context(user_id=hass_read_only_user.id), preset="minimal")


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_340_000, "2.3 MB"), (7.2e9, "7.20 GB")]
)
def test_sizes_are_read_easily(size: float, said: str) -> None:
    assert said_bytes(size) == said
