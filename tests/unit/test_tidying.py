"""What the night does besides the tiers, through the worker: everything stays level, and nobody waits for it long."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from custom_components.strata.core.model import Cause, Kind, Row, Series, SeriesKey, TimeRange
from custom_components.strata.retention import STEPS, Hooks, Retention
from custom_components.strata.store import sweep as sweep_module
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.sweeping import SweepRun
from custom_components.strata.store.tiers import DAY, HOUR
from custom_components.strata.store.worker import StoreWorker
from custom_components.strata.tidying import DETAILS_KEPT, sweep, tidy

START = 1_767_225_600_000_000
"""2026-01-01 00:00 UTC."""
MINUTE = HOUR // 60
EVER = TimeRange(0, 2**61)


class Clock:
    """Stands where the test wants it."""

    now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def worker(tmp_path: Path, clock: Clock) -> AsyncIterator[StoreWorker]:
    made = StoreWorker(tmp_path / "strata.db", timezone="UTC", now=clock)
    await made.open()
    yield made
    await made.close()


def screen(worker: StoreWorker, name: str = "screen") -> Series:
    return worker.series(SeriesKey.of_entity("home_assistant_events", name), kind=Kind.TEXT)


def counted(reader: StoreReader) -> dict[str, int]:
    return {
        table: reader.connection.execute(f"SELECT COUNT(*) FROM {table} WHERE id > 0").fetchone()[0]
        for table in ("text", "attributes", "cause")
    }


async def test_sixty_days_of_what_never_comes_twice_stay_level(worker: StoreWorker, clock: Clock) -> None:
    seen = screen(worker)
    keeps = {"raw": timedelta(days=2), "hourly": timedelta(days=8)}

    async def kept() -> dict[int, dict[str, timedelta]]:
        return {seen.id or 0: keeps}

    ladder = Retention(worker, clock, Hooks(keeps=kept))
    counts, sizes = [], []
    for _ in range(60):
        rows = [
            Row(seen, at, None, f"seen at {at}", attributes={"seen": at}, cause=Cause(str(at), "parent"))
            if at % HOUR == 0
            else Row(seen, at, None, f"seen at {at}")
            for at in range(clock.now, clock.now + DAY, MINUTE)
        ]
        await worker.write(lambda store, rows=rows: store.write(rows))  # type: ignore[misc]
        clock.now += DAY
        await worker.roll_up()
        for step in STEPS:
            assert (await ladder.downsample(step)).problems == ()
        counts.append(await worker.read(counted))
        sizes.append(await worker.read(lambda reader: reader.sizes().file_bytes))
    # Attributes and causes of 30 days, and what holds on.
    assert {count["attributes"] for count in counts[35:]} <= {30 * 24 + 1, 30 * 24 + 2}
    assert {count["cause"] for count in counts[35:]} <= {30 * 24 + 1, 30 * 24 + 2}
    # 2 days of rows with what is new before the next sweep, 8 of hours with 20 names and their ends, and days.
    texts = [count["text"] for count in counts]
    assert max(texts) <= 9 * 1440 + 16 * 24 * 22 + 60 * 22
    assert max(texts[50:]) - max(texts[30:40]) <= 20 * 22 + 24
    assert max(sizes[50:]) <= 1.1 * max(sizes[30:40])


async def test_rows_are_written_between_portions(
    worker: StoreWorker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "_DELETED_AT_ONCE", 1)
    await worker.write(lambda store: store.codes([f"word {number}" for number in range(50)]))
    said = screen(worker)
    portions = 0
    step = SweepRun.step

    def counted(run: SweepRun) -> bool:
        nonlocal portions
        portions += 1
        return step(run)

    monkeypatch.setattr(SweepRun, "step", counted)
    sweeping = asyncio.create_task(sweep(worker, clock.now, texts=True))
    count = 0
    while not sweeping.done():
        worker.put(said, clock.now + count, None, f"word {count % 50}")
        assert await worker.flush()
        count += 1
    deleted = await sweeping
    assert portions >= sum(deleted.values())
    found = await worker.read(lambda reader: reader.raw(said.id or 0, EVER).texts.tolist())
    words = await worker.read(lambda reader: reader.texts(set(found)))
    assert [words[code] for code in found] == [f"word {number % 50}" for number in range(count)]


async def test_a_sweep_that_fails_is_told_and_the_next_one_works(
    worker: StoreWorker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.write(lambda store: store.codes(["a", "b"]))

    def broken(run: SweepRun) -> bool:
        raise StoreError("no")

    with monkeypatch.context() as patched:
        patched.setattr(SweepRun, "step", broken)
        with pytest.raises(StoreError, match="no"):
            await sweep(worker, clock.now)
    assert (await sweep(worker, clock.now))["text"] == 1


async def test_a_store_that_closes_meanwhile_ends_it(worker: StoreWorker, clock: Clock) -> None:
    await worker.write(lambda store: store.codes(["a", "b"]))
    begun = SqliteStore.begin_sweep

    def close_then(*args: object, **named: object) -> SweepRun:
        closing.append(asyncio.run_coroutine_threadsafe(worker.close(), loop))
        return begun(*args, **named)  # type: ignore[arg-type]

    loop, closing = asyncio.get_running_loop(), []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SqliteStore, "begin_sweep", close_then)
        with pytest.raises(StoreError, match="closed"):
            await sweep(worker, clock.now)
    await asyncio.wrap_future(closing[0])


async def test_old_forecasts_and_details_go_and_texts_are_swept_once_a_week(worker: StoreWorker, clock: Clock) -> None:
    lamp = screen(worker)
    worker.put(lamp, clock.now, None, "on", attributes={"level": 1}, cause=Cause("old", "parent"))
    worker.put(lamp, clock.now + 1, None, "on", attributes={"level": 2})
    await worker.flush()
    await worker.write(lambda store: store.codes(["unused", "newest"]))
    clock.now += DETAILS_KEPT // timedelta(microseconds=1) + 2 * HOUR
    await worker.roll_up()
    await tidy(worker, clock.now)
    assert await worker.read(counted) == {"text": 2, "attributes": 1, "cause": 0}
    await worker.write(lambda store: store.codes(["unused", "newest again"]))
    clock.now += DAY
    await tidy(worker, clock.now)
    assert (await worker.read(counted))["text"] == 4
    clock.now += 6 * DAY
    await tidy(worker, clock.now)
    assert (await worker.read(counted))["text"] == 2
