"""Archiving: in which order, with which proof, and what is left when something fails."""

from datetime import timedelta
import json
from pathlib import Path

import pytest

from custom_components.strata.archive import manifest
from custom_components.strata.archive.errors import Problem, TargetError
from custom_components.strata.archive.parquet import sha256_of
from custom_components.strata.archive.report import Wishes
from custom_components.strata.archive.restore import Restorer, put_back
from custom_components.strata.archive.targets.local import LocalTarget
from custom_components.strata.core.model import Row, TimeRange, from_micros
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.tiers import DAILY, DAY, HOUR
from tests.archive_world import EVER, World, told

FIRST, SECOND = "archives/2026/data_2026-08-01.parquet", "archives/2026/data_2026-09-01.parquet"


def august(world: World) -> Rollup:
    """Return what the archive has of the power in August."""
    [rolled] = [
        days
        for _, days in Restorer(world.vault()).days(EVER, {"sensor.power"})
        if from_micros(int(days.starts[0]) + 3 * HOUR).month == 8
    ]
    return rolled


def keys(world: World) -> list[str]:
    folder = world.folder / "usb"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))


def manifest_of(world: World) -> list[manifest.ArchiveFile]:
    return world.access.read(lambda reader: manifest.all_files(reader.connection))


def test_finished_months_past_their_time_go_into_files_and_then_from_the_store(world: World) -> None:
    before = world.local()
    report = world.archive()
    assert report.problems == []
    # It is 18 November and days are kept for 40: August and September have ended before 9 October.
    assert report.files == keys(world) == [FIRST, SECOND]
    gone = before.keys() - world.local().keys()
    assert {from_micros(start + 3 * HOUR).strftime("%m") for _, _, start in gone} == {"08", "09"}
    assert report.rows_deleted == len(gone) > 0
    assert report.bytes_freed > 0
    assert not (world.folder / "scratch").exists()
    assert world.everything() == before
    for file in manifest_of(world):
        path = world.folder / "usb" / file.key
        assert (file.sha256, file.bytes) == (sha256_of(path), path.stat().st_size)
        assert file.settled is not None


def test_a_second_run_finds_nothing_to_do(world: World) -> None:
    world.archive()
    before = world.local()
    again = world.archive()
    assert (again.files, again.rows_deleted, again.verified, again.problems) == ([], 0, 0, [])
    assert world.local() == before


def test_a_dry_run_only_tells(world: World) -> None:
    before = world.local()
    report = world.archiver().run(dry_run=True)
    assert report.periods == ["2026-08-01", "2026-09-01"]
    assert (keys(world), manifest_of(world)) == ([], [])
    assert world.local() == before
    done = world.archive()
    assert (report.files, report.rows, report.bytes) == (done.files, done.rows, done.bytes)
    assert done.rows > 0


def test_a_run_tells_how_far_it_is(world: World) -> None:
    told = []
    world.archiver(progress=lambda *said: told.append(said)).run()
    assert told == [(0, 2), (1, 2)]


def test_without_a_target_nothing_goes(world: World) -> None:
    world.targets.clear()
    before = world.local()
    assert world.archive().files == []
    assert world.local() == before


def test_days_kept_for_ever_stay(world: World) -> None:
    world.store.ladder = world.store.ladder.keeping({DAILY: None})
    before = world.local()
    world.archive()
    assert world.local() == before


def test_one_target_that_fails_keeps_the_days(world: World, tmp_path: Path) -> None:
    away = tmp_path / "away"
    world.targets["away"] = LocalTarget(away)
    before = world.local()
    report = world.archive()
    assert any("not the folder" in problem for problem in report.problems)
    assert world.local() == before
    assert len(keys(world)) == 2

    away.mkdir()
    world.targets["away"].prepare()
    report = world.archive()
    assert report.problems == []
    assert report.files == [], "the files are there already"
    assert world.local() != before
    assert world.everything() == before


