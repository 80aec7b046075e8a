"""Reading decoded answers."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from custom_components.strata.sources.answer import aligned, epoch, mapping, moment, number, sequence
from custom_components.strata.sources.base import SourceBadAnswer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (-2.5, -2.5),
        ("3.5", 3.5),
        (" 4 ", 4.0),
        ("x", None),
        ("", None),
        (None, None),
        (True, None),
        ([1], None),
        (float("nan"), None),
        ("inf", None),
    ],
)
def test_number(value: object, expected: float | None) -> None:
    assert number(value) == expected


def test_epoch_is_in_seconds_or_parts_of_them() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert epoch(1795176000) == epoch("1795176000") == noon
    assert epoch(1795176000000, per_second=1000) == noon
    for wrong in (None, "x", True, 1e300, float("nan"), -1e18):
        with pytest.raises(SourceBadAnswer, match="count since 1970"):
            epoch(wrong)


def test_moment_is_utc_and_without_an_offset_of_the_zone() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert moment("2026-11-20T12:00Z") == noon
    assert moment("2026-11-20 13:00:00+01:00") == noon
    assert moment("2026-11-20T13:00:00.000", ZoneInfo("Europe/Berlin")) == noon
    assert moment(datetime(2026, 11, 20, 12, tzinfo=UTC)) == noon
    for wrong in (None, 5, "soon", ""):
        with pytest.raises(SourceBadAnswer, match="time in the answer"):
            moment(wrong)


def test_shapes_are_checked_and_named() -> None:
    assert mapping({"a": 1}, "it") == {"a": 1}
    assert sequence([1], "it") == [1]
    assert aligned([1, 2], [3, None], "it") == [(1, 3), (2, None)]
    with pytest.raises(SourceBadAnswer, match="it is not an object"):
        mapping([], "it")
    with pytest.raises(SourceBadAnswer, match="it is not a list"):
        sequence({}, "it")
    with pytest.raises(SourceBadAnswer, match="it has 1 values for 2 times"):
        aligned([1, 2], [3], "it")
