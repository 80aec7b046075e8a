"""How a provider's requests are made: time limit, errors, shared quota, waiting after failures."""

import asyncio
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
import json
import random
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from .base import (
    Home,
    HomeAccess,
    Json,
    Quota,
    SourceBadAnswer,
    SourceError,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from .quota import QuotaBook

__all__ = ["Backoff", "Call", "HttpContext", "QuotaBook", "Response", "Session", "retry_after"]

TIMEOUT: Final = 5.0
"""Seconds for a request, from connecting to the last byte."""
LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes, unpacked. The largest answer we know of is a tenth of it."""
DECODED_ON_THE_LOOP: Final = 64 * 1024
"""Bytes. Decoding more than this takes over a millisecond and is left to a thread."""
_CHUNK: Final = 64 * 1024


class Body(Protocol):
    """The part of `aiohttp.StreamReader` that is used."""

    def iter_chunked(self, n: int) -> AsyncIterable[bytes]:
        """Yield the body in pieces of at most `n` bytes."""
        ...


class Response(Protocol):
    """The part of `aiohttp.ClientResponse` that is used."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """HTTP headers; names in any case."""
        ...

    @property
    def content(self) -> Body:
        """The body, unpacked."""
        ...


class Session(Protocol):
    """The part of `aiohttp.ClientSession` that is used."""

    def get(
        self, url: str, *, params: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> AbstractAsyncContextManager[Response]:
        """Send a request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as logs and diagnostics may show it: without parameters and headers."""

    at: datetime
    host: str
    path: str
    status: int | None
    """HTTP status; None when there was no answer."""
    seconds: float
    size: int
    """Bytes of the answer."""
    error: str | None


@dataclass(slots=True)
class _Answer:
    status: int | None = None
    body: bytes = b""


class HttpContext:
    """What a provider sees of the world, with requests over an aiohttp session."""

    def __init__(  # noqa: PLR0913 - keywords all, each a thing a provider or the frame needs
        self,
        session: Session,
        base_url: str,
        *,
        home: Home,
        access: HomeAccess,
        now: Callable[[], datetime],
        book: QuotaBook | None = None,
        quota: Quota | None = None,
        key: str = "",
        on_call: Callable[[Call], None] = lambda call: None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Take the session and everything a provider may use.

        Args:
            session: An `aiohttp.ClientSession`, or what acts like one.
            base_url: What request paths are appended to.
            home: What a source may know about the home.
            access: The part of Home Assistant a provider may use.
            now: The clock.
            book: Where requests are counted; a book of its own without it.
            quota: The provider's limit.
            key: The credential the limit belongs to; it is not kept.
            on_call: Told of each request once it is over.
            timeout: Seconds for a request.
        """
        self.home = home
        self.access = access
        self.now = now
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._host = urlsplit(base_url).netloc.rpartition("@")[2]
        self._book = book or QuotaBook(now)
        self._quota = quota
        self._key = key
        self._on_call = on_call
        self._timeout = timeout

    async def get_json(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """GET `path` below the base URL and return the decoded JSON.

        Raises:
            SourceUnreachable: no connection, timeout or a 5xx answer.
            SourceUnauthorized: 401 or 403.
            SourceRateLimited: 429, or the shared quota is used up.
            SourceNoData: 204 or 404.
            SourceBadAnswer: any other status but 2xx, a body too large or not JSON.
        """
        self._book.take(self._host, self._key, self._quota)
        at, began = self.now(), asyncio.get_running_loop().time()
        answer = _Answer()
        error: SourceError | None = None
        try:
            return await self._exchange(path, params, headers, answer)
        except SourceError as caught:
            error = caught
            raise
        finally:
            seconds = asyncio.get_running_loop().time() - began
            self._on_call(
                Call(
                    at=at,
                    host=self._host,
                    path=path,
                    status=answer.status,
                    seconds=seconds,
                    size=len(answer.body),
                    error=str(error) if error else None,
                )
            )

    async def _exchange(
        self, path: str, params: Mapping[str, str] | None, headers: Mapping[str, str] | None, answer: _Answer
    ) -> Json:
        # What aiohttp says of an error may quote the whole URL, so only its kind is passed on.
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._session.get(self._base_url + path, params=params, headers=headers) as response,
            ):
                answer.status = response.status
                self._check(response)
                answer.body = await self._read(response)
        except TimeoutError:
            raise SourceUnreachable(f"{self._host} did not answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as caught:
            raise SourceUnreachable(f"{self._host} could not be reached ({type(caught).__name__})") from None
        return await self._decode(answer.body)

    def _check(self, response: Response) -> None:
        """Raise the error that the status means."""
        status = response.status
        if status == 429:
            seconds = retry_after(response.headers, self.now())
            if seconds is not None:
                self._book.block(self._host, self._key, seconds)
            raise SourceRateLimited(f"{self._host} says there were too many requests", seconds)
        if status in {401, 403}:
            raise SourceUnauthorized(f"{self._host} refused access (HTTP {status})")
        if status in {204, 404}:
            raise SourceNoData(f"{self._host} has no data for this (HTTP {status})")
        if status >= 500:
            raise SourceUnreachable(f"{self._host} has an error (HTTP {status})")
        if not 200 <= status < 300:
            raise SourceBadAnswer(f"{self._host} did not accept the request (HTTP {status})")

    async def _read(self, response: Response) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise SourceBadAnswer(f"the answer of {self._host} is larger than {LARGEST_ANSWER} bytes")
        return bytes(body)

    async def _decode(self, body: bytes) -> Json:
        try:
            if len(body) > DECODED_ON_THE_LOOP:
                return await asyncio.to_thread(_loads, body)
            return _loads(body)
        except ValueError, RecursionError:
            kind = "a web page" if body.lstrip()[:1] == b"<" else "not JSON or cut off"
            raise SourceBadAnswer(f"the answer of {self._host} is {kind}") from None


def _loads(body: bytes) -> Json:
    decoded: Json = json.loads(body)
    return decoded


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of a `Retry-After` header: a count or an HTTP date (RFC 9110, 10.2.3); else None."""
    text = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without an offset ("-0000") is UTC (RFC 5322, 3.3).
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)


class Backoff:
    """How long to wait after failures: doubled each time, with jitter, 1 minute to 1 hour."""

    def __init__(
        self,
        *,
        shortest: timedelta = timedelta(minutes=1),
        longest: timedelta = timedelta(hours=1),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Take the bounds and a source of numbers in `[0, 1)`."""
        self._shortest = shortest
        self._longest = longest
        self._jitter = jitter
        self.failures = 0

    def failed(self, error: SourceError | None = None) -> timedelta:
        """Count a failure and return how long to wait, never less than the server asked for.

        The wait is 75 to 125 % of shortest x 2^(failures - 1), within the bounds, so that sources
        which failed together do not come back together.
        """
        # The exponent is bounded for the float, not for the wait.
        wait = self._shortest * 2.0 ** min(self.failures, 30) * (0.75 + 0.5 * self._jitter())
        self.failures += 1
        wait = min(max(wait, self._shortest), self._longest)
        asked = error.retry_after if isinstance(error, SourceRateLimited) else None
        if asked is None:
            return wait
        return max(wait, timedelta(seconds=asked) + self._shortest * 0.5 * self._jitter())

    def succeeded(self) -> None:
        """Start again at the shortest wait."""
        self.failures = 0
