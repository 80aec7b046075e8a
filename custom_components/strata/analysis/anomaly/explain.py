"""What an episode is, in words: its likely kind and the evidence of each channel."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..base import AnomalyKind, Evidence
from .channel import Channel, Field, Measured
from .episodes import Draft, Peak
from .grid import HISTORY_DAYS

_SPECIFIC: Sequence[AnomalyKind] = (
    AnomalyKind.UNAVAILABLE,
    AnomalyKind.FLAT,
    AnomalyKind.STUCK,
    AnomalyKind.SILENCE,
    AnomalyKind.BURST,
    AnomalyKind.BASE_LOAD,
    AnomalyKind.LEVEL_SHIFT,
    AnomalyKind.MISSING_PATTERN,
    AnomalyKind.SPIKE,
    AnomalyKind.VARIABILITY,
)
"""Where channels of several kinds speak, the first of these names the episode."""
_WEIGHT = 0.6
"""A channel may name the episode if its score is at least this share of the highest one."""
_EXPECTED_LOW, _EXPECTED_HIGH = 0.05, 0.95
_GRADUAL_DAYS = 3
_SAID = ("longest", "strongest", "most", "fewest")
"""Labels that begin with one of these say themselves which end is meant."""


def kind_of(draft: Draft, channels: Mapping[str, Channel]) -> AnomalyKind:
    """Return what the episode most likely is."""
    best = draft.best[1].score
    kinds = {
        channels[name].kind
        for name, peak in draft.peaks.items()
        if name in channels and peak.opens and peak.score >= _WEIGHT * best
    }
    extreme = draft.peaks.get("ext_hi")
    if extreme is not None and extreme.opens and AnomalyKind.LEVEL_SHIFT in kinds:
        kinds.discard(AnomalyKind.BASE_LOAD)  # Its peaks have risen as well: all of it has.
    return next((kind for kind in _SPECIFIC if kind in kinds), channels[draft.best[0]].kind)


def is_gradual(field: Field, day: int) -> bool:
    """Tell whether the level has been moving one way, day by day, before `day`: a drift, not a step."""
    first = day - _GRADUAL_DAYS
    if first < 1:
        return False
    known = field.grid.values[first - 1 : day + 1]
    if np.isnan(known).all(axis=1).any():
        return False
    means = np.nanmean(known, axis=1)[:-1]
    steps = np.diff(means)
    total = abs(means[-1] - means[0])
    one_way = bool((steps > 0).all() or (steps < 0).all())
    return one_way and total > 0 and float(np.abs(steps).max()) < 0.75 * total


def evidence_of(measured: Measured, field: Field, peak: Peak, day: int, unit: str) -> Evidence:
    """Return what a channel showed at its peak beside what it showed on the days before."""
    channel = measured.channel
    first = max(0, day - HISTORY_DAYS)
    shown = measured.numbers if measured.shown is None else measured.shown
    before = shown[first:day][field.compared[day][HISTORY_DAYS - (day - first) :]].reshape(-1)
    known = before[~np.isnan(before)]
    cell = (day, int(np.searchsorted(field.grid.times, peak.time, "right") - 1) % field.grid.per_day)
    number = float(shown[cell])
    low = high = number
    if len(known):
        known.sort()
        last = len(known) - 1
        low, high = known[[round(_EXPECTED_LOW * last), round(_EXPECTED_HIGH * last)]]
    return Evidence(
        channel=channel.name,
        family=channel.family,
        label=f"{channel.most} {channel.label}" if channel.most else channel.label,
        value=channel.shown(number),
        expected_low=min(channel.shown(low), channel.shown(high)),
        expected_high=max(channel.shown(low), channel.shown(high)),
        unit=unit if channel.unit is None else channel.unit,
        score=float(peak.score),
        days=int(field.compared[day].sum()),
        time=peak.time,
    )


def text_of(evidence: Evidence) -> str:
    """Return the evidence as a sentence, such as "highest 24-h mean in 28 days, expected 180–220 W, is 410 W"."""
    rise = evidence.value > evidence.expected_high
    fall = evidence.value < evidence.expected_low
    side = "highest " if rise else "lowest " if fall else "most unusual "
    if evidence.label.startswith(_SAID):
        side = ""
    unit = f" {evidence.unit}" if evidence.unit else ""
    low, high = _short(evidence.expected_low), _short(evidence.expected_high)
    expected = low if low == high else f"{low}–{high}"
    found = f"{_short(evidence.value)}{unit}"
    return f"{side}{evidence.label} in {evidence.days} days, expected {expected}{unit}, is {found}"


def _short(value: float) -> str:
    """Return a number with three digits that count, without an exponent."""
    if value == 0 or not np.isfinite(value):
        return "0"
    digits = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    shown = f"{value:.{min(digits, 6)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
