"""Column chunks give back, bit for bit, what they were given, and say so when they cannot."""

import math
import zlib

from hypothesis import example, given, settings, strategies as st
import numpy as np
import pytest

from custom_components.strata.store.chunks import ChunkError, decode, encode

INT64 = np.iinfo(np.int64)
EXTREMES = [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308]
EXTREMES += [math.inf, -math.inf, math.nan, 0.1, 1 / 3, 2.0**53, 2.0**53 + 2, -(2.0**63), 1e22, 1e-7, 0.1 + 0.2]

any_float = st.one_of(
    st.floats(width=64),
    st.sampled_from(EXTREMES),
    st.integers(-(10**9), 10**9).map(lambda n: n / 100),
    st.integers(-(10**6), 10**6).map(float),
)
any_int = st.one_of(
    st.integers(INT64.min, INT64.max),
    st.integers(-300, 300),
    st.integers(0, 10**6).map(lambda n: 1_790_000_000_000_000 + n * 1_000_000),
)
"""Anything, small codes, and instants a second apart."""


def same(found: np.ndarray, given_values: np.ndarray) -> bool:
    """Equal to the bit; any NaN stands for any other, as only one kind of hole is kept."""
    if found.dtype != given_values.dtype or len(found) != len(given_values):
        return False
    if found.dtype != np.float64:
        return bool((found == given_values).all())
    holes = np.isnan(given_values)
    equal = found.view(np.int64)[~holes] == given_values.view(np.int64)[~holes]
    return bool((np.isnan(found) == holes).all() and equal.all())


def round_trip(*columns: np.ndarray) -> None:
    found = decode(encode(columns))
    assert len(found) == len(columns)
    for number, (back, column) in enumerate(zip(found, columns, strict=True)):
        assert same(back, column), f"column {number}: {back[:5]} instead of {column[:5]}"


def floats(values: list[float]) -> np.ndarray:
    return np.array(values, np.float64)


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


@settings(max_examples=400, deadline=None)
@given(st.lists(any_float, max_size=40))
@example([])
@example([-0.0])
@example([math.nan])
@example([math.nan, math.nan])
@example([math.nan, 0.0, -0.0])
@example([1.7976931348623157e308, 1.7976931348623157e308])
@example([2.0**53 - 1, -(2.0**53 - 1), math.nan])
@example([0.1, 0.25, 1e-6])
def test_floats_come_back(values: list[float]) -> None:
    round_trip(floats(values))


@settings(max_examples=400, deadline=None)
@given(st.lists(any_int, max_size=40))
@example([INT64.min])
@example([INT64.max])
@example([INT64.min, INT64.max])
@example([INT64.min, -1])
@example([INT64.min, 0])
@example([0, INT64.max, 0])
@example([INT64.min, INT64.min])
def test_whole_numbers_come_back(values: list[int]) -> None:
    round_trip(ints(values))


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(any_int, any_float, st.integers(0, 9)), max_size=30),
    decimals=st.integers(0, 6),
    hole_every=st.integers(1, 7),
)
def test_columns_of_all_sorts_come_back_together(rows, decimals, hole_every) -> None:
    times = ints([row[0] for row in rows])
    values = floats([row[1] for row in rows])
    flags = ints([row[2] for row in rows])
    rounded = floats([math.nan if n % hole_every == 0 else n / 10**decimals for n in range(len(rows))])
    round_trip(times, values, flags, rounded, np.sort(times), values.copy())


@pytest.mark.parametrize("decimals", range(9))
def test_decimals_of_every_length_come_back(decimals: int) -> None:
    random = np.random.default_rng(decimals)
    values = np.round(random.normal(0, 500, 3000), decimals)
    round_trip(values)
    # The few values that are looked at first are short, the others are not.
    values[:: max(1, len(values) // 6)] = 1.0
    round_trip(values)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 255, 256, 257, 5000])
def test_every_length(length: int) -> None:
    random = np.random.default_rng(length)
    round_trip(
        np.cumsum(random.integers(1, 60_000_000, length)) + 1_790_000_000_000_000,
        np.round(random.normal(21, 3, length), 2),
        np.full(length, 7),
        np.full(length, np.nan),
        random.normal(size=length),
    )


def test_arrays_that_are_views_come_back() -> None:
    grid = np.arange(60, dtype=np.float64).reshape(10, 6) / 8
    round_trip(grid[:, 2], grid[::2].T[1].repeat(2), np.arange(20, dtype=np.int64)[::-2])


def test_sensor_data_gets_short() -> None:
    # 3600 readings of a thermometer with two decimals, at random microseconds: 16 bytes each as they are.
    random = np.random.default_rng(1)
    times = np.sort(random.integers(0, 3_600_000_000, 3600))
    values = np.round(20 + np.cumsum(random.normal(0, 0.02, 3600)), 2)
    assert len(encode([times, values, np.zeros(3600, np.int64), np.zeros(3600, np.int64)])) < 7 * 3600


def test_columns_have_to_match() -> None:
    with pytest.raises(ValueError, match="one length"):
        encode([ints([1]), ints([1, 2])])
    with pytest.raises(ValueError, match="one length"):
        encode([])


SOUND = encode(
    [
        ints([1_790_000_000_000_000 + n * 997_001 for n in range(200)]),
        floats([math.nan if n % 9 == 0 else n / 100 for n in range(200)]),
        floats([math.sin(n) for n in range(200)]),
        ints([3] * 200),
        ints([INT64.min, INT64.max] * 100),
    ]
)
BODY = zlib.decompress(SOUND[4:], -15)


def packed(body: bytes, checked: bytes = b"") -> bytes:
    """Return a chunk of this content, with the check sum of `checked` where that is given."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return zlib.crc32(checked or body).to_bytes(4, "little") + packer.compress(body) + packer.flush()


def refused_or_the_same(blob: bytes) -> None:
    try:
        columns = decode(blob)
    except ChunkError:
        return
    assert all(same(found, column) for found, column in zip(columns, decode(SOUND), strict=True))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
@example(b"")
@example(b"\0\0\0\0")
@example(SOUND[:4])
def test_any_bytes_are_refused(blob: bytes) -> None:
    with pytest.raises(ChunkError):
        decode(blob)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.integers(1, 255), st.integers(0, len(SOUND)))
def test_flipped_bits_and_cut_ends_never_pass_as_other_values(place: int, bits: int, end: int) -> None:
    damaged = bytearray(SOUND)
    damaged[place] ^= bits
    refused_or_the_same(bytes(damaged))
    refused_or_the_same(SOUND[:end])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(BODY) - 1), st.integers(0, 255), st.integers(0, len(BODY)))
def test_damage_that_inflates_cleanly_never_passes_as_other_values(place: int, value: int, end: int) -> None:
    damaged = bytearray(BODY)
    damaged[place] = value
    refused_or_the_same(packed(bytes(damaged), checked=BODY))
    refused_or_the_same(packed(BODY[:end], checked=BODY))


def test_a_newer_version_is_refused_by_name() -> None:
    assert all(same(a, b) for a, b in zip(decode(packed(BODY)), decode(SOUND), strict=True))
    with pytest.raises(ChunkError, match="newer"):
        decode(packed(bytes((BODY[0] + 1,)) + BODY[1:]))


def test_what_comes_back_can_be_worked_on() -> None:
    for columns in ([floats([1 / 3])], [ints([5])], [floats([0.1])], [floats([math.nan, 2.5])], [floats([1 / 3] * 9)]):
        (back,) = decode(encode(columns))
        back[0] = 1
        assert back[0] == 1
