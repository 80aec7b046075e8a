"""The manifest's copy beside the files: what is there, with which SHA-256, and whose it is.

A store that is lost takes its manifest with it; with this copy another one can take the files up and knows that they
are what was written. It is written after the files it names, so it may know fewer of them, never others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import uuid

from ..core.model import from_micros
from .errors import FileDamaged, FileTooNew, Problem, TargetError
from .manifest import ArchiveFile
from .parquet import sha256_of
from .targets.base import Target

KEY = "archives/manifest.json"
FOLDERS = ("archives", "raw")
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Published:
    """What a copy says: whose the files are, and the SHA-256 of each by its key."""

    installation: str
    files: dict[str, str]


def read(target: Target, scratch: Path) -> Published | None:
    """Return what the copy at a target says, None where there is none.

    Raises:
        FileDamaged: it is something else.
        FileTooNew: a newer Strata wrote it.
        TargetError: the target cannot be asked.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / f"{uuid.uuid4().hex}.json"
    try:
        target.get(KEY, path)
        return _parsed(path.read_bytes())
    except TargetError as error:
        if error.problem is Problem.NOT_FOUND:
            return None
        raise
    finally:
        path.unlink(missing_ok=True)


def _parsed(content: bytes) -> Published:
    try:
        said = json.loads(content)
        if said["schema"] > _SCHEMA:
            raise FileTooNew(f"{KEY} has schema {said['schema']}, this Strata knows up to {_SCHEMA}")
        return Published(str(said["installation"]), {each["key"]: each["sha256"] for each in said["files"]})
    except (ValueError, KeyError, TypeError) as error:
        raise FileDamaged(f"{KEY} is no manifest: {error}") from error


def write(target: Target, scratch: Path, installation: str, timezone: str, files: Sequence[ArchiveFile]) -> Published:
    """Put the copy in the place of the one before, at once, and read it back.

    Raises:
        TargetError: it is not known to be there; the one before may still be.
    """
    said = {
        "schema": _SCHEMA,
        "installation": installation,
        "timezone": timezone,
        "files": [
            {
                "key": file.key,
                "content": file.content,
                "period": file.period,
                "revision": file.revision,
                "start": from_micros(file.start).isoformat(),
                "end": from_micros(file.end).isoformat(),
                "rows": file.rows,
                "bytes": file.bytes,
                "sha256": file.sha256,
            }
            for file in files
        ],
    }
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / f"{uuid.uuid4().hex}.json"
    try:
        path.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        sha256 = sha256_of(path)
        target.put(KEY, path, sha256)
        target.verify(KEY, path.stat().st_size, sha256, scratch)
    finally:
        path.unlink(missing_ok=True)
    return Published(installation, {file.key: file.sha256 for file in files})
