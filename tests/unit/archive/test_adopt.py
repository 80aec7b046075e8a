"""The card of a home dies: a new store takes up what the old one has archived, and nothing is lost or counted twice."""

from collections.abc import Callable, Generator
import json
from pathlib import Path
import shutil

import pytest

from custom_components.strata.archive import aliases, manifest
from custom_components.strata.archive.adopt import Adopter, AdoptReport
from custom_components.strata.archive.erase import Eraser
from custom_components.strata.archive.errors import Problem, TargetError
from custom_components.strata.archive.parquet import sha256_of
from custom_components.strata.archive.restore import Restorer, put_back
from custom_components.strata.archive.targets.local import LocalTarget
from custom_components.strata.archive.targets.s3 import Bucket, S3Target
from custom_components.strata.core.model import Kind, Row, SeriesKey, TimeRange
from custom_components.strata.store.tiers import DAY, HOUR
from tests.archive_world import EVER, SERIES, World
from tests.s3_stub import BUCKET, S3Stub

pytestmark = pytest.mark.xdist_group("adopt")

FIRST, SECOND = "archives/2026/data_2026-08-01.parquet", "archives/2026/data_2026-09-01.parquet"
COPY = "archives/manifest.json"
HERE = {f"sensor.{name}": f"new_{name}" for name in SERIES}
"""What the entities' registry ids are in the home that was set up anew."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A home whose archive has August and September, and whose store is lost."""
    made = World(tmp_path_factory.mktemp("old"))
    made.live(80)
    made.before = made.local()
    made.archive()
    made.days = made.archived()
    made.store.close()
    return made


@pytest.fixture
def new(tmp_path: Path, old: World) -> Generator[World]:
    """The same home with a store that knows nothing, and the old one's folder."""
    made = World(tmp_path, names=HERE)
    made.clock = old.clock
    shutil.copytree(old.folder / "usb", tmp_path / "usb", dirs_exist_ok=True)
    yield made
    made.store.abandon()


def adopt(world: World, name: str = "usb", **options: object) -> AdoptReport:
    entities = options.pop("entities", HERE)
    go_on = options.pop("go_on", lambda: True)
    return Adopter(world.vault(), lambda: world.clock, entities, go_on=go_on).adopt(name, **options)


def renamed(days: dict) -> dict:
    return {(f"entity:new_{key[0].removeprefix('entity:')}", *key[1:]): day for key, day in days.items()}


def files(world: World) -> list[manifest.ArchiveFile]:
    return world.access.read(lambda reader: manifest.all_files(reader.connection))


def keys(world: World) -> list[str]:
    folder = world.folder / "usb"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))


def test_what_another_store_has_archived_is_taken_up_and_goes_on_under_the_same_entity_ids(
    new: World, old: World
) -> None:
    assert new.archive().failing["usb"].problem is Problem.OCCUPIED
    report = adopt(new)
    assert (report.problems, report.left, report.waiting) == ([], [], [])
    assert report.files == [SECOND, FIRST]
    assert report.months == {"2026-08-01", "2026-09-01"}
    assert report.bytes == sum((new.folder / "usb" / key).stat().st_size for key in (FIRST, SECOND))
    assert old.days
    assert new.archived() == renamed(old.days)
    assert [(file.key, file.sha256) for file in files(new)] == [
        (key, sha256_of(new.folder / "usb" / key)) for key in (SECOND, FIRST)
    ]
    assert new.archive().problems == [], "the place is this store's now"
    assert new.archived() == renamed(old.days)


def test_a_dry_run_only_says_what_is_there(new: World) -> None:
    report = adopt(new, dry_run=True)
    assert (report.files, report.months) == ([SECOND, FIRST], {"2026-08-01", "2026-09-01"})
    assert files(new) == []
    assert new.archive().failing["usb"].problem is Problem.OCCUPIED


def test_taking_up_again_finds_nothing_to_do(new: World, old: World) -> None:
    adopt(new)
    again = adopt(new)
    assert (again.files, again.problems) == ([], [])
    assert new.archived() == renamed(old.days)


