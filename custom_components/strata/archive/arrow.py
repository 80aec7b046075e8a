"""Arrow arrays from numpy's and Python's, and back, through their buffers.

`pyarrow.array` and `Array.to_numpy` import pandas where it is installed, to ask whether what they are given is of its
kind. That takes 50 MB that nothing here needs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

type Bools = NDArray[np.bool_]


def numbers(values: NDArray[Any], kind: pa.DataType, missing: Bools | None = None) -> pa.Array:
    """Return an array of numbers of the values' own width; what is `missing` is null."""
    import pyarrow as pa

    whole = np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(whole), [_bitmap(missing), pa.py_buffer(whole)])


def flags(values: Sequence[bool]) -> pa.Array:
    """Return an array of truth values."""
    import pyarrow as pa

    bits = np.packbits(np.array(values, np.bool_), bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


def texts(values: Sequence[str | None]) -> pa.Array:
    """Return an array of texts; None is null."""
    import pyarrow as pa

    encoded = [b"" if text is None else text.encode() for text in values]
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    missing = np.array([text is None for text in values], np.bool_)
    buffers = [_bitmap(missing), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def values_of[T: np.generic](array: pa.Array, dtype: type[T]) -> NDArray[T]:
    """Return the numbers of an array whose own width is that of `dtype`; what stands for null is anything."""
    data = array.buffers()[1]
    if data is None:
        return np.zeros(len(array), dtype)
    return np.frombuffer(data, dtype)[array.offset : array.offset + len(array)].copy()


def missing_of(array: pa.Array) -> Bools:
    """Return where an array is null."""
    bitmap = array.buffers()[0]
    if bitmap is None:
        return np.zeros(len(array), np.bool_)
    known = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")
    missing: Bools = np.equal(known[array.offset : array.offset + len(array)], 0)
    return missing


def _bitmap(missing: Bools | None) -> Any:
    import pyarrow as pa

    if missing is None or not missing.any():
        return None
    return pa.py_buffer(np.packbits(~missing, bitorder="little"))
