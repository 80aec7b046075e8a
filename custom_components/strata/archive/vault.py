"""Files at targets: sent and proven, fetched from whichever has them whole, removed everywhere."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
import shutil
import sqlite3
import uuid

from ..core.model import Micros, TimeRange
from . import aliases, manifest, points
from .access import StoreAccess
from .aliases import Aliases
from .errors import ArchiveError, FileDamaged, Problem, TargetError
from .manifest import ANNOUNCED, DAMAGED, PENDING, VERIFIED, ArchiveFile, Copy
from .parquet import sha256_of
from .published import Published
from .targets.base import Target

_READ_AGAIN = 4
"""Copies of a target that each run reads to their end: a few megabytes, or some cents where reading costs."""

_OUT_OF_REACH = frozenset(
    {Problem.CANNOT_CONNECT, Problem.UNAUTHORIZED, Problem.CLOCK, Problem.NO_BUCKET, Problem.NOT_MOUNTED}
)
"""What a target says that would say the same of every file."""


def _verify(target: Target, file: ArchiveFile, scratch: Path) -> None:
    target.verify(file.key, file.bytes, file.sha256, scratch)


class Vault:
    """The targets, and the manifest that says what is in them; `targets` is by subentry id."""

    def __init__(
        self, access: StoreAccess, targets: Mapping[str, Target], scratch: Path, now: Callable[[], Micros]
    ) -> None:
        """Take what to work with; `scratch` is a folder for files on their way, and is emptied."""
        self.access = access
        self.targets = targets
        self.scratch = scratch
        self.refused: dict[str, TargetError] = {}
        """By target: why nothing may be written there, as far as was looked."""
        self.published: dict[str, Published | None] = {}
        """By target: the manifest's copy as it was last seen there."""
        self.listed: dict[str, Mapping[str, int]] = {}
        """By target: the bytes of what was there when it was last looked at."""
        self._now = now

    def files(self, content: str, when: TimeRange | None = None) -> list[ArchiveFile]:
        """Return the newest proven file of each period that touches `when`, oldest first."""
        return self.access.read(lambda reader: manifest.files(reader.connection, content, when))

    def revisions(self, file: ArchiveFile) -> list[ArchiveFile]:
        """Return the proven revisions of a file's period that are no newer than it, newest first."""
        return self.access.read(
            lambda reader: [
                each
                for each in manifest.revisions(reader.connection, file.content, file.period)
                if each.revision <= file.revision
            ]
        )

    def aliases(self) -> Aliases:
        """Return what series of files that another store has made are called here."""
        return self.access.read(lambda reader: aliases.load(reader.connection))

    def close(self) -> None:
        """Empty the scratch folder and let go of connections."""
        self.clear()
        for target in self.targets.values():
            target.close()

    def send(self, file: ArchiveFile, name: str, path: Path) -> None:
        """Bring a file to a target and prove that it is there.

        Raises:
            ArchiveError: it is not proven.
        """
        self._may_write(name)
        known = {copy.target: copy.state for copy in self._copies(file)}
        if known.get(name, ANNOUNCED) == ANNOUNCED:
            there = self.ask(name, lambda target: target.stat(file.key))
            if there is not None and there.sha256 != file.sha256:
                raise TargetError(Problem.REFUSED, f"{file.key} is there already and is none of ours")
        if known.get(name) != DAMAGED:
            # A copy that was proven once has to be known as such, whatever becomes of this attempt: what only the
            # file has would otherwise be forgotten.
            self._note(lambda connection: manifest.mark(connection, file.id, name, PENDING, None))
        self.ask(name, lambda target: target.put(file.key, path, file.sha256))
        self.ask(name, lambda target: target.verify(file.key, file.bytes, file.sha256, self.scratch))
        now = self._now()
        self._note(lambda connection: manifest.mark(connection, file.id, name, VERIFIED, now))
        self.access.write(lambda store: points.put(store, file, name, now))

    def fetch(self, file: ArchiveFile) -> Path:
        """Bring a file here from the first target that has it as it was; a damaged copy is noted.

        Raises:
            FileDamaged: a copy is gone, or something else than was written, and every other one was asked in vain.
            ArchiveError: no target can give it now; one that could not be asked may have it whole.
        """
        self.scratch.mkdir(parents=True, exist_ok=True)
        path = self.scratch / f"{uuid.uuid4().hex}.parquet"
        said: list[str] = []
        damaged = unasked = False
        for copy in self._copies(file):
            if copy.target not in self.targets or copy.state in {ANNOUNCED, PENDING}:
                continue
            try:
                self.ask(copy.target, lambda target: target.get(file.key, path))
            except TargetError as error:
                said.append(str(error))
                lost = error.problem is Problem.NOT_FOUND
                unasked |= not lost
            else:
                if sha256_of(path) == file.sha256:
                    return path
                said.append(f"{file.key} is not what was written")
                lost = True
            if lost:
                damaged = True
                self._note_damage(file, copy.target)
        path.unlink(missing_ok=True)
        reason = "; ".join(said) or f"no target that is set up has {file.key}"
        raise FileDamaged(reason) if damaged and not unasked else ArchiveError(reason)

    def inspect(self, file: ArchiveFile) -> None:
        """Note which proven copies are gone, or are said to be something else now.

        Raises:
            ArchiveError: a target cannot be asked.
        """
        for copy in self._copies(file):
            if copy.target in self.targets and copy.state == VERIFIED:
                target = self.targets[copy.target]
                if not target.stat_reads and self.listed.get(copy.target, {}).get(file.key) == file.bytes:
                    continue
                there = self.ask(copy.target, lambda target: target.stat(file.key))
                if there is None or there.bytes != file.bytes or there.sha256 not in {None, file.sha256}:
                    self._note_damage(file, copy.target)

    def read_again(self, name: str) -> None:
        """Read those copies at a target to their end that were proven longest ago, so that in time all are.

        Raises:
            ArchiveError: the target cannot be asked.
        """
        target = self.targets[name]
        if target.stat_reads:
            return
        self.scratch.mkdir(parents=True, exist_ok=True)
        for file in self.access.read(lambda reader: manifest.proven_longest_ago(reader.connection, name, _READ_AGAIN)):
            try:
                self.ask(name, partial(_verify, file=file, scratch=self.scratch))
            except TargetError as error:
                if error.problem not in {Problem.NOT_FOUND, Problem.DAMAGED}:
                    raise
                self._note_damage(file, name)
            else:
                self._note_proven(file, name)

    def remove(self, file: ArchiveFile) -> list[str]:
        """Delete a file from every target, then from the manifest; return the targets that are not set up any more.

        Raises:
            ArchiveError: a target refuses; the entry stays.
        """
        copies = self._copies(file)
        for copy in copies:
            self._may_write(copy.target)
        away = []
        for copy in copies:
            if copy.target in self.targets:
                self.ask(copy.target, lambda target: target.delete(file.key))
            else:
                away.append(copy.target)
        self._note(lambda connection: manifest.withdraw(connection, file.id))
        return away

    def _may_write(self, name: str) -> None:
        if name in self.refused:
            raise self.refused[name]

    def ask[T](self, name: str, work: Callable[[Target], T]) -> T:
        """Ask a target for something; one that turns out to be out of reach is not asked again.

        Raises:
            TargetError: it cannot do it, or could not be reached before.
        """
        before = self.refused.get(name)
        if before is not None and before.problem in _OUT_OF_REACH:
            raise before
        try:
            return work(self.targets[name])
        except TargetError as error:
            if error.problem in _OUT_OF_REACH:
                self.refused[name] = error
            raise

    def clear(self) -> None:
        """Empty the scratch folder."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _copies(self, file: ArchiveFile) -> list[Copy]:
        return self.access.read(lambda reader: manifest.copies(reader.connection, file.id))

    def _note_proven(self, file: ArchiveFile, target: str) -> None:
        now = self._now()
        self._note(lambda connection: manifest.mark(connection, file.id, target, VERIFIED, now))

    def _note_damage(self, file: ArchiveFile, target: str) -> None:
        def note(connection: sqlite3.Connection) -> None:
            # Who reads is not alone: what is not there any more may have been deleted on purpose.
            if any(copy.target == target for copy in manifest.copies(connection, file.id)):
                manifest.mark(connection, file.id, target, DAMAGED, None)

        self._note(note)

    def _note(self, work: Callable[[sqlite3.Connection], None]) -> None:
        self.access.write(lambda store: store.transact(work))
