"""Threads that work with archives: what they leave alone of each other."""

import asyncio
from pathlib import Path
import threading

from homeassistant.core import HomeAssistant

from custom_components.strata.archive_threads import async_in_folder


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
