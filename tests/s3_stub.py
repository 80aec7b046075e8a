"""An S3 server that fails as it is told: it speaks just enough of the protocol for boto3.

Answers and error codes are as AWS documents them for PutObject, HeadObject, GetObject, DeleteObject, HeadBucket and
ListObjectsV2, which answers a thousand keys at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import threading
from typing import Any, Self, override
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

BUCKET = "home"
_PAGE = 1000


@dataclass
class Kept:
    """An object as the server holds it."""

    body: bytes
    metadata: dict[str, str]
    storage_class: str = "STANDARD"
    encryption: str | None = None


@dataclass
class Refusal:
    """An answer with an error code."""

    status: int
    code: str


@dataclass
class S3Stub:
    """The server: what it holds, what it was asked, and how it misbehaves."""

    objects: dict[str, Kept] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    refuse: Callable[[str, str, dict[str, str]], Refusal | None] = lambda method, key, headers: None
    """Asked with method, key and headers before anything is done."""
    keep: Callable[[bytes], bytes] = lambda body: body
    """What is kept of a body that was sent: less of it, or something else."""
    hang_up: Callable[[str, str], bool] = lambda method, key: False
    """Whether the connection is cut in the middle of a request's body."""
    early: bool = False
    """Whether a refusal is said before the body was sent, and the connection kept: RFC 9110, 10.1.1, allows both."""
    encrypts: bool = True
    """Whether it knows of encryption, and says so in its answers; others leave the header out of account."""

    def __enter__(self) -> Self:
        stub = self

        class Handler(_Handler):
            server_of = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: S3Stub

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _key(self) -> str:
        return urlsplit(self.path).path.removeprefix(f"/{BUCKET}").strip("/")

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise NotImplementedError
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    @override
    def handle_expect_100(self) -> bool:
        key = self._key()
        refusal = self.server_of.refuse(self.command, key, dict(self.headers)) if self.server_of.early else None
        if refusal is None:
            return super().handle_expect_100()
        self.server_of.requests.append((self.command, key))
        error = _error(refusal)
        self.send_response(refusal.status)
        self.send_header("Content-Length", str(len(error)))
        self.end_headers()
        self.wfile.write(error)
        return False

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refused(self, key: str) -> bool:
        stub = self.server_of
        stub.requests.append((self.command, key))
        if stub.hang_up(self.command, key):
            if self.command == "GET" and key in stub.objects:
                body = stub.objects[key].body
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
            else:
                self.rfile.read(int(self.headers.get("Content-Length") or 0) // 2)
            self.close_connection = True
            self.connection.close()
            return True
        refusal = stub.refuse(self.command, key, dict(self.headers))
        if refusal is None and not self.path.startswith(f"/{BUCKET}"):
            refusal = Refusal(404, "NoSuchBucket")
        if refusal is None:
            return False
        if self.command == "PUT":
            self._body()
        self._answer(refusal.status, {"Content-Type": "application/xml"}, _error(refusal))
        return True

    def do_PUT(self) -> None:
        key = self._key()
        if self._refused(key):
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        metadata = {
            name.removeprefix("x-amz-meta-"): value for name, value in headers.items() if name.startswith("x-amz-meta-")
        }
        encryption = headers.get("x-amz-server-side-encryption") if self.server_of.encrypts else None
        self.server_of.objects[key] = Kept(
            self.server_of.keep(self._body()), metadata, headers.get("x-amz-storage-class", "STANDARD"), encryption
        )
        said = {} if encryption is None else {"x-amz-server-side-encryption": encryption}
        self._answer(200, {"ETag": '"x"', **said})

    def do_HEAD(self) -> None:
        key = self._key()
        if self._refused(key):
            return
        if not key:
            self._answer(200)
        elif key not in self.server_of.objects:
            self._answer(404)
        else:
            kept = self.server_of.objects[key]
            headers = {f"x-amz-meta-{name}": value for name, value in kept.metadata.items()}
            # AWS names every class but the standard one.
            if kept.storage_class != "STANDARD":
                headers["x-amz-storage-class"] = kept.storage_class
            self._answer(200, {**headers, "Content-Length": str(len(kept.body)), "ETag": '"x"'})

    def do_GET(self) -> None:
        key = self._key()
        if self._refused(key):
            return
        if not key:
            self._list()
        elif key not in self.server_of.objects:
            self._answer(404, body=b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._answer(200, {"ETag": '"x"'}, self.server_of.objects[key].body)

    def _list(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        prefix, after = asked.get("prefix", [""])[0], asked.get("continuation-token", [""])[0]
        found = sorted(key for key in self.server_of.objects if key.startswith(prefix) and key > after)
        page, more = found[:_PAGE], len(found) > _PAGE
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server_of.objects[key].body)}</Size></Contents>"
            for key in page
        )
        following = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        body = (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{following}{contents}</ListBucketResult>"
        )
        self._answer(200, {"Content-Type": "application/xml"}, body.encode())

    def do_DELETE(self) -> None:
        key = self._key()
        if self._refused(key):
            return
        self.server_of.objects.pop(key, None)
        self._answer(204)


def _error(refusal: Refusal) -> bytes:
    return f"<Error><Code>{refusal.code}</Code><Message>no</Message></Error>".encode()
