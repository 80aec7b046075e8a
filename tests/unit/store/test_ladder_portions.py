"""Steps of the ladder hold the writer for portions of bounded weight; nothing depends on how they are shared out."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
import shutil
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core.model import Kind, Row, Series, SeriesKey, to_micros
from custom_components.strata.store import portions
from custom_components.strata.store.base import DownsampleReport
from custom_components.strata.store.keys import chunk_key, key_range, key_ranges
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DEFAULT_LADDER
from tests.naive_history import DAY, HOUR
from tests.unit.store.simulation import Simulation
from tests.unit.store.test_retention_properties import KEEP, LIVES

BEGIN = to_micros(datetime(2026, 3, 1, tzinfo=ZoneInfo("UTC")))
TABLES = ("raw_chunk", "five_minute_chunk", "hourly_chunk", "daily_chunk", "base", "carry", "resume", "kept_from")
AN_HOUR_APART = 3
"""Values an hour of each series in the stores below."""


class TornLadder(Simulation):
    """A life in which every series is a portion, and anything happens between two of them."""

    def downsample(
        self, tier: str, keeps: Mapping[str, Mapping[str, timedelta | None]] | None = None
    ) -> DownsampleReport:
        self.log.append(f"begin {tier} at {self.clock}")
        run = self.store.begin_downsample(tier, self.clock)
        if tier == "raw" and self.rolled:
            # What a step is about to delete nobody writes any more; late values for it are another test's.
            self.kept_from = max(self.kept_from, self.limit(KEEP["raw"]))
            self.not_before = max(self.not_before, self.kept_from + HOUR)
        between: tuple[Callable[[], None], ...] = (
            self.write_late,
            self.write_present,
            self.write_again,
            self.compact,
            self.follow,
            self.advance,
            self.roll_up,
        )
        while run.step():
            if self.random.random() < 0.5:
                self.random.choice(between)()
            if self.random.random() < 0.03:
                # As if killed here, or given up.
                self.reopen()
                return super().downsample(tier)
        return run.end()


@pytest.mark.parametrize("number", range(len(LIVES)), ids=[timezone for timezone, _ in LIVES])
@pytest.mark.parametrize("seed", [1, 2])
def test_anything_may_happen_between_portions(tmp_path: Path, number: int, seed: int, monkeypatch) -> None:
    monkeypatch.setattr(portions, "_MOST", 1)
    timezone, start = LIVES[number]
    ladder = DEFAULT_LADDER.keeping(KEEP)
    life = TornLadder(tmp_path / "s.db", 10 * seed + number, timezone, to_micros(start), ladder=ladder)
    for _ in range(15):
        life.live(10)
        life.clock += HOUR
        assert life.downsample(life.random.choice(("raw", "raw", "five_minute"))).problems == ()
    life.roll_up()
    assert life.downsample("raw").problems == ()
    life.roll_up()
    assert life.raw_problems(since=life.kept_from) == []
    assert life.problems(("hourly", "daily")) == []
    life.store.abandon()


@pytest.fixture(scope="module")
def rolled(tmp_path_factory) -> Path:
    """A store of 3 days of 5 series, one of which has nothing on the second; all rolled up."""
    path = tmp_path_factory.mktemp("ladder") / "s.db"
    store = opened(path)
    every = [named(store, number) for number in range(5)]
    store.write(
        [
            Row(one, BEGIN + n * HOUR // AN_HOUR_APART, float(n % 7))
            for number, one in enumerate(every)
            for n in range(3 * 24 * AN_HOUR_APART)
            if number != 3 or not 24 <= n // AN_HOUR_APART < 48
        ],
        heartbeat=BEGIN + 3 * DAY,
    )
    store.roll_up(BEGIN + 3 * DAY)
    store.close()
    return path


def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path, timezone="UTC", now=lambda: BEGIN + 3 * DAY)
    store.open()
    return store


def named(store: SqliteStore, number: int) -> Series:
    return store.series(SeriesKey.of_entity("home_assistant_events", f"power_{number}"), kind=Kind.MEASUREMENT)


def content(store: SqliteStore) -> dict[str, list[tuple[object, ...]]]:
    with store.reader() as reader:
        return {table: sorted(reader.connection.execute(f"SELECT * FROM {table}").fetchall()) for table in TABLES}


def raw_left(store: SqliteStore) -> int:
    with store.reader() as reader:
        return int(reader.connection.execute("SELECT COALESCE(SUM(rows), 0) FROM raw_chunk").fetchone()[0])


def handed_down(path: Path) -> dict[str, object]:
    store = opened(path)
    reports = [store.downsample(tier, BEGIN + 400 * DAY) for tier in ("raw", "five_minute", "hourly")]
    found = content(store)
    store.close()
    return {**found, "reports": [(each.source_rows, each.rows, each.bytes_freed, each.problems) for each in reports]}


def test_it_makes_no_difference_how_a_day_is_shared_out(rolled: Path, tmp_path: Path, monkeypatch) -> None:
    results = []
    for most in (1, 70, 10**9):
        monkeypatch.setattr(portions, "_MOST", most)
        path = Path(shutil.copy(rolled, tmp_path / f"{most}.db"))
        results.append(handed_down(path))
    assert results[0] == results[1] == results[2]
    assert results[0]["raw_chunk"] == []


def test_a_portion_has_as_many_series_as_their_chunks_allow(rolled: Path, tmp_path: Path, monkeypatch) -> None:
    """A series weighs 24 chunks and 6 for itself; 72 rows are not worth a chunk. On the second day one weighs 6."""
    monkeypatch.setattr(portions, "_MOST", 70)
    store = opened(Path(shutil.copy(rolled, tmp_path / "s.db")))
    run = store.begin_downsample("raw", BEGIN + 400 * DAY)
    left, progress = [raw_left(store)], [run.progress]
    while raw_left(store):
        assert run.step()
        left.append(raw_left(store))
        progress.append(run.progress)
    a_day = 24 * AN_HOUR_APART
    gone = [before - after for before, after in pairwise(left)]
    two, one = 2 * a_day, a_day
    assert gone == [two, two, one, two, two, two, two, one]
    assert progress == [(0, 3), (0, 3), (0, 3), (1, 3), (1, 3), (2, 3), (2, 3), (2, 3), (3, 3)]
    store.close()


def test_rows_make_a_portion_heavy_too(tmp_path: Path, monkeypatch) -> None:
    """7,500 rows in an hour weigh 30, their chunk 1 and the series 6; of 37 and 37 only one goes into 70."""
    monkeypatch.setattr(portions, "_MOST", 70)
    store = opened(tmp_path / "s.db")
    every = [named(store, number) for number in range(2)]
    store.write([Row(one, BEGIN + n * 400_000, float(n)) for one in every for n in range(7_500)])
    store.roll_up(BEGIN + DAY)
    run = store.begin_downsample("raw", BEGIN + 400 * DAY)
    assert run.step()
    assert raw_left(store) == 7_500
    assert run.step()
    assert raw_left(store) == 0
    store.close()


def test_it_makes_no_difference_where_it_was_killed(rolled: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(portions, "_MOST", 70)
    expected = handed_down(Path(shutil.copy(rolled, tmp_path / "whole.db")))
    for steps in range(1, 9):
        path = Path(shutil.copy(rolled, tmp_path / f"{steps}.db"))
        store = opened(path)
        run = store.begin_downsample("raw", BEGIN + 400 * DAY)
        for _ in range(steps):
            assert run.step()
        store.abandon()
        found = handed_down(path)
        assert {table: found[table] for table in TABLES} == {table: expected[table] for table in TABLES}


def test_late_values_of_a_series_are_settled_with_its_own_portion(rolled: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(portions, "_MOST", 1)
    store = opened(Path(shutil.copy(rolled, tmp_path / "s.db")))
    run = store.begin_downsample("raw", BEGIN + 400 * DAY)
    late = [named(store, 1), named(store, 4)]
    store.write([Row(one, BEGIN + HOUR + 1_000_000, 5.0) for one in late])

    def waiting() -> set[int]:
        with store.reader() as reader:
            return {number for (number,) in reader.connection.execute("SELECT series FROM dirty")}

    seen = []
    for _ in range(5):
        assert run.step()
        seen.append(waiting())
    four = {late[1].id}
    assert seen == [{late[0].id, late[1].id}, four, four, four, set()]
    while run.step():
        pass
    report = run.end()
    assert (report.problems, report.source_rows) == ((), (5 * 3 - 1) * 24 * AN_HOUR_APART + 2)
    store.close()


def test_days_of_which_all_stays_are_looked_at_some_at_a_time(tmp_path: Path) -> None:
    store = opened(tmp_path / "s.db")
    kept, other = named(store, 0), named(store, 1)
    store.write([Row(kept, BEGIN + n * DAY, 1.0) for n in range(30)] + [Row(other, BEGIN + 29 * DAY, 2.0)])
    store.roll_up(BEGIN + 30 * DAY)
    run = store.begin_downsample("raw", BEGIN + 400 * DAY, keeps={kept.id or 0: {"raw": None}})
    seen = [run.progress]
    while raw_left(store) > 30:
        assert run.step()
        seen.append(run.progress)
    assert seen == [(0, 30), (8, 30), (16, 30), (24, 30), (30, 30)]
    store.close()


def test_years_without_anything_are_not_looked_at(tmp_path: Path) -> None:
    store = opened(tmp_path / "s.db")
    one = named(store, 0)
    store.write([Row(one, HOUR, 1.0), Row(one, BEGIN, 2.0), Row(one, BEGIN + DAY, 3.0)])
    store.compact()
    store.transact(
        lambda connection: connection.execute("INSERT INTO watermark VALUES ('hourly', ?)", (BEGIN + 2 * DAY,))
    )
    run = store.begin_downsample("raw", BEGIN + 400 * DAY)
    days = [run.progress[0]]
    while run.step():
        days.append(run.progress[0])
    assert len(days) <= 5
    assert days == sorted(days)
    store.close()


def test_nothing_is_past_its_time(tmp_path: Path) -> None:
    store = opened(tmp_path / "s.db")
    store.write([Row(named(store, 0), BEGIN, 1.0)])
    store.roll_up(BEGIN + DAY)
    run = store.begin_downsample("raw", BEGIN + DAY)
    assert run.progress == (0, 0)
    assert run.end().source_rows == 0
    store.close()


def test_key_ranges_hold_the_chunks_that_are_asked_for() -> None:
    assert list(key_ranges(range(5, 8))) == [key_range(5, 7)]
    assert list(key_ranges(range(0))) == []
    assert list(key_ranges(range(5, 8), frozenset())) == []
    ranges = list(key_ranges(range(5, 7), {9, 3}))
    keys = [chunk_key(period, series, kind) for period in range(4, 8) for series in range(1, 12) for kind in (0, 3, 15)]
    inside = {key for low, high in ranges for key in keys if low <= key < high}
    assert inside == {
        chunk_key(period, series, kind) for period in (5, 6) for series in range(3, 10) for kind in (0, 3, 15)
    }
