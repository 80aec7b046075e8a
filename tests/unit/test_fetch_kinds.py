"""Requests that are no GET of JSON: text, POST, libraries, statuses whose body is an answer; a provider's memory."""

import asyncio
import threading
import time

import pytest

from custom_components.strata.sources.base import (
    Quota,
    SourceBadAnswer,
    SourceError,
    SourceRateLimited,
    SourceUnauthorized,
    SourceUnreachable,
)
from custom_components.strata.sources.fetch import Call, QuotaBook
from tests.source_world import NOW, Answer, world

SECRET = "hunter2"


async def test_text_comes_back_without_a_byte_order_mark() -> None:
    context, session = world(lambda url: Answer("\ufeff<a>Zürich</a>".encode()))
    assert await context.get_text("/xml", params={"p": "1"}, headers={"h": "2"}) == "<a>Zürich</a>"
    assert session.asked == [("https://source.test/xml", {"p": "1"}, {"h": "2"})]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\xff\xfe\x00", "is not text"),
        (b"  <!DOCTYPE html><html></html>", "is a web page"),
        (b"<HTML lang=en>", "is a web page"),
    ],
)
async def test_text_that_is_none_is_a_bad_answer(body: bytes, says: str) -> None:
    context, _ = world(lambda url: Answer(body))
    with pytest.raises(SourceBadAnswer, match=says):
        await context.get_text("/xml")


async def test_an_xml_whose_name_begins_like_a_web_page_is_text() -> None:
    context, _ = world(lambda url: Answer(b"<htmlish/>"))
    assert await context.get_text("/xml") == "<htmlish/>"


async def test_a_body_is_sent_as_json() -> None:
    context, session = world(lambda url: Answer.of({"data": 1}))
    assert await context.post_json("/gql", body={"query": "{x}"}, headers={"Authorization": SECRET}) == {"data": 1}
    assert session.asked == [("https://source.test/gql", {}, {"Authorization": SECRET})]
    assert session.sent == [{"query": "{x}"}]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, SourceUnauthorized), (429, SourceRateLimited), (500, SourceUnreachable)]
)
async def test_each_way_of_asking_fails_in_the_same_words(status: int, kind: type[SourceError]) -> None:
    context, _ = world(lambda url: Answer(b"{}", status))
    for asked in (context.get_json("/"), context.get_text("/"), context.post_json("/", body=None)):
        with pytest.raises(SourceError) as caught:
            await asked
        assert type(caught.value) is kind


async def test_a_body_may_be_an_answer_whatever_the_status() -> None:
    context, _ = world(lambda url: Answer(b'{"errors": []}', 400))
    assert await context.get_json("/", accepted={400}) == {"errors": []}
    assert await context.get_text("/", accepted={400}) == '{"errors": []}'
    assert await context.post_json("/", body={}, accepted={400}) == {"errors": []}
    with pytest.raises(SourceBadAnswer):
        await context.get_json("/", accepted={404})


async def test_every_request_counts_and_none_is_sent_beyond_the_limit() -> None:
    quota = Quota(requests=3, period=NOW - NOW.replace(hour=0))
    context, session = world(lambda url: Answer.of(1), book=QuotaBook(lambda: NOW), quota=quota)
    await context.get_text("/")
    await context.post_json("/", body={})
    await context.run_blocking(lambda: None)
    for asked in (context.get_text("/"), context.post_json("/", body={}), context.run_blocking(lambda: None)):
        with pytest.raises(SourceRateLimited):
            await asked
    assert len(session.asked) == 2


async def test_blocking_work_runs_in_a_thread_while_the_loop_goes_on() -> None:
    context, _ = world()
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> int:
        loop.call_soon_threadsafe(began.set)
        time.sleep(0.01)
        return threading.get_ident()

    task = asyncio.ensure_future(context.run_blocking(work))
    await asyncio.wait_for(began.wait(), 5)
    assert await task != threading.get_ident()


async def test_what_a_library_raises_passes_through_and_is_told_without_its_words() -> None:
    calls: list[Call] = []
    context, _ = world(on_call=calls.append)

    def work() -> None:
        raise LookupError(f"GET https://x?key={SECRET}")

    with pytest.raises(LookupError):
        await context.run_blocking(work)
    (call,) = calls
    assert (call.host, call.path, call.status, call.error) == ("source.test", " (library)", None, "LookupError")


async def test_memory_is_the_one_that_is_given() -> None:
    kept: dict[str, object] = {}
    context, _ = world(memory=kept)
    context.memory["station"] = "A1"
    assert kept == {"station": "A1"}
    assert world()[0].memory == {}
    assert world(timeout=2.0)[0].timeout == 2.0
