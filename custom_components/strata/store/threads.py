"""The store's threads: one that writes, and some that read, each with a connection of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
import threading
from typing import Any

from .reader import StoreReader
from .sqlite import SqliteStore

_READERS = 2


class StoreThreads:
    """Runs work for the event loop where it belongs. Reads go on while something is written."""

    def __init__(self, store: SqliteStore) -> None:
        """Take the store that readers are made by; nothing is opened yet."""
        self._store = store
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="strata-writer")
        self._reading = ThreadPoolExecutor(_READERS, thread_name_prefix="strata-reader")
        self._readers = threading.local()
        self._all_readers: list[StoreReader] = []
        self._under_way: set[Future[Any]] = set()
        self._may_read = asyncio.Event()
        self._may_read.set()

    async def write[**P, R](self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on the writing thread, after what was asked for before."""

        def call() -> R:
            return work(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._writer, call)

    async def until_readable(self) -> None:
        """Wait while reads are held back."""
        await self._may_read.wait()

    async def read[T](self, work: Callable[[StoreReader], T]) -> T:
        """Run `work` with a reader on a reading thread."""
        reading = self._reading.submit(self._read, work)
        self._under_way.add(reading)
        reading.add_done_callback(self._under_way.discard)
        return await asyncio.wrap_future(reading)

    def _read[T](self, work: Callable[[StoreReader], T]) -> T:
        readers = self._readers
        reader: StoreReader | None = getattr(readers, "reader", None)
        if reader is None:
            reader = readers.reader = self._store.reader()
            self._all_readers.append(reader)
        return work(reader)

    async def end_readers(self) -> None:
        """Hold new reads back, let those under way finish, then close their connections.

        SQLite must not see a connection closed while another thread is inside a query on it.
        """
        self._may_read.clear()
        under_way = set(self._under_way)

        def end() -> None:
            wait(under_way)
            for reader in self._all_readers:
                reader.close()
            self._all_readers.clear()
            self._readers = threading.local()

        await self.write(end)

    def let_read(self) -> None:
        """Hold reads back no longer; each thread opens a connection anew."""
        self._may_read.set()

    async def shutdown(self) -> None:
        """End the threads, after what they do now."""
        for pool in (self._reading, self._writer):
            await asyncio.get_running_loop().run_in_executor(None, pool.shutdown)
