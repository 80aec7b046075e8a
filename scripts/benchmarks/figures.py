"""A figure: what was measured, beside what was promised."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import os
from pathlib import Path
import platform
import sqlite3
from typing import Any


@dataclass(frozen=True)
class Options:
    """What a measurement may need: a folder of its own on the disk to measure, and how long to take."""

    folder: Path
    quick: bool = False


@dataclass(frozen=True)
class Figure:
    """One measured value. `limit` is the highest (or with `at_least` the lowest) good one, None for information."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the promise is kept."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_json(self) -> dict[str, Any]:
        """Return the figure for a report."""
        return {**asdict(self), "passed": self.passed}

    def as_line(self) -> str:
        """Return the figure as a line of a table."""
        sign = "" if self.limit is None else f"{'>=' if self.at_least else '<='} {self.limit:g}"
        verdict = "" if self.limit is None else "ok" if self.passed else "MISSED"
        note = f"  {self.note}" if self.note else ""
        return f"  {self.name:<44}{self.value:>12.4g} {self.unit:<10}{sign:<12}{verdict:<7}{note}"


def machine(folder: Path) -> dict[str, object]:
    """Return what the figures depend on: processors, memory, disk, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": memory // 2**20,
        "file_system": file_system(folder),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"}:
            return value.strip()
    return platform.processor() or "unknown"


def file_system(folder: Path) -> str:
    """Return the kind of file system a folder is on; `tmpfs` is no disk."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    inside = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    return max(inside, key=lambda mount: len(mount[1]))[2]


def proc(name: str) -> dict[str, int]:
    """Return the numbers of a file in /proc/self, such as `io` (bytes) or `status` (kB)."""
    numbers = {}
    for line in Path("/proc/self", name).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        first = value.split()[:1]
        if first and first[0].isdigit():
            numbers[key] = int(first[0])
    return numbers


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
