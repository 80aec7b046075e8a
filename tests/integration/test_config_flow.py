"""The hub's form."""

from unittest.mock import patch

from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.strata.const import DOMAIN
from custom_components.strata.store.base import StoreUnusable
from tests.integration.given import StartHub


async def test_hub_asks_nothing_and_leads_to_the_first_source(home: HomeAssistant) -> None:
    result = await home.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "user", None)
    assert result["data_schema"].schema == {}

    result = await home.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (result["title"], result["data"], result["options"]) == ("Strata", {}, {})
    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED

    kind, flow_id = result["next_flow"]
    assert kind == "config_subentries_flow"
    source = home.config_entries.subentries.async_get(flow_id)
    assert (source["handler"], source["step_id"]) == ((entry.entry_id, "source"), "user")
    assert entry.supported_subentry_types == {
        "source": {"supports_reconfigure": True},
        "mirror": {"supports_reconfigure": True},
        "archive": {"supports_reconfigure": True},
        "window": {"supports_reconfigure": True},
    }
    await home.config_entries.async_unload(entry.entry_id)


async def test_there_is_one_hub(home: HomeAssistant, start_hub: StartHub) -> None:
    await start_hub()
    result = await home.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "single_instance_allowed")


async def test_hub_that_does_not_run_leads_nowhere_and_recovers(home: HomeAssistant) -> None:
    result = await home.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    with patch("custom_components.strata.StoreWorker.open", side_effect=StoreUnusable("no permission")):
        result = await home.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "next_flow" not in result
    entry = result["result"]
    assert entry.state is ConfigEntryState.SETUP_RETRY

    await home.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    await home.config_entries.async_unload(entry.entry_id)
