"""Taking up an archive that this store knows nothing of: of one that was lost, or put back to an older state.

Every file is read to its end and compared with what is known of it before it counts. Nothing at the target is changed,
but that the manifest's copy says whose the archive is now. The newest files come first, because they say best what an
entity is called. Killed at any instant, taking up again goes on where it was.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import time
from typing import Any
import uuid

from ..core.model import Micros, Series, TimeRange
from ..store.pace import paced
from . import aliases, claim, manifest, points
from .claim import Named, Place
from .content import Content, Days, Events
from .errors import ArchiveError, FileDamaged, FileTooNew
from .manifest import VERIFIED, ArchiveFile
from .parquet import DAILY, Written, describe, sha256_of
from .vault import Vault


@dataclass(slots=True)
class AdoptReport:
    """What was taken up, or of a dry run is there to be."""

    files: list[str] = field(default_factory=list)
    months: set[str] = field(default_factory=set)
    raw_days: set[str] = field(default_factory=set)
    rows: int = 0
    bytes: int = 0
    left: list[str] = field(default_factory=list)
    """Keys of files that cannot be read, or are another's: they stay as they are and do not count."""
    waiting: list[str] = field(default_factory=list)
    """Entity ids that this Home Assistant does not have (yet)."""
    seconds: float = 0.0
    dry_run: bool = False
    done: bool = False
    """Whether everything there is known now, and this store may write there."""
    problems: list[str] = field(default_factory=list)


class Adopter:
    """Takes up what is at one target."""

    def __init__(
        self,
        vault: Vault,
        now: Callable[[], Micros],
        entities: Mapping[str, str],
        *,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take what to work with.

        Args:
            vault: the store and its targets.
            now: the clock.
            entities: what entities are known by here, by entity id.
            go_on: asked between files; where it answers False the run ends.
        """
        self._vault = vault
        self._access = vault.access
        self._now = now
        self._entities = entities
        self._go_on = go_on

    def adopt(self, name: str, *, dry_run: bool = False) -> AdoptReport:
        """Take up the files at a target.

        Raises:
            ArchiveError: the target cannot be asked.
        """
        report, began = AdoptReport(dry_run=dry_run), time.perf_counter()
        try:
            if not dry_run:
                self._access.write(lambda store: claim.leave(store, name, []))
            place = claim.look(self._vault, name)
            kinds, done = self._kinds(), True
            for named in self._open(name, place):
                if not self._go_on():
                    report.problems.append("the run was ended early; taking up again goes on")
                    done = False
                    break
                done &= self._taken(name, place, named, kinds[named.content], report)
            if not dry_run:
                self._access.write(lambda store: claim.leave(store, name, report.left))
                self._access.write(lambda store: aliases.resolve(store, self._entities))
                if done:
                    claim.publish_at(self._vault, name)
                report.done = done
            report.waiting = self._access.read(lambda reader: aliases.waiting(reader.connection))
        finally:
            self._vault.clear()
        report.seconds = time.perf_counter() - began
        return report

    def _kinds(self) -> dict[str, Content[Any]]:
        days = self._access.write(lambda store: Days(store.ladder[DAILY], store.timezone))
        events = self._access.write(lambda store: Events(store.ladder["raw"], store.timezone))
        return {each.name: each for each in (days, events)}

    def _open(self, name: str, place: Place) -> list[Named]:
        """Return the files at a target whose copies are not known, the newest first."""
        known = self._access.read(
            lambda reader: manifest.held_by(reader.connection, name, VERIFIED, manifest.DAMAGED, manifest.PENDING)
        )
        held = {file.key for file in known} - {named.key for named in place.unknown}
        found = {named for key in place.listed if (named := Named.of(key)) is not None and key not in held}
        return sorted(found, key=lambda named: (named.period, named.revision), reverse=True)

    def _taken(self, name: str, place: Place, named: Named, content: Content[Any], report: AdoptReport) -> bool:
        """Take a file up; return False where it is to be tried again."""
        try:
            if report.dry_run:
                size = place.listed[named.key]
            else:
                file = self._take(name, place, named, content)
                size = file.bytes
                report.rows += file.rows
        except FileTooNew as error:
            report.problems.append(f"{named.key}: {error}")
            return False
        except FileDamaged as error:
            report.problems.append(f"{named.key}: {error}; it is left alone")
            report.left.append(named.key)
            return True
        except ArchiveError as error:
            report.problems.append(f"{named.key}: {error}")
            return False
        report.files.append(named.key)
        report.bytes += size
        (report.months if named.content == DAILY else report.raw_days).add(named.period)
        return True

    def _take(self, name: str, place: Place, named: Named, content: Content[Any]) -> ArchiveFile:
        path = self._vault.scratch / f"{uuid.uuid4().hex}.parquet"
        target = self._vault.targets[name]
        try:
            self._vault.scratch.mkdir(parents=True, exist_ok=True)
            target.get(named.key, path)
            sha256 = sha256_of(path)
            self._compare(name, place, named, sha256)
            rows, when, series = _survey(content, named, path)
            written = Written(path, rows, path.stat().st_size, sha256)
            file = ArchiveFile.of(
                named.content,
                named.period,
                named.revision,
                when,
                written,
                digest=manifest.TAKEN_UP,
                created=self._now(),
            )
        finally:
            path.unlink(missing_ok=True)
        self._enter(name, file, series)
        return file

    def _compare(self, name: str, place: Place, named: Named, sha256: str) -> None:
        """Compare a file with what the manifest's copy, or else the target, says of it.

        Raises:
            FileDamaged: it is something else.
        """
        said = None if place.published is None else place.published.files.get(named.key)
        if said is None:
            there = self._vault.targets[name].stat(named.key)
            said = None if there is None else there.sha256
        if said not in {None, sha256}:
            raise FileDamaged("it is not what was written")

    def _enter(self, name: str, file: ArchiveFile, series: list[Series]) -> None:
        now = self._now()
        new = self._access.read(lambda reader: aliases.unknown(reader.connection, series))
        if new:
            self._access.write(lambda store: aliases.learn(store, new, self._entities))
        if not self._access.write(
            lambda store: store.transact(lambda connection: manifest.take_up(connection, file, name, now))
        ):
            raise FileDamaged("this store has another file of that name")
        self._access.write(lambda store: points.put(store, file, name, now))


def _survey(content: Content[Any], named: Named, path: Any) -> tuple[int, TimeRange, list[Series]]:
    """Read a file to its end; return its rows, the range of its period and its series.

    Raises:
        FileDamaged: it cannot be read to its end, or is not what its name says.
    """
    said = describe(path)
    if said.tier != content.name:
        raise FileDamaged(f"it holds {said.tier} rows")
    series: dict[Any, Series] = {}
    times: list[int] = []
    for one, starts in paced(content.starts(path)):
        series[one.key] = one
        times += [int(starts[0]), int(starts[-1])]
        if said.timezone != content.timezone and not content.is_of_clock(starts):
            raise FileDamaged(f"its days follow the clock of {said.timezone}, those here that of {content.timezone}")
    if not times:
        raise FileDamaged("it holds nothing")
    period, when = content.period_at(min(times))
    if period != named.period or max(times) >= when.end:
        raise FileDamaged(f"it holds more or something else than {named.period}")
    return said.rows, when, [*series.values()]
