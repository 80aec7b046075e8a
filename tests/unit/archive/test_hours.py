"""Archived single values make the very hours that the store made of them, through restarts and whatever the clock."""

from collections.abc import Generator
from datetime import datetime
from pathlib import Path
import shutil
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from custom_components.strata.archive import restore
from custom_components.strata.archive.content import merge_rows
from custom_components.strata.archive.errors import FileDamaged
from custom_components.strata.archive.hours import Hours
from custom_components.strata.archive.restore import Restorer, put_hours
from custom_components.strata.core.model import Flag, Kind, Row, TimeRange, from_micros
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.tiers import DAY, HOUR, HOURLY
from custom_components.strata.store.words import codes_in, in_words
from tests.archive_world import EVER, Told, World, told

pytestmark = pytest.mark.xdist_group("hours")

ZONES = {"Europe/Berlin": datetime(2026, 10, 20), "Asia/Kolkata": datetime(2026, 3, 3)}  # noqa: DTZ001
"""Clocks, and when the home's life begins; in Berlin they go back on the fifth day."""


def restart(world: World, away: int) -> None:
    """Let Home Assistant be down for a while; series that are the same as before hold again without a new value."""
    world.store.close()
    world.clock += away
    world.store.open()
    again = [Row(one, world.clock, flag=Flag.RESUME) for name, one in world.series.items() if name in ("light", "mode")]
    world.store.write(again, heartbeat=world.clock)


