"""What the tests of the hub are given: sources, their answers, and a provider with a parameter of every kind."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar, override

from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.core.model import Forecast, Slot
from custom_components.strata.sources.base import Context, Param, ParamKind, Provider, Reading

NOW = datetime(2026, 11, 21, 10, 7, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 20, 23, tzinfo=UTC)
"""Midnight in Berlin on the 21st."""

PRICE_URL = "https://api.energy-charts.info/price"
KEYED_URL = "https://keyed.example/price"


def prices(*, start: datetime = MIDNIGHT, hours: int = 24, first: float = 100.0, step: float = 10.0) -> dict[str, Any]:
    """Answer of Energy-Charts: hourly prices that rise by `step` EUR/MWh from `first`."""
    return {
        "license_info": "Bundesnetzagentur | SMARD.de",
        "unix_seconds": [int((start + timedelta(hours=hour)).timestamp()) for hour in range(hours)],
        "price": [first + hour * step for hour in range(hours)],
        "unit": "EUR / MWh",
        "deprecated": False,
    }


def price_source(zone: str = "DE-LU", *, rank: int = 1, title: str | None = None) -> ConfigSubentryDataWithId:
    """A source of prices from Energy-Charts."""
    return ConfigSubentryDataWithId(
        subentry_type="source",
        title=title or f"Energy-Charts {zone}",
        unique_id=f"electricity_pricing:energy_charts:{zone}",
        subentry_id=f"prices_{zone}",
        data={
            "role": "electricity_pricing",
            "provider": "energy_charts",
            "options": {"bidding_zone": zone},
            "rank": rank,
        },
    )


def entity_source(entity_id: str = "sensor.grid_carbon", *, rank: int = 1) -> ConfigSubentryDataWithId:
    """A source of carbon intensity from an entity."""
    return ConfigSubentryDataWithId(
        subentry_type="source",
        title="Grid",
        unique_id=f"carbon_intensity:entity:{entity_id}",
        subentry_id=f"carbon_{entity_id}",
        data={"role": "carbon_intensity", "provider": "entity", "options": {"entity": entity_id}, "rank": rank},
    )


class Keyed(Provider):
    """A provider with a parameter of every kind; none of the real ones has a key yet."""

    key = "keyed"
    base_url = "https://keyed.example"
    params = (
        Param(key="api_key", kind=ParamKind.SECRET),
        Param(
            key="place",
            kind=ParamKind.LATITUDE_LONGITUDE,
            default=lambda home: {"latitude": home.latitude, "longitude": home.longitude},
        ),
        Param(key="markup", kind=ParamKind.NUMBER, required=False, minimum=0, maximum=1),
        Param(key="network_fee", kind=ParamKind.NUMBER, required=False),
        Param(key="with_tax", kind=ParamKind.BOOLEAN, required=False),
        Param(key="contract", kind=ParamKind.SELECT, choices=("day", "night"), translated=True, required=False),
        Param(key="meter", kind=ParamKind.TEXT, required=False, pattern=r"[0-9]{4}"),
    )
    fetched_with: ClassVar[list[dict[str, object]]] = []

    @override
    def title(self) -> str:
        return str(self.options.get("meter") or "")

    @override
    async def fetch(self, context: Context) -> Reading:
        self.fetched_with.append(dict(self.options))
        answer = await context.get_json("/price", headers={"Authorization": str(self.options["api_key"])})
        assert isinstance(answer, dict)
        now = context.now()
        slot = Slot(now.replace(minute=0), now.replace(minute=0) + timedelta(hours=1), float(str(answer["price"])))
        return Reading(
            fields={"current_price": slot.value},
            tags={"provider": "keyed", "currency": "EUR"},
            observed_at=slot.start,
            fetched_at=now,
            unit="EUR/kWh",
            forecasts={"current_price": Forecast("EUR/kWh", now, (slot,))},
            notes={"tariff": "agile"},
        )


def keyed_source(api_key: str = "old-secret") -> ConfigSubentryDataWithId:
    """A source of the provider with a key."""
    return ConfigSubentryDataWithId(
        subentry_type="source",
        title="Keyed",
        unique_id="electricity_pricing:keyed:",
        subentry_id="keyed",
        data={
            "role": "electricity_pricing",
            "provider": "keyed",
            "options": {"api_key": api_key, "place": {"latitude": 52.52, "longitude": 13.4}},
            "rank": 1,
        },
    )


type StartHub = Callable[..., Awaitable[MockConfigEntry]]


async def settle(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Wait until no fetch is under way; the store's writer and its ladder never end and are not waited for."""
    await hass.async_block_till_done()
    # Time stands still in most tests, so this must not sleep.
    while fetches := [*entry._background_tasks.difference(entry.runtime_data.tasks)]:
        await asyncio.wait(fetches)
        await hass.async_block_till_done()


def fail(
    mock: AiohttpClientMocker, url: str = PRICE_URL, status: int = HTTPStatus.INTERNAL_SERVER_ERROR, **more: Any
) -> None:
    """From now on the server answers with an error."""
    mock.clear_requests()
    mock.get(url, status=status, **more)
