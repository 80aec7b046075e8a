"""History into a file, and away for ever, in Home Assistant."""

from contextlib import nullcontext
import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pandas as pd  # noqa: F401 - pyarrow imports it, which never ends while a test holds the clock still
import probatio
import pyarrow.parquet as pq
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.archive.erase import ArchiveErasure
from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import to_micros
from custom_components.strata.mirror.errors import MirrorUnsupported
from custom_components.strata.store.base import StoreError
from tests.integration.given import StartHub

NOW = datetime(2026, 11, 21, 10, 7, tzinfo=UTC)
LOAD = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"}


@pytest.fixture
async def entry(home: HomeAssistant, start_hub: StartHub, freezer: FrozenDateTimeFactory) -> MockConfigEntry:
    """A hub that has recorded a load and a climate for five hours."""
    freezer.move_to(NOW - timedelta(hours=5))
    made: MockConfigEntry = await start_hub()
    for hour in range(5):
        freezer.move_to(NOW - timedelta(hours=5 - hour))
        home.states.async_set("sensor.load", str(100 * hour), LOAD)
        home.states.async_set("climate.hall", "heat" if hour % 2 else "off")
        await home.async_block_till_done()
    freezer.move_to(NOW)
    await made.runtime_data.worker.flush()
    await made.runtime_data.worker.write(lambda store: store.roll_up(to_micros(NOW)))
    return made


async def act(hass: HomeAssistant, action: str, **asked: Any) -> dict[str, Any]:
    answer = await hass.services.async_call(DOMAIN, action, asked, blocking=True, return_response=True)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize(
    ("action", "asked"),
    [
        ("query_history", {"entity_id": "sensor.load", "start": "0001-01-01T00:00:00+05:00"}),
        ("query_history", {"entity_id": "sensor.load", "end": "9999-12-31T23:59:00-05:00"}),
        ("export", {"start": "0001-01-01T00:00:00+05:00"}),
        ("import_history", {"source": "recorder", "start": "0001-01-01T00:00:00+05:00"}),
        ("replay_mirror", {"start": "0001-01-01T00:00:00+05:00"}),
    ],
)
async def test_times_outside_of_all_years_are_refused(
    recorder_mock: Any, home: HomeAssistant, entry: MockConfigEntry, action: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(ServiceValidationError) as refused:
        await act(home, action, **asked)
    assert refused.value.translation_key == "time_out_of_range"


async def test_numbers_beyond_all_measure_are_refused(home: HomeAssistant, entry: MockConfigEntry) -> None:
    with pytest.raises(probatio.Invalid):
        await act(home, "query_view", view="daily_energy_cost", offset=10**30)
    with pytest.raises(probatio.Invalid):
        await act(home, "preview_retention", keep={"raw": 10**11})


async def test_hours_go_into_a_table_for_spreadsheets(home: HomeAssistant, entry: MockConfigEntry) -> None:
    answer = await act(home, "export", format="csv", name="my_hours")
    path = Path(home.config.config_dir) / answer["file"]
    assert answer["file"] == "strata/exports/my_hours.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert answer["rows"] == len(rows)
    assert answer["bytes"] == path.stat().st_size
    loads = [row for row in rows if row["entity_id"] == "sensor.load"]
    assert [float(row["max_value"]) for row in loads] == [0.0, 100.0, 200.0, 300.0, 400.0]
    assert {row["unit"] for row in loads} == {"W"}
    halls = [row for row in rows if row["entity_id"] == "climate.hall"]
    assert {row["transitions"] for row in halls} == {"0", "1"}
    assert "heat" in halls[-1]["state_seconds"]
    with pytest.raises(ServiceValidationError):
        await act(home, "export", format="csv", name="my_hours")
    assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize("tier", ["raw", "five_minute", "hourly", "daily"])
async def test_a_table_has_the_same_columns_whatever_is_in_it(
    home: HomeAssistant, entry: MockConfigEntry, tier: str, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(NOW + timedelta(hours=30))  # The local day is over, wherever home is.
    await entry.runtime_data.worker.write(
        lambda store: (store.write([], heartbeat=to_micros(NOW)), store.roll_up(to_micros(NOW + timedelta(hours=30))))
    )

    async def table(name: str, **asked: Any) -> list[list[str]]:
        answer = await act(home, "export", tier=tier, format="csv", name=name, **asked)
        path = Path(home.config.config_dir) / answer["file"]
        assert answer["bytes"] == path.stat().st_size > 0
        found = list(csv.reader(path.open(encoding="utf-8", newline="")))
        assert answer["rows"] == len(found) - 1
        return found

    everything = await table("everything")
    [columns] = await table("nothing", start="2001-01-01", end="2001-01-02")
    assert everything[0] == columns
    since = (NOW - timedelta(days=3)).isoformat()
    told = {
        name
        for entity_id in ("sensor.load", "climate.hall")
        for part in (await act(home, "query_history", entity_id=entity_id, tier=tier, start=since))["series"][0][
            "segments"
        ]
        for row in part["rows"]
        for name in row
    }
    assert (len(everything) > 1) == bool(told)
    assert tier == "five_minute" or told
    assert told - {"tier"} <= set(columns)
    for entity_id in ("sensor.load", "climate.hall"):
        assert (await table(entity_id.replace(".", "_"), entities=entity_id))[0] == columns


@pytest.mark.parametrize("tier", ["raw", "hourly"])
async def test_a_layer_goes_into_parquet_as_in_archives(home: HomeAssistant, entry: MockConfigEntry, tier: str) -> None:
    answer = await act(home, "export", tier=tier, entities=["sensor.load", "climate.hall"])
    table = pq.read_table(Path(home.config.config_dir) / answer["file"])
    loads = [row for row in table.to_pylist() if row["entity_id"] == "sensor.load"]
    assert len(table) == answer["rows"]
    values = [row["value" if tier == "raw" else "max_value"] for row in loads]
    assert values == [0.0, 100.0, 200.0, 300.0, 400.0]
    if tier == "raw":
        states = [row["state"] for row in table.to_pylist() if row["entity_id"] == "climate.hall"]
        assert states == ["off", "heat", "off", "heat", "off"]


async def test_rows_of_the_last_seconds_are_in_an_export(home: HomeAssistant, entry: MockConfigEntry) -> None:
    home.states.async_set("sensor.load", "777", LOAD)
    await home.async_block_till_done()
    answer = await act(
        home, "export", tier="raw", format="csv", entities="sensor.load", end=str(NOW + timedelta(minutes=1))
    )
    assert answer["rows"] == 6


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "../../configuration"},
        {"name": "/etc/passwd"},
        {"name": ""},
        {"name": "a" * 81},
        {"entities": ["sensor.nothing"], "format": "csv"},
        {"start": "2026-11-21 00:00:00", "end": "2026-11-20 00:00:00"},
    ],
)
async def test_an_export_goes_nowhere_else(home: HomeAssistant, entry: MockConfigEntry, asked: dict[str, Any]) -> None:
    with pytest.raises(ServiceValidationError):
        await act(home, "export", **asked)
    assert not list((Path(home.config.config_dir) / "strata").rglob("*.csv"))


