r"""Line protocol: points as text, the way InfluxDB and its kin take them, and back.

The grammar is InfluxDB's own (docs.influxdata.com, "Line protocol"): `measurement,tag=value field=1.0 time`.
A comma, a space and (in keys and tag values) an equals sign are escaped with a backslash; strings stand in double
quotes. Two texts have no spelling there and get one that comes back the same: a name that ends in a backslash is
followed by a space, and a measurement that begins with `#`, which would be a comment, by a backslash before it.

>>> encode(Point("power", {"room": "living room"}, {"watts": 3.5}, 1_700_000_000_000_000))
'power,room=living\\ room watts=3.5 1700000000000000000'
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
import math
from operator import index
import re

import numpy as np
from numpy.typing import NDArray

from ..core.model import FieldValue, Micros, Point

MAX_SERIES_BYTES = 65_535
"""Longest measurement with tags that InfluxDB takes (`MaxKeyLength` of its models)."""
MAX_STRING_BYTES = 65_536
"""Longest string field that InfluxDB documents (64 KB)."""
_MIN_NANOS, _MAX_NANOS = -(2**63) + 2, 2**63 - 2
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
_MAX_UNSIGNED = 2**64 - 1

_NANOS: Mapping[str, int] = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
"""Nanoseconds in one unit of each precision."""
_NANOS_PER_MICRO = 1_000
_RESERVED = frozenset({"time"})
"""A field or tag of this name is dropped in silence by InfluxDB 1 and 2."""


class LineError(ValueError):
    """The point cannot be written, or the line cannot be read; the message says why."""


# ------------------------------------------------------------------------------------------------ names
_MEASUREMENT_ESCAPES = {",": "\\,", " ": "\\ "}
_NAME_ESCAPES = {**_MEASUREMENT_ESCAPES, "=": "\\="}
_TRAILING = re.compile(r"\\ *\Z")
_TRAILING_SPACED = re.compile(r"\\ +\Z")
_COMMENT = re.compile(r"\\*#")
_HEAD_END = re.compile(r"(?<!\\) ")
_COMMA = re.compile(r"(?<!\\),")
_COMMENT_ESCAPED = re.compile(r"\\+#")


def _escape(text: str, escapes: Mapping[str, str]) -> str:
    if not text:
        raise LineError("a name is empty")
    if "\n" in text:
        raise LineError(f"{text!r} holds a line break, which only a string field can")
    if _TRAILING.search(text):
        text += " "
    for plain, escaped in escapes.items():
        text = text.replace(plain, escaped)
    return text


@lru_cache(4096)
def _measurement(text: str) -> str:
    return _escape(f"\\{text}" if _COMMENT.match(text) else text, _MEASUREMENT_ESCAPES)


@lru_cache(4096)
def _key(text: str) -> str:
    if text in _RESERVED:
        raise LineError(f"{text!r} is a reserved name: the server would drop it")
    return _escape(text, _NAME_ESCAPES)


def _unescape(text: str, specials: str) -> str:
    text = re.sub(rf"\\([{specials}])", r"\1", text) if "\\" in text else text
    return text[:-1] if _TRAILING_SPACED.search(text) else text


# ------------------------------------------------------------------------------------------------ values
def _integer(value: int) -> str:
    if not _MIN_INTEGER <= value <= _MAX_INTEGER:
        raise LineError(f"{value} does not fit into 64 bits")
    return f"{value:d}i"


def _string(value: str) -> str:
    if len(value) * 4 > MAX_STRING_BYTES and len(value.encode(errors="replace")) > MAX_STRING_BYTES:
        raise LineError(f"a string of {len(value)} characters is longer than {MAX_STRING_BYTES} bytes")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(value: FieldValue) -> str:
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    try:
        return _integer(index(value))
    except TypeError as error:
        raise LineError(f"a {type(value).__name__} is no field value") from error


@lru_cache(8192)
def _head(measurement: str, tags: tuple[tuple[str, str], ...]) -> str:
    """Return measurement and tags; empty tags, which the protocol does not know, are left out."""
    text = _measurement(measurement)
    for key, value in sorted(tags):
        if value:
            text += f",{_key(key)}={_escape(value, _NAME_ESCAPES)}"
    if len(text) * 4 > MAX_SERIES_BYTES and len(text.encode(errors="replace")) > MAX_SERIES_BYTES:
        raise LineError(f"measurement and tags are longer than {MAX_SERIES_BYTES} bytes")
    return text


def speaks_of(line: str, measurement: str, tags: Mapping[str, str]) -> bool:
    """Tell whether a line, which may be cut off at its end, is one of a measurement's with these tags."""
    head = line if (end := _HEAD_END.search(line)) is None else line[: end.start()]
    # Where tags are cut off, what is missing may say it.
    whole = end is not None
    parts = _COMMA.split(head)
    wanted = {f"{_key(key)}={_escape(value, _NAME_ESCAPES)}" for key, value in tags.items()}
    return parts[0] == _measurement(measurement) and (not whole or wanted <= {*parts[1:]})


