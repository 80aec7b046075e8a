"""Runs: the same value, the same state, or no reading at all, for longer than ever."""

import numpy as np

from ..base import AnomalyKind
from .channel import Channel, Family, Field, Measured, days_before
from .grid import Bools, Floats

FLAT = Channel(
    "flat",
    Family.RUN,
    AnomalyKind.FLAT,
    "time without a change",
    0.15,
    in_range=False,
    while_learning=True,
    unit="h",
    log=True,
    most="longest",
)
STUCK_ON = Channel(
    "stuck_on",
    Family.RUN,
    AnomalyKind.STUCK,
    "time on",
    0.15,
    in_range=False,
    unit="h",
    log=True,
    most="longest",
    handicap=2.0,
)
STUCK_OFF = Channel(
    "stuck_off",
    Family.RUN,
    AnomalyKind.STUCK,
    "time off",
    0.15,
    in_range=False,
    unit="h",
    log=True,
    most="longest",
    handicap=1.0,
)
UNAVAILABLE = Channel(
    "unavailable",
    Family.GAP,
    AnomalyKind.UNAVAILABLE,
    "time without a reading",
    0.15,
    in_range=False,
    while_learning=True,
    unit="h",
    log=True,
    most="longest",
)

_SHORTEST_FLAT = 9
"""Cells that may always be alike: three quarters of an hour."""
_SHORTEST_STATE_H = 3.0
_SHORTEST_GAP_H = 6.0
_BIMODAL = 0.1
"""Share of the values that may lie in the middle half between off and on, in a series that switches."""
_OFF, _ON = 0.25, 0.5
"""Places in the range below which a series is off and above which it is on."""
_RARER = 0.02
"""A state is one if at least this share of the values is in it."""


def measure(field: Field) -> list[Measured]:
    """Return the run channels of a series; their numbers are logarithms of hours."""
    grid, flat = field.grid, field.flat
    known = ~np.isnan(flat)
    same = known[1:] & known[:-1] & (flat[1:] == flat[:-1])
    on, off, switches = _states(field)
    rows = {
        FLAT: _log_hours(field, _run(np.concatenate(([False], same))), _SHORTEST_FLAT),
        STUCK_ON: np.where(switches, _log_hours(field, _run(on), grid.cells(_SHORTEST_STATE_H)), np.nan),
        STUCK_OFF: np.where(switches, _log_hours(field, _run(off), grid.cells(_SHORTEST_STATE_H)), np.nan),
        UNAVAILABLE: _log_hours(field, _run(~known), grid.cells(_SHORTEST_GAP_H)),
    }
    return [Measured(channel, numbers) for channel, numbers in rows.items()]


def _run(holds: Bools) -> Floats:
    """Return for how many cells in a row a condition has held, up to and with each cell."""
    index = np.arange(len(holds))
    last_broken = np.maximum.accumulate(np.where(holds, -1, index))
    return np.asarray(index - last_broken, np.float64)


def _log_hours(field: Field, run: Floats, least: int) -> Floats:
    """Return the logarithm of runs in hours; shorter ones than `least` cells count as that."""
    hours = np.maximum(run, least) * (field.grid.step / 3.6e9)
    return np.asarray(np.log(hours).reshape(field.shape))


def _states(field: Field) -> tuple[Bools, Bools, Bools]:
    """Return when the series is on, when it is off, and (days, 1) on which days it can be said to switch.

    Short gaps do not end a state.
    """
    values = field.grid.values
    share = _shares(field)
    between, above = share[:, 0], share[:, 1]
    switches = (between <= _BIMODAL) & (above >= _RARER) & (above <= 1 - _RARER)
    held = _held(field.flat, field.grid.cells(_SHORTEST_GAP_H / 3)).reshape(values.shape)
    place = (held - field.low[:, None]) / field.span[:, None]
    return (place > _ON).reshape(-1), (place < _OFF).reshape(-1), switches[:, None]


def _shares(field: Field) -> Floats:
    """Return, for each day, the shares of earlier values between off and on, and on: (days, 2)."""
    before = days_before(field.grid.values[:, :: max(1, field.grid.per_day // 96)])
    shares = np.full((field.grid.days, 2), np.nan)
    for day in np.flatnonzero(field.compared.any(axis=1)):
        place = (before[day][field.compared[day]] - field.low[day]) / field.span[day]
        count = max(1, int((~np.isnan(place)).sum()))
        shares[day] = ((place > _OFF) & (place <= _ON)).sum() / count, (place > _ON).sum() / count
    return shares


def _held(flat: Floats, most: int) -> Floats:
    """Return the values with gaps of up to `most` cells filled by the value before them."""
    index = np.arange(len(flat))
    last = np.maximum.accumulate(np.where(np.isnan(flat), -1, index))
    held: Floats = np.where((last >= 0) & (index - last <= most), flat[np.maximum(last, 0)], np.nan)
    return held