async def test_an_export_that_fails_leaves_nothing(home: HomeAssistant, entry: MockConfigEntry) -> None:
    with (
        patch("custom_components.strata.exports.CsvExport.write", side_effect=OSError("disk full")),
        pytest.raises(HomeAssistantError, match="disk full"),
    ):
        await act(home, "export", format="csv", name="half")
    assert not list((Path(home.config.config_dir) / "strata" / "exports").iterdir())


async def test_an_entity_is_erased_everywhere(home: HomeAssistant, entry: MockConfigEntry) -> None:
    data = entry.runtime_data
    mirrors = {
        "good": SimpleNamespace(
            title="Good",
            async_paused=nullcontext,
            async_forget_lines=AsyncMock(),
            async_delete_series=AsyncMock(return_value=["strata_raw"]),
        ),
        "bad": SimpleNamespace(
            title="Bad",
            async_paused=nullcontext,
            async_forget_lines=AsyncMock(),
            async_delete_series=AsyncMock(side_effect=MirrorUnsupported("InfluxDB 3 cannot delete")),
        ),
    }
    gone = ArchiveErasure(rewritten=["a.parquet"], away=["old"], problems=["2026-08-01: cannot be read"])
    with (
        patch.dict(data.mirror_set.running, mirrors),
        patch("custom_components.strata.erasing._from_archives", return_value=gone),
    ):
        dry = await act(home, "erase", entities="sensor.load")
        assert (dry["dry_run"], dry["rows"]["raw"], dry["rows"]["hourly"]) == (True, 5, 5)
        mirrors["good"].async_delete_series.assert_not_called()
        done = await act(home, "erase", entities="sensor.load", dry_run=False)
    # Entries of the feed go by themselves when views have followed them, in the background.
    assert {**done["rows"], "changes": 0} == {**dry["rows"], "changes": 0}
    assert done["archive_files"] == ["a.parquet"]
    assert done["archives_out_of_reach"] == ["old"]
    assert [each["databases"] for each in done["mirrors"]] == [["strata_raw"], []]
    assert done["problems"] == ["2026-08-01: cannot be read", "Bad: InfluxDB 3 cannot delete"]
    operations = await data.worker.read(lambda reader: reader.operations())
    [journal] = [operation for operation in operations if operation.operation_type == "erase"]
    assert len(journal.errors) == 2
    # It is there still, so it goes on from here.
    home.states.async_set("sensor.load", "9", LOAD)
    await home.async_block_till_done()
    await data.worker.flush()
    answer = await act(home, "query_history", entity_id="sensor.load", end=str(NOW + timedelta(minutes=1)))
    assert [row["value"] for row in answer["series"][0]["segments"][0]["rows"]] == [9.0]


async def test_a_removed_entity_is_forgotten(home: HomeAssistant, entry: MockConfigEntry) -> None:
    home.states.async_remove("climate.hall")
    await home.async_block_till_done()
    await act(home, "erase", entities="climate.hall", dry_run=False)
    with pytest.raises(ServiceValidationError):
        await act(home, "query_history", entity_id="climate.hall")
    with pytest.raises(ServiceValidationError):
        await act(home, "erase", entities="sensor.nothing")
    with (
        patch.object(entry.runtime_data.worker, "write", side_effect=StoreError("closed")),
        pytest.raises(HomeAssistantError, match="closed"),
    ):
        await act(home, "erase", entities="sensor.load", dry_run=False)
