"""A copy made while writes are held opens and is whole, however much arrives meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
import shutil

import pytest

from custom_components.strata.core.model import Kind, SeriesKey, TimeRange
from custom_components.strata.store import hold as holding
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.hold import Hold
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.worker import StoreWorker

NOON = 1_772_366_400_000_000
"""2026-03-01 12:00 UTC."""
SECOND = 1_000_000
KEY = SeriesKey.of_entity("home_assistant_events", "kettle")
ALL = TimeRange(0, 2**62)


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncGenerator[StoreWorker]:
    (tmp_path / "config").mkdir()
    made = StoreWorker(tmp_path / "config" / "strata.db", timezone="UTC", now=lambda: NOON)
    await made.open()
    yield made
    await made.close()


def put(worker: StoreWorker, first: int, count: int) -> None:
    series = worker.series(KEY, kind=Kind.MEASUREMENT)
    for number in range(first, first + count):
        worker.put(series, NOON + number * SECOND, float(number))


def copied(worker: StoreWorker, folder: Path) -> list[float]:
    """Copy the folder as a backup does, open the copy and return its values; it has to be sound."""
    folder.mkdir()
    for path in worker.path.parent.iterdir():
        if not path.name.endswith("-shm"):
            shutil.copy(path, folder)
    return opened(folder)


def opened(folder: Path) -> list[float]:
    with SqliteStore(folder / "strata.db", now=lambda: NOON) as store:
        assert store.quick_check() is None
        series = store.find(KEY)
        with store.reader() as reader:
            return reader.raw(series.id, ALL).values.tolist()


async def stored(worker: StoreWorker) -> list[float]:
    return await worker.read(lambda reader: reader.raw(worker.find(KEY).id, ALL).values.tolist())


async def test_a_copy_has_what_came_before_and_the_store_all_of_it(worker: StoreWorker, tmp_path: Path) -> None:
    put(worker, 0, 100)
    hold = Hold(worker)
    await hold.begin()
    assert hold.active
    assert (
        not worker.path.with_name("strata.db-wal").exists() or not worker.path.with_name("strata.db-wal").stat().st_size
    )
    put(worker, 100, 3000)
    flushing = asyncio.create_task(worker.flush())
    content = await asyncio.to_thread(worker.path.read_bytes)
    values = await asyncio.to_thread(copied, worker, tmp_path / "copy")
    assert values == [float(number) for number in range(100)]
    assert await asyncio.to_thread(worker.path.read_bytes) == content
    assert not flushing.done()
    assert await stored(worker) == values, "reading goes on meanwhile"

    await hold.end()
    assert await flushing
    assert not hold.active
    assert await stored(worker) == [float(number) for number in range(3100)]
    assert worker.counters.dropped == 0


@pytest.mark.parametrize("why", ["memory", "patience"])
async def test_a_copy_that_takes_too_long_is_whole_all_the_same(
    worker: StoreWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """The file is copied in two halves, and between them writing goes on and fills the WAL many times over."""
    monkeypatch.setattr(holding, "LOOK_SECONDS", 0.01)
    if why == "memory":
        monkeypatch.setattr(holding, "MOST_WAITING", 50)
    else:
        monkeypatch.setattr(holding, "HOLD_SECONDS", 0.05)
    put(worker, 0, 20_000)
    await worker.flush()
    await worker.write(lambda store: store.compact())
    hold = Hold(worker)
    await hold.begin()
    size = worker.path.stat().st_size
    with worker.path.open("rb") as file:
        half = file.read(size // 2)
    put(worker, 20_000, 50)
    async with asyncio.timeout(5):
        flushing = asyncio.create_task(worker.flush())
        await asyncio.sleep(0)
        # Beside those that are on their way to the writer more rows wait than memory is to hold.
        put(worker, 20_050, 51)
        assert await flushing
        assert await worker.flush()
    for round_ in range(4):
        put(worker, 20_101 + round_ * 20_000, 20_000)
        await worker.flush()
        await worker.write(lambda store: store.compact())
    with worker.path.open("rb") as file:
        file.seek(size // 2)
        rest = file.read()
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "strata.db").write_bytes(half + rest)
    # The WAL is copied last, and only half of it arrives.
    wal = worker.path.with_name("strata.db-wal").read_bytes()
    (copy / "strata.db-wal").write_bytes(wal[: len(wal) // 2 + 123])
    values = await asyncio.to_thread(opened, copy)
    assert values[:20_000] == [float(number) for number in range(20_000)]
    assert values == [float(number) for number in range(len(values))], "nothing is missing in between"
    await hold.end()
    assert await stored(worker) == [float(number) for number in range(100_101)]
    pages = await worker.write(lambda store: store._connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0])
    assert pages > 0


async def test_a_second_beginning_ends_the_first(worker: StoreWorker) -> None:
    hold = Hold(worker)
    await hold.begin()
    put(worker, 0, 10)
    async with asyncio.timeout(5):
        await hold.begin()
        await hold.end()
        await hold.end()
    assert await stored(worker) == [float(number) for number in range(10)]


async def test_where_nobody_says_that_it_is_done(worker: StoreWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "LONGEST_SECONDS", 0.05)
    hold = Hold(worker)
    await hold.begin()
    put(worker, 0, 10)
    async with asyncio.timeout(5):
        await worker.flush()
        while hold.active:
            await asyncio.sleep(0.01)
    assert len(await stored(worker)) == 10


async def test_a_closed_store_is_not_held(worker: StoreWorker) -> None:
    await worker.close()
    hold = Hold(worker)
    with pytest.raises(StoreError):
        await hold.begin()
    assert not hold.active


async def test_a_store_that_is_closed_meanwhile(worker: StoreWorker) -> None:
    hold = Hold(worker)
    await hold.begin()
    hold.release()
    await worker.close()
    await hold.end()
    assert not hold.active
