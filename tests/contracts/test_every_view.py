"""What every registered view has to be: its table as declared, silent without history, mirrored, refreshed quietly."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest

from custom_components.strata.core.model import Kind, to_micros
from custom_components.strata.mirror.feed import MirrorFeed
from custom_components.strata.store.base import Cursor
from custom_components.strata.store.views import VIEWS, view as view_named
from custom_components.strata.store.views.base import Shape, View
from custom_components.strata.store.views.query import MaterializedViews
from tests.mirror_world import DirectStore, plan_of
from tests.unit.mirror.given import MemoryServer, Sleeps
from tests.unit.store.view_home import BERLIN, ViewHome, berlin

every_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
_TYPES = {Shape.DATE: "INTEGER", Shape.ENTITY: "INTEGER", Shape.START: "INTEGER", Shape.AREA: "TEXT"}
_TYPES |= {Shape.TEXT: "TEXT", Shape.WHOLE: "INTEGER", Shape.NUMBER: "REAL"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ViewHome]:
    made = ViewHome(tmp_path, berlin(1))
    yield made
    made.store.close()


def fill(home: ViewHome) -> None:
    """Give the home three days of everything."""
    load = home.entity("sensor.kettle_power", unit="W", device_class="power", area_id="kitchen", device_id="kettle")
    meter = home.entity("sensor.grid_energy", Kind.METER, "kWh", device_class="energy")
    sensor = home.entity("binary_sensor.hall_motion", Kind.ON_OFF, device_class="motion", area_id="hall")
    home.put(home.price(), (berlin(1), 0.3), (berlin(4), None))
    home.put(home.carbon(), (berlin(1), 300.0), (berlin(4), None))
    for day in (1, 2, 3):
        home.put(load, (berlin(day, 8), 1000.0), (berlin(day, 9), 0.0))
        home.put(meter, (berlin(day, 0), 10.0 * day), (berlin(day, 20), 10.0 * day + 4))
        home.put(sensor, (berlin(day, 7), 1.0), (berlin(day, 7, 30), 0.0))
    home.refresh(berlin(4, 1))


@every_view
def test_the_table_holds_the_declared_columns(view: View, home: ViewHome) -> None:
    with home.store.reader() as reader:
        table = reader.connection.execute(f"PRAGMA table_info({view.table})").fetchall()
    declared = [
        (column.name, _TYPES[column.shape], column.shape is Shape.NUMBER or column.shape is Shape.WHOLE)
        for column in view.columns
    ]
    assert [(row[1]) for row in table] == [name for name, _, _ in declared]
    for row, (name, kind, number) in zip(table, declared, strict=True):
        assert row[2] == kind or number, name
    assert view_named(view.name) is view
    assert (view.rows is None) != (view.derive is None)


@every_view
def test_without_history_there_are_no_rows(view: View, home: ViewHome) -> None:
    assert home.refresh(berlin(2)) == 0
    assert home.rows(view.name) == []


@every_view
def test_a_day_gives_rows_in_the_columns_told(view: View, home: ViewHome) -> None:
    fill(home)
    with home.store.reader() as reader:
        answer = MaterializedViews(reader).query(view.name)
    assert answer.rows
    assert set(answer.units) <= set(answer.columns)
    for row in answer.as_dicts():
        assert None not in (row.get("date", ""), row.get("entity_id", ""), row.get("area", ""))
        for value in row.values():
            assert value is None or isinstance(value, str | int | float)
            assert value == value, "NaN is never told"  # noqa: PLR0124
        if "date" in row:
            assert date(2026, 6, 1) <= date.fromisoformat(row["date"]) <= date(2026, 6, 4)


@every_view
def test_working_out_again_changes_nothing(view: View, home: ViewHome) -> None:
    fill(home)
    before = home.rows(view.name)
    assert home.refresh() == 0
    with home.store.reader() as reader:
        stored = reader.connection.execute("SELECT COUNT(*) FROM view_due").fetchone()
    assert stored == (0,)
    home.store.save_cursor("views", Cursor(0, 0))
    home.refresh()
    assert home.rows(view.name) == before


@every_view
def test_it_is_chosen_by_what_it_has(view: View, home: ViewHome) -> None:
    fill(home)
    every = home.rows(view.name)
    for shape, argument, name in ((Shape.ENTITY, "entities", "entity_id"), (Shape.AREA, "areas", "area")):
        if view.column(shape) is None:
            with pytest.raises(ValueError, match=view.name):
                home.rows(view.name, **{argument: ["x"]})
            continue
        for value in {row[name] for row in every}:
            assert home.rows(view.name, **{argument: [value]}) == [row for row in every if row[name] == value]


@every_view
async def test_its_rows_are_points_on_a_mirror(view: View, home: ViewHome) -> None:
    direct, server = DirectStore(home.store), MemoryServer()
    plan = plan_of(home.store, timezone=lambda: "Europe/Berlin")
    mirror = MirrorFeed("one", direct, server, plan, now=lambda: home.now, sleep=Sleeps())
    await mirror.open()
    fill(home)
    await mirror.catch_up()
    direct.close()
    assert mirror.figures.quarantined == mirror.figures.expired == 0
    points = {
        (tags, time): point.fields
        for (measurement, tags, time), point in server.points["strata_views"].items()
        if measurement == view.name
    }
    told = {_point(view, row): dict(row.items()) for row in home.rows(view.name)}
    assert points.keys() == told.keys()
    for where, fields in points.items():
        elsewhere = {"start", *(column.told for column in view.keys)} - {"date"}
        known = {name: value for name, value in told[where].items() if value is not None}
        assert fields == {name: value for name, value in known.items() if name not in elsewhere}


def _point(view: View, row: dict[str, object]) -> tuple[frozenset[tuple[str, str]], int]:
    """Return the tags and the time of a row: what tells it apart, and its hour, its day, or the day of the refresh."""
    names = {column.told for column in view.keys} - {"date", "start"}
    tags = frozenset((name, str(row[name])) for name in names if row[name] != "")
    if "start" in row:
        return tags, to_micros(datetime.fromisoformat(str(row["start"])))
    day = date.fromisoformat(str(row.get("date", "2026-06-04")))
    return tags, to_micros(datetime(day.year, day.month, day.day, tzinfo=BERLIN))
