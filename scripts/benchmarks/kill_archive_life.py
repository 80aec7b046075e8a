"""A store with an archive that lives until it is killed, and what has to be true of both afterwards.

Everything in here runs in a forked process: the one that is killed, or the one that finishes its job and looks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
import mmap
from pathlib import Path
import random
import sqlite3
import struct
from typing import Any, override

from scripts.benchmarks import store_only  # noqa: F401

# isort: split
from custom_components.strata.archive import content, manifest
from custom_components.strata.archive.access import DirectAccess
from custom_components.strata.archive.archiver import Archiver
from custom_components.strata.archive.errors import Problem, TargetError
from custom_components.strata.archive.parquet import sha256_of
from custom_components.strata.archive.restore import Restorer
from custom_components.strata.archive.targets.base import Stored, Target
from custom_components.strata.archive.targets.local import LocalTarget
from custom_components.strata.archive.targets.s3 import Bucket, S3Target
from custom_components.strata.archive.vault import Vault
from custom_components.strata.core.model import Flag, Kind, Row, Series, SeriesKey, TimeRange
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.job import watermark
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.tiers import DAILY, DAY, DEFAULT_LADDER, HOUR

TIMEZONE = "Europe/Berlin"
LADDER = DEFAULT_LADDER.keeping(
    {
        "raw": timedelta(days=2),
        "five_minute": timedelta(days=3),
        "hourly": timedelta(days=8),
        "daily": timedelta(days=20),
    }
)
START = 1_767_222_000_000_000
"""2026-01-01 00:00 in Berlin."""
EVER = TimeRange(0, 2**53)
SERIES: Mapping[str, Kind] = {
    **{f"power_{n}": Kind.MEASUREMENT for n in range(3)},
    "energy": Kind.METER,
    "light": Kind.ON_OFF,
    "mode": Kind.TEXT,
}
STEP = 4
"""Batches between two nights of the ladder, a day each."""
_ROWS_A_DAY = 6
_MODES = ("heat", "cool", "off")
BUCKET_NAME = "kills"

PHASES = ("ingest", "roll up", "downsample", "archive raw", "archive", "write file", "upload")
INGEST, ROLL_UP, DOWNSAMPLE, ARCHIVE_RAW, ARCHIVE, WRITE_FILE, UPLOAD = range(len(PHASES))
_PHASE, _IN_TRANSACTION, _ENTERED, _ACKNOWLEDGED, SIZE = 0, 1, 2, 16, 24


class Marks:
    """Memory that forked processes share: where the one that will be killed is, and which batches are stored."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)

    def clear(self) -> None:
        """Begin anew, but for the batches."""
        self._memory[:_ACKNOWLEDGED] = bytes(_ACKNOWLEDGED)

    def enter(self, phase: int) -> int:
        """Say that a phase begins; return the one before."""
        before = self._memory[_PHASE]
        self._memory[_PHASE] = phase
        self._memory[_ENTERED + phase] = (self._memory[_ENTERED + phase] + 1) % 256
        return before

    def back_to(self, phase: int) -> None:
        """Say that a phase goes on after another within it."""
        self._memory[_PHASE] = phase

    def transaction(self, *, opened: bool) -> None:
        """Say whether a transaction is open."""
        self._memory[_IN_TRANSACTION] = opened

    @property
    def phase(self) -> int:
        """Where the process is."""
        return self._memory[_PHASE]

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._memory[_IN_TRANSACTION])

    def entered(self, phase: int) -> int:
        """Return how often a phase was entered."""
        return self._memory[_ENTERED + phase]

    @property
    def acknowledged(self) -> int:
        """How many batches are stored for certain."""
        return int(struct.unpack_from("@Q", self._memory, _ACKNOWLEDGED)[0])

    @acknowledged.setter
    def acknowledged(self, count: int) -> None:
        struct.pack_into("@Q", self._memory, _ACKNOWLEDGED, count)


