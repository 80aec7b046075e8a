"""Line protocol: documented spellings, and points that come back as they went."""

import random
import string
import time

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from custom_components.strata.core.model import Point
from custom_components.strata.mirror.line_protocol import (
    MAX_SERIES_BYTES,
    MAX_STRING_BYTES,
    LineError,
    PointBlock,
    decode,
    encode,
    encode_block,
    speaks_of,
)

NOON = 1_763_726_400_000_000


def point(measurement="m", tags=None, fields=None, time=NOON):
    return Point(measurement, tags or {}, {"value": 1.0} if fields is None else fields, time)


# The examples of docs.influxdata.com's "Line protocol" page and of its table of special characters.
DOCUMENTED = [
    (
        r'myMeasurement,tag1=value1,tag2=value2 fieldKey="fieldValue" 1556813561098000000',
        Point("myMeasurement", {"tag1": "value1", "tag2": "value2"}, {"fieldKey": "fieldValue"}, 1556813561098000),
    ),
    (r"my\ Measurement fieldKey=1.0 1000", Point("my Measurement", {}, {"fieldKey": 1.0}, 1)),
    (
        r"myMeasurement,tag\ Key1=tag\ Value1 fieldKey=100.0 1000",
        Point("myMeasurement", {"tag Key1": "tag Value1"}, {"fieldKey": 100.0}, 1),
    ),
    (
        r'myMeasurement fieldKey="string \"within\" a string" 1000',
        point("myMeasurement", {}, {"fieldKey": 'string "within" a string'}, 1),
    ),
    (r'm path="C:\\temp" 1000', point("m", {}, {"path": r"C:\temp"}, 1)),
    (r"a\,b,c\,d\=e=f\,g\=h i\,j\=k=2.5 -1000", Point("a,b", {"c,d=e": "f,g=h"}, {"i,j=k": 2.5}, -1)),
    ("m count=12485903i 0", point("m", {}, {"count": 12485903}, 0)),
    ("m on=true,off=false 1000", point("m", {}, {"on": True, "off": False}, 1)),
    ("m value=-1.234456e+78 1000", point("m", {}, {"value": -1.234456e78}, 1)),
]


@pytest.mark.parametrize(("line", "expected"), DOCUMENTED)
def test_documented_lines_are_read_and_written(line, expected):
    assert decode(line) == expected
    assert encode(expected) == line


@pytest.mark.parametrize(
    ("line", "value"),
    [
        *((f"m f={word} 0", True) for word in ("t", "T", "true", "True", "TRUE")),
        *((f"m f={word} 0", False) for word in ("f", "F", "false", "False", "FALSE")),
        ("m f=18446744073709551615u 0", 2**64 - 1),
        ("m f=-5i 0", -5),
        ("m f=.5 0", 0.5),
        ("m f=1. 0", 1.0),
        ("m f=7 0", 7.0),
        ("m f=1E3 0\n", 1000.0),
    ],
)
def test_every_documented_spelling_of_a_value_is_read(line, value):
    found = decode(line).fields["f"]
    assert found == value
    assert type(found) is type(value)


def test_tags_come_sorted_and_empty_ones_not_at_all():
    assert encode(point(tags={"b": "2", "a": "1", "c": ""})) == f"m,a=1,b=2 value=1.0 {NOON}000"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_left_out(bad):
    assert encode(point(fields={"bad": bad, "good": 2.0})) == f"m good=2.0 {NOON}000"
    with pytest.raises(LineError, match="no field"):
        encode(point(fields={"bad": bad}))


def test_numpy_numbers_are_written_as_numbers():
    fields = {"f": np.float64(1.5), "i": np.int64(7), "b": np.bool_(True)}
    assert encode(point(fields=fields)) == f"m f=1.5,i=7i,b=true {NOON}000"


