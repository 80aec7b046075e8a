"""The digest: what was unusual in some days, as one page with small charts that needs nothing beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from html import escape
from typing import Final

import numpy as np

from ..core.clock import DAY, day_edges
from ..core.model import Micros, from_micros
from .base import Episode
from .chart import Chart, svg
from .watching import History

_AROUND: Final = 3 * DAY
"""What is drawn before and after an episode."""
_STYLE: Final = (
    "body{font-family:sans-serif;max-width:700px;margin:1em auto;padding:0 1em;color:#1f2328;background:#fff}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin:1.6em 0 .2em}p{margin:.2em 0}svg{max-width:100%;height:auto}"
    ".high{color:#cf222e}.medium{color:#9a6700}.low{color:#1a7f37}.normal{color:#6e7781}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """An episode, the entity it is about, and the history that its chart shows."""

    name: str
    entity_id: str
    episode: Episode
    history: History
    unit: str


def page(sections: Sequence[Section], *, title: str, summary: str, zone: tzinfo, timezone: str) -> str:
    """Return the digest as an HTML document."""
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(summary)}</p>"]
    body += [_section(section, zone, timezone) for section in sections]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>"
    )


def _section(section: Section, zone: tzinfo, timezone: str) -> str:
    episode = section.episode
    severity = "normal" if episode.normal else episode.severity.value
    when = f"{_moment(episode.start, zone)} – {'now' if episode.end is None else _moment(episode.end, zone)}"
    return (
        f"<h2>{escape(section.name)}</h2>"
        f'<p><b class="{severity}">{severity}</b> · {escape(episode.kind.replace("_", " "))} · {when}</p>'
        f"<p>{escape(episode.text)}</p>{chart_of(section, zone, timezone)}"
    )


def chart_of(section: Section, zone: tzinfo, timezone: str) -> str:
    """Return the chart of an episode, and of some days around it; empty where nothing is known of these."""
    episode, history = section.episode, section.history
    begin = episode.start - _AROUND
    end = min(history.until, (history.until if episode.end is None else episode.end) + _AROUND)
    shown = (history.times >= begin) & (history.times < end)
    if not shown.any():
        return ""
    times, values = history.times[shown], history.values[shown]
    reason = episode.evidence[0] if episode.evidence and episode.evidence[0].unit == section.unit else None
    band = (reason.expected_low, reason.expected_high) if reason and np.isfinite(reason.expected_low) else None
    first, last = int(times[0]), int(times[-1])
    marks = [(edge, f"{from_micros(edge).astimezone(zone):%a %d}") for edge in day_edges(timezone, first, last)]
    unusual = ((episode.start, end if episode.end is None else episode.end),)
    chart = Chart(
        times=times,
        values=values,
        unit=section.unit,
        unusual=unusual,
        expected=band,
        marks=[(edge, text) for edge, text in marks if first <= edge <= last],
    )
    return svg(chart, f"{section.name}: {episode.text}")


def _moment(time: Micros, zone: tzinfo) -> str:
    local: datetime = from_micros(time).astimezone(zone)
    return f"{local:%a %d %b %H:%M}"
