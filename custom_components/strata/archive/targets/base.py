"""What the archive asks of a target, and how a copy is proven. All of it blocks: use it off the event loop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self
import uuid

from ..errors import Problem, TargetError
from ..parquet import sha256_of

PROBE = "archives/.strata-probe"
"""Where a target is tried: with this and a random end as a file's name."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a target says of a file it holds; `sha256` is None where it knows none."""

    bytes: int
    sha256: str | None
    note: str = ""
    """What is worth knowing besides, such as a storage class."""


class Target(ABC):
    """A place that keeps files by key. Keys are relative paths with slashes."""

    key: ClassVar[str]
    """What subentry data calls this kind."""
    stat_reads: ClassVar[bool] = False
    """Whether `stat` reads all of a file; where it does not, a list says as much."""
    features: ClassVar[tuple[str, ...]] = ()
    """Optional features, as `dependencies.FEATURES` names them, that it needs besides Parquet."""

    @classmethod
    @abstractmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return the target that subentry data describes; nothing is connected yet."""

    @abstractmethod
    def put(self, key: str, path: Path, sha256: str) -> None:
        """Store a file under a key; what is there already is replaced as a whole, or stays as a whole.

        Raises:
            TargetError: it is not known to be stored.
        """

    @abstractmethod
    def stat(self, key: str) -> Stored | None:
        """Return what is said of a file, None where there is none.

        Raises:
            TargetError: that cannot be told.
        """

    @abstractmethod
    def listing(self, folder: str) -> dict[str, int]:
        """Return the keys of all that is kept in a folder and below it, each with its bytes.

        Raises:
            TargetError: that cannot be told; a list that ends early is never given for the whole.
        """

    @abstractmethod
    def get(self, key: str, path: Path) -> None:
        """Bring a file here.

        Raises:
            TargetError: it is not there, or cannot be brought.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete a file; one that is not there is fine.

        Raises:
            TargetError: it may still be there.
        """

    @abstractmethod
    def prepare(self, *, known: bool = False) -> None:
        """Make the place usable, once, when it is set up; one that is `known` was so before and is not made anew.

        Raises:
            TargetError: it cannot be used.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of connections; the next use opens new ones."""

    def verify(self, key: str, size: int, sha256: str, scratch: Path) -> Stored:
        """Prove that a file is there as it was: what the target says of it, and one reading of all of it.

        Raises:
            TargetError: it is not, or that cannot be told.
        """
        stored = self.stat(key)
        if stored is None:
            raise TargetError(Problem.NOT_FOUND, f"{key} is not there")
        if stored.bytes != size or stored.sha256 not in {None, sha256}:
            raise TargetError(Problem.DAMAGED, f"{key} is not what was sent: {stored.bytes} bytes of {size}")
        copy = scratch / f"{uuid.uuid4().hex}.check"
        try:
            self.get(key, copy)
            if copy.stat().st_size != size or sha256_of(copy) != sha256:
                raise TargetError(Problem.DAMAGED, f"{key} reads back as something else than was sent")
        finally:
            copy.unlink(missing_ok=True)
        return stored

    def check(self, scratch: Path, *, known: bool = False) -> None:
        """Try everything the archive does: write, look, read back, delete.

        Args:
            scratch: a folder for files on their way.
            known: whether this is a place that was set up before, so that it has to be there and not another.

        Raises:
            TargetError: something is not allowed, or does not work.
        """
        self.prepare(known=known)
        key = f"{PROBE}-{uuid.uuid4().hex}"
        scratch.mkdir(parents=True, exist_ok=True)
        probe = scratch / f"{uuid.uuid4().hex}.probe"
        try:
            probe.write_bytes(b"Strata was here to see whether it can write, read and delete.\n")
            sha256 = sha256_of(probe)
            self.put(key, probe, sha256)
            self.verify(key, probe.stat().st_size, sha256, scratch)
            self.delete(key)
            if self.stat(key) is not None:
                raise TargetError(Problem.FORBIDDEN, "what was written as a trial cannot be deleted")
        finally:
            probe.unlink(missing_ok=True)
