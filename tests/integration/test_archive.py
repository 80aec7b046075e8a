"""Archives in a running Home Assistant: form, runs, entities, issues, actions, statistics."""

import asyncio
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
import json
from pathlib import Path
import threading
from typing import Any, Self
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.helpers.recorder import get_instance
from homeassistant.util.yaml import load_yaml_dict
import pandas as pd  # noqa: F401 - pyarrow imports it, which never ends while a test holds the clock still
import pyarrow.parquet as pq
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components import strata
from custom_components.strata.archive.restore import Restorer
from custom_components.strata.archive.targets.local import LocalTarget
from custom_components.strata.archive_issues import FAILING, HELD, PROBLEMS
from custom_components.strata.archive_threads import threads_of
from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Kind, Row, SeriesKey, from_micros, to_micros
from custom_components.strata.dependencies import DependencyMissing
from custom_components.strata.diagnostics import async_get_config_entry_diagnostics
from custom_components.strata.held_values import async_look_for_held
from custom_components.strata.source_set import SourceSet
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DEFAULT_LADDER, HOUR
from tests.integration.given import StartHub
from tests.s3_stub import BUCKET, Refusal, S3Stub

pytestmark = pytest.mark.xdist_group("archive")

START = datetime(2026, 7, 31, 22, tzinfo=UTC)
"""Midnight in Berlin on 1 August."""
NOW = START + timedelta(days=110)
FIRST = "archives/2026/data_2026-08-01.parquet"
KEEP = {"keep": {"raw": 2, "five_minute": 3, "hourly": 10, "daily": 40}}
GROWTH = 0.25
"""kWh in every hour."""
STATE = 120_200.0
"""Wh of the meter after the first hour of the 21st day, as the recorder has it: 200 more than it should be."""


def local(path: Path) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        subentry_type="archive",
        title="USB",
        unique_id=f"local:{path}",
        subentry_id="usb",
        data={"target": "local", "path": str(path)},
    )


def bucket(url: str) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        subentry_type="archive",
        title="Bucket",
        unique_id=f"s3:{url}:{BUCKET}",
        subentry_id="bucket",
        data={
            "target": "s3",
            "bucket": BUCKET,
            "endpoint_url": url,
            "access_key": "access-secret",
            "secret_key": "very-secret",
            "storage_class": "GLACIER_IR",
            "encryption": "none",
        },
    )


def _fill(path: Path) -> None:
    """Let a store live from 1 August on: a meter that grows evenly, a power of 100 W, a climate mode."""
    clock = [to_micros(START)]
    ladder = DEFAULT_LADDER.keeping({tier: timedelta(days=days) for tier, days in KEEP["keep"].items()})
    with SqliteStore(path, timezone="Europe/Berlin", ladder=ladder, now=lambda: clock[0]) as store:
        made = [
            store.series(
                SeriesKey.of_entity("home_assistant_events", name),
                kind=kind,
                unit=unit,
                labels={"entity_id": f"sensor.{name}", "friendly_name": name.title()},
            )
            for name, kind, unit in (
                ("energy", Kind.METER, "kWh"),
                ("power", Kind.MEASUREMENT, "W"),
                ("mode", Kind.TEXT, None),
            )
        ]
        energy, power, mode = made
        while clock[0] < to_micros(NOW):
            hours = (clock[0] - to_micros(START)) // HOUR
            store.write(
                [
                    Row(energy, clock[0], hours * GROWTH),
                    Row(power, clock[0], 100.0),
                    Row(mode, clock[0], None, "heat" if hours % 2 else "off"),
                ],
                heartbeat=clock[0],
            )
            clock[0] += 6 * HOUR
        store.write([], heartbeat=clock[0])
        store.roll_up(clock[0])
        for tier in ("raw", "five_minute", "hourly"):
            store.downsample(tier, clock[0])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("filled") / "strata.db"
    _fill(path)
    return path.read_bytes()


@pytest.fixture
def usb(tmp_path: Path, filled: bytes) -> Path:
    """A folder that is set up, beside a configuration whose store is filled."""
    (tmp_path / "strata").mkdir()
    (tmp_path / "strata" / "strata.db").write_bytes(filled)
    folder = tmp_path / "usb"
    folder.mkdir()
    (folder / ".strata-archive").write_text("")
    return folder


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture
def no_schedule() -> Generator[None]:
    """The ladder looks at nothing by itself, so that a test decides what runs."""
    with patch("custom_components.strata.retention.Retention.catch_up"):
        yield


@pytest.fixture
def stub(socket_enabled: None) -> Generator[S3Stub]:
    with S3Stub() as running:
        yield running


async def call(home: HomeAssistant, name: str, /, **data: Any) -> dict[str, Any]:
    return await home.services.async_call(DOMAIN, name, data, blocking=True, return_response=True)


# The form


async def _begin(home: HomeAssistant, kind: str) -> dict[str, Any]:
    flow = await home.config_entries.subentries.async_init(("hub", "archive"), context={"source": "user"})
    assert flow["type"] is FlowResultType.MENU
    assert flow["menu_options"] == ["local", "s3"]
    return await home.config_entries.subentries.async_configure(flow["flow_id"], {"next_step_id": kind})


