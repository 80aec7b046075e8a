"""Threads that work with archives: what they leave alone of each other."""

import asyncio
from pathlib import Path
import threading
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest

from custom_components.strata.archive.errors import ArchiveError
from custom_components.strata.archive_threads import READERS, Seats, async_in_folder


async def test_a_thread_leaves_the_folder_of_one_that_came_later_alone(hass: HomeAssistant, tmp_path: Path) -> None:
    """The first was asked for before the second, and comes to its turn after it."""
    hass.config.config_dir = str(tmp_path)
    begun, go = threading.Event(), threading.Event()
    waiting: list[asyncio.Future[object]] = []
    submit = hass.async_add_executor_job

    def later(work: object) -> asyncio.Future[object]:
        """Keep the first job back."""
        if waiting:
            return submit(work)  # type: ignore[arg-type]
        done: asyncio.Future[object] = hass.loop.create_future()
        waiting.append(done)
        jobs.append(work)
        return done

    jobs: list[object] = []
    hass.async_add_executor_job = later  # type: ignore[method-assign, assignment]

    def second(folder: Path) -> bool:
        folder.mkdir(parents=True)
        (folder / "half").write_text("x")
        begun.set()
        go.wait(10)
        return (folder / "half").exists()

    one = asyncio.ensure_future(async_in_folder(hass, lambda folder: folder.mkdir(parents=True)))
    await asyncio.sleep(0)
    two = asyncio.ensure_future(async_in_folder(hass, second))
    await submit(begun.wait, 10)
    await submit(jobs[0])  # type: ignore[arg-type]
    waiting[0].set_result(None)
    go.set()
    assert await two
    await one


async def test_readers_sit_side_by_side_and_the_next_has_his_turn_in_order() -> None:
    seats, let_go, order = Seats(2), asyncio.Event(), []

    async def read(name: str) -> None:
        async with seats.one():
            order.append(name)
            await let_go.wait()

    readers = [asyncio.ensure_future(read(name)) for name in "abcd"]
    await asyncio.sleep(0.01)
    assert order == ["a", "b"]
    with patch("custom_components.strata.archive_threads.WAIT_SECONDS", 0.01), pytest.raises(ArchiveError, match="2 o"):
        await read("late")
    let_go.set()
    await asyncio.gather(*readers)
    assert order == ["a", "b", "c", "d"]


async def test_who_wants_all_seats_waits_for_all_and_gives_them_back() -> None:
    seats = Seats(READERS)

    async def everything() -> None:
        async with seats.all():
            with patch("custom_components.strata.archive_threads.WAIT_SECONDS", 0.01), pytest.raises(ArchiveError):
                await one()

    async def one() -> None:
        async with seats.one():
            pass

    async with seats.one():
        closing = [asyncio.ensure_future(everything()) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert not any(each.done() for each in closing)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), seats.all():
                pass
    await asyncio.gather(*closing)
    await one()
