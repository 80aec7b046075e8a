"""The digest of anomalies: gathered from the store, drawn off the event loop, kept as a page in the config folder."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..analysis.base import Episode, Severity
from ..analysis.digest import Section, page
from ..const import STORE_FOLDER
from ..core.model import to_micros
from .coordinator import AnomalyCoordinator
from .entities import shown
from .watched import Watched, async_read

FOLDER: Final = "reports"
MOST_SECTIONS: Final = 40
"""Episodes with a chart; a page of more would be read by nobody."""


async def async_report(
    hass: HomeAssistant, anomalies: AnomalyCoordinator, period: timedelta, *, save: bool
) -> dict[str, Any]:
    """Return what was unusual in a period that ends now, and the page that shows it.

    Raises:
        StoreError: the store cannot be read.
        OSError: the page cannot be written.
    """
    now = dt_util.utcnow()
    found = anomalies.since(to_micros(now - period))
    found.sort(key=lambda pair: (pair[1].normal, -pair[1].severity.rank, -pair[1].score))
    sections = [await _section(hass, anomalies, *pair) for pair in found[:MOST_SECTIONS]]
    title = f"Unusual from {dt_util.as_local(now - period):%d %b} to {dt_util.as_local(now):%d %b %Y}"
    zone = dt_util.get_default_time_zone()
    draw = partial(
        page, sections, title=title, summary=_summary(found, anomalies), zone=zone, timezone=hass.config.time_zone
    )
    html = await hass.async_add_executor_job(draw)
    answer: dict[str, Any] = {
        "title": title,
        "summary": _summary(found, anomalies),
        "findings": [shown(*pair) for pair in found],
        "html": html,
    }
    if save:
        path = Path(hass.config.path(STORE_FOLDER, FOLDER, f"anomalies-{dt_util.as_local(now):%Y-%m-%d}.html"))
        await hass.async_add_executor_job(_write, path, html)
        answer["path"] = str(path)
    return answer


async def _section(hass: HomeAssistant, anomalies: AnomalyCoordinator, watched: Watched, episode: Episode) -> Section:
    target = watched.target
    history, _ = await async_read(anomalies.worker, target, to_micros(dt_util.utcnow()))
    state = hass.states.get(target.entity_id)
    return Section(
        name=state.name if state else target.entity_id,
        entity_id=target.entity_id,
        episode=episode,
        history=history,
        unit=target.unit,
    )


def _summary(found: Sequence[tuple[Watched, Episode]], anomalies: AnomalyCoordinator) -> str:
    if not found:
        return f"Nothing unusual about {len(anomalies.watched)} watched entities."
    counts = {
        severity: sum(not episode.normal and episode.severity is severity for _, episode in found)
        for severity in reversed(Severity)
    }
    said = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
    normal = sum(episode.normal for _, episode in found)
    parts = [f"{said} about {len(anomalies.watched)} watched entities"] if said else []
    if normal:
        parts.append(f"{normal} you called normal")
    return "; ".join(parts) + "."


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