class FlakyTarget(Target):
    """A target that fails at random, before it has done what it should or after, and says when it is at work."""

    key = "flaky"

    def __init__(self, target: Target, chance: random.Random, share: float, marks: Marks) -> None:
        self._target, self._chance, self._share, self._marks = target, chance, share, marks

    @classmethod
    @override
    def of(cls, data: Mapping[str, Any]) -> FlakyTarget:
        raise NotImplementedError

    def _do[T](self, work: Callable[[], T]) -> T:
        before = self._marks.enter(UPLOAD)
        try:
            self._maybe_fail()
            done = work()
            self._maybe_fail()
            return done
        finally:
            self._marks.back_to(before)

    def _maybe_fail(self) -> None:
        if self._chance.random() < self._share:
            raise TargetError(Problem.CANNOT_CONNECT, "the line is down")

    @override
    def prepare(self) -> None:
        self._target.prepare()

    @override
    def put(self, key: str, path: Path, sha256: str) -> None:
        self._do(lambda: self._target.put(key, path, sha256))

    @override
    def stat(self, key: str) -> Stored | None:
        return self._do(lambda: self._target.stat(key))

    @override
    def listing(self, folder: str) -> dict[str, int]:
        return self._do(lambda: self._target.listing(folder))

    @override
    def get(self, key: str, path: Path) -> None:
        self._do(lambda: self._target.get(key, path))

    @override
    def delete(self, key: str) -> None:
        self._do(lambda: self._target.delete(key))

    @override
    def close(self) -> None:
        self._target.close()


class _MarkedConnection(sqlite3.Connection):
    marks: Marks

    @override
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor = super().execute(sql, parameters)
        self.marks.transaction(opened=self.in_transaction)
        return cursor


def _mark_work(marks: Marks) -> None:
    """Let connections and the writing of files say that they are at work."""
    plain = sqlite3.connect
    _MarkedConnection.marks = marks

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        read_only = options.get("uri", False)
        return plain(*args, **options) if read_only else plain(*args, **options, factory=_MarkedConnection)

    sqlite3.connect = connect  # type: ignore[assignment]
    for name in ("write", "write_raw"):
        setattr(content, name, _marked(getattr(content, name), marks))


def _marked(write: Callable[..., Any], marks: Marks) -> Callable[..., Any]:
    def marked(*args: Any, **options: Any) -> Any:
        before = marks.enter(WRITE_FILE)
        try:
            return write(*args, **options)
        finally:
            marks.back_to(before)

    return marked


