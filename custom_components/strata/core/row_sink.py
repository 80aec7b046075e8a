"""Where rows go, as what makes them sees it."""

from collections.abc import Mapping
from typing import Protocol

from .model import Cause, Flag, Kind, Micros, Series, SeriesKey


class LastSample(Protocol):
    """The newest value a series is known to have had; with flag GAP it no longer holds."""

    @property
    def time(self) -> Micros:
        """When it was taken."""

    @property
    def value(self) -> float | None:
        """Its number."""

    @property
    def text(self) -> str | None:
        """Its text."""

    @property
    def flag(self) -> Flag:
        """What is known about it now."""


class RowSink(Protocol):
    """Where rows go; `store.worker.StoreWorker` is one. Nothing here blocks."""

    @property
    def last_stop(self) -> Micros | None:
        """When the run before this one was last known to record."""

    @property
    def started(self) -> Micros:
        """When this run started."""

    def series(
        self,
        key: SeriesKey,
        *,
        kind: Kind,
        unit: str | None = None,
        labels: Mapping[str, str] | None = None,
        fine: bool = False,
        monotonic: bool = True,
    ) -> Series:
        """Return the series of the key, with these properties from now on."""

    def find(self, key: SeriesKey) -> Series | None:
        """Return the series of the key if there is one."""

    def put(
        self,
        series: Series,
        time: Micros,
        value: float | None = None,
        text: str | None = None,
        flag: Flag = Flag.OK,
        attributes: Mapping[str, object] | None = None,
        cause: Cause | None = None,
    ) -> None:
        """Take a row."""

    def last(self, series: Series) -> LastSample | None:
        """Return the newest value known, from previous runs too."""
