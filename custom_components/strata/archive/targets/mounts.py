"""Which disk a folder is on: where a share or a disk is not mounted, its empty folder is on the system's own."""

from collections.abc import Iterator
from pathlib import Path
import re

MOUNTED = Path("/proc/self/mountinfo")
"""What is mounted, by proc(5): `36 35 98:0 /root /point options optional... - type source options`."""
TO_MOUNT = Path("/etc/fstab")
"""What is to be mounted, by fstab(5): `source /point type options dump pass`."""

_ESCAPE = re.compile(r"\\([0-7]{3})")


def shares_disk(folder: Path, other: Path) -> bool:
    """Tell whether two folders are on the same file system, or on parts of one disk's that have numbers of their own.

    Raises:
        OSError: one of them is not there.
    """
    if folder.stat().st_dev == other.stat().st_dev:
        return True
    # Subvolumes of btrfs differ in the number of their device, and name the same one.
    source = _source_of(folder.resolve())
    return source is not None and source.startswith("/dev/") and source == _source_of(other.resolve())


def unmounted(folder: Path) -> Path | None:
    """Return where something is to be mounted that the folder would be in, and is not; None where that is not so."""
    place = folder.resolve()
    mounted = {point for point, _ in _mounted()}
    if not mounted:
        return None
    for point in _to_mount():
        if place.is_relative_to(point) and point not in mounted:
            return point
    return None


def _source_of(place: Path) -> str | None:
    """Return what is mounted where a path leads to; of what is mounted in one place, the last is on top."""
    best: tuple[Path, str] | None = None
    for point, source in _mounted():
        if place.is_relative_to(point) and (best is None or len(point.parts) >= len(best[0].parts)):
            best = (point, source)
    return best[1] if best else None


def _mounted() -> Iterator[tuple[Path, str]]:
    for words in _lines(MOUNTED):
        if "-" in words[6:] and len(words) > (at := words.index("-", 6)) + 2:
            yield Path(_plain(words[4])), _plain(words[at + 2])


def _to_mount() -> Iterator[Path]:
    for words in _lines(TO_MOUNT):
        if len(words) > 1 and not words[0].startswith("#") and words[1].startswith("/") and words[1] != "/":
            yield Path(_plain(words[1]))


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return  # Not every system has it.
    for line in text.splitlines():
        yield line.split()


def _plain(word: str) -> str:
    """Return a word without the escapes that stand for spaces and the like."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), word)
