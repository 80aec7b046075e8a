"""Roll-ups as they are told: the named fields of hours and days, for answers of actions and APIs and for mirrors.

Averages are time-weighted. Energy is in kWh: the integral of a power, or the increase of an energy meter.
"""

from collections.abc import Callable, Mapping, Sequence
import math

import numpy as np
from numpy.typing import NDArray

from ..core.model import MICROS_PER_SECOND, Kind, from_micros
from ..core.rollup import NO_STATE, Column, Rollup
from ..core.units import UnitError, convert
from .tiers import DAILY

type Texts = Callable[[set[int]], Mapping[int, str]]
"""Gives the texts of codes in raw rows and text roll-ups."""
type Answer = dict[str, object]

NO_TEXTS = frozenset({0, NO_STATE})
"""Codes that no text has: none in raw rows, and none in roll-ups."""
NUMBERS = ("avg_value", "min_value", "max_value")
"""Fields every answer has, None where a kind has no such thing."""


def count_field(tier: str) -> str:
    """Return what the number of samples is called in a tier."""
    return "total_samples" if tier == DAILY else "sample_count"


def energy_field(tier: str) -> str:
    """Return what the energy in kWh is called in a tier."""
    return "daily_energy" if tier == DAILY else "total_energy"


def energy_kwh(rollup: Rollup, unit: str | None) -> NDArray[np.float64] | None:
    """Return kWh per bucket: of a power its integral over time, of an energy meter its increase; None for others."""
    if unit is None:
        return None
    try:
        if rollup.kind is Kind.METER:
            return np.multiply(rollup.columns["increase"], convert(1.0, unit, "kWh"))
        if rollup.kind is Kind.MEASUREMENT:
            return np.multiply(rollup.columns["integral"], convert(1.0, unit, "kW") / 3600)
    except UnitError:
        return None
    return None


def fields(rollup: Rollup, tier: str, unit: str | None) -> dict[str, Column]:
    """Return a roll-up's numeric fields by name; what a kind does not have is not in it."""
    found: dict[str, Column] = {
        count_field(tier): rollup.columns["n"],
        "covered_seconds": rollup.covered_seconds,
        **_FIELDS[rollup.kind](rollup),
    }
    if (energy := energy_kwh(rollup, unit)) is not None:
        found[energy_field(tier)] = energy
    return found


def state_codes(column: Column) -> NDArray[np.int64]:
    """Return text codes with 0 for none."""
    return np.where(column == NO_STATE, 0, column).astype(np.int64)


def answers(rollup: Rollup, tier: str, unit: str | None, texts: Texts) -> list[Answer]:
    """Return one mapping per bucket, ready for JSON.

    Each has `start` and `end` (ISO 8601, UTC), `avg_value`, `min_value`, `max_value`, the number of samples
    (`sample_count`, of days `total_samples`), the energy in kWh (`total_energy`, of days `daily_energy`),
    `first_value`, `last_value` and `covered_seconds`; on/off and text also `transitions` and `state_seconds` by
    state. What a kind does not have is None.
    """
    if not len(rollup):
        return []
    columns: dict[str, Sequence[object]] = {
        "start": [from_micros(start).isoformat() for start in rollup.starts.tolist()],
        "end": [from_micros(end).isoformat() for end in rollup.ends.tolist()],
    }
    nothing = [None] * len(rollup)
    numeric = fields(rollup, tier, unit)
    columns |= dict.fromkeys((*NUMBERS, count_field(tier), energy_field(tier), "first_value", "last_value"), nothing)
    columns |= {name: _plain(column) for name, column in numeric.items()}
    if rollup.kind is Kind.TEXT:
        columns |= _in_words(rollup, texts)
    elif rollup.kind is Kind.ON_OFF:
        on, covered = rollup.columns["on"] / MICROS_PER_SECOND, rollup.covered_seconds
        columns["min_value"], columns["max_value"] = _extremes(rollup)
        spent = zip(on.tolist(), (covered - on).tolist(), strict=True)
        columns["state_seconds"] = [{"on": seconds, "off": rest} for seconds, rest in spent]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _in_words(rollup: Rollup, texts: Texts) -> dict[str, Sequence[object]]:
    ends = {f"{end}_value": state_codes(rollup.columns[end]).tolist() for end in ("first", "last")}
    spent = rollup.states
    met = spent.code.tolist()
    words = texts({*met, *ends["first_value"], *ends["last_value"]} - NO_TEXTS)
    seconds: list[dict[str, float]] = [{} for _ in range(len(rollup))]
    for bucket, code, micros in zip(spent.bucket.tolist(), met, spent.micros.tolist(), strict=True):
        word = words.get(code, "")
        seconds[bucket][word] = seconds[bucket].get(word, 0.0) + micros / MICROS_PER_SECOND
    told: dict[str, Sequence[object]] = {name: [words.get(code) for code in codes] for name, codes in ends.items()}
    return {**told, "state_seconds": seconds}


def _plain(column: Column) -> list[object]:
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in column.tolist()]


def _measurement(rollup: Rollup) -> dict[str, Column]:
    columns = rollup.columns
    return {
        "avg_value": rollup.mean,
        "min_value": columns["min"],
        "max_value": columns["max"],
        "first_value": columns["first"],
        "last_value": columns["last"],
    }


def _meter(rollup: Rollup) -> dict[str, Column]:
    columns = rollup.columns
    return {
        "increase": columns["increase"],
        "resets": columns["resets"],
        "first_value": columns["first"],
        "last_value": columns["last"],
    }


def _extremes(rollup: Rollup) -> tuple[list[object], list[object]]:
    """Return the lowest and the highest of 0 and 1 that an on/off was in each bucket."""
    on, covered = rollup.columns["on"], rollup.columns["covered"]
    lowest = np.where(covered > 0, (on >= covered).astype(np.float64), np.nan)
    highest = np.where(covered > 0, (on > 0).astype(np.float64), np.nan)
    return _plain(lowest), _plain(highest)


def _on_off(rollup: Rollup) -> dict[str, Column]:
    columns = rollup.columns
    return {
        "avg_value": rollup.mean,
        "on_seconds": columns["on"] / MICROS_PER_SECOND,
        "transitions": columns["transitions"],
        "first_value": columns["first"],
        "last_value": columns["last"],
    }


def _text(rollup: Rollup) -> dict[str, Column]:
    return {"transitions": rollup.columns["transitions"]}


_FIELDS: Mapping[Kind, Callable[[Rollup], dict[str, Column]]] = {
    Kind.MEASUREMENT: _measurement,
    Kind.METER: _meter,
    Kind.ON_OFF: _on_off,
    Kind.TEXT: _text,
}
