"""Rows on their way to the store, and the newest of each series, kept without new objects.

At thousands of changes a second, an object per row that lives until the flush makes Python's
garbage collector run over everything Home Assistant holds, on the event loop, again and again. So
rows wait as plain values in one list, and what is newest is written over in place.
"""

from collections.abc import Iterator, Mapping
from itertools import batched
from typing import Any, Self

from ..core.model import Cause, Flag, Micros, Row, Series
from .base import Last

_WIDTH = 9
"""Values per row: the six of `Row`, then a cause's id, parent and user."""


class WaitingRows:
    """A queue of rows. Iterating makes each `Row` anew; `len` is the number of rows."""

    def __init__(self, values: list[Any] | None = None) -> None:
        """Start empty, or with values in rows of `_WIDTH`."""
        self._values: list[Any] = [] if values is None else values

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._values) // _WIDTH

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows, oldest first."""
        for *row, context, parent, user in batched(self._values, _WIDTH, strict=True):
            series, time, value, text, flag, attributes = row
            cause = None if context is None else Cause(context, parent, user)
            yield Row(series, time, value, text, flag, attributes, cause)

    def put(
        self,
        series: Series,
        time: Micros,
        value: float | None,
        text: str | None,
        flag: Flag,
        attributes: Mapping[str, object] | None,
        cause: Cause | None,
    ) -> None:
        """Take a row."""
        if cause is None:
            self._values.extend((series, time, value, text, flag, attributes, None, None, None))
        else:
            self._values.extend((series, time, value, text, flag, attributes, cause.id, cause.parent, cause.user))

    def take(self) -> Self:
        """Return all rows and keep none."""
        values, self._values = self._values, []
        return type(self)(values)

    def put_back(self, older: Self) -> None:
        """Put rows taken before in front again."""
        self._values[:0] = older._values

    def drop_oldest(self, count: int) -> None:
        """Forget the oldest rows."""
        del self._values[: count * _WIDTH]


class Newest:
    """The newest known value of each series."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._of: dict[Series, list[object]] = {}

    def load(self, by_id: Mapping[int | None, Series], found: Mapping[int, Last]) -> None:
        """Take up what the file knows."""
        for number, last in found.items():
            if number in by_id:
                self.set(by_id[number], last.time, last.value, last.text, last.flag)

    def get(self, series: Series) -> Last | None:
        """Return what is known of a series."""
        found = self._of.get(series)
        return None if found is None else Last(*found)  # type: ignore[arg-type]

    def set(self, series: Series, time: Micros, value: float | None, text: str | None, flag: Flag = Flag.OK) -> None:
        """Keep a newer value."""
        found = self._of.get(series)
        if found is None:
            self._of[series] = [time, value, text, flag]
        else:
            found[:] = (time, value, text, flag)

    def forget(self, series: Series) -> None:
        """Know nothing of a series."""
        self._of.pop(series, None)

    def set_gap(self, series: Series, time: Micros) -> None:
        """Keep that the value known no longer holds."""
        known = self.get(series)
        self.set(series, time, known.value if known else None, known.text if known else None, Flag.GAP)

    def set_held(self, series: Series) -> None:
        """Keep that the value known holds again."""
        known = self.get(series)
        if known is not None:
            self.set(series, known.time, known.value, known.text)
