"""Months that are archived as soon as they are over: they stay here, are written once, and outlive the store."""

from datetime import datetime
from pathlib import Path
import shutil
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from custom_components.strata.archive import manifest
from custom_components.strata.archive.adopt import Adopter
from custom_components.strata.archive.parquet import sha256_of
from custom_components.strata.archive.report import Wishes
from custom_components.strata.archive.targets.local import LocalTarget
from custom_components.strata.core.model import Row, TimeRange, from_micros, to_micros
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.tiers import DAILY, DAY, HOUR
from tests.archive_world import EVER, SERIES, World

AUGUST, SEPTEMBER, OCTOBER, NOVEMBER = (
    f"archives/2026/data_2026-{month}-01.parquet" for month in ("08", "09", "10", "11")
)
EARLY = Wishes(early=True)


@pytest.fixture
def world(world: World) -> World:
    world.wishes = EARLY
    return world


def keys(world: World) -> list[str]:
    folder = world.folder / "usb"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))


def of_month(days: dict, *months: int) -> dict:
    return {key: day for key, day in days.items() if from_micros(key[2] + 3 * HOUR).month in months}


def test_months_that_are_over_are_written_and_their_days_stay(world: World) -> None:
    before = world.local()
    assert len(of_month(before, 10)) == 4 * 31
    report = world.archive()
    assert report.problems == []
    assert report.files == keys(world) == [AUGUST, SEPTEMBER, OCTOBER]
    assert world.local() == of_month(before, 10, 11)
    assert world.archived() == of_month(before, 8, 9, 10)
    assert report.rows_deleted == len(of_month(before, 8, 9))


def test_without_the_wish_they_wait_until_they_are_past_their_time(world: World) -> None:
    world.wishes = Wishes()
    assert world.archive().files == [AUGUST, SEPTEMBER]
    world.wishes = EARLY
    assert world.archive().files == [OCTOBER]


def test_a_dry_run_tells_of_them(world: World) -> None:
    before = world.local()
    report = world.archiver().run(dry_run=True)
    assert report.periods == ["2026-08-01", "2026-09-01", "2026-10-01"]
    assert (keys(world), world.local()) == ([], before)
    world.archive()
    assert world.archiver().run(dry_run=True).periods == []


def test_what_is_written_is_written_once_and_stands_for_its_days_when_they_go(world: World) -> None:
    before = world.local()
    world.archive()
    written = {key: (world.folder / "usb" / key).stat().st_mtime_ns for key in keys(world)}
    again = world.archive()
    assert (again.files, again.verified, again.rows_deleted, again.problems) == ([], 0, 0, [])

    # By 13 December October is past its time, and November is over.
    world.live(25)
    report = world.archive()
    assert (report.files, report.verified, report.problems) == ([NOVEMBER], 1, [])
    assert report.rows_deleted == len(of_month(before, 10))
    assert {from_micros(start + 3 * HOUR).month for _, _, start in world.local()} == {11, 12}
    assert {key: (world.folder / "usb" / key).stat().st_mtime_ns for key in written} == written
    told = world.everything()
    assert {key: told[key] for key in before if key[2] < world.clock - 30 * DAY} == {
        key: day for key, day in before.items() if key[2] < world.clock - 30 * DAY
    }
    assert len(of_month(told, 11)) == 4 * 30


