"""A home's worth of writes in random order: to a store, and to the naive history beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
import math
from pathlib import Path
import random

from custom_components.strata.core.model import Flag, Kind, Micros, Row, Series, SeriesKey, TimeRange
from custom_components.strata.store.base import Cursor, DownsampleReport
from custom_components.strata.store.reader import StoreReader
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.sweeping import SweepRun
from custom_components.strata.store.tiers import DEFAULT_LADDER, Ladder
from tests.naive_history import DAY, HOUR, MINUTE, SECOND, Bucket, NaiveSeries, Value, borders
from tests.unit.store.compare import differences, expected_rows, stored_buckets, stored_rows

MODES = ("heat", "cool", "off", "", "dry", "Straße 7")
FLAGS = (Flag.OK,) * 30 + (Flag.GAP,) * 3 + (Flag.SPIKE, Flag.RESET, Flag.IMPOSSIBLE, Flag.STUCK)
SERIES = (
    ("power", Kind.MEASUREMENT, {"fine": True}),
    ("temperature", Kind.MEASUREMENT, {}),
    ("silent", Kind.MEASUREMENT, {"fine": True}),
    ("energy", Kind.METER, {"fine": True}),
    ("daily_energy", Kind.METER, {}),
    ("net", Kind.METER, {"monotonic": False}),
    ("light", Kind.ON_OFF, {"fine": True}),
    ("motion", Kind.ON_OFF, {}),
    ("climate", Kind.TEXT, {}),
    ("washer", Kind.TEXT, {"fine": True}),
)
BUCKET_TIERS = ("five_minute", "hourly", "daily")


@dataclass
class Follower:
    """Follows the change feed as a mirror does: reads again what it is told has changed."""

    cursor: Cursor = field(default_factory=lambda: Cursor(0, 0))
    rows: dict[tuple[int, Micros], tuple[object, int]] = field(default_factory=dict)
    buckets: dict[tuple[str, int], dict[Micros, Bucket]] = field(default_factory=dict)

    def step(self, reader: StoreReader, limit: int, series: dict[int, Series]) -> bool:
        """Take one batch; return False when there is nothing new."""
        batch = reader.changes(self.cursor, limit)
        for change in batch.changes:
            when = TimeRange(change.start, change.end)
            if change.tier == "raw":
                for time, value, flag in stored_rows(reader, series[change.series], when):
                    self.rows[change.series, time] = (value, flag)
            else:
                self._take_buckets(reader, change.tier, series[change.series], when)
        if batch.live is not None:
            self._take_live(reader, batch.live)
        moved = self.cursor != batch.cursor
        self.cursor = batch.cursor
        return bool(batch) or moved

    def _take_live(self, reader: StoreReader, live) -> None:
        rows = live.rows
        names = reader.texts({code for code in rows.texts.tolist() if code})
        for number, time, value, text, flag in zip(
            live.series.tolist(),
            rows.times.tolist(),
            rows.values.tolist(),
            rows.texts.tolist(),
            rows.flags.tolist(),
            strict=True,
        ):
            said = names[text] if text else None if math.isnan(value) else value
            self.rows[number, time] = (said, flag)

    def _take_buckets(self, reader: StoreReader, tier: str, series: Series, when: TimeRange) -> None:
        known = self.buckets.setdefault((tier, series.id or 0), {})
        for start in [start for start in known if start in when]:
            del known[start]
        known.update({b.start: b for b in stored_buckets(reader, tier, series) if b.start in when})


class Simulation:
    """Drives a store and the naive history with the same random life."""

    def __init__(self, path: Path, seed: int, timezone: str, start: Micros, *, ladder: Ladder = DEFAULT_LADDER) -> None:
        self.random = random.Random(seed)
        self.timezone = timezone
        self.start = self.clock = start
        self.flushed = start
        self.store = SqliteStore(path, timezone=timezone, ladder=ladder, now=lambda: self.clock)
        self.naive = {
            name: NaiveSeries(kind.value, monotonic=bool(options.get("monotonic", True)))
            for name, kind, options in SERIES
        }
        self.count = dict.fromkeys(self.naive, 100.0)
        self.stops: list[Micros] = []
        self.alive = start
        self.rolled = 0
        self.not_before = start - 2 * HOUR
        self.kept_from = 0
        self.follower = Follower()
        self.sweeping: SweepRun | None = None
        self.log: list[str] = []
        self._open()
        self.store.save_cursor("mirror", self.follower.cursor)

    def _open(self) -> None:
        self.store.open()
        self.alive = max(self.clock, self.stops[-1] if self.stops else 0)
        self.series = {
            name: self.store.series(
                SeriesKey.of_entity("home_assistant_events", name), kind=kind, labels={"entity_id": name}, **options
            )
            for name, kind, options in SERIES
        }
        self.store.save_series()

    # What can happen

    def live(self, steps: int) -> None:
        """Let `steps` random things happen."""
        events: tuple[tuple[Callable[[], None], int], ...] = (
            (self.advance, 30),
            (self.write_present, 40),
            (self.write_late, 8),
            (self.write_again, 5),
            (self.write_future, 2),
            (self.compact, 10),
            (self.roll_up, 8),
            (self.follow, 12),
            (self.reopen, 4),
            (self.look, 5),
            (self.sweep_some, 8),
        )
        happenings = self.random.choices([event for event, _ in events], [weight for _, weight in events], k=steps)
        for happening in happenings:
            happening()

    def advance(self) -> None:
        self.clock += self.random.choice(
            (10 * SECOND, MINUTE, self.random.randrange(10 * MINUTE), self.random.randrange(3 * HOUR))
        )

    def write(self, rows: list[tuple[str, Micros, Value, int]]) -> None:
        self.log.append(f"write {rows} at {self.clock}")
        self.store.write(
            [
                Row(self.series[name], time, None if isinstance(value, str) else value, value, Flag(flag))
                if isinstance(value, str)
                else Row(self.series[name], time, value, None, Flag(flag))
                for name, time, value, flag in rows
            ],
            heartbeat=self.clock,
        )
        self.alive = max(self.alive, self.clock)
        for name, time, value, flag in rows:
            if flag == Flag.RESUME:
                self.naive[name].resumes.add(time)
            else:
                self.naive[name].rows[time] = (value, flag)

    def write_present(self) -> None:
        low = min(self.flushed, self.clock - 1)
        self._write_between(max(low, self.clock - 2 * HOUR), self.clock, self.random.randrange(25))
        self.flushed = self.clock

    def write_late(self) -> None:
        self._write_between(self.not_before, self.clock, self.random.randrange(1, 4))

    def write_future(self) -> None:
        self._write_between(self.clock, self.clock + 2 * HOUR, self.random.randrange(1, 3))

    def _write_between(self, low: Micros, high: Micros, count: int) -> None:
        if high <= max(low, self.not_before):
            return
        low = max(low, self.not_before)
        times = sorted(self._instant(low, high) for _ in range(count))
        self.write([self._row(time) for time in times])

    def _instant(self, low: Micros, high: Micros) -> Micros:
        time = self.random.randrange(low, high)
        if self.random.random() < 0.1:
            rounded = time // (5 * MINUTE) * 5 * MINUTE
            return rounded if rounded >= low else time
        return time

    def write_again(self) -> None:
        """Write other rows at instants that have rows already."""
        rows = []
        for _ in range(self.random.randrange(1, 4)):
            name = self.random.choice(list(self.naive))
            times = [time for time in self.naive[name].rows if time >= self.not_before]
            if times:
                rows.append((name, self.random.choice(times), *self._value(name)))
        self.write(rows)

    def _row(self, time: Micros) -> tuple[str, Micros, Value, int]:
        names = [name for name in self.naive if name != "silent" or self.random.random() < 0.05]
        name = self.random.choice(names)
        return (name, time, *self._value(name))

    def _value(self, name: str) -> tuple[Value, int]:
        flag = self.random.choice(FLAGS)
        if flag == Flag.GAP:
            return None, flag
        kind = self.series[name].kind
        if kind is Kind.TEXT:
            # Few enough that a day names them all.
            rare = self.random.random() < 0.1
            return f"word {self.random.randrange(12)}" if rare else self.random.choice(MODES), flag
        if kind is Kind.ON_OFF:
            return float(self.random.random() < 0.5), flag
        if kind is Kind.METER:
            return self._reading(name, flag)
        if self.random.random() < 0.02:
            return self.random.choice((math.nan, math.inf, -math.inf)), Flag.OK
        return round(self.random.gauss(200, 400), self.random.choice((0, 1, 2, 12))), flag

    def _reading(self, name: str, flag: Flag) -> tuple[Value, int]:
        count = self.count[name]
        chance = self.random.random()
        if name == "net":
            count += round(self.random.gauss(0, 5), 2)
        elif chance < 0.08:
            count = round(self.random.uniform(0, 3), 3)
            flag = self.random.choice((Flag.OK, Flag.CYCLE)) if flag == Flag.OK else flag
        elif chance < 0.15:
            count *= 0.97
        else:
            count = round(count + self.random.expovariate(1), 3)
        self.count[name] = count
        return count, flag

    def compact(self) -> None:
        until = self.random.choice((None, self.clock, self.clock - self.random.randrange(3 * HOUR)))
        self.log.append(f"compact {until}")
        self.store.compact(until)

    def roll_up(self) -> None:
        # As in life: the roll-up comes after a flush, whose heartbeat says that the hour was watched to its end.
        self.write([])
        self.log.append(f"roll_up {self.clock}")
        self.store.roll_up(self.clock)
        self.rolled = max(self.rolled, self.clock)

    def sweep_some(self) -> None:
        """Go on with a sweep for a few pieces, or begin one; whatever else happens in between."""
        self.sweeping = self.sweeping or self.store.begin_sweep(texts=True)
        with self.store.reader() as reader:
            for _ in range(self.random.randrange(1, 5)):
                if not (self.sweeping.look(reader) or self.sweeping.step()):
                    self.sweeping.end()
                    self.sweeping = None
                    return

    def reopen(self) -> None:
        """Restart, orderly or not, with the clock moved on, or back as it is on a machine without one."""
        self.sweeping = None
        clean = self.random.random() < 0.5
        self.log.append(f"reopen clean={clean} at {self.clock}")
        if clean:
            self.store.close()
            self.stops.append(max(self.alive if self.alive > self.clock else 0, self._run_start(), self.clock))
        else:
            self.store.abandon()
            self.stops.append(self.alive)
        self.clock += self.random.choice((0, MINUTE, self.random.randrange(8 * HOUR), -self.random.randrange(2 * HOUR)))
        self._open()
        if self.random.random() < 0.4:
            self.roll_up()
        self._resume()

    def _run_start(self) -> Micros:
        return self.stops[-1] if self.stops else self.start

    def _resume(self) -> None:
        """Say of some series that they are as they were: what the first states after a start do."""
        rows = []
        for name, series in self.naive.items():
            times = [time for time, value, _ in series.known() if value is not None]
            if times and self.random.random() < 0.5:
                rows.append((name, max(times[-1], self.stops[-1]), None, Flag.RESUME))
        self.write(rows)

    def follow(self) -> None:
        with self.store.reader() as reader:
            by_id = {series.id or 0: series for series in self.series.values()}
            for _ in range(self.random.randrange(1, 30)):
                if not self.follower.step(reader, self.random.choice((1, 2, 7, 100)), by_id):
                    break
        self.store.save_cursor("mirror", self.follower.cursor)

    def catch_up(self) -> None:
        """Let the follower read to the end."""
        with self.store.reader() as reader:
            by_id = {series.id or 0: series for series in self.series.values()}
            while self.follower.step(reader, 1000, by_id):
                pass
        self.store.save_cursor("mirror", self.follower.cursor)

    def look(self) -> None:
        """Compare the raw rows of some stretch of one series, wherever they are."""
        name = self.random.choice(list(self.naive))
        low = self.random.randrange(self.start - 2 * HOUR, max(self.clock, self.start + 1))
        low = max(low, self.kept_from)
        when = TimeRange(low, low + self.random.randrange(1, 6 * HOUR))
        with self.store.reader() as reader:
            found = stored_rows(reader, self.series[name], when)
        assert found == [row for row in expected_rows(self.naive[name]) if row[0] in when], (name, when)

    def downsample(
        self, tier: str, keeps: Mapping[str, Mapping[str, timedelta | None]] | None = None
    ) -> DownsampleReport:
        """Take a step of the ladder; from now on nothing is written or looked for before what is kept of all."""
        by_id = {self.series[name].id or 0: keep for name, keep in (keeps or {}).items()}
        report = self.store.downsample(tier, self.clock, keeps=by_id)
        if tier == "raw" and self.rolled:
            keep = self.store.ladder["raw"].keep or timedelta()
            shortest = min([keep, *(own["raw"] for own in by_id.values() if own.get("raw") is not None)])
            self.kept_from = max(self.kept_from, self.limit(shortest))
            hours, _ = borders(self.timezone, self.kept_from, self.kept_from + HOUR)
            self.not_before = max(self.not_before, hours[0])
        return report

    def limit(self, keep: timedelta) -> Micros:
        """Return up to where raw rows that are kept so long are past their time."""
        rolled = self.edges()[0][-1]
        return min(self.clock - keep // timedelta(microseconds=1), rolled) // HOUR * HOUR

    # What has to be true

    def edges(self) -> tuple[list[Micros], list[Micros]]:
        """Return the borders of the hours and days that are rolled up."""
        hours, _ = borders(self.timezone, self.start - 2 * DAY, self.rolled)
        _, days = borders(self.timezone, self.start - 2 * DAY, hours[-1])
        return hours, days

    def expected(self, tier: str, name: str) -> list[Bucket]:
        hours, days = self.edges()
        if tier == "five_minute":
            hours = sorted({*range(hours[0], hours[-1] + 1, 5 * MINUTE), *hours})
        return self.naive[name].buckets(days if tier == "daily" else hours, self.stops)

    def problems(self, tiers: tuple[str, ...] = BUCKET_TIERS, since: Micros = 0) -> list[str]:
        """Say where the tiers differ from the naive history."""
        said = []
        with self.store.reader() as reader:
            for name, series in self.series.items():
                for tier in tiers:
                    if tier == "five_minute" and not series.fine:
                        continue
                    found = [b for b in stored_buckets(reader, tier, series) if b.start >= since]
                    due = [b for b in self.expected(tier, name) if b.start >= since]
                    said += [f"{tier} {name} {line}" for line in differences(found, due)]
        return said

    def raw_problems(self, since: Micros = 0) -> list[str]:
        """Say of which series the raw rows differ."""
        with self.store.reader() as reader:
            return [
                name
                for name, series in self.series.items()
                if stored_rows(reader, series, TimeRange(since, 2**62)) != expected_rows(self.naive[name], since)
            ]

    def follower_problems(self) -> list[str]:
        """Say what the follower, having read to the end, has not seen as it is."""
        said = []
        with self.store.reader() as reader:
            for name, series in self.series.items():
                seen = {time: row for (number, time), row in self.follower.rows.items() if number == series.id}
                due = {time: (value, flag) for time, value, flag in expected_rows(self.naive[name])}
                if seen != due:
                    said.append(f"{name}: {len(due.items() - seen.items())} rows not seen as they are")
                for tier in BUCKET_TIERS:
                    told = self.follower.buckets.get((tier, series.id or 0), {})
                    stored = {bucket.start: bucket for bucket in stored_buckets(reader, tier, series)}
                    wrong = [start for start in stored if repr(told.get(start)) != repr(stored[start])]
                    stale = told.keys() - stored.keys()
                    if wrong or stale:
                        said.append(f"{name} {tier}: {len(wrong)} not seen as they are, {len(stale)} not seen to go")
        return said
