"""Finished rows of views reach a mirror as points: what they look like, and what a change of them sends."""

from collections.abc import AsyncGenerator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from custom_components.strata.core.model import Kind, Series, SeriesKey
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.mirror.line_protocol import encode_block
from custom_components.strata.mirror.selection import Content
from custom_components.strata.mirror.view_points import as_in_views, view_blocks
from custom_components.strata.store.base import Change, Cursor
from custom_components.strata.store.views import VIEWS, view as view_named
from tests.mirror_world import DirectStore, plan_of
from tests.unit.mirror.given import MemoryServer, Sleeps
from tests.unit.store.view_home import ViewHome, berlin

DATABASE = "strata_views"
JUNE_2 = date(2026, 6, 2).toordinal()
KETTLE = Series(
    SeriesKey.of_entity("home_assistant_events", "a1b2"), Kind.MEASUREMENT, labels={"entity_id": "sensor.kettle"}, id=7
)


def lines(name: str, *rows: tuple[object, ...], timezone: str = "Europe/Berlin", day: int = JUNE_2, **more: bool):
    """Return rows of a view as lines."""
    blocks = view_blocks(view_named(name), rows, day, timezone, {7: KETTLE}.get, **more)
    return [line for block in blocks for line in encode_block(block)]


# ------------------------------------------------------------------------------------------------ what they look like
def test_a_day_of_a_device_is_a_point_at_its_local_midnight() -> None:
    row = (JUNE_2, 7, 1.5, 62.5, 2000.0, 0.45, "EUR", 0.5, 1.5, 1.25)
    # 2026-06-02 00:00 in Berlin is 2026-06-01 22:00 UTC.
    assert lines("daily_energy_by_device", row) == [
        (
            'daily_energy_by_device,entity_id=sensor.kettle date="2026-06-02",total_kwh=1.5,avg_power=62.5,'
            'peak_power=2000.0,cost=0.45,currency="EUR",carbon_kg=0.5,cost_kwh=1.5,carbon_kwh=1.25 1780351200000000000'
        )
    ]


def test_what_is_not_known_is_no_field_and_counts_stay_whole() -> None:
    quiet = (JUNE_2, "hall", 0.0, 0.0, 0, None)
    busy = (JUNE_2, "attic", 3600.0, 0.25, 3, 7)
    assert lines("daily_room_occupancy", quiet, busy) == [
        (
            'daily_room_occupancy,area=hall date="2026-06-02",occupied_seconds=0.0,occupancy_rate=0.0,motion_count=0i'
            " 1780351200000000000"
        ),
        (
            'daily_room_occupancy,area=attic date="2026-06-02",occupied_seconds=3600.0,occupancy_rate=0.25,'
            "motion_count=3i,busiest_hour=7i 1780351200000000000"
        ),
    ]


def test_an_hour_that_is_there_twice_is_two_points() -> None:
    """On 2026-10-25 clocks in Berlin go back at 01:00 UTC."""
    day, utc = date(2026, 10, 25).toordinal(), 1_792_886_400
    rows = [(day, (utc + hour * 3600) * 1_000_000, 2, 1.0, None, None, None, None, "grid") for hour in (0, 1)]
    assert lines("hourly_energy_cost", *rows, day=day) == [
        f'hourly_energy_cost date="2026-10-25",hour=2i,total_kwh=1.0,basis="grid" {utc + hour * 3600}000000000'
        for hour in (0, 1)
    ]


def test_an_empty_area_is_no_tag_and_texts_can_be_left_out() -> None:
    row = (JUNE_2, berlin(2, 8), "", 8, 0.5, 500.0, 2)
    assert lines("hourly_energy_summary", row, strings=False) == [
        "hourly_energy_summary hour=8i,total_kwh=0.5,avg_power=500.0,devices=2i 1780380000000000000"
    ]


def test_the_ordinary_week_is_told_apart_by_its_tags() -> None:
    rows = [("hall", 0, 7, 1.5, 0.25, 8), ("hall", 0, 8, 0.5, None, 8)]
    assert lines("weekday_room_activity", *rows, timezone="UTC") == [
        (
            "weekday_room_activity,area=hall,day_of_week=0,hour=7 motion_count=1.5,occupancy_rate=0.25,hours=8i"
            " 1780358400000000000"
        ),
        "weekday_room_activity,area=hall,day_of_week=0,hour=8 motion_count=0.5,hours=8i 1780358400000000000",
    ]


def test_rows_of_a_series_that_is_gone_are_no_points() -> None:
    assert lines("daily_device_runtime", (JUNE_2, 8, 1, 2.0, 3.0)) == []


