"""The store from the event loop: nothing waits, nothing is lost, trouble is announced."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
import threading

import pytest

from custom_components.strata.core.model import Flag, Forecast, Kind, SeriesKey, Slot, TimeRange
from custom_components.strata.store import worker as worker_module
from custom_components.strata.store.base import NoticeKind, StoreDamaged, StoreError, StoreFull
from custom_components.strata.store.rolling import RollUpRun
from custom_components.strata.store.tiers import DEFAULT_LADDER
from custom_components.strata.store.worker import StoreWorker

HOUR = 3_600_000_000
START = 500_000 * HOUR
ALL = TimeRange(0, 2**61)
KEY = SeriesKey.of_entity("home_assistant_events", "kettle")


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def notices():
    return []


@pytest.fixture
async def worker(tmp_path: Path, clock, notices):
    made = StoreWorker(tmp_path / "strata" / "strata.db", timezone="UTC", listener=notices.append, now=clock)
    await made.open()
    yield made
    await made.close()


def kettle(worker):
    return worker.series(KEY, kind=Kind.MEASUREMENT, unit="W", labels={"entity_id": "sensor.kettle"})


async def values(worker):
    series = worker.find(KEY)
    return (await worker.read(lambda reader: reader.raw(series.id, ALL))).values.tolist()


async def test_rows_wait_until_the_flush(worker):
    series = kettle(worker)
    worker.put(series, START, 1.0)
    worker.put(series, START + 1, 2.0)
    assert (worker.counters.received, worker.counters.waiting, worker.counters.stored) == (2, 2, 0)
    assert await worker.flush()
    assert (worker.counters.waiting, worker.counters.stored) == (0, 2)
    assert await values(worker) == [1.0, 2.0]
    assert worker.all_series() == (series,)


async def test_the_last_value_is_known_at_once_and_after_a_restart(worker, clock, tmp_path):
    series = kettle(worker)
    assert worker.last(series) is None
    worker.put(series, START, None, None, Flag.RESUME)
    worker.put(series, START, None, None, Flag.GAP)
    assert worker.last(series).value is None
    worker.put(series, START, 1.0)
    worker.put(series, START + 1, 99.0, None, Flag.SPIKE)
    assert worker.last(series).value == 1.0
    worker.put(series, START + 2, 0.5, None, Flag.CYCLE)
    assert (worker.last(series).value, worker.last(series).flag) == (0.5, Flag.CYCLE)
    worker.put(series, START + 3, None, None, Flag.GAP)
    last = worker.last(series)
    assert (last.value, last.flag, last.time) == (0.5, Flag.GAP, START + 3)
    assert worker.counters.flagged == {"spike": 1}
    clock.now = START + HOUR
    await worker.close()
    await worker.close()
    again = StoreWorker(worker.path, timezone="UTC", now=clock)
    report = await again.open()
    assert not report.unclean
    assert again.last_stop == START + HOUR
    assert again.last(again.find(KEY)) == last
    again.put(again.find(KEY), clock.now, None, None, Flag.RESUME)
    assert again.last(again.find(KEY)).flag is Flag.OK
    await again.close()


async def test_the_run_loop_flushes_and_rolls_up(worker, clock, monkeypatch):
    monkeypatch.setattr(worker_module, "FLUSH_SECONDS", 0.01)
    series = kettle(worker)
    worker.put(series, START, 4.0)
    task = asyncio.create_task(worker.run())
    while worker.counters.stored < 1:
        await asyncio.sleep(0.005)
    clock.now = START + HOUR + 30_000_000
    hours = []
    while not hours:
        await asyncio.sleep(0.01)
        hours = await worker.read(lambda reader: reader.tier("hourly", series.id, Kind.MEASUREMENT, ALL))
    task.cancel()
    assert hours.mean.tolist() == [4.0]


async def test_many_rows_do_not_wait_for_the_clock(worker):
    series = kettle(worker)
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    for n in range(3000):
        worker.put(series, START + n, 1.0)
    async with asyncio.timeout(5):
        while worker.counters.stored < 3000:
            await asyncio.sleep(0.005)
    task.cancel()


async def test_much_in_live_is_compacted_before_the_hour_ends(worker, monkeypatch):
    monkeypatch.setattr(worker_module, "_LIVE_LIMIT", 10)
    await worker.maintain()
    series = kettle(worker)
    for n in range(20):
        worker.put(series, START + n, 1.0)
    await worker.flush()
    await worker.maintain()
    live = await worker.read(lambda reader: reader.connection.execute("SELECT COUNT(*) FROM live").fetchone())
    assert live == (0,)


async def test_a_full_disk_is_announced_once_and_nothing_is_lost(worker, notices, monkeypatch):
    series = kettle(worker)
    worker.put(series, START, 1.0)

    def full(*args, **kwargs):
        raise StoreFull("no room on the disk")

    with monkeypatch.context() as patch:
        patch.setattr(worker._store, "write", full)
        assert not await worker.flush()
        worker.put(series, START + 1, 2.0)
        assert not await worker.flush()
    assert [notice.kind for notice in notices] == [NoticeKind.DISK_FULL]
    assert worker.counters.waiting == 2
    assert await worker.flush()
    assert [notice.kind for notice in notices] == [NoticeKind.DISK_FULL, NoticeKind.DISK_OK]
    assert await values(worker) == [1.0, 2.0]


async def test_waiting_rows_are_bounded_and_the_loss_is_counted(worker, notices, monkeypatch):
    monkeypatch.setattr(worker_module, "_WAITING_LIMIT", 3)
    series = kettle(worker)
    for n in range(5):
        worker.put(series, START + n, float(n))

    def fails(*args, **kwargs):
        raise StoreError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(worker._store, "write", fails)
        assert not await worker.flush()
    assert worker.counters.dropped == 2
    assert [(notice.kind, notice.detail) for notice in notices] == [(NoticeKind.ROWS_DROPPED, "2")]
    assert await worker.flush()
    assert await values(worker) == [2.0, 3.0, 4.0]


async def test_the_loop_retries_later_while_the_disk_is_full(worker, monkeypatch):
    monkeypatch.setattr(worker_module, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(worker_module, "_RETRY_SECONDS", (0.01, 0.02))
    series = kettle(worker)
    worker.put(series, START, 1.0)
    left = [3]
    real = worker._store.write

    def flaky(*args, **kwargs):
        if left[0]:
            left[0] -= 1
            raise StoreFull("no room")
        return real(*args, **kwargs)

    monkeypatch.setattr(worker._store, "write", flaky)
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        while worker.counters.stored < 1:
            await asyncio.sleep(0.01)
    task.cancel()


async def test_failed_maintenance_is_announced_once_and_tried_again(worker, notices, monkeypatch):
    monkeypatch.setattr(worker_module, "FLUSH_SECONDS", 0.01)
    left = [3]
    real = RollUpRun.step

    def flaky(run):
        if left[0]:
            left[0] -= 1
            raise StoreError("no roll-up today")
        return real(run)

    monkeypatch.setattr(RollUpRun, "step", flaky)
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        while len(notices) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    assert [notice.kind for notice in notices] == [NoticeKind.MAINTENANCE_FAILED, NoticeKind.MAINTENANCE_OK]
    assert left == [0]


async def test_damage_met_in_maintenance_keeps_the_file_aside(worker, notices, monkeypatch):
    monkeypatch.setattr(worker_module, "FLUSH_SECONDS", 0.01)
    real = RollUpRun.step

    def damaged(_run):
        monkeypatch.setattr(RollUpRun, "step", real)
        raise StoreDamaged("malformed")

    monkeypatch.setattr(RollUpRun, "step", damaged)
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        while not notices:
            await asyncio.sleep(0.01)
    task.cancel()
    assert [notice.kind for notice in notices] == [NoticeKind.SET_ASIDE]


async def test_a_damaged_file_is_kept_aside_at_the_start(tmp_path, notices, clock):
    path = tmp_path / "strata.db"
    path.write_bytes(b"not a database at all, sorry" * 300)
    worker = StoreWorker(path, timezone="UTC", listener=notices.append, now=clock)
    report = await worker.open()
    assert report.set_aside is not None
    assert report.set_aside.read_bytes().startswith(b"not a database")
    assert [notice.kind for notice in notices] == [NoticeKind.SET_ASIDE]
    worker.put(kettle(worker), START, 1.0)
    assert await worker.flush()
    await worker.close()


async def test_a_file_that_turns_out_damaged_is_replaced_and_rows_go_on(worker, notices, monkeypatch):
    series = kettle(worker)
    worker.put(series, START, 1.0)
    await worker.flush()
    assert await values(worker) == [1.0]
    worker.put(series, START + 1, 2.0)

    def damaged(*args, **kwargs):
        raise StoreDamaged("malformed")

    with monkeypatch.context() as patch:
        patch.setattr(worker._store, "write", damaged)
        assert not await worker.flush()
    assert [notice.kind for notice in notices] == [NoticeKind.SET_ASIDE]
    assert await worker.flush()
    assert await values(worker) == [2.0]
    assert len(list(worker.path.parent.glob("*.damaged-*"))) == 1


async def test_the_file_is_checked_after_an_unclean_stop(worker, clock, notices, monkeypatch):
    await worker.flush()
    worker._store.abandon()
    again = StoreWorker(worker.path, timezone="UTC", listener=notices.append, now=clock)
    assert (await again.open()).unclean
    await again.maintain()
    assert NoticeKind.CHECKED in {notice.kind for notice in notices}
    notices.clear()
    monkeypatch.setattr(worker_module.health, "quick_check", lambda connection: "row 1 missing from index")
    await again._check()
    assert [notice.kind for notice in notices] == [NoticeKind.SET_ASIDE]
    await again.close()
    worker._store.open()


async def test_rows_that_cannot_be_stored_at_the_end_are_counted(tmp_path, clock, monkeypatch):
    worker = StoreWorker(tmp_path / "strata.db", timezone="UTC", now=clock)
    await worker.open()
    worker.put(kettle(worker), START, 1.0)

    def fails(*args, **kwargs):
        raise StoreFull("no room")

    monkeypatch.setattr(worker._store, "write", fails)
    monkeypatch.setattr(worker._store, "close", fails)
    await worker.close()
    assert worker.counters.dropped == 1
    worker._store.abandon()


async def test_a_read_under_way_ends_before_its_connection_is_closed(tmp_path, clock):
    worker = StoreWorker(tmp_path / "strata.db", timezone="UTC", now=clock)
    await worker.open()
    begun, go_on = threading.Event(), threading.Event()

    def slow(reader):
        begun.set()
        go_on.wait(5)
        return reader.connection.execute("SELECT COUNT(*) FROM live").fetchone()

    reading = asyncio.create_task(worker.read(slow))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    closing = asyncio.create_task(worker.close())
    late = asyncio.create_task(worker.read(slow))
    await asyncio.sleep(0.02)
    assert not closing.done()
    go_on.set()
    assert await reading == (1,)
    await closing
    with pytest.raises(StoreError, match="closed"):
        await late
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("strata")]


async def test_a_cancelled_flush_still_stores_its_rows(worker, monkeypatch):
    series = kettle(worker)
    go_on = threading.Event()
    real = worker._store.write

    def slow(*args, **kwargs):
        go_on.wait(5)
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(worker._store, "write", slow)
        worker.put(series, START, 1.0)
        task = asyncio.create_task(worker.flush())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.01)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await values(worker) == [1.0]


async def test_rows_of_a_cancelled_flush_that_fails_wait_on(worker, monkeypatch):
    series = kettle(worker)
    go_on = threading.Event()

    def fails(*args, **kwargs):
        go_on.wait(5)
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(worker._store, "write", fails)
        worker.put(series, START, 1.0)
        task = asyncio.create_task(worker.flush())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.01)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert worker.counters.waiting == 1
    assert await worker.flush()
    assert await values(worker) == [1.0]


async def test_old_forecasts_make_way_while_they_cannot_be_stored(worker, monkeypatch):
    monkeypatch.setattr(worker_module, "_FORECASTS_LIMIT", 2)
    start = datetime(2026, 3, 10, tzinfo=UTC)
    for hour in range(4):
        slot = Slot(start, start + timedelta(hours=1), float(hour))
        worker.put_forecast("a", KEY, Forecast("EUR/kWh", start + timedelta(hours=hour), (slot,)))
    await worker.flush()
    kept = await worker.read(lambda reader: reader.forecasts("a", limit=9))
    assert [stored.forecast.slots[0].value for stored in kept] == [3.0, 2.0]


async def test_a_closed_store_says_so(tmp_path, clock):
    worker = StoreWorker(tmp_path / "strata.db", timezone="UTC", now=clock)
    await worker.open()
    await worker.close()
    with pytest.raises(StoreError, match="closed"):
        await worker.write(lambda store: store.roll_up())


async def test_clock_and_ladder_can_change_while_it_runs(worker):
    worker.timezone = "Asia/Kolkata"
    assert worker.timezone == "Asia/Kolkata"
    worker.ladder = DEFAULT_LADDER
    assert worker.ladder is DEFAULT_LADDER
    assert await worker.write(lambda store: store.timezone) == "Asia/Kolkata"
