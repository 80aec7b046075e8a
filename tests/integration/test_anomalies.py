"""Anomalies in Home Assistant: what is watched, what is told, what the user says of it."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator
import sklearn.ensemble  # noqa: F401 - its first import on a thread never ends while a test holds the clock

from custom_components.strata.analysis.anomaly import METHODS
from custom_components.strata.anomalies.event_entity import EVENT_ANOMALY
from custom_components.strata.core.model import SeriesKey
from custom_components.strata.dependencies import DependencyMissing
from tests.integration.given import StartHub
from tests.integration.lived import lived, steady
from tests.integration.test_options_flow import open_page

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
FRIDGE, CELLAR, DOOR = "sensor.fridge_power", "sensor.cellar_temperature", "binary_sensor.front_door"
CLASSES = {FRIDGE: ("power", "W"), CELLAR: ("temperature", "°C")}


@pytest.fixture
def clock(freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    freezer.move_to(NOW + timedelta(minutes=2))
    return freezer


def given_states(hass: HomeAssistant) -> None:
    hass.states.async_set(
        FRIDGE, "80", {"device_class": "power", "unit_of_measurement": "W", "friendly_name": "Fridge"}
    )
    hass.states.async_set(CELLAR, "12", {"device_class": "temperature", "unit_of_measurement": "°C"})
    hass.states.async_set(DOOR, "off", {"device_class": "door"})


async def start(hass: HomeAssistant, start_hub: StartHub, folder: Path, **options: Any) -> MockConfigEntry:
    """Start a home whose fridge draws ten times as much as ever for two hours."""
    await hass.async_add_executor_job(
        lived,
        folder,
        NOW,
        {
            FRIDGE: ("power", "W", steady(80, 20, fault=800)),
            CELLAR: ("temperature", "°C", steady(12, 0.5)),
            DOOR: ("door", "", lambda dice, time, left: float(dice.random() < 0.01)),
        },
    )
    given_states(hass)
    entry = await start_hub(**options)
    await entry.runtime_data.anomalies.async_refresh()
    await hass.async_block_till_done()
    return entry


@pytest.mark.usefixtures("clock")
async def test_what_is_unusual_is_told_once_with_its_reason(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    told = async_capture_events(home, EVENT_ANOMALY)
    entry = await start(home, start_hub, tmp_path)

    assert home.states.get("sensor.strata_open_anomalies").state == "1"  # type: ignore[union-attr]
    assert home.states.get("binary_sensor.strata_power_anomaly").state == "on"  # type: ignore[union-attr]
    assert home.states.get("binary_sensor.strata_temperature_anomaly").state == "off"  # type: ignore[union-attr]
    watched = home.states.get("sensor.strata_watched_entities")
    assert watched is not None
    assert watched.state == "3"
    assert watched.attributes["watching"] == [DOOR, CELLAR, FRIDGE]
    [event] = told
    assert event.data["entity_id"] == FRIDGE
    assert event.data["name"] == "Fridge"
    assert event.data["notify"] is True
    assert event.data["related"] == []
    assert "800" in event.data["text"]
    # The fault began two hours ago; five-minute buckets tell that to the minute.
    assert event.data["since"] == (NOW - timedelta(hours=2)).isoformat()
    fired = home.states.get("event.strata_anomaly")
    assert fired is not None
    assert fired.attributes["event_type"] == event.data["severity"]

    # Looking again changes nothing and tells nobody.
    entry.runtime_data.anomalies.scanned_until = None
    await entry.runtime_data.anomalies.async_refresh()
    assert len(told) == 1


@pytest.mark.usefixtures("clock")
async def test_a_restart_neither_forgets_nor_tells_again(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    entry = await start(home, start_hub, tmp_path)
    before = entry.runtime_data.anomalies.open[0][1]
    told = async_capture_events(home, EVENT_ANOMALY)

    await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    # Known at once, before anything is looked at again.
    assert [episode for _, episode in entry.runtime_data.anomalies.open] == [before]
    await entry.runtime_data.anomalies.async_refresh()
    await home.async_block_till_done()

    assert not told
    assert [episode.key for _, episode in entry.runtime_data.anomalies.open] == [before.key]


@pytest.mark.usefixtures("clock")
async def test_findings_are_points_of_the_store(home: HomeAssistant, start_hub: StartHub, tmp_path: Path) -> None:
    entry = await start(home, start_hub, tmp_path)
    severity = entry.runtime_data.anomalies.open[0][1].severity.value
    worker = entry.runtime_data.worker
    tags = {"entity_id": FRIDGE, "severity": severity, "method": "statistical"}
    count = worker.find(SeriesKey.of_tags("anomaly_alerts", tags, "anomalies_count"))
    score = worker.find(SeriesKey.of_tags("anomaly_alerts", tags, "severity_score"))
    assert count is not None
    assert score is not None
    assert worker.last(count).value == 1.0  # type: ignore[union-attr]
    assert worker.last(score).value == {"low": 1.0, "medium": 2.0, "high": 3.0}[severity]  # type: ignore[union-attr]


@pytest.mark.usefixtures("clock")
async def test_what_the_user_calls_normal_is_no_anomaly(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    entry = await start(home, start_hub, tmp_path)
    answer = await home.services.async_call(
        "strata", "mark_normal", {"entity_id": FRIDGE}, blocking=True, return_response=True
    )
    assert answer["normal"] is True
    await home.async_block_till_done()
    assert home.states.get("sensor.strata_open_anomalies").state == "0"  # type: ignore[union-attr]
    assert home.states.get("binary_sensor.strata_power_anomaly").state == "off"  # type: ignore[union-attr]

    await home.config_entries.async_reload(entry.entry_id)
    await entry.runtime_data.anomalies.async_refresh()
    assert entry.runtime_data.anomalies.open == []

    with pytest.raises(ServiceValidationError, match="not watched"):
        await home.services.async_call("strata", "mark_normal", {"entity_id": "sensor.other"}, blocking=True)


@pytest.mark.usefixtures("clock")
async def test_a_scan_by_hand_answers_with_evidence_and_tells_nobody(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    await start(home, start_hub, tmp_path)
    told = async_capture_events(home, EVENT_ANOMALY)
    answer = await home.services.async_call(
        "strata",
        "scan_anomalies",
        {"entities": [FRIDGE, CELLAR], "lookback_hours": 12},
        blocking=True,
        return_response=True,
    )
    fridge, cellar = answer["entities"]
    assert cellar["episodes"] == []
    [episode] = fridge["episodes"]
    assert episode["evidence"][0]["unit"] == "W"
    assert answer["anomalies_count"] == 1
    assert not told
    with pytest.raises(ServiceValidationError, match="cannot be watched"):
        await home.services.async_call(
            "strata", "scan_anomalies", {"entities": ["sensor.unheard_of"]}, blocking=True, return_response=True
        )


@pytest.mark.usefixtures("clock")
async def test_the_digest_is_a_page_with_a_chart(home: HomeAssistant, start_hub: StartHub, tmp_path: Path) -> None:
    await start(home, start_hub, tmp_path)
    answer = await home.services.async_call("strata", "anomaly_report", {}, blocking=True, return_response=True)
    page = (tmp_path / "strata" / "reports" / "anomalies-2026-11-21.html").read_text(encoding="utf-8")
    assert answer["html"] == page
    assert [finding["entity_id"] for finding in answer["findings"]] == [FRIDGE]
    assert page.count("<svg") == 1
    assert "Fridge" in page
    assert "3 watched entities" in answer["summary"]


async def test_nothing_is_told_of_the_first_days(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path, clock: FrozenDateTimeFactory
) -> None:
    told = async_capture_events(home, EVENT_ANOMALY)
    await home.async_add_executor_job(
        lambda: lived(tmp_path, NOW, {FRIDGE: ("power", "W", steady(80, 20, fault=800))}, days=5)
    )
    given_states(home)
    entry = await start_hub()
    await entry.runtime_data.anomalies.async_refresh()
    assert entry.runtime_data.anomalies.watched[FRIDGE].status == "learning"
    assert not told


async def test_a_value_beyond_all_bounds_is_looked_at_at_once(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path, clock: FrozenDateTimeFactory
) -> None:
    await home.async_add_executor_job(lambda: lived(tmp_path, NOW, {FRIDGE: ("power", "W", steady(80, 20))}))
    given_states(home)
    entry = await start_hub()
    anomalies = entry.runtime_data.anomalies
    await anomalies.async_refresh()
    told = async_capture_events(home, EVENT_ANOMALY)

    clock.move_to(NOW + timedelta(minutes=5))
    home.states.async_set(FRIDGE, "2000", {"device_class": "power", "unit_of_measurement": "W"})
    await home.async_block_till_done()
    clock.move_to(NOW + timedelta(minutes=25))
    home.states.async_set(FRIDGE, "2001", {"device_class": "power", "unit_of_measurement": "W"})
    await home.async_block_till_done()
    await anomalies.async_refresh()
    await home.async_block_till_done()

    [event] = told
    assert event.data["entity_id"] == FRIDGE


@pytest.mark.usefixtures("clock")
async def test_paused_entities_are_left_alone(home: HomeAssistant, start_hub: StartHub, tmp_path: Path) -> None:
    told = async_capture_events(home, EVENT_ANOMALY)
    entry = await start(home, start_hub, tmp_path, analysis={"paused": [FRIDGE]})
    assert entry.runtime_data.anomalies.watched[FRIDGE].status == "paused"
    assert not told


@pytest.mark.usefixtures("clock")
async def test_off_means_that_nothing_is_watched(home: HomeAssistant, start_hub: StartHub, tmp_path: Path) -> None:
    told = async_capture_events(home, EVENT_ANOMALY)
    entry = await start(home, start_hub, tmp_path, analysis={"sensitivity": "off"})
    assert entry.runtime_data.anomalies.watched == {}
    assert not told


async def test_a_door_in_quiet_hours_is_told_while_nobody_is_home(
    home: HomeAssistant, start_hub: StartHub, clock: FrozenDateTimeFactory
) -> None:
    told = async_capture_events(home, EVENT_ANOMALY)
    given_states(home)
    home.states.async_set("person.ann", "not_home")
    entry = await start_hub(analysis={"quiet_entities": [DOOR]})
    await entry.runtime_data.worker.flush()
    await entry.runtime_data.anomalies.async_refresh()

    async def opens(moment: datetime) -> None:
        clock.move_to(moment)
        home.states.async_set(DOOR, "on", {"device_class": "door"})
        await home.async_block_till_done()
        home.states.async_set(DOOR, "off", {"device_class": "door"})
        await home.async_block_till_done()

    await opens(datetime(2026, 11, 21, 13, tzinfo=UTC))
    assert not told
    await opens(datetime(2026, 11, 21, 22, 30, tzinfo=UTC))  # 23:30 in Berlin.
    [event] = told
    assert (event.data["kind"], event.data["severity"]) == ("quiet_hours", "high")

    home.states.async_set("person.ann", "home")
    await opens(datetime(2026, 11, 22, 4, 30, tzinfo=UTC))
    assert len(told) == 1


@pytest.mark.usefixtures("clock")
async def test_the_options_page_refuses_what_cannot_be_watched(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    entry = await start(home, start_hub, tmp_path)
    home.states.async_set("sensor.mode", "idle")
    await entry.runtime_data.worker.flush()
    form = await open_page(home, entry, "analysis")
    quiet = {"quiet_from": "22:00:00", "quiet_until": "05:00:00", "quiet_only_away": False}
    chosen = {"sensitivity": "high", "method": "statistical", "entities": ["sensor.mode"], "quiet_hours": quiet}
    refused = await home.config_entries.options.async_configure(form["flow_id"], chosen)
    assert refused["errors"] == {"entities": "entity_not_watchable"}

    saved = await home.config_entries.options.async_configure(form["flow_id"], {**chosen, "entities": [FRIDGE]})
    await home.async_block_till_done()
    assert saved["data"]["analysis"]["entities"] == [FRIDGE]
    assert [*entry.runtime_data.anomalies.watched] == [FRIDGE]
    assert entry.runtime_data.anomalies.options.quiet_hours.start == time(22)


@pytest.mark.usefixtures("clock")
async def test_the_api_answers_episodes_and_follows_them(
    home: HomeAssistant,
    start_hub: StartHub,
    tmp_path: Path,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await start(home, start_hub, tmp_path)
    client = await hass_client()
    answer = await (await client.get("/api/strata/v2/insights/anomalies?lookback_hours=1")).json()
    assert answer["anomalies_count"] == 1
    [found] = answer["anomalies"]
    assert (found["entity_id"], found["normal"]) == (FRIDGE, False)
    assert found["evidence"][0]["channel"]
    assert answer["watched"][CELLAR]["status"] == "watching"
    assert (await client.get("/api/strata/v2/insights/anomalies?lookback_hours=x")).status == 400

    socket = await hass_ws_client()
    await socket.send_json_auto_id({"type": "strata/anomalies", "subscribe": True})
    assert (await socket.receive_json())["success"]
    assert (await socket.receive_json())["event"]["anomalies"][0]["normal"] is False
    await home.services.async_call("strata", "mark_normal", {"entity_id": FRIDGE}, blocking=True)
    assert (await socket.receive_json())["event"]["anomalies"][0]["normal"] is True


@pytest.mark.usefixtures("clock")
async def test_what_is_watched_is_summed_up_every_five_minutes(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    entry = await start(home, start_hub, tmp_path)
    worker = entry.runtime_data.worker
    cellar = worker.find(SeriesKey.of_entity("home_assistant_events", CELLAR))
    assert cellar is not None
    assert cellar.fine
    # A temperature that nobody watches has hours only.
    await home.config_entries.async_unload(entry.entry_id)
    home.config_entries.async_update_entry(entry, options={"analysis": {"entities": [FRIDGE]}})
    await home.config_entries.async_setup(entry.entry_id)
    cellar = entry.runtime_data.worker.find(SeriesKey.of_entity("home_assistant_events", CELLAR))
    assert cellar is not None
    home.states.async_set(CELLAR, "12.1", {"device_class": "temperature", "unit_of_measurement": "°C"})
    await home.async_block_till_done()
    assert not cellar.fine


async def search(hass: HomeAssistant, method: str) -> dict[str, Any]:
    answer = await hass.services.async_call(
        "strata",
        "scan_anomalies",
        {"entities": [FRIDGE, DOOR], "lookback_hours": 12, "method": method},
        blocking=True,
        return_response=True,
    )
    fridge, door = answer["entities"]
    assert door["ran"] == "statistical"
    return fridge


@pytest.mark.usefixtures("clock")
async def test_every_method_finds_ten_times_the_usual_power(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    await start(home, start_hub, tmp_path)
    for method, ran in {**dict.fromkeys(METHODS), "prophet": "seasonal"}.items():
        found = await search(home, method)
        assert (found["method"], found["ran"]) == (method, ran or method)
        assert len(found["episodes"]) == 1, method
    assert len((await search(home, "seasonal"))["forecast_next_24h"]) > 0


@pytest.mark.parametrize("method", ["isolation_forest", "seasonal", "ensemble"])
@pytest.mark.usefixtures("clock")
async def test_another_method_tells_once_too_and_can_be_told_what_is_normal(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path, method: str
) -> None:
    told = async_capture_events(home, EVENT_ANOMALY)
    entry = await start(home, start_hub, tmp_path, analysis={"method": method, "entities": [FRIDGE]})
    assert [event.data["entity_id"] for event in told] == [FRIDGE]
    assert told[0].data["method"] == method
    anomalies = entry.runtime_data.anomalies
    anomalies.scanned_until = None
    await anomalies.async_refresh()
    assert len(told) == 1
    assert len(anomalies.open) == 1

    await home.services.async_call("strata", "mark_normal", {"entity_id": FRIDGE}, blocking=True)
    await home.config_entries.async_reload(entry.entry_id)
    await entry.runtime_data.anomalies.async_refresh()
    assert entry.runtime_data.anomalies.open == []


@pytest.mark.usefixtures("clock")
async def test_without_its_library_a_method_gives_way_to_the_one_that_needs_none(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    told = async_capture_events(home, EVENT_ANOMALY)
    with patch(
        "custom_components.strata.anomalies.coordinator.async_require", side_effect=DependencyMissing(["scikit-learn"])
    ):
        await start(home, start_hub, tmp_path, analysis={"method": "isolation_forest"})
    assert [event.data["entity_id"] for event in told] == [FRIDGE]
