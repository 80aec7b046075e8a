"""What servers say to a write, in their own words, and what it means for what was written."""

import json

import pytest

from custom_components.strata.mirror.answer import Accepted, Answer, accepted, failure
from custom_components.strata.mirror.errors import (
    MirrorBusy,
    MirrorQueryError,
    MirrorRefused,
    MirrorRejected,
    MirrorTooLarge,
    Refusal,
)


def answer(status, body="", **headers):
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("status", [200, 204])
def test_taken(status):
    assert accepted(answer(status)) == Accepted()


@pytest.mark.parametrize(
    ("status", "body", "count"),
    [
        # InfluxDB 1.6 on the wire.
        (400, '{"error":"partial write: points beyond retention policy dropped=17"}', 17),
        # InfluxDB 2.7, storage/wal and http/points.
        (
            422,
            (
                '{"code":"unprocessable entity","message":"failure writing points to database: partial write:'
                ' dropped 3 points outside retention policy of duration 168h0m0s"}'
            ),
            3,
        ),
    ],
)
def test_older_than_the_server_keeps_is_taken_and_counted(status, body, count):
    assert accepted(answer(status, body)) == Accepted(count)


@pytest.mark.parametrize(
    ("status", "body", "named"),
    [
        (
            400,
            (
                '{"error":"partial write: field type conflict: input field \\"value\\" on measurement \\"m\\" is type'
                ' string, already exists as type float dropped=1"}'
            ),
            {},
        ),
        (400, '{"error":"unable to parse \'bad line\': missing fields"}', {"bad line": "missing fields"}),
        (
            400,
            json.dumps({"code": "invalid", "message": "unable to parse 'a': missing fields\nunable to parse 'b': x"}),
            {"a": "missing fields", "b": "x"},
        ),
        (
            400,
            json.dumps(
                {
                    "error": "partial write of line protocol occurred",
                    "data": [{"original_line": "bad", "line_number": 2, "error_message": "No fields were provided"}],
                }
            ),
            {"bad": "No fields were provided"},
        ),
        (400, '{"error": "e", "data": {"original_line": "bad", "line_number": 1}}', {"bad": "e"}),
        (400, '{"error": "e", "data": [5, {}]}', {}),
        (422, "[]", {}),
        (400, "", {}),
    ],
)
def test_rejected_lines_are_named_where_the_server_names_them(status, body, named):
    with pytest.raises(MirrorRejected) as caught:
        accepted(answer(status, body))
    assert caught.value.lines == named


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (401, '{"error":"authorization failed"}', Refusal.CREDENTIALS),
        (403, '{"code":"forbidden","message":"insufficient permissions for write"}', Refusal.PERMISSION),
        (404, '{"error":"database not found: \\"x\\""}', Refusal.MISSING),
        (404, '{"code":"not found","message":"no dbrp mapping found"}', Refusal.MAPPING),
        (302, "", Refusal.MISSING),
    ],
)
def test_refusals_say_what_has_to_be_mended(status, body, refusal):
    with pytest.raises(MirrorRefused) as caught:
        accepted(answer(status, body))
    assert caught.value.refusal is refusal


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "-7"}, 0.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "Sat, 21 Nov 2026 07:00:30 GMT", "date": "Sat, 21 Nov 2026 07:00:00 GMT"}, 30.0),
        ({"retry_after": "Sat, 21 Nov 2026 07:00:30 GMT"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 500, 503, 599])
def test_busy_servers_say_when_to_come_again(status, headers, seconds):
    with pytest.raises(MirrorBusy) as caught:
        accepted(answer(status, "later", **headers))
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("status", [200, 400, 422])
def test_a_web_page_is_neither_thanks_nor_blame(status):
    """A proxy's sign-in page takes no points, and its error page says nothing about a line."""
    with pytest.raises(MirrorRefused) as caught:
        accepted(answer(status, "<html><body>Please sign in</body></html>", content_type="text/html; charset=utf-8"))
    assert caught.value.refusal is Refusal.MISSING


def test_of_a_long_answer_only_the_beginning_is_searched():
    """Searching all of it would hold the event loop; the rest is named when it is sent again."""
    lines = [f"power watts=bad{number}" for number in range(5000)]
    body = "\n".join(f"unable to parse '{line}': invalid number" for line in lines)
    with pytest.raises(MirrorRejected) as caught:
        accepted(answer(400, json.dumps({"error": body})))
    assert 0 < len(caught.value.lines) < 1000
    assert set(caught.value.lines) < set(lines)


def test_a_line_that_speaks_of_retention_is_still_rejected():
    line = 'note state="dropped 3 points outside retention policy" 1'
    with pytest.raises(MirrorRejected):
        accepted(answer(400, json.dumps({"code": "invalid", "message": f"unable to parse '{line}': bad"})))


def test_too_large():
    with pytest.raises(MirrorTooLarge, match="Request Entity Too Large"):
        accepted(answer(413, '{"error":"Request Entity Too Large"}'))


def test_the_message_is_short_and_from_where_the_server_put_it():
    assert answer(400, "", x_influxdb_error="from the header").message == "from the header"
    assert answer(400, "").message == "HTTP status 400"
    assert len(answer(500, "x" * 5000).message) == 500
    assert answer(400, '{"message": "two\\n  lines"}').message == "two lines"


def test_management_requests_that_are_not_understood_are_query_errors():
    assert isinstance(failure(answer(400, '{"error":"error parsing query"}')), MirrorQueryError)
    assert isinstance(failure(answer(401)), MirrorRefused)
    assert isinstance(failure(answer(500)), MirrorBusy)
