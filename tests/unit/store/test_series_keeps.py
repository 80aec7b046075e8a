"""Single series that are kept longer or shorter than the others: nothing else about them is different."""

from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path

import pytest

from custom_components.strata.core.model import Flag, Kind, TimeRange, to_micros
from custom_components.strata.store import downsample
from custom_components.strata.store.buckets import decode_buckets, encode_buckets
from custom_components.strata.store.history import segments
from custom_components.strata.store.keys import key_series
from custom_components.strata.store.lineage import Lineage
from custom_components.strata.store.tiers import DEFAULT_LADDER
from tests.naive_history import DAY, HOUR, MINUTE
from tests.unit.store.compare import expected_rows, stored_buckets, stored_rows
from tests.unit.store.simulation import Simulation
from tests.unit.store.test_retention_properties import KEEP, LIVES, each_life, told

SHORT = timedelta(hours=3)
KEEPS = {
    "power": {"raw": None, "hourly": None},
    "energy": {"raw": timedelta(hours=20)},
    "temperature": {"raw": SHORT},
    "washer": {"raw": SHORT, "hourly": timedelta(days=1)},
}
ALL = TimeRange(0, 2**62)

type Begin = Callable[[int, int], Simulation]


@pytest.fixture
def begin(tmp_path: Path) -> Generator[Begin]:
    begun: list[Simulation] = []

    def simulation(number: int, seed: int) -> Simulation:
        timezone, start = LIVES[number]
        ladder = DEFAULT_LADDER.keeping(KEEP)
        begun.append(Simulation(tmp_path / f"{len(begun)}.db", seed, timezone, to_micros(start), ladder=ladder))
        return begun[-1]

    yield simulation
    for each in begun:
        each.store.abandon()


@each_life
@pytest.mark.parametrize("seed", [1, 2])
def test_each_series_is_kept_as_long_as_it_says(begin: Begin, number: int, seed: int) -> None:
    simulation = begin(number, seed)
    kept = dict.fromkeys(simulation.series, 0)
    for _ in range(5):
        simulation.live(40)
        simulation.clock += 2 * HOUR
        simulation.roll_up()
        assert simulation.downsample("raw", KEEPS).problems == ()
        for name in kept:
            own = KEEPS.get(name, {}).get("raw", KEEP["raw"])
            if own is not None:
                kept[name] = max(kept[name], simulation.limit(own))
    with simulation.store.reader() as reader:
        for name, series in simulation.series.items():
            assert stored_rows(reader, series, ALL) == expected_rows(simulation.naive[name], kept[name]), name
    assert simulation.problems() == []


