"""The ladder runs once a night, catches up, and stops where a step fails."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata import retention
from custom_components.strata.core.model import Kind, SeriesKey, to_micros
from custom_components.strata.retention import Hooks, Retention, is_due, latest_due
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.worker import StoreWorker

DAY = 86_400_000_000
BERLIN = "Europe/Berlin"


def berlin(*parts: int) -> int:
    return to_micros(datetime(*parts, tzinfo=ZoneInfo(BERLIN)))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (berlin(2026, 3, 10, 12), berlin(2026, 3, 10, 2)),
        (berlin(2026, 3, 10, 1, 59), berlin(2026, 3, 9, 2)),
        (berlin(2026, 3, 10, 2), berlin(2026, 3, 10, 2)),
        # 02:00 does not exist on this night; two hours after midnight it is 03:00.
        (berlin(2026, 3, 29, 12), berlin(2026, 3, 29, 3)),
        # And on this night two hours after midnight is the first 02:00 of two.
        (berlin(2026, 10, 25, 12), berlin(2026, 10, 25, 2)),
    ],
)
def test_a_step_is_due_two_hours_after_midnight(now, due):
    assert latest_due(BERLIN, now) == due


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