def test_a_server_finds_the_rows_of_an_entity_by_its_id() -> None:
    found = as_in_views([KETTLE])
    assert [one.key.measurement for one in found] == ["daily_energy_by_device", "daily_device_runtime"]
    assert {one.labels["entity_id"] for one in found} == {"sensor.kettle"}


def test_whole_numbers_are_whole_and_others_are_not() -> None:
    (block,) = view_blocks(
        view_named("daily_device_runtime"), [(JUNE_2, 7, 2, 60, 86400)], JUNE_2, "UTC", {7: KETTLE}.get
    )
    assert {name: np.asarray(column).dtype.kind for name, column in block.fields.items() if name != "date"} == {
        "state_changes": "i",
        "on_seconds": "f",
        "covered_seconds": "f",
    }


# ------------------------------------------------------------------------------------------------ how they get there
class Mirrored:
    """A home, a server in memory, and a mirror between them."""

    def __init__(self, path: Path) -> None:
        self.home = ViewHome(path, berlin(1))
        self.direct = DirectStore(self.home.store)
        self.server = MemoryServer()

    async def started(self, contents: frozenset[Content] = frozenset({Content.VIEWS})) -> MirrorFeed:
        plan = plan_of(self.home.store, contents, timezone=lambda: "Europe/Berlin")
        mirror = MirrorFeed("one", self.direct, self.server, plan, now=lambda: self.home.now, sleep=Sleeps())
        await mirror.open()
        return mirror

    def kettle(self) -> Series:
        return self.home.entity("sensor.kettle", unit="W", device_class="power", area_id="kitchen", device_id="kettle")

    def found(self, measurement: str) -> dict[tuple[frozenset[tuple[str, str]], int], dict[str, object]]:
        """Return fields by tags and time."""
        return {
            (tags, time): dict(point.fields)
            for (name, tags, time), point in self.server.points.get(DATABASE, {}).items()
            if name == measurement
        }


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[Mirrored]:
    made = Mirrored(tmp_path)
    yield made
    made.direct.close()
    made.home.store.close()


def view_entries(world: Mirrored) -> list[tuple[int, int]]:
    """Return view and day of every entry in the feed."""
    with world.home.store.reader() as reader:
        found = reader.connection.execute("SELECT tier, start FROM changes WHERE tier > 100 ORDER BY seq")
        return [(tier, start) for tier, start in found]


TAGS = frozenset({("entity_id", "sensor.kettle")})


async def test_a_corrected_price_takes_the_place_of_the_point(world: Mirrored) -> None:
    mirror = await world.started()
    home, kettle = world.home, world.kettle()
    home.put(home.price(), (berlin(1), 0.25), (berlin(3), None))
    home.put(kettle, (berlin(2, 8), 1000.0), (berlin(2, 10), 0.0), (berlin(3), None))
    home.refresh(berlin(3, 1))
    await mirror.catch_up()
    assert world.found("daily_energy_by_device")[TAGS, berlin(2)]["cost"] == pytest.approx(0.5)
    home.put(home.price(), (berlin(2), 0.5))
    home.refresh(berlin(3, 2))
    await mirror.catch_up()
    found = world.found("daily_energy_by_device")
    assert [when for _, when in found] == [berlin(2)]
    assert found[TAGS, berlin(2)]["cost"] == pytest.approx(1.0)
    assert mirror.figures.quarantined == mirror.figures.expired == 0


async def test_a_row_of_a_late_day_is_sent_and_the_others_are_not_again(world: Mirrored) -> None:
    mirror = await world.started()
    home, kettle = world.home, world.kettle()
    for day in (1, 2, 3):
        home.put(kettle, (berlin(day, 8), 1000.0), (berlin(day, 9), 0.0), (berlin(day + 1), None))
    home.refresh(berlin(4, 1))
    await mirror.catch_up()
    sent = mirror.figures.acknowledged
    assert len(world.found("daily_energy_by_device")) == 3
    home.put(kettle, (berlin(2, 12), 500.0), (berlin(2, 13), 0.0))
    home.refresh(berlin(4, 2))
    await mirror.catch_up()
    assert world.found("daily_energy_by_device")[TAGS, berlin(2)]["total_kwh"] == pytest.approx(1.5)
    # Of the second day alone, its device, its home, and an hour of each of its 24 in two views.
    assert mirror.figures.acknowledged - sent <= 2 + 2 * 24


