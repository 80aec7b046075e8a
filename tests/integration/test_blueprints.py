"""The blueprints: each is accepted by Home Assistant, and its automation does what it says."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
import shutil
from typing import Any
from urllib.parse import quote

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation.const import DOMAIN as AUTOMATION
from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.blueprint.schemas import BLUEPRINT_SCHEMA
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from tests.integration.given import NOW

FOLDER = Path(__file__).parents[2] / "docs" / "blueprints"
README = (FOLDER.parents[1] / "README.md").read_text(encoding="utf-8")
FILES = sorted(FOLDER.glob("*.yaml"))

type Move = Callable[[datetime], None]


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_blueprint_is_accepted(hass: HomeAssistant, path: Path) -> None:
    blueprint = Blueprint(
        await hass.async_add_executor_job(load_yaml, path),
        path=path.name,
        expected_domain=AUTOMATION,
        schema=BLUEPRINT_SCHEMA,
    )
    assert blueprint.validate() is None
    assert blueprint.metadata["source_url"].endswith(f"/docs/blueprints/{path.name}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_readme_leads_to_the_blueprint(path: Path) -> None:
    address = f"https://github.com/strata-home/strata/blob/main/docs/blueprints/{path.name}"
    assert f"https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url={quote(address, safe='')}" in README


@pytest.fixture
async def use(home: HomeAssistant, tmp_path: Path) -> Callable[..., Any]:
    """Return what sets up an automation from a blueprint with these inputs."""

    async def make(name: str, **inputs: Any) -> None:
        folder = tmp_path / "blueprints" / "automation" / "strata"

        def copy() -> None:
            folder.mkdir(parents=True)
            shutil.copy(FOLDER / f"{name}.yaml", folder)

        await home.async_add_executor_job(copy)
        config = {"id": name, "alias": name, "use_blueprint": {"path": f"strata/{name}.yaml", "input": inputs}}
        assert await async_setup_component(home, "homeassistant", {})
        assert await async_setup_component(home, AUTOMATION, {AUTOMATION: [config]})
        await home.async_block_till_done()
        assert async_get_blueprints(home)
        state = home.states.get(f"automation.{name}")
        assert state is not None
        assert state.state == "on"

    return make


async def put(hass: HomeAssistant, **states: object) -> None:
    for name, state in states.items():
        hass.states.async_set(name.replace("__", "."), str(state))
    await hass.async_block_till_done()


def calls_of(calls: list[ServiceCall]) -> list[list[str]]:
    return [list(call.data["entity_id"]) for call in calls]


async def test_an_appliance_runs_in_its_window(home: HomeAssistant, use: Callable[..., Any]) -> None:
    await put(home, binary_sensor__window="off", input_boolean__loaded="off")
    ready = [{"condition": "state", "entity_id": "input_boolean.loaded", "state": "on"}]
    await use("appliance", window="binary_sensor.window", appliance={"entity_id": "switch.washer"}, ready=ready)
    on, off = (async_mock_service(home, "homeassistant", name) for name in ("turn_on", "turn_off"))
    # The machine is not loaded.
    await put(home, binary_sensor__window="on")
    assert (calls_of(on), calls_of(off)) == ([], [])
    await put(home, binary_sensor__window="off", input_boolean__loaded="on")
    await put(home, binary_sensor__window="on")
    assert calls_of(on) == [["switch.washer"]]
    await put(home, binary_sensor__window="unavailable")
    assert len(off) == 1
    await put(home, binary_sensor__window="on")
    await put(home, binary_sensor__window="off")
    assert calls_of(off)[-1] == ["switch.washer"]


async def test_an_appliance_may_end_by_itself(home: HomeAssistant, use: Callable[..., Any]) -> None:
    await put(home, binary_sensor__window="off")
    await use("appliance", window="binary_sensor.window", appliance={"entity_id": "switch.washer"}, switch_off=False)
    on, off = (async_mock_service(home, "homeassistant", name) for name in ("turn_on", "turn_off"))
    await put(home, binary_sensor__window="on")
    await put(home, binary_sensor__window="off")
    assert (len(on), len(off)) == (1, 0)


async def test_a_car_is_charged_until_it_is_full_enough(home: HomeAssistant, use: Callable[..., Any]) -> None:
    await put(home, binary_sensor__window="off", binary_sensor__plug="off", switch__charger="off", sensor__battery=50)
    await use(
        "car",
        window="binary_sensor.window",
        charger="switch.charger",
        plugged="binary_sensor.plug",
        battery="sensor.battery",
    )
    on, off = (async_mock_service(home, "homeassistant", name) for name in ("turn_on", "turn_off"))
    await put(home, binary_sensor__window="on")
    assert not on
    await put(home, binary_sensor__plug="on")
    assert calls_of(on) == [["switch.charger"]]
    await put(home, switch__charger="on")
    await put(home, sensor__battery=79)
    assert not off
    await put(home, sensor__battery=80)
    assert calls_of(off) == [["switch.charger"]]
    await put(home, switch__charger="off", sensor__battery=70)
    await put(home, switch__charger="on")
    await put(home, binary_sensor__window="off")
    assert (len(on), len(off)) == (2, 2)


async def test_windows_are_closed_on_bad_air(home: HomeAssistant, use: Callable[..., Any], move_to: Move) -> None:
    await put(home, sensor__aqi=50, binary_sensor__kitchen="off")
    told = async_mock_service(home, "test", "tell")
    closed = async_mock_service(home, "cover", "close_cover")
    await use(
        "air",
        air="sensor.aqi",
        openings=["binary_sensor.kitchen"],
        covers=["cover.skylight"],
        tell=[{"action": "test.tell"}],
    )
    await put(home, sensor__aqi=140)
    move_to(NOW + timedelta(minutes=6))
    await home.async_block_till_done()
    # Nothing is open.
    assert (told, closed) == ([], [])
    await put(home, sensor__aqi=60, binary_sensor__kitchen="on")
    await put(home, sensor__aqi=140)
    move_to(NOW + timedelta(minutes=12))
    await home.async_block_till_done()
    assert (calls_of(closed), len(told)) == ([["cover.skylight"]], 1)


async def test_the_house_is_prepared_before_arrival(
    home: HomeAssistant, use: Callable[..., Any], move_to: Move
) -> None:
    moment = NOW + timedelta(minutes=30)
    home.states.async_set("sensor.prepare", moment.isoformat(), {"device_class": "timestamp"})
    await put(home, person__ann="not_home", person__bob="home")
    done = async_mock_service(home, "test", "heat")
    await use(
        "arrival",
        prepare="sensor.prepare",
        people=["person.ann", "person.bob"],
        prepare_home=[{"action": "test.heat"}],
    )
    move_to(moment)
    await home.async_block_till_done()
    # Bob is at home.
    assert not done
    await put(home, person__bob="not_home")
    moment += timedelta(hours=1)
    home.states.async_set("sensor.prepare", moment.isoformat(), {"device_class": "timestamp"})
    await home.async_block_till_done()
    move_to(moment)
    await home.async_block_till_done()
    assert len(done) == 1


async def test_a_high_standby_load_is_told(home: HomeAssistant, use: Callable[..., Any]) -> None:
    await put(home, sensor__standby=120)
    told = async_mock_service(home, "persistent_notification", "create")
    await use("standby", standby="sensor.standby")
    await put(home, sensor__standby=171.4)
    assert [call.data["message"] for call in told] == ["Your home draws 171 W while nothing is wanted."]
    # It is told once, until it has been lower.
    await put(home, sensor__standby=180)
    assert len(told) == 1
