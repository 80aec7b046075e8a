"""Threads that work with archives. They outlive whoever waits for them, and the hub itself when it is loaded anew.

One at a time may write, whatever hub it belongs to; some may read beside it, and one restore or export. Each has a
folder of its own for files on their way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
import shutil
import uuid

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .archive.errors import ArchiveError
from .const import DOMAIN, STORE_FOLDER

SCRATCH_FOLDER = "archive_scratch"
READERS = 3
"""Who may read at a time: each has a portion of a file in memory, and asks the same disk or line."""
WAIT_SECONDS = 60.0
"""How long somebody who is waited for waits for his turn."""


class Seats:
    """So many at a time, first come, first served."""

    def __init__(self, count: int) -> None:
        """Begin with all free."""
        self._count = count
        self._free = asyncio.Semaphore(count)
        self._clearing = asyncio.Lock()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold one.

        Raises:
            ArchiveError: none became free in time.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise ArchiveError(
                f"{self._count} others have been reading archives for {WAIT_SECONDS:.0f} s: ask again later"
            ) from None
        try:
            yield
        finally:
            self._free.release()

    @asynccontextmanager
    async def all(self) -> AsyncIterator[None]:
        """Hold all of them: nobody else is at it."""
        async with AsyncExitStack() as held, self._clearing:
            for _ in range(self._count):
                await held.enter_async_context(self._free)
            yield


@dataclass(slots=True)
class Threads:
    """Who may work, and where."""

    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held as long as a thread may change an archive."""
    reading: Seats = field(default_factory=lambda: Seats(READERS))
    """Held as long as a thread reads archives for somebody who waits."""
    jobs: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held as long as a thread restores or exports, which may take long; nobody who reads waits for that."""
    folders: set[Path] = field(default_factory=set)
    """Those in use."""

    @asynccontextmanager
    async def all_at_rest(self) -> AsyncIterator[None]:
        """Hold all of them."""
        async with self.writing, self.reading.all(), self.jobs:
            yield


_THREADS: HassKey[Threads] = HassKey(f"{DOMAIN}.archive_threads")


@callback
def threads_of(hass: HomeAssistant) -> Threads:
    """Return the threads of a Home Assistant."""
    return hass.data.setdefault(_THREADS, Threads())


async def async_in_folder[T](hass: HomeAssistant, work: Callable[[Path], T]) -> T:
    """Run `work` on a thread, with a folder of its own that need not exist yet; return when the thread has ended.

    Whoever is cancelled meanwhile learns so only then, so that what he holds is held for the thread.
    """
    threads = threads_of(hass)
    parent = Path(hass.config.path(STORE_FOLDER, SCRATCH_FOLDER))
    folder = parent / uuid.uuid4().hex
    threads.folders.add(folder)

    def run() -> T:
        _clear(parent, threads.folders)
        try:
            return work(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if threads.folders <= {folder}:
                # Others may be about to make theirs in it; the last one leaves nothing behind.
                with suppress(OSError):
                    parent.rmdir()

    try:
        return await _until_ended(hass.async_add_executor_job(run))
    finally:
        threads.folders.discard(folder)


async def _until_ended[T](job: asyncio.Future[T]) -> T:
    cancelled: asyncio.CancelledError | None = None
    while not job.done():
        try:
            await asyncio.wait([job])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        job.exception()  # Nobody is there to hear of it.
        raise cancelled
    return job.result()


def _clear(parent: Path, in_use: Collection[Path]) -> None:
    """Delete what threads that were killed have left; `in_use` is asked about each as it is now, for others begin."""
    for left in [*parent.iterdir()] if parent.is_dir() else ():
        if left not in in_use:
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
