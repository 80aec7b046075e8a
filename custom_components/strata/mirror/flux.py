"""Flux, the query language of InfluxDB 2 and its Cloud: a query, and the annotated CSV that answers it.

An answer has tables one after another. Annotations (`#datatype`, `#group`, `#default`) and a header come before those
of a new shape. A query that fails when the status has been sent already ends in a table with the columns `error` and
`reference`.
"""

import asyncio
from collections.abc import Callable, Mapping
import csv
import io

from ..core.model import Micros, from_micros
from .answer import failure
from .errors import MirrorQueryError
from .influx import InfluxClient, Scheme

_DIALECT = {"header": True, "delimiter": ",", "annotations": ["datatype", "group", "default"]}

type Value = str | float | int | bool | None
type Record = dict[str, Value]


async def run(client: InfluxClient, query: str) -> list[Record]:
    """Run a query and return its rows, tables behind one another.

    Raises:
        MirrorQueryError: the server says what is wrong with it, possibly with HTTP status 200.
        MirrorError: one of its other subclasses.
    """
    org = client.connection.org
    answer = await client.request(
        "POST",
        "/api/v2/query",
        params={"org": org} if org else {},
        json_data={"query": query, "type": "flux", "dialect": _DIALECT},
        headers={"Accept": "application/csv"},
        scheme=Scheme.TOKEN,
    )
    if not answer.ok:
        raise failure(answer)
    try:
        return await asyncio.to_thread(parse, answer.body)
    except MirrorQueryError as error:
        raise MirrorQueryError(answer.without_secret(str(error))) from None


def parse(body: str) -> list[Record]:
    """Return the rows of an annotated CSV; what is empty has its column's default, or is None.

    Raises:
        MirrorQueryError: it tells an error, or is none.
    """
    found: list[Record] = []
    notes: dict[str, list[str]] = {}
    header: list[str] | None = None
    for row in csv.reader(io.StringIO(body, newline="")):
        if not row:
            notes, header = {}, None
        elif row[0].startswith("#"):
            if header is not None:
                notes, header = {}, None
            notes[row[0]] = row
        elif header is None:
            header = row
        elif "error" in header and "reference" in header:
            raise MirrorQueryError(dict(zip(header, row, strict=False)).get("error") or "the query failed")
        else:
            found.append(_record(header, row, notes))
    return found


def _record(header: list[str], row: list[str], notes: Mapping[str, list[str]]) -> Record:
    types, defaults = notes.get("#datatype", []), notes.get("#default", [])
    record: Record = {}
    for place, name in enumerate(header):
        if not name:
            continue
        text = (row[place] if place < len(row) else "") or (defaults[place] if place < len(defaults) else "")
        read = _READERS.get(types[place] if place < len(types) else "", str)
        try:
            record[name] = read(text) if text else None
        except ValueError as error:
            raise MirrorQueryError(f"the answer to a query has {text[:50]!r} for a number") from error
    return record


_READERS: Mapping[str, Callable[[str], Value]] = {
    "double": float,
    "long": int,
    "unsignedLong": int,
    "boolean": lambda text: text == "true",
}
"""What a column is by its `#datatype`; all others are texts."""


def text(value: str) -> str:
    """Return a string as Flux quotes it, where `${` would begin an expression."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def instant(time: Micros) -> str:
    """Return an instant as Flux writes it."""
    return from_micros(time).isoformat().replace("+00:00", "Z")
