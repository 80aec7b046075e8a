"""Windows by more than one aim: price, carbon and own solar power, weighed against each other and explained.

Each aim is brought to a scale of its own: 0 at the best moment of the time that is allowed, 1 at the worst (0
everywhere when all moments are alike). The score of a moment is the weighted mean of these, and the best window is
the one whose load has the lowest mean score. So weights say how much one aim's whole range is worth in another's:
with 2 for price and 1 for carbon, half the day's range of prices is given for the day's range of carbon.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from .model import Micros, from_micros, to_micros
from .outlook import Aim, Grid, Outlook, Totals
from .window import Phase, Span, Window, draws, several
from .window_search import Course, Draw, Placed, Values, place, place_loose, place_runs

_MICROSECOND = timedelta(microseconds=1)
_MINUTE: Micros = 60_000_000


class NothingKnown(ValueError):
    """There is no forecast for an aim that counts; `aim` says which."""

    def __init__(self, aim: Aim) -> None:
        """Keep which forecast is missing."""
        super().__init__(f"there is no forecast for {aim.value}")
        self.aim = aim


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to run, when it may, and what counts."""

    profile: tuple[Phase, ...]
    """What is drawn, one phase after the other; a loose load has one phase."""
    weights: Mapping[Aim, float]
    earliest: datetime
    latest: datetime | None = None
    count: int = 1
    contiguous: bool = True
    shortest_run: timedelta | None = None
    highest: bool = False
    """Look for the worst window, such as the one to keep clear of."""
    avoid: tuple[Span, ...] = ()

    @property
    def duration(self) -> timedelta:
        """How long it runs in all."""
        return sum((phase.duration for phase in self.profile), timedelta())


@dataclass(frozen=True, slots=True)
class Term:
    """What one aim says about a window: the mean for its load, and the range over all of the allowed time."""

    aim: Aim
    weight: float
    mean: float
    best: float
    worst: float
    score: float
    """0 when the window is as good as the best moment, 1 when as bad as the worst."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A window and why: `window.value` is its score, from 0 (the best moments throughout) to 1."""

    window: Window
    totals: Totals
    currency: str | None
    terms: tuple[Term, ...]
    now: Totals | None
    """What the same load would take if it began now; None where the forecasts do not reach that far."""


def plans(outlook: Outlook, wish: Wish, now: datetime) -> list[Plan]:
    """Return the best windows for a wish, best first; none where it fits nowhere.

    Only moments count for which every aim with a weight is foreseen.

    Raises:
        NothingKnown: there is no forecast for an aim with a weight.
        ValueError: the wish makes no sense: no weights, no power, several phases for a loose load.
    """
    weights = {aim: weight for aim, weight in wish.weights.items() if weight > 0}
    if not weights or min(wish.weights.values()) < 0:
        raise ValueError("at least one aim needs a weight, and none a negative one")
    if not wish.contiguous and len(wish.profile) > 1:
        raise ValueError("a load with a profile runs in one go")
    if missing := [aim for aim in Aim if aim in weights and aim not in outlook.known]:
        raise NothingKnown(missing[0])
    load = draws(wish.profile)
    grid = Grid.of(outlook, (draw.weight for draw in load))
    load = tuple(draw._replace(row=grid.row_of(draw.weight)) for draw in load)
    scale = _Scale(grid, weights, wish)
    placed = several(scale.course.without(_micros(wish.avoid)), wish.count, lambda free: _place(free, wish, load))
    start = to_micros(now)
    at_once = grid.total([(start + draw.begin, start + draw.end, draw.weight) for draw in load])
    return [scale.plan(each, load, outlook.currency, at_once) for each in placed]


