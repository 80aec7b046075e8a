"""The actions: what they answer, and what they refuse."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockUser
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import props
import yaml

from custom_components.strata.const import DOMAIN
from custom_components.strata.store.base import StoreFull
from tests.integration.given import MIDNIGHT, NOW, PRICE_URL, StartHub, entity_source, price_source, prices, settle

PACKAGE = Path(__file__).parents[2] / "custom_components" / "strata"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def ask(hass: HomeAssistant, action: str, context: Context | None = None, **data: Any) -> dict[str, Any]:
    answer = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True, context=context)
    assert isinstance(answer, dict)
    return answer


async def test_actions_are_there_without_the_hub(home: HomeAssistant, start_hub: StartHub) -> None:
    entry = await start_hub()
    await home.config_entries.async_unload(entry.entry_id)
    described = yaml.safe_load((PACKAGE / "services.yaml").read_text(encoding="utf-8"))
    assert set(home.services.async_services()[DOMAIN]) == set(described)
    for action, data in (
        ("downsample", {"tier": "raw"}),
        ("get_current", {}),
        ("get_forecast", {"role": "electricity_pricing"}),
        ("query_view", {"view": "daily_carbon_summary"}),
    ):
        with pytest.raises(ServiceValidationError):
            await ask(home, action, **data)


async def test_current_values(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, snapshot: SnapshotAssertion
) -> None:
    home.states.async_set("sensor.grid_carbon", "230", {"unit_of_measurement": "gCO2eq/kWh"})
    entry = await start_hub(price_source(), entity_source())
    await settle(home, entry)
    answer = await ask(home, "get_current")
    assert [source.pop("source") for source in answer["sources"]] == [*reversed(entry.subentries)]
    assert answer == snapshot
    prices_only = await ask(home, "get_current", role="electricity_pricing")
    assert [source["title"] for source in prices_only["sources"]] == ["Energy-Charts DE-LU"]


async def test_source_without_a_reading_is_listed_with_its_failure(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker, snapshot: SnapshotAssertion
) -> None:
    aioclient_mock.get(PRICE_URL, status=500)
    entry = await start_hub(price_source())
    await settle(home, entry)
    (source,) = (await ask(home, "get_current"))["sources"]
    assert source == snapshot(exclude=props("source"))


async def test_forecast_of_a_role(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker, snapshot: SnapshotAssertion
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    answer = await ask(home, "get_forecast", role="electricity_pricing")
    assert answer.pop("source") == next(iter(entry.subentries))
    assert answer == snapshot
    # Negative values and the last slot are there, the past is not.
    assert len(answer["slots"]) == 13


async def test_forecast_in_a_range_that_may_lie_in_the_past(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get(PRICE_URL, json=prices(first=-20.0))
    entry = await start_hub(price_source())
    await settle(home, entry)
    # Without an offset the times are the home's.
    answer = await ask(
        home,
        "get_forecast",
        role="electricity_pricing",
        start="2026-11-21 00:00:00",
        end=(MIDNIGHT + timedelta(hours=3)).isoformat(),
    )
    assert [(slot["start"], slot["value"], slot["unit"]) for slot in answer["slots"]] == [
        ("2026-11-20T23:00:00+00:00", -0.02, "EUR/kWh"),
        ("2026-11-21T00:00:00+00:00", -0.01, "EUR/kWh"),
        ("2026-11-21T01:00:00+00:00", 0.0, "EUR/kWh"),
    ]


async def test_source_may_be_named_by_title_id_or_device(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    device_registry: dr.DeviceRegistry,
) -> None:
    entry = await start_hub(price_source(), price_source("AT", rank=2))
    await settle(home, entry)
    austria = [*entry.subentries][1]
    device = device_registry.async_get_device_by_identifier((DOMAIN, austria), entry.entry_id)
    for name in ("Energy-Charts AT", austria, device.id):
        assert (await ask(home, "get_forecast", source=name))["source"] == austria
    by_role = await ask(home, "get_forecast", role="electricity_pricing")
    assert by_role["title"] == "Energy-Charts DE-LU"
    role = device_registry.async_get_device_by_identifier((DOMAIN, "hub_electricity_pricing"), entry.entry_id)
    assert await ask(home, "get_forecast", source=role.id) == by_role


async def test_forecast_of_a_role_is_that_of_the_first_source_that_has_it(
    home: HomeAssistant, start_hub: StartHub, energy_charts: AiohttpClientMocker
) -> None:
    home.states.async_set("sensor.price", "0.3", {"unit_of_measurement": "EUR/kWh"})
    without = entity_source("sensor.price", rank=1)
    without["data"] = {**without["data"], "role": "electricity_pricing"}
    entry = await start_hub(without, price_source(rank=2))
    await settle(home, entry)
    answer = await ask(home, "get_forecast", role="electricity_pricing")
    assert answer["title"] == "Energy-Charts DE-LU"


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"source": "nobody"}, "no_such_source"),
        ({"role": "carbon_intensity"}, "no_source_of_role"),
        ({"role": "electricity_pricing", "forecast": "weather"}, "no_such_forecast"),
        (
            {"role": "electricity_pricing", "start": "2026-11-22 00:00:00", "end": "2026-11-21 00:00:00"},
            "end_before_start",
        ),
        ({"role": "electricity_pricing", "start": "0001-01-01 00:00:00"}, "time_out_of_range"),
    ],
)
async def test_forecast_that_cannot_be_given(
    home: HomeAssistant,
    start_hub: StartHub,
    energy_charts: AiohttpClientMocker,
    data: dict[str, Any],
    key: str,
) -> None:
    entry = await start_hub(price_source())
    await settle(home, entry)
    with pytest.raises(ServiceValidationError) as caught:
        await ask(home, "get_forecast", **data)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, key)
    assert "{" not in str(caught.value)


async def test_forecast_of_a_source_without_a_reading(
    home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker
) -> None:
    aioclient_mock.get(PRICE_URL, status=500)
    entry = await start_hub(price_source())
    await settle(home, entry)
    with pytest.raises(ServiceValidationError, match="no reading that is still good"):
        await ask(home, "get_forecast", role="electricity_pricing")


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("get_forecast", {}),
        ("get_forecast", {"role": "tides"}),
        ("get_current", {"role": "tides"}),
        ("downsample", {"tier": "daily"}),
        ("downsample", {}),
    ],
)
async def test_parameters_are_checked(
    home: HomeAssistant, start_hub: StartHub, action: str, data: dict[str, Any]
) -> None:
    await start_hub()
    with pytest.raises(probatio.Invalid):
        await ask(home, action, **data)


async def test_downsample_moves_what_is_old_enough(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub()
    for task in entry.runtime_data.tasks:
        # The ladder would run by itself and leave nothing to do.
        task.cancel()
    for minute in range(120):
        freezer.move_to(NOW + timedelta(minutes=minute))
        home.states.async_set(
            "sensor.boiler",
            str(minute),
            {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"},
        )
    worker = entry.runtime_data.worker
    await worker.flush()
    freezer.move_to(NOW + timedelta(days=8))
    await worker.maintain()

    dry = await ask(home, "downsample", tier="raw", dry_run=True)
    assert (dry["tier"], dry["dry_run"], dry["problems"]) == ("raw", True, [])
    assert dry["source_rows"] >= 120
    real = await ask(home, "downsample", tier="raw")
    assert set(real) == {"tier", "dry_run", "source_rows", "rows", "seconds", "bytes_freed", "problems"}
    assert (real["source_rows"], real["problems"]) == (dry["source_rows"], [])
    again = await ask(home, "downsample", tier="raw")
    assert again["source_rows"] == 0


async def test_downsample_is_for_admins(
    home: HomeAssistant, start_hub: StartHub, hass_read_only_user: MockUser
) -> None:
    await start_hub()
    with pytest.raises(Unauthorized):
        await ask(home, "downsample", Context(user_id=hass_read_only_user.id), tier="raw")


async def test_downsample_that_fails_says_so(
    home: HomeAssistant, start_hub: StartHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await start_hub()

    async def write(work: object) -> None:
        raise StoreFull("no space left")

    monkeypatch.setattr(entry.runtime_data.worker, "write", write)
    with pytest.raises(HomeAssistantError, match="no space left") as caught:
        await ask(home, "downsample", tier="raw")
    assert not isinstance(caught.value, ServiceValidationError)
