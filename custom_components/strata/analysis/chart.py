"""Small charts as SVG: a line, the band it was expected in, and the stretch that was unusual."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
import math
from typing import Final

import numpy as np

from ..core.rollup import Bools, Floats, Ints

WIDTH, HEIGHT = 640, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 18
_MOST_POINTS: Final = 320
_INK, _QUIET, _BAND, _UNUSUAL = "#1f6feb", "#6e7781", "#2da44e22", "#cf222e22"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn. Times are UTC microseconds; NaN values leave a gap; stretches are (start, end)."""

    times: Ints
    values: Floats
    unit: str = ""
    unusual: Sequence[tuple[int, int]] = ()
    expected: tuple[float, float] | None = None
    marks: Sequence[tuple[int, str]] = ()
    """Instants on the time axis, and what stands there."""


def thin(times: Ints, values: Floats, most: int = _MOST_POINTS) -> tuple[Ints, Floats]:
    """Return at most about `most` points that keep every extreme: of each stretch its lowest and its highest."""
    if len(times) <= most:
        return times, values
    kept: list[int] = []
    for stretch in np.array_split(np.arange(len(times)), most // 2):
        known = stretch[~np.isnan(values[stretch])]
        if len(known):
            kept += sorted({int(known[np.argmin(values[known])]), int(known[np.argmax(values[known])])})
        else:
            kept.append(int(stretch[0]))
    return times[kept], values[kept]


def svg(chart: Chart, title: str) -> str:
    """Return the chart as an SVG element that needs nothing beside it; `title` is read out by screen readers."""
    known = ~np.isnan(chart.values)
    if not known.any():
        return ""
    low, high = _scale(chart, known)
    begin, end = int(chart.times[0]), max(int(chart.times[-1]), int(chart.times[0]) + 1)

    def x(time: float) -> float:
        share = (min(max(time, begin), end) - begin) / (end - begin)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(_TOP + (high - value) / (high - low) * (HEIGHT - _TOP - _BOTTOM), 1)

    floor = HEIGHT - _BOTTOM
    parts = [
        f'<rect x="{x(start)}" y="{_TOP}" width="{max(x(stop) - x(start), 2):g}" height="{floor - _TOP}"'
        f' fill="{_UNUSUAL}"/>'
        for start, stop in chart.unusual
    ]
    if chart.expected is not None:
        above, below = y(max(chart.expected)), y(min(chart.expected))
        parts.append(
            f'<rect x="{_LEFT}" y="{above}" width="{WIDTH - _LEFT - _RIGHT}" height="{max(below - above, 1):g}"'
            f' fill="{_BAND}"/>'
        )
    parts += [f'<path d="{_path(chart, x, y)}" fill="none" stroke="{_INK}" stroke-width="1.5"/>']
    parts += [
        f'<text x="{_LEFT - 4}" y="{at:g}" text-anchor="end">{escape(_number(value))}</text>'
        for value, at in ((high, _TOP + 8), (low, floor))
    ]
    parts += [f'<text x="{x(time)}" y="{HEIGHT - 4}">{escape(text)}</text>' for time, text in chart.marks]
    parts.append(f'<text x="{WIDTH - _RIGHT}" y="{_TOP + 8}" text-anchor="end">{escape(chart.unit)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' role="img" font-family="sans-serif" font-size="10" fill="{_QUIET}"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )


def _scale(chart: Chart, known: Bools) -> tuple[float, float]:
    """Return the lowest and highest value that has to fit."""
    ends = [float(chart.values[known].min()), float(chart.values[known].max()), *(chart.expected or ())]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.05 or max(abs(high) * 0.05, 1.0)
    return low - room, high + room


def _path(chart: Chart, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """Return the line; it is lifted over gaps."""
    times, values = thin(chart.times, chart.values)
    steps, drawing = [], False
    for time, value in zip(times.tolist(), values.tolist(), strict=True):
        if math.isnan(value):
            drawing = False
            continue
        steps.append(f"{'L' if drawing else 'M'}{x(time):g} {y(value):g}")
        drawing = True
    return "".join(steps)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