class Life:
    """One store with its two targets."""

    def __init__(self, folder: Path, seed: int, url: str) -> None:
        self.folder, self.seed, self.url = folder, seed, url
        self.usb = folder / "usb"

    def targets(self) -> dict[str, Target]:
        """Return the folder and the bucket."""
        place = Bucket(
            name=BUCKET_NAME,
            endpoint_url=self.url,
            prefix=str(self.seed),
            access_key="key",
            secret_key="key",  # noqa: S106 - moto takes any
        )
        return {"usb": LocalTarget(self.usb), "s3": S3Target(place)}

    def rows(self, batch: int) -> list[tuple[str, int, float | str]]:
        """Return the rows of a day, the same whenever they are asked for."""
        chance = random.Random(self.seed << 32 | batch)
        day = START + batch * DAY
        found: list[tuple[str, int, float | str]] = []
        for name, kind in SERIES.items():
            for time in sorted(chance.sample(range(day, day + DAY), _ROWS_A_DAY)):
                value: float | str = round(chance.uniform(0, 500), 1)
                if kind is Kind.METER:
                    value = round(batch * 10 + (time - day) / HOUR, 3)
                elif kind is Kind.ON_OFF:
                    value = float(chance.random() < 0.5)
                elif kind is Kind.TEXT:
                    value = chance.choice(_MODES)
                found.append((name, time, value))
        return sorted(found, key=lambda row: row[1])

    def _open(self, clock: list[int]) -> tuple[SqliteStore, dict[str, Series]]:
        store = SqliteStore(self.folder / "strata.db", timezone=TIMEZONE, ladder=LADDER, now=lambda: clock[0])
        store.open()
        store.archived_only = True
        series = {
            name: store.series(SeriesKey.of_entity("kill", name), kind=kind, labels={"entity_id": f"sensor.{name}"})
            for name, kind in SERIES.items()
        }
        store.save_series()
        return store, series

    def _write(self, store: SqliteStore, series: Mapping[str, Series], batch: int) -> None:
        store.write(
            [
                Row(series[name], time, None, value) if isinstance(value, str) else Row(series[name], time, value)
                for name, time, value in self.rows(batch)
            ],
            heartbeat=START + (batch + 1) * DAY,
        )

    def stream(self, marks: Marks, attempt: int) -> None:
        """Write day after day, with the ladder in between, until killed."""
        _mark_work(marks)
        chance = random.Random(self.seed * 1000 + attempt)
        targets: dict[str, Target] = {
            name: FlakyTarget(target, chance, share, marks)
            for (name, target), share in zip(self.targets().items(), (0.01, 0.05), strict=True)
        }
        clock = [START + marks.acknowledged * DAY]
        store, series = self._open(clock)
        vault = Vault(DirectAccess(store), targets, self.folder / "scratch", lambda: clock[0])
        while True:
            marks.enter(INGEST)
            for _ in range(STEP):
                batch = marks.acknowledged
                clock[0] = START + (batch + 1) * DAY
                self._write(store, series, batch)
                marks.acknowledged = batch + 1
            self._night(store, Archiver(vault, lambda: clock[0]), clock[0], marks)

    def _night(self, store: SqliteStore, archiver: Archiver, now: int, marks: Marks) -> list[str]:
        marks.enter(ROLL_UP)
        store.roll_up(now)
        marks.enter(ARCHIVE_RAW)
        problems = archiver.archive_raw().problems
        marks.enter(DOWNSAMPLE)
        for tier in ("raw", "five_minute", "hourly"):
            problems += store.downsample(tier, now).problems
        marks.enter(ARCHIVE)
        return problems + archiver.run().problems

    # What has to be true

    def finish(self, acknowledged: int) -> list[str]:
        """Finish what was interrupted, with targets that work, and say what is wrong then."""
        problems = list(_unsound(self.folder / "strata.db"))
        clock = [START + acknowledged * DAY]
        store, _ = self._open(clock)
        vault = Vault(DirectAccess(store), self.targets(), self.folder / "scratch", lambda: clock[0])
        try:
            store.write([], heartbeat=clock[0])
            problems += self._night(store, Archiver(vault, lambda: clock[0]), clock[0], Marks())
            problems += self._files(store, vault)
            problems += self._single_values(store, vault, acknowledged)
            problems += self._days(store, vault, acknowledged)
        finally:
            vault.close()
            store.close()
        return problems

    def _files(self, store: SqliteStore, vault: Vault) -> Iterator[str]:
        """Every file of the manifest is at every target, as it was."""
        vault.scratch.mkdir(parents=True, exist_ok=True)
        back = vault.scratch / "back"
        with store.reader() as reader:
            files = manifest.all_files(reader.connection)
            copies = {file.id: manifest.copies(reader.connection, file.id) for file in files}
        for file in files:
            for copy in copies[file.id]:
                if copy.state != manifest.VERIFIED:
                    yield f"{file.key} is {copy.state} at {copy.target} after a run that did well"
                    continue
                vault.targets[copy.target].get(file.key, back)
                if sha256_of(back) != file.sha256:
                    yield f"{file.key} at {copy.target} has another SHA-256 than its entry"

    def _single_values(self, store: SqliteStore, vault: Vault, acknowledged: int) -> Iterator[str]:
        """Every value is in the store or in a file, and nothing else is."""
        due: dict[str, dict[int, float | str]] = defaultdict(dict)
        for batch in range(acknowledged):
            for name, time, value in self.rows(batch):
                due[name][time] = value
        found: dict[str, dict[int, float | str]] = defaultdict(dict)
        restorer = Restorer(vault)
        for series, (times, values, texts, flags) in restorer.events(EVER):
            if series.key.measurement == "kill":
                said = zip(times.tolist(), values.tolist(), texts, flags.tolist(), strict=True)
                found[_name(series)] |= {
                    time: value if text is None else text for time, value, text, flag in said if flag not in _MARKS
                }
        yield from restorer.report.problems
        with store.reader() as reader:
            for series in store.all_series():
                rows = reader.raw(series.id or 0, EVER)
                words = reader.texts({*rows.texts.tolist()})
                said = zip(rows.times.tolist(), rows.values.tolist(), rows.texts.tolist(), strict=True)
                if series.key.measurement == "kill":
                    found[_name(series)] |= {time: words[text] if text else value for time, value, text in said}
        for name in SERIES:
            lost = len(due[name].items() - found[name].items())
            # The batch that was on its way may be there although nobody was told.
            newest = START + acknowledged * DAY
            alien = sum(time < newest and due[name].get(time) != value for time, value in found[name].items())
            if lost or alien:
                yield f"{name}: {lost} values lost, {alien} that nobody wrote"

    def _days(self, store: SqliteStore, vault: Vault, acknowledged: int) -> Iterator[str]:
        """Days in the store and in files together count every value once."""
        days: dict[tuple[str, int], _Day] = {}
        restorer = Restorer(vault)
        for series, rolled in restorer.days(EVER):
            for start, day in _told(series, rolled):
                if (_name(series), start) in days:
                    yield f"{_name(series)} {start}: in two files"
                days[_name(series), start] = day
        yield from restorer.report.problems
        with store.reader() as reader:
            until = watermark(reader.connection, DAILY) or 0
            for series in store.all_series():
                for start, day in _told(series, reader.tier(DAILY, series.id or 0, series.kind, EVER)):
                    if days.setdefault((_name(series), start), day) != day:
                        yield f"{_name(series)} {start}: the store and a file differ"
        yield from self._counted(days, until, acknowledged)

    def _counted(self, days: Mapping[tuple[str, int], _Day], until: int, acknowledged: int) -> Iterator[str]:
        due: dict[str, list[float | str]] = {name: [] for name in SERIES}
        for batch in range(acknowledged):
            for name, time, value in self.rows(batch):
                if time < until:
                    due[name].append(value)
        for name, values in due.items():
            mine = [day for (of, start), day in days.items() if of == name and start < until]
            total = sum(value for value in values if isinstance(value, float)) if _sums(name) else 0.0
            counted, summed = sum(day[0] for day in mine), sum(day[1] for day in mine)
            if counted != len(values) or abs(summed - total) > 1e-9 * (total + 1):
                yield f"{name}: days count {counted} values of {len(values)}, and {summed} of {total}"


_MARKS = {Flag.GAP, Flag.RESUME}
"""Flags of rows that say when recording stopped and when a value held again."""
type _Day = tuple[int, float]
"""How many values, and for measurements their sum."""


def _sums(name: str) -> bool:
    return SERIES[name] is Kind.MEASUREMENT


def _told(series: Series, rolled: Rollup) -> Iterator[tuple[int, _Day]]:
    if series.key.measurement == "kill":
        sums = rolled.columns.get("sum", rolled.columns["n"] * 0.0)
        days = zip(rolled.columns["n"].tolist(), sums.tolist(), strict=True)
        yield from zip(rolled.starts.tolist(), days, strict=True)


def _name(series: Series) -> str:
    return series.key.identity.removeprefix("entity:")


def _unsound(path: Path) -> Iterator[str]:
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()
    if found != [("ok",)]:
        yield f"integrity_check: {found[:3]}"
