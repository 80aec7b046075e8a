"""A folder on this machine, or one that is mounted."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import errno
from pathlib import Path
import shutil
from typing import Any, ClassVar, Self, override
import uuid

from ..errors import Problem, TargetError
from ..parquet import make_durable, sha256_of, sync_folder
from .base import Stored, Target
from .mounts import shares_disk, unmounted

MARK = ".strata-archive"
"""A file in the folder that says that it is the one: where a share is not mounted, its empty folder has none."""
CONF_PATH = "path"
_FOLDERS = ("archives", "raw")
_ROOT = Path("/")

_PROBLEMS = {
    errno.ENOSPC: Problem.NO_SPACE,
    errno.EDQUOT: Problem.NO_SPACE,
    errno.EACCES: Problem.NOT_WRITABLE,
    errno.EPERM: Problem.NOT_WRITABLE,
    errno.EROFS: Problem.NOT_WRITABLE,
    errno.ENOENT: Problem.NOT_FOUND,
    errno.ENOTDIR: Problem.NOT_A_FOLDER,
}


class LocalTarget(Target):
    """Keeps files in a folder; a file appears under its name only when it is whole and durable."""

    key: ClassVar[str] = "local"
    stat_reads: ClassVar[bool] = True

    def __init__(self, folder: Path | str) -> None:
        """Name the folder."""
        self._folder = Path(folder)

    @classmethod
    @override
    def of(cls, data: Mapping[str, Any]) -> Self:
        return cls(data[CONF_PATH])

    def may_be_unmounted(self, home: Path) -> bool:
        """Tell whether this may be the empty folder of a share or disk that is not mounted.

        That is one on the disk of Home Assistant, or in its container, in which no archive was yet; so is a folder
        that is wanted there, and a copy of the history beside it. Nothing is written.

        Args:
            home: a folder on Home Assistant's disk.

        Raises:
            TargetError: something is to be mounted there and is not, or that cannot be told.
        """
        with _in_target_words("the folder"):
            if not self._folder.is_dir() or self._was_set_up():
                return False
            if (point := unmounted(self._folder)) is not None:
                raise TargetError(Problem.MOUNT_MISSING, str(point))
            return any(shares_disk(self._folder, other) for other in (home, _ROOT))

    def _was_set_up(self) -> bool:
        return (self._folder / MARK).exists() or any((self._folder / name).is_dir() for name in _FOLDERS)

    @override
    def prepare(self, *, known: bool = False) -> None:
        with _in_target_words("the folder"):
            if not self._folder.is_dir():
                raise TargetError(Problem.NOT_A_FOLDER, f"{self._folder} is not a folder that exists")
            mark = self._folder / MARK
            if not mark.exists():
                if known and not self._was_set_up():
                    raise TargetError(Problem.NOT_MOUNTED, f"{self._folder} has nothing of the archive in it")
                mark.write_text("Strata keeps its archive in this folder.\n", encoding="utf-8")

    @override
    def put(self, key: str, path: Path, sha256: str) -> None:
        place = self._place(key)
        draft = place.with_name(f".{place.name}.{uuid.uuid4().hex}.draft")
        with _in_target_words(key):
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, draft)
                make_durable(draft)
                draft.replace(place)
                sync_folder(place.parent)
            finally:
                draft.unlink(missing_ok=True)

    @override
    def stat(self, key: str) -> Stored | None:
        place = self._place(key)
        with _in_target_words(key):
            return Stored(place.stat().st_size, sha256_of(place)) if place.exists() else None

    @override
    def listing(self, folder: str) -> dict[str, int]:
        place = self._place(folder)

        def refuse(error: OSError) -> None:
            raise error

        found: dict[str, int] = {}
        with _in_target_words(folder):
            if not place.is_dir():
                return found
            for parent, _, names in place.walk(on_error=refuse):
                paths = [parent / name for name in names if not name.startswith(".")]
                found |= {path.relative_to(self._folder).as_posix(): path.stat().st_size for path in paths}
        return found

    @override
    def get(self, key: str, path: Path) -> None:
        with _in_target_words(key):
            source = self._place(key).open("rb")
        with source:
            try:
                with path.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
            except OSError as error:
                # Whichever of the two it is of, the file is there.
                raise TargetError(Problem.REFUSED, f"{key} cannot be brought here: {error.strerror}") from error

    @override
    def delete(self, key: str) -> None:
        place = self._place(key)
        with _in_target_words(key):
            place.unlink(missing_ok=True)
            if place.parent.is_dir():
                sync_folder(place.parent)

    def _place(self, key: str) -> Path:
        with _in_target_words("the folder"):
            if not (self._folder / MARK).exists():
                raise TargetError(Problem.NOT_MOUNTED, f"{self._folder} is not the folder that was set up")
        return self._folder / key


@contextmanager
def _in_target_words(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = _PROBLEMS.get(error.errno or 0, Problem.REFUSED)
        raise TargetError(problem, f"{what}: {error.strerror or error}") from error
