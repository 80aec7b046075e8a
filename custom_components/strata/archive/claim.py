"""Whose a place is: Strata writes where there is nothing yet, or what this store knows, and nowhere else.

A place that holds files of another store, or of this one before it was lost or put back to an older state, is left
alone until it is taken up (see `adopt`). Two installations never share one: whoever took it up last has it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import re
import sqlite3
import uuid

from ..store.backlog import load_note
from ..store.sqlite import SqliteStore
from . import manifest, published
from .errors import ArchiveError, FileDamaged, Problem, TargetError
from .manifest import VERIFIED
from .parquet import DAILY, RAW
from .published import Published
from .vault import Vault

_INSTALLATION, _LEFT = "archive:installation", "archive:left"
_NAME = re.compile(r"(archives|raw)/\d{4}/(data|raw)_(\d{4}-\d\d-\d\d)(?:\.r(\d+))?\.parquet")


@dataclass(frozen=True, slots=True)
class Named:
    """What a file is of, as its key says."""

    key: str
    content: str
    period: str
    revision: int

    @classmethod
    def of(cls, key: str) -> Named | None:
        """Return what a key says; None where it is none of an archive's."""
        found = _NAME.fullmatch(key)
        if found is None:
            return None
        named = cls(key, DAILY if found[2] == "data" else RAW, found[3], int(found[4] or 1))
        return named if manifest.key_of(named.content, named.period, named.revision) == key else None


@dataclass(frozen=True, slots=True)
class Place:
    """What is at a target."""

    listed: Mapping[str, int]
    """Bytes by key, of everything in the archive's folders."""
    published: Published | None
    """The manifest's copy there."""
    unknown: tuple[Named, ...]
    """Files that this store knows nothing of."""
    ours: bool
    """Whether the copy, if there is one, is of this store."""

    @property
    def is_free(self) -> bool:
        """Whether this store may write there."""
        return self.ours and not self.unknown


def look(vault: Vault, name: str) -> Place:
    """Look at a target.

    Raises:
        ArchiveError: it cannot be asked, or is of a newer Strata.
    """
    target = vault.targets[name]
    listed = {key: size for folder in published.FOLDERS for key, size in target.listing(folder).items()}
    try:
        copy = published.read(target, vault.scratch) if published.KEY in listed else None
    except FileDamaged:
        copy = None  # It says nothing; the files speak for themselves.
    named = [found for key in listed if (found := Named.of(key)) is not None]
    vault.published[name] = copy
    vault.listed[name] = listed
    return vault.access.read(
        lambda reader: Place(
            listed, copy, _unknown(reader.connection, name, named, copy), _is_ours(reader.connection, copy)
        )
    )


def _is_ours(connection: sqlite3.Connection, copy: Published | None) -> bool:
    return copy is None or copy.installation == load_note(connection, _INSTALLATION)


def _unknown(
    connection: sqlite3.Connection, target: str, named: list[Named], copy: Published | None
) -> tuple[Named, ...]:
    known = {file.key: file for file in manifest.all_files(connection)}
    newest = {(file.content, file.period): file.revision for file in known.values()}
    left = set((load_note(connection, _LEFT) or {}).get(target, ()))
    found = []
    for each in named:
        file = known.get(each.key)
        if file is None:
            # An older revision than ours was let go of while its place was out of reach.
            if each.key not in left and each.revision > newest.get((each.content, each.period), 0):
                found.append(each)
        elif copy is not None and each.key in copy.files and not manifest.was_proven(connection, file.id):
            # This store was put back to a state in which the file was about to be sent.
            found.append(each)
    return tuple(found)


def check(vault: Vault, names: Iterable[str]) -> dict[str, TargetError]:
    """Look at targets, and let nothing be written where this store may not; return why, by target.

    Where it cannot be told, nothing is written either; an idle run has no complaint about that.
    """
    occupied = {}
    for name in names:
        vault.refused.pop(name, None)
        try:
            place = look(vault, name)
        except TargetError as error:
            vault.refused[name] = error
        except ArchiveError as error:
            occupied[name] = TargetError(Problem.OCCUPIED, str(error))
        else:
            if not place.is_free:
                occupied[name] = TargetError(Problem.OCCUPIED, reason(place))
    vault.refused |= occupied
    vault.clear()
    return occupied


def reason(place: Place) -> str:
    """Say why a place is not free."""
    if not place.unknown:
        return "another installation of Strata has taken this archive up"
    months = len({each.period for each in place.unknown if each.content == DAILY})
    days = len({each.period for each in place.unknown if each.content == RAW})
    return f"it holds an archive that this store does not know: {months} months and {days} days of single values"


def publish(vault: Vault, names: Iterable[str]) -> dict[str, TargetError]:
    """Bring the manifest's copies up to date, which say whose the places are; return what failed, by target."""
    failed = {}
    for name in names:
        if name not in vault.refused:
            try:
                publish_at(vault, name)
            except TargetError as error:
                failed[name] = error
    vault.clear()
    return failed


def publish_at(vault: Vault, name: str) -> None:
    """Bring the manifest's copy at one target up to date; where nothing is, there is none.

    Raises:
        TargetError: it cannot be written.
    """
    files = vault.access.read(lambda reader: manifest.held_by(reader.connection, name, VERIFIED))
    before = vault.published.get(name)
    if before is None and not files:
        return
    installation, timezone = vault.access.write(lambda store: (installation_of(store), store.timezone))
    if before != Published(installation, {file.key: file.sha256 for file in files}):
        vault.published[name] = published.write(vault.targets[name], vault.scratch, installation, timezone, files)


def installation_of(store: SqliteStore) -> str:
    """Return what tells this store from all others."""
    found = store.transact(lambda connection: load_note(connection, _INSTALLATION))
    if found is None:
        found = uuid.uuid4().hex
        store.save_note(_INSTALLATION, found)
    return str(found)


def leave(store: SqliteStore, target: str, keys: list[str]) -> None:
    """Keep which files at a target are no archive and are left alone."""
    left = store.transact(lambda connection: load_note(connection, _LEFT)) or {}
    store.save_note(_LEFT, {**left, target: keys})
