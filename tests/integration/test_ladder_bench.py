"""A small seeded sample of the bench of a year: what the ladder leaves is little, and says what the generator said."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from custom_components.strata.core.clock import floor_day
from custom_components.strata.core.model import Kind, Series, TimeRange
from custom_components.strata.store.base import RawRows
from custom_components.strata.store.rows import merge
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DAILY, RAW
from scripts.benchmarks.home_events import SORTS, START
from scripts.benchmarks.ladder_year import OPERATIONS
from scripts.benchmarks.year import DAY, PlainRows, Year, write_rows

pytestmark = pytest.mark.xdist_group("ladder_bench")

DAYS = 100
PER_DAY = 5_000
TIMEZONE = "Europe/Berlin"
COUNTS = {"power": 2, "temperature": 1, "energy": 2, "motion": 1, "mode": 1}
"""Entities of each sort: with as many changes a day, each changes about as often as one of 150 in a busy home."""
MINUTE = 60_000_000
EVER = TimeRange(0, 2**62)


@dataclass
class Home:
    """A store after the ladder, and what went into it."""

    store: SqliteStore
    told: Mapping[int, RawRows]
    plain: int
    raw: int
    now: int

    @property
    def until(self) -> int:
        """Up to when days are closed."""
        return floor_day(TIMEZONE, self.now)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder: Path = tmp_path_factory.mktemp("year")
    clock = [START]
    store = SqliteStore(folder / "year.db", timezone=TIMEZONE, now=lambda: clock[0])
    store.open()
    sorts = [replace(sort, count=COUNTS[sort.name]) for sort in SORTS if sort.name in COUNTS]
    year, plain = Year(store, per_day=PER_DAY, sorts=sorts), PlainRows(folder / "plain.db")
    told: dict[int, list[RawRows]] = {}
    for day in range(DAYS):
        rows = year.day(day)
        write_rows(store, rows)
        plain.write(rows)
        for number, found in rows.items():
            told.setdefault(number, []).append(found)
    store.checkpoint()
    raw = store.path.stat().st_size
    for day in range(1, DAYS + 1):
        clock[0] = START + day * DAY + MINUTE
        store.write((), heartbeat=clock[0])
        store.roll_up()
    reports = [store.downsample(tier) for tier in OPERATIONS]
    assert [report.problems for report in reports] == [(), (), ()]
    assert all(report.source_rows for report in reports)
    store.checkpoint()
    return Home(store, {number: merge(parts) for number, parts in told.items()}, plain.close(), raw, clock[0])


def test_what_is_left_is_as_little_as_of_a_year(home: Home) -> None:
    # What is kept of single values, 5 minutes and hours is full after 90 days, and single days weigh next to nothing:
    # as much is left of 100 days as of a year, of which it may be 5 % of plain rows and 10 % of raw chunks.
    left = home.store.path.stat().st_size
    assert left <= 0.05 * 365 / DAYS * home.plain
    assert left <= 0.10 * 365 / DAYS * home.raw


def test_a_second_run_finds_nothing_to_do(home: Home) -> None:
    with home.store.reader() as reader:
        before = reader.sizes(by_series=True)
        for tier in OPERATIONS:
            report = home.store.downsample(tier)
            assert (report.source_rows, report.bytes_freed, report.problems) == (0, 0, ())
        after = reader.sizes(by_series=True)
    assert (after.tiers, after.by_series) == (before.tiers, before.by_series)


def test_single_values_stay_for_their_time_and_no_longer(home: Home) -> None:
    keep = home.store.ladder[RAW].keep
    assert keep is not None
    border = home.now - int(keep.total_seconds()) * 1_000_000
    with home.store.reader() as reader:
        for number, told in home.told.items():
            kept = reader.raw(number, EVER)
            newest = told.times >= border
            # The hour in which the border lies stays whole.
            assert border - 60 * MINUTE <= kept.times[0]
            assert np.array_equal(kept.times[kept.times >= border], told.times[newest])
            assert np.array_equal(kept.values[kept.times >= border], told.values[newest], equal_nan=True)


def test_days_say_what_the_generator_said(home: Home) -> None:
    with home.store.reader() as reader:
        for series in home.store.all_series():
            days = reader.tier(DAILY, series.id or 0, series.kind, EVER)
            told = home.told[series.id or 0]
            inside = told.times < home.until
            times, values = told.times[inside], told.values[inside]
            columns = days.columns
            assert int(columns["n"].sum()) == len(times)
            assert int(columns["covered"].sum()) == home.until - int(times[0])
            _compare(series, columns, times, values, home.until)


def _compare(
    series: Series,
    columns: Mapping[str, np.ndarray],
    times: np.ndarray,
    values: np.ndarray,
    until: int,
) -> None:
    lasted = np.diff(np.append(times, until))
    if series.kind is Kind.MEASUREMENT:
        assert (columns["min"].min(), columns["max"].max()) == (values.min(), values.max())
        assert columns["sum"].sum() == pytest.approx(values.sum(), rel=1e-9)
        # Each integral is kept with 37 significant bits.
        assert columns["integral"].sum() == pytest.approx(float((values * lasted).sum()) / 1e6, rel=1e-10)
    elif series.kind is Kind.METER:
        assert columns["increase"].sum() == pytest.approx(values[-1] - values[0], rel=1e-9)
        assert int(columns["resets"].sum()) == 0
    elif series.kind is Kind.ON_OFF:
        assert int(columns["on"].sum()) == int(lasted[values == 1].sum())
        assert int(columns["transitions"].sum()) == int((np.diff(values) != 0).sum())
