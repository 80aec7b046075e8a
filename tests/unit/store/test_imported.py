"""Hours from elsewhere enter where the store tells nothing, and nowhere else."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from custom_components.strata.core.model import Flag, Kind, Micros, Row, Series, SeriesKey, TimeRange
from custom_components.strata.core.rollup import Rollup, rollup
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DAILY, DAY, DEFAULT_LADDER, HOUR, HOURLY

START: Micros = 1_800_000_000_000_000 // DAY * DAY
LADDER = DEFAULT_LADDER.keeping(
    {"raw": timedelta(days=1), "five_minute": timedelta(days=2), "hourly": timedelta(days=4), "daily": None}
)


class Home:
    """A store with one power and a clock."""

    def __init__(self, path: Path) -> None:
        self.clock = START
        self.store = SqliteStore(path / "strata.db", ladder=LADDER, now=lambda: self.clock)
        self.store.open()
        self.power = self.series("power")

    def series(self, name: str, kind: Kind = Kind.MEASUREMENT) -> Series:
        made = self.store.series(SeriesKey.of_entity("home_assistant_events", name), kind=kind, unit="W")
        self.store.save_series()
        return made

    def live(self, until: Micros, value: float = 5.0) -> None:
        """Record a value each hour."""
        while self.clock < until:
            self.store.write([Row(self.power, self.clock, value)], heartbeat=self.clock)
            self.clock += HOUR
        self.store.roll_up(self.clock)

    def night(self) -> None:
        for tier in ("raw", "five_minute", "hourly"):
            assert self.store.downsample(tier, self.clock).problems == ()

    def told(self, tier: str, series: Series | None = None) -> dict[Micros, float]:
        one = series or self.power
        with self.store.reader() as reader:
            found = reader.tier(tier, one.id or 0, one.kind, TimeRange(0, 2**52))
        return dict(zip(found.starts.tolist(), found.mean.tolist(), strict=True))


@pytest.fixture
def home(tmp_path: Path) -> Generator[Home]:
    made = Home(tmp_path)
    yield made
    made.store.abandon()


def hours(*starts: Micros, value: float = 9.0) -> Rollup:
    """Return hours in which a value held throughout."""
    edges = sorted({edge for start in starts for edge in (start, start + HOUR)})
    rolled = rollup(list(starts), [value] * len(starts), edges, kind=Kind.MEASUREMENT)
    return rolled.select(np.isin(rolled.starts, starts))


def test_hours_enter_only_where_there_are_none(home: Home) -> None:
    home.live(START + 3 * HOUR)
    home.clock += 2 * HOUR
    home.store.begin_import(home.clock)
    before = START - 5 * HOUR
    given = hours(before, START, START + HOUR, START + 2 * HOUR)
    assert home.store.import_hours(home.power, given) == 1
    told = home.told(HOURLY)
    assert told[before] == 9.0
    assert [told[START + at * HOUR] for at in range(3)] == [5.0] * 3
    assert home.store.import_hours(home.power, given) == 0, "the same again"


def test_nothing_is_nothing(home: Home) -> None:
    home.store.begin_import(home.clock)
    assert home.store.import_hours(home.power, hours(START).select(np.zeros(1, bool))) == 0


def test_days_follow_from_hours_that_enter(home: Home) -> None:
    home.live(START + 2 * DAY)
    home.store.begin_import(home.clock)
    day = START - 3 * DAY
    home.store.import_hours(home.power, hours(*(day + at * HOUR for at in range(12))))
    assert home.told(DAILY)[day] == 9.0
    home.store.import_hours(home.power, hours(*(day + at * HOUR for at in range(12, 24)), value=3.0))
    assert home.told(DAILY)[day] == pytest.approx(6.0), "12 hours of 9 and 12 of 3"


def test_a_day_whose_hours_are_gone_is_not_told_anew(home: Home) -> None:
    home.live(START + 8 * DAY)
    home.night()
    days = home.told(DAILY)
    gone = [START + DAY + at * HOUR for at in range(24)]
    assert not set(gone) & home.told(HOURLY).keys()
    home.store.begin_import(home.clock)
    assert home.store.import_hours(home.power, hours(*gone)) == 0
    assert home.told(DAILY) == days
    # A day before them that nobody tells is free, hours and all.
    free = [START - 2 * DAY + at * HOUR for at in range(24)]
    assert home.store.import_hours(home.power, hours(*free)) == 24
    assert home.told(DAILY) == days | {START - 2 * DAY: 9.0}


def test_a_store_that_never_rolled_up_counts_everything_before_now_as_told(home: Home) -> None:
    home.clock = START + 30 * HOUR
    assert home.store.begin_import(home.clock) == {}
    home.store.import_hours(home.power, hours(START))
    home.clock += DAY
    home.live(home.clock + HOUR)
    assert home.told(HOURLY)[START] == 9.0


def test_when_the_history_of_each_series_begins(home: Home) -> None:
    other, silent, short = home.series("other"), home.series("silent"), home.series("short")
    home.live(START + 8 * DAY)
    home.night()
    home.store.write([Row(other, home.clock - HOUR // 2, 1.0)], heartbeat=home.clock)
    # Of a series with a row in memory that is older than its chunks, that row is the beginning; a mark is none.
    home.store.write([Row(short, home.clock - HOUR // 4, 1.0)], heartbeat=home.clock)
    home.store.write([Row(silent, home.clock, flag=Flag.RESUME)], heartbeat=home.clock)
    begins = home.store.begin_import(home.clock)
    assert begins[home.power.id or 0] == START, "its first day is all that is left of it"
    assert begins[other.id or 0] == home.clock - HOUR // 2, "not at the beginning of the hour and day that it is in"
    assert begins[short.id or 0] == home.clock - HOUR // 4
    assert silent.id not in begins
    early = home.clock - 3 * DAY
    home.store.import_hours(other, hours(early))
    assert home.store.begin_import(home.clock)[other.id or 0] == early
    home.store.write([Row(other, early - DAY, 1.0)], heartbeat=home.clock)
    assert home.store.begin_import(home.clock)[other.id or 0] == early - DAY


def test_a_damaged_chunk_says_nothing(home: Home) -> None:
    home.live(START + 2 * HOUR)
    home.store.transact(lambda connection: connection.execute("UPDATE raw_chunk SET blob = x'00'"))
    home.store.transact(lambda connection: connection.execute("UPDATE hourly_chunk SET blob = x'00'"))
    assert home.store.begin_import(home.clock) == {}


def test_what_is_told_under_an_earlier_registry_id_does_not_enter_again(home: Home) -> None:
    """The entity has another registry id since, and the hours of before are brought back under it."""
    home.live(START + 6 * DAY)
    home.night()
    now = home.series("power_now")
    row = ("home_assistant_events", home.power.key.identity, home.power.key.field, "sensor.power")
    home.store.transact(
        lambda connection: connection.execute(
            "INSERT INTO archive_alias VALUES (?, ?, ?, ?, ?, ?)", (*row, now.key.identity, now.key.field)
        )
    )
    home.store.begin_import(home.clock)
    kept = min(home.told(HOURLY))
    before, handed_down = START - 5 * HOUR, START + 3 * HOUR
    assert handed_down < kept, "of it a day is there, and no hours"
    given = hours(before, handed_down, kept, kept + HOUR)
    assert home.store.import_hours(now, given) == 1
    assert list(home.told(HOURLY, now)) == [before]
    assert home.store.import_hours(home.series("another"), given) == 4
