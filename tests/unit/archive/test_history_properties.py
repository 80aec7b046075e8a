"""Whatever has become of a home's store and archive: a history tells every instant once, and what was written.

A home lives, is backed up, lives on and archives, and loses its card. The backup is put back, the archive taken up, and
its entities have new registry ids. Days are put back into the store, entities are erased, and life goes on. What is
told is compared with what plain Python makes of everything ever written.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
import random
import shutil
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.archive.adopt import Adopter
from custom_components.strata.archive.erase import Eraser
from custom_components.strata.archive.history import archived_days, gone
from custom_components.strata.archive.restore import Restorer, put_back
from custom_components.strata.core.model import Flag, Micros, Row, Series, SeriesKey, TimeRange, from_micros
from custom_components.strata.store.connection import snapshot
from custom_components.strata.store.history import ARCHIVE, History, TierRow, look, segments
from custom_components.strata.store.lineage import continued, lineages
from custom_components.strata.store.tiers import DAILY, DAY, HOUR, HOURLY, RAW
from tests.archive_world import EVER, SERIES, World
from tests.naive_history import Bucket, NaiveSeries, borders

BERLIN = ZoneInfo("Europe/Berlin")
KINDS = {"power": "measurement", "energy": "meter", "light": "on_off", "mode": "text"}
NEW = {f"sensor.{name}": f"new_{name}" for name in SERIES}
LIMITS = (25, 200, 100_000)


@dataclass
class Life:
    """What one store has ever been told of an entity, under one registry id."""

    naive: dict[str, NaiveSeries] = field(
        default_factory=lambda: {name: NaiveSeries(kind) for name, kind in KINDS.items()}
    )
    stops: list[Micros] = field(default_factory=list)

    def until(self, instant: Micros) -> Life:
        """Return what was known at an instant, at which recording stopped."""
        life = Life(stops=[*self.stops, instant])
        for name, series in self.naive.items():
            life.naive[name].rows = {time: row for time, row in series.rows.items() if time < instant}
        return life


class Told(World):
    """A world that remembers what was written."""

    def __init__(self, path: Path, **given: Any) -> None:
        super().__init__(path, **given)
        self.life = Life()
        self._seen: Micros | None = None

    def _row(self, name: str, chance: random.Random) -> Row:
        row = super()._row(name, chance)
        value = None if row.flag == Flag.GAP else row.value if row.text is None else row.text
        self.life.naive[name].rows[row.time] = (value, int(row.flag))
        return row

    def edges(self, tier: str) -> list[int]:
        """Return the borders of a layer's buckets up to now."""
        if self._seen != self.clock:
            self._hours, self._days = borders(self.timezone, self.start - DAY, self.clock)
            self._seen = self.clock
        return self._days if tier == DAILY else self._hours


def knowledge(bucket: Bucket) -> tuple[bool, int, int]:
    return bucket.n > 0 or bucket.first is not None, bucket.covered, bucket.n


def better(sources: Iterable[Iterable[Bucket]]) -> dict[int, Bucket]:
    """Return of buckets of one start the one that knows more; of equals the later source's."""
    best: dict[int, Bucket] = {}
    for source in sources:
        for bucket in source:
            known = best.get(bucket.start)
            if known is None or knowledge(bucket) >= knowledge(known):
                best[bucket.start] = bucket
    return best


