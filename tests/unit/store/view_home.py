"""A small home for the tests of views: a store in Berlin and what writes to it."""

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from custom_components.strata.core.model import Flag, Kind, Row, Series, SeriesKey, to_micros
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.views.day import Inputs
from custom_components.strata.store.views.query import MaterializedViews

BERLIN = ZoneInfo("Europe/Berlin")
PRICE_TAGS = {"provider": "awattar", "currency": "EUR"}
GRID_TAGS = {"region": "DE", "grid_operator": "unknown"}


def berlin(day: int, hour: int = 0, minute: int = 0, *, month: int = 6, second: int = 0, fold: int = 0) -> int:
    """An instant of 2026 by Berlin's clock."""
    return to_micros(datetime(2026, month, day, hour, minute, second, tzinfo=BERLIN, fold=fold))


class ViewHome:
    """A store whose clock is moved by hand."""

    def __init__(self, path: Path, now: int) -> None:
        self.now = now
        self.store = SqliteStore(path / "strata.db", timezone="Europe/Berlin", now=lambda: self.now)
        self.store.open()

    def entity(self, entity_id: str, kind: Kind = Kind.MEASUREMENT, unit: str | None = None, **labels: str) -> Series:
        """Return the series of an entity; its name is its identity, and what measures watts is a power."""
        if kind is Kind.MEASUREMENT and unit in {"W", "kW"}:
            labels.setdefault("device_class", "power")
        return self.store.series(
            SeriesKey.of_entity("home_assistant_events", entity_id),
            kind=kind,
            unit=unit,
            labels={"entity_id": entity_id, "domain": entity_id.partition(".")[0], **labels},
        )

    def price(self, unit: str = "EUR/kWh", **tags: str) -> Series:
        """Return the series of a price."""
        key = SeriesKey.of_tags("electricity_pricing", PRICE_TAGS | tags, "current_price")
        return self.store.series(key, kind=Kind.MEASUREMENT, unit=unit)

    def carbon(self, field: str = "carbon_intensity_gco2_kwh", unit: str = "gCO2eq/kWh") -> Series:
        """Return the series of what the grid says about its carbon."""
        key = SeriesKey.of_tags("carbon_intensity", GRID_TAGS, field)
        return self.store.series(key, kind=Kind.MEASUREMENT, unit=unit)

    def put(self, series: Series, *rows: tuple[int, float | None]) -> None:
        """Store values; None ends what was known."""
        self.store.write(Row(series, time, value, flag=Flag.GAP if value is None else Flag.OK) for time, value in rows)

    def refresh(self, now: int | None = None, inputs: Inputs | None = None) -> int:
        """Roll up and work out what has changed; return how many days that were."""
        self.now = self.now if now is None else now
        self.store.roll_up(self.now)
        days = 0
        while (report := self.store.refresh_views(inputs=inputs)).days:
            days += report.days
        assert report.waiting == 0
        return days

    def rows(self, name: str, **asked: Any) -> list[dict[str, Any]]:
        """Return a view's rows."""
        with self.store.reader() as reader:
            return MaterializedViews(reader).query(name, **asked).as_dicts()

    def row(self, name: str, **asked: Any) -> dict[str, Any]:
        """Return a view's only row."""
        [row] = self.rows(name, **asked)
        return row


def on(day: int, *, month: int = 6) -> dict[str, date]:
    """Ask for one date."""
    start = date(2026, month, day)
    return {"start": start, "end": date.fromordinal(start.toordinal() + 1)}
