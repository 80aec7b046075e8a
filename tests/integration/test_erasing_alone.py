# ruff: noqa: F811 - fixtures that are taken over are asked for by their names
"""An erasure is alone: beside another one, a restore or an import it would delete too much, or too little."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
import threading
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.archive.restore import Restorer
from custom_components.strata.archive.tables import SeriesBuckets
from custom_components.strata.const import DOMAIN
from custom_components.strata.core.model import Kind, SeriesKey, TimeRange, to_micros
from custom_components.strata.import_services import RUNNING, import_runs
from custom_components.strata.imports.job import ImportJob
from custom_components.strata.store.base import StoreError
from custom_components.strata.store.erasing import ErasureRun
from custom_components.strata.store.sqlite import SqliteStore
from custom_components.strata.store.worker import StoreWorker
from tests.integration.given import StartHub
from tests.integration.test_archive import KEEP, NOW as FILLED, call, filled, local, no_schedule, usb  # noqa: F401
from tests.integration.test_erasing import LOAD, count_of, erase, in_file
from tests.integration.test_import_history import hours, with_past  # noqa: F401


def of(name: str) -> SeriesKey:
    return SeriesKey.of_entity("home_assistant_events", name)


@pytest.fixture
async def entry(home: HomeAssistant, start_hub: StartHub) -> MockConfigEntry:
    entry = await start_hub()
    for name in ("sensor.one", "sensor.two", "sensor.three"):
        home.states.async_set(name, "1", LOAD)
    await home.async_block_till_done()
    assert [await count_of(entry, of(name)) for name in ("sensor.one", "sensor.two", "sensor.three")] == [1, 1, 1]
    return entry


def told[**P, R](name: str, told: list[str], work: Callable[P, R]) -> Callable[P, R]:
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        told.append(name)
        return work(*args, **kwargs)

    return call


async def test_erasures_follow_each_other(home: HomeAssistant, entry: MockConfigEntry) -> None:
    order: list[str] = []
    with (
        patch.object(SqliteStore, "begin_erase", told("begin", order, SqliteStore.begin_erase)),
        patch.object(SqliteStore, "forget", told("end", order, SqliteStore.forget)),
    ):
        await asyncio.gather(erase(home, "sensor.one"), erase(home, "sensor.two"))
    assert order == ["begin", "end", "begin", "end"]
    assert [await count_of(entry, of(name)) for name in ("sensor.one", "sensor.two", "sensor.three")] == [0, 0, 1]


@pytest.mark.parametrize("reached", [False, True])
async def test_one_that_is_cut_off_as_it_begins_does_not_stand_in_the_way(
    home: HomeAssistant, entry: MockConfigEntry, reached: bool
) -> None:
    """The thread may have begun without anybody knowing; words that come into use would be noted for ever."""
    worker, go, there = entry.runtime_data.worker, threading.Event(), threading.Event()
    if not reached:
        holding = asyncio.ensure_future(worker.write(lambda _store: (there.set(), go.wait(10))))
    begin = SqliteStore.begin_erase

    def late(*args: Any, **kwargs: Any) -> ErasureRun:
        there.set()
        go.wait(10)
        return begin(*args, **kwargs)

    with (
        patch.object(SqliteStore, "begin_erase", late),
        patch.object(worker, "flush", return_value=True),
    ):
        erasing = asyncio.ensure_future(erase(home, "sensor.one"))
        while not (there.is_set() and entry.runtime_data.erasing.locked()):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        erasing.cancel()
        await asyncio.sleep(0.05)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await erasing
    if not reached:
        await holding
    assert not entry.runtime_data.erasing.locked()
    await erase(home, "sensor.one")
    assert await count_of(entry, of("sensor.one")) == 0


# Beside what brings back


async def moment(home: HomeAssistant) -> None:
    """Let a third of a second pass; the loop's own clock stands still here."""
    await home.async_add_executor_job(threading.Event().wait, 0.3)


