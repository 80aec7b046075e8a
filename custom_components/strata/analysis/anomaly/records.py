"""Records at several scales: the value itself, its jumps, its means and its extremes."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..base import AnomalyKind
from .channel import Channel, Family, Field, Measured, rolling_max, rolling_mean, rolling_min
from .grid import Floats

_JUMP_SAMPLES = 5

EXT_HI = Channel("ext_hi", Family.EXTREME, AnomalyKind.SPIKE, "value", 0.05, handicap=1.5)
EXT_LO = Channel("ext_lo", Family.EXTREME, AnomalyKind.SPIKE, "value", 0.05, sign=-1, handicap=4.0)
JUMP = Channel("jump", Family.EXTREME, AnomalyKind.SPIKE, "jump", 0.05, handicap=0.5)
M6_HI = Channel("m6_hi", Family.LEVEL, AnomalyKind.LEVEL_SHIFT, "6-h mean", 0.03, handicap=1.5)
M6_LO = Channel("m6_lo", Family.LEVEL, AnomalyKind.LEVEL_SHIFT, "6-h mean", 0.03, sign=-1, handicap=3.0)
M24_HI = Channel("m24_hi", Family.LEVEL, AnomalyKind.LEVEL_SHIFT, "24-h mean", 0.02, handicap=0.5)
M24_LO = Channel("m24_lo", Family.LEVEL, AnomalyKind.LEVEL_SHIFT, "24-h mean", 0.02, sign=-1, handicap=2.0)
DRIFT_HI = Channel("drift_hi", Family.LEVEL, AnomalyKind.DRIFT, "24-h mean", 0.03, handicap=0.5, lag=7)
DRIFT_LO = Channel("drift_lo", Family.LEVEL, AnomalyKind.DRIFT, "24-h mean", 0.03, handicap=0.0, lag=7, sign=-1)
DRIFT_BASE = Channel("drift_base", Family.LEVEL, AnomalyKind.DRIFT, "24-h minimum", 0.03, handicap=0.0, lag=7)
BASE = Channel("base", Family.LEVEL, AnomalyKind.BASE_LOAD, "3-h minimum", 0.1, handicap=3.0)
BASE24 = Channel("base24", Family.LEVEL, AnomalyKind.BASE_LOAD, "24-h minimum", 0.02, handicap=0.5)
CEIL = Channel("ceil", Family.LEVEL, AnomalyKind.MISSING_PATTERN, "24-h maximum", 0.1, sign=-1, handicap=4.0)


def measure(field: Field) -> list[Measured]:
    """Return the record channels of a series."""
    grid, flat = field.grid, field.flat
    m6, m24 = rolling_mean(flat, grid.cells(6)), rolling_mean(flat, grid.cells(24))
    base24 = rolling_min(flat, grid.cells(24))
    rows = {
        EXT_HI: flat,
        EXT_LO: -flat,
        JUMP: _jump(flat),
        M6_HI: m6,
        M6_LO: -m6,
        M24_HI: m24,
        M24_LO: -m24,
        DRIFT_HI: m24,
        DRIFT_LO: -m24,
        DRIFT_BASE: base24,
        BASE: rolling_min(flat, grid.cells(3)),
        BASE24: base24,
        CEIL: -rolling_max(flat, grid.cells(24)),
    }
    return [Measured(channel, numbers.reshape(field.shape)) for channel, numbers in rows.items()]


def _jump(flat: Floats) -> Floats:
    """Return how far each value is from the median of the five before it; all of them have to be known."""
    before = np.full(len(flat), np.nan)
    if len(flat) > _JUMP_SAMPLES:
        windows = np.sort(sliding_window_view(flat[:-1], _JUMP_SAMPLES), axis=-1)
        known = ~np.isnan(windows[:, -1])  # NaN sorts last.
        before[_JUMP_SAMPLES:] = np.where(known, windows[:, _JUMP_SAMPLES // 2], np.nan)
    jump: Floats = np.abs(flat - before)
    return jump
