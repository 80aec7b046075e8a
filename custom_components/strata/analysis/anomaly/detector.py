"""The anomaly scan as one of the detectors."""

from dataclasses import asdict

from numpy.typing import ArrayLike

from ..base import Detector, Episode, Finding
from .scanner import scan


def finding_of(episode: Episode, subject: str = "") -> Finding:
    """Return an episode of one series as a finding about `subject`."""
    return Finding(
        detector="anomaly",
        kind=episode.kind,
        subjects=(subject,) if subject else (),
        since=episode.start,
        until=episode.end,
        severity=episode.severity,
        text=episode.text,
        evidence={"score": episode.score, "channels": [asdict(reason) for reason in episode.evidence]},
    )


def find(
    times: ArrayLike, values: ArrayLike, *, timezone: str = "UTC", kind: str = "numeric", sensitivity: str = "medium"
) -> list[Finding]:
    """Return the episodes of a series as findings; arguments as for `scan`."""
    result = scan(times, values, timezone=timezone, kind=kind, sensitivity=sensitivity)
    return [finding_of(episode) for episode in result.episodes]


ANOMALY = Detector("anomaly", ("numeric", "meter", "on_off", "event"), 7, find)
