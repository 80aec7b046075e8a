"""The blueprint of anomalies: told once, by the severities wanted, with a button that says that it is normal."""

from pathlib import Path
import shutil
from typing import Any

from homeassistant.components import automation
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_mock_service

FOLDER = Path(__file__).parents[2] / "docs" / "blueprints"


async def use(hass: HomeAssistant, tmp_path: Path, name: str, **inputs: Any) -> None:
    """Make an automation of a blueprint, as the UI does."""
    hass.config.config_dir = str(tmp_path)
    target = tmp_path / "blueprints" / "automation" / "strata"
    target.mkdir(parents=True)
    shutil.copy(FOLDER / f"{name}.yaml", target)
    config = {automation.DOMAIN: {"id": name, "use_blueprint": {"path": f"strata/{name}.yaml", "input": inputs}}}
    assert await async_setup_component(hass, automation.DOMAIN, config)
    await hass.async_block_till_done()
    [entity_id] = hass.states.async_entity_ids(automation.DOMAIN)
    assert hass.states.get(entity_id).state == "on"  # type: ignore[union-attr]


async def test_an_anomaly_is_told_and_can_be_called_normal(hass: HomeAssistant, tmp_path: Path) -> None:
    told = async_mock_service(hass, "notify", "notify")
    normal = async_mock_service(hass, "strata", "mark_normal")
    await use(hass, tmp_path, "unusual", severities=["high"])
    found = {"entity_id": "sensor.fridge", "name": "Fridge", "episode": "17", "text": "is 800 W", "related": []}
    for severity, notify in (("low", True), ("high", False), ("high", True)):
        hass.bus.async_fire("strata_anomaly", {**found, "severity": severity, "notify": notify})
        await hass.async_block_till_done()
    assert [(call.data["title"], call.data["message"]) for call in told] == [("Fridge", "is 800 W")]
    [button] = told[0].data["data"]["actions"]
    hass.bus.async_fire("mobile_app_notification_action", {"action": button["action"]})
    await hass.async_block_till_done()
    assert [(call.data["entity_id"], str(call.data["episode"])) for call in normal] == [("sensor.fridge", "17")]