async def test_the_feed_names_views_and_days_and_lets_go_of_what_has_arrived(world: Mirrored) -> None:
    home, kettle = world.home, world.kettle()
    mirror = await world.started()
    home.put(kettle, (berlin(2, 8), 1000.0), (berlin(2, 9), 0.0), (berlin(3), None))
    home.refresh(berlin(3, 1))
    told = view_entries(world)
    assert {view_named("daily_energy_by_device").number, view_named("hourly_energy_summary").number} <= {
        view for view, _ in told
    }
    assert len(told) == len(set(told)), "a day of a view once, however many rows it has"
    home.refresh(berlin(3, 1, 5))
    assert view_entries(world) == told, "nothing has changed, so nothing is told"
    await mirror.catch_up()
    await mirror.save()
    home.refresh(berlin(3, 1, 6))
    home.put(kettle, (berlin(3, 1, 7), 0.0))
    home.store.compact()
    assert view_entries(world) == []


async def test_entries_of_a_view_that_this_version_does_not_know_are_passed_over(world: Mirrored) -> None:
    mirror = await world.started()
    world.home.store._connection.execute(
        "INSERT INTO changes (tier, series, start, stop, upto) VALUES (199, 0, ?, ?, 0)", (JUNE_2, JUNE_2 + 1)
    )
    await mirror.catch_up()
    assert world.server.points == {}
    assert not mirror.progress().waiting


async def test_the_feed_tells_a_view_by_its_name(world: Mirrored) -> None:
    home = world.home
    home.put(world.kettle(), (berlin(2, 8), 1000.0), (berlin(2, 9), 0.0), (berlin(3), None))
    home.refresh(berlin(3, 1))
    with home.store.reader() as reader:
        changes = reader.changes(Cursor(0, 0), 500).changes
    assert Change("daily_energy_by_device", 0, JUNE_2, JUNE_2 + 1) in changes


async def test_who_does_not_want_views_gets_none(world: Mirrored) -> None:
    mirror = await world.started(frozenset(Content) - {Content.VIEWS})
    home = world.home
    home.put(world.kettle(), (berlin(2, 8), 1000.0), (berlin(2, 9), 0.0), (berlin(3), None))
    home.refresh(berlin(3, 1))
    await mirror.catch_up()
    mirror.replay(berlin(1), berlin(4))
    await mirror.replay_first()
    assert "strata_raw" in world.server.points
    assert DATABASE not in world.server.points


async def test_a_replay_sends_whole_days_of_all_views(world: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.strata.mirror.parcels._PARCEL_ROWS", 10)
    home, kettle = world.home, world.kettle()
    for day in (1, 2, 3, 4):
        home.put(kettle, (berlin(day, 8), 1000.0), (berlin(day, 9), 0.0), (berlin(day + 1), None))
    home.refresh(berlin(5, 1))
    mirror = await world.started()
    await mirror.catch_up()
    assert world.server.points == {}, "a new mirror begins now"
    mirror.replay(berlin(2, 12), berlin(3, 12))
    await mirror.replay_first()
    assert [when for _, when in world.found("daily_energy_by_device")] == [berlin(2), berlin(3)]
    assert [when for _, when in world.found("hourly_energy_summary")] == [
        berlin(day, hour) for day in (2, 3) for hour in range(8, 24)
    ]


async def test_a_replay_of_some_entities_sends_rows_of_those_only(world: Mirrored) -> None:
    home, kettle = world.home, world.kettle()
    lamp = home.entity("sensor.lamp", unit="W", device_class="power", area_id="hall", device_id="lamp")
    for series in (kettle, lamp):
        home.put(series, (berlin(2, 8), 1000.0), (berlin(2, 9), 0.0), (berlin(3), None))
    home.refresh(berlin(3, 1))
    mirror = await world.started()
    mirror.replay(0, berlin(9), frozenset({kettle.id or 0}))
    await mirror.replay_first()
    assert [tags for tags, _ in world.found("daily_energy_by_device")] == [TAGS]
    assert {name for name, _, _ in world.server.points[DATABASE]} == {"daily_energy_by_device"}


def test_views_are_numbered_for_good_above_the_tiers() -> None:
    assert {view.name: view.number for view in VIEWS} == {
        "daily_energy_by_device": 101,
        "hourly_room_activity": 102,
        "daily_carbon_summary": 103,
        "hourly_energy_summary": 104,
        "hourly_energy_cost": 105,
        "daily_energy_cost": 106,
        "daily_device_runtime": 107,
        "daily_room_occupancy": 108,
        "weekday_room_activity": 109,
    }
