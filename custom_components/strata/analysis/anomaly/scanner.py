"""One scan of one series: channels, their surprise, the threshold, the policy, the explanation.

>>> minute = 60_000_000
>>> times = [i * 5 * minute for i in range(288 * 20)]
>>> watts = [100.0 + (i * 7919 % 31) for i in range(288 * 20)]
>>> watts[-20:] = [900.0] * 20
>>> result = scan(times, watts, unit="W")
>>> [(episode.kind.value, episode.open) for episode in result.episodes]
[('spike', True)]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.model import Micros
from ..base import AnomalyKind, Episode
from . import counts, levels, records, runs
from .channel import Channel, Field, Measure, Measured
from .episodes import Cell, Draft, Peak, fold
from .explain import evidence_of, is_gradual, kind_of, text_of
from .field import make_field
from .grid import STEPS, Bools, Floats, Grid, Ints, clean, lay_out
from .prepare import Prepare, as_they_are, increases, occurrences, switched_on
from .state import State
from .surprise import Surprise, surprise
from .thresholds import ALIVE, LEARNING_DAYS, SENSITIVITIES, opening


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of series is read: made ready, laid out, and by which channel families."""

    families: Sequence[Measure]
    prepare: Prepare
    summed: bool = False
    """A cell holds the sum of its readings, and lasts an hour."""