def test_the_store_that_was_there_before_writes_there_no_more(new: World, old: World, tmp_path: Path) -> None:
    adopt(new)
    (tmp_path / "alive").mkdir()
    alive = World(tmp_path / "alive", like=old)
    alive.targets = {"usb": new.targets["usb"]}
    alive.live(40)
    before = alive.local()
    report = alive.archive()
    assert "another installation" in report.problems[0]
    assert report.failing["usb"].problem is Problem.OCCUPIED
    assert alive.local() == before, "nothing goes, for it is archived nowhere"
    assert keys(new) == [FIRST, SECOND]
    alive.store.abandon()


# What comes together with it


def lived_here(world: World, days: int = 80) -> None:
    """Let the new home have months of its own, which the archive has, too."""
    world.clock = world.start
    world.live(days, seed=2)


def test_a_month_of_both_is_a_revision_with_both_and_counts_every_day_once(new: World, old: World) -> None:
    lived_here(new)
    own = new.local()
    adopt(new)
    first = sha256_of(new.folder / "usb" / FIRST)
    report = new.archive()
    assert report.problems == []
    assert sha256_of(new.folder / "usb" / FIRST) == first
    assert FIRST.replace(".parquet", ".r2.parquet") in report.files
    there, theirs = new.archived(), renamed(old.days)
    assert there.keys() >= theirs.keys()
    for key, day in there.items():
        assert day in (own.get(key), theirs.get(key)), "a day is one of the two, never a sum of both"
        both = [dict(of[key][1]) for of in (own, theirs) if key in of]
        assert (dict(day[1])["n"], dict(day[1])["covered"]) == max((each["n"], each["covered"]) for each in both)


def test_days_put_back_and_what_is_erased(new: World, old: World) -> None:
    adopt(new)
    parts = list(Restorer(new.vault()).days(EVER))
    put_back(new.store, parts)
    assert new.local() == renamed(old.days)
    power = [one.key for one in new.store.all_series() if one.labels.get("entity_id") == "sensor.power"]
    assert power == [SeriesKey.of_entity("home_assistant_events", "new_power")]
    done = Eraser(new.vault(), lambda: new.clock).erase(power)
    assert (done.rewritten, done.removed, done.problems) == ([SECOND, FIRST], [SECOND, FIRST], [])
    assert new.archived() == {key: day for key, day in renamed(old.days).items() if key[0] != "entity:new_power"}
    assert keys(new) == [key.replace(".parquet", ".r2.parquet") for key in (FIRST, SECOND)]
    rows = new.access.read(lambda reader: reader.connection.execute("SELECT identity FROM archive_alias").fetchall())
    assert ("entity:power",) not in rows


def test_what_is_gone_at_one_target_is_made_good_from_another(new: World, tmp_path: Path) -> None:
    adopt(new)
    (tmp_path / "nas").mkdir()
    new.targets["nas"] = LocalTarget(tmp_path / "nas")
    new.targets["nas"].prepare()
    assert new.archive().verified == 2
    (new.folder / "usb" / FIRST).unlink()
    assert new.archive().verified == 1
    assert keys(new) == [FIRST, SECOND]
    assert (tmp_path / "nas" / COPY).exists()


def test_the_same_archive_at_a_second_place_is_taken_up_there_too(new: World, old: World, tmp_path: Path) -> None:
    shutil.copytree(old.folder / "usb", tmp_path / "nas")
    new.targets["nas"] = LocalTarget(tmp_path / "nas")
    adopt(new)
    assert new.archive().failing.keys() == {"nas"}
    assert adopt(new, "nas").files == [SECOND, FIRST]
    del new.targets["usb"]
    assert new.archived() == renamed(old.days)
    assert new.archive().problems == []


def test_another_home_at_a_second_place_is_kept_apart(new: World, tmp_path: Path) -> None:
    adopt(new)
    (tmp_path / "there").mkdir()
    there = World(tmp_path / "there")
    there.live(80, seed=5)
    there.archive()
    there.store.abandon()
    new.targets["nas"] = there.targets["usb"]
    before = new.archived()
    report = adopt(new, "nas")
    assert report.left == [SECOND, FIRST]
    assert "another file of that name" in report.problems[0]
    assert new.archived() == before


