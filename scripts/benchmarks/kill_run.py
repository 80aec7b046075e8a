"""Kills a process that writes a store, at seeded instants, and looks whether anything it acknowledged is lost.

One store lives through several kills. After each, the file has to be sound, every acknowledged batch has to be there
once, the one that was on its way wholly or not at all; then the job is finished (rolled up, ladder run) and every
tier is compared with a walk over the rows that shares no code with the store.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
import io
from itertools import chain
import os
from pathlib import Path
import random
import signal
import sqlite3
import subprocess
import sys
import time
from typing import cast

from scripts.benchmarks import store_only

# isort: split
from custom_components.strata.core.model import Flag
from custom_components.strata.store.sqlite import SqliteStore
from scripts.benchmarks.kill_child import COMPACT, DOWNSAMPLE, INGEST, PHASES, ROLL_UP, SIZE, SWEEP, Marks
from scripts.benchmarks.kill_stream import LADDER, SERIES, START, STEP, TIMEZONE, rows_of_batch, series_of
from tests.naive_history import DAY, HOUR, MINUTE, SECOND, NaiveSeries, borders
from tests.unit.store.compare import differences, stored_buckets, stored_rows

_RAW_KEEP = 4 * HOUR
_AIMS = (INGEST, COMPACT, ROLL_UP, DOWNSAMPLE, SWEEP)
_HEALTHY_SECONDS = 20.0


@dataclass(frozen=True)
class Kill:
    """One kill: where it hit, and what was wrong afterwards."""

    seed: int
    phase: str
    in_transaction: bool
    acknowledged: int
    problems: tuple[str, ...]


@dataclass
class _Life:
    """A store's life so far, as the parent knows it."""

    path: Path
    seed: int
    clock: int = START
    batch: int = 0
    stopped: int = START
    known: dict[str, NaiveSeries] = field(
        default_factory=lambda: {name: NaiveSeries(kind.value) for name, kind in SERIES.items()}
    )
    stops: list[int] = field(default_factory=list)
    acknowledged: int = 0

    def add(self, batch: int, clock: int, *, first: bool) -> None:
        for name, when, value, flag in rows_of_batch(self.seed, batch, clock, self.stopped if first else None):
            if flag is Flag.RESUME:
                self.known[name].resumes.add(when)
            else:
                self.known[name].rows[when] = (value, flag)


def run(folder: Path, seed: int, kills: int) -> Iterator[Kill]:
    """Let one store live through `kills` kills and yield how each went."""
    life = _Life(folder / f"kill-{seed}.db", seed)
    chance = random.Random(seed)
    for _ in range(kills):
        aim = chance.choice(_AIMS)
        phase, in_transaction, acks = _stream_and_kill(life, aim, chance)
        problems = [*_sound(life.path), *_account(life, acks), *_finish(life)]
        yield Kill(seed, PHASES[phase], in_transaction, len(acks), tuple(problems))


def _stream_and_kill(life: _Life, aim: int, chance: random.Random) -> tuple[int, bool, list[int]]:
    """Run the child until it is in the phase aimed at for the nth time and a moment longer; then kill it."""
    memory = life.path.with_suffix(".marks")
    memory.write_bytes(bytes(SIZE))
    marks = Marks(memory)
    times = chance.randrange(1, 4)
    moment = chance.uniform(0, 0.012)
    numbers = (life.seed, life.batch, life.clock, life.stopped)
    child = subprocess.Popen(
        [sys.executable, "-m", "scripts.benchmarks.kill_child", str(life.path), str(memory), *map(str, numbers)],
        bufsize=0,
        stdout=subprocess.PIPE,
        cwd=store_only.ROOT,
    )
    pipe = cast("io.FileIO", child.stdout)
    os.set_blocking(pipe.fileno(), False)
    said = bytearray()
    limit = time.monotonic() + _HEALTHY_SECONDS
    while marks.read()[2][aim] < times:
        said += pipe.read() or b""
        if child.poll() is not None or time.monotonic() > limit:
            raise RuntimeError(f"the writing process did not come to {PHASES[aim]} (exit {child.poll()})")
        time.sleep(0.0002)
    until = time.perf_counter() + moment
    while time.perf_counter() < until:
        pass
    child.send_signal(signal.SIGKILL)
    child.wait()
    os.set_blocking(pipe.fileno(), True)
    said += pipe.read()
    pipe.close()
    phase, in_transaction, _ = marks.read()
    acks = [int.from_bytes(said[at : at + 4], "little") for at in range(0, len(said), 4)]
    return phase, in_transaction, acks


