"""The action that finds windows: from the sources' forecasts to an explained answer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Forecast, Slot
from custom_components.strata.solar_forecast import async_solar_forecast, slots_of, summed
from tests.integration.given import NOW, PRICE_URL, StartHub, entity_source, price_source, prices, settle

HOUR = timedelta(hours=1)
MIDNIGHT = datetime.fromisoformat("2026-11-20T23:00:00+00:00")


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def find(hass: HomeAssistant, **data: Any) -> dict[str, Any]:
    answer = await hass.services.async_call(DOMAIN, "find_window", data, blocking=True, return_response=True)
    assert isinstance(answer, dict)
    return answer


def starts(answer: dict[str, Any]) -> list[str]:
    return [window["start"] for window in answer["windows"]]


@pytest.fixture
async def hub(home: HomeAssistant, start_hub: StartHub, aioclient_mock: AiohttpClientMocker) -> MockConfigEntry:
    """Prices of today fall by 0.01 EUR/kWh an hour, from 0.33 at midnight to 0.10; it is 11:07."""
    aioclient_mock.get(PRICE_URL, json=prices(first=330.0, step=-10.0))
    entry = await start_hub(price_source(), price_source("AT", rank=2), entity_source())
    await settle(home, entry)
    return entry


def foresee_carbon(entry: MockConfigEntry) -> None:
    """Carbon rises by 10 g an hour from 100 g at midnight."""
    source = entry.runtime_data.source_set.running["carbon_sensor.grid_carbon"]
    slots = tuple(Slot(MIDNIGHT + at * HOUR, MIDNIGHT + (at + 1) * HOUR, 100.0 + 10 * at) for at in range(24))
    price = entry.runtime_data.sources["prices_DE-LU"].data
    forecast = Forecast("gCO2eq/kWh", NOW, slots)
    source.data = replace(price, fields={}, tags={}, unit=None, observed_at=NOW, forecasts={source.role.main: forecast})


async def test_the_cheapest_window_is_explained(home: HomeAssistant, hub: MockConfigEntry) -> None:
    answer = await find(home, duration="02:00:00", power=1500)
    assert (answer["earliest"], answer["latest"]) == (NOW.isoformat(), None)
    (window,) = answer["windows"]
    assert (window["start"], window["end"]) == ("2026-11-21T21:00:00+00:00", "2026-11-21T23:00:00+00:00")
    # 3 kWh at 0.11 and 0.10.
    assert (window["energy_kwh"], window["cost"], window["currency"]) == (3.0, 0.315, "EUR")
    assert window["carbon_kg"] is None
    # Now: 53 minutes at 0.22, an hour at 0.21, 7 minutes at 0.20.
    now = 1.5 * (53 * 0.22 + 60 * 0.21 + 7 * 0.20) / 60
    assert window["saving"]["cost"] == pytest.approx(now - 0.315, abs=1e-5)
    assert window["saving"]["percent"] == pytest.approx(100 * (now - 0.315) / now, abs=0.1)
    (reason,) = window["reasons"]
    assert {key: reason[key] for key in ("aim", "unit", "mean", "best", "worst")} == {
        "aim": "price",
        "unit": "EUR/kWh",
        "mean": 0.105,
        "best": 0.1,
        "worst": 0.22,
    }


async def test_price_and_carbon_are_weighed(home: HomeAssistant, hub: MockConfigEntry) -> None:
    foresee_carbon(hub)
    late = await find(home, duration="01:00:00", price_weight=2, carbon_weight=1)
    assert starts(late) == ["2026-11-21T22:00:00+00:00"]
    early = await find(home, duration="01:00:00", price_weight=1, carbon_weight=2)
    assert starts(early) == [NOW.isoformat()]
    (window,) = early["windows"]
    # 53 minutes at 210 g and 7 at 220 g, 1 kW.
    assert window["carbon_kg"] == pytest.approx((53 * 0.210 + 7 * 0.220) / 60, abs=1e-5)
    assert [reason["aim"] for reason in window["reasons"]] == ["price", "carbon"]
    assert window["saving"] == {"cost": 0.0, "carbon_kg": 0.0, "percent": 0.0}


async def test_times_of_day_bounds_and_several_windows(home: HomeAssistant, hub: MockConfigEntry) -> None:
    answer = await find(home, duration="01:00:00", ready_by="20:00:00", count=3)
    assert answer["latest"] == "2026-11-21T19:00:00+00:00"
    assert starts(answer) == [f"2026-11-21T{hour}:00:00+00:00" for hour in (18, 17, 16)]
    answer = await find(home, duration="01:00:00", not_before="13:00:00", highest=True)
    assert starts(answer) == ["2026-11-21T12:00:00+00:00"]
    answer = await find(
        home, duration="01:00:00", earliest="2026-11-21 14:00:00", latest="2026-11-21 16:30:00", ready_by="16:00:00"
    )
    assert starts(answer) == ["2026-11-21T14:00:00+00:00"]


async def test_loose_windows_and_profiles(home: HomeAssistant, hub: MockConfigEntry) -> None:
    (window,) = (await find(home, duration="01:30:00", contiguous=False, shortest_run="00:30:00"))["windows"]
    assert window["running_seconds"] == 5400
    (window,) = (await find(home, profile="30 min 2 kW, 30 min 100 W"))["windows"]
    assert (window["energy_kwh"], window["start"]) == (1.05, "2026-11-21T22:00:00+00:00")


async def test_a_named_source_takes_the_place_of_the_first(home: HomeAssistant, hub: MockConfigEntry) -> None:
    price = hub.runtime_data.sources["prices_AT"]
    cheap = Slot(NOW, NOW + HOUR, 0.01)
    price.data.forecasts["current_price"] = Forecast("EUR/kWh", NOW, (cheap,))
    answer = await find(home, duration="01:00:00", sources=["Energy-Charts AT"])
    assert answer["windows"][0]["cost"] == 0.01


async def test_any_forecast_has_windows(home: HomeAssistant, hub: MockConfigEntry) -> None:
    answer = await find(home, duration="01:00:00", role="electricity_pricing", highest=True, latest="2026-11-21 15:00")
    assert (answer["title"], answer["unit"], answer["forecast"]) == ("Energy-Charts DE-LU", "EUR/kWh", "current_price")
    (window,) = answer["windows"]
    assert window["start"] == NOW.isoformat()
    assert window["value"] == pytest.approx((53 * 0.22 + 7 * 0.21) / 60, abs=1e-5)
    answer = await find(home, profile="60 min 1 W, 60 min 5 W", source="Energy-Charts AT")
    assert answer["windows"][0]["start"] == "2026-11-21T21:00:00+00:00"
    with pytest.raises(ServiceValidationError, match="too uneven"):
        await find(
            home,
            duration="01:00:00.000001",
            source="Energy-Charts AT",
            contiguous=False,
            shortest_run="00:30:00",
        )


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"duration": "00:00:00"}, "no_such_duration"),
        ({"duration": {"days": 8}}, "no_such_duration"),
        ({"profile": "30 min 0 W"}, "no_such_duration"),
        ({"profile": "30 min 5 W, 1 min 2 W", "contiguous": False}, "profile_in_one_go"),
        ({"duration": "01:00:00", "carbon_weight": 1}, "nothing_foreseen"),
        ({"duration": "01:00:00", "solar_weight": 1}, "nothing_foreseen"),
        ({"duration": "25:00:00", "ready_by": "07:00:00"}, "window_too_short"),
        ({"duration": "02:00:00", "latest": "2026-11-21 12:00:00"}, "window_too_short"),
        ({"duration": "01:00:00", "sources": ["Grid"]}, "source_has_no_forecast"),
        ({"duration": "01:00:00", "sources": ["Nobody"]}, "no_such_source"),
        ({"duration": "01:00:00.000001", "contiguous": False, "shortest_run": "00:30:00"}, "no_window"),
    ],
)
async def test_what_cannot_be_found_is_explained(
    home: HomeAssistant, hub: MockConfigEntry, data: dict[str, Any], key: str
) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await find(home, **data)
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, key)
    assert "{" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"profile": "long"},
        {"duration": "01:00:00", "profile": "5 min 5 W"},
        {"duration": "01:00:00", "power": 0},
        {"duration": "01:00:00", "price_weight": -1},
        {"duration": "01:00:00", "count": 0},
        {"duration": "01:00:00", "role": "tides"},
    ],
)
async def test_fields_are_checked(home: HomeAssistant, hub: MockConfigEntry, data: dict[str, Any]) -> None:
    with pytest.raises(probatio.Invalid):
        await find(home, **data)


# The sun


def test_a_period_is_named_by_its_beginning_or_its_end() -> None:
    half_hours = {"2026-11-21T10:00:00+00:00": 100, "2026-11-21T10:30:00+00:00": 200}
    assert [(slot.start.minute, slot.end.minute, slot.value) for slot in slots_of(half_hours, names_ends=False)] == [
        (0, 30, 200.0),
        (30, 0, 400.0),
    ]
    # Forecast.Solar: sunrise at 7:40, then the energy since the time before; the night is no period.
    ends = {
        "2026-11-21T07:40:00+01:00": 0,
        "2026-11-21T08:00:00+01:00": 20,
        "2026-11-21T09:00:00+01:00": 150,
        "2026-11-22T07:41:00+01:00": 0,
    }
    assert [(slot.start.isoformat(), slot.end.isoformat(), slot.value) for slot in slots_of(ends, names_ends=True)] == [
        ("2026-11-21T07:40:00+01:00", "2026-11-21T08:00:00+01:00", pytest.approx(60.0)),
        ("2026-11-21T08:00:00+01:00", "2026-11-21T09:00:00+01:00", 150.0),
    ]


def test_roofs_are_added_up() -> None:
    east = (Slot(NOW, NOW + HOUR, 100.0),)
    west = (Slot(NOW + HOUR / 2, NOW + 2 * HOUR, 50.0), Slot(NOW + 3 * HOUR, NOW + 4 * HOUR, 7.0))
    assert [slot.value for slot in summed([east, west])] == [100, 150, 50, 7]


type Sun = Callable[..., None]


@pytest.fixture
def sun(home: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Sun:
    """Let the Energy dashboard know a roof whose integration answers this."""
    roof = MockConfigEntry(domain="roof", title="Roof", entry_id="roof")
    roof.add_to_hass(home)

    def shine(answer: object, *entries: str) -> None:
        async def preferences(_self: object) -> dict[str, Any]:
            solar = {"type": "solar", "config_entry_solar_forecast": [*entries] or ["roof", "gone"]}
            return {"energy_sources": [{"type": "grid"}, {**solar, "config_entry_solar_forecast": None}, solar]}

        async def forecast(_hass: HomeAssistant, _entry_id: str) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

        async def platform(_name: str) -> SimpleNamespace:
            return SimpleNamespace(async_get_solar_forecast=forecast)

        async def integration(_hass: HomeAssistant, _domain: str) -> SimpleNamespace:
            return SimpleNamespace(async_get_platform=platform)

        module = "custom_components.strata.solar_forecast"
        monkeypatch.setattr(f"{module}.HomeAssistantAccess.energy_preferences", preferences)
        monkeypatch.setattr(f"{module}.async_get_integration", integration)

    return shine


async def test_own_power_is_that_of_the_energy_dashboard(home: HomeAssistant, hub: MockConfigEntry, sun: Sun) -> None:
    sun({"wh_hours": {"2026-11-21T11:00:00+00:00": 400, "2026-11-21T12:00:00+00:00": 1300}})
    (window,) = (await find(home, duration="01:00:00", solar_weight=1, house_power=300))["windows"]
    assert (window["start"], window["solar_kwh"], window["cost"]) == ("2026-11-21T12:00:00+00:00", 1.0, 0.0)
    assert window["reasons"][0]["unit"] == "share bought"
    # Sold, it would bring more than buying costs at the end of the day.
    (window,) = (await find(home, duration="01:00:00", house_power=300, export_price=0.12))["windows"]
    assert window["start"] == "2026-11-21T22:00:00+00:00"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"wh_hours": {}},
        {"wh_hours": {"soon": 1}},
        {"wh_hours": None},
        HomeAssistantError("no"),
        OSError("x"),
        KeyError("x"),
    ],
)
async def test_a_roof_that_foresees_nothing_is_no_forecast(home: HomeAssistant, sun: Sun, answer: object) -> None:
    sun(answer)
    assert await async_solar_forecast(home) is None


async def test_without_the_energy_dashboard_there_is_no_sun(home: HomeAssistant) -> None:
    assert await async_solar_forecast(home) is None
