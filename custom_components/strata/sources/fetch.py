"""How a provider's requests are made: time limit, errors, shared quota, waiting after failures."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
import json
import re
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

__all__ = ["Call", "HttpContext", "QuotaBook", "Response", "Session", "retry_after"]

TIMEOUT: Final = 5.0
"""Seconds for a request, from connecting to the last byte."""
LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes, unpacked. The largest answer we know of is a tenth of it."""
DECODED_ON_THE_LOOP: Final = 64 * 1024
"""Bytes. Decoding more than this takes over a millisecond and is left to a thread."""
IN_A_LIBRARY: Final = " (library)"
"""Instead of a path, where a library makes the request."""
_CHUNK: Final = 64 * 1024

_UNREACHABLE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "its name was not found"),
    (aiohttp.ClientSSLError, "its certificate is not trusted, or it does not speak TLS"),
    (aiohttp.ClientConnectorError, "nothing answers there"),
    (aiohttp.ServerDisconnectedError, "it hung up"),
)
"""Tried in order: the first kind that fits; others are called by their kind."""
_WEB_PAGE: Final = re.compile(r"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)


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

    def post(self, url: str, *, json: Json, headers: Mapping[str, str] | None) -> AbstractAsyncContextManager[Response]:
        """Send a request with a body."""
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


type _Request = Callable[[str], AbstractAsyncContextManager[Response]]


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
        memory: MutableMapping[str, Json] | None = None,
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
            memory: What the provider keeps from fetch to fetch; nothing is kept without it.
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
        self.timeout = timeout
        self.memory: MutableMapping[str, Json] = {} if memory is None else memory

    async def get_json(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (),
    ) -> Json:
        """GET `path` below the base URL and return the decoded JSON.

        Raises:
            SourceUnreachable: no connection, timeout or a 5xx answer.
            SourceUnauthorized: 401 or 403.
            SourceRateLimited: 429, or the shared quota is used up.
            SourceNoData: 204 or 404.
            SourceBadAnswer: any other status but 2xx, a body too large or not JSON. A status in `accepted` is none.
        """
        return await self._decode(await self._get(path, params, headers, accepted))

    async def get_text(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (),
    ) -> str:
        """GET `path` below the base URL and return the body as text.

        Raises:
            SourceBadAnswer: also where the body is a web page or not UTF-8; all else as with `get_json`.
        """
        body = await self._get(path, params, headers, accepted)
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SourceBadAnswer(f"the answer of {self._host} is not text") from None
        if _WEB_PAGE.match(text):
            raise SourceBadAnswer(f"the answer of {self._host} is a web page")
        return text

    async def post_json(
        self,
        path: str,
        *,
        body: Json,
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (),
    ) -> Json:
        """POST `body` as JSON and return the decoded JSON.

        Raises:
            SourceError: as with `get_json`.
        """

        def request(url: str) -> AbstractAsyncContextManager[Response]:
            return self._session.post(url, json=body, headers=headers)

        return await self._decode(await self._exchange(path, request, accepted))

    async def run_blocking[T](self, work: Callable[[], T]) -> T:
        """Run what may block in a thread and return its result; counted and told as one request.

        Raises:
            SourceRateLimited: the shared quota is used up. What `work` raises passes through.
        """
        self._book.take(self._host, self._key, self._quota)
        return await self._told(IN_A_LIBRARY, _Answer(), asyncio.to_thread(work))

    async def _get(
        self,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        accepted: Collection[int],
    ) -> bytes:
        def request(url: str) -> AbstractAsyncContextManager[Response]:
            return self._session.get(url, params=params, headers=headers)

        return await self._exchange(path, request, accepted)

    async def _exchange(self, path: str, request: _Request, accepted: Collection[int]) -> bytes:
        """Count, send and tell one request and return the body of its answer."""
        self._book.take(self._host, self._key, self._quota)
        answer = _Answer()
        return await self._told(path, answer, self._send(path, request, accepted, answer))

    async def _told[T](self, path: str, answer: _Answer, work: Awaitable[T]) -> T:
        at, began = self.now(), asyncio.get_running_loop().time()
        error: str | None = None
        try:
            return await work
        except Exception as caught:
            # What a library says may quote a URL with a secret.
            error = str(caught) if isinstance(caught, SourceError) else type(caught).__name__
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
                    error=error,
                )
            )

    async def _send(self, path: str, request: _Request, accepted: Collection[int], answer: _Answer) -> bytes:
        # What aiohttp says of an error may quote the whole URL, so only its kind is passed on.
        try:
            async with asyncio.timeout(self.timeout), request(self._base_url + path) as response:
                answer.status = response.status
                if response.status not in accepted:
                    self._check(response)
                answer.body = await self._read(response)
        except TimeoutError:
            raise SourceUnreachable(f"{self._host} did not answer within {self.timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as caught:
            raise SourceUnreachable(f"{self._host} could not be reached ({_why(caught)})") from None
        return answer.body

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


def _why(caught: Exception) -> str:
    return next((words for kind, words in _UNREACHABLE if isinstance(caught, kind)), type(caught).__name__)


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
