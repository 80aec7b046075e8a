"""The ladder runs once a night, catches up, and stops where a step fails."""

import asyncio
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata import retention
from custom_components.strata.core.clock import HOUR, first_moment
from custom_components.strata.core.model import Kind, SeriesKey, to_micros
from custom_components.strata.retention import Hooks, Retention, is_due, latest_due
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.worker import StoreWorker

DAY = 86_400_000_000
BERLIN = "Europe/Berlin"


def berlin(*parts: int) -> int:
    return to_micros(datetime(*parts, tzinfo=ZoneInfo(BERLIN)))


def clock(text: str) -> int:
    """Return the microseconds from 00:00 to a time of day."""
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000_000


def utc(text: str) -> int:
    return to_micros(datetime.fromisoformat(f"{text}+00:00"))


NIGHTS = [
    # Berlin, CEST (+2) to CET (+1) on 25 October 2026 at 01:00 UTC, CET to CEST on 29 March 2026 at 01:00 UTC.
    ("Europe/Berlin", "2026-03-29", "01:59", "2026-03-29T00:59"),
    ("Europe/Berlin", "2026-03-29", "02:00", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-03-29", "04:15", "2026-03-29T02:15"),
    ("Europe/Berlin", "2026-10-25", "02:00", "2026-10-25T00:00"),
    ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30"),
    ("Europe/Berlin", "2026-10-25", "03:00", "2026-10-25T02:00"),
    ("Europe/Berlin", "2026-10-25", "04:15", "2026-10-25T03:15"),
    # New York, EST (-5) to EDT (-4) on 8 March 2026 at 07:00 UTC, back on 1 November at 06:00 UTC.
    ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00"),
    ("America/New_York", "2026-03-08", "03:30", "2026-03-08T07:30"),
    ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30"),
    ("America/New_York", "2026-11-01", "02:00", "2026-11-01T07:00"),
    # Lord Howe, +10:30 to +11 on 4 October 2026 (15:30 UTC the day before), back on 5 April (15:00 UTC the day before).
    ("Australia/Lord_Howe", "2026-10-04", "02:00", "2026-10-03T15:30"),
    ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30"),
    ("Australia/Lord_Howe", "2026-10-04", "02:45", "2026-10-03T15:45"),
    ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45"),
    ("Australia/Lord_Howe", "2026-04-05", "02:00", "2026-04-04T15:30"),
    # Sao Paulo skipped midnight on 4 November 2018 (-3 to -2, 03:00 UTC) and had the hour before it twice in February.
    ("America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T03:00"),
    ("America/Sao_Paulo", "2018-11-04", "00:30", "2018-11-04T03:00"),
    ("America/Sao_Paulo", "2018-11-04", "02:00", "2018-11-04T04:00"),
    ("America/Sao_Paulo", "2018-02-17", "23:30", "2018-02-18T01:30"),
    ("America/Sao_Paulo", "2018-02-18", "00:00", "2018-02-18T03:00"),
    # Beirut, +2 to +3 at midnight of 29 March 2026, back at midnight of 25 October.
    ("Asia/Beirut", "2026-03-29", "00:30", "2026-03-28T22:00"),
    ("Asia/Beirut", "2026-03-29", "02:00", "2026-03-28T23:00"),
    ("Asia/Beirut", "2026-10-24", "23:30", "2026-10-24T20:30"),
    ("Asia/Beirut", "2026-10-25", "00:00", "2026-10-24T22:00"),
]


@pytest.mark.parametrize(("zone", "day", "time", "due"), NIGHTS)
def test_a_step_is_due_by_the_clock_on_the_wall(zone, day, time, due):
    moment = utc(due)
    assert first_moment(zone, date.fromisoformat(day), clock(time)) == moment
    assert latest_due(zone, moment, clock(time)) == moment
    assert latest_due(zone, moment + 6 * HOUR, clock(time)) == moment
    assert DAY - HOUR <= moment - latest_due(zone, moment - 1, clock(time)) <= DAY + HOUR


@pytest.mark.parametrize(("zone", "day", "time", "due"), NIGHTS)
def test_a_step_runs_once_on_every_night(zone, day, time, due):
    begin, last = utc(due) - 3 * DAY, None
    runs = []
    for now in range(begin, begin + 6 * DAY, 10 * 60_000_000):
        if is_due(zone, now, last, clock(time)):
            last = now
            runs.append(now)
    # The first look is a catch-up.
    days = [datetime.fromtimestamp(run / 1e6, ZoneInfo(zone)).date() for run in runs[1:]]
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    assert utc(due) <= min(run for run in runs if run >= utc(due)) < utc(due) + 10 * 60_000_000


def test_the_weekly_step_is_due_on_its_day_by_the_clock():
    assert latest_due(BERLIN, utc("2026-03-29T00:59"), clock("02:30"), 6) == berlin(2026, 3, 22, 2, 30)
    assert latest_due(BERLIN, utc("2026-03-29T01:00"), clock("02:30"), 6) == utc("2026-03-29T01:00")
    assert latest_due(BERLIN, berlin(2026, 4, 4, 12), clock("02:30"), 6) == utc("2026-03-29T01:00")
    assert latest_due(BERLIN, berlin(2026, 10, 26, 12), clock("03:00"), 6) == utc("2026-10-25T02:00")


def test_an_ordinary_night():
    assert latest_due(BERLIN, berlin(2026, 3, 10, 12)) == berlin(2026, 3, 10, 2)
    assert latest_due(BERLIN, berlin(2026, 3, 10, 1, 59)) == berlin(2026, 3, 9, 2)
    assert latest_due(BERLIN, berlin(2026, 3, 10, 2)) == berlin(2026, 3, 10, 2)


def test_a_missed_night_is_caught_up_and_a_done_one_is_not_repeated():
    now = berlin(2026, 3, 10, 12)
    assert is_due(BERLIN, now, None)
    assert is_due(BERLIN, now, berlin(2026, 3, 8, 2, 1))
    assert not is_due(BERLIN, now, berlin(2026, 3, 10, 2, 1))


@pytest.fixture
async def worker(tmp_path):
    made = StoreWorker(tmp_path / "strata.db", timezone="UTC", now=lambda: berlin(2026, 3, 1, 12))
    await made.open()
    series = made.series(SeriesKey.of_entity("home_assistant_events", "kettle"), kind=Kind.MEASUREMENT)
    for hour in range(48):
        made.put(series, berlin(2026, 3, 1, 12) + hour * 3_600_000_000, float(hour))
    await made.flush()
    yield made
    await made.close()


async def test_all_tiers_are_handed_down_once(worker):
    now = [berlin(2026, 3, 15, 12)]
    heard = []
    ladder = Retention(worker, lambda: now[0], Hooks(done=heard.append))
    await worker.write(lambda store: store.roll_up(now[0]))
    reports = await ladder.catch_up()
    assert [report.tier for report in reports] == ["raw", "five_minute", "hourly"]
    assert heard == reports
    assert reports[0].source_rows == 48
    assert await ladder.catch_up() == []
    now[0] += DAY
    assert len(await ladder.catch_up()) == 3


async def test_a_failed_step_stops_the_night_and_is_tried_again(worker, monkeypatch, caplog):
    now = berlin(2026, 3, 15, 12)
    ladder = Retention(worker, lambda: now)

    def fails(tier, now, **_):
        raise StoreError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(worker._store, "begin_downsample", fails)
        assert await ladder.catch_up() == []
    assert "no room" in caplog.text
    assert len(await ladder.catch_up()) == 3


async def test_what_cannot_be_proven_is_said(worker, monkeypatch, caplog):
    now = berlin(2026, 3, 15, 12)
    await worker.write(lambda store: store.roll_up(now))
    await worker.write(lambda store: store._connection.execute("DELETE FROM hourly_chunk"))
    monkeypatch.setattr("custom_components.strata.store.late.Settle._recompute", lambda self, series, late: None)
    reports = await Retention(worker, lambda: now).catch_up()
    assert reports[0].problems
    assert "could not be proven" in caplog.text


async def test_it_looks_again_and_again(worker, monkeypatch):
    monkeypatch.setattr(retention, "CHECK_SECONDS", 0.01)
    heard = []
    now = [berlin(2026, 3, 15, 12)]
    task = asyncio.create_task(Retention(worker, lambda: now[0], Hooks(done=heard.append)).run())
    async with asyncio.timeout(5):
        while len(heard) < 3:
            await asyncio.sleep(0.01)
        now[0] += DAY
        while len(heard) < 6:
            await asyncio.sleep(0.01)
    task.cancel()


async def test_what_a_step_has_done_is_logged(worker, caplog):
    caplog.set_level("INFO")
    now = berlin(2026, 3, 15, 12)
    await worker.write(lambda store: store.roll_up(now))
    report = await Retention(worker, lambda: now).downsample("raw")
    assert report.rows == 48
    [line] = [record.getMessage() for record in caplog.records if record.name == retention.__name__]
    assert line.startswith(f"Handed down 48 rows of the raw tier into {report.rows} in 0.")
    assert line.endswith(f" s: {report.bytes_freed} bytes freed, 0.0 % fewer rows, 0 problems")
