"""One batch to one server: tried again, split, or sifted until every line has arrived or is set aside."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
import random
from typing import Protocol

from ..core.model import Micros
from .answer import Accepted
from .errors import (
    MirrorBusy,
    MirrorError,
    MirrorRefused,
    MirrorRejected,
    MirrorTooLarge,
    MirrorUnreachable,
)
from .figures import Figures, MirrorNotice, NoticeKind
from .influx import pack
from .parcels import Batch

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
_LONGEST_ASKED_WAIT = 600.0
"""A server's `Retry-After` is obeyed up to here."""
_JITTER = 0.5


class Writer(Protocol):
    """Where batches go; `influx.InfluxClient` is one."""

    async def write(self, database: str, body: bytes) -> Accepted:
        """Write a body of lines.

        Raises:
            MirrorError: one of its subclasses.
        """


class Abandoned(Exception):
    """What was being sent is no longer wanted: the backlog was cut, or the mirror is closing."""


class Delivery:
    """Sends batches and counts what becomes of them. Safe to use from several tasks at once."""

    def __init__(
        self,
        writer: Writer,
        figures: Figures,
        *,
        now: Callable[[], Micros],
        listener: Callable[[MirrorNotice], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Take where batches go, where they are counted, and who is told. `sleep` waits before another try."""
        self._writer = writer
        self._figures = figures
        self._now = now
        self._listener = listener
        self._sleep = sleep
        self._jitter = random.Random()
        self._troubled: set[object] = set()
        """Sendings that wait for another try: recovered is only who has none of them."""
        self.trouble: MirrorError | None = None
        """Why points do not arrive now, None while they do."""
        self._open = asyncio.Event()
        self._open.set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._under_way = 0

    async def send(self, batch: Batch, before_retry: Callable[[], Awaitable[None]]) -> None:
        """Send a batch and return when nothing of it is left to do.

        Args:
            batch: what to send.
            before_retry: called before each further try; whatever it raises ends the sending.
        """
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            try:
                taken = await self._persist(part, before_retry)
            except MirrorTooLarge as error:
                waiting += await self._halves(part, str(error))
            except MirrorRejected as error:
                waiting += await self._sift(part, error)
            else:
                self._acknowledge(len(part.lines), taken)

    async def _persist(self, batch: Batch, before_retry: Callable[[], Awaitable[None]]) -> Accepted:
        """Write a batch until the server says something about the batch itself."""
        failures, sending = 0, object()
        try:
            while True:
                try:
                    return await self._write(batch, sending)
                except (MirrorUnreachable, MirrorBusy, MirrorRefused) as error:
                    failures += 1
                    self._troubled.add(sending)
                    self._in_trouble(error)
                    await self._sleep(self._wait(failures, error))
                    await before_retry()
                    self._figures.retries += 1
        finally:
            self._troubled.discard(sending)

    async def _write(self, batch: Batch, sending: object) -> Accepted:
        await self._open.wait()
        self._figures.requests += 1
        self._under_way += 1
        self._quiet.clear()
        try:
            answer = await self._writer.write(batch.database, batch.body)
        except MirrorTooLarge, MirrorRejected:
            self._answered(batch, sending)
            raise
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()
        self._answered(batch, sending)
        return answer

    async def hold(self) -> None:
        """Begin no further request, and return when those under way have ended: what they carried has arrived by then.

        A request that is broken off is another matter: the server may still be busy with what it has received.
        """
        self._open.clear()
        await self._quiet.wait()

    def release(self) -> None:
        """Send again after `hold`."""
        self._open.set()

    def _answered(self, batch: Batch, sending: object) -> None:
        self._figures.sent += len(batch.lines)
        self._troubled.discard(sending)
        if self.trouble is not None and not self._troubled:
            self.trouble = None
            self._listener(MirrorNotice(NoticeKind.RECOVERED, ""))

    def _wait(self, failures: int, error: MirrorError) -> float:
        """Return the seconds to wait: 1 doubling to 60, spread so that several mirrors do not come at once."""
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 10))
        wait *= 1 - _JITTER * self._jitter.random()
        asked = error.retry_after if isinstance(error, MirrorBusy) else None
        return wait if asked is None else max(wait, min(asked, _LONGEST_ASKED_WAIT))

    def _in_trouble(self, error: MirrorError) -> None:
        before, self.trouble = self.trouble, error
        if isinstance(error, MirrorRefused):
            if not isinstance(before, MirrorRefused) or before.refusal is not error.refusal:
                self._listener(MirrorNotice(NoticeKind.HELD, str(error), error.refusal))
        elif before is None:
            self._listener(MirrorNotice(NoticeKind.FAILING, str(error)))

    def _acknowledge(self, lines: int, taken: Accepted) -> None:
        figures = self._figures
        figures.acknowledged += lines
        figures.beyond_retention += min(lines, taken.beyond_retention)
        figures.acknowledged_at = self._now()

    # -------------------------------------------------------------------------------------------- splitting
    async def _halves(self, batch: Batch, reason: str) -> list[Batch]:
        """Return both halves of a batch; a line that is alone is set aside."""
        lines = batch.lines
        if len(lines) == 1:
            self._set_aside(batch, lines[0], reason)
            return []
        middle = len(lines) // 2
        # The last one is sent first: lines go out in their order.
        return [
            await _packed(batch.database, lines[middle:]),
            await _packed(batch.database, lines[:middle]),
        ]

    async def _sift(self, batch: Batch, error: MirrorRejected) -> list[Batch]:
        """Set aside the lines that the server named; halve the batch where it named none.

        What is left is sent again, which costs nothing but time: points are idempotent, and some servers throw
        the good lines away with the bad.
        """
        named = {index: error.lines[line] for index, line in enumerate(batch.lines) if line in error.lines}
        if not named:
            return await self._halves(batch, str(error))
        for index, reason in named.items():
            self._set_aside(batch, batch.lines[index], reason)
        rest = [line for index, line in enumerate(batch.lines) if index not in named]
        return [await _packed(batch.database, rest)] if rest else []

    def _set_aside(self, batch: Batch, line: str, reason: str) -> None:
        first = not self._figures.quarantined
        self._figures.quarantine(self._now(), batch.database, line, reason)
        if first:
            self._listener(MirrorNotice(NoticeKind.QUARANTINED, reason))


async def _packed(database: str, lines: Sequence[str]) -> Batch:
    return Batch(database, lines, await asyncio.to_thread(pack, lines))
