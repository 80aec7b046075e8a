"""Everything the store holds reaches the server, whatever happens in between."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
import random

import pytest

from custom_components.strata.core.model import Flag, Forecast, Kind, Row, SeriesKey, Slot, from_micros
from custom_components.strata.mirror.delivery import Abandoned
from custom_components.strata.mirror.errors import MirrorBusy, MirrorRefused, MirrorUnreachable, Obstacle, Refusal
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.mirror.parcels import Replay, replay_progress
from custom_components.strata.mirror.selection import Content
from custom_components.strata.store.base import Cursor, StoreError
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DEFAULT_LADDER
from tests.mirror_world import DAY, HOUR, SECOND, START, DirectStore, busy_home, entity, plan_of
from tests.unit.mirror.given import MemoryServer, Notices, Sleeps

DOWN = MirrorUnreachable("nothing answers", Obstacle.REFUSED)


class World:
    """A store, a server in memory and a mirror between them."""

    def __init__(self, path: Path) -> None:
        self.now = START
        self.store = SqliteStore(path, now=lambda: self.now)
        self.store.open()
        self.direct = DirectStore(self.store)
        self.server, self.notices, self.sleeps = MemoryServer(), Notices(), Sleeps()

    def mirror(self, **more) -> MirrorFeed:
        plan = more.pop("plan", None) or plan_of(self.store)
        return MirrorFeed(
            "one",
            self.direct,
            self.server,
            plan,
            listener=self.notices,
            now=lambda: self.now,
            sleep=self.sleeps,
            **more,
        )

    async def started(self, since=None, **more) -> MirrorFeed:
        mirror = self.mirror(**more)
        await mirror.open(since=since)
        return mirror

    def write(self, *rows: Row, roll_up_at: int | None = None) -> None:
        self.store.write(rows, heartbeat=rows[-1].time if rows else self.now)
        if roll_up_at is not None:
            self.store.roll_up(roll_up_at)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    made = World(tmp_path / "strata.db")
    yield made
    made.direct.close()
    made.store.close()


# ------------------------------------------------------------------------------------------------ following
async def test_a_new_mirror_begins_now(world):
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 1.0))
    mirror = await world.started()
    world.write(Row(kettle, START + 1, 2.0))
    await mirror.catch_up()
    assert world.server.values() == {"sensor.kettle": {START + 1: 2.0}}


async def test_rows_arrive_from_live_and_are_not_sent_again_when_they_move(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.write(*(Row(kettle, START + second * SECOND, float(second)) for second in range(100)))
    await mirror.catch_up()
    assert len(world.server.values()["sensor.kettle"]) == 100
    world.store.compact()
    await mirror.catch_up()
    assert mirror.figures.acknowledged == 100


async def test_a_day_of_a_home_arrives_with_its_roll_ups(world):
    mirror = await world.started()
    truth = busy_home(world.store, events=6000, entities=20)
    await mirror.catch_up()
    assert world.server.values() == truth
    counts = world.server.values("strata_hourly", field="sample_count")
    assert {name: sum(hours.values()) for name, hours in counts.items()} == {
        name: len(values) for name, values in truth.items()
    }
    assert world.server.values("strata_daily", field="total_samples")
    assert world.server.points.keys() == {"strata_raw", "strata_hourly", "strata_daily"}
    assert mirror.figures.expired == 0


async def test_power_has_five_minutes_too(world):
    mirror = await world.started()
    power = entity(world.store, "power", unit="W", fine=True)
    world.write(
        *(Row(power, START + minute * 60 * SECOND, 60.0) for minute in range(60)), roll_up_at=START + HOUR + SECOND
    )
    await mirror.catch_up()
    fine = world.server.values("strata_five_minute", field="total_energy")["sensor.power"]
    # 60 W is 5 Wh in five minutes.
    assert len(fine) == 12
    assert list(fine.values()) == pytest.approx([0.005] * 12)


@pytest.mark.parametrize(
    ("contents", "databases"),
    [
        ({Content.RAW}, {"strata_raw"}),
        ({Content.HOURLY, Content.DAILY}, {"strata_hourly", "strata_daily"}),
        ({Content.READINGS}, set()),
        ({Content.FORECASTS}, set()),
    ],
)
async def test_only_what_was_chosen_is_sent(world, contents, databases):
    mirror = await world.started(plan=plan_of(world.store, frozenset(contents)))
    busy_home(world.store, events=500, entities=5)
    await mirror.catch_up()
    assert world.server.points.keys() == databases


async def test_a_row_that_is_written_again_ends_as_what_it_was_last(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 9.0, flag=Flag.SPIKE))
    await mirror.catch_up()
    assert world.server.values() == {}
    world.write(Row(kettle, START, 9.0, flag=Flag.OK))
    await mirror.catch_up()
    assert world.server.values() == {"sensor.kettle": {START: 9.0}}


async def test_a_late_row_brings_its_hour_and_its_roll_up_again(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 10.0), roll_up_at=START + 3 * HOUR)
    await mirror.catch_up()
    before = world.server.values("strata_hourly", field="avg_value")["sensor.kettle"][START]
    world.now = START + 3 * HOUR
    world.write(Row(kettle, START + HOUR // 2, 30.0), roll_up_at=START + 4 * HOUR)
    await mirror.catch_up()
    after = world.server.values("strata_hourly", field="avg_value")["sensor.kettle"][START]
    assert (before, after) == (10.0, pytest.approx(20.0))


async def test_a_renamed_entity_goes_on_under_its_new_name(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 1.0))
    await mirror.catch_up()
    world.store.series(kettle.key, kind=kettle.kind, labels={**kettle.labels, "entity_id": "sensor.pot"})
    world.write(Row(kettle, START + 1, 2.0))
    await mirror.catch_up()
    assert world.server.values() == {"sensor.kettle": {START: 1.0}, "sensor.pot": {START + 1: 2.0}}


async def test_texts_and_readings_arrive(world):
    mirror = await world.started()
    heater = entity(world.store, "heater", Kind.TEXT)
    tags = {"region": "GB", "grid_operator": "NESO"}
    carbon = world.store.series(
        SeriesKey.of_tags("carbon_intensity", tags, "carbon_intensity_gco2_kwh"), kind=Kind.MEASUREMENT
    )
    world.write(Row(heater, START, None, "heat"), Row(carbon, START, 110.0), Row(heater, START + 1, None, "idle"))
    await mirror.catch_up()
    assert world.server.values(field="state") == {"sensor.heater": {START: "heat", START + 1: "idle"}}
    assert world.server.values(tag="region", field="carbon_intensity_gco2_kwh") == {"GB": {START: 110.0}}


def forecast(issued: int, *values: float) -> Forecast:
    start = from_micros(issued)
    slots = [
        Slot(start + timedelta(hours=hour), start + timedelta(hours=hour + 1), value)
        for hour, value in enumerate(values)
    ]
    return Forecast("EUR/kWh", start, tuple(slots))


PRICE = SeriesKey.of_tags("electricity_pricing_forecast", {"provider": "awattar", "currency": "EUR"}, "price")


async def test_forecasts_arrive_and_a_newer_one_takes_the_place_of_an_older(world):
    old = world.store.write([], forecast=[("price", PRICE, forecast(START - HOUR, 9.0))])
    assert old == 0
    offsets = {("electricity_pricing_forecast", "price"): "hour_offset"}
    mirror = await world.started(plan=plan_of(world.store, offset_fields=offsets))
    world.store.write([], forecast=[("price", PRICE, forecast(START, 0.1, 0.2, 0.3))])
    world.store.write([], forecast=[("price", PRICE, forecast(START + HOUR, 0.25, 0.35))])
    await mirror.catch_up()
    assert world.server.values(tag="provider", field="price") == {
        "awattar": {START: 0.1, START + HOUR: 0.25, START + 2 * HOUR: 0.35}
    }
    assert world.server.values(tag="provider", field="hour_offset")["awattar"][START + 2 * HOUR] == 1.0
    assert mirror.figures.acknowledged == 5
    await mirror.catch_up()
    assert mirror.figures.acknowledged == 5


async def test_newer_forecasts_win_whichever_request_is_slower(world, monkeypatch):
    monkeypatch.setattr("custom_components.strata.mirror.parcels.BATCH_LINES", 3)
    mirror = await world.started()
    for hour in range(4):
        world.store.write([], forecast=[("price", PRICE, forecast(START + hour * HOUR, *[float(hour)] * 6))])
    take, taken = world.server.write, 0

    async def slow_at_first(database: str, body: bytes):
        nonlocal taken
        taken += 1
        for _ in range(500 if taken == 1 else 0):
            await asyncio.sleep(0)
        return await take(database, body)

    monkeypatch.setattr(world.server, "write", slow_at_first)
    await mirror.catch_up()
    arrived = world.server.values(tag="provider", field="price")["awattar"]
    assert [arrived[START + hour * HOUR] for hour in range(9)] == [0, 1, 2, 3, 3, 3, 3, 3, 3]


async def test_forecasts_that_count_from_the_beginning_again_are_not_missed(world):
    mirror = await world.started()
    for hour in range(3):
        world.store.write([], forecast=[("price", PRICE, forecast(START + hour * HOUR, float(hour)))])
    await mirror.catch_up()
    world.store.prune_forecasts(START + DAY)
    world.store.write([], forecast=[("price", PRICE, forecast(START + 5 * HOUR, 5.0))])
    await mirror.catch_up()
    assert world.server.values(tag="provider", field="price")["awattar"][START + 5 * HOUR] == 5.0


# ------------------------------------------------------------------------------------------------ life
async def test_a_restart_takes_up_where_it_was(world):
    kettle = entity(world.store, "kettle")
    mirror = await world.started()
    world.write(Row(kettle, START, 1.0))
    await mirror.catch_up()
    mirror.figures.quarantine(5, "db", "line", "reason")
    await mirror.close()
    world.write(Row(kettle, START + 1, 2.0))
    again = await world.started(since=0)
    await again.catch_up()
    assert again.figures.acknowledged == 2
    assert again.figures.quarantined == 1
    assert [poison.line for poison in again.figures.poison] == ["line"]
    assert world.server.batches == [1, 1]


async def test_a_kill_before_the_place_was_saved_sends_again_and_changes_nothing(world):
    mirror = await world.started()
    truth = busy_home(world.store, events=1000, entities=5, span=2 * HOUR)
    await mirror.catch_up()
    again = await world.started()
    await again.catch_up()
    assert world.server.values() == truth


async def test_a_store_that_was_started_anew_is_followed_from_its_beginning(world, tmp_path):
    kettle = entity(world.store, "kettle")
    mirror = await world.started()
    world.write(*(Row(kettle, START + second, 1.0) for second in range(50)))
    await mirror.catch_up()
    other = World(tmp_path / "other.db")
    try:
        cup = entity(other.store, "cup")
        other.write(Row(cup, START, 5.0))
        mirror._store = other.direct
        mirror.plan = plan_of(other.store)
        await mirror.catch_up()
        assert world.server.values()["sensor.cup"] == {START: 5.0}
    finally:
        other.direct.close()
        other.store.close()


async def test_a_mirror_that_is_gone_leaves_nothing(world):
    mirror = await world.started()
    await mirror.forget()
    assert world.store.load_cursor(mirror.name) is None
    assert world.store._connection.execute("SELECT COUNT(*) FROM meta WHERE name LIKE 'note:%'").fetchone() == (0,)


async def test_two_mirrors_go_their_own_ways(world):
    kettle = entity(world.store, "kettle")
    one = await world.started()
    second = MemoryServer()
    two = MirrorFeed("two", world.direct, second, plan_of(world.store), now=lambda: world.now, sleep=world.sleeps)
    await two.open()
    world.write(Row(kettle, START, 1.0))
    await one.catch_up()
    assert second.values() == {}
    world.store.compact()
    await one.catch_up()
    await one.save()
    world.store.compact()
    await two.catch_up()
    assert second.values() == world.server.values() == {"sensor.kettle": {START: 1.0}}


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_running_it_follows_and_replays_until_it_is_cancelled(world):
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 1.0))
    mirror = await world.started()
    task = asyncio.create_task(mirror.run())
    world.write(Row(kettle, START + 1, 2.0))
    mirror.wake()
    await until(lambda: len(world.server.values().get("sensor.kettle", {})) == 1)
    mirror.replay(START, START + 1)
    await until(lambda: len(world.server.values()["sensor.kettle"]) == 2)
    await until(lambda: mirror.progress().replays == 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await mirror.close()
    assert world.store.load_cursor(mirror.name) == Cursor(0, 3)


async def test_trouble_with_the_store_is_waited_out(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 1.0))
    read, failures = world.direct.read, [StoreError("locked")] * 2

    async def flaky(work):
        if failures:
            raise failures.pop()
        return await read(work)

    world.direct.read = flaky
    task = asyncio.create_task(mirror.run())
    await until(world.server.values)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert world.sleeps.seconds[:1] == [30.0]

    async def broken(work):
        raise StoreError("no room")

    world.direct.write = broken
    await mirror.close()


# ------------------------------------------------------------------------------------------------ outages
@pytest.mark.parametrize("seed", range(3))
async def test_faults_of_every_kind_at_random_lose_nothing(world, seed):
    rng = random.Random(seed)
    faults = [
        DOWN,
        MirrorUnreachable("did not answer in time", Obstacle.TIMEOUT),
        MirrorRefused("401", Refusal.CREDENTIALS),
        MirrorBusy("429", 1.0),
        MirrorBusy("500"),
    ]
    mirror = await world.started()
    world.server.largest = 300

    async def go(_: int) -> None:
        world.server.faults += rng.choices(faults, k=rng.randint(0, 4))
        await mirror.catch_up()

    truth: dict[str, dict[int, float]] = {}
    for hour in range(6):
        part = busy_home(world.store, events=800, entities=10, start=START + hour * HOUR, span=HOUR, seed=seed + hour)
        for name, values in part.items():
            truth.setdefault(name, {}).update(values)
        await go(hour)
    assert world.server.values() == truth
    assert mirror.figures.quarantined == 0
    assert mirror.figures.retries > 0


async def test_progress_says_how_far_behind_it_is(world):
    mirror = await world.started()
    assert mirror.progress().lag == 0.0
    busy_home(world.store, events=500, entities=5, span=2 * HOUR)
    world.now = START + 2 * HOUR
    await mirror._measure()
    progress = mirror.progress()
    assert progress.lag == 7200.0
    assert progress.waiting.entries > 0
    assert progress.waiting.rows >= 500
    assert 0 < progress.waiting.bytes < 100_000
    assert progress.trouble is None
    await mirror.catch_up()
    await mirror._measure()
    assert mirror.progress().lag == 0.0
    assert not mirror.progress().waiting


async def test_a_full_backlog_gives_up_the_oldest_says_so_once_and_a_replay_brings_it_back(world):
    limit = 30_000
    mirror = await world.started(backlog_bytes=limit)
    truth = busy_home(world.store, events=12_000, entities=20)
    world.now = START + DAY
    world.server.always = DOWN
    rounds = 0

    def after(count: int) -> None:
        nonlocal rounds
        rounds += 1
        mirror._measured = float("-inf")
        if rounds == 5:
            busy = busy_home(world.store, events=6_000, entities=20, start=START + DAY, span=6 * HOUR, seed=7)
            for name, values in busy.items():
                truth[name].update(values)
        if rounds > 9:
            world.server.always = None

    world.sleeps._after = after
    for _ in range(10):
        try:
            await mirror.catch_up()
        except Abandoned:
            continue
        break
    assert world.notices.kinds == ["failing", "backlog_full", "recovered"]
    assert mirror.figures.dropped > 0
    arrived = world.server.values()
    count = sum(len(values) for values in arrived.values())
    assert count + mirror.figures.dropped >= sum(len(values) for values in truth.values()) > count
    newest = max(max(values) for values in truth.values())
    assert max(max(values) for values in arrived.values()) == newest

    mirror.replay(START, START + 2 * DAY)
    await mirror.replay_first()
    assert world.server.values() == truth


async def test_what_retention_took_before_it_was_sent_is_counted(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 1.0), roll_up_at=START + HOUR)
    world.store._connection.execute("DELETE FROM raw_chunk")
    await mirror.catch_up()
    assert mirror.figures.expired == 1
    assert world.server.values("strata_hourly", field="avg_value")


async def test_a_damaged_chunk_does_not_stop_what_follows(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 1.0), roll_up_at=START + HOUR)
    world.write(Row(kettle, START + HOUR, 2.0), roll_up_at=START + 2 * HOUR)
    world.store._connection.execute("UPDATE raw_chunk SET blob = x'00' WHERE key = (SELECT MIN(key) FROM raw_chunk)")
    await mirror.catch_up()
    assert world.server.values()["sensor.kettle"] == {START + HOUR: 2.0}
    mirror.replay(START, START + 2 * HOUR)
    await mirror.replay_first()
    assert world.server.values()["sensor.kettle"] == {START + HOUR: 2.0}


async def test_what_is_no_line_is_set_aside_with_its_reason(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.store.series(kettle.key, kind=kettle.kind, labels={**kettle.labels, "area_id": "x" * 70_000})
    world.write(Row(kettle, START, 1.0))
    cup = entity(world.store, "cup")
    world.write(Row(cup, START, 2.0))
    await mirror.catch_up()
    assert world.server.values() == {"sensor.cup": {START: 2.0}}
    assert mirror.figures.quarantined == 1
    assert "longer" in mirror.figures.poison[0].reason


async def test_only_the_point_that_is_no_line_is_set_aside(world):
    mirror = await world.started()
    radio = entity(world.store, "radio", Kind.TEXT)
    world.write(
        Row(radio, START, text="jazz"), Row(radio, START + 1, text="x" * 70_000), Row(radio, START + 2, text="news")
    )
    await mirror.catch_up()
    assert world.server.values(field="state") == {"sensor.radio": {START: "jazz", START + 2: "news"}}
    assert mirror.figures.quarantined == 1


async def test_a_series_nobody_knows_is_passed_over(world):
    mirror = await world.started(plan=plan_of(world.store))
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 1.0), roll_up_at=START + HOUR)
    known = mirror.plan.series_of
    object.__setattr__(mirror.plan, "series_of", lambda number: None)
    await mirror.catch_up()
    mirror.replay(START, START + DAY)
    await mirror.replay_first()
    assert world.server.points == {}
    assert mirror.figures.expired > 0
    object.__setattr__(mirror.plan, "series_of", known)


# ------------------------------------------------------------------------------------------------ replays
async def test_a_new_mirror_may_begin_with_what_the_store_holds(world):
    truth = busy_home(world.store, events=4000, entities=10)
    ahead = entity(world.store, "price_ahead")
    world.now = START + DAY
    world.write(Row(ahead, START + 2 * DAY, 0.3))
    world.store.write([], forecast=[("price", PRICE, forecast(START + DAY, 0.1))])
    mirror = await world.started(since=START + 6 * HOUR)
    assert mirror.progress().replays == 1
    await mirror.replay_first()
    expected = {
        name: {time: value for time, value in values.items() if time >= START + 6 * HOUR}
        for name, values in truth.items()
    }
    arrived = world.server.values()
    assert arrived.pop("sensor.price_ahead") == {START + 2 * DAY: 0.3}
    assert arrived == expected
    assert min(world.server.values("strata_hourly", field="avg_value")["sensor.power_0"]) == START + 6 * HOUR
    assert world.server.values(tag="provider", field="price")["awattar"] == {START + DAY: 0.1}
    assert mirror.progress().replays == 0


async def test_a_replay_of_some_series_sends_only_those(world):
    busy_home(world.store, events=1000, entities=5, span=3 * HOUR)
    live = entity(world.store, "power_3", unit="W")
    world.write(Row(live, START + 3 * HOUR, 1.0), Row(entity(world.store, "power_1", unit="W"), START + 3 * HOUR, 2.0))
    world.store.write([], forecast=[("price", PRICE, forecast(START, 0.1))])
    mirror = await world.started()
    mirror.replay(START, START + DAY, frozenset({live.id}))
    await mirror.replay_first()
    assert world.server.values().keys() == {"sensor.power_3"}
    assert START + 3 * HOUR in world.server.values()["sensor.power_3"]
    assert world.server.values(tag="provider", field="price") == {}


async def test_a_replay_leaves_a_row_that_was_written_again_as_what_it_was_last(world):
    mirror = await world.started()
    kettle = entity(world.store, "kettle")
    world.write(Row(kettle, START, 1.0), roll_up_at=START + HOUR)
    world.write(Row(kettle, START, 2.0))
    await mirror.catch_up()
    mirror.replay(START, START + DAY)
    await mirror.replay_first()
    assert world.server.values() == {"sensor.kettle": {START: 2.0}}


async def test_a_replay_of_a_past_range_leaves_newer_forecasts_in_place(world):
    mirror = await world.started()
    world.store.write([], forecast=[("price", PRICE, forecast(START, 0.1, 0.2, 0.3))])
    world.store.write([], forecast=[("price", PRICE, forecast(START + HOUR, 0.25, 0.35))])
    await mirror.catch_up()
    mirror.replay(START, START + HOUR)
    await mirror.replay_first()
    assert world.server.values(tag="provider", field="price") == {
        "awattar": {START: 0.1, START + HOUR: 0.25, START + 2 * HOUR: 0.35}
    }


async def test_a_replay_goes_on_after_a_restart(world):
    truth = busy_home(world.store, events=3000, entities=10)
    world.now = START + DAY
    mirror = await world.started(since=START)
    stop = RuntimeError("killed")
    world.server.always = stop
    with pytest.raises(RuntimeError):
        await mirror.replay_first()
    world.server.always = None
    again = await world.started()
    assert again.progress().replays == 1
    await again.replay_first()
    assert world.server.values() == truth
    third = await world.started()
    assert third.progress().replays == 0


async def test_a_replay_says_how_far_it_is(world):
    busy_home(world.store, events=500, entities=3, span=10 * HOUR)
    mirror = await world.started()
    seen: list[float] = []
    mirror.replay(START, START + 10 * HOUR)
    send = mirror._delivery.send

    async def watched(batch, before_retry):
        seen.append(mirror.progress().replayed)
        await send(batch, before_retry)

    mirror._delivery.send = watched
    await mirror.replay_first()
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert all(0 <= part <= 1 for part in seen)
    assert mirror.progress().replayed is None


async def test_senseless_replays_are_refused(world):
    mirror = await world.started()
    with pytest.raises(ValueError, match="ends before"):
        mirror.replay(START, START)
    for _ in range(20):
        mirror.replay(START, START + 1)
    with pytest.raises(ValueError, match="20 replays"):
        mirror.replay(START, START + 1)
    assert replay_progress(mirror._replays[0], world.store.ladder) == 0.0


async def test_the_place_is_saved_rarely_and_after_many_points(world):
    mirror = await world.started()
    saves = 0
    save = mirror.save

    async def counted():
        nonlocal saves
        saves += 1
        await save()

    mirror.save = counted
    kettle = entity(world.store, "kettle")
    for second in range(20):
        world.write(Row(kettle, START + second, 1.0))
        await mirror.catch_up()
    assert saves == 0
    mirror.figures.acknowledged += 200_000
    world.write(Row(kettle, START + 20, 1.0))
    await mirror.catch_up()
    assert saves == 1


async def test_a_replay_of_roll_ups_only_leaves_rows_and_forecasts_out(world):
    busy_home(world.store, events=600, entities=3, span=3 * HOUR)
    world.store.write([], forecast=[("price", PRICE, forecast(START, 0.1))])
    mirror = await world.started(plan=plan_of(world.store, frozenset({Content.HOURLY})))
    mirror.replay(START, START + DAY)
    await mirror.replay_first()
    assert world.server.points.keys() == {"strata_hourly"}


async def test_a_damaged_forecast_is_passed_over(world):
    mirror = await world.started()
    world.store.write([], forecast=[("price", PRICE, forecast(START, 0.1))])
    world.store.write([], forecast=[("price", PRICE, forecast(START + HOUR, 0.2))])
    world.store._connection.execute("UPDATE forecast SET blob = x'00' WHERE id = 1")
    await mirror.catch_up()
    assert world.server.values(tag="provider", field="price") == {"awattar": {START + HOUR: 0.2}}


async def test_a_replay_of_a_few_series_among_many_goes_on_in_portions(world, monkeypatch):
    monkeypatch.setattr("custom_components.strata.mirror.parcels._PARCEL_ROWS", 10)
    truth = busy_home(world.store, events=600, entities=6, span=6 * HOUR)
    wanted = frozenset(
        series.id for series in world.store.all_series() if series.labels["entity_id"] < "sensor.power_3"
    )
    mirror = await world.started()
    mirror.replay(START, START + DAY, wanted)
    await mirror.replay_first()
    assert world.server.values() == {name: values for name, values in truth.items() if name < "sensor.power_3"}
    assert mirror.figures.requests > 10


async def test_progress_of_a_replay_that_is_done_is_whole():
    assert replay_progress(Replay(0, 1, None, 99), DEFAULT_LADDER) == 1.0