@pytest.mark.parametrize(
    ("precision", "stamp"),
    [("ns", "1763726400123456000"), ("us", "1763726400123456"), ("ms", "1763726400123"), ("s", "1763726400")],
)
def test_precision_is_the_unit_of_the_time(precision, stamp):
    line = encode(point(time=NOON + 123_456), precision=precision)
    assert line.endswith(f" {stamp}")
    assert decode(line, precision=precision).time == (NOON + 123_456) // {"ms": 1000, "s": 10**6}.get(precision, 1) * {
        "ms": 1000,
        "s": 10**6,
    }.get(precision, 1)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (point(""), "empty"),
        (point(tags={"": "x"}), "empty"),
        (point(fields={"": 1.0}), "empty"),
        (point(fields={}), "no field"),
        (point("two\nlines"), "line break"),
        (point(tags={"room": "two\nlines"}), "line break"),
        (point(fields={"time": 1.0}), "reserved"),
        (point(tags={"time": "x"}), "reserved"),
        (point(fields={"n": 2**63}), "64 bits"),
        (point(fields={"n": -(2**63) - 1}), "64 bits"),
        (point(fields={"s": "x" * (MAX_STRING_BYTES + 1)}), "longer"),
        (point(fields={"s": "é" * (MAX_STRING_BYTES // 2 + 1)}), "longer"),
        (point(tags={"t": "x" * MAX_SERIES_BYTES}), "longer"),
        (point(fields={"o": object()}), "no field value"),
        (point(time=2**63), "1677"),
        (point(time=-(2**63) // 1000 - 1), "1677"),
    ],
)
def test_what_the_protocol_cannot_carry_is_refused(bad, reason):
    with pytest.raises(LineError, match=reason):
        encode(bad)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# m value=1.0 0",
        " m value=1.0 0",
        "m",
        "m value=1.0",
        "m value=1.0 noon",
        "m value= 0",
        "m value 0",
        "m =1.0 0",
        "m,tag value=1.0 0",
        "m,=x value=1.0 0",
        "m,tag= value=1.0 0",
        "m,tag=a=b value=1.0 0",
        "m value=1.0, 0",
        "m value=yes 0",
        "m value=nan 0",
        "m value=9223372036854775808i 0",
        "m value=-1u 0",
        'm value="open 0',
        'm value="x"y 0',
        "m a b=1.0 0",
    ],
)
def test_what_is_no_line_is_refused(line):
    with pytest.raises(LineError):
        decode(line)


# ------------------------------------------------------------------------------------------------ round trips
_AWKWARD = ", =\"\\#\t\r\x00éß漢😀-/{}'[]"
_names = (
    st.text(st.sampled_from(_AWKWARD + string.ascii_letters), min_size=1, max_size=12)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n"), min_size=1, max_size=12)
).filter(lambda name: name != "time")
_values = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
    | st.text(st.sampled_from(_AWKWARD + "\n"), max_size=12)
)
_points = st.builds(
    Point,
    _names,
    st.dictionaries(_names, _names, max_size=5),
    st.dictionaries(_names, _values, min_size=1, max_size=5),
    st.integers(-(2**62) // 1000, 2**62 // 1000),
)


def typed(fields):
    return {name: (type(value), value) for name, value in fields.items()}


@settings(max_examples=1000, deadline=None)
@given(_points)
def test_a_point_comes_back_as_it_went(original):
    returned = decode(encode(original))
    assert returned == original
    assert typed(returned.fields) == typed(original.fields)


def _random_name(rng):
    letters = _AWKWARD if rng.random() < 0.5 else string.ascii_lowercase
    name = "".join(rng.choices(letters, k=rng.randint(1, 8)))
    return name if name != "time" else "times"


def _random_value(rng):
    return rng.choice(
        (
            lambda: rng.uniform(-1e9, 1e9),
            lambda: rng.random() * 10.0 ** rng.randint(-300, 300),
            lambda: float(rng.randint(-1000, 1000)),
            lambda: rng.randint(-(2**63), 2**63 - 1),
            lambda: rng.random() < 0.5,
            lambda: "".join(rng.choices(_AWKWARD + "\n", k=rng.randint(0, 10))),
        )
    )()


def _random_point(rng):
    return Point(
        _random_name(rng),
        {_random_name(rng): _random_name(rng) for _ in range(rng.randint(0, 4))},
        {_random_name(rng): _random_value(rng) for _ in range(rng.randint(1, 4))},
        rng.randint(-(2**62) // 1000, 2**62 // 1000),
    )


def test_a_hundred_thousand_points_come_back():
    rng = random.Random(20261121)
    for _ in range(100_000):
        original = _random_point(rng)
        returned = decode(encode(original))
        assert returned == original
        assert typed(returned.fields) == typed(original.fields)


# ------------------------------------------------------------------------------------------------ blocks
_columns = st.integers(1, 6).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(-(2**60), 2**60).map(lambda t: t // 1000), min_size=size, max_size=size),
        st.dictionaries(
            _names,
            st.lists(st.floats(), min_size=size, max_size=size).map(lambda v: np.array(v, np.float64))
            | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=size, max_size=size).map(
                lambda v: np.array(v, np.int64)
            )
            | st.lists(st.none() | st.text(st.sampled_from(_AWKWARD), max_size=5), min_size=size, max_size=size),
            min_size=1,
            max_size=3,
        ),
    )
)


@settings(max_examples=500, deadline=None)
@given(_names, st.dictionaries(_names, _names, max_size=3), _columns, st.booleans())
def test_a_block_says_what_its_points_say(measurement, tags, columns, constant):
    times, fields = columns
    constants = {"constant name": "x"} if constant else {}
    block = PointBlock(measurement, tags, np.array(times, np.int64), fields, constants)
    assert encode_block(block) == [encode(each) for each in block.points()]


def test_a_block_is_cut_by_place():
    block = PointBlock("m", {}, np.arange(5), {"a": np.arange(5.0), "t": ["v", "w", "x", "y", "z"]})
    assert [each.fields for each in block.cut(1, 3).points()] == [{"a": 1.0, "t": "w"}, {"a": 2.0, "t": "x"}]
    assert encode_block(block.cut(2, 2)) == []


def test_a_block_beyond_the_years_a_server_holds_is_refused():
    with pytest.raises(LineError, match="1677"):
        encode_block(PointBlock("m", {}, np.array([0, 2**62]), {"a": np.zeros(2)}))


def test_encoding_is_fast_enough_for_a_home():
    """A tenth of what the bench asks, so that a busy machine does not fail it."""
    tags = {"entity_id": "sensor.kitchen_power", "domain": "sensor", "device_class": "power", "area_id": "kitchen"}
    points = [point("home_assistant_events", tags, {"value": i / 7}, NOON + i) for i in range(20_000)]
    began = time.process_time()
    for each in points:
        encode(each)
    assert len(points) / (time.process_time() - began) > 20_000


@pytest.mark.parametrize(
    ("line", "measurement", "tags", "spoken_of"),
    [
        ("events,domain=sensor,entity_id=sensor.a value=1.0 5", "events", {"entity_id": "sensor.a"}, True),
        ("events,domain=sensor,entity_id=sensor.a_2 value=1.0 5", "events", {"entity_id": "sensor.a"}, False),
        ('events,entity_id=sensor.b state=",entity_id=sensor.a " 5', "events", {"entity_id": "sensor.a"}, False),
        ("other,entity_id=sensor.a value=1.0 5", "events", {"entity_id": "sensor.a"}, False),
        ("air,location=My\\ Home\\,\\ up,parameter=CO aqi=1.0 5", "air", {"location": "My Home, up"}, True),
        ("air,location=My\\ Home,parameter=CO aqi=1.0 5", "air", {"location": "My Home", "parameter": "O3"}, False),
        ("events,domain=sensor,entity_i", "events", {"entity_id": "sensor.a"}, True),
    ],
)
def test_whose_line_it_is(line: str, measurement: str, tags: dict[str, str], spoken_of: bool) -> None:
    assert speaks_of(line, measurement, tags) is spoken_of
