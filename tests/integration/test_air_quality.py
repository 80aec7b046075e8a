"""Air quality in the store and in mirrored points, and what a change of its category sets off."""

from collections.abc import Callable
from datetime import datetime, timedelta
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.strata.core.model import SeriesKey, TimeRange, to_micros
from custom_components.strata.mirror.render import Renderer
from custom_components.strata.sources.air_quality.entity import Entity
from tests.integration.given import NOW, StartHub, settle

CHANGED = "strata_air_quality_category"
EVENT = "event.air_air_quality_category_change"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


def air_source() -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        subentry_type="source",
        title="Air",
        unique_id="air_quality:entity:sensor.pm",
        subentry_id="air",
        data={"role": "air_quality", "provider": "entity", "options": {"entity": "sensor.pm"}, "rank": 1},
    )


def set_pm(hass: HomeAssistant, value: float) -> None:
    hass.states.async_set("sensor.pm", str(value), {"device_class": "pm25", "unit_of_measurement": "µg/m³"})


async def later(hass: HomeAssistant, entry: MockConfigEntry, freezer: FrozenDateTimeFactory, value: float) -> None:
    """Almost three hours later, so that the value before is still good and alone makes no NowCast, there is another."""
    freezer.tick(timedelta(hours=2, minutes=59))
    set_pm(hass, value)
    await settle(hass, entry)
    # Entities are not asked more often than every few seconds.
    freezer.tick(timedelta(seconds=15))
    async_fire_time_changed(hass, dt_util.utcnow())
    await settle(hass, entry)


async def rendered(entry: MockConfigEntry) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Return tags and fields of all points a mirror would get of the air."""
    worker = entry.runtime_data.worker
    await worker.flush()
    day = TimeRange(to_micros(NOW - timedelta(days=1)), to_micros(NOW + timedelta(days=1)))
    series = [one for one in worker.all_series() if one.key.measurement == "air_quality"]
    found = await worker.read(lambda reader: [(one, reader.raw(one.id, day)) for one in series])
    codes = {code for _, rows in found for code in rows.texts.tolist() if code}
    texts = await worker.read(lambda reader: reader.texts(codes))
    renderer = Renderer(lambda wanted: texts, labels={"air_quality": "category"})
    points = [point for one, rows in found for block in renderer.blocks(one, rows) for point in block.points()]
    return [(dict(point.tags), dict(point.fields)) for point in sorted(points, key=lambda point: point.time)]


async def test_points_carry_location_category_and_parameter(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory
) -> None:
    set_pm(home, 9.0)
    entry = await start_hub(air_source())
    await settle(home, entry)
    await later(home, entry, freezer, 12.0)
    points = await rendered(entry)

    def tags(category: str, parameter: str) -> dict[str, str]:
        return {"location": "sensor.pm", "category": category, "parameter": parameter}

    assert (tags("Good", "overall"), {"aqi": 50.0}) in points
    assert (tags("Good", "PM2.5"), {"aqi": 50.0}) in points
    assert (tags("Good", "PM2.5"), {"pm2_5": 9.0}) in points
    assert (tags("Moderate", "overall"), {"aqi": 56.0}) in points
    assert (tags("Moderate", "PM2.5"), {"pm2_5": 12.0}) in points
    # The category changed, the series did not.
    key = SeriesKey.of_tags("air_quality", {"location": "sensor.pm", "parameter": "overall"}, "aqi")
    assert entry.runtime_data.worker.find(key) is not None
    assert len([one for one in entry.runtime_data.worker.all_series() if one.key.field == "aqi"]) == 2


async def test_a_change_of_category_is_logged_fired_and_shown(
    home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    set_pm(home, 9.0)
    entry = await start_hub(air_source())
    await settle(home, entry)
    fired = async_capture_events(home, CHANGED)
    assert home.states.get(EVENT).state == "unknown"
    await later(home, entry, freezer, 8.0)
    assert fired == []
    await later(home, entry, freezer, 12.0)
    assert [event.data for event in fired] == [
        {
            "source": "air",
            "title": "Air",
            "type": "worsened",
            "location": "sensor.pm",
            "from": "good",
            "to": "moderate",
            "aqi": 56.0,
            "dominant_pollutant": "pm2_5",
        }
    ]
    state = home.states.get(EVENT)
    assert state.attributes["event_type"] == "worsened"
    assert state.attributes["to"] == "moderate"
    assert "Air: worsened" in caplog.text
    await later(home, entry, freezer, 5.0)
    assert [event.data["type"] for event in fired] == ["worsened", "improved"]


async def test_a_restart_is_no_change(home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory) -> None:
    set_pm(home, 12.0)
    entry = await start_hub(air_source())
    await settle(home, entry)
    fired = async_capture_events(home, CHANGED)
    for hours in (1, 9):
        assert await home.config_entries.async_unload(entry.entry_id)
        freezer.tick(timedelta(hours=hours))
        set_pm(home, 12.0 if hours == 1 else 60.0)
        assert await home.config_entries.async_setup(entry.entry_id)
        await settle(home, entry)
        # The same category after an hour; after nine nothing good is left to compare with.
        assert fired == []


async def test_what_may_not_be_archived_is_not_recorded(
    home: HomeAssistant, start_hub: StartHub, monkeypatch: pytest.MonkeyPatch, move_to: Callable[[datetime], None]
) -> None:
    monkeypatch.setattr(Entity, "recorded", False)
    set_pm(home, 9.0)
    entry = await start_hub(air_source())
    await settle(home, entry)
    assert home.states.get("sensor.air_air_quality_index").state == "50"
    move_to(NOW + timedelta(hours=4))
    await settle(home, entry)
    assert await rendered(entry) == []
