"""Kills a process anywhere between the first row and the last upload, finishes its job, and looks.

The parent only forks: it opens no store and talks to no server, so what it forks begins clean and at once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
import json
import os
from pathlib import Path
import random
import signal
import time
import traceback

from scripts.benchmarks.kill_archive_life import (
    ARCHIVE,
    ARCHIVE_RAW,
    DOWNSAMPLE,
    INGEST,
    PHASES,
    ROLL_UP,
    UPLOAD,
    WRITE_FILE,
    Life,
    Marks,
)

_AIMS = (INGEST, ROLL_UP, DOWNSAMPLE, ARCHIVE_RAW, ARCHIVE, WRITE_FILE, UPLOAD, UPLOAD, UPLOAD)
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class Kill:
    """One kill: where it hit, and what was wrong afterwards."""

    seed: int
    phase: str
    in_transaction: bool
    days: int
    """Days that were acknowledged until then."""
    problems: tuple[str, ...]

    @property
    def inside(self) -> bool:
        """Whether it hit a transaction or an upload."""
        return self.in_transaction or self.phase == PHASES[UPLOAD]


def run(folder: Path, seed: int, kills: int, url: str) -> Iterator[Kill]:
    """Let one store and its archive live through `kills` kills and yield how each went."""
    own = folder / f"life-{seed}"
    (own / "usb").mkdir(parents=True)
    (own / "usb" / ".strata-archive").touch()
    life, marks, chance = Life(own, seed, url), Marks(), random.Random(seed)
    for attempt in range(kills):
        marks.clear()
        child = _fork(lambda attempt=attempt: life.stream(marks, attempt))
        stopped = _kill(child, marks, chance)
        problems = [] if stopped else ["the process ended by itself, or came nowhere"]
        phase, in_transaction = PHASES[marks.phase], marks.in_transaction
        problems += _asked(lambda: life.finish(marks.acknowledged))
        yield Kill(seed, phase, in_transaction, marks.acknowledged, tuple(problems))


def _kill(child: int, marks: Marks, chance: random.Random) -> bool:
    """Wait until the child is in a phase for the nth time and a moment longer; then kill it."""
    aim, times = chance.choice(_AIMS), chance.randrange(1, 3)
    moment = chance.uniform(0, 0.01)
    limit = time.monotonic() + _LONGEST_SECONDS
    came = True
    while came and marks.entered(aim) < times:
        came = time.monotonic() < limit and os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.0002)
    until = time.perf_counter() + moment
    while time.perf_counter() < until:
        pass
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except ProcessLookupError, ChildProcessError:
        return False
    return came


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 - nothing of the parent's may go on in a fork
        traceback.print_exc()
    os._exit(1)


def _asked(work: Callable[[], list[str]]) -> list[str]:
    """Return what `work` answers in a process of its own."""
    reading, writing = os.pipe()

    def answer() -> None:
        try:
            said = work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            traceback.print_exc()
            said = [f"finishing failed: {error!r}"]
        with os.fdopen(writing, "w") as pipe:
            json.dump(said, pipe)
        os._exit(0)

    child = _fork(answer)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found: list[str] = json.loads(text) if text else ["the process that looks died"]
    return found


def histogram(kills: Iterable[Kill]) -> list[str]:
    """Return the kills by phase, inside and outside of a transaction, as lines of a table."""
    count = Counter((kill.phase, kill.in_transaction) for kill in kills)
    lines = [f"{'phase':<14}{'in transaction':>16}{'outside':>10}"]
    lines += [f"{phase:<14}{count[phase, True]:>16}{count[phase, False]:>10}" for phase in PHASES]
    return lines
