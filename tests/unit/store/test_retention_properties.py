"""The ladder: what is deleted was told before, and nothing that comes later changes what was told."""

from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core.model import Flag, Row, to_micros
from custom_components.strata.store.tiers import DEFAULT_LADDER
from tests.naive_history import DAY, HOUR, MINUTE, SECOND
from tests.unit.store.compare import stored_buckets
from tests.unit.store.simulation import BUCKET_TIERS, Simulation

KEEP = {
    "raw": timedelta(hours=9),
    "five_minute": timedelta(days=1),
    "hourly": timedelta(days=2),
    "daily": timedelta(days=30),
}
LIVES = (
    ("Europe/Berlin", datetime(2026, 10, 24, 3, 7, tzinfo=ZoneInfo("Europe/Berlin"))),
    ("Asia/Kolkata", datetime(2026, 6, 1, 0, 30, tzinfo=ZoneInfo("Asia/Kolkata"))),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 4, 20, tzinfo=ZoneInfo("Australia/Lord_Howe"))),
)


@pytest.fixture
def begin(tmp_path: Path) -> Generator[Callable[[int], Simulation]]:
    begun: list[Simulation] = []

    def simulation(number: int, seed: int = 0) -> Simulation:
        timezone, start = LIVES[number]
        first = to_micros(start)
        ladder = DEFAULT_LADDER.keeping(KEEP)
        begun.append(Simulation(tmp_path / f"{len(begun)}.db", seed, timezone, first, ladder=ladder))
        return begun[-1]

    yield simulation
    for each in begun:
        each.store.abandon()


each_life = pytest.mark.parametrize("number", range(len(LIVES)), ids=[timezone for timezone, _ in LIVES])


def told(simulation: Simulation, *tiers: str) -> dict[str, list[str]]:
    with simulation.store.reader() as reader:
        return {
            tier: [
                f"{name} {bucket}"
                for name, series in simulation.series.items()
                for bucket in stored_buckets(reader, tier, series)
            ]
            for tier in tiers or BUCKET_TIERS
        }


@each_life
def test_deleting_raw_rows_changes_nothing_coarser(begin: Callable[..., Simulation], number: int) -> None:
    simulation = begin(number)
    simulation.live(120)
    simulation.roll_up()
    before = told(simulation)
    dry = simulation.store.downsample("raw", simulation.clock, dry_run=True)
    assert simulation.raw_problems() == []

    report = simulation.downsample("raw")

    old = sum(time < simulation.kept_from for series in simulation.naive.values() for time in series.rows)
    assert report.problems == ()
    assert report.source_rows == dry.source_rows == old > 0
    assert simulation.raw_problems(since=simulation.kept_from) == []
    assert told(simulation) == before
    assert simulation.problems() == []
    assert simulation.store.downsample("raw", simulation.clock).source_rows == 0


@each_life
def test_life_goes_on_after_raw_rows_are_gone(begin: Callable[..., Simulation], number: int) -> None:
    simulation = begin(number, seed=7)
    for _ in range(4):
        simulation.live(45)
        simulation.roll_up()
        assert simulation.downsample("raw").problems == ()
    simulation.live(30)
    simulation.roll_up()
    assert simulation.raw_problems(since=simulation.kept_from) == []
    assert simulation.problems() == []
    simulation.catch_up()


@each_life
def test_each_step_deletes_what_is_past_its_keep_and_nothing_else(
    begin: Callable[..., Simulation], number: int
) -> None:
    simulation = begin(number)
    while simulation.clock < simulation.start + 4 * DAY:
        simulation.live(10)
        simulation.clock += HOUR
    simulation.roll_up()
    coarser = told(simulation, "hourly", "daily")
    for tier in ("raw", "five_minute"):
        assert simulation.downsample(tier).problems == ()
    day_ago = (simulation.clock - DAY) // DAY * DAY
    assert simulation.problems(("five_minute",), since=day_ago) == []
    with simulation.store.reader() as reader:
        for series in simulation.series.values():
            assert all(bucket.start >= day_ago for bucket in stored_buckets(reader, "five_minute", series))
    assert told(simulation, "hourly", "daily") == coarser
    assert simulation.downsample("hourly").problems == ()
    kept = min(simulation.clock - 2 * DAY, simulation.edges()[1][-1]) // DAY * DAY
    assert simulation.problems(("hourly",), since=kept) == []
    assert simulation.problems(("daily",)) == []


@each_life
def test_steps_between_anything_else(begin: Callable[..., Simulation], number: int) -> None:
    simulation = begin(number, seed=3)
    for _ in range(20):
        simulation.live(8)
        step = simulation.random.choice(("raw", "raw", "five_minute", "roll_up", "compact"))
        if step in KEEP:
            assert simulation.downsample(step).problems == ()
        else:
            getattr(simulation, step)()
    simulation.roll_up()
    assert simulation.problems(("hourly", "daily")) == []


