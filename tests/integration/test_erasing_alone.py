"""An erasure is alone: beside another one, a restore or an import it would delete too much, or too little."""

import asyncio
from collections.abc import Callable
import threading
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.strata.core.model import SeriesKey
from custom_components.strata.store.erasing import ErasureRun
from custom_components.strata.store.sqlite import SqliteStore
from tests.integration.given import StartHub
from tests.integration.test_erasing import LOAD, count_of, erase


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
        patch.object(ErasureRun, "end", told("end", order, ErasureRun.end)),
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
