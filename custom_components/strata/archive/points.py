"""What is archived, as points: the measurement `archive_metadata`, which mirrors get like any other."""

from ..core.clock import local_date
from ..core.model import Kind, Micros, Row, SeriesKey, from_micros
from ..store.sqlite import SqliteStore
from .manifest import ArchiveFile

MEASUREMENT = "archive_metadata"
_BYTES_PER_MB = 1_000_000
_UNITS = {"file_size_mb": "MB"}


def put(store: SqliteStore, file: ArchiveFile, target: str, now: Micros) -> None:
    """Store the entry of a file that was just proven at a target."""
    fields: dict[str, str | float] = {
        "s3_key": file.key,
        "start_date": local_date(store.timezone, file.start).isoformat(),
        "end_date": local_date(store.timezone, file.end - 1).isoformat(),
        "record_count": float(file.rows),
        "file_size_mb": file.bytes / _BYTES_PER_MB,
        "sha256": file.sha256,
        "verified_at": from_micros(now).isoformat(),
    }
    rows = []
    for name, value in fields.items():
        text = value if isinstance(value, str) else None
        series = store.series(
            SeriesKey.of_tags(MEASUREMENT, {"content": file.content, "target": target}, name),
            kind=Kind.MEASUREMENT if text is None else Kind.TEXT,
            unit=_UNITS.get(name),
        )
        rows.append(Row(series, now, None if text is not None else float(value), text))
    store.write(rows)
