"""What a server's answer to a write means: one table for every server, because their words differ, not their sense."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
import json
import re
from typing import Any

from ..core.model import EPOCH
from .errors import (
    MirrorBusy,
    MirrorError,
    MirrorQueryError,
    MirrorRefused,
    MirrorRejected,
    MirrorTooLarge,
    Refusal,
)

_LONGEST_MESSAGE = 500
_LONGEST_READ = 16_384
"""Of a longer text only this much is searched: what comes behind is named in the answer to the next try."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: str
    secret: str = field(default="", repr=False)
    """What must not be passed on, should the server repeat it."""

    @property
    def ok(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300 and not self.page

    @property
    def page(self) -> bool:
        """Whether this is a page for people, as proxies serve them to sign in or on errors: no server of ours does."""
        return self.headers.get("content-type", "").lower().startswith("text/html")

    def without_secret(self, text: str) -> str:
        """Return a text that may be shown and logged."""
        return text.replace(self.secret, "***") if len(self.secret) > 3 else text

    def json(self) -> Any:
        """Return the body as JSON, None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def message(self) -> str:
        """What the server said, in at most 500 characters."""
        said = self.json()
        if isinstance(said, dict):
            text = said.get("error") or said.get("message") or ""
        else:
            text = self.headers.get("x-influxdb-error") or self.body
        return (
            " ".join(self.without_secret(str(text)[:_LONGEST_READ]).split())[:_LONGEST_MESSAGE]
            or f"HTTP status {self.status}"
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """The lines have arrived; `beyond_retention` of them were older than the server keeps."""

    beyond_retention: int = 0


_BEYOND_RETENTION = (
    re.compile(r"beyond retention policy dropped=(\d+)"),
    re.compile(r"dropped (\d+) points? outside retention policy"),
)
"""InfluxDB 1 and InfluxDB 2."""
_UNPARSABLE = re.compile(r"unable to parse '(.*?)': ([^\n]*)", re.DOTALL)


def accepted(answer: Answer) -> Accepted:
    """Return what became of the lines.

    Raises:
        MirrorBusy, MirrorRefused, MirrorTooLarge, MirrorRejected: by what is to be done.
    """
    if answer.ok:
        return Accepted()
    message = answer.message
    # A line that the server repeats may say anything.
    if answer.status in _REJECTING and "unable to parse" not in message:
        for pattern in _BEYOND_RETENTION:
            if found := pattern.search(message):
                return Accepted(int(found[1]))
    raise _error(answer)


def failure(answer: Answer) -> MirrorError:
    """Return the error that an answer to a query or management request stands for."""
    if answer.status in _REJECTING and not answer.page:
        return MirrorQueryError(answer.message)
    return _error(answer)


def _error(answer: Answer) -> MirrorError:
    """Return the error of an answer; of a page only what any server may say counts, not a word about lines."""
    foreign = answer.page and (answer.status in _REJECTING or 200 <= answer.status < 300)
    return (_other if foreign else _ERRORS.get(answer.status, _other))(answer)


def _rejected(answer: Answer) -> MirrorError:
    return MirrorRejected(answer.message, _named_lines(answer))


def _named_lines(answer: Answer) -> dict[str, str]:
    """Return the lines the server named with its reasons: InfluxDB 3 in `data`, 1 and 2 in the text."""
    said = answer.json()
    data = said.get("data") if isinstance(said, dict) else None
    if isinstance(data, dict):
        data = [data]
    if isinstance(data, list):
        return {
            str(entry["original_line"]): answer.without_secret(str(entry.get("error_message") or answer.message))
            for entry in data
            if isinstance(entry, dict) and entry.get("original_line")
        }
    text = str(said.get("error") or said.get("message") or "") if isinstance(said, dict) else answer.body
    return {line: answer.without_secret(reason.strip()) for line, reason in _UNPARSABLE.findall(text[:_LONGEST_READ])}


def _refused(refusal: Refusal) -> Callable[[Answer], MirrorError]:
    def refused(answer: Answer) -> MirrorError:
        unmapped = refusal is Refusal.MISSING and "dbrp" in answer.message.lower()
        return MirrorRefused(answer.message, Refusal.MAPPING if unmapped else refusal)

    return refused


def _too_large(answer: Answer) -> MirrorError:
    return MirrorTooLarge(answer.message)


def _busy(answer: Answer) -> MirrorError:
    return MirrorBusy(f"HTTP status {answer.status}: {answer.message}", _retry_after(answer.headers))


def _other(answer: Answer) -> MirrorError:
    """A 5xx may pass; any other status is not a line protocol server's, and may be a proxy's."""
    if answer.status >= 500:
        return _busy(answer)
    return MirrorRefused(f"HTTP status {answer.status}: {answer.message}", Refusal.MISSING)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a `Retry-After` asks for: a number, or a date told from the answer's own."""
    given = headers.get("retry-after", "")
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(given)
        since = parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, ((until - EPOCH) - (since - EPOCH)).total_seconds())
    except TypeError, ValueError:
        return None


_REJECTING = frozenset({400, 422})
_ERRORS: Mapping[int, Callable[[Answer], MirrorError]] = {
    **dict.fromkeys(_REJECTING, _rejected),
    401: _refused(Refusal.CREDENTIALS),
    403: _refused(Refusal.PERMISSION),
    404: _refused(Refusal.MISSING),
    413: _too_large,
    429: _busy,
}
