"""Which layers tell a span, and that together they leave nothing out and tell nothing twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.strata.core.model import Kind, Row, TimeRange
from custom_components.strata.store.history import ARCHIVE, archived_part, history, initial, resolution, segments
from custom_components.strata.store.tiers import DAILY, FIVE_MINUTE, HOURLY, RAW
from tests.unit.store.view_home import ViewHome, berlin

TZ = "Europe/Berlin"


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
        parts = segments(reader, TZ, load, when, RAW)
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
        before = initial(reader, mode, when.start)
        assert before is not None
        assert before["state"] == "heat"
        assert initial(reader, mode, berlin(1)) is None
        hours = history(reader, TZ, [mode], when, tier=HOURLY).series[0].rows
        assert hours[4][2]["state_seconds"] == {"off": 3600.0}


def test_the_archive_tells_what_is_older_than_days(home: ViewHome) -> None:
    load = home.entity("sensor.load", unit="W")
    home.put(load, (berlin(1), 5.0))
    home.refresh(berlin(4))
    asked: list[TimeRange] = []

    def archive(_: object, when: TimeRange) -> Iterator[tuple[int, dict[str, object]]]:
        asked.append(when)
        yield berlin(1, month=5), {"avg_value": 1.0}

    when = TimeRange(berlin(1, month=5), berlin(4))
    with home.store.reader() as reader:
        found = history(reader, TZ, [load], when, tier=DAILY, archive=archive)
    assert asked == [TimeRange(when.start, berlin(1))]
    assert [tier for _, tier, _ in found.series[0].rows] == [ARCHIVE, DAILY, DAILY, DAILY]
    assert found.tiers == [DAILY, ARCHIVE]


def test_the_archive_tells_what_is_missing_between_days(home: ViewHome) -> None:
    """Days that were put back stand before days that are in the archive only."""
    load = home.entity("sensor.load", unit="W")
    home.put(load, (berlin(1), 5.0), (berlin(3), None), (berlin(6), 7.0))
    home.refresh(berlin(8))

    def day(average: float, samples: int, covered: float) -> dict[str, object]:
        return {"avg_value": average, "total_samples": samples, "covered_seconds": covered, "first_value": average}

    archived = {
        berlin(1): day(9.0, 0, 86_400.0) | {"first_value": None},
        berlin(2): day(1.0, 1, 86_400.0),
        berlin(3): day(2.0, 1, 86_400.0),
        berlin(4): day(3.0, 1, 100.0),
    }
    when = TimeRange(berlin(1), berlin(8))
    with home.store.reader() as reader:
        assert archived_part(reader, TZ, load, when, DAILY) == TimeRange(berlin(1), berlin(6))
        found = history(reader, TZ, [load], when, tier=DAILY, archive=lambda *_: iter(archived.items()))
    assert [(start, tier, row["avg_value"]) for start, tier, row in found.series[0].rows] == [
        (berlin(1), DAILY, 5.0),
        # The archive has a sample of this day, the store none; both know all of it.
        (berlin(2), ARCHIVE, 1.0),
        (berlin(3), ARCHIVE, 2.0),
        (berlin(4), ARCHIVE, 3.0),
        (berlin(6), DAILY, 7.0),
        (berlin(7), DAILY, 7.0),
    ]
