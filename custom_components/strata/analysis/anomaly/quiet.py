"""Quiet hours: the user's own rule for doors and motion, such as any opening from 23:00 to 06:00 while away.

A single event at night is not separable by counts; who wants to hear of it says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from ...core.clock import utc_offset
from ...core.model import MICROS_PER_SECOND, Micros
from ..base import AnomalyKind, Episode, Evidence, Severity
from .episodes import MERGE_WITHIN

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` until `end` on the local clock, past midnight if that is the earlier time."""

    start: time
    end: time
    only_away: bool = True
    """Only while nobody is at home."""

    def holds(self, at: Micros, timezone: str, *, away: bool) -> bool:
        """Tell whether an instant is in quiet hours.

        Raises:
            ValueError: the time zone is unknown.
        """
        if self.only_away and not away:
            return False
        clock = (at // MICROS_PER_SECOND + utc_offset(timezone, at)) % _DAY_S
        first, last = _seconds(self.start), _seconds(self.end)
        return first <= clock < last if first <= last else clock >= first or clock < last


def _seconds(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


def broken(
    rule: QuietHours, events: Sequence[tuple[Micros, bool]], *, timezone: str, what: str = "event"
) -> list[Episode]:
    """Return one episode for each quiet time in which there were events.

    Args:
        rule: the user's.
        events: (instant, whether nobody was at home then), in the order of time.
        timezone: IANA name of the home's.
        what: how an event is called in the text, such as "opening".

    Raises:
        ValueError: the time zone is unknown.
    """
    times = [at for at, away in events if rule.holds(at, timezone, away=away)]
    groups: list[list[Micros]] = []
    for at in times:
        if groups and at - groups[-1][-1] < MERGE_WITHIN:
            groups[-1].append(at)
        else:
            groups.append([at])
    return [_episode(rule, group, what) for group in groups]


def _episode(rule: QuietHours, times: Sequence[Micros], what: str) -> Episode:
    count = len(times)
    said = f"{count} {what}{'' if count == 1 else 's'} between {rule.start:%H:%M} and {rule.end:%H:%M}"
    reason = Evidence("quiet_hours", "rule", what, float(count), 0.0, 0.0, "", 0.0, 0, times[0])
    return Episode(
        start=times[0],
        end=times[-1] + MICROS_PER_SECOND,
        peak=times[0],
        score=0.0,
        severity=Severity.HIGH,
        kind=AnomalyKind.QUIET_HOURS,
        text=f"{said} while nobody was at home" if rule.only_away else said,
        evidence=(reason,),
        alerts=(times[0],),
    )