def test_a_late_row_makes_a_revision_and_nothing_proven_is_overwritten(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.wishes = EARLY
    world.live(33)  # It is 2 October.
    assert world.archive().files == [AUGUST, SEPTEMBER]
    first = sha256_of(tmp_path / "usb" / SEPTEMBER)
    before = world.local()
    late = Row(world.series["power"], world.clock - 2 * DAY + 13 * HOUR, 5000.0)
    world.store.write([late], heartbeat=world.clock)
    world.store.roll_up(world.clock)
    [changed] = [key for key, day in world.local().items() if before.get(key) != day]
    assert changed[:2] == ("entity:power", "measurement")
    assert from_micros(changed[2] + 3 * HOUR).date().isoformat() == "2026-09-30"

    second = SEPTEMBER.replace(".parquet", ".r2.parquet")
    report = world.archive()
    assert (report.files, report.problems, report.rows_deleted) == ([second], [], 0)
    assert sha256_of(tmp_path / "usb" / SEPTEMBER) == first
    assert world.archive().files == []
    assert dict(world.archived()[changed][1])["max"] == 5000.0

    told = of_month(world.local(), 8, 9)
    world.live(45, seed=2)
    assert world.archive().files == [OCTOBER]
    assert of_month(world.local(), 8, 9) == {}
    assert of_month(world.archived(), 8, 9) == told
    world.store.abandon()


def test_of_series_that_are_kept_for_ever_a_file_is_made_and_not_again(world: World) -> None:
    world.store.ladder = world.store.ladder.keeping({DAILY: None})
    before = world.local()
    report = world.archive()
    assert (report.files, report.rows_deleted) == ([AUGUST, SEPTEMBER, OCTOBER], 0)
    assert world.archive().files == []
    assert world.local() == before
    assert world.archived() == of_month(before, 8, 9, 10)


def test_what_would_be_deleted_at_once_is_not_written(world: World) -> None:
    world.store.ladder = world.store.ladder.keeping({DAILY: None})
    world.archive()
    before = world.local()
    world.wishes = Wishes(early=True, keep_years=5)
    # Five years after September and a bit: October's file is young enough.
    world.clock = world.start + (33 + 5 * 366) * DAY
    world.archive()
    assert keys(world) == [OCTOBER]
    report = world.archive()
    assert (report.periods, report.files) == ([], [])
    assert keys(world) == [OCTOBER]
    assert world.local() == before


def test_what_stays_of_a_deleted_archive_is_not_archived_every_week(world: World) -> None:
    power = world.series["power"].id or 0
    world.wishes = Wishes(keeps={power: {DAILY: None}}, keep_years=5)
    world.archive()
    world.clock += 6 * 366 * DAY
    # What is past its time goes from here, and its files as the user has said.
    assert world.archive().rows_deleted > 0
    assert keys(world) == []
    left = world.local()
    assert {key[0] for key in of_month(left, 8, 9, 10)} == {"entity:power"}
    report = world.archive()
    assert (report.files, report.problems, keys(world)) == ([], [], [])
    assert world.local() == left


def test_a_target_that_is_away_gets_them_later(world: World, tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    world.targets["nas"] = LocalTarget(nas)
    before = world.local()
    report = world.archive()
    assert report.files == [AUGUST, SEPTEMBER, OCTOBER]
    assert any(problem.startswith("2026-10-01:") for problem in report.problems)
    assert world.local() == before
    nas.mkdir()
    world.targets["nas"].prepare()
    report = world.archive()
    assert (report.files, report.verified, report.problems) == ([], 3, [])
    assert world.local() == of_month(before, 10, 11)


def test_an_archive_that_does_not_want_them_gets_them_when_they_are_past_their_time(
    world: World, tmp_path: Path
) -> None:
    nas = tmp_path / "nas"
    nas.mkdir()
    world.targets["nas"] = LocalTarget(nas)
    world.targets["nas"].prepare()
    world.wishes = Wishes(early=True, late=frozenset({"nas"}))

    def there() -> list[str]:
        return sorted(path.relative_to(nas).as_posix() for path in nas.rglob("*.parquet"))

    before = world.local()
    report = world.archive()
    assert (report.files, report.problems) == ([AUGUST, SEPTEMBER, OCTOBER], [])
    assert (keys(world), there()) == ([AUGUST, SEPTEMBER, OCTOBER], [AUGUST, SEPTEMBER])
    assert world.local() == of_month(before, 10, 11)
    assert (world.archive().verified, there()) == (0, [AUGUST, SEPTEMBER])

    # With nowhere for it to go at all, nothing is made of it.
    world.targets = {"nas": world.targets["nas"], "usb": LocalTarget(tmp_path / "away")}
    world.live(25)
    report = world.archiver(go_on=lambda: True).run()
    assert NOVEMBER not in keys(world)
    assert {problem[:10] for problem in report.problems if problem.startswith("2026")} >= {"2026-10-01", "2026-11-01"}
    assert report.rows_deleted == 0

    # What is past its time has to be everywhere before anything goes.
    world.targets["usb"] = LocalTarget(tmp_path / "usb")
    report = world.archive()
    assert (there(), keys(world)) == ([AUGUST, SEPTEMBER, OCTOBER], [AUGUST, SEPTEMBER, OCTOBER, NOVEMBER])
    assert report.rows_deleted == len(of_month(before, 10))


def test_files_of_single_values_go_to_every_archive(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.wishes = Wishes(early=True, late=frozenset({"nas"}))
    for _ in range(5):
        world.store.write([Row(world.series["power"], world.clock, 5.0)], heartbeat=world.clock)
        world.clock += DAY
    assert world.archiver().archive_raw().problems == []
    raw = sorted(path.name for path in (tmp_path / "usb" / "raw").rglob("*.parquet"))
    assert raw == [f"raw_2026-08-{day}.parquet" for day in (29, 30, 31)]  # Up to two days ago, by UTC.
    nas = tmp_path / "nas"
    nas.mkdir()
    world.targets["nas"] = LocalTarget(nas)
    world.targets["nas"].prepare()
    world.archive()
    assert sorted(path.name for path in (nas / "raw").rglob("*.parquet")) == raw
    world.store.abandon()


def test_a_month_that_is_asked_for_goes_where_it_is_asked_for(world: World, tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    nas.mkdir()
    world.targets["nas"] = LocalTarget(nas)
    world.targets["nas"].prepare()
    world.wishes = Wishes(early=True, late=frozenset({"nas"}))
    october = to_micros(datetime(2026, 10, 1, tzinfo=ZoneInfo("Europe/Berlin")))
    world.archiver().archive(TimeRange(october, october + DAY))
    assert (nas / OCTOBER).exists()


def test_a_lost_store_gets_every_finished_month_back(world: World, tmp_path: Path) -> None:
    before = world.local()
    world.archive()
    world.store.close()
    world.store.path.unlink()
    folder = tmp_path / "new"
    folder.mkdir()
    here = {f"sensor.{name}": f"new_{name}" for name in SERIES}
    new = World(folder, names=here)
    new.clock, new.wishes = world.clock, EARLY
    shutil.copytree(tmp_path / "usb", folder / "usb", dirs_exist_ok=True)
    report = Adopter(new.vault(), lambda: new.clock, here).adopt("usb")
    assert (report.problems, report.months) == ([], {"2026-08-01", "2026-09-01", "2026-10-01"})
    finished = of_month(before, 8, 9, 10)
    assert new.archived() == {(key[0].replace(":", ":new_"), *key[1:]): day for key, day in finished.items()}

    # And life goes on: the month that was cut in two is told by what is left of it.
    new.live(15, seed=3)
    assert new.archive().files == [NOVEMBER]
    assert len(of_month(new.everything(), 11)) > 0
    assert [file.revision for file in new.access.read(lambda reader: manifest.all_files(reader.connection))] == [1] * 4
    new.store.abandon()


def test_an_outage_is_one_line_for_each_target_and_run(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("nas", "share"):
        world.targets[name] = LocalTarget(tmp_path / name)

    def told() -> list[str]:
        said = [record.message for record in caplog.records if record.levelname == "WARNING"]
        caplog.clear()
        return said

    report = world.archive()
    assert [problem[:11] for problem in report.problems if problem.startswith("2026")] == [
        f"2026-{month}-01:" for month in ("08", "09", "10")
    ]
    line = "2026-08-01 (and 2 more) was not archived, and stays"
    assert told() == [f"{line}: {tmp_path / name} is not the folder that was set up" for name in ("nas", "share")]

    # With nowhere to go at all, and again.
    world.targets = {"nas": world.targets["nas"]}
    assert [world.archive().files, told()] == [[], [f"{line}: {tmp_path / 'nas'} is not the folder that was set up"]]
    world.archiver(go_on=lambda: False).run()
    assert told() == []


def test_files_of_months_that_are_here_as_a_whole_need_no_reading(world: World) -> None:
    def gone() -> TimeRange | None:
        return world.access.read(lambda reader: manifest.gone(reader.connection, EVER))

    ladder, before = world.store.ladder, world.local()
    world.store.ladder = ladder.keeping({DAILY: None})
    assert world.archive().files == [AUGUST, SEPTEMBER, OCTOBER]
    assert gone() is None

    world.store.ladder = ladder
    world.archive()
    first, last = (to_micros(datetime(2026, month, 1, tzinfo=ZoneInfo("Europe/Berlin"))) for month in (8, 10))
    assert gone() == TimeRange(first, last)
    part = TimeRange(last - DAY, last + DAY)
    assert world.access.read(lambda reader: manifest.gone(reader.connection, part)) == TimeRange(last - DAY, last)
    assert world.access.read(lambda reader: manifest.gone(reader.connection, TimeRange(last, last + DAY))) is None

    # A revision of which nothing went yet is of a month of which something did.
    world.targets["away"] = LocalTarget(world.folder / "away")
    [power] = [one for key, one in world.series.items() if key == "power"]
    with world.store.reader() as reader:
        days = reader.tier(DAILY, power.id or 0, power.kind, EVER)
    one = days.select(np.arange(len(days)) == 0)
    back = one.starts[0] - (first + 40 * DAY)
    moved = Rollup(one.kind, one.starts - back, one.ends - back, one.columns, one.states)
    world.store.put_buckets(DAILY, [(power, moved)])
    assert world.archive().rows_deleted == 0
    assert gone() == TimeRange(first, last)
    assert before.keys() <= world.everything().keys()


def test_days_that_went_without_an_archive_are_looked_for_in_the_files_that_have_them(world: World) -> None:
    ladder, before = world.store.ladder, world.local()
    world.store.ladder = ladder.keeping({DAILY: None})
    world.archive()
    world.store.ladder = ladder
    assert world.store.expire_days(world.clock).records_processed > 0
    assert world.local() != before
    assert world.everything() == before
    gone = world.access.read(lambda reader: manifest.gone(reader.connection, EVER))
    assert gone is not None
    assert all(key[2] in gone for key in before.keys() - world.local().keys())
    # The month that is half here is not made anew without the half that went.
    assert world.archive().files == []
    assert world.everything() == before
