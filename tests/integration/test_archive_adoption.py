"""The card dies: Home Assistant and Strata are set up anew, and the archive in the same place is taken up."""

import asyncio
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
import pandas as pd  # noqa: F401 - pyarrow imports it, which never ends while a test holds the clock still
import pyarrow.parquet as pq
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.strata.archive import aliases
from custom_components.strata.archive.errors import Problem, TargetError
from custom_components.strata.archive_threads import threads_of
from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import to_micros
from custom_components.strata.dependencies import DependencyMissing
from custom_components.strata.store.base import StoreError
from tests.archive_world import EVER
from tests.integration.given import StartHub
from tests.integration.test_archive import FIRST, GROWTH, KEEP, NOW, START, _fill, call, local
from tests.integration.test_repairs import process_repair_fix_flow, start_repair_fix_flow

pytestmark = pytest.mark.xdist_group("archive_adoption")

OCCUPIED = "archive_occupied_usb"
SPAN = {"start": START.isoformat(), "end": NOW.isoformat()}


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture(autouse=True)
def _no_schedule() -> Generator[None]:
    with patch("custom_components.strata.retention.Retention.catch_up"):
        yield


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the old home has left: a folder with its archive."""
    from custom_components.strata.archive.access import DirectAccess
    from custom_components.strata.archive.archiver import Archiver
    from custom_components.strata.archive.targets.local import LocalTarget
    from custom_components.strata.archive.vault import Vault
    from custom_components.strata.store.sqlite import SqliteStore
    from tests.archive_world import LADDER

    folder = tmp_path_factory.mktemp("kept")
    _fill(folder / "strata.db")
    usb = folder / "usb"
    usb.mkdir()
    target = LocalTarget(usb)
    target.prepare()
    now = to_micros(NOW)
    with SqliteStore(folder / "strata.db", timezone="Europe/Berlin", ladder=LADDER, now=lambda: now) as store:
        vault = Vault(DirectAccess(store), {"usb": target}, folder / "scratch", lambda: now)
        assert Archiver(vault, lambda: now).run().problems == []
    return usb


@pytest.fixture
def usb(tmp_path: Path, kept: Path) -> Path:
    import shutil

    shutil.copytree(kept, tmp_path / "usb")
    return tmp_path / "usb"


@pytest.fixture
def energy(home: HomeAssistant) -> er.RegistryEntry:
    """The entity as the new installation knows it: under a registry id of its own."""
    return er.async_get(home).async_get_or_create("sensor", "shelly", "meter", suggested_object_id="energy")


async def at_rest(home: HomeAssistant) -> None:
    """Wait for what goes on with archives in the background."""
    names = (f"{DOMAIN} looks at", f"{DOMAIN} adopts")
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().startswith(names)))
    await home.async_block_till_done()


def days(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for part in told["series"][0]["segments"] for row in part["rows"]]


async def test_a_place_with_an_archive_of_another_store_is_said_and_taken_up_by_an_action(
    home: HomeAssistant, start_hub: StartHub, usb: Path, energy: er.RegistryEntry
) -> None:
    entry = await start_hub(local(usb), **KEEP)
    await at_rest(home)
    issue = ir.async_get(home).async_get_issue(DOMAIN, OCCUPIED)
    assert issue is not None
    assert issue.translation_placeholders == {
        "archive": "USB",
        "reason": "it holds an archive that this store does not know: 2 months and 0 days of single values",
    }
    assert home.states.get("binary_sensor.usb_failing").state == "on"

    dry = await call(home, "adopt_archive", target="USB", dry_run=True)
    assert (dry["dry_run"], dry["months"], len(dry["files"])) == (True, 2, 2)
    assert ir.async_get(home).async_get_issue(DOMAIN, OCCUPIED) is not None

    answer = await call(home, "adopt_archive")
    assert (answer["months"], answer["raw_days"], answer["left_alone"], answer["problems"]) == (2, 0, [], [])
    assert answer["files"] == [FIRST.replace("08-01", "09-01"), FIRST]
    assert answer["entities_not_here"] == ["sensor.mode", "sensor.power"]
    assert ir.async_get(home).async_get_issue(DOMAIN, OCCUPIED) is None
    assert home.states.get("binary_sensor.usb_failing").state == "off"
    assert home.states.get("sensor.usb_archived_months").state == "2"

    told = await call(home, "query_history", entity_id="sensor.energy", **SPAN)
    assert (told["tiers"], told["problems"], len(days(told))) == (["archive"], [], 61)
    assert [day["daily_energy"] for day in days(told)[1:]] == pytest.approx([24 * GROWTH] * 60)
    # Of what is not here, it is told as well, under the name it had.
    assert len(days(await call(home, "query_history", entity_id="sensor.mode", **SPAN))) == 61

    restored = await call(home, "restore", start="2026-08-01", end="2026-10-01", into="store")
    assert restored["days_put_back"] == 3 * 61
    told = await call(home, "query_history", entity_id="sensor.energy", **SPAN)
    assert (told["tiers"], len(days(told))) == (["daily"], 61)

    journal = await entry.runtime_data.worker.read(
        lambda reader: reader.connection.execute("SELECT type, records, errors FROM operation").fetchall()
    )
    assert ("adopt_archive", answer["rows"], "[]") in journal
    done = await call(home, "erase", entities="sensor.energy", dry_run=False)
    assert FIRST in done["archive_files"]
    assert not (usb / FIRST).exists()


async def test_entities_that_come_later_take_their_history_up_by_themselves(
    home: HomeAssistant, start_hub: StartHub, usb: Path, energy: er.RegistryEntry
) -> None:
    entry = await start_hub(local(usb), **KEEP)
    await call(home, "adopt_archive")
    power = er.async_get(home).async_get_or_create("sensor", "shelly", "power", suggested_object_id="power")
    home.states.async_set("sensor.mode", "heat")  # An entity without a registry entry.
    assert (await call(home, "archive"))["problems"] == []
    identities = {
        one.labels["entity_id"]: one.key.identity
        for one in entry.runtime_data.worker.all_series()
        if "entity_id" in one.labels
    }
    assert identities == {
        "sensor.energy": f"entity:{energy.id}",
        "sensor.power": f"entity:{power.id}",
        "sensor.mode": "entity:sensor.mode",
    }
    told = await call(home, "query_history", entity_id="sensor.power", **SPAN)
    assert {day["avg_value"] for day in days(told)} == {100.0}
    answer = await call(home, "adopt_archive")
    assert (answer["files"], answer["entities_not_here"]) == ([], [])


async def test_what_files_are_called_does_not_change_while_another_run_goes_on(
    home: HomeAssistant, start_hub: StartHub, usb: Path, energy: er.RegistryEntry
) -> None:
    await start_hub(local(usb), **KEEP)
    await call(home, "adopt_archive")
    held: list[bool] = []

    def resolve(*given: Any) -> int:
        held.append(threads_of(home).writing.locked())
        return aliases.resolve(*given)

    with patch("custom_components.strata.archive_set.aliases", Mock(resolve=resolve)):
        await call(home, "archive")
    assert held == [True]


async def test_the_repair_takes_it_up(
    home: HomeAssistant, start_hub: StartHub, usb: Path, hass_client: ClientSessionGenerator
) -> None:
    assert await async_setup_component(home, REPAIRS, {})
    entry = await start_hub(local(usb), **KEEP)
    await at_rest(home)
    client = await hass_client()
    step = await start_repair_fix_flow(client, DOMAIN, OCCUPIED)
    assert step["step_id"] == "confirm"
    assert step["description_placeholders"]["archive"] == "USB"
    done = await process_repair_fix_flow(client, step["flow_id"])
    assert done["type"] == "create_entry"
    await at_rest(home)
    assert entry.runtime_data.archives.running["usb"].data.months == 2
    issues = ir.async_get(home)
    assert issues.async_get_issue(DOMAIN, OCCUPIED) is None
    assert issues.async_get_issue(DOMAIN, "archive_problems") is None


@pytest.mark.parametrize(
    ("at", "error", "told"),
    [
        ("archive.adopt.Adopter.adopt", TargetError(Problem.CANNOT_CONNECT, "the line is down"), "the line is down"),
        ("archive_set.async_require", DependencyMissing(["pyarrow"]), "USB"),
    ],
)
async def test_a_repair_of_what_fails_or_is_gone(
    home: HomeAssistant,
    start_hub: StartHub,
    usb: Path,
    hass_client: ClientSessionGenerator,
    at: str,
    error: Exception,
    told: str,
) -> None:
    assert await async_setup_component(home, REPAIRS, {})
    entry = await start_hub(local(usb), **KEEP)
    await at_rest(home)
    client = await hass_client()
    step = await start_repair_fix_flow(client, DOMAIN, OCCUPIED)
    other = await start_repair_fix_flow(client, DOMAIN, OCCUPIED)
    with patch(f"custom_components.strata.{at}", side_effect=error):
        await process_repair_fix_flow(client, step["flow_id"])
        await at_rest(home)
    issue = ir.async_get(home).async_get_issue(DOMAIN, "archive_problems")
    assert issue is not None
    assert told in issue.translation_placeholders["problems"]
    assert ir.async_get(home).async_get_issue(DOMAIN, OCCUPIED) is not None, "it is as it was"
    home.config_entries.async_remove_subentry(entry, "usb")
    await home.async_block_till_done()
    gone = await process_repair_fix_flow(client, other["flow_id"])
    assert (gone["type"], gone["reason"]) == ("abort", "source_removed")


async def test_what_the_action_refuses(home: HomeAssistant, start_hub: StartHub, usb: Path, tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    nas = {**local(tmp_path / "nas"), "subentry_id": "nas", "title": "NAS"}
    entry = await start_hub(local(usb), nas, **KEEP)
    with pytest.raises(ServiceValidationError, match="several archives"):
        await call(home, "adopt_archive")
    with pytest.raises(ServiceValidationError, match="no archive tape"):
        await call(home, "adopt_archive", target="tape")
    with pytest.raises(ServiceValidationError, match="NAS cannot be read"):
        await call(home, "adopt_archive", target="NAS")
    with (
        patch("custom_components.strata.archive.adopt.Adopter.adopt", side_effect=StoreError("no")),
        pytest.raises(HomeAssistantError, match="cannot be used"),
    ):
        await call(home, "adopt_archive", target="USB")
    for subentry in ("usb", "nas"):
        home.config_entries.async_remove_subentry(entry, subentry)
    await home.async_block_till_done()
    with pytest.raises(ServiceValidationError, match="There is no archive"):
        await call(home, "adopt_archive")


async def test_an_archive_that_is_removed_while_its_turn_comes(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    entry = await start_hub(local(usb), **KEEP)
    await at_rest(home)
    archives = entry.runtime_data.archives
    async with threads_of(home).writing:
        asked = asyncio.create_task(call(home, "adopt_archive"))
        while not threads_of(home).writing._waiters:
            await asyncio.sleep(0)
        archives.running.pop("usb")
    with pytest.raises(ServiceValidationError, match=r"USB cannot be read.*removed"):
        await asked


async def test_files_that_are_left_alone_are_no_reason_to_stop(
    home: HomeAssistant, start_hub: StartHub, usb: Path
) -> None:
    (usb / FIRST).write_bytes(b"rust")
    entry = await start_hub(local(usb), **KEEP)
    answer = await call(home, "adopt_archive")
    assert answer["left_alone"] == [FIRST]
    assert answer["months"] == 1
    assert (await call(home, "archive"))["problems"] == []
    assert entry.runtime_data.archives.running["usb"].failure is None


async def test_a_place_that_cannot_be_looked_at_is_no_news(home: HomeAssistant, start_hub: StartHub, usb: Path) -> None:
    with patch("custom_components.strata.archive_set.ArchiveSet._off_loop", side_effect=DependencyMissing(["boto3"])):
        await start_hub(local(usb), **KEEP)
        await at_rest(home)
    assert ir.async_get(home).async_get_issue(DOMAIN, OCCUPIED) is None


async def test_statistics_are_made_of_what_was_taken_up(
    recorder_mock: Any, home: HomeAssistant, start_hub: StartHub, usb: Path, energy: er.RegistryEntry
) -> None:
    await start_hub(local(usb), **KEEP)
    await call(home, "adopt_archive")
    answer = await call(home, "restore", start="2026-08-01", end="2026-10-01", into="statistics")
    assert answer["statistics"] == {"strata:sensor_energy": 61, "strata:sensor_power": 61}


async def test_a_lost_store_gets_all_finished_months_back_where_they_were_archived_early(
    home: HomeAssistant, start_hub: StartHub, tmp_path: Path
) -> None:
    (tmp_path / "strata").mkdir()
    _fill(tmp_path / "strata" / "strata.db")
    place = tmp_path / "early"
    place.mkdir()
    (place / ".strata-archive").write_text("")
    span = {"start": START.isoformat(), "end": "2026-10-31T23:00:00+00:00"}  # Midnight in Berlin.
    entry = await start_hub(local(place), **KEEP, archives={"early": True})
    before = {
        name: days(await call(home, "query_history", entity_id=f"sensor.{name}", **span))
        for name in ("energy", "power", "mode")
    }
    assert {name: len(told) for name, told in before.items()} == dict.fromkeys(before, 92)
    # The weekly run.
    await entry.runtime_data.retention.archive()
    assert home.states.get("sensor.usb_archived_months").state == "3"
    here = await call(home, "query_history", entity_id="sensor.energy", **span)
    assert (here["tiers"], days(here)) == (["daily", "archive"], before["energy"])

    # An entity that came later asks no archive about months that are all here.
    home.states.async_set("sensor.new", "5", {"unit_of_measurement": "W"})
    await home.async_block_till_done()
    await entry.runtime_data.worker.flush()
    october = {"start": "2026-10-01T00:00:00+02:00", "end": span["end"]}
    with patch("custom_components.strata.archive_set.ArchiveSet.async_read", side_effect=AssertionError):
        assert (await call(home, "query_history", entity_id="sensor.new", **october))["problems"] == []
        assert (await call(home, "export", tier="daily", format="csv", **october))["rows"] == 3 * 31

    # The card dies. What is on the stick is all there is.
    assert await home.config_entries.async_unload(entry.entry_id)
    for path in (tmp_path / "strata").glob("strata.db*"):
        path.unlink()
    assert await home.config_entries.async_setup(entry.entry_id)
    await at_rest(home)
    with pytest.raises(ServiceValidationError):
        await call(home, "query_history", entity_id="sensor.energy", **span)
    answer = await call(home, "adopt_archive")
    assert (answer["months"], answer["problems"]) == (3, [])
    for name, told in before.items():
        answer = await call(home, "query_history", entity_id=f"sensor.{name}", **span)
        assert (answer["tiers"], answer["problems"]) == (["archive"], [])
        assert days(answer) == told


async def _exported(home: HomeAssistant, tier: str, kind: str, name: str, **asked: Any) -> list[str]:
    answer = await call(home, "export", tier=tier, format=kind, name=name, **asked)
    assert answer["problems"] == []
    path = Path(home.config.config_dir) / answer["file"]
    if kind == "csv":
        return sorted(path.read_text().splitlines())
    # What an entity is known by is what has changed.
    return sorted(
        str({name: value for name, value in row.items() if name not in {"identity", "labels"}})
        for row in pq.read_table(path).to_pylist()
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_a_store_put_back_from_a_backup_tells_its_rows_under_the_new_registry_ids(
    home: HomeAssistant, start_hub: StartHub, usb: Path, tmp_path: Path, kind: str
) -> None:
    """Its days are in the archive, too, and some are put back once more: each is told once, and erased everywhere."""
    (tmp_path / "strata").mkdir()
    _fill(tmp_path / "strata" / "strata.db")
    entry = await start_hub(local(usb), **KEEP)
    spans = {
        "daily": SPAN,
        "hourly": {"start": (NOW - timedelta(days=20)).isoformat(), "end": NOW.isoformat()},
        "raw": {"start": (NOW - timedelta(days=12)).isoformat(), "end": NOW.isoformat()},
    }

    async def told(name: str) -> dict[str, Any]:
        answers = {
            tier: await call(home, "query_history", entity_id=f"sensor.{name}", tier=tier, **span)
            for tier, span in spans.items()
        }
        return {tier: (answer["problems"], days(answer)) for tier, answer in answers.items()}

    names, tiers = ("energy", "mode"), ("raw", "hourly", "daily")
    before = {name: await told(name) for name in names}
    written = {tier: await _exported(home, tier, kind, f"before_{tier}") for tier in tiers}
    known = {
        name: er.async_get(home).async_get_or_create("sensor", "shelly", name, suggested_object_id=name).id
        for name in names
    }
    answer = await call(home, "adopt_archive")
    assert (answer["months"], answer["entities_not_here"]) == (2, ["sensor.power"])
    identities = {one.key.identity for one in entry.runtime_data.worker.all_series()}
    assert {"entity:energy", f"entity:{known['energy']}"} <= identities
    for step in ("adopted", "put_back"):
        assert {name: await told(name) for name in names} == before
        for tier in tiers:
            assert await _exported(home, tier, kind, f"{step}_{tier}") == written[tier]
        only = await _exported(home, "daily", kind, f"{step}_energy", entities="sensor.energy")
        assert set(only) <= set(written["daily"])
        assert len(only) == 109 + (kind == "csv"), "every day once"
        restored = await call(home, "restore", start="2026-08-01", end="2026-10-01", into="store")
        assert restored["days_put_back"] == (2 * 61 if step == "adopted" else 0)
    done = await call(home, "erase", entities="sensor.energy", dry_run=False)
    assert done["problems"] == []
    rows = await entry.runtime_data.worker.read(
        lambda reader: {
            one.labels.get("entity_id")
            for one in reader.series()
            if len(reader.tier("daily", one.id or 0, one.kind, EVER)) or len(reader.raw(one.id or 0, EVER))
        }
    )
    assert rows - {None} == {"sensor.mode", "sensor.power"}


async def test_what_is_told_under_an_earlier_registry_id_is_erased_under_a_new_name(
    home: HomeAssistant, start_hub: StartHub, usb: Path, tmp_path: Path
) -> None:
    (tmp_path / "strata").mkdir()
    _fill(tmp_path / "strata" / "strata.db")
    entry = await start_hub(local(usb), **KEEP)
    er.async_get(home).async_get_or_create("sensor", "shelly", "energy", suggested_object_id="energy")
    await call(home, "adopt_archive")
    er.async_get(home).async_update_entity("sensor.energy", new_entity_id="sensor.meter")
    await home.async_block_till_done()
    assert len(days(await call(home, "query_history", entity_id="sensor.meter", **SPAN))) == 109
    done = await call(home, "erase", entities="sensor.meter", dry_run=False)
    assert done["rows"]["daily"] >= 49
    assert "sensor.energy" not in {one.labels.get("entity_id") for one in entry.runtime_data.worker.all_series()}
    with pytest.raises(ServiceValidationError):
        await call(home, "query_history", entity_id="sensor.meter", **SPAN)