def a_silent_series(simulation: Simulation) -> Simulation:
    """A thermometer that is known for a day, unavailable for one, known for another, and the ladder done."""
    begin = simulation.start
    for hour in range(24 * 4):
        simulation.clock = begin + hour * HOUR + 20 * MINUTE
        rows = [("power", simulation.clock - 1, float(hour), Flag.OK)]
        if not 24 <= hour < 48:
            rows.append(("temperature", simulation.clock - SECOND, 20.0 + hour, Flag.OK))
        if hour == 24:
            rows.append(("temperature", simulation.clock - SECOND, None, Flag.GAP))
        simulation.write(rows)
    simulation.roll_up()
    for tier in ("raw", "five_minute", "hourly"):
        assert simulation.downsample(tier).problems == ()
    return simulation


@each_life
@pytest.mark.parametrize("hours_ago", [12, 20, 30, 40, 60, 65, 80, 94])
def test_a_row_for_a_time_that_is_told_and_gone_changes_nothing(
    begin: Callable[..., Simulation], number: int, hours_ago: int
) -> None:
    """A day or hour that has been told is finer than what a single late row could tell again."""
    simulation = a_silent_series(begin(number))
    before = told(simulation)
    late = simulation.clock - hours_ago * HOUR + 17 * MINUTE
    simulation.store.write([Row(simulation.series["temperature"], late, 99999.0)], heartbeat=simulation.clock)
    simulation.store.roll_up(simulation.clock)
    after = told(simulation)
    # What nothing was known of may be filled; what was told stays as it was.
    for tier in BUCKET_TIERS:
        assert set(before[tier]) <= set(after[tier]), tier


@pytest.mark.parametrize("when", [5 * SECOND, 40 * 365 * DAY], ids=["1970", "2009"])
def test_a_row_from_before_everything_fills_no_years(begin: Callable[..., Simulation], when: int) -> None:
    """A clock that is wrong at the start of a machine without one must not fill the store with one value."""
    simulation = begin(0)
    simulation.write([("temperature", simulation.clock - 1, 20.0, Flag.OK)])
    simulation.clock += 2 * HOUR
    simulation.roll_up()
    simulation.store.write([Row(simulation.series["temperature"], when, 1.0)], heartbeat=simulation.clock)
    simulation.store.roll_up(simulation.clock)
    with simulation.store.reader() as reader:
        assert reader.sizes().tiers["hourly"].rows < 2000


def test_an_hour_cut_by_the_end_of_raw_rows_stays_whole(begin: Callable[..., Simulation]) -> None:
    """In Kolkata hours begin at half past, so one of them has lost half of its rows."""
    simulation = a_silent_series(begin(1))
    for minutes in (3, 29, 31, 65):
        late = simulation.kept_from + minutes * MINUTE
        simulation.write([("power", late, 5.0, Flag.OK)])
        simulation.store.roll_up(simulation.clock)
        with simulation.store.reader() as reader:
            hours = stored_buckets(reader, "hourly", simulation.series["power"])
        assert all(one.end <= other.start for one, other in pairwise(hours)), minutes
        assert all(hour.end - hour.start == HOUR for hour in hours), minutes
    # Whatever of these rows was taken, the hours of which all rows are kept are as they should be.
    whole = simulation.kept_from + 90 * MINUTE
    assert simulation.problems(("hourly",), since=whole) == []


def test_the_end_of_raw_rows_never_moves_back(begin: Callable[..., Simulation]) -> None:
    simulation = begin(0)
    begin_at = simulation.start
    for hour in range(60):
        simulation.clock = begin_at + hour * HOUR + 20 * MINUTE
        simulation.write([("power", simulation.clock - 1, float(hour), Flag.OK)])
    simulation.write([("motion", simulation.clock - MINUTE, 1.0, Flag.OK)])
    simulation.roll_up()
    simulation.downsample("raw")
    # An old hour nothing was known of takes a row, and gives it away again with the next step.
    row = Row(simulation.series["motion"], begin_at + 5 * HOUR, 1.0)
    simulation.store.write([row], heartbeat=simulation.clock)
    simulation.store.roll_up(simulation.clock)
    simulation.downsample("raw")
    before = told(simulation)
    late = Row(simulation.series["power"], begin_at + 30 * HOUR, 777.0)
    simulation.store.write([late], heartbeat=simulation.clock)
    simulation.store.roll_up(simulation.clock)
    assert told(simulation) == before


@each_life
def test_values_known_from_before_the_raw_rows_still_count(begin: Callable[..., Simulation], number: int) -> None:
    """A reading hours after the last one: the meter has grown by the difference, and the level held until then."""
    simulation = begin(number)
    first = simulation.start + 40 * MINUTE + 17
    simulation.clock = first + SECOND
    names = ("energy", "power", "light", "washer", "climate")
    values = {"energy": 100.0, "power": 7.5, "light": 1.0, "washer": "heat", "climate": "dry"}
    simulation.write([(name, first, values[name], Flag.OK) for name in names])
    simulation.clock += 30 * HOUR
    simulation.roll_up()
    simulation.downsample("raw")
    # A late row in an hour that is rolled up, with nothing of its series among the rows still kept.
    late = simulation.clock - 2 * HOUR
    then = {"energy": 130.0, "power": 9.0, "light": 0.0, "washer": "cool", "climate": "off"}
    simulation.write([(name, late, then[name], Flag.OK) for name in names])
    simulation.roll_up()
    assert simulation.problems() == []
