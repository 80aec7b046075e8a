"""Diagnostics: complete, and without secrets."""

from collections.abc import Generator
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import props

from custom_components.strata.const import DOMAIN
from tests.integration.given import KEYED_URL, NOW, Keyed, StartHub, keyed_source, price_source, settle

MEASURED = props("disk_free_bytes", "seconds", "file_bytes", "bytes", "counters", "ingest", "wait_seconds")
"""What depends on the machine, and what others count."""


@pytest.fixture(autouse=True)
def _given(freezer: FrozenDateTimeFactory) -> Generator[None]:
    """A moment, and a ladder that looks at nothing by itself: what runs is told too."""
    freezer.move_to(NOW)
    with patch("custom_components.strata.retention.Retention.catch_up"):
        yield


async def test_hub(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    keyed: type[Keyed],
    hass_client: ClientSessionGenerator,
    snapshot: SnapshotAssertion,
) -> None:
    energy_charts.get(KEYED_URL, status=401)
    entry = await start_hub(keyed_source("s3cret"), price_source(rank=2))
    await settle(home, entry)
    diagnostics = await get_diagnostics_for_config_entry(home, hass_client, entry)
    assert "s3cret" not in str(diagnostics)
    assert "13.4" not in str(diagnostics), "coordinates stay at home"
    assert diagnostics["ingest"]["value"] > 0
    assert diagnostics["store"]["counters"]["received"] > 0
    assert diagnostics == snapshot(exclude=MEASURED)


async def test_hub_that_does_not_run(
    home: HomeAssistant, start_hub: StartHub, hass_client: ClientSessionGenerator, device_registry: dr.DeviceRegistry
) -> None:
    entry = await start_hub(price_source(), exclude_domains=["light"])
    await home.config_entries.async_unload(entry.entry_id)
    diagnostics = await get_diagnostics_for_config_entry(home, hass_client, entry)
    assert set(diagnostics) == {"options", "subentries"}
    device = device_registry.async_get_device_by_identifier((DOMAIN, "prices_DE-LU"), entry.entry_id)
    assert await get_diagnostics_for_device(home, hass_client, entry, device) == diagnostics


async def test_device_of_a_source_and_of_the_hub(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    hass_client: ClientSessionGenerator,
    device_registry: dr.DeviceRegistry,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    (source,) = entry.subentries
    device = device_registry.async_get_device_by_identifier((DOMAIN, source), entry.entry_id)
    of_source = await get_diagnostics_for_device(home, hass_client, entry, device)
    assert of_source["title"] == "Energy-Charts DE-LU"
    assert [fetch["outcome"] for fetch in of_source["fetches"]] == ["ok"]
    hub = device_registry.async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    of_hub = await get_diagnostics_for_device(home, hass_client, entry, hub)
    assert list(of_hub["sources"]) == [source]


async def test_parameters_of_an_unknown_provider_are_all_left_out(
    home: HomeAssistant, start_hub: StartHub, hass_client: ClientSessionGenerator
) -> None:
    source = keyed_source("s3cret")
    source["data"] = {**source["data"], "provider": "gone"}
    entry = await start_hub(source)
    diagnostics = await get_diagnostics_for_config_entry(home, hass_client, entry)
    assert "s3cret" not in str(diagnostics)
    assert diagnostics["subentries"][0]["data"]["options"] == {"api_key": "**REDACTED**", "place": "**REDACTED**"}