def test_a_target_that_comes_later_gets_what_is_archived(world: World, tmp_path: Path) -> None:
    world.archive()
    (tmp_path / "nas").mkdir()
    world.targets["nas"] = LocalTarget(tmp_path / "nas")
    world.targets["nas"].prepare()
    report = world.archive()
    assert (report.verified, report.problems) == (2, [])
    del world.targets["usb"]
    assert len(world.archived()) > 0


def test_a_series_that_is_kept_longer_is_archived_and_stays(world: World) -> None:
    power = world.series["power"].id or 0
    world.wishes = Wishes(keeps={power: {DAILY: None}})
    before = world.local()
    report = world.archive()
    assert report.rows_deleted > 0
    stayed = {key for key in before if key[0] == "entity:power"}
    assert stayed <= world.local().keys()
    assert world.everything() == before
    assert world.archive().verified == 0, "what stays on purpose is no news"

    world.wishes = Wishes()
    assert world.archive().rows_deleted > 0
    assert world.everything() == before
    assert keys(world) == [FIRST, SECOND], "the files had it already"


def test_a_series_that_is_kept_shorter_goes_first(world: World) -> None:
    power = world.series["power"].id or 0
    world.wishes = Wishes(keeps={power: {DAILY: timedelta(days=15)}})
    before = world.local()
    world.archive()
    left = {(key[0], from_micros(key[2] + 3 * HOUR).strftime("%m")) for key in world.local()}
    assert ("entity:power", "10") not in left
    assert ("entity:energy", "10") in left
    assert world.everything() == before


def test_late_days_make_a_revision_and_nothing_proven_is_overwritten(world: World) -> None:
    before = world.local()
    world.archive()
    first = sha256_of(world.folder / "usb" / FIRST)
    # A day of August that nothing was known of, as an import brings it.
    rolled = august(world)
    early = rolled.select(rolled.starts == rolled.starts[0])
    moved = type(early)(early.kind, early.starts - 5 * DAY, early.ends - 5 * DAY, early.columns, early.states)
    world.store.put_buckets(DAILY, [(world.series["power"], moved)])
    with_late = world.everything()
    assert len(with_late) == len(before) + 1

    report = world.archive()
    assert report.files == ["archives/2026/data_2026-08-01.r2.parquet"]
    assert sha256_of(world.folder / "usb" / FIRST) == first
    assert world.everything() == with_late
    assert [file.revision for file in manifest_of(world)] == [1, 1, 2]


def test_a_day_made_anew_from_little_does_not_replace_the_whole_one(world: World) -> None:
    before = world.local()
    world.archive()
    rolled = august(world)
    poor = {name: column.copy() for name, column in rolled.columns.items()}
    poor["covered"] //= 2
    world.store.put_buckets(
        DAILY, [(world.series["power"], type(rolled)(rolled.kind, rolled.starts, rolled.ends, poor))]
    )
    assert world.archive().files == []
    assert world.everything() == before


def test_what_another_store_left_at_a_target_is_not_touched_and_nothing_is_put_beside_it(world: World) -> None:
    before = world.local()
    path = world.folder / "usb" / FIRST
    path.parent.mkdir(parents=True)
    path.write_bytes(b"someone else's")
    report = world.archive()
    assert path.read_bytes() == b"someone else's"
    assert keys(world) == [FIRST]
    assert world.local() == before, "nothing goes while it cannot be archived"
    assert report.failing["usb"].problem is Problem.OCCUPIED
    assert "does not know: 1 months" in report.problems[0]


def test_the_manifest_is_beside_the_files(world: World) -> None:
    world.archive()
    said = json.loads((world.folder / "usb" / "archives" / "manifest.json").read_text())
    assert {each["key"]: each["sha256"] for each in said["files"]} == {
        key: sha256_of(world.folder / "usb" / key) for key in (FIRST, SECOND)
    }
    assert said["timezone"] == "Europe/Berlin"
    assert len(said["installation"]) == 32
    # Nothing new, nothing written; a run that only looks writes nothing either.
    before = (world.folder / "usb" / "archives" / "manifest.json").stat().st_mtime_ns
    world.archive()
    assert (world.folder / "usb" / "archives" / "manifest.json").stat().st_mtime_ns == before


