"""What is shown of an import: where it takes history from, how far it is, and why the last one failed."""

from typing import Any

from .import_services import SOURCES
from .imports.job import Progress
from .runtime import StrataConfigEntry

IDLE, FAILED = "idle", "failed"
STATES = [IDLE, *SOURCES, FAILED]


def import_state(entry: StrataConfigEntry) -> str:
    """Return the source of the import that goes on, otherwise whether the last one failed."""
    progress = entry.runtime_data.importing
    if progress is None or progress.finished:
        return IDLE
    return progress.source if progress.failed is None else FAILED


def import_attributes(entry: StrataConfigEntry) -> dict[str, Any]:
    """Return how far an import is, or how the last one since the start ended; nothing before the first."""
    progress = entry.runtime_data.importing
    if progress is None:
        return {}
    told = progress.as_dict()
    del told["source"], told["finished"]
    return told | {"percent": _percent(progress)}


def _percent(progress: Progress) -> float:
    if progress.finished:
        return 100.0
    return round(100 * (progress.done + progress.skipped) / progress.entities, 1) if progress.entities else 0.0
