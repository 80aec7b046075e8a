"""Windows against trying every minute, on 10,000 random cases, and how long 7 days of five-minute slots take.

The cases have slots of mixed lengths, holes, equal and negative values, bounds, several windows, and nights on which
the clock changes; each is asked for one stretch and for loose slots.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import isclose
import random
from time import process_time
from zoneinfo import ZoneInfo

from custom_components.strata.core.model import Slot
from custom_components.strata.core.window import Phase, Window, find_profile_windows, find_windows
from scripts.benchmarks.figures import Figure, Options, percentile
from tests.naive_windows import MINUTE, Case, cases, found, loose, minutes_of, stretches

CASES = 10_000
LIMIT_MS = 10.0
_DISHWASHER = [
    Phase(timedelta(minutes=minutes), watts)
    for minutes, watts in ((10, 60), (25, 2100), (35, 90), (15, 2100), (5, 0), (20, 300))
]


def measure(options: Options) -> Iterator[Figure]:
    """Compare, then measure processor time: other work on the machine does not count."""
    number = CASES // 10 if options.quick else CASES
    unlike = sum(not _alike(case) for case in cases(2026, number))
    yield Figure("cases unlike brute force", unlike, "", 0, note=f"of {number}, one stretch and loose")
    slots = _week()
    for name, work in (
        ("7 days of 5 min: one stretch", lambda: find_windows(slots, 97 * MINUTE)),
        ("7 days of 5 min: loose", lambda: find_windows(slots, 97 * MINUTE, contiguous=False)),
        ("7 days of 5 min: 3 windows", lambda: find_windows(slots, 97 * MINUTE, count=3)),
        ("7 days of 5 min: profile of 6 phases", lambda: find_profile_windows(slots, _DISHWASHER)),
    ):
        yield Figure(name, _milliseconds(work), "ms", LIMIT_MS, note="processor time, median of 25")


def _week() -> list[Slot]:
    """Return a week in the home's own time zone, as an entity may give it."""
    chance, zone = random.Random(7), ZoneInfo("Europe/Berlin")
    start = datetime(2026, 11, 20, tzinfo=UTC)
    borders = [(start + 5 * at * MINUTE).astimezone(zone) for at in range(7 * 288 + 1)]
    return [Slot(a, b, chance.uniform(-0.05, 0.4)) for a, b in pairwise(borders)]


def _milliseconds(work: Callable[[], list[Window]]) -> float:
    work()
    spent = []
    for _ in range(25):
        began = process_time()
        work()
        spent.append(1000 * (process_time() - began))
    return percentile(spent, 0.5)


def _alike(case: Case) -> bool:
    one_stretch = [(minutes_of(case, window)[0], window.value) for window in found(case, contiguous=True)]
    pieces = [(minutes_of(case, window), window.value) for window in found(case, contiguous=False)]
    return _equal(one_stretch, stretches(case)) and _equal(pieces, loose(case))


def _equal(found: Sequence[tuple[object, float]], expected: Sequence[tuple[object, float]]) -> bool:
    return len(found) == len(expected) and all(
        place == wanted and isclose(value, mean, abs_tol=1e-6)
        for (place, value), (wanted, mean) in zip(found, expected, strict=True)
    )