def test_an_empty_place_is_claimed_by_the_first_file_and_not_before(world: World) -> None:
    world.archiver().archive(TimeRange(world.clock - DAY, world.clock))
    world.archiver().run(dry_run=True)
    assert [path.name for path in (world.folder / "usb").rglob("*") if path.is_file()] == [".strata-archive"]


def test_rows_that_came_while_a_file_was_on_its_way_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.local()
    plain = LocalTarget.put
    late = world.start + 2 * HOUR

    def put(self, key, path, sha256) -> None:
        plain(self, key, path, sha256)
        if key == FIRST:
            [rolled] = [days for _, days in world.archived_parts() if len(days)][:1]
            world.store.put_buckets(DAILY, [(world.series["power"], rolled)])

    def parts():
        with world.store.reader() as reader:
            rolled = reader.tier(DAILY, world.series["power"].id, world.series["power"].kind, TimeRange(0, late + DAY))
        yield None, type(rolled)(rolled.kind, rolled.starts - 3 * DAY, rolled.ends - 3 * DAY, rolled.columns)

    world.archived_parts = parts
    monkeypatch.setattr(LocalTarget, "put", put)
    report = world.archive()
    assert report.problems == []
    august = [key for key in world.local() if from_micros(key[2] + 3 * HOUR).month == 8]
    assert len(august) > 1, "all of August stays until the next run"
    monkeypatch.undo()
    assert world.archive().files == ["archives/2026/data_2026-08-01.r2.parquet"]
    assert len(world.everything()) > len(before)


def test_a_run_that_is_asked_to_end_ends(world: World) -> None:
    before = world.local()
    report = world.archiver(go_on=lambda: False).run()
    assert report.files == []
    assert "ended early" in report.problems[0]
    assert world.local() == before


def test_archiving_on_request_leaves_everything_here(world: World) -> None:
    before = world.local()
    begin = world.start + 40 * DAY
    report = world.archiver().archive(TimeRange(begin, begin + DAY))
    assert report.files == ["archives/2026/data_2026-10-01.parquet"]
    assert world.local() == before
    assert world.archiver().archive(TimeRange(begin, begin + DAY)).files == []
    # The month that is not over is no finished one.
    assert world.archiver().archive(TimeRange(world.clock - DAY, world.clock)).files == []