def _sound(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()
    return [] if found == [("ok",)] else [f"integrity_check: {found[:3]}"]


def _account(life: _Life, acks: list[int]) -> list[str]:
    """Compare the rows with the batches acknowledged, and take over the one that was on its way if it is there."""
    problems = []
    if acks != list(range(life.batch, life.batch + len(acks))):
        problems.append("batches were not acknowledged in order")
    first, began = life.batch, life.clock
    for batch in acks:
        life.add(batch, began + (batch - first) * (HOUR // STEP), first=batch == first)
    life.batch += len(acks)
    life.clock = began + len(acks) * (HOUR // STEP)
    alive = _alive(life.path)
    if acks and alive < life.clock - HOUR // STEP:
        problems.append("an acknowledged heartbeat is lost")
    before = _rows_differ(life)
    if before:
        # Nobody was told about this batch: it may be there, but then all of it.
        undone = {name: (dict(series.rows), set(series.resumes)) for name, series in life.known.items()}
        life.add(life.batch, life.clock, first=not acks)
        if _rows_differ(life):
            for name, (rows, resumes) in undone.items():
                life.known[name].rows, life.known[name].resumes = rows, resumes
            problems += before
        else:
            life.batch += 1
            life.clock += HOUR // STEP
    life.acknowledged += len(acks)
    life.stops.append(max(alive, life.stopped))
    return problems


def _alive(path: Path) -> int:
    """Return the newest heartbeat in the file."""
    connection = sqlite3.connect(path)
    try:
        return int(
            connection.execute(
                "SELECT MAX(COALESCE((SELECT MAX(time) FROM live WHERE flag = 7), 0),"
                " COALESCE((SELECT MAX(alive) FROM run), 0))"
            ).fetchone()[0]
        )
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def _rows_differ(life: _Life) -> list[str]:
    """Say which series hold other rows than expected; rows past their keep may be there or gone."""
    kept = (life.clock - _RAW_KEEP) // HOUR * HOUR
    problems = []
    store = SqliteStore(life.path, timezone=TIMEZONE, ladder=LADDER)
    with store.reader() as reader:
        found = {series.key.identity.removeprefix("entity:"): series for series in reader.series()}
        for name, naive in life.known.items():
            if name not in found:
                problems += [f"{name}: no series"] if naive.rows else []
                continue
            rows = stored_rows(reader, found[name])
            due = [(when, value, int(flag)) for when, (value, flag) in sorted(naive.rows.items())]
            lost = {row for row in due if row[0] >= kept} - set(rows)
            alien = set(rows) - set(due)
            if lost or alien or len(rows) != len({row[0] for row in rows}):
                problems.append(f"{name}: {len(lost)} rows lost, {len(alien)} not written by anyone")
    return problems


def _finish(life: _Life) -> list[str]:
    """Finish what was interrupted, compare every tier, and close; the next process goes on from here."""
    life.clock += SECOND
    store = SqliteStore(life.path, timezone=TIMEZONE, ladder=LADDER, now=lambda: life.clock)
    problems: list[str] = []
    try:
        store.open()
        series_of(store)
        store.save_series()
        store.write([], heartbeat=life.clock)
        store.roll_up(life.clock)
        for tier in ("raw", "five_minute", "hourly"):
            problems += store.downsample(tier, life.clock).problems
        store.sweep(life.clock)
        problems += _tiers_differ(life, store)
        problems += _rows_differ(life)
    finally:
        store.close()
    life.stops.append(life.clock)
    life.stopped = life.clock
    life.clock += 7 * MINUTE
    return problems


def _tiers_differ(life: _Life, store: SqliteStore) -> list[str]:
    hours, days = borders(TIMEZONE, START - DAY, life.clock)
    days = [day for day in days if day <= hours[-1]]
    fine = sorted({*range(hours[0], hours[-1] + 1, 5 * MINUTE), *hours})
    kept = {
        "five_minute": (life.clock - DAY) // DAY * DAY,
        "hourly": min(life.clock - 2 * DAY, days[-1]) // DAY * DAY,
        "daily": 0,
    }
    problems = []
    with store.reader() as reader:
        for name, naive in life.known.items():
            series = store.find(series_of(store)[name].key)
            for tier, edges in (("five_minute", fine), ("hourly", hours), ("daily", days)):
                if series is None or (tier == "five_minute" and not series.fine):
                    continue
                due = [b for b in naive.buckets(edges, life.stops) if b.start >= kept[tier]]
                found = [b for b in stored_buckets(reader, tier, series) if b.start >= kept[tier]]
                problems += [f"{tier} {name} {line}" for line in differences(found, due)[:3]]
    return problems


def histogram(kills: Iterable[Kill]) -> list[str]:
    """Return the kills by phase, inside and outside of a transaction, as lines of a table."""
    kills = list(kills)
    count = Counter((kill.phase, kill.in_transaction) for kill in kills)
    lines = [f"{'phase':<12}{'in transaction':>16}{'outside':>10}"]
    lines += [f"{phase:<12}{count[phase, True]:>16}{count[phase, False]:>10}" for phase in PHASES]
    inside = sum(kill.in_transaction for kill in kills)
    share = 100 * inside / max(1, len(kills))
    return [*lines, f"{'all':<12}{inside:>16}{len(kills) - inside:>10}   {share:.0f} % inside"]


def many(folder: Path, kills: int, *, lives: int, seed: int = 1) -> Iterator[Kill]:
    """Yield `kills` kills, shared out among `lives` stores."""
    each = [kills // lives + (number < kills % lives) for number in range(lives)]
    return chain.from_iterable(run(folder, seed + number, count) for number, count in enumerate(each))
