"""What can go wrong with an archive."""

from collections.abc import Mapping
from enum import StrEnum


class ArchiveError(Exception):
    """The archive could not do what it was asked; nothing local was deleted."""


class FileDamaged(ArchiveError):
    """A file is not what was written."""


class FileTooNew(ArchiveError):
    """A file was written by a newer Strata, in a form that this one does not know."""


class NotSent(ArchiveError):
    """A file is not at every target; `failed` says why not, by target."""

    def __init__(self, failed: Mapping[str, TargetError]) -> None:
        """Say all of it."""
        super().__init__("; ".join(str(error) for error in failed.values()))
        self.failed = failed


class Problem(StrEnum):
    """Why a target does not do what it should; each has a text in the form."""

    CANNOT_CONNECT = "cannot_connect"
    UNAUTHORIZED = "invalid_auth"
    CLOCK = "clock"
    FORBIDDEN = "forbidden"
    NO_BUCKET = "no_bucket"
    NOT_FOUND = "not_found"
    NOT_A_FOLDER = "not_a_folder"
    NOT_MOUNTED = "not_mounted"
    MOUNT_MISSING = "mount_missing"
    NOT_WRITABLE = "not_writable"
    NO_SPACE = "no_space"
    NOT_ENCRYPTED = "not_encrypted"
    REFUSED = "refused"
    DAMAGED = "damaged"
    OCCUPIED = "occupied"


class TargetError(ArchiveError):
    """A target could not be used; `problem` says why, the message what it said."""

    def __init__(self, problem: Problem, message: str, code: str = "") -> None:
        """Keep the kind of problem, and the code the target gave for it."""
        super().__init__(message)
        self.problem = problem
        self.code = code