class Home:
    """The home after its card died: what its store and its archive have, and what is true of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        for name in ("old", "new"):
            (folder / name).mkdir()
        old = Told(folder / "old", start=datetime(2026, 8, chance.randint(1, 31), tzinfo=BERLIN))
        old.live(chance.randint(30, 75), seed=seed, every=9 * HOUR)
        old.store.close()
        old.life.stops.append(old.clock)
        self.backed_up = old.life.until(old.clock)
        self.world = Told(folder / "new", like=old, names=NEW, start=from_micros(old.start))
        old.store.open()
        # What comes after the backup is in the archive only.
        old.live(chance.choice((0, 1, 20, 60)), seed=seed + 1, every=9 * HOUR)
        old.clock += chance.choice((40, 70)) * DAY
        old.ladder()
        assert old.archive().problems == []
        self.archived = {key[2] for key in old.archived()}
        assert self.archived, "names of before are learnt from files"
        self.before = old.life.until(old.clock)
        shutil.copytree(old.folder / "usb", folder / "new" / "usb", dirs_exist_ok=True)
        old.store.close()

        self.world.clock = old.clock + chance.randint(1, 72) * HOUR
        report = Adopter(self.world.vault(), lambda: self.world.clock, NEW).adopt("usb")
        assert (report.problems, report.left) == ([], [])
        self.erased: set[str] = set()
        self._true: dict[tuple[str, str], dict[int, Bucket]] = {}

    # What happens

    def live(self) -> None:
        self._true.clear()
        self.world.live(self.chance.randint(1, 45), seed=self.chance.randrange(1_000), every=9 * HOUR)

    def archive(self) -> None:
        self.world.wishes = type(self.world.wishes)(early=self.chance.random() < 0.5)
        assert self.world.archive().problems == []

    def put_back(self) -> None:
        begin = self.world.start + self.chance.randint(-10, 80) * DAY
        when = TimeRange(begin, begin + self.chance.randint(1, 60) * DAY)
        names = {f"sensor.{name}" for name in self.chance.sample([*SERIES], 2)}
        until = self.world.clock + 30 * DAY
        put_back(self.world.store, list(Restorer(self.world.vault()).days(when, names)), hold=(when, until))

    def erase(self) -> None:
        name = self.chance.choice([*SERIES])
        own = [one for one in self.world.store.all_series() if one.labels.get("entity_id") == f"sensor.{name}"]
        self.world.store.erase(own)
        done = Eraser(self.world.vault(), lambda: self.world.clock).erase([one.key for one in own])
        assert done.problems == []
        self.erased.add(name)
        self._true.clear()
        self.world.life.naive[name] = NaiveSeries(KINDS[name])

    # What is told

    def answer(self, name: str, when: TimeRange, tier: str | None, limit: int) -> tuple[History, list[Any]]:
        """Ask as `query_history` does; also return which layer told which part."""
        world = self.world
        with world.store.reader() as reader, snapshot(reader.connection):
            [line] = lineages([self.series(name)], world.store.all_series(), continued(reader.connection))
            seen = look(reader, world.timezone, [line], when, tier=tier, limit=limit, archive=True)
            parts = gone(reader.connection, seen)
            told_by = segments(reader, world.timezone, line, when, seen.resolution)
        restorer = Restorer(world.vault())
        told = seen.told(archived_days(restorer, seen, parts) if parts else {})
        assert restorer.report.problems == []
        return told, told_by

    def series(self, name: str) -> Series:
        found = self.world.store.find(SeriesKey.of_entity("home_assistant_events", f"new_{name}"))
        assert found is not None
        return found

    def asked(self) -> Iterator[tuple[TimeRange, str | None]]:
        """Yield spans of all lengths and the finest layer that is asked for."""
        hours, days = self.world.edges(HOURLY), self.world.edges(DAILY)
        for tier in (None, HOURLY, DAILY):
            yield TimeRange(*sorted(self.chance.sample(days, 2))), tier
        for tier in (None, RAW, HOURLY):
            yield TimeRange(hours[-self.chance.randint(3, 24 * 12)], hours[-1]), tier
        yield TimeRange(EVER.start, days[-1]), DAILY

    # What is true

    def buckets(self, name: str, tier: str) -> dict[int, Bucket]:
        if (name, tier) not in self._true:
            self._true[name, tier] = self._buckets(name, tier)
        return self._true[name, tier]

    def _buckets(self, name: str, tier: str) -> dict[int, Bucket]:
        edges, world = self.world.edges(tier), self.world
        now = world.life.naive[name].buckets(edges, world.life.stops)
        if name in self.erased:
            return better([now])
        backup = self.backed_up.naive[name].buckets(edges, self.backed_up.stops)
        if tier != DAILY:
            return better([backup, now])
        archived = self.before.naive[name].buckets(edges, self.before.stops)
        return better([(day for day in archived if day.start in self.archived), backup, now])

    def rows(self, name: str) -> dict[int, tuple[Any, int]]:
        now = self.world.life.naive[name].rows
        return now if name in self.erased else {**self.backed_up.naive[name].rows, **now}

    def check(self, name: str, when: TimeRange, tier: str | None, limit: int) -> set[str]:
        rows: list[TierRow] = []
        left: TimeRange | None = when
        _, told_by = self.answer(name, when, tier, 1)
        finest = tier
        while left is not None:
            found, _ = self.answer(name, left, finest, limit)
            finest = found.resolution
            [one] = found.series
            assert len(one.rows) <= limit
            rows += one.rows
            left = None if found.next is None else TimeRange(found.next, when.end)
        # Layers follow each other, and no instant is told twice.
        assert [told_by[0].when.start, told_by[-1].when.end] == [when.start, when.end]
        assert all(one.when.end == other.when.start for one, other in pairwise(told_by))
        spans = [_span(row) for row in rows]
        assert all(one[1] <= other[0] for one, other in pairwise(spans)), "told twice"
        expected = [pair for part in told_by for pair in self._expected(name, part.tier, part.when)]
        assert [(start, _simple(tier)) for start, tier, _ in rows] == [(start, tier) for start, tier, _ in expected]
        for (_, _, row), (_, layer, said) in zip(rows, expected, strict=True):
            _compare(row, layer, said, KINDS[name])
        return {layer for _, layer, _ in rows}

    def _expected(self, name: str, tier: str, when: TimeRange) -> Iterator[tuple[int, str, Any]]:
        if tier == RAW:
            yield from ((at, RAW, row) for at, row in sorted(self.rows(name).items()) if at in when)
            return
        closed = max(self.world.edges(HOURLY))
        for start, bucket in sorted(self.buckets(name, tier).items()):
            if start in when and bucket.end <= closed:
                yield start, tier, bucket


def _simple(tier: str) -> str:
    return DAILY if tier == ARCHIVE else tier


def _span(row: TierRow) -> tuple[int, int]:
    start, tier, said = row
    if tier == RAW:
        return start, start + 1
    end = datetime.fromisoformat(str(said["end"]))
    return start, round(end.timestamp()) * 1_000_000


def _compare(row: dict[str, Any], tier: str, said: Any, kind: str) -> None:
    if tier == RAW:
        value, flag = said
        assert (row["state"] if kind == "text" else row["value"]) == (None if flag == Flag.GAP else value)
        return
    assert row["total_samples" if tier == DAILY else "sample_count"] == said.n
    assert row["covered_seconds"] == said.covered / 1e6
    assert (row["first_value"], row["last_value"]) == (said.first, said.last)
    if kind == "measurement":
        mean = said.integral * 1e6 / said.covered if said.covered else None
        assert row["avg_value"] == (None if mean is None else pytest.approx(mean, rel=1e-9))
        if said.covered:
            assert (row["min_value"], row["max_value"]) == (said.min, said.max)
    if kind == "meter":
        assert row["increase"] == pytest.approx(said.increase, abs=1e-6)
        assert row["resets"] == said.resets
    if kind == "on_off":
        assert row["on_seconds"] == said.on / 1e6
    if kind in {"on_off", "text"}:
        assert row["transitions"] == said.transitions
    if kind == "text":
        assert row["state_seconds"] == {state: micros / 1e6 for state, micros in said.states.items()}


@pytest.mark.parametrize("seed", [4, 8])
def test_every_instant_is_told_once_and_as_it_was(tmp_path: Path, seed: int) -> None:
    home = Home(tmp_path, seed)
    chance = home.chance
    told: set[str] = set()
    try:
        for round_ in range(3):
            home.live()
            for happens in chance.sample([home.archive, home.put_back, home.put_back, home.erase], 2):
                if happens != home.erase or round_:
                    happens()
            for name in SERIES:
                for when, tier in home.asked():
                    told |= home.check(name, when, tier, chance.choice(LIMITS))
    finally:
        home.world.store.abandon()
    assert {ARCHIVE, DAILY, HOURLY, RAW} <= told, "all of it was tried"