def test_archiving_to_one_target_of_two(world: World, tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    world.targets["nas"] = LocalTarget(tmp_path / "nas")
    world.targets["nas"].prepare()
    when = TimeRange(world.start, world.start + DAY)
    assert world.archiver().archive(when, only="nas").verified == 1
    assert keys(world) == []
    assert world.archiver().archive(when, only="usb").verified == 1
    assert keys(world) == [FIRST]


def test_archives_are_deleted_only_when_the_user_has_said_so(world: World) -> None:
    world.archive()
    world.clock += 6 * 366 * DAY
    world.archive()
    assert len(keys(world)) >= 2
    world.wishes = Wishes(keep_years=5)
    world.archive()
    assert [key for key in keys(world) if "2026-08" in key or "2026-09" in key] == []
    assert not [file for file in manifest_of(world) if file.period < "2026-10-01"]


def test_what_is_archived_is_told_in_points(world: World) -> None:
    world.archive()
    found = {
        series.key.field: series for series in world.store.all_series() if series.key.measurement == "archive_metadata"
    }
    assert set(found) == {
        "s3_key", "start_date", "end_date", "record_count", "file_size_mb", "sha256", "verified_at",
    }  # fmt: skip
    with world.store.reader() as reader:
        rows = reader.raw(found["s3_key"].id or 0, EVER)
        said = reader.texts({*rows.texts.tolist()})
        counts = reader.raw(found["record_count"].id or 0, EVER).values.tolist()
    assert SECOND in said.values()
    assert counts[-1] == manifest_of(world)[-1].rows


# Damage


def test_a_damaged_copy_is_named_and_the_rest_still_comes(world: World) -> None:
    world.archive()
    path = world.folder / "usb" / FIRST
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    restorer = Restorer(world.vault())
    months = {from_micros(int(days.starts[-1]) + 3 * HOUR).month for _, days in restorer.days(EVER)}
    assert months == {9}
    assert len(restorer.report.problems) == 1
    assert FIRST in restorer.report.problems[0]


def test_a_damaged_copy_is_made_good_from_another_target(world: World, tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    world.targets["nas"] = LocalTarget(tmp_path / "nas")
    world.targets["nas"].prepare()
    before = world.local()
    world.archive()
    (world.folder / "usb" / FIRST).unlink()
    assert world.everything() == before, "the other copy answers"
    assert world.archive().verified == 1
    assert keys(world) == [FIRST, SECOND]


def test_a_copy_that_is_damaged_before_anything_went_is_made_anew(world: World) -> None:
    before = world.local()
    when = TimeRange(world.start, world.start + DAY)
    world.archiver().archive(when)
    (world.folder / "usb" / FIRST).write_bytes(b"rust")
    restorer = Restorer(world.vault())
    assert list(restorer.days(when)) == []
    report = world.archive()
    assert world.everything() == before
    assert "archives/2026/data_2026-08-01.r2.parquet" in report.files


def test_days_that_come_to_a_lost_file_stay_here(world: World) -> None:
    world.archive()
    rolled = august(world)
    (world.folder / "usb" / FIRST).unlink()
    moved = type(rolled)(rolled.kind, rolled.starts - 5 * DAY, rolled.ends - 5 * DAY, rolled.columns)
    world.store.put_buckets(DAILY, [(world.series["power"], moved)])
    local = world.local()
    report = world.archive()
    assert any("2026-08-01" in problem for problem in report.problems)
    assert world.local() == local


# Putting back


def test_what_is_put_back_is_there_again_and_stays_as_long_as_wanted(world: World) -> None:
    before = world.local()
    world.archive()
    restorer = Restorer(world.vault())
    parts = list(restorer.days(EVER))
    world.access.write(lambda store: put_back(store, parts, hold=(EVER, world.clock + 10 * DAY)))
    assert {key: world.local()[key] for key in before} == before
    world.archive()
    assert before.keys() <= world.local().keys(), "they are held"
    assert put_back(world.store, parts) == 0
    world.clock += 11 * DAY
    world.store.write([], heartbeat=world.clock)
    report = world.archive()
    assert report.problems == []
    assert not before.keys() <= world.local().keys()
    assert keys(world) == [FIRST, SECOND], "nothing new was said"


def test_a_new_store_takes_back_what_it_never_knew(world: World, tmp_path: Path) -> None:
    world.archive()
    parts = list(Restorer(world.vault()).days(EVER))
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    other.store.abandon()
    other.store.path.unlink()
    fresh = type(other.store)(tmp_path / "fresh.db", timezone="Europe/Berlin", now=lambda: world.clock)
    with fresh as store:
        assert put_back(store, parts) == sum(len(days) for _, days in parts)
        mode = next(series for series in store.all_series() if series.labels.get("entity_id") == "sensor.mode")
        with store.reader() as reader:
            days = reader.tier(DAILY, mode.id or 0, mode.kind, EVER)
            words = reader.texts({*days.states.code.tolist()})
    assert set(words.values()) == {"heat", "cool", "Straße 7", ""}


# Single rows


def test_single_rows_go_only_when_they_are_in_a_file(world: World) -> None:
    world.store.archived_only = True
    rows_before = world.store.reader().raw_all(EVER)
    world.clock += 5 * DAY
    world.store.write([], heartbeat=world.clock)
    world.store.roll_up(world.clock)
    assert world.store.downsample("raw", world.clock).source_rows == 0

    report = world.archiver().archive_raw()
    assert report.problems == []
    assert report.files[0].startswith("raw/2026/raw_2026-11-")
    # A late row makes its hour one that is in no file.
    late = world.clock - 5 * DAY - 3 * HOUR
    world.store.write([Row(world.series["power"], late, 1.0)], heartbeat=world.clock)
    world.store.roll_up(world.clock)
    deleted = world.store.downsample("raw", world.clock).source_rows
    assert deleted > 0
    left = world.store.reader().raw(world.series["power"].id or 0, EVER).times.tolist()
    assert late in left

    assert world.archiver().archive_raw().files == [report.files[-1].replace(".parquet", ".r2.parquet")]
    world.store.downsample("raw", world.clock)
    restorer = Restorer(world.vault())
    archived: dict[str, set[int]] = {}
    for one, rows in restorer.events(EVER):
        archived.setdefault(one.key.identity, set()).update(rows[0].tolist())
    assert restorer.report.problems == []
    by_id = {series.id: series.key.identity for series in world.store.all_series()}
    left_now = {by_id[number]: {*rows.times.tolist()} for number, rows in world.store.reader().raw_all(EVER).items()}
    for number, rows in rows_before.items():
        kept = archived.get(by_id[number], set()) | left_now.get(by_id[number], set())
        assert {*rows.times.tolist()} <= kept
    assert late in archived["entity:power"]


@pytest.mark.parametrize("timezone", ["Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin"])
def test_single_values_may_wait_for_longer_than_hours_are_kept(tmp_path: Path, timezone: str) -> None:
    """In zones of half hours, the first of them are in an hour that is not whole and is handed down before them."""
    world = World(tmp_path, timezone=timezone)
    world.live(4)
    archived = world.archiver()
    world.store.archived_only = True
    world.live(14, seed=2, every=HOUR // 2)
    assert archived.archive_raw().problems == []
    world.ladder()
    with world.store.reader() as reader:
        left = [time for rows in reader.raw_all(EVER).values() for time in rows.times.tolist()]
    assert min(left) >= world.clock - 4 * DAY
    assert world.archive().problems == []
    world.store.abandon()


def test_reading_ends_before_the_next_file_when_it_is_to_stop(world: World) -> None:
    assert len(world.archive().files) > 1
    restorer = Restorer(world.vault(), go_on=lambda: not restorer.report.files)
    with pytest.raises(StoreError, match="being unloaded"):
        list(restorer.days(EVER))
    assert len(restorer.report.files) == 1


def test_single_values_go_in_the_order_they_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that is in no file yet holds back those after it, or hours and days would no longer add up."""
    world.store.archived_only = True
    world.live(6)
    plain, failing = LocalTarget.put, {"raw_2026-11-19.parquet"}

    def put(self, key, path, sha256) -> None:
        if key.rpartition("/")[2] in failing:
            raise TargetError(Problem.REFUSED, "not this one")
        plain(self, key, path, sha256)

    monkeypatch.setattr(LocalTarget, "put", put)
    assert len(world.archiver().archive_raw().problems) == 1
    world.store.downsample("raw", world.clock)
    with world.store.reader() as reader:
        days = {time // DAY * DAY for rows in reader.raw_all(EVER).values() for time in rows.times.tolist()}
    # The ladder's days end where its hours do, so the last hours of the day before may be there.
    assert from_micros(min(days)).date().isoformat() in {"2026-11-18", "2026-11-19"}
    assert sorted(days) == list(range(min(days), max(days) + 1, DAY))

    failing.clear()
    world.live(20)
    assert world.archiver().archive_raw().problems == []
    world.ladder()
    assert world.archive().problems == []


def _unheard_of(world: World) -> Rollup:
    with world.store.reader() as reader:
        power = world.series["power"]
        rolled = reader.tier(DAILY, power.id, power.kind, EVER)
    one = rolled.select(rolled.starts == rolled.starts[0])
    return type(one)(one.kind, one.starts - 40 * DAY, one.ends - 40 * DAY, one.columns, one.states)


def _early_days(world: World) -> list[Rollup]:
    """Return two days of August that nothing is known of, as an import brings them."""
    rolled = august(world)
    one = rolled.select(rolled.starts == rolled.starts[0])
    return [
        type(one)(one.kind, one.starts - days * DAY, one.ends - days * DAY, one.columns, one.states) for days in (5, 6)
    ]


def test_a_whole_copy_that_cannot_be_asked_is_not_superseded_without_what_is_in_it(
    world: World, tmp_path: Path
) -> None:
    nas = tmp_path / "nas"
    nas.mkdir()
    world.targets["nas"] = LocalTarget(nas)
    world.targets["nas"].prepare()
    world.archive()
    earlier, later = _early_days(world)
    world.store.put_buckets(DAILY, [(world.series["power"], earlier)])
    assert world.archive().files == ["archives/2026/data_2026-08-01.r2.parquet"]
    before = world.everything()

    (world.folder / "usb" / "archives/2026/data_2026-08-01.r2.parquet").write_bytes(b"rust")
    nas.rename(tmp_path / "unplugged")
    world.store.put_buckets(DAILY, [(world.series["power"], later)])
    report = world.archive()
    assert (report.files, report.rows_deleted) == ([], 0)
    assert any(problem.startswith("2026-08-01:") for problem in report.problems)

    (tmp_path / "unplugged").rename(nas)
    report = world.archive()
    assert (report.files, report.problems) == (["archives/2026/data_2026-08-01.r3.parquet"], [])
    after = world.everything()
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) + 1


def test_an_older_revision_is_read_where_the_newest_is_damaged(world: World) -> None:
    world.archive()
    before = world.archived()
    world.store.put_buckets(DAILY, [(world.series["power"], _early_days(world)[0])])
    [revision] = world.archive().files
    assert len(world.archived()) == len(before) + 1
    (world.folder / "usb" / revision).write_bytes(b"rust")
    restorer = Restorer(world.vault())
    assert told((series.key.identity, rolled) for series, rolled in restorer.days(EVER)) == before
    assert restorer.report.files == [FIRST, SECOND]
    [problem] = restorer.report.problems
    assert problem == (
        f"{revision}: {revision} is not what was written; {FIRST} was read instead, and lacks what came later"
    )


def test_a_target_out_of_reach_is_asked_once_in_a_run(world: World, tmp_path: Path, monkeypatch) -> None:
    world.archive()
    asked = []

    def fail(self, *said) -> None:
        asked.append(said)
        raise TargetError(Problem.CANNOT_CONNECT, "no route")

    for name in ("stat", "listing", "get", "put"):
        monkeypatch.setattr(LocalTarget, name, fail)
    world.store.put_buckets(DAILY, [(world.series["power"], _unheard_of(world))])
    report = world.archive()
    assert len(asked) == 1
    assert report.failing["usb"].problem is Problem.CANNOT_CONNECT
    assert "2026-08-01: no route" in report.problems
    assert not report.is_only_damage


def test_a_copy_is_not_taken_for_lost_because_it_cannot_be_written_here(world: World, tmp_path: Path) -> None:
    world.archive()
    usb = world.targets["usb"]
    with pytest.raises(TargetError) as failed:
        usb.get(FIRST, tmp_path / "no folder" / "copy")
    assert failed.value.problem is Problem.REFUSED
    with pytest.raises(TargetError) as failed:
        usb.get("archives/none.parquet", tmp_path / "copy")
    assert failed.value.problem is Problem.NOT_FOUND


def test_a_file_that_was_deleted_while_it_was_read_is_no_damage(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.archive()
    file = manifest_of(world)[0]
    plain = LocalTarget.get

    def get(self, key, path) -> None:
        monkeypatch.undo()
        world.vault().remove(file)
        plain(self, key, path)

    monkeypatch.setattr(LocalTarget, "get", get)
    restorer = Restorer(world.vault())
    assert [*restorer.days(EVER)] != []
    assert [FIRST in problem for problem in restorer.report.problems] == [True]
    assert world.access.read(lambda reader: manifest.figures(reader.connection, "usb")).damaged == ()
    assert world.access.read(lambda reader: manifest.copies(reader.connection, file.id)) == []
