"""Buckets of two origins as one: which of two days that both are there is kept."""

import math

import numpy as np
import pytest

from custom_components.strata.core.model import Kind
from custom_components.strata.core.rollup import Rollup
from custom_components.strata.store.words import merge_buckets

DAY = 86_400_000_000


def day(kind: Kind, *, n: int, covered: int, first: float, mark: float) -> Rollup:
    """Return one day; `mark` tells which of two it is."""
    told: dict[str, float] = {"n": n, "covered": covered, "first": first, "last": first}
    told |= {"integral": mark, "sum": 0, "min": mark, "max": mark} if kind is Kind.MEASUREMENT else {}
    told |= {"increase": mark, "resets": 0} if kind is Kind.METER else {}
    columns = {name: np.array([value], np.float64) for name, value in told.items()}
    columns |= {name: np.array([told[name]], np.int64) for name in ("n", "covered")}
    return Rollup(kind, np.array([0], np.int64), np.array([DAY], np.int64), columns)


@pytest.mark.parametrize("kind", [Kind.MEASUREMENT, Kind.METER])
@pytest.mark.parametrize(
    ("archived", "local", "kept"),
    [
        # Another system's averages cover the whole day and know no value of it.
        ((3, DAY // 2, 5.0), (0, DAY, math.nan), "archived"),
        ((0, DAY, math.nan), (3, DAY // 2, 5.0), "local"),
        # A value that held all day without changing is known, though nothing was counted.
        ((0, DAY, 5.0), (1, DAY // 24, 7.0), "archived"),
        ((0, DAY, 5.0), (0, DAY, math.nan), "archived"),
        ((2, DAY, 5.0), (3, DAY, 5.0), "local"),
        ((4, DAY, 5.0), (3, DAY, 5.0), "archived"),
        # Where both know as much, what the store says now is the newer word.
        ((3, DAY, 5.0), (3, DAY, 6.0), "local"),
    ],
)
def test_the_day_that_knows_more_stays(
    kind: Kind, archived: tuple[int, int, float], local: tuple[int, int, float], kept: str
) -> None:
    there, here = (
        day(kind, n=n, covered=covered, first=first, mark=mark)
        for (n, covered, first), mark in ((archived, 1.0), (local, 2.0))
    )
    merged = merge_buckets(there, here)
    mark = merged.columns["integral" if kind is Kind.MEASUREMENT else "increase"].tolist()
    assert mark == [{"archived": 1.0, "local": 2.0}[kept]]