# Without the manifest's copy, and with one that says otherwise


def test_without_the_copy_the_files_speak_for_themselves(new: World, old: World) -> None:
    (new.folder / "usb" / COPY).unlink()
    assert new.archive().failing["usb"].problem is Problem.OCCUPIED
    assert adopt(new).problems == []
    assert new.archived() == renamed(old.days)
    assert (new.folder / "usb" / COPY).exists()


@pytest.mark.parametrize("content", [b"no JSON", b"[]", b"{}"])
def test_a_copy_that_is_none_says_nothing(new: World, old: World, content: bytes) -> None:
    (new.folder / "usb" / COPY).write_bytes(content)
    assert adopt(new).problems == []
    assert new.archived() == renamed(old.days)
    assert json.loads((new.folder / "usb" / COPY).read_text())["files"]


def test_a_copy_of_a_newer_strata_is_left_alone(new: World) -> None:
    (new.folder / "usb" / COPY).write_text('{"schema": 99}')
    assert "schema 99" in new.archive().problems[0]
    with pytest.raises(Exception, match="schema 99"):
        adopt(new)
    assert (new.folder / "usb" / COPY).read_text() == '{"schema": 99}'


def _rust(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [_rust, _shorten])
def test_a_damaged_file_is_named_and_left_alone_and_the_rest_is_taken_up(
    new: World, old: World, damage: Callable[[Path], None]
) -> None:
    damage(new.folder / "usb" / FIRST)
    report = adopt(new)
    assert (report.files, report.left) == ([SECOND], [FIRST])
    assert FIRST in report.problems[0]
    assert {key[2] for key in new.archived()} < {key[2] for key in old.days}
    assert new.archive().problems == [], "it is not in the way any more"
    lived_here(new)
    new.archive()
    assert FIRST.replace(".parquet", ".r2.parquet") in keys(new), "what is new of its month goes beside it"


def test_without_the_copy_a_file_that_ends_early_is_found_by_reading_it(new: World) -> None:
    (new.folder / "usb" / COPY).unlink()
    _shorten(new.folder / "usb" / FIRST)
    report = adopt(new)
    assert (report.files, report.left) == ([SECOND], [FIRST])


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("archives/2025/data_2025-08-01.parquet", "something else than 2025-08-01"),
        ("raw/2026/raw_2026-08-01.parquet", "holds daily rows"),
    ],
)
def test_a_file_under_a_wrong_name_is_left_alone(new: World, at: str, reason: str) -> None:
    place = new.folder / "usb" / at
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(new.folder / "usb" / FIRST, place)
    report = adopt(new)
    assert report.left == [at]
    assert reason in report.problems[0]


def test_what_is_no_archive_file_is_no_matter(new: World) -> None:
    for name in (
        "archives/notes.txt",
        "archives/2026/data_2026-08-01.r1.parquet",
        "archives/2027/data_2026-08-01.parquet",
    ):
        path = new.folder / "usb" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"?")
    report = adopt(new)
    assert (report.files, report.problems) == ([SECOND, FIRST], [])


def test_days_of_another_clock_are_left_alone(new: World) -> None:
    new.store.timezone = "Europe/Paris"
    assert adopt(new).left == [], "its days are those of Berlin"
    for file in files(new):
        new.store.transact(lambda connection, file=file: manifest.withdraw(connection, file.id))
    new.store.timezone = "Asia/Kolkata"
    report = adopt(new)
    assert report.left == [SECOND, FIRST]
    assert "Europe/Berlin" in report.problems[0]


# What goes wrong