@each_life
@pytest.mark.parametrize("seed", [6, 7])
def test_what_cannot_be_proven_stays_from_there_on(
    begin: Begin, number: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days after one that is refused stay, too: nothing of the series is left out, doubled or out of order."""
    simulation = begin(number, seed)
    refused, begins = simulation.series["power"].id, simulation.start + DAY
    plain = downsample.rows_differ

    def rows_differ(series, history, rolled, when, raw_from) -> str | None:
        if series.id == refused and when.start <= begins < when.end:
            return "its roll-up is not as it should be"
        return plain(series, history, rolled, when, raw_from)

    while simulation.clock < simulation.start + 3 * DAY:
        simulation.live(12)
        simulation.clock += HOUR
    simulation.roll_up()
    monkeypatch.setattr(downsample, "rows_differ", rows_differ)
    for _ in range(2):
        report = simulation.downsample("raw")
        assert [problem.partition(":")[0] for problem in report.problems] == ["power"]
        with simulation.store.reader() as reader:
            rows = stored_rows(reader, simulation.series["power"], ALL)
            oldest = rows[0][0]
            assert rows == expected_rows(simulation.naive["power"], oldest)
            assert begins - DAY <= oldest < begins + DAY
            told_by = segments(reader, simulation.timezone, Lineage(simulation.series["power"]), ALL, "raw")
        # Answers are made of all rows that stay, but those of a local hour that is not whole any more.
        assert told_by[-1].tier == "raw"
        assert told_by[-1].when.start < oldest + HOUR
        assert simulation.problems() == []
        late = begins + 3 * HOUR + 1
        simulation.write([("power", late, 321.5, Flag.OK)])
        simulation.clock += 2 * HOUR
        simulation.roll_up()
        assert simulation.problems() == []

    monkeypatch.undo()
    assert simulation.downsample("raw").problems == ()
    with simulation.store.reader() as reader:
        left = stored_rows(reader, simulation.series["power"], ALL)
    assert left == expected_rows(simulation.naive["power"], simulation.limit(timedelta(hours=9)))
    assert simulation.problems() == []


def test_a_day_that_disagrees_keeps_its_hours_and_those_after_it(begin: Begin) -> None:
    simulation = begin(0, 8)
    while simulation.clock < simulation.start + 6 * DAY:
        simulation.live(10)
        simulation.clock += HOUR
    simulation.roll_up()
    power, bad = simulation.series["power"], simulation.start + int(1.5 * DAY)
    _damage_day(simulation, bad)
    for tier in ("raw", "five_minute"):
        assert simulation.downsample(tier).problems == ()
    report = simulation.downsample("hourly")
    assert [problem.partition(":")[0] for problem in report.problems] == ["power"]
    with simulation.store.reader() as reader:
        hours = stored_buckets(reader, "hourly", power)
        due = [bucket for bucket in simulation.expected("hourly", "power") if bucket.start >= hours[0].start]
        assert [bucket.start for bucket in hours] == [bucket.start for bucket in due]
        assert hours[0].start < bad
        told_by = segments(reader, simulation.timezone, Lineage(power), ALL, "hourly")
        assert told_by[-1].when.start <= bad
        others = stored_buckets(reader, "hourly", simulation.series["temperature"])
        assert others[0].start > bad + DAY


def _damage_day(simulation: Simulation, instant: int) -> None:
    """Let one day of the power series say that it counted a row more; only the file can show that."""
    connection, number = simulation.store._connection, simulation.series["power"].id
    for key, blob in connection.execute("SELECT key, blob FROM daily_chunk").fetchall():
        days = decode_buckets(blob, Kind.MEASUREMENT) if key_series(key) == number else []
        for place in range(len(days)):
            if days.starts[place] <= instant < days.ends[place]:
                days.columns["n"][place] -= 1
                connection.execute(
                    "UPDATE daily_chunk SET blob = ? WHERE key = ?", (encode_buckets(days, simulation.timezone), key)
                )
                return
    raise AssertionError("there is no such day")


@each_life
def test_a_late_row_counts_where_the_rows_of_its_own_series_are_kept(begin: Begin, number: int) -> None:
    """Rows of others are gone for that time; that is no reason to refuse this one."""
    simulation = begin(number, 3)
    simulation.live(120)
    simulation.clock += 6 * HOUR
    simulation.roll_up()
    assert simulation.downsample("raw", KEEPS).problems == ()
    before = simulation.store.counters.too_late
    late = simulation.clock - 5 * HOUR
    simulation.write([("energy", late, 250.0, Flag.OK), ("power", late, 77.0, Flag.OK), ("light", late, 1.0, Flag.OK)])
    simulation.roll_up()
    assert simulation.store.counters.too_late == before
    assert simulation.problems() == []
    simulation.clock += 12 * HOUR
    simulation.roll_up()
    assert simulation.downsample("raw", KEEPS).problems == ()
    assert simulation.problems() == []


def test_hours_are_kept_by_series_too(begin: Begin) -> None:
    simulation = begin(0, 4)
    while simulation.clock < simulation.start + 5 * DAY:
        simulation.live(10)
        simulation.clock += HOUR
    simulation.roll_up()
    days = told(simulation, "daily")
    for tier in ("raw", "five_minute", "hourly"):
        assert simulation.downsample(tier, KEEPS).problems == ()
    rolled = simulation.edges()[1][-1]
    with simulation.store.reader() as reader:
        for name, series in simulation.series.items():
            own = KEEPS.get(name, {}).get("hourly", KEEP["hourly"])
            oldest = 0
            if own is not None:
                oldest = min(simulation.clock - own // timedelta(microseconds=1), rolled) // DAY * DAY
            found = stored_buckets(reader, "hourly", series)
            due = [bucket for bucket in simulation.expected("hourly", name) if bucket.start >= oldest]
            assert [bucket.start for bucket in found] == [bucket.start for bucket in due], name
    assert told(simulation, "daily") == days


def test_a_series_that_was_kept_for_ever_and_no_longer_is(begin: Begin) -> None:
    simulation = begin(0, 5)
    for hour in range(60):
        simulation.clock = simulation.start + hour * HOUR + 20 * MINUTE
        simulation.write([(name, simulation.clock - 1, float(hour), Flag.OK) for name in ("power", "temperature")])
    simulation.roll_up()
    simulation.downsample("raw", {"power": {"raw": None}})
    before = told(simulation)
    with simulation.store.reader() as reader:
        assert len(stored_rows(reader, simulation.series["power"], ALL)) == 60
    report = simulation.downsample("raw")
    assert report.problems == ()
    # Rows come 27 minutes past each hour from 03:27 on; at 14:27 what is older than 05:00 is nine hours old.
    assert report.source_rows == 50
    assert told(simulation) == before


def test_where_everything_is_kept_for_ever_nothing_is_due(begin: Begin) -> None:
    simulation = begin(0, 6)
    simulation.live(80)
    simulation.clock += 3 * DAY
    simulation.roll_up()
    report = simulation.downsample("raw", {name: {"raw": None} for name in simulation.series})
    assert report.source_rows == 0
    assert simulation.raw_problems() == []