@pytest.fixture(scope="module", params=ZONES)
def nine_days(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A home that lives for nine days with two restarts, and keeps all of its hours."""
    zone: str = request.param
    start = ZONES[zone].replace(tzinfo=ZoneInfo(zone))
    made = World(tmp_path_factory.mktemp("world"), timezone=zone, start=start)
    made.store.archived_only = True
    for days, away in ((3, 5 * HOUR), (2, 40_000_000), (4, 0)):
        made.live(days, seed=days, every=HOUR // 2)
        if away:
            restart(made, away)
    report = made.archiver().archive_raw()
    assert report.problems == []
    assert len(report.files) > 5
    made.store.close()
    return made


@pytest.fixture
def world(nine_days: World, tmp_path: Path) -> Generator[World]:
    zone = nine_days.timezone
    made = World(tmp_path, timezone=zone, start=from_micros(nine_days.start).astimezone(ZoneInfo(zone)), like=nine_days)
    shutil.copytree(nine_days.folder / "usb", tmp_path / "usb", dirs_exist_ok=True)
    made.store.archived_only = True
    yield made
    made.store.abandon()


def stored(world: World, when: TimeRange) -> list[tuple[str, Rollup]]:
    """Return the hours that the store has."""
    found = []
    with world.store.reader() as reader:
        for series in reader.series():
            hours = reader.tier(HOURLY, series.id or 0, series.kind, when)
            if len(hours):
                found.append((series.key.identity, in_words(hours, reader.texts(codes_in(hours)))))
    return found


def made_of_files(world: World, when: TimeRange) -> list[tuple[str, Rollup]]:
    restorer = Restorer(world.vault())
    found = [(series.key.identity, hours) for series, hours in Hours(restorer, world.timezone).run(when)]
    assert restorer.report.problems == []
    return found


def alike(days: Told) -> Told:
    """Return what is said with as many digits as the store keeps of sums and integrals."""

    def short(value: object) -> object:
        return f"{value:.9g}" if isinstance(value, float) else value

    return {
        key: (end, tuple((name, short(value)) for name, value in values), seconds)
        for key, (end, values, seconds) in days.items()
    }


def files_end(world: World) -> int:
    return max(file.end for file in world.vault().files("raw"))


def test_the_hours_are_those_the_store_made(world: World) -> None:
    first = min(file.start for file in world.vault().files("raw"))
    whole = TimeRange(first, files_end(world) // HOUR * HOUR - HOUR)
    theirs, ours = alike(told(stored(world, whole))), alike(told(made_of_files(world, whole)))
    # The first file begins before the home's life did, and all of its hours are in it.
    assert len(ours) > 4 * 24 * 5
    assert ours == theirs


def test_a_range_in_the_middle_knows_what_held_before_it(world: World) -> None:
    begin = world.start + 4 * DAY
    when = TimeRange(begin, begin + 2 * DAY)
    assert alike(told(made_of_files(world, when))) == alike(told(stored(world, when)))


def test_a_day_without_its_file_is_a_gap_and_the_rest_still_comes(world: World) -> None:
    files = world.vault().files("raw")
    gone = files[len(files) // 2]
    (world.folder / "usb" / gone.key).unlink()
    restorer = Restorer(world.vault())
    hours = told((one.key.identity, rolled) for one, rolled in Hours(restorer, world.timezone).run(EVER))
    assert len(restorer.report.problems) == 1
    assert gone.key in restorer.report.problems[0]
    theirs = told(stored(world, EVER))
    inside = {key for key in hours if gone.start - HOUR < key[2] < gone.end}
    assert inside == set()
    before = {key for key in theirs if key[2] + HOUR <= gone.start}
    assert alike({key: hours[key] for key in before}) == alike({key: theirs[key] for key in before})


def test_a_file_that_fails_while_it_is_read_is_a_gap_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    files = world.vault().files("raw")
    bad = files[len(files) // 2]
    plain = restore.read_raw
    restorer = Restorer(world.vault())

    def read_raw(path: str, **options: object):
        yield from list(plain(path, **options))[:1]
        if restorer.report.files[-1] == bad.key:
            raise FileDamaged("a page of it is rotten")

    monkeypatch.setattr(restore, "read_raw", read_raw)
    hours = told((one.key.identity, rolled) for one, rolled in Hours(restorer, world.timezone).run(EVER))
    assert restorer.report.problems == [f"{bad.key}: a page of it is rotten"]
    assert {key for key in hours if bad.start - HOUR < key[2] < bad.end} == set()
    assert {key for key in hours if key[2] >= bad.end} != set(), "the rest still comes"


def test_a_series_of_another_kind_ends_the_one_before(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store.archived_only = True
    for kind in (Kind.MEASUREMENT, Kind.METER):
        power = world.series["power"]
        world.store.series(power.key, kind=kind, unit=power.unit, labels=power.labels)
        world.live(4, every=HOUR // 2)
        assert world.archiver().archive_raw().problems == []
    kinds = {
        file.start: {one.kind for one, _ in parts if one.key.identity == "entity:power"}
        for file, parts in Restorer(world.vault()).event_files(EVER)
    }
    # The day on which it changed has a revision with both.
    begins = min(start for start, found in kinds.items() if Kind.METER in found)
    ends = min(start for start, found in kinds.items() if Kind.MEASUREMENT not in found)
    hours = [key[1:] for key in told(made_of_files(world, EVER)) if key[0] == "entity:power"]
    assert {kind for kind, start in hours if start < begins} == {"measurement"}
    assert {kind for kind, start in hours if start >= ends} == {"meter"}
    assert ends < files_end(world) - 3 * DAY
    world.store.abandon()


def test_nothing_makes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert list(Hours(Restorer(world.vault()), world.timezone).run(EVER)) == []
    world.store.abandon()


# Into a store


def put(world: World, target: World, when: TimeRange = EVER) -> int:
    """Put the hours of a world's files into the store of another; return how many were new there."""
    target.store.begin_import(target.clock)
    parts = list(Hours(Restorer(world.vault()), world.timezone).run(when))
    return sum(put_hours(target.store, parts[at : at + 7]) for at in range(0, len(parts), 7))


def test_a_store_that_was_lost_gets_its_hours_and_days_back(world: World, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    new = World(tmp_path / "new", timezone=world.timezone)
    new.clock = world.clock
    assert put(world, new) > 4 * 24 * 5
    whole = TimeRange(world.start + DAY, files_end(world) // HOUR * HOUR - HOUR)
    assert alike(told(stored(new, whole))) == alike(told(stored(world, whole)))
    # Days follow from hours when a store that never had any rolls up.
    new.store.roll_up(new.clock)
    there, here = alike(world.local()), alike(new.local())
    last = max(key[2] for key in here)
    assert len({key[2] for key in here}) > 5
    assert {key: day for key, day in here.items() if key[2] < last} == {
        key: day for key, day in there.items() if key[2] < last
    }
    assert put(world, new) == 0, "the same again changes nothing"
    assert alike(new.local()) == here
    new.store.abandon()


def test_what_the_store_tells_itself_stays(world: World) -> None:
    hours, days = told(stored(world, EVER)), world.local()
    assert put(world, world) == 0
    assert told(stored(world, EVER)) == hours
    assert world.local() == days


def test_hours_that_were_handed_down_do_not_change_their_days(world: World) -> None:
    for _ in range(7):
        world.live(2)
        assert world.archiver().archive_raw().problems == []
    world.ladder()
    days = world.local()
    put(world, world)
    assert {key: world.local()[key] for key in days} == days


def test_views_are_made_of_what_came_back(world: World, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    new = World(tmp_path / "new", timezone=world.timezone)
    new.clock = world.clock
    put(world, new)
    while new.store.refresh_views(new.clock).waiting:
        pass
    with new.store.reader() as reader:
        (count,) = reader.connection.execute("SELECT COUNT(*) FROM view_daily_energy_by_device").fetchone()
    assert count > 5
    new.store.abandon()


def test_a_mark_never_takes_the_place_of_a_value() -> None:
    """A revision is made of what is left here: a value may be gone, and the instant at which recording stopped not."""
    archived = (np.array([10, 20, 21]), np.array([1.0, 2.0, np.nan]), [None, None, None], np.array([0, 0, 1]))
    local = (np.array([20, 30, 40]), np.array([np.nan, 3.0, np.nan]), [None, "x", None], np.array([1, 0, 6]))
    times, values, texts, flags = merge_rows(archived, local)
    assert times.tolist() == [10, 20, 21, 30, 40]
    assert values.tolist() == pytest.approx([1.0, 2.0, np.nan, 3.0, np.nan], nan_ok=True)
    assert (texts, flags.tolist()) == ([None, None, None, "x", None], [0, 0, 1, 0, 6])
    # Of two values, and of a gap that was stored, the newer word counts.
    assert merge_rows(archived, archived)[1].tolist() == pytest.approx([1.0, 2.0, np.nan], nan_ok=True)
