"""Which layers tell a span, and that together they leave nothing out and tell nothing twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from custom_components.strata.core.model import Kind, Row, Series, TimeRange
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.history import (
    ARCHIVE,
    History,
    Segment,
    TierRow,
    initial,
    look,
    resolution,
    segments,
)
from custom_components.strata.store.lineage import Lineage, lineages
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.tiers import DAILY, FIVE_MINUTE, HOURLY, RAW
from tests.unit.store.view_home import ViewHome, berlin

TZ = "Europe/Berlin"


_SAMPLES = {HOURLY: "sample_count", DAILY: "total_samples"}


def history(reader: StoreReader, timezone: str, series: Sequence[Series], when: TimeRange, **asked: Any) -> History:
    """Return what the store alone tells."""
    return look(reader, timezone, [Lineage(one) for one in series], when, **asked).told()


def days_of(*days: tuple[int, float, int, float, float | None]) -> Rollup:
    """Return days of a measurement: start, mean, samples, covered seconds, first value."""
    starts, means, samples, covered, first = (np.array(column) for column in zip(*days, strict=True))
    columns = {
        "n": samples.astype(np.int64),
        "covered": (covered * 1e6).astype(np.int64),
        "integral": means * covered,
        "first": first.astype(np.float64),
    }
    columns |= dict.fromkeys(("sum", "min", "max", "last"), means)
    return Rollup(Kind.MEASUREMENT, starts, starts + 86_400_000_000, columns)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ViewHome]:
    made = ViewHome(tmp_path, berlin(1))
    yield made
    made.store.close()


def test_the_span_decides_the_layer(home: ViewHome) -> None:
    slow = home.entity("sensor.temperature", unit="°C")
    fast = home.store.series(home.entity("sensor.load", unit="W").key, kind=Kind.MEASUREMENT, unit="W", fine=True)
    for days, plain, fine in ((1, RAW, RAW), (7, HOURLY, FIVE_MINUTE), (30, HOURLY, HOURLY), (90, DAILY, DAILY)):
        when = TimeRange(0, days * 86_400_000_000)
        assert (resolution([slow], when), resolution([fast], when)) == (plain, fine)


def test_layers_follow_each_other_without_overlap(home: ViewHome) -> None:
    load = home.entity("sensor.load", unit="W")
    load = home.store.series(load.key, kind=Kind.MEASUREMENT, unit="W", fine=True)
    start = berlin(1)
    for day in range(1, 31):
        home.store.write(Row(load, berlin(day, hour), 100.0 * (hour % 2)) for hour in range(24))
    home.now = berlin(30, 23)
    home.store.roll_up()
    home.store.downsample(RAW)
    when = TimeRange(start, berlin(30, 23))
    with home.store.reader() as reader:
        parts = segments(reader, TZ, Lineage(load), when, RAW)
        assert [part.tier for part in parts] == [FIVE_MINUTE, RAW]
        assert (parts[0].when.start, parts[-1].when.end) == (when.start, when.end)
        assert parts[0].when.end == parts[1].when.start
        found = history(reader, TZ, [load], when, tier=RAW, limit=100_000)
        assert found.tiers == [RAW, FIVE_MINUTE]
        [told] = found.series
        starts = [time for time, _, _ in told.rows]
        assert starts == sorted(set(starts))
        # Energy of the summaries plus that of the single changes is that of all 30 days: every second hour at 100 W.
        fine = sum(float(str(row["total_energy"])) for _, tier, row in told.rows if tier == FIVE_MINUTE)
        hours = (parts[0].when.end - start) / 3.6e9
        assert fine == pytest.approx(0.1 * (hours // 2))
        days = history(reader, TZ, [load], when, tier=DAILY)
        assert days.tiers == [DAILY]
        assert [row["total_samples"] for _, _, row in days.series[0].rows] == [24] * 29


@pytest.mark.parametrize("both", [False, True])
def test_five_minutes_begin_where_an_earlier_series_has_hours_no_more(home: ViewHome, both: bool) -> None:
    """It changed its registry id in the middle of a day; before, it may have had no 5-minute rows."""
    before, now = home.entity("sensor.before", unit="W"), home.entity("sensor.now", unit="W")
    now = home.store.series(now.key, kind=Kind.MEASUREMENT, unit="W", fine=True)
    before = home.store.series(before.key, kind=Kind.MEASUREMENT, unit="W", fine=both)
    assert resolved(home, before, now) == [], "nothing is there yet"
    home.put(before, *((berlin(day, hour), 100.0) for day in (1, 2, 3) for hour in range(24) if (day, hour) < (3, 12)))
    home.put(before, (berlin(3, 12), None))
    home.put(now, *((berlin(day, hour), 100.0) for day in (3, 4, 5) for hour in range(24) if (day, hour) >= (3, 12)))
    home.refresh(berlin(6))
    told = resolved(home, before, now)
    # Of the time before the newer one's first day hours tell, which both have.
    assert [tier for _, tier, _ in told].count(HOURLY) == (50 if both else 74), "up to midnight of UTC"
    ends = [0, *(int(start) + (300 if tier == FIVE_MINUTE else 3600) * 1_000_000 for start, tier, _ in told)]
    assert all(start >= end for (start, _, _), end in zip(told, ends, strict=False))
    # 100 W through five days, and none of it twice.
    assert sum(float(str(row["total_energy"])) for _, _, row in told) == pytest.approx(5 * 2.4)
    assert sum(int(str(row["sample_count"])) for _, _, row in told) == 5 * 24


def resolved(home: ViewHome, before: Series, now: Series) -> list[TierRow]:
    """Ask for 5-minute rows of one that goes on as another."""
    home.store.save_series()
    [line] = lineages([before], [before, now], {before.key: now.key})
    assert (line.series, line.earlier) == (now, (before,))
    with home.store.reader() as reader:
        return look(reader, TZ, [line], TimeRange(0, berlin(6)), tier=FIVE_MINUTE).told().series[0].rows


def test_pages_follow_each_other(home: ViewHome) -> None:
    lamp = home.entity("light.desk", Kind.ON_OFF)
    home.put(lamp, *((berlin(1, hour), float(hour % 2)) for hour in range(24)))
    home.refresh(berlin(2))
    when, rows, pages = TimeRange(berlin(1), berlin(2)), [], 0
    with home.store.reader() as reader:
        while True:
            found = history(reader, TZ, [lamp], when, limit=7)
            rows += found.series[0].rows
            pages += 1
            if found.next is None:
                break
            when = TimeRange(found.next, when.end)
    assert pages == 4
    assert [row["value"] for _, _, row in rows] == [float(hour % 2) for hour in range(24)]


def test_texts_gaps_and_what_held_before(home: ViewHome) -> None:
    mode = home.entity("climate.hall", Kind.TEXT)
    home.store.write([Row(mode, berlin(1, 6), None, "heat"), Row(mode, berlin(1, 12), None, "off")])
    load = home.entity("sensor.load", unit="W")
    home.put(load, (berlin(1, 6), 5.0), (berlin(1, 9), None))
    home.refresh(berlin(2))
    when = TimeRange(berlin(1, 8), berlin(2))
    with home.store.reader() as reader:
        found = history(reader, TZ, [mode, load], when)
        assert [[(row["value"], row["state"], row["flag"]) for _, _, row in one.rows] for one in found.series] == [
            [(None, "off", "ok")],
            [(None, None, "gap")],
        ]
        before = initial(reader, Lineage(mode), when.start)
        assert before is not None
        assert before["state"] == "heat"
        assert initial(reader, Lineage(mode), berlin(1)) is None
        hours = history(reader, TZ, [mode], when, tier=HOURLY).series[0].rows
        assert hours[4][2]["state_seconds"] == {"off": 3600.0}


def test_the_archive_tells_what_is_older_than_days(home: ViewHome) -> None:
    load = home.entity("sensor.load", unit="W")
    home.put(load, (berlin(1), 5.0))
    home.refresh(berlin(4))
    when = TimeRange(berlin(1, month=5), berlin(4))
    with home.store.reader() as reader:
        seen = look(reader, TZ, [Lineage(load)], when, tier=DAILY, archive=True)
    assert seen.open == [TimeRange(when.start, berlin(1))]
    found = seen.told({(load.key, load.kind): [days_of((berlin(1, month=5), 1.0, 1, 86_400.0, 1.0))]})
    assert [tier for _, tier, _ in found.series[0].rows] == [ARCHIVE, DAILY, DAILY, DAILY]
    assert found.tiers == [DAILY, ARCHIVE]


def test_the_archive_tells_what_is_missing_between_days(home: ViewHome) -> None:
    """Days that were put back stand before days that are in the archive only."""
    load = home.entity("sensor.load", unit="W")
    home.put(load, (berlin(1), 5.0), (berlin(3), None), (berlin(6), 7.0))
    home.refresh(berlin(8))
    # Months come one by one.
    archived = {
        (load.key, load.kind): [
            days_of((berlin(1), 9.0, 0, 86_400.0, np.nan), (berlin(2), 1.0, 1, 86_400.0, 1.0)),
            days_of((berlin(3), 2.0, 1, 86_400.0, 2.0), (berlin(4), 3.0, 1, 100.0, 3.0)),
        ]
    }
    when = TimeRange(berlin(1), berlin(8))
    with home.store.reader() as reader:
        seen = look(reader, TZ, [Lineage(load)], when, tier=DAILY, archive=True)
    assert seen.open == [TimeRange(berlin(1), berlin(6))]
    expected = [
        (berlin(1), DAILY, 5.0),
        # The archive has a sample of this day, the store none; both know all of it.
        (berlin(2), ARCHIVE, 1.0),
        (berlin(3), ARCHIVE, 2.0),
        (berlin(4), ARCHIVE, 3.0),
        (berlin(6), DAILY, 7.0),
        (berlin(7), DAILY, 7.0),
    ]
    found = seen.told(archived)
    assert [(start, tier, row["avg_value"]) for start, tier, row in found.series[0].rows] == expected
    for limit in range(1, 7):
        with home.store.reader() as reader:
            short = look(reader, TZ, [Lineage(load)], when, tier=DAILY, archive=True, limit=limit)
        found = short.told(archived)
        assert [(start, tier, row["avg_value"]) for start, tier, row in found.series[0].rows] == expected[:limit]
        assert found.next == (expected[limit][0] if limit < 6 else None)
        assert short.is_enough(archived) == (limit < 4)


def test_a_span_is_read_once_and_as_it_is_at_one_instant(home: ViewHome) -> None:
    load = home.entity("sensor.load", unit="W")
    for day in range(1, 31):
        home.store.write(Row(load, berlin(day, hour), 100.0 * (hour % 2)) for hour in range(24))
    home.refresh(berlin(30, 23))
    when = TimeRange(berlin(1, month=5), berlin(30, 23))
    tier, asked = StoreReader.tier, []

    def read(reader: StoreReader, name: str, series: int, kind: Kind, part: TimeRange) -> Rollup:
        asked.append((name, part.start))
        return tier(reader, name, series, kind, part)

    def night(*given: Any) -> list[Segment]:
        """Hand down what is past its time as soon as it is settled which layer tells what."""
        found = segments(*given)
        home.store.downsample(given[-1])
        return found

    for finest in (RAW, HOURLY, DAILY):
        asked.clear()
        with (
            home.store.reader() as reader,
            patch.object(StoreReader, "tier", read),
            patch("custom_components.strata.store.history.segments", night if finest != DAILY else segments),
        ):
            found = look(reader, TZ, [Lineage(load)], when, tier=finest, archive=True).told()
        assert len(asked) == len(set(asked)), "no stretch is read twice"
        counts = [1 if tier == RAW else row[_SAMPLES[tier]] for _, tier, row in found.series[0].rows]
        assert sum(counts) == 29 * 24 + (23 if finest != DAILY else 0)


@pytest.mark.parametrize("tier", [RAW, FIVE_MINUTE, HOURLY, DAILY])
def test_a_span_of_all_years_is_read_where_there_is_something(
    home: ViewHome, monkeypatch: pytest.MonkeyPatch, tier: str
) -> None:
    load = home.entity("sensor.load", unit="W")
    load = home.store.series(load.key, kind=Kind.MEASUREMENT, unit="W", fine=True)
    for day in (1, 2, 3):
        home.store.write(Row(load, berlin(day, hour), 100.0 * hour) for hour in range(24))
    home.now = berlin(4)
    home.store.roll_up()
    # The last rows are not in chunks yet.
    home.store.write([Row(load, berlin(4, 1), 1.0)])
    ever = TimeRange(-62_000_000_000_000_000, 253_000_000_000_000_000)
    near = TimeRange(berlin(1), berlin(4, 2))
    with home.store.reader() as reader:
        reads: list[object] = []
        for name in ("raw", "tier"):
            read = getattr(StoreReader, name)
            monkeypatch.setattr(StoreReader, name, lambda *args, read=read: (reads.append(args), read(*args))[1])
        told = history(reader, TZ, [load], ever, tier=tier)
        assert len(reads) <= 8
        assert told.series[0].rows == history(reader, TZ, [load], near, tier=tier).series[0].rows
        assert told.series[0].rows
        assert initial(reader, Lineage(load), ever.start) is None
