"""Several entities at once: episodes that began together are one finding, and people are not told too often."""

from collections.abc import Mapping, Sequence

from ...core.clock import HOUR, local_date
from ...core.model import Micros
from ..base import Episode, Finding, Severity
from .detector import finding_of

TOGETHER: Micros = 3 * HOUR
"""Episodes that begin within this time of the first of them belong together."""
PUSHES_A_DAY = 3


def group(episodes: Mapping[str, Sequence[Episode]]) -> list[Finding]:
    """Return the episodes of several series as findings, in the order in which they began.

    Args:
        episodes: by the series or entity they are of. What is normal is left out.
    """
    every = sorted(
        ((e.start, subject, e) for subject, own in episodes.items() for e in own if not e.normal),
        key=lambda item: (item[0], item[1]),
    )
    groups: list[list[tuple[str, Episode]]] = []
    for start, subject, episode in every:
        if groups and start - groups[-1][0][1].start < TOGETHER:
            groups[-1].append((subject, episode))
        else:
            groups.append([(subject, episode)])
    return [_finding(members) for members in groups]


def _finding(members: Sequence[tuple[str, Episode]]) -> Finding:
    ranked = sorted(members, key=lambda item: (-item[1].severity.rank, -item[1].score, item[0]))
    subject, worst = ranked[0]
    if len(ranked) == 1:
        return finding_of(worst, subject)
    ends = [e.end for _, e in members]
    return Finding(
        detector="anomaly",
        kind=worst.kind,
        subjects=tuple(dict.fromkeys(name for name, _ in ranked)),
        since=min(e.start for _, e in members),
        until=None if None in ends else max(end for end in ends if end is not None),
        severity=worst.severity,
        text=worst.text,
        evidence={name: finding_of(e, name).as_json() for name, e in reversed(ranked)},
    )


def may_push(
    at: Micros, severity: Severity, pushed: Sequence[Micros], *, timezone: str, least: Severity = Severity.MEDIUM
) -> bool:
    """Tell whether a finding is told at once; otherwise it waits for the digest.

    Args:
        at: when it would be told.
        severity: of the finding.
        pushed: when people were told before, in any order.
        timezone: IANA name of the home's; three on one local day are enough.
        least: what is less severe always waits.

    Raises:
        ValueError: the time zone is unknown.
    """
    if severity.rank < least.rank:
        return False
    today = local_date(timezone, at)
    return sum(local_date(timezone, earlier) == today for earlier in pushed) < PUSHES_A_DAY
