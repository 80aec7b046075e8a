"""Rows of views as points: a measurement of the view's name, its keys as tags, everything else as fields.

The time is when the hour of a row begins, otherwise its local day, so a row that is worked out again takes the place of
the point before. Rows that follow from several weeks have the day on which they were worked out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date

import numpy as np

from ..core.clock import day_range
from ..core.model import Series, SeriesKey
from ..store.pace import Pace
from ..store.views import VIEWS
from ..store.views.base import Column as ViewColumn, Shape, View, ViewRow
from .line_protocol import Column, PointBlock
from .render import cleaned, identity_tags

type SeriesOf = Callable[[int], Series | None]

_WHEN = frozenset({Shape.DATE, Shape.START})
_TEXTS = frozenset({Shape.DATE, Shape.TEXT, Shape.AREA})


def view_blocks(
    view: View, rows: Iterable[ViewRow], day: int, timezone: str, series_of: SeriesOf, *, strings: bool = True
) -> Iterator[PointBlock]:
    """Yield rows of one local day (an ordinal) as points; those of series that are gone are left out.

    Values that are not known are no fields. Without `strings`, neither are texts.
    """
    midnight = day_range(timezone, date.fromordinal(day)).start
    start = next((place for place, column in enumerate(view.columns) if column.shape is Shape.START), None)
    alike: dict[tuple[tuple[tuple[str, str], ...], tuple[int, ...]], list[ViewRow]] = {}
    pace = Pace()
    for row in rows:
        pace.step()
        if (found := _tags(view, row, series_of)) is not None:
            alike.setdefault((tuple(found.items()), tuple(_fields(view, row, strings=strings))), []).append(row)
    for (tags, places), those in alike.items():
        times = [midnight if start is None else row[start] for row in those]
        fields = {
            view.columns[place].told: _column(view.columns[place], [row[place] for row in those]) for place in places
        }
        yield PointBlock(view.name, dict(tags), np.array(times, np.int64), fields)


def _tags(view: View, row: ViewRow, series_of: SeriesOf) -> Mapping[str, str] | None:
    """Return the tags of a row, None when its series is gone."""
    tags: dict[str, str] = {}
    for column, value in zip(view.keys, row, strict=False):
        if column.shape is Shape.ENTITY:
            series = series_of(int(str(value)))
            if series is None:
                return None
            tags |= identity_tags(series)
        elif column.shape not in _WHEN:
            tags[column.told] = str(value)
    return cleaned(tags)


def _fields(view: View, row: ViewRow, *, strings: bool) -> Iterator[int]:
    """Yield the places of the columns that are fields and have a value in a row."""
    for place, column in enumerate(view.columns):
        if column.shape is Shape.START or (place < view.key_size and column.shape is not Shape.DATE):
            continue
        if row[place] is not None and (strings or column.shape not in _TEXTS):
            yield place


def _column(column: ViewColumn, values: list[object]) -> Column:
    if column.shape is Shape.DATE:
        return [date.fromordinal(int(str(value))).isoformat() for value in values]
    if column.shape in _TEXTS:
        return [str(value) for value in values]
    return np.array(values, np.int64) if column.shape is Shape.WHOLE else np.array(values, np.float64)


def as_in_views(series: Iterable[Series]) -> list[Series]:
    """Return series under the names by which points of views tell of them, so that a server can find those."""
    measurements = [view.name for view in VIEWS if view.column(Shape.ENTITY) is not None]
    return [
        Series(SeriesKey(name, one.key.identity, one.key.field), one.kind, labels=one.labels)
        for one in series
        for name in measurements
    ]
