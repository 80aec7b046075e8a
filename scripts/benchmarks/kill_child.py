"""The process that gets killed: streams rows into a store and says where it is.

usage: python -m scripts.benchmarks.kill_child STORE MARKS SEED FIRST_BATCH CLOCK STOPPED

Every acknowledged batch's number goes to standard output as 4 bytes. MARKS is 16 bytes of memory shared with the
parent: which phase the process is in, whether a transaction is open, and how often each phase was entered.
"""

from collections.abc import Sequence
import mmap
import os
from pathlib import Path
import sqlite3
import sys
from typing import Any, override

from scripts.benchmarks import store_only  # noqa: F401

# isort: split
from custom_components.strata.store.sqlite import SqliteStore
from scripts.benchmarks.kill_stream import LADDER, STEP, TIMEZONE, rows_of_batch, series_of

PHASES = ("open", "ingest", "compact", "roll_up", "downsample", "sweep", "checkpoint")
OPEN, INGEST, COMPACT, ROLL_UP, DOWNSAMPLE, SWEEP, CHECKPOINT = range(len(PHASES))
PHASE, IN_TRANSACTION, ENTERED = 0, 1, 2
"""Offsets in the marks."""
SIZE = 16
_HOUR = 3_600_000_000


class Marks:
    """The memory shared with the parent."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)

    def enter(self, phase: int) -> None:
        """Say that a phase begins."""
        self._memory[PHASE] = phase
        self._memory[ENTERED + phase] = (self._memory[ENTERED + phase] + 1) % 256

    def transaction(self, *, opened: bool) -> None:
        """Say whether a transaction is open."""
        self._memory[IN_TRANSACTION] = opened

    def read(self) -> tuple[int, bool, bytes]:
        """Return the phase, whether in a transaction, and how often each phase was entered."""
        content = self._memory[:SIZE]
        return content[PHASE], bool(content[IN_TRANSACTION]), content[ENTERED : ENTERED + len(PHASES)]


class MarkedConnection(sqlite3.Connection):
    """Tells the marks when a transaction is open: from the return of BEGIN to the return of COMMIT."""

    marks: Marks

    @override
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor = super().execute(sql, parameters)
        self.marks.transaction(opened=self.in_transaction)
        return cursor


def _mark_connections(marks: Marks) -> None:
    plain = sqlite3.connect
    MarkedConnection.marks = marks

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        return plain(*args, **options, factory=MarkedConnection)

    sqlite3.connect = connect  # type: ignore[assignment]


def stream(path: Path, marks: Marks, seed: int, batch: int, clock: int, stopped: int) -> None:
    """Write batch after batch until killed, with all that happens to a store in between."""
    now = [clock]
    marks.enter(OPEN)
    store = SqliteStore(path, timezone=TIMEZONE, ladder=LADDER, now=lambda: now[0])
    store.open()
    series = series_of(store)
    first = batch
    while True:
        marks.enter(INGEST)
        for _ in range(STEP):
            rows = rows_of_batch(seed, batch, now[0], stopped if batch == first else None)
            store.write([row.of(series) for row in rows], heartbeat=now[0])
            os.write(1, batch.to_bytes(4, "little"))
            batch += 1
            now[0] += _HOUR // STEP
        marks.enter(COMPACT)
        store.compact(now[0] // _HOUR * _HOUR)
        store.write([], heartbeat=now[0])
        marks.enter(ROLL_UP)
        store.roll_up(now[0])
        marks.enter(DOWNSAMPLE)
        for tier in ("raw", "five_minute", "hourly"):
            store.downsample(tier, now[0])
        marks.enter(SWEEP)
        store.sweep(now[0])
        marks.enter(CHECKPOINT)
        store.checkpoint()


def main(arguments: Sequence[str]) -> None:
    """Stream as the arguments say."""
    path, memory, *numbers = arguments
    marks = Marks(Path(memory))
    _mark_connections(marks)
    stream(Path(path), marks, *(int(number) for number in numbers))


if __name__ == "__main__":
    main(sys.argv[1:])
