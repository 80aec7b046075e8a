"""Rows that cannot be stored, found among those that can: one of them must not sink the others with it."""

from collections.abc import Callable, Iterable, Sequence
import logging

from ..core.model import Forecast, Micros, Row, SeriesKey
from .base import StoreError
from .sqlite import SqliteStore

_LOGGER = logging.getLogger(__name__)

type _Write = Callable[[Sequence[Row]], object]


def write(
    store: SqliteStore, rows: Iterable[Row], foreseen: Iterable[tuple[str, SeriesKey, Forecast]], heartbeat: Micros
) -> None:
    """Write rows and forecasts; where something cannot be stored whatever is tried, all the other rows are.

    What is left out is counted as dropped.

    Raises:
        StoreError: nothing can be written now.
    """
    try:
        store.write(rows, forecast=foreseen, heartbeat=heartbeat)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it may be one row only
        try:
            store.write((), heartbeat=heartbeat)
        except Exception as still:  # noqa: BLE001 - whatever it is, the rows have to wait
            raise StoreError(f"nothing can be stored: {still}") from error
        store.counters.dropped += _write_part(store.write, [*rows])


def _write_part(write: _Write, rows: Sequence[Row]) -> int:
    """Write rows in ever smaller parts; return how many were left out."""
    try:
        write(rows)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the others have to be stored
        if len(rows) > 1:
            middle = len(rows) // 2
            return _write_part(write, rows[:middle]) + _write_part(write, rows[middle:])
        name = rows[0].series.labels.get("entity_id", rows[0].series.key.identity)
        _LOGGER.error("A row of %s cannot be stored and is left out: %s", name, error)
        return 1
    return 0
