"""Repair issues, and the ways out of them."""

from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.strata.const import DOMAIN
from custom_components.strata.issues import async_report_notice
from custom_components.strata.store.base import NoticeKind, StoreNotice
from tests.integration.given import KEYED_URL, NOW, Keyed, StartHub, keyed_source, settle


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def start_repair_fix_flow(client: TestClient[Any, Any], handler: str, issue_id: str) -> dict[str, Any]:
    answer = await client.post("/api/repairs/issues/fix", json={"handler": handler, "issue_id": issue_id})
    assert answer.status == HTTPStatus.OK, await answer.text()
    step: dict[str, Any] = await answer.json()
    return step


async def process_repair_fix_flow(client: TestClient[Any, Any], flow_id: str) -> dict[str, Any]:
    answer = await client.post(f"/api/repairs/issues/fix/{flow_id}", json={})
    assert answer.status == HTTPStatus.OK, await answer.text()
    step: dict[str, Any] = await answer.json()
    return step


async def refused(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> tuple[MockConfigEntry, str]:
    """Start a source whose key is refused; return the hub and the id of the issue."""
    assert await async_setup_component(home, REPAIRS, {})
    aioclient_mock.get(KEYED_URL, status=HTTPStatus.UNAUTHORIZED)
    entry = await start_hub(keyed_source("old-secret"))
    await settle(home, entry)
    return entry, f"source_unauthorized_{next(iter(entry.subentries))}"


async def test_refused_credentials_lead_into_the_form_that_changes_them(
    home: HomeAssistant,
    start_hub: StartHub,
    keyed: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
    hass_client: ClientSessionGenerator,
    issue_registry: ir.IssueRegistry,
) -> None:
    entry, issue_id = await refused(home, start_hub, aioclient_mock)
    issue = issue_registry.async_get_issue(DOMAIN, issue_id)
    assert (issue.is_fixable, issue.translation_key) == (True, "source_unauthorized")
    assert "old-secret" not in str(issue)

    client = await hass_client()
    step = await start_repair_fix_flow(client, DOMAIN, issue_id)
    assert (step["step_id"], step["description_placeholders"]) == ("confirm", {"source": "Keyed"})
    done = await process_repair_fix_flow(client, step["flow_id"])
    assert done["type"] == "create_entry"
    kind, flow_id = done["next_flow"]
    assert kind == "config_subentries_flow"

    aioclient_mock.clear_requests()
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    flows = home.config_entries.subentries
    result = await flows.async_configure(flow_id, {"provider": "keyed"})
    result = await flows.async_configure(
        flow_id, {"api_key": "new-secret", "place": {"latitude": 52.52, "longitude": 13.4}}
    )
    result = await flows.async_configure(flow_id, {})
    assert result["reason"] == "reconfigure_successful"
    await settle(home, entry)
    assert keyed.fetched_with[-1]["api_key"] == "new-secret"
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None
    assert home.states.get("sensor.keyed_current_price").state == "0.25"


async def test_issue_goes_by_itself_when_the_server_relents(
    home: HomeAssistant,
    start_hub: StartHub,
    keyed: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
    issue_registry: ir.IssueRegistry,
) -> None:
    entry, issue_id = await refused(home, start_hub, aioclient_mock)
    aioclient_mock.clear_requests()
    aioclient_mock.get(KEYED_URL, json={"price": 0.25})
    (source,) = entry.runtime_data.sources.values()
    await source.async_refresh()
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None


async def test_way_out_of_a_source_that_is_gone(
    home: HomeAssistant,
    start_hub: StartHub,
    keyed: type[Keyed],
    aioclient_mock: AiohttpClientMocker,
    hass_client: ClientSessionGenerator,
) -> None:
    entry, issue_id = await refused(home, start_hub, aioclient_mock)
    client = await hass_client()
    step = await start_repair_fix_flow(client, DOMAIN, issue_id)
    # The issue goes with its source; the dialog may be open all the same.
    home.config_entries.async_remove_subentry(entry, next(iter(entry.subentries)))
    await settle(home, entry)
    done = await process_repair_fix_flow(client, step["flow_id"])
    assert (done["type"], done["reason"]) == ("abort", "source_removed")


async def test_full_disk_is_said_until_there_is_room(home: HomeAssistant, issue_registry: ir.IssueRegistry) -> None:
    async_report_notice(home, StoreNotice(NoticeKind.DISK_FULL, "no space left"))
    issue = issue_registry.async_get_issue(DOMAIN, "disk_full")
    assert (issue.is_fixable, issue.severity) == (False, ir.IssueSeverity.CRITICAL)
    assert issue.translation_placeholders == {"detail": "no space left"}
    async_report_notice(home, StoreNotice(NoticeKind.DISK_OK))
    assert issue_registry.async_get_issue(DOMAIN, "disk_full") is None


async def test_check_without_findings_says_nothing(home: HomeAssistant, issue_registry: ir.IssueRegistry) -> None:
    async_report_notice(home, StoreNotice(NoticeKind.CHECKED))
    assert not [issue for issue in issue_registry.issues.values() if issue.domain == DOMAIN]


@pytest.mark.parametrize("kind", [NoticeKind.SET_ASIDE, NoticeKind.ROWS_DROPPED, NoticeKind.MAINTENANCE_FAILED])
async def test_what_happened_to_the_store_is_confirmed_by_the_user(
    home: HomeAssistant,
    start_hub: StartHub,
    hass_client: ClientSessionGenerator,
    issue_registry: ir.IssueRegistry,
    kind: NoticeKind,
) -> None:
    assert await async_setup_component(home, REPAIRS, {})
    await start_hub()
    async_report_notice(home, StoreNotice(kind, "strata.db.2026-11-21"))
    issue = issue_registry.async_get_issue(DOMAIN, kind)
    assert (issue.is_fixable, issue.is_persistent) == (True, True)
    client = await hass_client()
    step = await start_repair_fix_flow(client, DOMAIN, kind)
    assert (step["step_id"], step["description_placeholders"]) == ("confirm", {"detail": "strata.db.2026-11-21"})
    await process_repair_fix_flow(client, step["flow_id"])
    assert issue_registry.async_get_issue(DOMAIN, kind) is None


async def test_damaged_store_is_kept_aside_and_said(
    home: HomeAssistant, start_hub: StartHub, issue_registry: ir.IssueRegistry
) -> None:
    def spoil() -> None:
        from pathlib import Path

        folder = Path(home.config.path("strata"))
        folder.mkdir()
        (folder / "strata.db").write_bytes(b"this is no database" * 1000)

    def files() -> dict[str, bytes]:
        from pathlib import Path

        return {path.name: path.read_bytes() for path in Path(home.config.path("strata")).iterdir()}

    await home.async_add_executor_job(spoil)
    await start_hub()
    issue = issue_registry.async_get_issue(DOMAIN, "set_aside")
    name = issue.translation_placeholders["detail"]
    kept: dict[str, Any] = await home.async_add_executor_job(files)
    assert kept[name] == b"this is no database" * 1000
    assert kept["strata.db"].startswith(b"SQLite format 3")