def _place(course: Course, wish: Wish, load: tuple[Draw, ...]) -> Placed | None:
    if wish.contiguous:
        return place(course, load)
    if wish.shortest_run:
        return place_runs(course, load[-1].end, wish.shortest_run // _MICROSECOND)
    return place_loose(course, load[-1].end)


class _Scale:
    """The scores of all moments that are allowed and known, and what each aim's range is there."""

    def __init__(self, grid: Grid, weights: Mapping[Aim, float], wish: Wish) -> None:
        self._grid = grid
        self._contiguous = wish.contiguous
        self._weights = weights
        self._sign = -1.0 if wish.highest else 1.0
        together = np.concatenate([grid.rows[aim] for aim in weights])
        known = ~np.isnan(together).any(axis=0)
        allowed = Course(grid.starts[known], grid.ends[known], together[:, known])
        self._allowed = allowed.between(*_bounds(wish))
        count = len(grid.watts)
        self._rows = {aim: self._allowed.values[at * count : (at + 1) * count] for at, aim in enumerate(weights)}
        self._drawing = np.array(grid.watts) > 0
        self._ranges = {aim: self._range(rows) for aim, rows in self._rows.items()}
        scores = sum(weights[aim] * self._scaled(aim, rows) for aim, rows in self._rows.items()) / sum(weights.values())
        self.course = Course(self._allowed.starts, self._allowed.ends, self._sign * np.asarray(scores))

    def _range(self, rows: Values) -> tuple[float, float]:
        drawn = rows[self._drawing]
        return (float(drawn.min()), float(drawn.max())) if drawn.size else (0.0, 0.0)

    def _scaled(self, aim: Aim, values: Values) -> Values:
        best, worst = self._ranges[aim]
        return (values - best) / (worst - best) if worst > best else np.zeros_like(values)

    def plan(self, placed: Placed, load: tuple[Draw, ...], currency: str | None, now: Totals) -> Plan:
        """Return what was found with its reasons."""
        spans = _drawn(placed, load)
        weight = sum((end - start) * watts for start, end, watts in spans)
        totals = self._grid.total(spans)
        parts = tuple((from_micros(start), from_micros(end)) for start, end in placed.spans)
        # A loose load is placed by time alone, any other by what it draws.
        amount = weight if self._contiguous else sum(end - start for start, end in placed.spans)
        window = Window(parts[0][0], parts[-1][1], self._sign * placed.cost / amount, parts)
        return Plan(window, totals, currency, tuple(self._terms(totals)), now if _known(now) else None)

    def _terms(self, totals: Totals) -> Iterable[Term]:
        sums = {
            Aim.PRICE: totals.cost,
            Aim.CARBON: None if totals.carbon_kg is None else 1000.0 * totals.carbon_kg,
            Aim.SOLAR: None if totals.solar_kwh is None else totals.energy_kwh - totals.solar_kwh,
        }
        for aim, weight in self._weights.items():
            if (total := sums[aim]) is not None:
                mean = total / totals.energy_kwh
                score = float(self._scaled(aim, np.array(mean)))
                yield Term(aim, weight, mean, *self._ranges[aim], score)


def _bounds(wish: Wish) -> tuple[Micros, Micros | None]:
    """Return the time that is allowed; where stretches have a shortest length, in whole minutes."""
    earliest = to_micros(wish.earliest)
    latest = None if wish.latest is None else to_micros(wish.latest)
    if not wish.shortest_run:
        return earliest, latest
    return -(-earliest // _MINUTE) * _MINUTE, None if latest is None else latest // _MINUTE * _MINUTE


def _drawn(placed: Placed, load: tuple[Draw, ...]) -> list[tuple[Micros, Micros, float]]:
    """Return what is drawn when, in W."""
    if len(load) == 1:
        return [(start, end, load[0].weight) for start, end in placed.spans]
    start = placed.spans[0][0]
    return [(start + draw.begin, start + draw.end, draw.weight) for draw in load]


def _known(totals: Totals) -> bool:
    return totals.cost is not None or totals.carbon_kg is not None or totals.solar_kwh is not None


def _micros(spans: Sequence[Span]) -> list[tuple[Micros, Micros]]:
    return [(to_micros(start), to_micros(end)) for start, end in spans]