def _stamp(time: Micros, precision: str) -> int:
    nanos = time * _NANOS_PER_MICRO
    if not _MIN_NANOS <= nanos <= _MAX_NANOS:
        raise LineError(f"{time} µs lies outside the years 1677 to 2262 that a server can hold")
    return nanos // _NANOS[precision]


def encode(point: Point, *, precision: str = "ns") -> str:
    """Return the point as one line, without a line break at its end.

    Floats stay floats and integers integers. Fields that are NaN or infinite and tags without a value have no
    spelling and are left out. Coarser precisions than "us" cut the time off.

    Args:
        point: what to write.
        precision: unit of the time in the line: "ns" (every server's default), "us", "ms" or "s".

    Raises:
        LineError: nothing is left to write, a name is empty, reserved or holds a line break, or something is
            longer or larger than the protocol allows.
    """
    fields = [
        f"{_key(key)}={_value(value)}"
        for key, value in point.fields.items()
        if not isinstance(value, float) or math.isfinite(value)
    ]
    if not fields:
        raise LineError(f"a point of {point.measurement!r} has no field with a value")
    return f"{_head(point.measurement, tuple(point.tags.items()))} {','.join(fields)} {_stamp(point.time, precision)}"


# ------------------------------------------------------------------------------------------------ blocks
type Column = NDArray[np.float64] | NDArray[np.int64] | Sequence[str | None]
"""Values of one field: floats (NaN or infinite: none), integers, or texts (None: none)."""


