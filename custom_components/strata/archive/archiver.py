"""Archiving: local rows → a proven file → every target, proven there → the manifest → and only then local rows go.

Each arrow is done before the next begins, and what was done is in the manifest, so a process that dies at any instant
is taken up by the next run: nothing is lost, nothing counted twice. All of it blocks: run it on a thread of its own.
"""

from collections.abc import Callable
from datetime import timedelta
import sqlite3
import time

from ..core.model import MICROS_PER_SECOND, Micros, TimeRange
from ..store import buckets
from ..store.job import watermark
from ..store.pace import paced
from ..store.sqlite import SqliteStore
from ..store.tiers import DAILY, RAW
from . import claim, manifest
from .content import Content, Days, Events, Parts
from .errors import ArchiveError, FileDamaged, NotSent, TargetError
from .manifest import ArchiveFile
from .parquet import Written, sha256_of
from .report import ArchiveReport, Wishes
from .vault import Vault


class Stopped(ArchiveError):
    """The run was asked to end; the next one goes on."""


class Archiver:
    """Archives one store to the targets of a vault; all of them have to have a file before local rows go."""

    def __init__(
        self,
        vault: Vault,
        now: Callable[[], Micros],
        *,
        wishes: Wishes | None = None,
        go_on: Callable[[], bool] = lambda: True,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Take what to work with.

        Args:
            vault: the store and the targets.
            now: the clock.
            wishes: what the user wants.
            go_on: asked between steps; where it answers False the run ends.
            progress: told how many periods of how many are done.
        """
        self._vault = vault
        self._access = vault.access
        self._now = now
        self._wishes = wishes or Wishes()
        self._go_on = go_on
        self._progress = progress
        self._names = tuple(vault.targets)
        self._past: Micros | None = None
        """Up to when days are past their time, of a run that makes that difference."""

    # What can be asked for

    def run(self, *, dry_run: bool = False) -> ArchiveReport:
        """Archive the months that are past the time days are kept, and let their days go.

        Where the user wants it so, those that are over besides, whose days stay.
        """
        report, began = ArchiveReport(dry_run=dry_run), time.perf_counter()
        if self._vault.targets:
            report.fail(claim.check(self._vault, self._names))
            self._past = past = self._access.write(lambda store: max(self._limits(store).values(), default=0))
            until = max(past, self._now()) if self._wishes.early else past
            self._periods(self._days(), until, report, past=past, since=self._kept_since())
            if not dry_run:
                self._complete(report)
                self._expire(report)
                report.fail(claim.publish(self._vault, self._names))
        report.seconds = time.perf_counter() - began
        return report

    def archive(self, when: TimeRange, *, only: str | None = None, dry_run: bool = False) -> ArchiveReport:
        """Archive the finished months that `when` touches; nothing local goes.

        Args:
            when: the range.
            only: the one target to archive to; all of them otherwise.
            dry_run: only say what would be done.
        """
        report, began = ArchiveReport(dry_run=dry_run), time.perf_counter()
        names = self._names
        try:
            self._names = names if only is None else (only,)
            report.fail(claim.check(self._vault, self._names))
            self._periods(self._days(), self._now(), report, past=0, inside=when)
            if not dry_run:
                report.fail(claim.publish(self._vault, self._names))
        finally:
            self._names = names
        report.seconds = time.perf_counter() - began
        return report

    def archive_raw(self, *, dry_run: bool = False) -> ArchiveReport:
        """Archive the single rows that the ladder is about to delete, and release them for it."""
        report, began = ArchiveReport(dry_run=dry_run), time.perf_counter()
        keep = self._access.write(self._shortest_raw)
        if keep is not None and self._vault.targets:
            report.fail(claim.check(self._vault, self._names))
            past = self._now() - _micros(keep)
            self._periods(self._events(), past, report, past=past)
            if not dry_run:
                report.fail(claim.publish(self._vault, self._names))
        report.seconds = time.perf_counter() - began
        return report

    def _shortest_raw(self, store: SqliteStore) -> timedelta | None:
        """Bring all rows into chunks and return how long those are kept that go first; None where none goes."""
        store.compact()
        own = [keeps[RAW] for keeps in self._wishes.keeps.values() if RAW in keeps]
        return min((keep for keep in (store.ladder[RAW].keep, *own) if keep is not None), default=None)

    # Period by period

    def _days(self) -> Days:
        return self._access.write(lambda store: Days(store.ladder[DAILY], store.timezone))

    def _events(self) -> Events:
        return self._access.write(lambda store: Events(store.ladder[RAW], store.timezone))

    def _periods[V](
        self,
        content: Content[V],
        until: Micros,
        report: ArchiveReport,
        *,
        past: Micros,
        since: Micros = 0,
        inside: TimeRange | None = None,
    ) -> None:
        """Archive the periods that end at `until` or before, and let go of those that end at `past` or before.

        Of what ends at `since` or before files are for nothing, unless something goes.
        """
        self._vault.clear()
        try:
            done = until if content.name == RAW else min(until, self._rolled())
            found = self._access.read(lambda reader: [*content.periods(reader.connection, done)])
            wanted = [(period, when) for period, when in found if inside is None or when.overlaps(inside)]
            for place, (period, when) in enumerate(wanted):
                self._look_around()
                self._progress(place, len(wanted))
                try:
                    if when.end > since or (when.end <= past and self._has_more_to_delete(when)):
                        self._period(content, period, when, report, delete=when.end <= past)
                except ArchiveError as error:
                    if isinstance(error, Stopped):
                        raise
                    report.keep(period, error)
                finally:
                    self._vault.clear()
        except Stopped:
            report.problems.append("the run was ended early; the next one goes on")
        finally:
            report.warn()

    def _rolled(self) -> Micros:
        return self._access.read(lambda reader: watermark(reader.connection, DAILY)) or 0

    def _period[V](
        self, content: Content[V], period: str, when: TimeRange, report: ArchiveReport, *, delete: bool
    ) -> None:
        digest = self._access.read(lambda reader: content.digest(reader.connection, when))
        newest = self._access.read(lambda reader: manifest.newest(reader.connection, content.name, period))
        if self._is_settled(content, newest, digest, when, delete=delete):
            return
        if report.dry_run:
            if newest is None or newest.digest != digest:
                self._foresee(content, period, when, newest, report)
            return
        self._some_target(self._names_for(content.name, when.end), report)
        file = self._file(content, period, when, digest, newest, report)
        self._spread(file, report)
        if delete:
            self._let_go(content, file, when, report)

    def _foresee[V](
        self, content: Content[V], period: str, when: TimeRange, newest: ArchiveFile | None, report: ArchiveReport
    ) -> None:
        """Make the file that would be sent, of what is here, and say how large it is."""
        parts = self._local(content, when)
        written = content.write(self._vault.scratch / f"{period}.parquet", parts, self._wishes.compression)
        revision = 1 if newest is None else newest.revision + 1
        report.add(period, manifest.key_of(content.name, period, revision), written.rows, written.bytes)

    def _names_for(self, content: str, end: Micros) -> tuple[str, ...]:
        """Return the targets that are to have a file that ends then."""
        if content == RAW or self._past is None or end <= self._past:
            return self._names
        return tuple(name for name in self._names if name not in self._wishes.late)

    def _some_target(self, names: tuple[str, ...], report: ArchiveReport) -> None:
        """Make sure that a file could go somewhere before it is made.

        Raises:
            NotSent: no target can be written to.
        """
        refused = {name: self._vault.refused[name] for name in names if name in self._vault.refused}
        if refused and len(refused) == len(names):
            report.failing |= refused
            raise NotSent(refused)

    def _is_settled[V](
        self, content: Content[V], newest: ArchiveFile | None, digest: str, when: TimeRange, *, delete: bool
    ) -> bool:
        """Tell whether what the store has of a period was left there on purpose when it was archived."""
        if not delete or newest is None or newest.settled != digest:
            return False
        return content.name == DAILY and not self._has_more_to_delete(when)

    def _has_more_to_delete(self, when: TimeRange) -> bool:
        def look(store: SqliteStore) -> bool:
            limits = self._limits(store)
            found = store.transact(lambda connection: buckets.read_all(connection, store.ladder[DAILY], when))
            return any(limits.get(number, 0) >= when.end for number, _ in found)

        return self._access.write(look)

    def _file[V](
        self,
        content: Content[V],
        period: str,
        when: TimeRange,
        digest: str,
        newest: ArchiveFile | None,
        report: ArchiveReport,
    ) -> ArchiveFile:
        """Return the file that holds everything the store has of a period; write it where there is none."""
        if newest is not None and newest.digest == digest and self._is_whole(newest):
            return newest
        parts = self._local(content, when)
        known = self._access.read(lambda reader: manifest.revisions(reader.connection, content.name, period))
        base = self._base(content, known, digest)
        if base is not None:
            proven, archived = base
            merged = content.merge(archived, parts)
            if not content.adds(archived, merged):
                return self._access.write(
                    lambda store: store.transact(lambda c: manifest.made_of(c, proven.id, digest))
                )
            parts = merged
            when = TimeRange(min(when.start, proven.start), max(when.end, proven.end))
        written = content.write(self._vault.scratch / f"{period}.parquet", parts, self._wishes.compression)
        file = self._announce(content, period, when, digest, newest, written)
        report.add(period, file.key, written.rows, written.bytes)
        return file

    def _local[V](self, content: Content[V], when: TimeRange) -> Parts[V]:
        """Return what the store holds of a range; of what files call otherwise it has some under that name, too."""
        parts = self._access.read(lambda reader: content.local(reader, when))
        called = self._vault.aliases()
        if not called.keys:
            return parts
        return content.called(((series, kind, of) for (_, kind), (series, of) in paced(parts.items())), called)

    def _is_whole(self, file: ArchiveFile) -> bool:
        return self._access.read(lambda reader: manifest.has_whole_copy(reader.connection, file.id))

    def _base[V](
        self, content: Content[V], known: list[ArchiveFile], digest: str
    ) -> tuple[ArchiveFile, Parts[V]] | None:
        """Return the newest file of a period that can be read, to build on; None where the store has everything itself.

        Raises:
            FileDamaged: what the store let go of is in files that are all damaged.
            ArchiveError: a target cannot be asked now.
        """
        for file in known:
            try:
                return file, content.load(self._vault.fetch(file), self._vault.aliases())
            except FileDamaged:
                if file.digest == digest and not any(each.settled for each in known):
                    return None
                if file is known[-1]:
                    raise
        return None

    def _announce[V](
        self,
        content: Content[V],
        period: str,
        when: TimeRange,
        digest: str,
        newest: ArchiveFile | None,
        written: Written,
    ) -> ArchiveFile:
        """Give a file a revision whose key is free at every target, and write down that it is about to be sent.

        A revision that was announced and never proven anywhere is taken over: what may be under its key is half of it.
        """
        unproven = newest is not None and not self._access.read(
            lambda reader: manifest.was_proven(reader.connection, newest.id)
        )
        if newest is not None and unproven:
            revision = newest.revision
        else:
            revision = 1 if newest is None else newest.revision + 1
            while self._taken(manifest.key_of(content.name, period, revision)):
                revision += 1
        file = ArchiveFile.of(content.name, period, revision, when, written, digest=digest, created=self._now())
        instead = newest.id if newest is not None and unproven else None
        return self._access.write(
            lambda store: store.transact(lambda c: manifest.announce(c, file, self._vault.targets, instead))
        )

    def _taken(self, key: str) -> bool:
        """Tell whether a target that can be asked holds something under a key that this manifest knows nothing of."""
        for name in self._vault.targets:
            try:
                if self._vault.ask(name, lambda target: target.stat(key)) is not None:
                    return True
            except TargetError:
                continue  # Asked again before anything is sent there.
        return False

    # Sending and proving

    def _spread(self, file: ArchiveFile, report: ArchiveReport) -> None:
        """Bring a file to every target that has no proven copy of it.

        Raises:
            NotSent: at least one has none even now; the others were served.
            ArchiveError: no target can give it now.
        """
        names = self._names_for(file.content, file.end)
        missing = self._access.read(lambda reader: manifest.missing(reader.connection, file.id, names))
        if not missing:
            return
        path = self._vault.scratch / f"{file.period}.parquet"
        if not (path.exists() and sha256_of(path) == file.sha256):
            path = self._vault.fetch(file)
        failed: dict[str, TargetError] = {}
        for name in missing:
            self._look_around()
            try:
                self._vault.send(file, name, path)
                report.verified += 1
            except TargetError as error:
                failed[name] = error
        if failed:
            report.failing |= failed
            raise NotSent(failed)

    # Letting go

    def _let_go[V](self, content: Content[V], file: ArchiveFile, when: TimeRange, report: ArchiveReport) -> None:
        """Let go of the local rows that a file stands for, in one transaction with the entry that says so.

        What has changed since the file was made stays for the next run, which makes a revision of it.
        """
        now, targets = self._now(), self._vault.targets

        def work(store: SqliteStore) -> tuple[int, int]:
            stay = frozenset(number for number, limit in self._limits(store).items() if limit < when.end)

            def let_go(connection: sqlite3.Connection) -> tuple[int, int]:
                if content.digest(connection, when) != file.digest or manifest.missing(connection, file.id, targets):
                    return 0, 0
                if content.name == DAILY and manifest.held(connection, when, now):
                    return 0, 0
                deleted = content.let_go(connection, when, stay)
                # Only what stays is left of the range; where nothing went it is what it was.
                left = content.digest(connection, when, stay) if deleted[0] else file.digest
                manifest.settle(connection, file.id, left)
                return deleted

            return store.transact(let_go)

        rows, freed = self._access.write(work)
        report.rows_deleted += rows
        report.bytes_freed += freed

    def _limits(self, store: SqliteStore) -> dict[int, Micros]:
        """Return by series up to when its days are past their time; none are of a series that is kept for ever."""
        keep, keeps = store.ladder[DAILY].keep, self._wishes.keeps
        now = self._now()
        limits = {}
        for series in store.all_series():
            number = series.id or 0
            own = keeps.get(number, {}).get(DAILY, keep)
            limits[number] = 0 if own is None else now - _micros(own)
        return limits

    # What is there already

    def _complete(self, report: ArchiveReport) -> None:
        """Bring older files to targets that came later, and anew to those whose copy turned out damaged."""
        for target in self._vault.targets:
            try:
                self._look_around()
                self._vault.read_again(target)
            except Stopped:
                return
            except ArchiveError as error:
                report.problems.append(str(error))
        for name in (DAILY, RAW):
            for file in self._vault.files(name):
                try:
                    self._look_around()
                    self._vault.inspect(file)
                    self._spread(file, report)
                except Stopped:
                    return
                except ArchiveError as error:
                    report.note(file.period, error)
        self._vault.clear()

    def _expire(self, report: ArchiveReport) -> None:
        """Delete archives that are older than the user wants them, everywhere and for good."""
        since = self._kept_since()
        for file in self._access.read(lambda reader: manifest.ended(reader.connection, since)):
            try:
                self._vault.remove(file)
            except ArchiveError as error:
                report.problems.append(f"{file.key}: {error}")

    def _kept_since(self) -> Micros:
        """Return up to when archives are older than the user wants them."""
        years = self._wishes.keep_years
        return 0 if years is None else manifest.kept_since(years, self._now())

    def _look_around(self) -> None:
        if not self._go_on():
            raise Stopped("the run was ended")


def _micros(length: timedelta) -> Micros:
    return int(length.total_seconds()) * MICROS_PER_SECOND
