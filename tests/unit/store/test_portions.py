"""Long work on the writer's thread goes on in portions: others have their turn, and nothing depends on where it is."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.core.model import Kind, Row, SeriesKey, TimeRange, to_micros
from custom_components.strata.store import compact as compact_module, worker as worker_module
from custom_components.strata.store.base import NoticeKind, StoreError
from custom_components.strata.store.rolling import RollUpRun
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.worker import StoreWorker
from tests.naive_history import DAY, HOUR
from tests.unit.store.simulation import Simulation
from tests.unit.store.test_store_properties import LIVES

ALL = TimeRange(0, 2**61)
BEGIN = to_micros(datetime(2026, 3, 1, tzinfo=ZoneInfo("Europe/Berlin")))
POWER = SeriesKey.of_entity("home_assistant_events", "power")


class Torn(Simulation):
    """A life whose roll-ups are never in one piece: anything happens between their portions."""

    begun = 0
    """Up to when a roll-up was begun. One that was cut off has done some of it, which the naive history cannot know."""

    def roll_up(self) -> None:
        self.write([])
        self.log.append(f"begin roll_up {self.clock}")
        moment = self.clock
        self.begun = max(self.begun, moment)
        run = self.store.begin_roll_up(moment)
        between: tuple[Callable[[], None], ...] = (
            self.write_late,
            self.write_present,
            self.write_again,
            self.compact,
            self.follow,
            self.advance,
            super().roll_up,
        )
        while run.step():
            self.log.append("portion")
            if self.random.random() < 0.6:
                self.random.choice(between)()
            if self.random.random() < 0.05:
                # As if killed here, or given up.
                self.reopen()
                return
        self.rolled = max(self.rolled, moment)


@pytest.mark.parametrize("number", range(len(LIVES)))
@pytest.mark.parametrize("seed", [1, 2])
def test_anything_may_happen_between_portions(tmp_path: Path, number: int, seed: int, monkeypatch) -> None:
    monkeypatch.setattr(compact_module, "_ROWS_AT_ONCE", 20)
    timezone, start = LIVES[number]
    life = Torn(tmp_path / "s.db", 100 * seed + number, timezone, to_micros(start))
    life.live(150)
    life.clock += 2 * DAY
    life.live(20)
    life.compact()
    # Restarts may have set the clock back.
    life.clock = max(life.clock, life.begun)
    Simulation.roll_up(life)
    assert life.raw_problems() == []
    assert life.problems() == []
    life.catch_up()
    assert life.follower_problems() == []
    life.store.abandon()


def unrolled(path: Path, days: int, *, timezone: str = "Europe/Berlin", series: int = 5) -> SqliteStore:
    """Return a store with a value every 20 minutes of each series, none of it compacted."""
    store = SqliteStore(path, timezone=timezone, now=lambda: BEGIN + days * DAY)
    store.open()
    fill(store, range(days * 72), series)
    return store


def fill(store: SqliteStore, moments: range, series: int = 5) -> None:
    every = [
        store.series(
            SeriesKey.of_entity("home_assistant_events", "power" if not n else f"power_{n}"),
            kind=Kind.MEASUREMENT,
            fine=True,
        )
        for n in range(series)
    ]
    store.write(
        [Row(one, BEGIN + moment * 20 * 60_000_000, float(moment % 100)) for moment in moments for one in every]
    )


def told(store: SqliteStore) -> dict[str, list[tuple[float, ...]]]:
    series = store.find(POWER)
    assert series is not None
    with store.reader() as reader:
        tiers = {
            tier: reader.tier(tier, series.id or 0, series.kind, ALL) for tier in ("five_minute", "hourly", "daily")
        }
        return {
            tier: [
                *zip(
                    *(column.tolist() for column in (rolled.starts, rolled.ends, *rolled.columns.values())), strict=True
                )
            ]
            for tier, rolled in tiers.items()
        }


def until(store: SqliteStore, tier: str) -> int | None:
    with store.reader() as reader:
        found = reader.connection.execute("SELECT until FROM watermark WHERE tier = ?", (tier,)).fetchone()
        return found and found[0]


def test_a_portion_is_at_most_a_day_of_hours_or_some_days(tmp_path: Path) -> None:
    store = unrolled(tmp_path / "s.db", 40)
    run = store.begin_roll_up()
    hours, days = [], []
    while run.step():
        hours.append(until(store, "hourly"))
        days.append(until(store, "daily"))
    for moments, most in ((hours, 25 * HOUR), (days, 16 * DAY)):
        reached = [moment for moment in moments if moment is not None]
        assert all(0 <= after - before <= most for before, after in pairwise(reached))
    assert (hours[-1], days[-1]) == (BEGIN + 40 * DAY, BEGIN + 40 * DAY - HOUR)
    report = run.end()
    assert report.rows["daily"] == 5 * 40
    assert report.rows["hourly"] == 5 * 24 * 40
    store.close()


def test_it_makes_no_difference_where_it_was_killed(tmp_path: Path) -> None:
    whole = unrolled(tmp_path / "whole.db", 6)
    whole.roll_up()
    expected = told(whole)
    whole.close()
    for portions in range(1, 10):
        path = tmp_path / f"{portions}.db"
        store = unrolled(path, 6)
        run = store.begin_roll_up()
        for _ in range(portions):
            run.step()
        store.abandon()
        with pytest.raises(StoreError, match="not open"):
            run.step()
        store.open()
        with pytest.raises(StoreError, match="another file"):
            run.step()
        store.roll_up()
        assert told(store) == expected
        store.close()


def test_the_clock_may_move_between_portions(tmp_path: Path) -> None:
    store = unrolled(tmp_path / "s.db", 6)
    run = store.begin_roll_up()
    for _ in range(4):
        run.step()
    moved = until(store, "hourly")
    store.timezone = "Asia/Kolkata"
    while run.step():
        pass
    hours = told(store)["hourly"]
    assert all(before[1] == after[0] for before, after in pairwise(hours)), "no hole and no overlap"
    half = 30 * 60_000_000
    assert all(start % HOUR == (half if start > moved else 0) for start, *_ in hours)
    covered = sum(row[1] - row[0] for row in told(store)["daily"])
    assert covered == sum(
        after - before
        for before, after in pairwise(sorted({r[0] for r in told(store)["daily"]} | {told(store)["daily"][-1][1]}))
    )
    store.close()


def test_late_rows_that_keep_coming_do_not_keep_it_from_its_end(tmp_path: Path) -> None:
    store = unrolled(tmp_path / "s.db", 3)
    store.roll_up()
    fill(store, range(3))
    run = store.begin_roll_up()
    steps = 0
    while run.step():
        fill(store, range(3))
        steps += 1
        assert steps < 20
    store.close()


# In the worker


@pytest.fixture
async def worker(tmp_path: Path):
    path = tmp_path / "s.db"
    store = unrolled(path, 12)
    store.close()
    notices: list[NoticeKind] = []
    made = StoreWorker(
        path,
        timezone="Europe/Berlin",
        now=lambda: BEGIN + 12 * DAY,
        listener=lambda notice: notices.append(notice.kind),
    )
    made.notices = notices  # type: ignore[attr-defined]
    await made.open()
    yield made
    await made.close()


async def test_rows_and_others_have_their_turn_between_portions(worker: StoreWorker, monkeypatch) -> None:
    monkeypatch.setattr(worker_module, "_FLUSH_ROWS", 1)
    series = worker.find(POWER)
    assert series is not None
    seen: list[tuple[int, int]] = []
    real, portions = RollUpRun.step, [0]

    def step(run: RollUpRun) -> bool:
        portions[0] += 1
        loop.call_soon_threadsafe(worker.put, series, BEGIN + 12 * DAY + portions[0], 1.0)
        return real(run)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(RollUpRun, "step", step)
    rolling = asyncio.create_task(worker.maintain())
    while not rolling.done():
        await worker.write(lambda _store: seen.append((portions[0], worker.counters.stored)))
    await rolling
    assert portions[0] > 12
    assert len({portion for portion, _ in seen}) > 6, "others had their turn between portions"
    assert len({stored for _, stored in seen}) > 6, "rows did not wait for the end"


async def test_rows_that_wait_for_their_time_are_stored_between_portions(worker: StoreWorker, monkeypatch) -> None:
    monkeypatch.setattr(worker_module, "FLUSH_SECONDS", 0.0)
    series = worker.find(POWER)
    assert series is not None
    worker.put(series, BEGIN + 12 * DAY, 1.0)
    stored: list[int] = []
    real = RollUpRun.step
    monkeypatch.setattr(RollUpRun, "step", lambda run: stored.append(worker.counters.stored) or real(run))
    await worker.roll_up()
    assert stored[0] == 0
    assert stored[-1] == 1


async def test_closing_ends_a_roll_up_without_a_word(worker: StoreWorker, monkeypatch) -> None:
    monkeypatch.setattr(worker_module, "FLUSH_SECONDS", 0.01)
    real, begun = RollUpRun.step, asyncio.Event()
    loop = asyncio.get_running_loop()

    def step(run: RollUpRun) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return real(run)

    monkeypatch.setattr(RollUpRun, "step", step)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    await worker.close()
    await asyncio.sleep(0.05)
    running.cancel()
    assert NoticeKind.MAINTENANCE_FAILED not in worker.notices  # type: ignore[attr-defined]


async def test_much_is_compacted_in_portions(worker: StoreWorker, monkeypatch) -> None:
    monkeypatch.setattr(compact_module, "_ROWS_AT_ONCE", 500)
    steps: list[bool] = []
    real = worker._store.compact_portion

    def portion() -> bool:
        steps.append(real())
        return steps[-1]

    monkeypatch.setattr(worker._store, "compact_portion", portion)
    await worker.compact()
    assert steps == [True] * (12 * 72 * 5 // 500) + [False]
    live = await worker.read(
        lambda reader: reader.connection.execute("SELECT COUNT(*) FROM live WHERE flag < 7").fetchone()
    )
    assert live == (0,)


def test_views_see_hours_in_portions_before_those_go(tmp_path: Path) -> None:
    clock = [BEGIN + 12 * DAY]
    store = SqliteStore(tmp_path / "s.db", timezone="Europe/Berlin", now=lambda: clock[0])
    store.open()
    series = store.series(
        POWER, kind=Kind.MEASUREMENT, unit="W", labels={"entity_id": "sensor.power", "device_class": "power"}, fine=True
    )
    store.write([Row(series, BEGIN + n * HOUR, 1000.0) for n in range(12 * 24)], heartbeat=clock[0])
    store.roll_up()
    store.downsample("raw", BEGIN + 400 * DAY)
    run = store.begin_downsample("hourly", BEGIN + 400 * DAY)
    waiting, left = [], []
    while run.step():
        with store.reader() as reader:
            waiting.append(reader.connection.execute("SELECT COUNT(*) FROM view_due").fetchone()[0])
            left.append(reader.connection.execute("SELECT SUM(rows) FROM hourly_chunk").fetchone()[0])
    assert waiting[:7] == [12, 10, 8, 6, 4, 2, 0]
    assert left[:6] == [12 * 24] * 6, "no hour goes before all days are in the views"
    assert left[-1] < 24, "but for a day that is not whole yet by UTC"
    assert run.end().problems == ()
    with store.reader() as reader:
        kwh = reader.connection.execute("SELECT SUM(total_kwh) FROM view_daily_energy_by_device").fetchone()[0]
    assert kwh == pytest.approx(12 * 24.0)
    store.close()
