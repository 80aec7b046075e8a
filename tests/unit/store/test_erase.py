"""What is erased is nowhere in the file, and nothing of others goes with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.strata.core.model import Cause, Kind, Row, Series, TimeRange
from custom_components.strata.store.tiers import DAILY, HOURLY
from tests.unit.store.view_home import ViewHome, berlin

EVER = TimeRange(0, 2**61)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ViewHome]:
    made = ViewHome(tmp_path, berlin(1))
    yield made
    made.store.close()


def live(home: ViewHome, name: str) -> list[Series]:
    """Let two days pass with a load and a mode of their own."""
    load = home.entity(f"sensor.{name}", unit="W", device_class="power", area_id="hall")
    mode = home.entity(f"climate.{name}", Kind.TEXT)
    rows = [Row(load, berlin(1, hour), 100.0, attributes={"secret_of": name}) for hour in range(24)]
    rows += [Row(mode, berlin(1, hour), None, f"state-of-{name}" if hour % 2 else "heat") for hour in range(24)]
    rows += [Row(load, berlin(2), 5.0, cause=Cause(f"cause-of-{name}", "parent"))]
    home.store.write(rows)
    return [load, mode]


def told(home: ViewHome, series: list[Series]) -> list[object]:
    """Return what the store says of series."""
    with home.store.reader() as reader:
        return [
            (
                reader.raw(one.id or 0, EVER).times.tolist(),
                reader.tier(HOURLY, one.id or 0, one.kind, EVER).starts.tolist(),
                reader.tier(DAILY, one.id or 0, one.kind, EVER).starts.tolist(),
                reader.details(one.id or 0, EVER),
            )
            for one in series
        ]


def content(home: ViewHome) -> bytes:
    """Return every byte of the file and its log."""
    return b"".join(path.read_bytes() for path in home.store.path.parent.glob("strata.db*"))


@pytest.mark.parametrize("forget", [True, False])
def test_everything_of_an_entity_goes_and_nothing_else(home: ViewHome, forget: bool) -> None:
    gone, stays = live(home, "gone"), live(home, "stays")
    home.refresh(berlin(3))
    assert b"state-of-gone" in content(home)
    assert b"cause-of-gone" in content(home)
    before = told(home, stays)
    energy = home.rows("daily_energy_by_device", entities=["sensor.stays"])
    dry = home.store.erase(gone, forget=forget, dry_run=True)
    assert told(home, gone)[0][0]  # type: ignore[index]
    done = home.store.erase(gone, forget=forget)
    assert dry.rows == done.rows
    assert done.rows["raw"] == 49
    assert done.rows["view_daily_energy_by_device"] == 2
    assert (done.total > 100, done.bytes > 0, done.texts) == (True, True, 1)
    assert told(home, stays) == before
    home.refresh()
    assert home.rows("daily_energy_by_device", entities=["sensor.stays"]) == energy
    assert home.rows("daily_energy_by_device", entities=["sensor.gone"]) == []
    # What both were part of is worked out again without it.
    assert home.rows("daily_energy_cost")[0]["total_kwh"] == pytest.approx(2.4)
    found = content(home)
    for trace in (b"state-of-gone", b"cause-of-gone", b'"secret_of":"gone"'):
        assert trace not in found
    assert (b"sensor.gone" in found) is not forget
    assert b"state-of-stays" in found
    with home.store.reader() as reader:
        assert reader.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert reader.connection.execute("SELECT value FROM text WHERE value = 'heat'").fetchone() == ("heat",)


def test_an_entity_that_stays_goes_on(home: ViewHome) -> None:
    series = live(home, "one")
    home.refresh(berlin(3))
    home.store.erase(series)
    home.put(series[0], (berlin(3, 1), 7.0))
    home.refresh(berlin(3, 3))
    assert told(home, series)[0][0] == [berlin(3, 1)]  # type: ignore[index]
    home.store.erase(series, forget=True)
    assert home.store.find(series[0].key) is None
    assert home.store.erase([]).total == 0


def test_rows_that_were_not_yet_compacted_go_too(home: ViewHome) -> None:
    series = live(home, "one")
    done = home.store.erase(series)
    assert done.rows["raw"] == 49
    assert told(home, series) == [([], [], [], [])] * 2
