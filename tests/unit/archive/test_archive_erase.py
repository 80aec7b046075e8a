"""Erasing from archives: revisions without the series, proven before the older files go."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from custom_components.strata.archive import manifest
from custom_components.strata.archive.erase import ArchiveErasure, Eraser
from custom_components.strata.archive.restore import Restorer
from custom_components.strata.archive.targets.local import LocalTarget
from custom_components.strata.core.model import SeriesKey, TimeRange, to_micros
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.tiers import DAILY, DAY
from tests.archive_world import EVER, World

FIRST, SECOND = "archives/2026/data_2026-08-01.parquet", "archives/2026/data_2026-09-01.parquet"
AUGUST = TimeRange(*(to_micros(datetime(2026, month, 1, tzinfo=ZoneInfo("Europe/Berlin"))) for month in (8, 9)))


@pytest.fixture
def world(world: World) -> World:
    world.archive()
    return world


def archived(world: World) -> dict[str, list[int]]:
    """Return the days of each entity in the archive."""
    found: dict[str, list[int]] = {}
    for series, days in Restorer(world.vault()).days(EVER):
        found.setdefault(series.labels["entity_id"], []).extend(days.starts.tolist())
    return found


def keys(world: World, folder: str = "usb") -> list[str]:
    root = world.folder / folder
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.parquet"))


def erase(world: World, *names: str, dry_run: bool = False) -> ArchiveErasure:
    wanted: list[SeriesKey] = [one.key for one in world.store.all_series() if one.labels.get("entity_id") in names]
    assert wanted
    return Eraser(world.vault(), lambda: world.clock).erase(wanted, dry_run=dry_run)


def test_files_give_way_to_revisions_without_the_entity(world: World) -> None:
    before = archived(world)
    assert erase(world, "sensor.power", dry_run=True).rewritten == [FIRST, SECOND]
    assert archived(world) == before
    done = erase(world, "sensor.power")
    assert (done.rewritten, done.removed, done.away, done.problems) == ([FIRST, SECOND], [FIRST, SECOND], [], [])
    assert keys(world) == [FIRST.replace(".parquet", ".r2.parquet"), SECOND.replace(".parquet", ".r2.parquet")]
    assert archived(world) == {name: days for name, days in before.items() if name != "sensor.power"}
    files = world.access.read(lambda reader: manifest.all_files(reader.connection))
    assert [(file.revision, file.settled is not None) for file in files] == [(2, True)] * 2
    assert erase(world, "sensor.power").rewritten == []
    assert world.archive().problems == []
    assert "sensor.power" not in archived(world)


def test_a_revision_that_days_did_not_go_for_yet_is_still_one_of_a_month_that_is_not_whole_here(world: World) -> None:
    before = archived(world)
    [days] = [days for one, days in Restorer(world.vault()).days(AUGUST, {"sensor.energy"})]
    first = days.select(np.arange(len(days)) == 0)
    moved = Rollup(first.kind, first.starts - 5 * DAY, first.ends - 5 * DAY, first.columns, first.states)
    world.store.put_buckets(DAILY, [(world.series["energy"], moved)])
    second, third = (FIRST.replace(".parquet", f".r{number}.parquet") for number in (2, 3))
    assert world.archiver().archive(AUGUST).files == [second]

    done = erase(world, "sensor.power")
    assert (done.removed, done.problems) == ([second, FIRST, SECOND], [])
    assert third in keys(world)
    gone = world.access.read(lambda reader: manifest.gone(reader.connection, AUGUST))
    assert gone == AUGUST
    after = {name: days for name, days in before.items() if name != "sensor.power"}
    after["sensor.energy"] = [int(moved.starts[0]), *after["sensor.energy"]]
    assert archived(world) == after
    report = world.archive()
    assert (report.files, report.rows_deleted, archived(world)) == ([], 1, after)


def test_a_file_of_nothing_else_goes_altogether(world: World) -> None:
    done = erase(world, *archived(world))
    assert done.problems == []
    assert keys(world) == []
    assert archived(world) == {}


def test_nothing_goes_before_every_target_has_the_revision(world: World, tmp_path: Path) -> None:
    before = archived(world)
    world.targets["away"] = LocalTarget(tmp_path / "away")
    done = erase(world, "sensor.power")
    assert len(done.problems) == 2
    assert done.removed == []
    assert set(keys(world)) >= {FIRST, SECOND}
    del world.targets["away"]
    assert erase(world, "sensor.power").problems == []
    assert archived(world) == {name: days for name, days in before.items() if name != "sensor.power"}


def test_what_it_was_called_when_files_were_made_is_told(world: World) -> None:
    [power] = [one for one in world.store.all_series() if one.labels.get("entity_id") == "sensor.power"]
    world.store.series(power.key, kind=power.kind, unit=power.unit, labels={**power.labels, "entity_id": "sensor.oven"})
    assert erase(world, "sensor.oven", dry_run=True).names == {power.key.identity: {"sensor.power"}}
    assert erase(world, "sensor.oven").names == {power.key.identity: {"sensor.power"}}
    assert "sensor.power" not in archived(world)
