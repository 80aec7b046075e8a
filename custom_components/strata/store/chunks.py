"""Column chunks: how arrays become few bytes, and back without any loss.

A chunk is a CRC-32, then raw DEFLATE over a header and the columns. Each column takes the cheapest of a few
exact forms: one constant, small whole numbers (after taking out a common factor, and the offset
or the difference to the value before), or 8-byte floats. Decimal floats such as 21.37 become
whole numbers when dividing them back gives the very same float. Bytes of equal significance are
stored together, which is what lets DEFLATE find the repetition in sensor data.
"""

from collections.abc import Sequence
import logging
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

type Column = NDArray[np.int64] | NDArray[np.float64]

_LOGGER = logging.getLogger(__name__)
_SAID: set[int] = set()
_LEVEL = 6
_RAW_DEFLATE = -15
_VERSION = 1
_MOST_ROWS = 1 << 24
_MAX_DECIMALS = 6
_PROBE = 6
"""How many values decide which number of decimals is tried."""
_EXACT = float(2**53)
_CONSTANT, _OFFSET, _DELTA, _HOLES = 0, 1, 2, 3
_DECIMAL, _SCALED, _FLOAT = 1 << 5, 1 << 6, 1 << 7
"""A column begins with one byte: its kind, 3 bits of width - 1, and these marks. A decimal's byte
of decimals follows, then the numbers its kind needs, then the bytes of all values."""
_SUM = struct.Struct("<I")
_HEAD = struct.Struct("<BBI")
_HOLE = -(2**63)
"""Stands for NaN among whole numbers."""


class ChunkError(ValueError):
    """The bytes are not a chunk this version can read."""


def encode(columns: Sequence[Column]) -> bytes:
    """Return the columns (all of one length, int64 or float64) as one chunk.

    Raises:
        ValueError: lengths differ, or there are no columns.
    """
    if not columns or len({len(column) for column in columns}) != 1:
        raise ValueError("a chunk needs columns of one length")
    parts = [_HEAD.pack(_VERSION, len(columns), len(columns[0]))]
    with np.errstate(over="ignore", invalid="ignore"):
        for column in columns:
            parts += _encode_column(column)
    content = b"".join(parts)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    return _SUM.pack(zlib.crc32(content)) + packer.compress(content) + packer.flush()


def decode(blob: bytes) -> list[Column]:
    """Return the columns of a chunk.

    Raises:
        ChunkError: the bytes are damaged or of a newer version.
    """
    try:
        content = zlib.decompress(memoryview(blob)[_SUM.size :], _RAW_DEFLATE)
        if _SUM.unpack_from(blob)[0] != zlib.crc32(content):
            raise ChunkError("damaged chunk: its check sum is wrong")
    except (zlib.error, struct.error) as error:
        raise ChunkError(f"damaged chunk: {error}") from error
    try:
        return _decode_columns(content)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        if isinstance(error, ChunkError):
            raise
        raise ChunkError(f"damaged chunk: {error}") from error


def decode_sound(blob: bytes) -> list[Column] | None:
    """Return the columns of a chunk, or None where it is damaged.

    One bad chunk costs one period of one series, not the history around it. It is said in the log
    once, and stays in the file.
    """
    try:
        return decode(blob)
    except ChunkError as error:
        mark = zlib.crc32(blob)
        if mark not in _SAID:
            _SAID.add(mark)
            _LOGGER.error("A part of the history cannot be read and is left out: %s", error)
        return None


def _decode_columns(content: bytes) -> list[Column]:
    version, count, rows = _HEAD.unpack_from(content)
    if version != _VERSION:
        raise ChunkError(f"chunk version {version} is newer than this Strata reads")
    if rows > _MOST_ROWS:
        raise ChunkError(f"damaged chunk: it claims {rows} rows")
    position = _HEAD.size
    columns = []
    for _ in range(count):
        column, position = _decode_column(content, position, rows)
        columns.append(column)
    return columns


def _encode_column(column: Column) -> list[bytes]:
    if column.dtype != np.float64:
        return _encode_whole(np.ascontiguousarray(column, np.int64), None)
    floats = np.ascontiguousarray(column, np.float64)
    scaled = _as_whole(floats)
    if scaled is None:
        return [bytes((_FLOAT,)), floats.view(np.uint8).reshape(-1, 8).T.tobytes()]
    return _encode_whole(*scaled)


def _as_whole(column: NDArray[np.float64]) -> tuple[NDArray[np.int64], int] | None:
    """Return the floats as whole numbers of 10^-decimals, or None where that would lose a bit.

    NaN becomes `_HOLE`.
    """
    holes = np.isnan(column)
    any_hole = bool(holes.any())
    known = column[~holes] if any_hole else column
    needed = _decimals(known)
    if needed is None:
        return None
    # The probe may have met only short values, so two more decimals are tried.
    for decimals in range(needed, min(needed + 3, _MAX_DECIMALS + 1)):
        rounded = np.rint(known * 10.0**decimals)
        if (rounded / 10.0**decimals == known).all():
            break
    else:
        return None
    if len(known) and (np.abs(rounded).max() >= _EXACT or (np.signbit(known) & (known == 0)).any()):
        return None
    if not any_hole:
        return rounded.astype(np.int64), decimals
    whole = np.full(len(column), _HOLE, np.int64)
    whole[~holes] = rounded.astype(np.int64)
    return whole, decimals


