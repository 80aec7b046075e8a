"""Archived days for histories that reach back to them."""

from collections.abc import Sequence
import sqlite3

from ..core.model import Kind, SeriesKey, TimeRange
from ..core.rollup import Rollup
from ..store.history import Archived, Look
from . import manifest
from .restore import Restorer


def gone(connection: sqlite3.Connection, look: Look) -> list[TimeRange]:
    """Return the parts of a span whose days have left the store, or are in files of another one.

    Ask in the snapshot of the look itself: what leaves the store afterwards is in both, and told once.
    """
    return [part for part in (manifest.gone(connection, part) for part in look.open) if part is not None]


def archived_days(restorer: Restorer, look: Look, parts: Sequence[TimeRange]) -> Archived:
    """Return the days that a look at the store lacks.

    Only files of the months of `parts` are read, the oldest first, and no more of them than the answer can hold.
    """
    span = TimeRange(min(part.start for part in parts), max(part.end for part in parts))
    # By key and not by name: an entity may have had another one when the file was written.
    keys = {one.series.key for one in look.series}
    found: dict[tuple[SeriesKey, Kind], list[Rollup]] = {}
    for _, series in restorer.day_files(span, keys=keys):
        for one, days in series:
            found.setdefault((one.key, days.kind), []).append(days)
        if look.is_enough(found):
            break
    return found