async def test_a_folder_is_tried_before_it_is_saved(home: HomeAssistant, start_hub: StartHub, tmp_path: Path) -> None:
    entry = await start_hub()
    flow = await _begin(home, "local")
    configure = home.config_entries.subentries.async_configure
    answer = await configure(flow["flow_id"], {"path": "relative"})
    assert answer["errors"] == {"path": "path_not_absolute"}
    answer = await configure(flow["flow_id"], {"path": str(tmp_path / "usb")})
    assert answer["errors"] == {"path": "not_a_folder"}
    (tmp_path / "usb").mkdir()
    answer = await configure(flow["flow_id"], {"path": str(tmp_path / "usb")})
    assert answer["step_id"] == "local_confirm"
    answer = await configure(flow["flow_id"], {})
    assert answer["type"] is FlowResultType.CREATE_ENTRY
    await home.async_block_till_done()
    [archive] = entry.runtime_data.archives.running.values()
    assert archive.title == str(tmp_path / "usb")
    assert archive.subentry.data == {"target": "local", "path": str(tmp_path / "usb"), "early": True}
    assert [path.name for path in (tmp_path / "usb").rglob("*") if path.is_file()] == [".strata-archive"]
    assert not (tmp_path / "strata" / "archive_scratch_trial").exists()

    flow = await _begin(home, "local")
    answer = await configure(flow["flow_id"], {"path": f"{tmp_path / 'usb'}/"})
    assert (answer["type"], answer["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_a_folder_on_the_disk_of_home_assistant_is_asked_about_before_it_is_marked(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    """The empty folder of a share that is not mounted is one."""
    entry = await start_hub()
    folder = tmp_path / "share"
    folder.mkdir()
    configure = home.config_entries.subentries.async_configure
    flow = await _begin(home, "local")
    asked = await configure(flow["flow_id"], {"path": str(folder)})
    assert (asked["step_id"], asked["description_placeholders"]) == ("local_confirm", {"path": str(folder)})
    assert [*folder.iterdir()] == []
    home.config_entries.subentries.async_abort(flow["flow_id"])
    assert [*folder.iterdir()] == []

    # It went while the question was open, so what is wrong is said where it was entered.
    flow = await _begin(home, "local")
    await configure(flow["flow_id"], {"path": str(folder)})
    folder.rmdir()
    answer = await configure(flow["flow_id"], {})
    assert (answer["step_id"], answer["errors"]) == ("local", {"path": "not_a_folder"})
    folder.mkdir()
    assert (await configure(flow["flow_id"], {"path": str(folder)}))["step_id"] == "local_confirm"
    assert (await configure(flow["flow_id"], {}))["type"] is FlowResultType.CREATE_ENTRY
    assert [path.name for path in folder.iterdir() if path.is_file()] == [".strata-archive"]
    assert len(entry.subentries) == 1


async def test_a_folder_on_another_disk_is_not_asked_about(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    await start_hub()
    flow = await _begin(home, "local")
    with patch("custom_components.strata.archive.targets.local.shares_disk", return_value=False):
        answer = await home.config_entries.subentries.async_configure(flow["flow_id"], {"path": str(tmp_path)})
    assert answer["type"] is FlowResultType.CREATE_ENTRY


async def test_a_folder_in_which_an_archive_is_needs_no_question(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    """Not by its mark alone: an archive that was copied here has its folders."""
    await start_hub()
    flow = await _begin(home, "local")
    folder = tmp_path / "usb"
    (folder / "archives").mkdir(parents=True)
    answer = await home.config_entries.subentries.async_configure(flow["flow_id"], {"path": str(folder)})
    assert answer["type"] is FlowResultType.CREATE_ENTRY


async def test_where_something_is_to_be_mounted_nothing_is_marked(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_hub()
    folder = tmp_path / "usb" / "strata"
    folder.mkdir(parents=True)
    (tmp_path / "fstab").write_text(f"UUID=3 {tmp_path / 'usb'} ext4 noauto 0 2\n")
    monkeypatch.setattr("custom_components.strata.archive.targets.mounts.TO_MOUNT", tmp_path / "fstab")
    flow = await _begin(home, "local")
    answer = await home.config_entries.subentries.async_configure(flow["flow_id"], {"path": str(folder)})
    assert answer["errors"] == {"path": "mount_missing"}
    assert answer["description_placeholders"] == {"reason": str(tmp_path / "usb")}
    assert [*folder.iterdir()] == []


S3_INPUT = {
    "bucket": BUCKET,
    "access_key": "access-secret",
    "secret_key": "very-secret",
    "storage_class": "GLACIER_IR",
    "encryption": "none",
}


@pytest.mark.parametrize(
    ("change", "refusal", "errors"),
    [
        ({"bucket": "No Bucket"}, None, {"bucket": "invalid_bucket"}),
        ({"endpoint_url": "s3.example"}, None, {"endpoint_url": "invalid_url"}),
        ({"endpoint_url": "http://[:1"}, None, {"endpoint_url": "invalid_url"}),
        ({"bucket": "elsewhere"}, None, {"bucket": "no_bucket"}),
        ({}, Refusal(403, "InvalidAccessKeyId"), {"access_key": "invalid_auth"}),
        ({}, Refusal(403, "AccessDenied"), {"base": "forbidden"}),
    ],
)
async def test_a_bucket_is_tried_before_it_is_saved(
    home: HomeAssistant, start_hub: StartHub, stub: S3Stub, change: Any, refusal: Any, errors: dict[str, str]
) -> None:
    entry = await start_hub()
    flow = await _begin(home, "s3")
    stub.refuse = lambda method, key, headers: refusal if method == "PUT" else None
    configure = home.config_entries.subentries.async_configure
    answer = await configure(flow["flow_id"], {**S3_INPUT, "endpoint_url": stub.url, **change})
    assert answer["errors"] == errors
    stub.refuse = lambda method, key, headers: None
    answer = await configure(flow["flow_id"], {**S3_INPUT, "endpoint_url": stub.url, "prefix": "a/"})
    assert answer["type"] is FlowResultType.CREATE_ENTRY
    assert stub.objects == {}
    await home.async_block_till_done()
    [archive] = entry.runtime_data.archives.running.values()
    assert archive.title == f"127.0.0.1 {BUCKET}/a"
    assert archive.subentry.data["early"] is True


async def test_the_chosen_storage_class_is_tried(home: HomeAssistant, start_hub: StartHub, stub: S3Stub) -> None:
    await start_hub()
    flow = await _begin(home, "s3")
    configure = home.config_entries.subentries.async_configure

    def refuse(_method: str, _key: str, headers: dict[str, str]) -> Refusal | None:
        named = {name.lower() for name in headers}
        return Refusal(403, "AccessDenied") if "x-amz-storage-class" in named else None

    stub.refuse = refuse
    answer = await configure(flow["flow_id"], {**S3_INPUT, "endpoint_url": stub.url})
    assert answer["errors"] == {"base": "forbidden"}
    answer = await configure(flow["flow_id"], {**S3_INPUT, "endpoint_url": stub.url, "storage_class": "STANDARD"})
    assert answer["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("code", "errors"),
    [
        ("InvalidAccessKeyId", {"access_key": "invalid_auth"}),
        ("SignatureDoesNotMatch", {"access_key": "invalid_auth"}),
        ("RequestTimeTooSkewed", {"base": "clock"}),
        ("AccessDenied", {"base": "forbidden"}),
    ],
)
async def test_a_wrong_key_is_told_from_a_missing_permission(
    home: HomeAssistant, start_hub: StartHub, stub: S3Stub, code: str, errors: dict[str, str]
) -> None:
    """The first question is a HEAD, whose answer has no body: 403 for either."""
    await start_hub()
    flow = await _begin(home, "s3")
    stub.refuse = lambda method, key, headers: Refusal(403, code)
    answer = await home.config_entries.subentries.async_configure(
        flow["flow_id"], {**S3_INPUT, "endpoint_url": stub.url}
    )
    assert answer["errors"] == errors
    assert {method for method, _ in stub.requests} == {"HEAD", "GET"}


async def test_reconfiguring_keeps_a_secret_that_is_left_empty(
    home: HomeAssistant, start_hub: StartHub, stub: S3Stub
) -> None:
    entry = await start_hub(bucket(stub.url))
    flow = await entry.start_subentry_reconfigure_flow(home, "bucket")
    assert flow["step_id"] == "s3"
    said = {**S3_INPUT, "endpoint_url": stub.url, "prefix": "other"}
    del said["secret_key"]
    answer = await home.config_entries.subentries.async_configure(flow["flow_id"], said)
    assert (answer["type"], answer["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await home.async_block_till_done()
    data = entry.subentries["bucket"].data
    assert (data["secret_key"], data["prefix"]) == ("very-secret", "other")
    assert entry.runtime_data.archives.running["bucket"].configuration[1]["prefix"] == "other"


@pytest.mark.usefixtures("no_schedule")
async def test_a_share_that_is_not_mounted_is_not_taken_for_the_archive(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    entry = await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    other = usb.with_name("other")

    def unplug() -> None:
        usb.rename(usb.with_name("unplugged"))
        usb.mkdir()
        other.mkdir()

    await home.async_add_executor_job(unplug)
    configure = home.config_entries.subentries.async_configure
    for path in (usb, other):
        flow = await entry.start_subentry_reconfigure_flow(home, "usb")
        answer = await configure(flow["flow_id"], {"path": str(path)})
        assert answer["errors"] == {"path": "not_mounted"}
        assert [*path.iterdir()] == []

    # Its mark may have been lost on the way.
    (usb.with_name("unplugged") / "archives").rename(other / "archives")
    answer = await configure(flow["flow_id"], {"path": str(other)})
    assert (answer["type"], answer["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await home.async_block_till_done()
    assert (await call(home, "archive"))["problems"] == []


async def test_an_archive_that_holds_nothing_yet_moves_to_an_empty_folder(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    entry = await start_hub(local(tmp_path / "usb"))
    (tmp_path / "other").mkdir()
    flow = await entry.start_subentry_reconfigure_flow(home, "usb")
    configure = home.config_entries.subentries.async_configure
    assert (await configure(flow["flow_id"], {"path": str(tmp_path / "other")}))["step_id"] == "local_confirm"
    assert [*(tmp_path / "other").iterdir()] == []
    answer = await configure(flow["flow_id"], {})
    assert (answer["type"], answer["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")


async def test_a_library_that_is_missing_is_said_in_the_form(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    await start_hub()
    flow = await _begin(home, "local")
    with patch("custom_components.strata.flows.archive.async_require", side_effect=DependencyMissing(["pyarrow"])):
        await home.config_entries.subentries.async_configure(flow["flow_id"], {"path": str(tmp_path)})
        answer = await home.config_entries.subentries.async_configure(flow["flow_id"], {})
    assert answer["errors"] == {"base": "dependency_missing"}


# Runs


@pytest.mark.usefixtures("no_schedule")
async def test_an_archive_run_shows_in_entities_points_and_journal(
    home: HomeAssistant, start_hub: StartHub, usb: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await start_hub(local(usb), **KEEP)
    assert home.states.get("binary_sensor.usb_failing").state == "off"
    dry = await call(home, "archive", dry_run=True)
    assert (dry["periods"], dry["files"]) == (["2026-08-01", "2026-09-01"], [FIRST, FIRST.replace("08-01", "09-01")])
    assert not (usb / "archives").exists()

    answer = await call(home, "archive")
    assert answer["problems"] == []
    assert (answer["files"], answer["rows"], answer["bytes"]) == (dry["files"], dry["rows"], dry["bytes"])
    assert f"{answer['bytes_freed']} bytes freed" in caplog.text
    assert "% smaller, in 0.0 s, 0 problems" in caplog.text
    assert answer["rows_deleted"] > 0
    assert (usb / FIRST).exists()
    assert home.states.get("sensor.usb_archived_months").state == "2"
    assert datetime.fromisoformat(home.states.get("sensor.strata_last_archive").state) == NOW
    assert datetime.fromisoformat(home.states.get("sensor.usb_last_success").state) == NOW
    assert float(home.states.get("sensor.usb_archive_size").state) > 0
    journal = await entry.runtime_data.worker.read(
        lambda reader: reader.connection.execute("SELECT type, records, errors FROM operation").fetchall()
    )
    assert ("archive", answer["rows_deleted"], "[]") in journal
    measurements = {series.key.measurement for series in entry.runtime_data.worker.all_series()}
    assert "archive_metadata" in measurements


@pytest.mark.usefixtures("no_schedule")
async def test_the_ladder_archives_when_due_and_waits_after_a_failure(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    (usb / ".strata-archive").unlink()
    entry = await start_hub(local(usb), **KEEP)
    retention = entry.runtime_data.retention
    events = async_capture_events(home, "strata_retention_failed")
    await retention.archive()
    [event] = events
    assert event.data["step"] == "archive"
    assert "not the folder" in event.data["reason"]
    figures = [
        series.key.field
        for series in entry.runtime_data.worker.all_series()
        if series.key.measurement == "retention_metrics" and "archive" in series.key.identity
    ]
    assert sorted(figures) == ["duration_seconds", "errors", "records_processed", "storage_freed_mb"]
    assert home.states.get("binary_sensor.usb_failing").state == "on"
    assert "not the folder" in home.states.get("binary_sensor.usb_failing").attributes["failure"]
    issues = ir.async_get(home)
    assert issues.async_get_issue(DOMAIN, f"{FAILING}_usb") is not None
    assert issues.async_get_issue(DOMAIN, PROBLEMS) is None

    (usb / ".strata-archive").write_text("")
    assert not retention.hooks.may_archive(), "an hour has not passed"
    await retention.archive()  # Somebody asks for it.
    assert retention.hooks.may_archive()
    assert (usb / FIRST).exists()
    assert home.states.get("binary_sensor.usb_failing").state == "off"
    assert issues.async_get_issue(DOMAIN, f"{FAILING}_usb") is None


@pytest.mark.usefixtures("no_schedule")
async def test_a_damaged_file_is_shown(
    home: HomeAssistant, start_hub: StartHub, usb: Path, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    (usb / FIRST).write_bytes(b"rust")
    answer = await call(home, "restore", start="2026-08-01", end="2026-09-15")
    assert [FIRST in problem for problem in answer["problems"]] == [True]
    assert {row["entity_id"] for row in answer["rows"]} == {"sensor.energy", "sensor.power", "sensor.mode"}
    assert (await call(home, "archive"))["problems"] != []
    # What is damaged stays so; the next look is the next week's.
    may_archive = entry.runtime_data.retention.hooks.may_archive
    freezer.tick(6.9 * 86_400)
    assert not may_archive()
    freezer.tick(0.2 * 86_400)
    assert may_archive()
    assert ir.async_get(home).async_get_issue(DOMAIN, PROBLEMS) is not None
    state = home.states.get("binary_sensor.usb_failing")
    assert (state.state, state.attributes["damaged"]) == ("on", [FIRST])


@pytest.mark.usefixtures("no_schedule")
async def test_single_values_wait_for_their_file(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    entry = await start_hub(local(usb), **KEEP, archives={"raw_rows": True, "compression": "zstd"})
    worker = entry.runtime_data.worker
    assert worker.archived_only
    await entry.runtime_data.archives.async_archive_raw()
    assert worker.archived_only
    home.config_entries.async_update_entry(entry, options={**KEEP})
    await home.async_block_till_done()
    assert not worker.archived_only


async def _raw_rows(entry: MockConfigEntry) -> int:
    return await entry.runtime_data.worker.read(
        lambda reader: reader.connection.execute("SELECT COALESCE(SUM(rows), 0) FROM raw_chunk").fetchone()[0]
    )


async def test_a_step_that_is_due_at_the_start_waits_for_the_archive(
    home: HomeAssistant, start_hub: StartHub, usb: Path, freezer: FrozenDateTimeFactory
) -> None:
    follow = SourceSet.async_follow

    async def slowly(sources: SourceSet) -> None:
        # As long as a source takes to answer; the store has time for every step of the ladder.
        for _ in range(120):
            await sources._worker.write(lambda store: None)
        await follow(sources)

    freezer.move_to(NOW + timedelta(days=5, hours=6))
    with patch.object(SourceSet, "async_follow", slowly):
        entry = await start_hub(local(usb), **KEEP, archives={"raw_rows": True})
    ladder = entry.runtime_data.retention
    await ladder.downsample("raw")
    archived = await call(home, "restore", start="2026-11-10", content="raw", entities=["sensor.power"])
    # The store had two days of four values each.
    assert [row["value"] for row in archived["rows"] if not row["flag"]] == [100.0] * 8
    assert archived["problems"] == []


@pytest.mark.usefixtures("no_schedule")
async def test_single_values_stay_while_there_is_no_archive_to_take_them(
    home: HomeAssistant, start_hub: StartHub, usb: Path, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(NOW + timedelta(days=5, hours=6))
    entry = await start_hub(local(usb), **KEEP, archives={"raw_rows": True})
    home.config_entries.async_remove_subentry(entry, "usb")
    await home.async_block_till_done()
    before = await _raw_rows(entry)
    await entry.runtime_data.retention.downsample("raw")
    assert await _raw_rows(entry) == before > 0
    home.config_entries.async_update_entry(entry, options={**KEEP})
    await home.async_block_till_done()
    await entry.runtime_data.retention.downsample("raw")
    assert await _raw_rows(entry) == 0


@pytest.mark.usefixtures("no_schedule")
@pytest.mark.parametrize("mended", ["archive", "option"])
async def test_single_values_that_pile_up_without_an_archive_are_told_of(
    home: HomeAssistant, start_hub: StartHub, usb: Path, freezer: FrozenDateTimeFactory, mended: str
) -> None:
    entry = await start_hub(local(usb), **KEEP, archives={"raw_rows": True})
    issues, look = ir.async_get(home), partial(async_look_for_held, home, entry)
    freezer.move_to(NOW + timedelta(days=5))
    await look()
    assert issues.async_get_issue(DOMAIN, HELD) is None, "there is an archive for them"
    home.config_entries.async_remove_subentry(entry, "usb")
    await home.async_block_till_done()
    # The oldest hour that is left is of 22:00 UTC two days before; it may stay for two days, and a night.
    for days, said in ((0, False), (1, True)):
        freezer.move_to(NOW + timedelta(days=days, hours=1))
        await look()
        assert (issues.async_get_issue(DOMAIN, HELD) is not None) == said
    with patch.object(entry.runtime_data.worker, "read", side_effect=StoreError("no")):
        await look()
    issue = issues.async_get_issue(DOMAIN, HELD)
    assert issue is not None
    assert issue.translation_placeholders == {"since": "2026-11-16"}
    if mended == "archive":
        home.config_entries.async_add_subentry(entry, ConfigSubentry(**{**local(usb), "subentry_id": "again"}))
    else:
        home.config_entries.async_update_entry(entry, options=KEEP)
    await home.async_block_till_done()
    assert issues.async_get_issue(DOMAIN, HELD) is None
    await look()
    assert issues.async_get_issue(DOMAIN, HELD) is None


@pytest.mark.usefixtures("no_schedule")
async def test_values_that_are_kept_for_ever_do_not_pile_up(
    home: HomeAssistant, start_hub: StartHub, usb: Path, freezer: FrozenDateTimeFactory
) -> None:
    pinned = [f"sensor.{name}" for name in ("energy", "power", "mode")]
    entry = await start_hub(**KEEP, archives={"raw_rows": True}, retention={"pinned": pinned})
    freezer.move_to(NOW + timedelta(days=50))
    for options, said in ((entry.options, False), ({**entry.options, "retention": {"pinned": pinned[:2]}}, True)):
        home.config_entries.async_update_entry(entry, options=options)
        await home.async_block_till_done()
        await entry.runtime_data.retention_watch.looks[-1]()
        assert (ir.async_get(home).async_get_issue(DOMAIN, HELD) is not None) == said


@pytest.mark.usefixtures("no_schedule")
async def test_a_missing_library_stops_nothing_else(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    await start_hub(local(usb), **KEEP)
    with patch("custom_components.strata.archive_set.async_require", side_effect=DependencyMissing(["pyarrow"])):
        answer = await call(home, "archive")
    assert len(answer["problems"]) == 1
    assert not (usb / FIRST).exists()


async def test_an_unknown_kind_is_named_and_the_rest_runs(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    strange = ConfigSubentryDataWithId(
        subentry_type="archive", title="Tape", unique_id="tape", subentry_id="tape", data={"target": "tape"}
    )
    entry = await start_hub(strange, local(usb))
    assert [*entry.runtime_data.archives.running] == ["usb"]
    assert ir.async_get(home).async_get_issue(DOMAIN, "archive_unknown_tape") is not None


async def test_the_action_offers_archives_and_no_other_devices(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    entry = await start_hub(local(usb))
    fields = load_yaml_dict(str(Path(strata.__file__).parent / "services.yaml"))["archive"]["fields"]
    [wanted] = fields["target"]["selector"]["device"]["filter"]
    offered = [
        device.name
        for device in dr.async_entries_for_config_entry(dr.async_get(home), entry.entry_id)
        if device.model == wanted["model"]
    ]
    assert (wanted["integration"], offered) == (DOMAIN, ["USB"])


async def test_a_removed_archive_leaves_with_its_entities_and_issues(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    entry = await start_hub(local(usb))
    home.config_entries.async_remove_subentry(entry, "usb")
    await home.async_block_till_done()
    assert entry.runtime_data.archives.running == {}
    assert er.async_get(home).async_get("binary_sensor.usb_failing") is None
    with pytest.raises(ServiceValidationError, match="There is no archive"):
        await call(home, "archive")
    with pytest.raises(ServiceValidationError, match="There is no archive"):
        await call(home, "restore", start="2026-08-01")


async def test_secrets_are_nowhere_in_diagnostics(home: HomeAssistant, start_hub: StartHub, stub: S3Stub) -> None:
    entry = await start_hub(bucket(stub.url))
    shown = str(await async_get_config_entry_diagnostics(home, entry))
    assert "Bucket" in shown
    assert "very-secret" not in shown
    assert "access-secret" not in shown


@pytest.mark.usefixtures("no_schedule")
async def test_unloading_during_a_run_ends_it(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    entry = await start_hub(local(usb), **KEEP)
    run = home.async_create_task(entry.runtime_data.archives.async_run())
    await home.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    try:
        report = await run
    except StoreError:
        return
    assert report is not None


class Slow:
    """The first file that goes to a folder takes until `go_on` is set."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._put = LocalTarget.put

    def __enter__(self) -> Self:
        first = [True]

        def put(target: LocalTarget, key: str, path: Path, sha256: str) -> None:
            if first and first.pop():
                self.reached.set()
                assert self.go_on.wait(30)
            self._put(target, key, path, sha256)

        self._patch = patch.object(LocalTarget, "put", put)
        self._patch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.go_on.set()
        self._patch.stop()


@pytest.mark.usefixtures("no_schedule")
async def test_a_run_that_goes_on_after_a_reload_is_waited_for(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    entry = await start_hub(local(usb), **KEEP)
    before = await _days(home)
    with Slow() as slow, patch("custom_components.strata.archive_set._STOP_SECONDS", 0):
        data = entry.runtime_data
        data.tasks.append(home.async_create_background_task(data.retention.archive(), "as scheduled"))
        assert await home.async_add_executor_job(slow.reached.wait, 10)
        assert await home.config_entries.async_reload(entry.entry_id)
        again = home.async_create_task(call(home, "archive"))
        # Long enough for all of it, were it not for the other.
        await home.async_add_executor_job(threading.Event().wait, 1)
        assert not again.done()
        # Who only reads need not wait.
        assert (await call(home, "restore", start="2026-08-01"))["problems"] == []
        slow.go_on.set()
        answer = await again
    assert answer["problems"] == []
    held = json.loads(await home.async_add_executor_job((usb / "archives" / "manifest.json").read_bytes))
    assert [file["key"] for file in held["files"]] == [FIRST, FIRST.replace("08-01", "09-01")]
    assert answer["rows_deleted"] == 3 * 61
    assert await _days(home) == before
    state = home.states.get("binary_sensor.usb_failing")
    assert (state.state, state.attributes["damaged"]) == ("off", [])


@pytest.mark.usefixtures("no_schedule")
async def test_a_run_by_schedule_shows_how_far_it_is(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    entry = await start_hub(local(usb), **KEEP)
    retention, told = entry.runtime_data.retention, []
    retention.hooks.changed = lambda: told.append(retention.progress)
    await retention.archive()
    assert [(each.done, each.total, each.percent) for each in told if each is not None and each.total] == [
        (0, 2, 0.0),
        (1, 2, 50.0),
    ]


@pytest.mark.usefixtures("no_schedule")
async def test_archives_are_read_while_a_run_writes(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    await start_hub(local(usb), **KEEP)
    await call(home, "archive", start="2026-08-01", end="2026-08-02")
    with Slow() as slow:
        run = home.async_create_task(call(home, "archive"))
        assert await home.async_add_executor_job(slow.reached.wait, 10)
        answer = await call(home, "restore", start="2026-08-10", end="2026-08-12", entities=["sensor.power"])
        assert not run.done()
        slow.go_on.set()
        assert (await run)["problems"] == []
    assert (len(answer["rows"]), answer["problems"]) == (2, [])


@pytest.mark.usefixtures("no_schedule")
async def test_histories_are_read_from_the_archive_side_by_side(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    both, plain = threading.Barrier(2), Restorer.day_files

    def together(*asked: Any, **said: Any) -> Iterator[Any]:
        """Wait until the other one is at it, too."""
        both.wait(20)
        yield from plain(*asked, **said)

    span = {"start": START.isoformat(), "end": NOW.isoformat()}
    with patch.object(Restorer, "day_files", together):
        answers = await asyncio.gather(
            *(call(home, "query_history", entity_id=f"sensor.{name}", **span) for name in ("energy", "power"))
        )
    assert [(answer["tiers"], answer["problems"]) for answer in answers] == [(["daily", "archive"], [])] * 2
    async with threads_of(home).reading.all():
        with patch("custom_components.strata.archive_threads.WAIT_SECONDS", 0.0):
            answer = await call(home, "query_history", entity_id="sensor.energy", **span)
    assert answer["tiers"] == ["daily"]
    assert "ask again later" in answer["problems"][0]


@pytest.mark.usefixtures("no_schedule")
async def test_what_a_killed_run_has_left_is_cleared_away(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    scratch = usb.parent / "strata" / "archive_scratch"
    (scratch / "run").mkdir(parents=True)
    (scratch / "run" / "2026-08-01.parquet").write_bytes(b"half")
    (scratch / "2026-08-01.parquet").write_bytes(b"half")
    await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    assert not scratch.exists()


# Actions


@pytest.mark.usefixtures("no_schedule")
async def test_archiving_one_range_to_one_target(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    entry = await start_hub(local(usb), **KEEP)
    answer = await call(home, "archive", target="USB", start="2026-10-02", end="2026-10-03")
    assert (answer["periods"], answer["rows_deleted"]) == (["2026-10-01"], 0)
    # An end is a range, too; and neither is the weekly run.
    answer = await call(home, "archive", end="2026-08-15")
    assert (answer["periods"], answer["rows_deleted"]) == (["2026-08-01"], 0)
    assert home.states.get("sensor.strata_last_archive").state == "unknown"
    assert "archive" not in await entry.runtime_data.worker.write(SqliteStore.last_operations)
    with pytest.raises(ServiceValidationError, match="no archive tape"):
        await call(home, "archive", target="tape")
    with pytest.raises(ServiceValidationError, match="end"):
        await call(home, "archive", start="2026-10-02", end="2026-10-02")
    with pytest.raises(ServiceValidationError, match="not a time"):
        await call(home, "archive", start="0001-01-01 00:00:00+14:00")
    with (
        patch("custom_components.strata.archive_set.ArchiveSet.async_run", side_effect=StoreError("no")),
        pytest.raises(HomeAssistantError, match="cannot be used"),
    ):
        await call(home, "archive")


@pytest.mark.usefixtures("no_schedule")
async def test_restored_rows_are_those_of_answers(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    answer = await call(
        home, "restore", start="2026-08-10", end="2026-08-12", entities=["sensor.energy", "sensor.mode"]
    )
    assert (answer["files"], answer["truncated"], answer["problems"]) == ([FIRST], False, [])
    energy = [row for row in answer["rows"] if row["entity_id"] == "sensor.energy"]
    assert [row["daily_energy"] for row in energy] == pytest.approx([24 * GROWTH] * 2)
    assert [row["start"] for row in energy] == ["2026-08-09T22:00:00+00:00", "2026-08-10T22:00:00+00:00"]
    [mode, _] = [row for row in answer["rows"] if row["entity_id"] == "sensor.mode"]
    assert mode["state_seconds"] == {"off": 86_400.0}
    with patch("custom_components.strata.archive_services._ROWS_ANSWERED", 3):
        answer = await call(home, "restore", start="2026-08-01")
    assert (len(answer["rows"]), answer["truncated"]) == (3, True)
    answer = await call(home, "restore", start="2026-08-01", content="raw")
    assert answer["rows"] == []
    with pytest.raises(ServiceValidationError, match="Single values"):
        await call(home, "restore", start="2026-08-01", content="raw", into="store")
    with pytest.raises(ServiceValidationError, match="recorder does not run"):
        await call(home, "restore", start="2026-08-01", into="statistics")


@pytest.mark.usefixtures("no_schedule")
async def test_single_values_are_answered(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    entry = await start_hub(local(usb), keep={**KEEP["keep"], "raw": 1}, archives={"raw_rows": True})
    await entry.runtime_data.archives.async_archive_raw()
    answer = await call(home, "restore", start="2026-11-10", content="raw", entities=["sensor.power", "sensor.mode"])
    assert answer["files"] == ["raw/2026/raw_2026-11-16.parquet"]
    assert [(row["entity_id"], row["value"], row["state"], row["time"]) for row in answer["rows"]] == [
        ("sensor.mode", None, "off", "2026-11-16T22:00:00+00:00"),
        ("sensor.power", 100.0, None, "2026-11-16T22:00:00+00:00"),
    ]


@pytest.mark.usefixtures("no_schedule")
async def test_an_entity_is_found_under_the_name_it_has_today(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    registry = er.async_get(home)
    registry.async_get_or_create("sensor", "demo", "1", suggested_object_id="power")
    entry = await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    worker = entry.runtime_data.worker
    power = next(each for each in worker.all_series() if each.labels.get("entity_id") == "sensor.power")
    power.labels["entity_id"] = "sensor.kettle"

    asked = {"start": "2026-08-10", "end": "2026-08-12"}
    answer = await call(home, "restore", entities=["sensor.kettle", "sensor.none"], **asked)
    assert [row["entity_id"] for row in answer["rows"]] == ["sensor.kettle"] * 2
    assert answer["problems"] == ["sensor.none: the archive has nothing of it there"]
    answer = await call(home, "restore", entities=["sensor.power"], **asked)
    assert (answer["rows"], answer["problems"]) == ([], ["sensor.power: the archive has nothing of it there"])


async def _days(home: HomeAssistant) -> list[str]:
    told = await call(home, "query_history", entity_id="sensor.power", start=START.isoformat(), end=NOW.isoformat())
    return [row["start"] for part in told["series"][0]["segments"] for row in part["rows"]]


EXPIRING = {"retention": {"expire_days": True, "pinned": ["sensor.mode"]}, **KEEP}


@pytest.mark.usefixtures("no_schedule")
async def test_days_expire_only_where_no_archive_is_to_have_them(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    entry = await start_hub(local(usb), **EXPIRING)
    before = await _days(home)
    await entry.runtime_data.retention.downsample("hourly")
    assert await _days(home) == before
    await call(home, "archive")
    await call(home, "restore", start="2026-08-01", end="2026-09-01", into="store")

    home.config_entries.async_remove_subentry(entry, "usb")
    await home.async_block_till_done()
    put_back = [start for start in before if start < "2026-08-31T22"]
    left = [start for start in await _days(home) if start >= "2026-08-31T22"]
    await entry.runtime_data.retention.downsample("hourly")
    # What was put back is wanted for 30 days, whatever else is said.
    assert await _days(home) == [*put_back, *left]


@pytest.mark.usefixtures("no_schedule")
async def test_days_expire_where_the_user_says_so(
    home: HomeAssistant, start_hub: StartHub, usb: Path, freezer: FrozenDateTimeFactory
) -> None:
    plain = await start_hub(**KEEP)
    await plain.runtime_data.retention.downsample("hourly")
    before = await _days(home)
    assert before[0] == START.isoformat()
    home.config_entries.async_update_entry(plain, options=EXPIRING)
    await home.async_block_till_done()
    await plain.runtime_data.retention.downsample("hourly")
    after = await _days(home)
    oldest = datetime.fromisoformat(after[0])
    # Chunks of 32 days go as a whole, so some days stay beyond the 40.
    assert NOW - timedelta(days=40 + 32) < oldest <= NOW - timedelta(days=40)
    assert after == [start for start in before if start >= after[0]]
    pinned = await call(home, "query_history", entity_id="sensor.mode", start=START.isoformat(), end=NOW.isoformat())
    assert pinned["series"][0]["segments"][0]["rows"][0]["start"] == START.isoformat()


@pytest.mark.usefixtures("no_schedule")
async def test_the_hours_that_single_values_make(
    recorder_mock: Any, home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    entry = await start_hub(local(usb), keep={**KEEP["keep"], "raw": 1}, archives={"raw_rows": True})
    await entry.runtime_data.archives.async_archive_raw()
    span = {"start": "2026-11-17 00:00:00", "end": "2026-11-18 00:00:00", "content": "hourly"}
    answer = await call(home, "restore", **span, entities=["sensor.power", "sensor.mode", "sensor.gone"])
    assert answer["files"] == ["raw/2026/raw_2026-11-16.parquet"]
    assert answer["problems"] == ["sensor.gone: the archive has nothing of it there"]
    # The file ends at midnight of UTC, an hour after the day did.
    [power] = [row for row in answer["rows"] if row["entity_id"] == "sensor.power"]
    assert (power["start"], power["avg_value"]) == ("2026-11-16T23:00:00+00:00", 100.0)
    assert power["total_energy"] == pytest.approx(0.1)
    assert power["sample_count"] == 0
    [mode] = [row for row in answer["rows"] if row["entity_id"] == "sensor.mode"]
    assert mode["state_seconds"] == {"off": 3600.0}

    with patch.object(entry.runtime_data.views, "soon") as views_again:
        await call(home, "restore", **span)
        views_again.assert_not_called()
        answer = await call(home, "restore", **span, into="store")
        views_again.assert_called_once_with()
    assert answer["hours_put_back"] == 0, "the store tells them itself"
    await call(home, "erase", entities="sensor.power", dry_run=False)
    answer = await call(home, "restore", **span, into="statistics")
    assert answer["statistics"] == {"strata:hours_of_sensor_energy": 1}


@pytest.mark.usefixtures("no_schedule")
async def test_days_are_put_back_into_the_store(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    entry = await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    answer = await call(home, "restore", start="2026-08-01", end="2026-09-01", into="store")
    assert answer["days_put_back"] == 3 * 31
    assert answer["kept_until"] == (NOW + timedelta(days=30)).isoformat()
    assert (await call(home, "archive"))["rows_deleted"] == 0
    answer = await call(home, "restore", start="2026-08-01", end="2026-09-01", into="store")
    assert answer["days_put_back"] == 0
    assert entry.state is ConfigEntryState.LOADED


# Statistics


async def _statistics(home: HomeAssistant, name: str) -> list[dict[str, Any]]:
    from homeassistant.components.recorder.statistics import statistics_during_period

    instance = get_instance(home)
    await home.async_add_executor_job(instance.block_till_done)
    found = await instance.async_add_executor_job(
        statistics_during_period, home, START - timedelta(days=9), None, {name}, "hour", None,
        {"mean", "min", "max", "sum", "state"},
    )  # fmt: skip
    return found.get(name, [])


@pytest.mark.usefixtures("no_schedule")
async def test_days_become_external_statistics(
    recorder_mock: Any, home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    # A part first, then all of it: sums are reckoned from the beginning of the archive and fit.
    await call(home, "restore", start="2026-08-20", end="2026-08-25", into="statistics")
    answer = await call(home, "restore", start="2026-08-01", end="2026-10-01", into="statistics")
    assert answer["statistics"] == {"strata:sensor_energy": 61, "strata:sensor_power": 61}
    energy = await _statistics(home, "strata:sensor_energy")
    assert len(energy) == 61
    assert energy[0]["start"] == START.timestamp()
    # The first day's first value has nothing before it to have grown from.
    growth = [later["sum"] - earlier["sum"] for earlier, later in pairwise(energy)]
    assert growth == pytest.approx([24 * GROWTH] * 60)
    power = await _statistics(home, "strata:sensor_power")
    assert (power[5]["mean"], power[5]["min"], power[5]["max"]) == (100.0, 100.0, 100.0)


@pytest.mark.usefixtures("no_schedule")
async def test_own_statistics_get_only_what_is_before_their_first_row_with_sums_joined(
    recorder_mock: Any, home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    from homeassistant.components.recorder.models import StatisticMeanType
    from homeassistant.components.recorder.statistics import async_import_statistics

    first = START + timedelta(days=20)
    metadata = {
        "has_sum": True,
        "mean_type": StatisticMeanType.NONE,
        "name": None,
        "source": "recorder",
        "statistic_id": "sensor.energy",
        "unit_class": "energy",
        "unit_of_measurement": "Wh",
    }
    own = [{"start": first + timedelta(hours=hour), "sum": 50.0 + hour, "state": STATE + hour} for hour in range(3)]
    async_import_statistics(home, metadata, own)
    async_import_statistics(home, {**metadata, "statistic_id": "sensor.power", "has_sum": True}, own)
    # What a user sees is in another unit by now.
    home.states.async_set("sensor.energy", "0.12", {"unit_of_measurement": "MWh", "device_class": "energy"})
    await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    await home.async_add_executor_job(get_instance(home).block_till_done)
    answer = await call(home, "restore", start="2026-08-11", end="2026-10-01", into="own_statistics")
    assert answer["statistics"] == {"sensor.energy": 10}
    assert any("sensor.power" in problem for problem in answer["problems"])
    # What is older comes later, and is joined to what came first.
    answer = await call(home, "restore", start="2026-08-01", end="2026-10-01", into="own_statistics")
    assert answer["statistics"] == {"sensor.energy": 10}
    rows = await _statistics(home, "sensor.energy")
    assert len(rows) == 20 + 3
    # In MWh: of 0.25 kWh in every hour.
    assert [row["sum"] * 1e6 for row in rows[-3:]] == pytest.approx([50.0, 51.0, 52.0]), "what the recorder made stays"
    day = 24 * GROWTH * 1000
    assert [later["sum"] * 1e6 - row["sum"] * 1e6 for row, later in pairwise(rows[:20])] == pytest.approx([day] * 19)
    # The 20th day ends with the reading of 18:00, 118.5 kWh; from there the meter grew to what the first row says.
    assert rows[20]["sum"] * 1e6 - rows[19]["sum"] * 1e6 == pytest.approx(STATE - rows[19]["state"] * 1e6)
    assert STATE - rows[19]["state"] * 1e6 == pytest.approx(1700.0)
    assert rows[19]["start"] < first.timestamp()


async def test_days_of_half_hour_zones_start_at_their_first_full_hour() -> None:
    from custom_components.strata.archive_statistics import _hour

    midnight = to_micros(datetime(2026, 1, 1, 18, 30, tzinfo=UTC))
    assert _hour(midnight) == datetime(2026, 1, 1, 19, tzinfo=UTC)
    assert _hour(midnight + HOUR // 2) == from_micros(midnight + HOUR // 2)


# Options


async def test_options_are_saved_on_a_page_of_their_own(home: HomeAssistant, start_hub: StartHub) -> None:
    entry: MockConfigEntry = await start_hub(keep={"raw": 3})
    menu = await home.config_entries.options.async_init(entry.entry_id)
    page = await home.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": "archives"})
    assert page["step_id"] == "archives"
    said = {"compression": "zstd", "raw_rows": True, "keep_years": 5}
    await home.config_entries.options.async_configure(page["flow_id"], said)
    assert entry.options == {"keep": {"raw": 3}, "archives": said}


async def test_what_the_hub_said_of_all_archives_stays_when_its_page_is_saved(
    home: HomeAssistant, start_hub: StartHub
) -> None:
    entry: MockConfigEntry = await start_hub(archives={"early": True})
    menu = await home.config_entries.options.async_init(entry.entry_id)
    page = await home.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": "archives"})
    await home.config_entries.options.async_configure(page["flow_id"], {"compression": "gzip", "raw_rows": False})
    assert entry.options["archives"] == {"compression": "gzip", "raw_rows": False, "early": True}


@pytest.mark.usefixtures("no_schedule")
@pytest.mark.parametrize(
    ("hub", "own", "months"),
    [({}, None, 2), ({}, True, 3), ({}, False, 2), ({"early": True}, None, 3), ({"early": True}, False, 2)],
)
async def test_each_archive_says_whether_it_gets_months_as_soon_as_they_are_over(
    home: HomeAssistant, start_hub: StartHub, usb: Path, hub: dict[str, bool], own: bool | None, months: int
) -> None:
    """One that was added before each could say so follows the hub, which keeps what it did."""
    archive = local(usb)
    data = {**archive["data"], **({} if own is None else {"early": own})}
    entry = await start_hub(ConfigSubentryDataWithId(**{**archive, "data": data}), **KEEP, archives=hub)
    flow = await entry.start_subentry_reconfigure_flow(home, "usb")
    assert flow["data_schema"]({"path": "/x"}) == {"path": "/x", "early": months == 3}
    await call(home, "archive")
    assert home.states.get("sensor.usb_archived_months").state == str(months)


@pytest.mark.usefixtures("no_schedule")
async def test_what_is_archived_and_still_here_is_told_once(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    archive = local(usb)
    archive["data"] = {**archive["data"], "early": True}
    await start_hub(archive, keep={**KEEP["keep"], "daily": 400}, retention={"price_per_gb": 10.0})
    span = {"start": START.isoformat(), "end": NOW.isoformat()}

    async def told(file: str) -> list[Any]:
        history = []
        for name in ("energy", "power", "mode"):
            answer = await call(home, "query_history", entity_id=f"sensor.{name}", tier="daily", **span)
            history.append([row for part in answer["series"][0]["segments"] for row in part["rows"]])
        export = (await call(home, "export", tier="daily", format="csv", name=file, **span))["rows"]
        view = await call(home, "query_view", view="daily_energy_by_device", start="2026-08-01", end="2026-11-18")
        return [history, export, view]

    def saved() -> list[str]:
        return [home.states.get(f"sensor.strata_{name}").state for name in ("storage_saved", "annual_savings")]

    before, figures = await told("before"), saved()
    assert [len(rows) for rows in before[0]] == [109] * 3  # In Berlin it is 23:00 now.
    answer = await call(home, "archive")
    assert [len(answer["files"]), answer["rows_deleted"], answer["problems"]] == [3, 0, []]
    await home.async_block_till_done()
    assert await told("after") == before
    assert saved() == figures, "a file of what stays here saves nothing here"
    assert home.states.get("sensor.usb_archived_months").state == "3"


@pytest.mark.usefixtures("no_schedule")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_an_export_of_days_has_those_of_the_archive(
    home: HomeAssistant, start_hub: StartHub, usb: Path, kind: str
) -> None:
    await start_hub(local(usb), **KEEP)

    async def exported(name: str) -> list[str]:
        answer = await call(home, "export", tier="daily", format=kind, name=name)
        assert answer["problems"] == []
        path = Path(home.config.config_dir) / answer["file"]
        if kind == "csv":
            return sorted(path.read_text().splitlines())
        return sorted(str(row) for row in pq.read_table(path).to_pylist())

    before = await exported("before")
    await call(home, "archive")
    assert await exported("after") == before
    await call(home, "restore", start="2026-08-01", end="2026-09-01", into="store")
    assert await exported("put_back") == before
    (usb / FIRST).unlink()
    answer = await call(home, "export", tier="daily", format=kind, name="damaged")
    assert [FIRST in problem for problem in answer["problems"]] == [True]


@pytest.mark.usefixtures("no_schedule")
async def test_what_shorter_archives_delete_is_shown_first(
    home: HomeAssistant, start_hub: StartHub, usb: Path, freezer: FrozenDateTimeFactory
) -> None:
    entry = await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    # On 17 September 2027 August 2026 is older than a year, September is not.
    freezer.move_to(datetime(2027, 9, 17, tzinfo=UTC))
    menu = await home.config_entries.options.async_init(entry.entry_id)
    page = await home.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": "archives"})
    said = {"compression": "gzip", "raw_rows": False, "keep_years": 1}
    shown = await home.config_entries.options.async_configure(page["flow_id"], said)
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, "archives_preview")
    told = shown["description_placeholders"]
    assert (told["files"], told["first"], told["last"]) == ("1", "2026-08-01", "2026-08-01")
    assert "archives" not in entry.options
    done = await home.config_entries.options.async_configure(shown["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["archives"] == said
    await home.async_block_till_done()
    await call(home, "archive")
    assert not (usb / FIRST).exists()
    assert (usb / FIRST.replace("08-01", "09-01")).exists()


@pytest.mark.usefixtures("no_schedule")
async def test_history_reaches_back_into_the_archive_and_is_erased_from_it(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    await start_hub(local(usb), **KEEP)
    span = {"start": START.isoformat(), "end": NOW.isoformat()}
    before = await call(home, "query_history", entity_id="sensor.energy", **span)
    await call(home, "archive")
    answer = await call(home, "query_history", entity_id="sensor.energy", **span)
    assert (before["tiers"], answer["tiers"], answer["problems"]) == (["daily"], ["daily", "archive"], [])

    def days(told: dict[str, Any], entity: int = 0) -> list[dict[str, Any]]:
        return [row for part in told["series"][entity]["segments"] for row in part["rows"]]

    assert days(answer) == days(before)
    # A month that is put back stands before months that are not.
    await call(home, "restore", start="2026-08-01", end="2026-09-01", into="store")
    assert days(await call(home, "query_history", entity_id="sensor.energy", **span)) == days(before)
    modes = await call(home, "query_history", entity_id="sensor.mode", **span)
    assert modes["tiers"] == ["daily", "archive"]
    assert all(row["state_seconds"] for row in days(modes)[1:])
    # An answer that needs no archive reads none.
    with patch("custom_components.strata.archive_set.ArchiveSet.async_read", side_effect=AssertionError):
        await call(home, "query_history", entity_id="sensor.energy", start=(NOW - timedelta(days=3)).isoformat())
    with patch("custom_components.strata.archive_set.ArchiveSet.async_read", side_effect=HomeAssistantError("gone")):
        answer = await call(home, "query_history", entity_id="sensor.energy", **span)
    assert (answer["tiers"], answer["problems"]) == (["daily"], ["gone"])
    done = await call(home, "erase", entities="sensor.energy", dry_run=False)
    assert FIRST in done["archive_files"]
    assert not (usb / FIRST).exists()
    with pytest.raises(ServiceValidationError):
        await call(home, "query_history", entity_id="sensor.energy", **span)
    assert days(await call(home, "query_history", entity_id="sensor.mode", **span)) == days(modes)