def _decimals(known: NDArray[np.float64]) -> int | None:
    """Return the decimals a few of the values need, None where none of a few is enough."""
    if len(known) and not np.isfinite(known.sum()):
        return None
    needed = 0
    for value in known[:: max(1, len(known) // _PROBE)].tolist():
        while round(value, needed) != value:
            needed += 1
            if needed > _MAX_DECIMALS:
                return None
    return needed


def _encode_whole(whole: NDArray[np.int64], decimals: int | None) -> list[bytes]:
    """Return whole numbers (of 10^-decimals, None for integers) in the form that is shortest."""
    if not len(whole):
        return [_column_head(_CONSTANT, 1, decimals, 0)]
    low, high, first = int(whole.min()), int(whole.max()), int(whole[0])
    if low == high:
        return [_column_head(_CONSTANT, 1, decimals, first)]
    if low == _HOLE and decimals is not None:
        return _encode_holes(whole, high, decimals)
    if high - low >= 2**63:
        # Too far apart for differences: kept as they are.
        return [_column_head(_OFFSET, 8, decimals, 0), _planes(whole, 8)]
    steps = whole[1:] - whole[:-1]
    base = int(steps.min())
    if int(steps.max()) - base < high - low:
        numbers = np.zeros(len(whole), np.int64)
        np.subtract(steps, base, out=numbers[1:])
        return _encode_numbers(_DELTA, numbers, decimals, first, base)
    return _encode_numbers(_OFFSET, whole - low, decimals, low)


def _encode_numbers(kind: int, numbers: NDArray[np.int64], decimals: int | None, *given: int) -> list[bytes]:
    factor = int(np.gcd.reduce(numbers)) or 1
    if factor > 1:
        numbers //= factor
    width = _width(int(numbers.max()))
    return [_column_head(kind, width, decimals, *given, factor=factor), _planes(numbers, width)]


def _encode_holes(whole: NDArray[np.int64], high: int, decimals: int) -> list[bytes]:
    """Store numbers among holes: 0 is a hole, others count from 1 above the smallest."""
    hole = whole == _HOLE
    low = int(whole[~hole].min())
    numbers = np.where(hole, 0, whole - np.int64(low) + 1)
    width = _width(high - low + 1)
    return [_column_head(_HOLES, width, decimals, low), _planes(numbers, width)]


def _width(largest: int) -> int:
    return (largest.bit_length() + 7) // 8 or 1


def _column_head(kind: int, width: int, decimals: int | None, *given: int, factor: int = 1) -> bytes:
    marks = kind | (width - 1) << 2 | (_DECIMAL if decimals is not None else 0) | (_SCALED if factor > 1 else 0)
    numbers = (*given, factor) if factor > 1 else given
    places = () if decimals is None else (decimals,)
    return bytes((marks, *places)) + b"".join(_varint(number) for number in numbers)


def _planes(numbers: NDArray[np.int64], width: int) -> bytes:
    """Return the lowest bytes of all numbers, then the next ones, and so on."""
    return numbers.view(np.uint8).reshape(-1, 8).T[:width].tobytes()


def _varint(number: int) -> bytes:
    """Return a signed number in as few bytes as it needs (length, then little-endian)."""
    size = (number.bit_length() + 8) // 8
    return bytes((size,)) + number.to_bytes(size, "little", signed=True)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    end = position + 1 + data[position]
    return int.from_bytes(data[position + 1 : end], "little", signed=True), end


def _decode_column(data: bytes, position: int, rows: int) -> tuple[Column, int]:
    marks = data[position]
    position += 1
    if marks & _FLOAT:
        end = position + 8 * rows
        planes = np.frombuffer(data[position:end], np.uint8).reshape(8, rows)
        return planes.T.copy().view(np.float64).reshape(-1), end
    if not marks & _DECIMAL:
        return _decode_whole(data, position, rows, marks)
    whole, end = _decode_whole(data, position + 1, rows, marks)
    values = whole / 10.0 ** data[position]
    values[whole == _HOLE] = np.nan
    return values, end


def _decode_whole(data: bytes, position: int, rows: int, marks: int) -> tuple[NDArray[np.int64], int]:
    kind, width = marks & 3, (marks >> 2 & 7) + 1
    given, position = _read_varint(data, position)
    if kind == _CONSTANT:
        return np.full(rows, given, np.int64), position
    base, position = _read_varint(data, position) if kind == _DELTA else (0, position)
    factor, position = _read_varint(data, position) if marks & _SCALED else (1, position)
    end = position + width * rows
    planes = np.zeros((8, rows), np.uint8)
    planes[:width] = np.frombuffer(data[position:end], np.uint8).reshape(width, rows)
    numbers = planes.T.copy().view(np.int64).reshape(-1)
    if factor != 1:
        numbers *= factor
    if kind == _HOLES:
        return np.where(numbers == 0, _HOLE, numbers + (given - 1)), end
    if kind == _OFFSET:
        return numbers + given, end
    numbers += base
    numbers[:1] = given
    return np.cumsum(numbers), end
