"""Requests: what each answer is called, limits shared and kept, waiting after failures."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
import json
import ssl

import aiohttp
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.test_utils import TestServer
import pytest

from custom_components.strata.sources.backoff import Backoff
from custom_components.strata.sources.base import (
    Quota,
    SourceBadAnswer,
    SourceError,
    SourceNoData,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from custom_components.strata.sources.fetch import LARGEST_ANSWER, Call, HttpContext, QuotaBook, retry_after
from tests.source_world import BERLIN, NOW, Answer, FakeAccess, world

SECRET = "hunter2"


class Clock:
    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


async def failure(answer: Answer, **more: object) -> SourceError:
    context, _ = world(lambda url: answer, **more)
    with pytest.raises(SourceError) as caught:
        await context.get_json("/v1", params={"token": SECRET}, headers={"Authorization": SECRET})
    assert SECRET not in str(caught.value)
    assert "source.test" in str(caught.value)
    return caught.value


async def test_json_comes_back_and_the_request_is_as_asked() -> None:
    context, session = world(lambda url: Answer.of({"a": [1, None]}))
    assert await context.get_json("/v1/x", params={"p": "1"}, headers={"h": "2"}) == {"a": [1, None]}
    assert session.asked == [("https://source.test/v1/x", {"p": "1"}, {"h": "2"})]
    assert context.home is BERLIN
    assert context.now() == NOW


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, SourceNoData),
        (302, SourceBadAnswer),
        (400, SourceBadAnswer),
        (401, SourceUnauthorized),
        (403, SourceUnauthorized),
        (404, SourceNoData),
        (410, SourceBadAnswer),
        (422, SourceBadAnswer),
        (429, SourceRateLimited),
        (500, SourceUnreachable),
        (503, SourceUnreachable),
    ],
)
async def test_each_status_has_its_error(status: int, kind: type[SourceError]) -> None:
    # The body is good JSON: the status alone decides.
    assert type(await failure(Answer(b"{}", status))) is kind


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<!DOCTYPE html><html><body>Maintenance</body></html>", "a web page"),
        (b'\n <?xml version="1.0"?><a/>', "a web page"),
        (b'{"price": [1, 2', "cut off"),
        (b"", "cut off"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b"[" * 500_000, "not JSON"),
    ],
)
async def test_a_body_that_is_not_json_is_a_bad_answer(body: bytes, says: str) -> None:
    error = await failure(Answer(body))
    assert isinstance(error, SourceBadAnswer)
    assert says in str(error)


async def test_a_large_answer_is_decoded_and_one_too_large_is_refused() -> None:
    long = {"data": ["x" * 1000] * 1000}
    context, _ = world(lambda url: Answer.of(long))
    assert await context.get_json("/") == long
    error = await failure(Answer(b'"' + b"x" * LARGEST_ANSWER + b'"'))
    assert isinstance(error, SourceBadAnswer)
    assert "larger" in str(error)


async def test_a_server_that_never_answers_is_unreachable() -> None:
    error = await failure(Answer(b"{}", delay=10), timeout=0.01)
    assert isinstance(error, SourceUnreachable)
    assert "0.01 s" in str(error)


@pytest.mark.parametrize("cause", [aiohttp.ClientError(f"https://x/?token={SECRET}"), OSError(SECRET)])
async def test_a_connection_error_is_unreachable_and_does_not_quote_the_url(cause: Exception) -> None:
    def route(url: str) -> Answer:
        raise cause

    context, _ = world(route)
    with pytest.raises(SourceUnreachable) as caught:
        await context.get_json("/")
    assert SECRET not in str(caught.value)
    assert type(cause).__name__ in str(caught.value)


_KEY = ConnectionKey("source.test", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (aiohttp.ClientConnectorDNSError(_KEY, OSError(SECRET)), "its name was not found"),
        (aiohttp.ClientConnectorError(_KEY, OSError(SECRET)), "nothing answers there"),
        (aiohttp.ClientConnectorCertificateError(_KEY, ssl.CertificateError(SECRET)), "certificate is not trusted"),
        (aiohttp.ServerDisconnectedError(), "it hung up"),
    ],
)
async def test_a_connection_error_is_said_in_words(cause: Exception, words: str) -> None:
    def route(url: str) -> Answer:
        raise cause

    context, _ = world(route)
    with pytest.raises(SourceUnreachable, match=words) as caught:
        await context.get_json("/")
    assert SECRET not in str(caught.value)
    assert "Error" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Fri, 20 Nov 2026 18:07:30 GMT", 150.0),
        ("Fri, 20 Nov 2026 18:07:30 -0000", 150.0),
        ("Fri, 20 Nov 2026 19:07:30 +0100", 150.0),
        ("Fri, 20 Nov 2026 18:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
    ],
)
async def test_retry_after_is_a_count_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-AFTER": text}, NOW) == seconds
    error = await failure(Answer(status=429, headers={"Retry-After": text}))
    assert isinstance(error, SourceRateLimited)
    assert error.retry_after == seconds


async def test_no_retry_after_is_none() -> None:
    assert retry_after({"Content-Type": "application/json"}, NOW) is None
    assert retry_after({}, NOW) is None


async def test_retry_after_holds_back_all_requests_with_the_same_host_and_key() -> None:
    clock = Clock()
    book = QuotaBook(clock)

    def context(key: str, answer: Answer) -> HttpContext:
        return world(lambda url: answer, book=book, key=key)[0]

    with pytest.raises(SourceRateLimited):
        await context("a", Answer(status=429, headers={"Retry-After": "60"})).get_json("/")
    with pytest.raises(SourceRateLimited) as caught:
        await context("a", Answer.of(1)).get_json("/other")
    assert caught.value.retry_after == pytest.approx(60)
    assert await context("b", Answer.of(1)).get_json("/") == 1
    clock.forward(61)
    assert await context("a", Answer.of(1)).get_json("/") == 1


def test_quota_is_a_sliding_window_shared_by_host_and_key() -> None:
    clock = Clock()
    book = QuotaBook(clock)
    quota = Quota(requests=2, period=timedelta(minutes=1))
    book.take("h", "k", quota)
    clock.forward(20)
    book.take("h", "k", quota)
    with pytest.raises(SourceRateLimited, match=r"limit of h is used up for 40 s") as caught:
        book.take("h", "k", quota)
    assert caught.value.retry_after == pytest.approx(40)
    book.take("h", "other key", quota)
    book.take("other host", "k", quota)
    book.take("h", "k", None)
    clock.forward(40)
    book.take("h", "k", quota)
    with pytest.raises(SourceRateLimited) as caught:
        book.take("h", "k", quota)
    assert caught.value.retry_after == pytest.approx(20)


def test_quotas_of_different_periods_share_one_count() -> None:
    clock = Clock()
    book = QuotaBook(clock)
    daily = Quota(requests=3, period=timedelta(days=1))
    minute = Quota(requests=1, period=timedelta(minutes=1))
    for _ in range(3):
        book.take("h", "", daily)
        clock.forward(90)
    book.take("h", "", minute)
    with pytest.raises(SourceRateLimited) as caught:
        book.take("h", "", daily)
    # Four are counted and three are allowed: the second has to be a day old.
    assert caught.value.retry_after == pytest.approx(86400 - 180)


def test_quota_survives_a_restart_without_showing_the_key() -> None:
    clock = Clock()
    book = QuotaBook(clock)
    quota = Quota(requests=1, period=timedelta(hours=1))
    book.take("h", SECRET, quota)
    book.block("blocked", "", 600)
    book.block("blocked", "", 60)
    saved = json.dumps(book.dump())
    assert SECRET not in saved
    clock.forward(100)
    again = QuotaBook(clock)
    again.load(json.loads(saved))
    with pytest.raises(SourceRateLimited) as caught:
        again.take("h", SECRET, quota)
    assert caught.value.retry_after == pytest.approx(3500)
    with pytest.raises(SourceRateLimited) as caught:
        again.take("blocked", "", None)
    assert caught.value.retry_after == pytest.approx(500)


def test_a_clock_that_was_ahead_does_not_block_for_ever() -> None:
    clock = Clock()
    clock.moment = datetime(2030, 1, 1, tzinfo=UTC)
    book = QuotaBook(clock)
    quota = Quota(requests=1, period=timedelta(hours=1))
    book.take("h", "", quota)
    book.block("h", "", 60)
    clock.moment = NOW
    again = QuotaBook(clock)
    again.load(book.dump())
    again.take("h", "", quota)


@pytest.mark.parametrize(
    "saved",
    [
        None,
        [],
        "x",
        {"h|": None},
        {"h|": {}},
        {"h|": {"times": "x", "horizon": None, "blocked_until": "never"}},
        {"h|": {"times": ["x", None, {}], "horizon": [], "blocked_until": True}},
    ],
)
def test_what_no_book_wrote_is_ignored(saved: object) -> None:
    book = QuotaBook(Clock())
    book.load(json.loads(json.dumps(saved)))
    book.take("h", "", Quota(requests=1, period=timedelta(hours=1)))


async def test_each_call_is_told_without_parameters_and_headers() -> None:
    calls: list[Call] = []
    context, _ = world(lambda url: Answer.of([1]) if "good" in url else Answer(b"{}", 500), on_call=calls.append)
    await context.get_json("/good", params={"token": SECRET})
    with pytest.raises(SourceUnreachable):
        await context.get_json("/bad", headers={"token": SECRET})
    good, bad = calls
    assert (good.at, good.host, good.path, good.status, good.size, good.error) == (
        NOW,
        "source.test",
        "/good",
        200,
        3,
        None,
    )
    assert (bad.path, bad.status, bad.size) == ("/bad", 500, 0)
    assert bad.error == "source.test has an error (HTTP 500)"
    assert SECRET not in repr(calls)
    assert all(0 <= call.seconds < 1 for call in calls)


async def test_a_request_over_the_quota_is_not_sent() -> None:
    calls: list[Call] = []
    quota = Quota(requests=1, period=timedelta(hours=1))
    context, session = world(lambda url: Answer.of(1), quota=quota, on_call=calls.append)
    await context.get_json("/")
    with pytest.raises(SourceRateLimited):
        await context.get_json("/")
    assert len(session.asked) == len(calls) == 1


async def test_credentials_in_the_base_url_are_not_the_host() -> None:
    calls: list[Call] = []
    context = HttpContext(
        world(lambda url: Answer.of(1))[1],
        f"https://user:{SECRET}@source.test:8443/api/",
        home=BERLIN,
        access=FakeAccess(),
        now=lambda: NOW,
        on_call=calls.append,
    )
    await context.get_json("/x")
    assert calls[0].host == "source.test:8443"


def test_backoff_doubles_from_one_minute_to_one_hour() -> None:
    backoff = Backoff(jitter=lambda: 0.5)
    assert [backoff.failed() / timedelta(minutes=1) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.failures == 8
    backoff.succeeded()
    assert backoff.failed() == timedelta(minutes=1)


def test_backoff_is_spread_and_stays_within_its_bounds() -> None:
    least, most = Backoff(jitter=lambda: 0.0), Backoff(jitter=lambda: 0.999999)
    pairs = [(least.failed() / timedelta(minutes=1), most.failed() / timedelta(minutes=1)) for _ in range(100)]
    assert pairs[:3] == [(1, pytest.approx(1.25)), (1.5, pytest.approx(2.5)), (3, pytest.approx(5))]
    assert all(1 <= low <= high <= 60 for low, high in pairs)
    assert pairs[-1] == (60, 60)


def test_backoff_never_comes_back_before_the_server_wants() -> None:
    backoff = Backoff(jitter=lambda: 0.0)
    assert backoff.failed(SourceRateLimited("wait", 7200)) == timedelta(hours=2)
    assert backoff.failed(SourceRateLimited("wait", 1)) == timedelta(minutes=1.5)
    assert backoff.failed(SourceRateLimited("wait")) == timedelta(minutes=3)
    assert backoff.failed(SourceUnreachable("gone")) == timedelta(minutes=6)
    assert Backoff(jitter=lambda: 0.999).failed(SourceRateLimited("wait", 7200)) > timedelta(hours=2)


@pytest.fixture
async def server(socket_enabled: None) -> AsyncIterator[TestServer]:
    async def good(request: web.Request) -> web.Response:
        return web.json_response({"asked": request.query_string, "agent": request.headers.get("x-agent")})

    async def limited(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "9"})

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"a":')
        assert request.transport is not None
        request.transport.close()
        return response

    app = web.Application()
    app.add_routes([web.get("/api/good", good), web.get("/api/limited", limited), web.get("/api/cut", cut)])
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


async def test_it_works_with_a_real_session(server: TestServer) -> None:
    async with aiohttp.ClientSession() as session:
        base_url = str(server.make_url("/api"))
        context = HttpContext(session, base_url, home=BERLIN, access=FakeAccess(), now=lambda: NOW)
        answer = await context.get_json("/good", params={"bzn": "IE(SEM)"}, headers={"X-Agent": "a"})
        assert answer == {"asked": "bzn=IE(SEM)", "agent": "a"}
        with pytest.raises(SourceUnreachable):
            await context.get_json("/cut")
        with pytest.raises(SourceRateLimited) as caught:
            await context.get_json("/limited")
        assert caught.value.retry_after == 9