@dataclass(frozen=True, slots=True)
class PointBlock:
    """Points of one measurement with the same tags, as columns: what a whole series is encoded from.

    `constants` are fields that every point with a value carries too.
    """

    measurement: str
    tags: Mapping[str, str]
    times: NDArray[np.int64]
    fields: Mapping[str, Column]
    constants: Mapping[str, FieldValue] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of times; a time without any value is no point."""
        return len(self.times)

    def cut(self, low: int, high: int) -> PointBlock:
        """Return the points from place `low` up to `high`."""
        fields = {name: column[low:high] for name, column in self.fields.items()}
        return PointBlock(self.measurement, self.tags, self.times[low:high], fields, self.constants)

    def points(self) -> Iterator[Point]:
        """Yield the points one by one."""
        columns = {name: _plain(column) for name, column in self.fields.items()}
        for place, time in enumerate(self.times.tolist()):
            fields = {name: value for name, column in columns.items() if (value := column[place]) is not None}
            if fields:
                yield Point(self.measurement, self.tags, {**fields, **self.constants}, time)


def _plain(column: Column) -> Sequence[FieldValue | None]:
    if not isinstance(column, np.ndarray):
        return column
    if column.dtype.kind != "f":
        return list(column.tolist())
    return [value if math.isfinite(value) else None for value in column.tolist()]


def encode_block(block: PointBlock) -> list[str]:
    """Return the block's points as lines with nanoseconds, an order of magnitude faster than one by one.

    Raises:
        LineError: as for `encode`.
    """
    if not len(block):
        return []
    head = _head(block.measurement, tuple(block.tags.items()))
    for extreme in (int(block.times.min()), int(block.times.max())):
        _stamp(extreme, "ns")
    stamps = (block.times * _NANOS_PER_MICRO).tolist()
    tail = "".join(f",{_key(key)}={_value(value)}" for key, value in block.constants.items())
    if len(block.fields) == 1:
        ((name, column),) = block.fields.items()
        return _one_field(f"{head} {_key(name)}=", column, tail, stamps)
    parts = [_fragments(f"{_key(name)}=", column) for name, column in block.fields.items()]
    lines = []
    for stamp, *values in zip(stamps, *parts, strict=True):
        present = ",".join([value for value in values if value])
        if present:
            lines.append(f"{head} {present}{tail} {stamp}")
    return lines


def _one_field(start: str, column: Column, tail: str, stamps: list[int]) -> list[str]:
    if isinstance(column, np.ndarray):
        kept: list[float | int] = column.tolist()
        if column.dtype.kind != "f":
            return [f"{start}{value}i{tail} {stamp}" for value, stamp in zip(kept, stamps, strict=True)]
        finite = np.isfinite(column)
        if not finite.all():
            kept = column[finite].tolist()
            stamps = [stamp for stamp, good in zip(stamps, finite.tolist(), strict=True) if good]
        return [f"{start}{value!r}{tail} {stamp}" for value, stamp in zip(kept, stamps, strict=True)]
    return [
        f"{start}{_string(value)}{tail} {stamp}"
        for value, stamp in zip(column, stamps, strict=True)
        if value is not None
    ]


def _fragments(start: str, column: Column) -> list[str]:
    """Return `key=value` for each point, empty where the field has no value."""
    if not isinstance(column, np.ndarray):
        return ["" if value is None else f"{start}{_string(value)}" for value in column]
    if column.dtype.kind != "f":
        return [f"{start}{value}i" for value in column.tolist()]
    return [f"{start}{value!r}" if math.isfinite(value) else "" for value in column.tolist()]


# ------------------------------------------------------------------------------------------------ reading
_HEAD_END = re.compile(r"(?<!\\) ")
_COMMA = re.compile(r"(?<!\\),")
_FIELD = re.compile(
    r"(?P<key>(?:[^=, ]|(?<=\\)[=, ])+)(?<!\\)="
    r'(?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,="]+))',
    re.DOTALL,
)
_STRING_ESCAPES = re.compile(r'\\(["\\])')
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_WHOLE = re.compile(r"(?P<digits>[+-]?\d+)(?P<kind>[iu])\Z", re.ASCII)
_STAMP = re.compile(r"-?\d+\Z", re.ASCII)
_BOOLEANS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}


def decode(line: str, *, precision: str = "ns") -> Point:
    """Return the point that a line says.

    Args:
        line: one line, with or without its line break.
        precision: unit of the time in the line: "ns", "us", "ms" or "s". Finer times than a microsecond are cut.

    Raises:
        LineError: the line is no point: a comment, without a field or time, or malformed.
    """
    line = line.removesuffix("\n")
    end = _HEAD_END.search(line)
    if line.startswith("#") or end is None or end.start() == 0:
        raise LineError(f"no point: {line[:100]!r}")
    measurement, *parts = _COMMA.split(line[: end.start()])
    tags = dict(_tag(part, line) for part in parts)
    if _COMMENT_ESCAPED.match(measurement):
        measurement = measurement[1:]
    fields, rest = _fields(line, end.end())
    if not _STAMP.match(rest):
        raise LineError(f"no time at the end of {line[:100]!r}")
    time = int(rest) * _NANOS[precision] // _NANOS_PER_MICRO
    return Point(_unescape(measurement, ", "), tags, fields, time)


def _tag(part: str, line: str) -> tuple[str, str]:
    key, *value = re.split(r"(?<!\\)=", part)
    if not key or len(value) != 1 or not value[0]:
        raise LineError(f"{part!r} is no tag in {line[:100]!r}")
    return _unescape(key, ", ="), _unescape(value[0], ", =")


def _fields(line: str, start: int) -> tuple[dict[str, FieldValue], str]:
    fields: dict[str, FieldValue] = {}
    while (found := _FIELD.match(line, start)) is not None:
        text = found["text"]
        fields[_unescape(found["key"], ", =")] = (
            _bare(found["bare"], line) if text is None else _STRING_ESCAPES.sub(r"\1", text)
        )
        start = found.end()
        follows = line[start : start + 1]
        if follows == " ":
            return fields, line[start + 1 :].strip(" ")
        if follows != ",":
            break
        start += 1
    raise LineError(f"malformed fields in {line[:100]!r}")


def _bare(text: str, line: str) -> FieldValue:
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _FLOAT.match(text):
        return float(text)
    whole = _WHOLE.match(text)
    if whole is not None:
        value = int(whole["digits"])
        low, high = (0, _MAX_UNSIGNED) if whole["kind"] == "u" else (_MIN_INTEGER, _MAX_INTEGER)
        if low <= value <= high:
            return value
    raise LineError(f"{text!r} is no field value in {line[:100]!r}")
