"""What the store does about a system clock that is wrong for a while."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from custom_components.strata.clock_follower import ClockFollower
from custom_components.strata.core.entity_series import EntitySeries
from custom_components.strata.core.model import Cause, Kind, Series, SeriesKey, TimeRange
from custom_components.strata.retention import Hooks, Retention
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.feed import newest
from custom_components.strata.store.worker import StoreWorker

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
NOON = 1_772_366_400_000_000
"""2026-03-01 12:00 UTC."""
YEARS = 3650 * DAY
ALL = TimeRange(0, 2**61)
WATTS = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"}


class Home:
    """A store that is opened and closed, and an entity that changes, by a clock that may be wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wall = NOON
        self.steady = 5_000.0
        self.anew = 0

    async def start(self) -> None:
        self.worker = StoreWorker(self.path / "strata.db", timezone="UTC", now=lambda: self.wall)
        await self.worker.open()
        self.follower = ClockFollower(self.worker, lambda: self.wall, self._begin_anew, lambda: self.steady)
        self.ladder = Retention(self.worker, lambda: self.wall, Hooks(believes_clock=self.follower.believes))
        self.entity = EntitySeries(self.worker, "kettle", "sensor")
        self.entity.relabel({"entity_id": "sensor.kettle"})

    def _begin_anew(self) -> None:
        self.anew += 1

    async def stop(self) -> None:
        await self.worker.close()

    async def restart(self) -> None:
        await self.stop()
        self.pass_by(60 * SECOND)
        await self.start()

    def pass_by(self, length: int) -> None:
        self.wall += length
        self.steady += length / SECOND

    async def kill(self) -> None:
        """End as after a power cut: what was flushed is there, and nothing else is written."""
        await self.worker.flush()
        await self.worker.write(lambda store: store.abandon())
        await self.worker.close()

    async def live(self, length: int, value: int, every: int = HOUR) -> None:
        """Change the entity now and then, flush, and roll up where that is allowed."""
        for _ in range(length // every):
            self.change(value)
            self.pass_by(every)
            await self.worker.flush()
            if self.worker.may_maintain():
                await self.worker.roll_up()
            await self.follower.follow()

    def change(self, value: int) -> None:
        # A state that is the same again is no change.
        self.entity.change("unavailable", WATTS, frozenset(), self.wall - 1, Cause("0"))
        self.entity.change(str(value), WATTS, frozenset(), self.wall, Cause("1"))

    @property
    def series(self) -> Series:
        found = self.worker.find(SeriesKey.of_entity("home_assistant_events", "kettle", "value"))
        assert found is not None
        return found

    async def hours(self) -> dict[int, tuple[float, float]]:
        """Return by hours since noon: the mean and the seconds in which it was known."""
        number = self.series.id or 0
        found = await self.worker.read(lambda reader: reader.tier("hourly", number, Kind.MEASUREMENT, ALL))
        told = zip(found.starts, found.mean, found.covered_seconds, strict=True)
        return {
            int(start - NOON) // HOUR: (round(float(mean), 1), round(float(known), 3)) for start, mean, known in told
        }

    async def rows(self) -> list[tuple[int, float]]:
        """Return the values and when they were, in seconds since noon."""
        number = self.series.id or 0
        found = await self.worker.read(lambda reader: reader.raw(number, ALL))
        return [
            (int(time - NOON) // SECOND, float(value))
            for time, value in zip(found.times, found.values, strict=True)
            if value == value  # noqa: PLR0124 - NaN is a gap
        ]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncGenerator[Home]:
    made = Home(tmp_path)
    await made.start()
    await made.live(4 * HOUR, 100)
    await made.stop()
    yield made
    await made.stop()


async def test_a_start_ten_years_ahead_leaves_no_trace(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    home.wall += YEARS
    await home.start()
    assert "nothing is rolled up, handed down or deleted" in caplog.text
    home.change(200)
    assert await home.worker.flush()
    assert not home.worker.may_maintain()
    assert await home.ladder.catch_up() == []
    followed = await home.worker.read(lambda reader: newest(reader.connection))
    await home.follower.follow()
    # Whoever asks for it all the same takes nothing of it to where it could not be taken back from.
    with pytest.raises(StoreError, match="clock"):
        await home.ladder.downsample("raw")
    assert (await home.ladder.downsample("raw", dry_run=True)).dry_run
    await home.worker.compact()
    await home.worker.roll_up()
    await home.worker.write(lambda store: store.begin_import())
    assert max(await home.hours()) == 3
    home.pass_by(60 * SECOND)
    home.wall -= YEARS
    home.change(300)
    await home.follower.follow()
    assert home.anew == 1
    assert (await home.rows())[-2:] == [(4 * 3600, 200.0), (4 * 3600 + 60, 300.0)]
    # Whoever follows the feed had the first of them with its wrong time, and gets it once more.
    batch = await home.worker.read(lambda reader: reader.changes(followed))
    assert batch.live is not None
    told = zip(batch.live.rows.times.tolist(), batch.live.rows.values.tolist(), strict=True)
    assert sorted((time - NOON) // SECOND for time, value in told if value == value) == [4 * 3600, 4 * 3600 + 60]  # noqa: PLR0124
    # What remembers moments begins anew.
    await home.restart()
    assert home.worker.last_stop == NOON + 4 * HOUR + 60 * SECOND
    await home.live(3 * HOUR, 400)
    hours = await home.hours()
    assert max(hours) == 6
    assert hours[3] == (100.0, 3600.0)
    assert hours[5] == (400.0, 3600.0)
    assert home.worker.counters.misdated == 0
    assert len(await home.ladder.catch_up()) == 3


async def test_a_clock_ahead_that_is_set_right_while_strata_is_down(home: Home) -> None:
    home.wall += YEARS
    await home.start()
    await home.follower.follow()
    home.change(200)
    await home.worker.flush()
    followed = await home.worker.read(lambda reader: newest(reader.connection))
    await home.kill()
    # It starts once more in the wrong year, and is doubted still.
    home.wall += 60 * SECOND
    await home.start()
    assert not home.worker.may_maintain()
    await home.follower.follow()
    await home.kill()
    home.wall += 60 * SECOND - YEARS
    await home.start()
    assert home.worker.may_maintain()
    assert home.worker.last_stop == NOON + 4 * HOUR
    home.change(300)
    await home.worker.flush()
    assert (await home.worker.read(lambda reader: reader.changes(followed))).live is not None
    await home.live(2 * HOUR, 300)
    assert home.worker.counters.misdated == 0
    assert {value for _, value in await home.rows()} == {100.0, 300.0}
    hours = await home.hours()
    assert max(hours) == 5
    assert hours[5][0] == 300.0


@pytest.mark.parametrize(
    "behind", [3 * HOUR, 20 * DAY, 800 * DAY, 56 * 365 * DAY], ids=["hours", "20d", "years", "1970"]
)
async def test_a_start_in_the_past_invents_nothing(home: Home, behind: int) -> None:
    home.wall -= behind
    await home.start()
    for value in (200, 300):
        home.change(value)
        home.pass_by(60 * SECOND)
        await home.worker.flush()
        await home.follower.follow()
    assert home.worker.counters.misdated == 0
    # Three hours without power, then the time server answers.
    home.wall += behind + 3 * HOUR
    await home.follower.follow()
    assert home.anew == 1
    await home.restart()
    await home.live(3 * HOUR, 400)
    hours = await home.hours()
    assert min(hours) == 0
    assert hours[3] == (100.0, 3600.0)
    # What was said in the past is dated to the last moment before it, and ends there.
    assert {number for number, (_, known) in hours.items() if known > 1} == {0, 1, 2, 3, 7, 8, 9}
    assert hours[8] == (400.0, 3600.0)


async def test_a_pause_of_the_machine_is_not_known(home: Home) -> None:
    await home.start()
    home.change(200)
    await home.worker.flush()
    await home.follower.follow()
    home.wall += 8 * HOUR
    assert not home.worker.may_maintain()
    await home.follower.follow()
    assert home.anew == 1
    await home.restart()
    await home.live(2 * HOUR, 300)
    hours = await home.hours()
    assert [number for number, (_, known) in hours.items() if known > 1] == [0, 1, 2, 3, 12, 13]


async def test_a_home_that_was_off_for_a_month_waits_and_goes_on(home: Home) -> None:
    home.wall += 31 * DAY
    await home.start()
    await home.live(5 * HOUR, 200)
    assert max(await home.hours()) == 3
    assert await home.ladder.catch_up() == []
    await home.live(2 * HOUR, 200)
    assert home.anew == 0
    first = 31 * 24 + 4
    hours = await home.hours()
    assert [number for number in hours if number > 3] == [*range(first, first + 7)]
    assert [report.source_rows > 0 for report in await home.ladder.catch_up()] == [True, False, False]
    await home.restart()
    assert home.worker.last_stop == home.wall - 60 * SECOND


async def test_a_clock_that_stays_behind_is_believed_in_the_end(home: Home) -> None:
    home.wall -= 20 * DAY
    await home.start()
    assert home.worker.not_before == NOON + 4 * HOUR
    home.pass_by(6 * HOUR)
    await home.follower.follow()
    assert home.worker.not_before == 0


async def test_it_looks_again_and_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    await home.start()
    waited: list[float] = []

    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise Enough

    monkeypatch.setattr("custom_components.strata.clock_follower.asyncio.sleep", sleep)
    with pytest.raises(Enough):
        await home.follower.run()
    assert waited == [10.0] * 3