_LEVELS: Sequence[Measure] = (records.measure, levels.measure, runs.measure)
KINDS: Mapping[str, Kind] = {
    "numeric": Kind(_LEVELS, as_they_are),
    "meter": Kind(_LEVELS, increases),
    "event": Kind((counts.measure,), occurrences, summed=True),
    "on_off": Kind((counts.measure,), switched_on, summed=True),
}
"""What `kind` may be."""
_SAME_AS_NORMAL = 0.1
"""A number counts as normal up to this share (of the range, or of itself) above what was marked as normal."""
_MOST_EVIDENCE = 6


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found.

    `status` is `no_data`, `learning` (fewer than 7 days known) or `watching`. `alerts` are the
    (episode key, instant) of this scan's newly judged time at which somebody should be told.
    `times` and `scores` are the cells of this scan and the highest score of any channel in each.
    """

    status: str
    days: int
    """Whole earlier days that the newest day was compared with, at most 28."""
    episodes: tuple[Episode, ...]
    alerts: tuple[tuple[str, Micros], ...]
    state: dict[str, Any]
    times: Ints
    scores: Floats


def scan(
    times: ArrayLike,
    values: ArrayLike,
    *,
    sensitivity: str = "medium",
    kind: str = "numeric",
    timezone: str = "UTC",
    unit: str = "",
    until: Micros | None = None,
    state: Mapping[str, Any] | None = None,
) -> Scan:
    """Return what is unusual in a series, each instant judged by what came before it only.

    Args:
        times: microseconds since the epoch, UTC: starts of 5-minute (or 15-minute, or hourly) buckets. The order does
            not matter.
        values: their means; NaN, None and infinite ones are unknown. A value does not hold beyond its bucket.
        sensitivity: `low`, `medium` or `high`.
        kind: `numeric` for levels; `meter` for registers that grow; `event` for how many events each row had (1 for
            rows of single events; then all time from the first row on counts as watched); `on_off` for states, of
            which being switched on is the event.
        timezone: IANA name of the home's, in which days begin and habits repeat.
        unit: shown in explanations.
        until: the instant up to which missing readings count as missing; None: the last reading.
        state: `Scan.state` of the last scan of this series, from anywhere JSON is kept. Time judged
            before is not judged again; the window of readings should reach 35 days further back.

    Raises:
        ValueError: no such sensitivity, kind or time zone, or times and values of different lengths.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    if sensitivity not in SENSITIVITIES:
        raise ValueError(f"sensitivity is one of {', '.join(SENSITIVITIES)}, not {sensitivity!r}")
    past = State.from_json(state)
    how = KINDS[kind]
    at, what = how.prepare(*clean(times, values), until)
    if not len(at) or np.isnan(what).all():
        nothing = np.empty(0)
        return Scan("no_data", 0, past.episodes, (), past.as_json(), nothing.astype(np.int64), nothing)
    with np.errstate(all="ignore"):
        step = STEPS[-1] if how.summed else None
        grid = lay_out(at, what, timezone=timezone, until=until, step=step, summed=how.summed)
        judged = _judge(make_field(grid), how.families, sensitivity, past)
        return _conclude(judged, past, unit)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Numbers, scores and thresholds of every channel and cell."""

    field: Field
    measured: Sequence[Measured]
    surprise: Surprise
    score: Floats
    opens: Bools
    alive: Bools

    @property
    def grid(self) -> Grid:
        return self.field.grid

    @property
    def channels(self) -> dict[str, Channel]:
        return {m.channel.name: m.channel for m in self.measured}


def _judge(field: Field, families: Sequence[Measure], sensitivity: str, past: State) -> _Judged:
    measured = [m for measure in families for m in measure(field)]
    seen = surprise(measured, field)
    score = seen.score
    _forgive(score, measured, field, past)
    early = np.array([m.channel.while_learning for m in measured])
    late = np.array([m.channel.full_only for m in measured])
    needed = opening(field.known, sensitivity, early, late)
    opens = score >= needed[..., None]
    alive = (score >= ALIVE) & np.isfinite(needed)[..., None]
    return _Judged(field, measured, seen, score, opens, alive)


def _forgive(score: Floats, measured: Sequence[Measured], field: Field, past: State) -> None:
    """Take the surprise from what is not larger than something the user marked as normal."""
    for index, m in enumerate(measured):
        levels = [e.levels[m.channel.name] for e in past.episodes if e.normal and m.channel.name in e.levels]
        if not levels or (past.draft is not None and past.draft.normal and past.draft.end is None):
            continue
        level = max(levels)
        margin = _SAME_AS_NORMAL * (field.span[:, None] if m.channel.in_range else abs(level))
        score[index][m.numbers <= level + margin] = 0.0


def _conclude(judged: _Judged, past: State, unit: str) -> Scan:
    grid = judged.grid
    seen = grid.seen
    until = max(int(grid.times[seen - 1]) + grid.step, past.judged_until)
    first = int(np.searchsorted(grid.times[:seen], past.judged_until, "left"))
    drafts = fold(past.draft, _cells(judged, first), until, judged.channels)
    new = [_episode(judged, draft, past, unit) for draft in drafts]
    after = past.with_episodes(new, drafts[-1] if drafts else None, until)
    days = int(judged.field.known[-1])
    return Scan(
        "learning" if days < LEARNING_DAYS else "watching",
        days,
        after.episodes,
        tuple((str(d.start), alert) for d in drafts for alert in d.alerts if alert >= past.judged_until),
        after.as_json(),
        grid.times[:seen],
        judged.score.max(axis=0).reshape(-1)[:seen],
    )


def _cells(judged: _Judged, first: int) -> list[Cell]:
    """Return the cells from `first` on in which a channel is alive."""
    grid, count = judged.grid, len(judged.measured)
    score, opens = judged.score.reshape(count, -1), judged.opens.reshape(count, -1)
    alive = judged.alive.reshape(count, -1)
    cells = []
    for cell in first + np.flatnonzero(alive[:, first : grid.seen].any(axis=0)):
        day, start = cell // grid.per_day, int(grid.times[cell])
        peaks = {}
        for index in np.flatnonzero(alive[:, cell]):
            number = float(judged.measured[index].numbers[day, cell % grid.per_day])
            excess = number - float(judged.surprise.usual[index, day])
            name = judged.measured[index].channel.name
            peaks[name] = Peak(start, float(score[index, cell]), bool(opens[index, cell]), number, excess)
        cells.append(Cell(start, start + grid.step, peaks))
    return cells


def _episode(judged: _Judged, draft: Draft, past: State, unit: str) -> Episode:
    """Return a draft with its explanation; what was explained before stays as it was."""
    grid, channels = judged.grid, judged.channels
    before = next((e for e in past.episodes if e.key == str(draft.start)), None)
    known = {} if before is None else {(e.channel, e.time): e for e in before.evidence}
    by_name = {m.channel.name: m for m in judged.measured}
    strongest = sorted(draft.peaks.items(), key=lambda item: (-item[1].opens, -item[1].score))[:_MOST_EVIDENCE]
    evidence = []
    for name, peak in strongest:
        day = int(np.searchsorted(grid.times, peak.time, "right") - 1) // grid.per_day
        if (name, peak.time) in known:
            evidence.append(known[name, peak.time])
        elif name in by_name and day >= 0:
            evidence.append(evidence_of(by_name[name], judged.field, peak, day, unit))
    best_name, best = draft.best
    kind = kind_of(draft, channels) if best_name in channels else AnomalyKind.SPIKE
    day = int(np.searchsorted(grid.times, draft.start, "right") - 1) // grid.per_day
    if kind is AnomalyKind.LEVEL_SHIFT and day >= 0 and is_gradual(judged.field, day):
        kind = AnomalyKind.DRIFT
    if before is not None and (before.kind is AnomalyKind.DRIFT or best_name not in channels):
        kind = before.kind
    named = next((e for e in evidence if channels[e.channel].kind is kind), evidence[0])
    episode = Episode(
        start=draft.start,
        end=draft.end,
        peak=best.time,
        score=best.score,
        severity=draft.severity(channels),
        kind=kind,
        text=text_of(named),
        evidence=tuple(evidence),
        alerts=tuple(draft.alerts),
        normal=draft.normal,
        levels={name: peak.number for name, peak in draft.peaks.items()},
    )
    return episode if before is None else replace(episode, normal=before.normal or draft.normal)
