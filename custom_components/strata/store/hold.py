"""Holding writes back while somebody copies the file, so that the copy is whole.

The writing thread waits, and rows wait in memory as they always do between two flushes. Should the copy take longer
than memory or patience allow, writing goes on into the WAL alone: the file itself is not touched before the copy is
done, and a WAL that was copied half way ends, for SQLite, with its last whole transaction.
"""

import asyncio
import logging
import threading

from .base import StoreError
from .sqlite import SqliteStore
from .worker import StoreWorker

_LOGGER = logging.getLogger(__name__)

HOLD_SECONDS = 600.0
"""How long writing waits at most."""
MOST_WAITING = 200_000
"""Rows that may wait in memory."""
LOOK_SECONDS = 1.0
LONGEST_SECONDS = 6 * 3600.0
"""After so long nobody copies any more, whether or not it was said."""


class Hold:
    """Holds the writes of one store; `begin` and `end` enclose the copying."""

    def __init__(self, worker: StoreWorker) -> None:
        """Take the store's worker."""
        self._worker = worker
        self._let_go = threading.Event()
        self._held: asyncio.Task[None] | None = None
        self._look: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether a copy is being made, as far as is known."""
        return self._held is not None

    async def begin(self) -> None:
        """Store what waits, empty the WAL into the file and hold what comes; return when that is so.

        Raises:
            StoreError: it cannot be done, and nothing is held.
        """
        if self.active:
            await self.end()
        await self._worker.write(SqliteStore.save_series)
        await self._worker.flush()
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[None] = loop.create_future()
        self._let_go.clear()

        def hold(store: SqliteStore) -> None:
            store.begin_copy()
            loop.call_soon_threadsafe(_tell, begun)
            self._let_go.wait(HOLD_SECONDS)

        self._held = loop.create_task(self._worker.write(hold))
        await asyncio.wait([begun, self._held], return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            held, self._held = self._held, None
            await held
            return
        self._look = loop.call_later(LOOK_SECONDS, self._watch)
        self._end = loop.call_later(LONGEST_SECONDS, self._give_up)

    def _watch(self) -> None:
        if self._worker.counters.waiting > MOST_WAITING:
            _LOGGER.warning("The copy takes so long that writing goes on meanwhile, beside the file")
            self.release()
            return
        self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._watch)

    def _give_up(self) -> None:
        _LOGGER.warning("Nobody said that the copy of the store is done; it is taken to be")
        self._ending = asyncio.get_running_loop().create_task(self.end())

    def release(self) -> None:
        """Let writing go on; the file itself stays as it is until `end`."""
        self._let_go.set()
        if self._look is not None:
            self._look.cancel()
            self._look = None

    async def end(self) -> None:
        """Go on as always. Does nothing when nothing is held."""
        held, self._held = self._held, None
        self.release()
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if held is None:
            return
        await asyncio.wait([held])
        try:
            await self._worker.write(lambda store: store.end_copy())
        except StoreError as error:
            _LOGGER.debug("The store was closed while it was copied: %s", error)


def _tell(begun: asyncio.Future[None]) -> None:
    if not begun.done():
        begun.set_result(None)
