"""Readings laid out as a matrix of local days: one row a day, one column a time on the wall clock.

Patterns of people follow the clock on the wall, so phases are compared in it. In the night when
clocks go back, the repeated hour is passed over; in the one when they go forward, the hour that
never was is unknown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.clock import DAY, offsets
from ...core.model import MICROS_PER_SECOND, Micros

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Bools = NDArray[np.bool_]

MINUTE: Micros = 60 * MICROS_PER_SECOND
STEPS: tuple[Micros, ...] = (5 * MINUTE, 15 * MINUTE, 60 * MINUTE)
HISTORY_DAYS = 28
"""A day is compared with at most this many days before it."""
LONGEST_DAYS = 120
"""Days looked at in one scan; older readings are left out."""
_HUGE = 1e15
_EPOCH_WEEKDAY, _SATURDAY = 3, 5  # 1970-01-01 was a Thursday; Mondays are 0.


@dataclass(frozen=True, slots=True)
class Grid:
    """A series by local day and time of day.

    `values` is (days, cells a day), NaN for unknown. `times` holds the UTC start of each cell,
    `seen` the number of cells that have passed (those after it are still to come).
    """

    step: Micros
    values: Floats
    times: Ints
    weekend: Bools
    seen: int

    @property
    def days(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def per_day(self) -> int:
        """Cells in a day of 24 hours."""
        return int(DAY // self.step)

    def cells(self, hours: float) -> int:
        """Return how many cells make up a time, at least one."""
        return max(1, round(hours * 60 * MINUTE / self.step))


def clean(times: ArrayLike, values: ArrayLike) -> tuple[Ints, Floats]:
    """Return the readings in the order of time; what is not finite, or absurdly large, becomes NaN.

    Raises:
        ValueError: they are not two lists of numbers of one length.
    """
    at = np.atleast_1d(np.asarray(times)).astype(np.int64)
    what = np.array(values, np.float64, ndmin=1)
    if at.ndim != 1 or at.shape != what.shape:
        raise ValueError(f"times and values must be lists of one length, not {at.shape} and {what.shape}")
    order = np.argsort(at, kind="stable")
    at, what = at[order], what[order]
    what[~(np.abs(what) < _HUGE)] = np.nan
    return at, what


def usual_step(times: Ints) -> Micros:
    """Return the cell length that suits readings at these times: the finest that their usual distance fills."""
    if len(times) < 2:
        return STEPS[0]
    usual = float(np.median(np.diff(times)))
    return next((step for step in STEPS if usual <= 1.5 * step), STEPS[-1])


def lay_out(
    times: Ints,
    values: Floats,
    *,
    timezone: str,
    until: Micros | None = None,
    step: Micros | None = None,
    summed: bool = False,
) -> Grid:
    """Return ascending readings as a grid; a cell holds the mean of its readings, or their sum where `summed`.

    Args:
        times: microseconds UTC, ascending.
        values: NaN for unknown.
        timezone: IANA name of the home's.
        until: the instant up to which silence counts; None: the end of the last reading's cell.
        step: length of a cell; None: what suits the readings.
        summed: cells hold sums.

    Raises:
        ValueError: the time zone is unknown, or there is no reading.
    """
    if not len(times):
        raise ValueError("there is no reading")
    step = usual_step(times) if step is None else step
    end = max(int(times[-1]) + 1, until or 0)
    spells = np.array(offsets(timezone, int(times[0]) - DAY, end + DAY), np.int64)
    changes, ahead = spells[:, 0], spells[:, 1]
    spell = np.searchsorted(changes, times, "right") - 1
    local = times + ahead[spell]
    local_end = end + int(ahead[np.searchsorted(changes, end, "right") - 1])
    last_day = int((max(local_end, int(local[-1]) + 1) - 1) // DAY)
    first_day = max(int(local[0] // DAY), last_day - LONGEST_DAYS + 1)
    per_day = int(DAY // step)
    size = (last_day - first_day + 1) * per_day
    cell = (local - first_day * DAY) // step
    repeated = (spell > 0) & (local < changes[spell] + ahead[np.maximum(spell - 1, 0)])
    first_pass = ~repeated & (cell >= 0) & ~np.isnan(values)
    cell = cell[first_pass]
    count = np.bincount(cell, minlength=size)
    total = np.bincount(cell, weights=values[first_pass], minlength=size)
    held = np.divide(total, 1 if summed else count, out=np.full(size, np.nan), where=count > 0)
    on_wall = first_day * DAY + np.arange(size, dtype=np.int64) * step
    borders = changes[1:] + ahead[:-1]
    utc = np.maximum.accumulate(on_wall - ahead[np.searchsorted(borders, on_wall, "right")])
    days = np.arange(first_day, last_day + 1)
    seen = min(size, int(-(-(local_end - first_day * DAY) // step)))
    return Grid(step, held.reshape(-1, per_day), utc, (days + _EPOCH_WEEKDAY) % 7 >= _SATURDAY, seen)
