"""A hub in a configuration folder of its own."""

from collections.abc import AsyncGenerator, Callable, Generator
from datetime import datetime
from pathlib import Path
import threading
from typing import Any
from unittest.mock import PropertyMock, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from syrupy.assertion import SnapshotAssertion

from custom_components.strata.const import DOMAIN
from custom_components.strata.flows.source import SourceFlow
from custom_components.strata.sources.electricity_pricing import ELECTRICITY_PRICING
from tests.integration.given import PRICE_URL, Keyed, StartHub, prices


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def every_entity_enabled() -> Generator[None]:
    """Enable entities that are there only when the user wants them."""
    with patch.object(Entity, "entity_registry_enabled_default", PropertyMock(return_value=True)):
        yield


@pytest.fixture
async def home(hass: HomeAssistant, hass_storage: dict[str, Any], tmp_path: Path) -> HomeAssistant:
    """Home Assistant in Berlin, with a configuration folder that belongs to the test."""
    hass.config.config_dir = str(tmp_path)
    await hass.config.async_set_time_zone("Europe/Berlin")
    hass.config.country = "DE"
    hass.config.currency = "EUR"
    hass.config.latitude, hass.config.longitude = 52.520008, 13.404954
    return hass


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> Generator[type[Keyed]]:
    """Register the provider with a key."""
    before = ELECTRICITY_PRICING.providers
    object.__setattr__(ELECTRICITY_PRICING, "providers", (Keyed, *before))
    monkeypatch.setattr(
        SourceFlow, "async_step_electricity_pricing_keyed", SourceFlow.async_step_parameters, raising=False
    )
    monkeypatch.setattr(Keyed, "fetched_with", [])
    yield Keyed
    object.__setattr__(ELECTRICITY_PRICING, "providers", before)


@pytest.fixture
async def start_hub(home: HomeAssistant) -> AsyncGenerator[StartHub]:
    """Return what sets up the hub with sources; whatever still runs is unloaded at the end."""
    entries: list[MockConfigEntry] = []

    async def start(*sources: ConfigSubentryDataWithId, **options: Any) -> MockConfigEntry:
        entry = MockConfigEntry(
            domain=DOMAIN, title="Strata", entry_id="hub", subentries_data=list(sources), options=options
        )
        entries.append(entry)
        entry.add_to_hass(home)
        await home.config_entries.async_setup(entry.entry_id)
        await home.async_block_till_done(wait_background_tasks=False)
        return entry

    yield start
    for entry in entries:
        if entry.state is ConfigEntryState.LOADED:
            await home.config_entries.async_unload(entry.entry_id)
    # The store's threads end by themselves, but not before the test rig looks for left-over ones.
    for thread in threading.enumerate():
        if thread.name.startswith("strata-"):
            await home.async_add_executor_job(thread.join, 10)


@pytest.fixture
def move_to(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Callable[[datetime], None]:
    """Return what moves the clock and fires the timers that are due."""

    def move(moment: datetime) -> None:
        freezer.move_to(moment)
        async_fire_time_changed(hass, moment)

    return move


@pytest.fixture
def energy_charts(aioclient_mock: AiohttpClientMocker) -> AiohttpClientMocker:
    """Energy-Charts knows today's prices: 0.100 EUR/kWh in the first hour and 0.010 more in each."""
    aioclient_mock.get(PRICE_URL, json=prices())
    return aioclient_mock
