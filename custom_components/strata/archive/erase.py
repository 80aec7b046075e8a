"""Erasing series from archives: each file that tells of them gives way to a revision that does not."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ..core.model import SeriesKey
from ..store.catalog import earlier_ids
from . import aliases, claim, manifest
from .archiver import Archiver
from .content import Content, Parts
from .errors import ArchiveError
from .manifest import ArchiveFile
from .parquet import DAILY
from .report import ArchiveReport


@dataclass(slots=True)
class ArchiveErasure:
    """What was done, or of a dry run would be."""

    rewritten: list[str] = field(default_factory=list)
    """Keys of files that tell of the series."""
    removed: list[str] = field(default_factory=list)
    """Keys of files that were deleted everywhere they could be."""
    away: list[str] = field(default_factory=list)
    """Targets that hold such files and are not set up any more: what is there cannot be deleted."""
    problems: list[str] = field(default_factory=list)
    names: dict[str, set[str]] = field(default_factory=dict)
    """By identity, the entity ids that the series had when files were made."""


class Eraser(Archiver):
    """Rewrites what one vault holds."""

    def erase(self, keys: Collection[SeriesKey], *, dry_run: bool = False) -> ArchiveErasure:
        """Rewrite every file that tells of some series; what cannot be is said, and the rest is done.

        A new revision is proven at every target before an older one is deleted, so nothing of others is lost.
        """
        done, report = ArchiveErasure(), ArchiveReport()
        report.fail(claim.check(self._vault, self._names))
        periods: dict[tuple[str, str], list[ArchiveFile]] = {}
        for file in self._access.read(lambda reader: manifest.all_files(reader.connection)):
            periods.setdefault((file.content, file.period), []).append(file)
        for (content, period), files in periods.items():
            try:
                self._look_around()
                kind: Content[Any] = self._days() if content == DAILY else self._events()
                self._period_without(kind, period, files, frozenset(keys), done, dry_run=dry_run)
            except ArchiveError as error:
                done.problems.append(f"{period}: {error}")
        if not dry_run:
            if not done.problems:
                self._access.write(lambda store: store.transact(lambda connection: aliases.forget(connection, keys)))
            report.fail(claim.publish(self._vault, self._names))
        done.problems += [problem for problem in report.problems if problem not in done.problems]
        self._vault.clear()
        return done

    def _period_without[V](
        self,
        content: Content[V],
        period: str,
        files: list[ArchiveFile],
        keys: frozenset[SeriesKey],
        done: ArchiveErasure,
        *,
        dry_run: bool,
    ) -> None:
        known = self._access.read(lambda reader: manifest.revisions(reader.connection, content.name, period))
        called = self._vault.aliases()
        telling: list[ArchiveFile] = []
        kept: Parts[V] = {}
        for place, file in enumerate(known):
            found = content.load(self._vault.fetch(file), called)
            _note_names(found, keys, done)
            if not place:
                kept = {name: part for name, part in found.items() if name[0] not in keys}
            if any(key in keys for key, _ in found):
                telling.append(file)
        if not telling:
            return
        done.rewritten += [file.key for file in telling]
        if dry_run:
            return
        if telling[0] is known[0] and kept:
            self._rewrite(content, known, files[-1], kept)
        for file in telling:
            done.away += [target for target in self._vault.remove(file) if target not in done.away]
            done.removed.append(file.key)

    def _rewrite[V](self, content: Content[V], known: list[ArchiveFile], newest: ArchiveFile, kept: Parts[V]) -> None:
        proven = known[0]
        path = self._vault.scratch / f"{proven.period}.parquet"
        written = content.write(path, kept, self._wishes.compression)
        file = self._announce(content, proven.period, proven.when, proven.digest, newest, written)
        self._spread(file, ArchiveReport())
        # Whichever revision days went for, this one stands for them now.
        left = next((each.settled for each in known if each.settled is not None), None)
        if left is not None:
            self._access.write(lambda store: store.transact(lambda c: manifest.settle(c, file.id, left)))


def _note_names[V](parts: Parts[V], keys: frozenset[SeriesKey], done: ArchiveErasure) -> None:
    for (key, _), (series, _) in parts.items():
        if key in keys and (name := series.labels.get("entity_id")):
            done.names.setdefault(key.identity, set()).update((name, *earlier_ids(series.labels)))