def test_a_target_that_fails_half_way_is_taken_up_the_next_time(
    new: World, old: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = LocalTarget.get

    def get(self, key, path) -> None:
        if key == FIRST:
            raise TargetError(Problem.CANNOT_CONNECT, "the line is down")
        plain(self, key, path)

    monkeypatch.setattr(LocalTarget, "get", get)
    report = adopt(new)
    assert (report.files, report.left) == ([SECOND], [])
    assert new.archive().failing["usb"].problem is Problem.OCCUPIED
    monkeypatch.undo()
    assert adopt(new).files == [FIRST]
    assert new.archived() == renamed(old.days)
    assert new.archive().problems == []


def test_a_run_that_is_asked_to_end_ends_and_goes_on(new: World, old: World) -> None:
    assert adopt(new, go_on=iter([False]).__next__).files == [], "nobody is asked again"
    answers = iter([True, False])
    report = adopt(new, go_on=lambda: next(answers))
    assert (report.files, report.done) == ([SECOND], False)
    assert report.problems == ["the run was ended early; taking up again goes on"]
    assert adopt(new).files == [FIRST]
    assert new.archived() == renamed(old.days)


def test_a_store_put_back_to_an_older_state_takes_up_what_it_had_done_since(old: World, tmp_path: Path) -> None:
    """The backup is of the time before the last two runs of the archive, one of which had begun."""
    world = World(tmp_path, like=old)
    shutil.copytree(old.folder / "usb", tmp_path / "usb", dirs_exist_ok=True)
    [first, second] = files(world)
    put_back(world.store, list(Restorer(world.vault()).days(EVER)))
    assert world.local() == old.before
    world.store.transact(lambda connection: manifest.withdraw(connection, second.id))
    world.store.transact(lambda connection: manifest.mark(connection, first.id, "usb", manifest.PENDING, None))
    world.store.transact(lambda connection: connection.execute("UPDATE archive_file SET sha256 = 'x', settled = NULL"))
    report = world.archive()
    assert report.failing["usb"].problem is Problem.OCCUPIED
    assert "2 months" in report.problems[0]
    same = {f"sensor.{name}": name for name in SERIES}
    assert adopt(world, entities=same).files == [SECOND, FIRST]
    assert world.everything() == old.before
    assert world.archive().files == [], "the files have it all"
    assert world.everything() == old.before
    world.store.abandon()


# Which entity is which


def test_entities_that_are_not_there_yet_wait_and_go_on_when_they_come(new: World, old: World) -> None:
    some = {name: known for name, known in HERE.items() if name != "sensor.power"}
    assert adopt(new, entities=some).waiting == ["sensor.power"]
    kept = {key: day for key, day in new.archived().items() if key[0] == "entity:power"}
    assert len(kept) > 0, "it is told as what it was"
    put_back(new.store, list(Restorer(new.vault()).days(EVER, {"sensor.power"})))
    assert adopt(new).waiting == []
    assert new.archived() == renamed(old.days)
    assert {key: day for key, day in new.local().items() if key[0] == "entity:power"} == kept, "nothing is erased"
    # When the time that they were put back for is over they go, because the files have them.
    new.live(3)
    report = new.archive()
    assert (report.problems, report.files, report.rows_deleted) == ([], [], len(kept))
    assert new.archived() == renamed(old.days)


def test_what_a_store_has_itself_of_an_entity_that_comes_back_stays_and_is_archived_as_its(
    old: World, tmp_path: Path
) -> None:
    """A backup is put back; a sensor is gone since, its archive is taken up, and it gets a new registry id."""
    world = World(tmp_path, like=old)
    shutil.copytree(old.folder / "usb", tmp_path / "usb", dirs_exist_ok=True)
    for file in files(world):
        world.store.transact(lambda connection, file=file: manifest.withdraw(connection, file.id))
    before = world.local()
    own = {key[1:]: day for key, day in before.items() if key[0] == "entity:power"}
    assert len(own) > 10, "they are in no file"
    without = {f"sensor.{name}": name for name in SERIES if name != "power"}
    assert adopt(world, entities=without).waiting == ["sensor.power"]
    assert adopt(world, entities={**without, "sensor.power": "again"}).waiting == []
    assert world.local() == before
    theirs = {key[1:]: day for key, day in old.days.items() if key[0] == "entity:power"}
    assert {key[1:]: day for key, day in world.archived().items() if key[0] == "entity:again"} == theirs
    assert world.store.all_series()[0].key.identity == "entity:power", "it was first of all, and stays"
    # They leave for the archive with others of their age, under the name that it has now.
    world.clock += 80 * DAY
    world.ladder()
    assert world.archive().problems == []
    assert "entity:power" not in {key[0] for key in world.local()}
    there = {key[1:]: day for key, day in world.archived().items() if key[0] == "entity:again"}
    assert there.items() >= own.items()
    assert there.items() >= {key: theirs[key] for key in theirs.keys() - own.keys()}.items()


def test_one_entity_that_is_two_series_of_one_file_is_told_as_one(new: World, old: World) -> None:
    """The entity came after the archive was taken up, and after a month of its own was archived with it."""
    lived_here(new)
    own = new.local()
    adopt(new, entities={})
    new.archive()
    assert {key[0] for key in new.archived()} >= {"entity:power", "entity:new_power"}
    assert adopt(new).waiting == []
    there, theirs = new.archived(), renamed(old.days)
    assert there.keys() >= theirs.keys() | (own.keys() - new.local().keys())
    assert "entity:power" not in {key[0] for key in there}
    for key, day in there.items():
        assert day in (own.get(key), theirs.get(key))
    # The next revision that is made has it as one.
    august = TimeRange(new.start, new.start + DAY)
    put_back(new.store, [(one, days) for one, days in Restorer(new.vault()).days(august)])
    assert new.archive().problems == []
    assert new.archived() == there


def test_of_two_registry_ids_with_one_entity_id_the_newest_goes_on(new: World, old: World, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    there = World(tmp_path / "there", like=old)
    later = there.store.series(
        SeriesKey.of_entity("home_assistant_events", "power_again"),
        kind=Kind.MEASUREMENT, unit="W", labels={"entity_id": "sensor.power"},
    )  # fmt: skip
    there.store.save_series()
    for hour in range(0, 24 * 20, 6):
        there.clock = old.clock + hour * HOUR
        there.store.write([Row(later, there.clock, 5.0)], heartbeat=there.clock)
    there.clock += 80 * DAY
    there.ladder()
    there.targets = new.targets
    assert there.archive().problems == []
    there.store.abandon()
    new.clock = there.clock
    assert adopt(new).problems == []
    told = {key[0] for key in new.archived()}
    assert "entity:power" in told, "the one before stays a series of its own"
    recent = {key[0] for key in new.archived() if key[2] > old.clock}
    assert "entity:new_power" in recent
    assert "entity:power_again" not in told


def test_another_unit_is_another_series(new: World, old: World) -> None:
    new.store.series(
        SeriesKey.of_entity("home_assistant_events", "new_power"), kind=Kind.MEASUREMENT, unit="kW",
        labels={"entity_id": "sensor.power"},
    )  # fmt: skip
    new.store.save_series()
    adopt(new)
    found = {one.key.field: one for one, _ in Restorer(new.vault()).days(EVER, {"sensor.power"})}
    assert set(found) == {"value[W]"}
    assert found["value[W]"].key.identity == "entity:new_power"
    assert found["value[W]"].unit == "W"


def test_readings_are_known_by_what_they_are_of(old: World, tmp_path: Path) -> None:
    key = SeriesKey.of_tags("electricity_pricing", {"region": "DE"}, "price")
    (tmp_path / "there").mkdir()
    there = World(tmp_path / "there", like=old)
    series = there.store.series(key, kind=Kind.MEASUREMENT, unit="EUR/kWh")
    there.store.write([Row(series, there.clock, 0.25)], heartbeat=there.clock)
    there.clock += 80 * DAY
    there.ladder()
    there.archive()
    there.store.abandon()
    (tmp_path / "here").mkdir()
    here = World(tmp_path / "here", names=HERE)
    here.clock = there.clock
    here.targets = there.targets
    assert adopt(here).problems == []
    assert key in {one.key for one, _ in Restorer(here.vault()).days(EVER)}
    assert here.access.read(lambda reader: aliases.waiting(reader.connection)) == []
    here.store.abandon()


# Single values, and a bucket


def test_single_values_are_taken_up_too(old: World, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    there = World(tmp_path / "there", like=old)
    there.store.archived_only = True
    there.live(5)
    there.archiver().archive_raw()
    rows = {
        (one.key.identity, time)
        for one, (times, *_) in Restorer(there.vault()).events(EVER)
        for time in times.tolist()
        if one.key.identity.startswith("entity:")
    }
    there.store.abandon()
    (tmp_path / "here").mkdir()
    here = World(tmp_path / "here", names=HERE)
    here.clock = there.clock
    here.targets = there.targets
    report = adopt(here)
    assert report.problems == []
    assert len(report.raw_days) > 1
    restorer = Restorer(here.vault())
    found = {
        (one.key.identity.replace("new_", ""), time)
        for one, (times, *_) in restorer.events(EVER)
        for time in times.tolist()
        if one.key.identity.startswith("entity:")
    }
    assert found == rows
    assert restorer.report.problems == []
    here.store.abandon()


def test_an_archive_in_a_bucket(old: World, tmp_path: Path, socket_enabled: None) -> None:
    def bucket(stub: S3Stub) -> S3Target:
        return S3Target(
            Bucket(name=BUCKET, endpoint_url=stub.url, prefix="home", access_key="k", secret_key="s"), tries=1
        )

    with S3Stub() as stub:
        (tmp_path / "there").mkdir()
        there = World(tmp_path / "there", like=old)
        shutil.copytree(old.folder / "usb", there.folder / "usb", dirs_exist_ok=True)
        there.targets["s3"] = bucket(stub)
        assert there.archive().problems == []
        there.targets["s3"].close()
        there.store.abandon()
        (tmp_path / "here").mkdir()
        here = World(tmp_path / "here", names=HERE)
        here.clock = there.clock
        here.targets = {"s3": bucket(stub)}
        # Without the copy, what the bucket says of each object is what it is compared with.
        del stub.objects[f"home/{COPY}"]
        body = stub.objects[f"home/{FIRST}"].body
        stub.objects[f"home/{FIRST}"].body = body[:-9] + bytes([body[-9] ^ 4]) + body[-8:]
        assert adopt(here, "s3").left == [FIRST]
        stub.objects[f"home/{FIRST}"].body = body
        assert adopt(here, "s3").files == [FIRST]
        assert here.archived() == renamed(old.days)
        assert f"home/{COPY}" in stub.objects
        here.targets["s3"].close()
        here.store.abandon()


def test_a_file_of_a_newer_strata_keeps_the_archive_closed(
    new: World, old: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.strata.archive.parquet.SCHEMA_VERSION", 0)
    report = adopt(new)
    assert (report.files, report.left, report.done) == ([], [], False)
    assert "schema 1" in report.problems[0]
    monkeypatch.undo()
    assert new.archive().failing["usb"].problem is Problem.OCCUPIED
    assert adopt(new).done
    assert new.archived() == renamed(old.days)


def test_a_copy_that_cannot_be_written_is_said_and_written_the_next_time(
    new: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt(new)
    (new.folder / "usb" / COPY).unlink()
    plain = LocalTarget.put

    def put(self, key, path, sha256) -> None:
        if key == COPY:
            raise TargetError(Problem.NO_SPACE, "there is no room for the manifest")
        plain(self, key, path, sha256)

    monkeypatch.setattr(LocalTarget, "put", put)
    report = new.archive()
    assert report.problems == ["there is no room for the manifest"]
    assert report.failing["usb"].problem is Problem.NO_SPACE
    monkeypatch.undo()
    assert new.archive().problems == []
    assert (new.folder / "usb" / COPY).exists()


def test_where_the_copy_cannot_be_read_nothing_is_written(new: World, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt(new)
    lived_here(new)
    before = new.local()

    def get(self, key, path) -> None:
        raise TargetError(Problem.CANNOT_CONNECT, "the line is down")

    monkeypatch.setattr(LocalTarget, "get", get)
    assert new.archive().rows_deleted == 0
    assert new.local() == before
    with pytest.raises(TargetError, match="the line is down"):
        adopt(new)
    monkeypatch.undo()
    assert keys(new) == [FIRST, SECOND]
    assert new.archive().problems == []
