"""What Strata promises of its scan, measured on the test homes."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
import os
import time

import numpy as np
from numpy.typing import NDArray

from custom_components.strata.analysis.anomaly import group, may_push, scan
from custom_components.strata.analysis.base import AnomalyKind, Episode, Severity
from scripts.benchmarks.figures import Figure, Options

from . import happenings
from .faults import EVENTS, NUMERIC, inject
from .home import TEST, Home, make_home
from .judge import FROM_DAY, WEEKS, Figures
from .ours import alarms_of
from .simulated import DAY, HOUR, MICROS

_MAY_ALERT_YOUNG = {AnomalyKind.FLAT, AnomalyKind.UNAVAILABLE}
_MONTH = 30 * DAY


@dataclass
class Measured:
    """What the homes have shown so far."""

    numeric: Figures = field(default_factory=Figures)
    events: Figures = field(default_factory=Figures)
    pushes: int = 0
    """Told of at least medium findings."""
    every_push: int = 0
    """Told of findings of any severity."""
    homes: int = 0
    young_alerts: int = 0
    young_scans: int = 0

    def add(self, other: Measured) -> None:
        """Count what another process has measured."""
        self.numeric.add(other.numeric)
        self.events.add(other.events)
        self.pushes += other.pushes
        self.every_push += other.every_push
        self.homes += other.homes
        self.young_alerts += other.young_alerts
        self.young_scans += other.young_scans


def promises(options: Options) -> Iterator[Figure]:
    """Measure the test homes; with `quick`, three of them."""
    seeds = list(TEST)[:3] if options.quick else list(TEST)
    total = Measured()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(measure_home, seeds):
            total.add(part)
    yield from figures(total)


def figures(total: Measured) -> Iterator[Figure]:
    """Return what was measured beside what is promised."""
    numeric, events = total.numeric, total.events
    yield Figure("false alarms, numeric", numeric.per_week, "/entity-wk", 0.12)
    yield Figure("false alarms, events", events.per_week, "/entity-wk", 0.25)
    weeks = total.homes * WEEKS
    yield Figure("notifications from medium on, 25 entities", total.pushes / weeks, "/home-week", 2.0)
    yield Figure("notifications of any severity, 25 entities", total.every_push / weeks, "/home-week")
    yield Figure("recall of clear faults, numeric", numeric.recall, "", 0.80, at_least=True)
    yield Figure("F1, numeric", numeric.f1, "", 0.75, at_least=True)
    yield Figure("recall of clear faults, events", events.recall, "", 0.80, at_least=True)
    for kind, bar in (("flatline", 0.95), ("drift", 0.90), ("level", 0.75)):
        fault = next(f for f in NUMERIC if f.kind == kind)
        clear = [size for size in fault.sizes if size >= fault.clear_from]
        yield Figure(f"recall of clear {kind}", numeric.recall_of(kind, clear), "", bar, at_least=True)
    note = f"{total.young_scans} scans of homes known for five to seven days"
    yield Figure("alerts of young homes but flat, unavailable", total.young_alerts, "", 0, note=note)
    milliseconds = 1000 * np.array(numeric.seconds)
    yield Figure("processor time, 30 days of 5 min, median", float(np.median(milliseconds)), "ms", 50)
    yield Figure("processor time, 30 days of 5 min, p95", float(np.quantile(milliseconds, 0.95)), "ms")
    for part in (numeric, events):
        for (kind, size), (found, planted) in part.by_kind.items():
            yield Figure(f"recall of {kind} {size:g}", found / planted, "", note=f"{found} of {planted}")


def measure_home(seed: int) -> Measured:
    """Measure one home: as it is, with every fault in every entity that can have it, and when it was young."""
    home = make_home(seed)
    out = Measured(homes=1)
    calm = _calm(home, out)
    watched = {name: calm[name] for name in home.watched}
    out.pushes = _pushes(home, watched, Severity.MEDIUM)
    out.every_push = _pushes(home, watched, Severity.LOW)
    _numeric_faults(home, seed, out)
    _event_faults(home, seed, out)
    return out


def _scan(home: Home, values: NDArray[np.float64], kind: str, cells: slice = slice(None)) -> tuple[Episode, ...]:
    times = home.world.times[cells]
    end = int(times[-1]) + MICROS
    return scan(times, values[cells], timezone=home.world.timezone, kind=kind, until=end).episodes


def _calm(home: Home, out: Measured) -> dict[str, tuple[Episode, ...]]:
    episodes = {}
    for series in home.numeric:
        episodes[series.name] = _scan(home, series.values, "numeric")
        out.numeric.add_clean(alarms_of(episodes[series.name], home.world.times))
        began = time.process_time()
        _scan(home, series.values, "numeric", slice(-_MONTH, None))
        out.numeric.seconds.append(time.process_time() - began)
    for events in home.events:
        episodes[events.name] = _scan(home, events.counts, "event")
        out.events.add_clean(alarms_of(episodes[events.name], home.world.times))
    return episodes


def _pushes(home: Home, episodes: dict[str, tuple[Episode, ...]], least: Severity) -> int:
    """Return how often somebody is told of a calm home: once for what began together, three times a day at most."""
    known = int(home.world.times[FROM_DAY * DAY])
    pushed: list[int] = []
    for finding in group(episodes):
        until = finding.since + 3 * HOUR * MICROS
        own = [e for name in finding.subjects for e in episodes[name] if finding.since <= e.start < until]
        told: list[int] = []
        for at in sorted(alert for e in own for alert in e.alerts if alert >= known):
            if (not told or at - told[-1] >= 3 * HOUR * MICROS) and may_push(
                at, finding.severity, pushed, timezone=home.world.timezone, least=least
            ):
                told.append(at)
                pushed.append(at)
    return len(pushed)


def _numeric_faults(home: Home, seed: int, out: Measured) -> None:
    for series in home.numeric:
        number = 0
        for fault in NUMERIC:
            if not fault.befalls(series.traits):
                continue
            for size in fault.sizes:
                number += 1
                rng = np.random.default_rng([seed, number, *series.name.encode()])
                values, where = inject(series.values, fault, size, series.traits, rng)
                alarms = alarms_of(_scan(home, values, "numeric"), home.world.times)
                out.numeric.add_fault(fault.kind, size, alarms, where, clear=size >= fault.clear_from)
            young = slice(where.start - 5 * DAY, where.start + 2 * DAY)
            out.young_scans += 1
            out.young_alerts += sum(e.kind not in _MAY_ALERT_YOUNG for e in _scan(home, values, "numeric", young))


def _event_faults(home: Home, seed: int, out: Measured) -> None:
    for events in home.events:
        number = 0
        for fault in EVENTS:
            if not happenings.befalls(events, fault):
                continue
            for size in fault.sizes:
                number += 1
                rng = np.random.default_rng([seed, number, *events.name.encode()])
                counts, where = happenings.inject(home.world, events, fault, size, rng)
                alarms = alarms_of(_scan(home, counts, "event"), home.world.times)
                # An hourly count puts the beginning at the full hour.
                out.events.add_fault(fault.kind, size, alarms, where, clear=size >= fault.clear_from, slack=HOUR)