@pytest.mark.usefixtures("no_schedule")
@pytest.mark.parametrize("into", ["store", "statistics"])
async def test_a_restore_ends_before_an_erasure_begins(
    recorder_mock: object,
    home: HomeAssistant,
    start_hub: StartHub,
    usb: Path,
    freezer: FrozenDateTimeFactory,
    into: str,
) -> None:
    freezer.move_to(FILLED)
    entry = await start_hub(local(usb), **KEEP)
    await call(home, "archive")
    begun, go, days = threading.Event(), threading.Event(), Restorer.days

    def slow(restorer: Restorer, *asked: Any) -> Iterator[SeriesBuckets]:
        for part in days(restorer, *asked):
            yield part
            begun.set()
            go.wait(10)

    with patch.object(Restorer, "days", slow):
        restoring = asyncio.ensure_future(call(home, "restore", start="2026-08-01", end="2026-09-01", into=into))
        assert await home.async_add_executor_job(begun.wait, 10)
        # Who only looks, and who only reads, waits for nobody.
        assert (await erase(home, "sensor.energy", dry_run=True))["rows"] != {}
        with patch.object(Restorer, "days", days):
            span = {"start": "2026-08-01", "end": "2026-09-01"}
            read = asyncio.ensure_future(call(home, "query_history", entity_id="sensor.power", **span))
            for _ in range(20):
                await moment(home)
                if read.done():
                    break
            assert read.done()
        erasing = asyncio.ensure_future(erase(home, "sensor.energy"))
        await moment(home)
        assert not erasing.done()
        go.set()
        await restoring
        assert (await erasing)["problems"] == []
    assert await in_file(entry, "sensor.energy") == []
    found = entry.runtime_data.worker.find(of("energy"))
    assert found is None


@pytest.fixture
async def importing(with_past: MockConfigEntry) -> AsyncGenerator[MockConfigEntry]:
    """An import that is held before its first entity."""
    go, original = asyncio.Event(), ImportJob._entity

    async def entity(job: ImportJob, *asked: Any) -> None:
        await go.wait()
        await original(job, *asked)

    with patch.object(ImportJob, "_entity", entity):
        yield with_past
        go.set()


async def import_all(home: HomeAssistant) -> None:
    await home.services.async_call(DOMAIN, "import_history", {"source": "recorder"}, blocking=True)


async def test_nothing_is_erased_while_an_import_runs(home: HomeAssistant, importing: MockConfigEntry) -> None:
    await import_all(home)
    with pytest.raises(ServiceValidationError, match="import is under way") as refused:
        await erase(home, "sensor.load")
    assert refused.value.translation_key == "erase_while_importing"
    assert await count_of(importing, of("sensor.load")) > 0
    assert (await erase(home, "sensor.load", dry_run=True))["dry_run"]


async def test_an_import_waits_for_an_erasure(home: HomeAssistant, importing: MockConfigEntry) -> None:
    data = importing.runtime_data
    async with data.erasing:
        await import_all(home)
        await moment(home)
        assert data.importing.entities == 0
    while not data.importing.entities:
        await moment(home)
    assert import_runs(home)


@pytest.mark.parametrize("named", [False, True])
async def test_an_import_that_goes_on_leaves_out_what_was_erased(
    home: HomeAssistant,
    with_past: MockConfigEntry,
    named: bool,
) -> None:
    asked = {"source": "recorder", **({"entities": ["sensor.load", "sensor.meter"]} if named else {})}
    with patch.object(ImportJob, "_entity", side_effect=StoreError("the power is gone")):
        await home.services.async_call(DOMAIN, "import_history", asked, blocking=True)
        await home.data[RUNNING]
    await erase(home, "sensor.load")
    await home.config_entries.async_reload(with_past.entry_id)
    await home.data[RUNNING]
    assert with_past.runtime_data.importing.finished
    assert "2026-03-01T02:00:00+00:00" in await hours(with_past, "sensor.meter", Kind.METER)
    assert "2026-03-01T07:00:00+00:00" not in await hours(with_past, "sensor.load")
    # Whoever asks for it himself has it.
    await home.services.async_call(DOMAIN, "import_history", {"source": "recorder"}, blocking=True)
    await home.data[RUNNING]
    assert (await hours(with_past, "sensor.load"))["2026-03-01T07:00:00+00:00"] == pytest.approx(700.0)


async def test_an_import_rolls_up_in_portions(
    home: HomeAssistant,
    with_past: MockConfigEntry,
) -> None:
    """Rows that come meanwhile are stored in between."""
    worker, write = with_past.runtime_data.worker, StoreWorker.write
    works: list[object] = []

    async def noted(worker: StoreWorker, work: Callable[[SqliteStore], Any]) -> Any:
        works.append(work)
        return await write(worker, work)

    with patch.object(StoreWorker, "write", noted):
        await import_all(home)
        await home.data[RUNNING]
    assert SqliteStore.begin_roll_up in works
    assert SqliteStore.roll_up not in works
    number = worker.find(of("sensor.load")).id
    rolled = await worker.read(lambda reader: reader.tier("hourly", number, Kind.MEASUREMENT, TimeRange(0, 2**61)))
    assert to_micros(datetime(2026, 11, 20, 11, tzinfo=UTC)) in rolled.starts.tolist()
