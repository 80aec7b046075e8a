"""An erasure goes piece by piece: cut off anywhere it can be finished, and what comes meanwhile stays whole."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
import random

import pytest

from custom_components.strata.core.model import Cause, Forecast, Kind, Row, Series, SeriesKey, Slot, TimeRange
from custom_components.strata.store import erase
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.erasing import ErasureRun
from tests.unit.store.test_erase import content, live, told
from tests.unit.store.view_home import ViewHome, berlin

TRACES = (b"state-of-gone", b"cause-of-gone", b'"secret_of":"gone"')
EVER = TimeRange(0, 2**61)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_SERIES_AT_ONCE", 1), ("_CHUNKS_AT_ONCE", 3), ("_DELETED_AT_ONCE", 1)):
        monkeypatch.setattr(erase, name, size)


def lived(folder: Path) -> tuple[ViewHome, list[Series], list[Series]]:
    home = ViewHome(folder, berlin(1))
    gone, stays = live(home, "gone"), live(home, "stays")
    home.refresh(berlin(3))
    return home, gone, stays


def begun(home: ViewHome, gone: list[Series]) -> ErasureRun:
    return home.store.begin_erase(gone)


def pieces(folder: Path) -> int:
    folder.mkdir()
    home, gone, _ = lived(folder)
    run = begun(home, gone)
    count = 0
    while run.step():
        count += 1
    run.end()
    home.store.close()
    return count


def test_cut_off_after_any_piece_it_is_finished_by_asking_again(tmp_path: Path) -> None:
    count = pieces(tmp_path / "whole")
    assert count > 20
    for cut in random.Random(5).sample(range(count), 12):
        folder = tmp_path / str(cut)
        folder.mkdir()
        home, gone, stays = lived(folder)
        before = told(home, stays)
        run = begun(home, gone)
        for _ in range(cut):
            run.step()
        # The process ends here: nothing is closed in order, nothing is remembered.
        home.store.abandon()
        again = ViewHome(folder, berlin(3))
        found = [one for one in again.store.all_series() if one.labels["entity_id"].endswith(".gone")]
        assert len(found) == 2
        again.store.erase(found, forget=True)
        same = [again.store.find(one.key) for one in stays]
        assert told(again, [one for one in same if one is not None]) == before
        for trace in (*TRACES, b"sensor.gone", b"climate.gone"):
            assert trace not in content(again), (cut, trace)
        again.refresh()
        assert again.rows("daily_energy_cost")[0]["total_kwh"] == pytest.approx(2.4)
        again.store.close()


def test_what_comes_between_pieces_keeps_its_words(tmp_path: Path) -> None:
    count = pieces(tmp_path / "whole")
    mine = {"secret_of": "gone"}
    for since in range(count):
        folder = tmp_path / str(since)
        folder.mkdir()
        home, gone, stays = lived(folder)
        mode, step, run = stays[1], 0, begun(home, gone)
        while run.step():
            if step >= since:
                # Words, attributes and causes that only the erased used come into use at another entity.
                moment, cause = berlin(3, 0, step % 60, second=step // 60), Cause("cause-of-gone", "parent")
                home.store.write([Row(mode, moment, None, "state-of-gone", attributes=mine, cause=cause)])
            if step % 4 == 3:
                home.store.compact()
            step += 1
        run.end()
        home.store.compact()
        with home.store.reader() as reader:
            rows = reader.raw(mode.id or 0, TimeRange(berlin(3), berlin(4)))
            assert len(rows.times) == step - since
            codes = set(rows.texts.tolist())
            assert reader.texts(codes) == dict.fromkeys(codes, "state-of-gone")
            kept = reader.details(mode.id or 0, TimeRange(berlin(3), berlin(4)))
            assert kept[0].attributes == mine
            assert {each.context for each in kept} == {"cause-of-gone"}
            assert len(reader.raw(gone[0].id or 0, EVER).times) == 0
        home.store.close()


def test_a_file_that_was_replaced_meanwhile_is_left_alone(tmp_path: Path) -> None:
    home, gone, _ = lived(tmp_path)
    run = begun(home, gone)
    run.step()
    home.store.close()
    home.store.open()
    with pytest.raises(StoreError, match="another file"):
        run.step()
    run.end()
    home.store.close()


def test_forecasts_of_a_name_go_and_others_stay(tmp_path: Path) -> None:
    home = ViewHome(tmp_path, berlin(1))
    start = datetime(2026, 6, 1, tzinfo=UTC)
    foreseen = Forecast("EUR/kWh", start, (Slot(start, start + timedelta(hours=1), 0.25),))
    mine = SeriesKey.of_tags("electricity_pricing_forecast", {"provider": "entity:sensor.price"}, "price")
    other = SeriesKey.of_tags("electricity_pricing_forecast", {"provider": "awattar"}, "price")
    home.store.write([], forecast=[("one", mine, foreseen), ("two", other, foreseen)])
    run = home.store.begin_erase([], forecasts=[(mine.measurement, mine.identity)])
    while run.step():
        pass
    assert run.end().rows["forecast"] == 1
    with home.store.reader() as reader:
        left = erase.forecast_keys(reader.connection)
    assert left == [(other.measurement, other.identity, "price")]
    assert b"sensor.price" not in content(home)
    home.store.close()


def test_a_dry_run_in_pieces_changes_nothing(tmp_path: Path) -> None:
    home, gone, stays = lived(tmp_path)
    before, others = told(home, gone), told(home, stays)
    run = home.store.begin_erase(gone, dry_run=True)
    while run.step():
        pass
    assert run.end().total > 100
    assert (told(home, gone), told(home, stays)) == (before, others)
    assert home.store.series(gone[1].key, kind=Kind.TEXT) is gone[1]
    home.store.close()


def test_one_erasure_at_a_time(tmp_path: Path) -> None:
    """Each would look only at what came into use since it began itself, and delete words that the other's time used."""
    home, gone, stays = lived(tmp_path)
    mode = stays[1]
    run = begun(home, gone)
    run.step()
    with pytest.raises(StoreError, match="under way"):
        begun(home, gone)
    # Who only looks is in nobody's way.
    looking = home.store.begin_erase(gone, dry_run=True)
    while looking.step():
        pass
    looking.end()
    # The first one still knows what comes into use.
    home.store.write([Row(mode, berlin(3), None, "state-of-gone")])
    while run.step():
        pass
    run.end()
    home.store.compact()
    with home.store.reader() as reader:
        rows = reader.raw(mode.id or 0, TimeRange(berlin(3), berlin(4)))
        assert reader.texts(rows.texts.tolist()) == {rows.texts[0]: "state-of-gone"}
    again = begun(home, gone)
    again.end()
    home.store.close()
