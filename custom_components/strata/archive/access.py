"""How the archive gets at the store: short pieces of work, each on the thread it belongs to."""

import asyncio
from collections.abc import Callable
from typing import Protocol, override

from ..store.reader import StoreReader
from ..store.sqlite import SqliteStore
from ..store.worker import StoreWorker


class StoreAccess(Protocol):
    """Runs work with the store and waits for it; nothing is held in between."""

    def read[T](self, work: Callable[[StoreReader], T]) -> T:
        """Run `work` with a reader.

        Raises:
            StoreError: the store cannot be read.
        """
        ...

    def write[T](self, work: Callable[[SqliteStore], T]) -> T:
        """Run `work` with the store, where it may write.

        Raises:
            StoreError: the store cannot be used.
        """
        ...


class DirectAccess(StoreAccess):
    """Works with a store of this thread."""

    def __init__(self, store: SqliteStore) -> None:
        """Take an open store."""
        self._store = store

    @override
    def read[T](self, work: Callable[[StoreReader], T]) -> T:
        with self._store.reader() as reader:
            return work(reader)

    @override
    def write[T](self, work: Callable[[SqliteStore], T]) -> T:
        return work(self._store)


class WorkerAccess(StoreAccess):
    """Works with the store of an event loop from another thread, and waits there."""

    def __init__(self, worker: StoreWorker, loop: asyncio.AbstractEventLoop) -> None:
        """Take the store and its loop."""
        self._worker = worker
        self._loop = loop

    @override
    def read[T](self, work: Callable[[StoreReader], T]) -> T:
        return asyncio.run_coroutine_threadsafe(self._worker.read(work), self._loop).result()

    @override
    def write[T](self, work: Callable[[SqliteStore], T]) -> T:
        return asyncio.run_coroutine_threadsafe(self._worker.write(work), self._loop).result()
