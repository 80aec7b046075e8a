"""Windows: the best times to run something, in one go or in pieces, by prices or any other values over time.

Slots may be of any and of mixed lengths, have gaps (nothing runs in them), repeat values and be negative; durations
need not be multiples of slots. Times are instants, so a night with a change of the clock is as long as it is.

Several windows never overlap and are given best first: the first is the best there is, each further one the best of
the time the ones before leave (so asking for more never changes the first answers). Of equally good windows the
earliest is taken.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from .model import Micros, from_micros, to_micros
from .window_search import Course, Draw, Placed, place, place_loose, place_runs

type Span = tuple[datetime, datetime]
"""A stretch of time `[start, end)`."""

_MICROSECOND = timedelta(microseconds=1)


class SlotLike(Protocol):
    """A value that holds for `[start, end)`; the times have a time zone."""

    @property
    def start(self) -> datetime:
        """When it begins."""

    @property
    def end(self) -> datetime:
        """When it ends."""

    @property
    def value(self) -> float:
        """The value, not a number where there is none."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a load: how long it lasts, and how much it draws in W (0 for a pause)."""

    duration: timedelta
    watts: float = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """A time to run something, in UTC; `value` is the mean over what runs (by energy, for a load profile)."""

    start: datetime
    end: datetime
    value: float
    parts: tuple[Span, ...]
    """When it runs: one stretch, or several in time order for a loose window."""


def find_windows(
    slots: Iterable[SlotLike],
    duration: timedelta,
    *,
    count: int = 1,
    contiguous: bool = True,
    earliest: datetime | None = None,
    latest: datetime | None = None,
    highest: bool = False,
    shortest_run: timedelta | None = None,
    avoid: Iterable[Span] = (),
) -> list[Window]:
    """Return the windows of `duration` with the lowest (or highest) time-weighted mean, best first.

    A window begins at or after `earliest` and ends at or before `latest`, and stays out of the spans in `avoid`. With
    `contiguous` it is one stretch, otherwise as many as it takes, each at least `shortest_run` long if that is given
    (borders given to the second or finer are then best avoided: they make the search large). Fewer than `count`
    windows, or none, are returned where no more fit.

    Raises:
        ValueError: `duration` is not positive, `count` is less than 1, or a time has no time zone.
    """
    amount = _length(duration)
    course = _course(slots, earliest, latest, avoid, highest=highest)
    if contiguous:
        load = (Draw(0, amount, 1.0),)
        placed = several(course, count, lambda free: place(free, load))
    elif shortest_run:
        shortest = _length(shortest_run)
        placed = several(course, count, lambda free: place_runs(free, amount, shortest))
    else:
        placed = several(course, count, lambda free: place_loose(free, amount))
    return [_window(each, amount, highest=highest) for each in placed]


def find_profile_windows(
    slots: Iterable[SlotLike],
    profile: Sequence[Phase],
    *,
    count: int = 1,
    earliest: datetime | None = None,
    latest: datetime | None = None,
    highest: bool = False,
    avoid: Iterable[Span] = (),
) -> list[Window]:
    """Return the windows in which a load with this profile pays the least (or most) per energy, best first.

    The profile runs in one go. As for `find_windows` otherwise.

    Raises:
        ValueError: the profile draws nothing or has a phase without length, `count` is less than 1, or a time has no
            time zone.
    """
    load = draws(profile)
    course = _course(slots, earliest, latest, avoid, highest=highest)
    energy = sum(draw.weight * (draw.end - draw.begin) for draw in load)
    placed = several(course, count, lambda free: place(free, load))
    return [_window(each, energy, highest=highest) for each in placed]


def draws(profile: Sequence[Phase]) -> tuple[Draw, ...]:
    """Return the phases one after another, all priced by the first row.

    Raises:
        ValueError: a phase has no length or draws less than nothing, or nothing is drawn at all.
    """
    if not any(phase.watts > 0 for phase in profile) or any(phase.watts < 0 for phase in profile):
        raise ValueError("a load profile draws power in at least one phase, and less than nothing in none")
    load: list[Draw] = []
    begin = 0
    for phase in profile:
        end = begin + _length(phase.duration)
        load.append(Draw(begin, end, phase.watts))
        begin = end
    return tuple(load)


def _length(duration: timedelta) -> Micros:
    if duration <= timedelta():
        raise ValueError(f"a window needs a duration, not {duration}")
    return duration // _MICROSECOND


def _course(
    slots: Iterable[SlotLike],
    earliest: datetime | None,
    latest: datetime | None,
    avoid: Iterable[Span],
    *,
    highest: bool,
) -> Course:
    sign = -1.0 if highest else 1.0
    course = Course.of((to_micros(slot.start), to_micros(slot.end), sign * slot.value) for slot in slots)
    course = course.between(
        None if earliest is None else to_micros(earliest), None if latest is None else to_micros(latest)
    )
    return course.without((to_micros(start), to_micros(end)) for start, end in avoid)


def several(course: Course, count: int, find: Callable[[Course], Placed | None]) -> list[Placed]:
    """Return what `find` finds, up to `count` times, each time in what is left.

    Raises:
        ValueError: `count` is less than 1.
    """
    if count < 1:
        raise ValueError(f"at least one window has to be asked for, not {count}")
    found: list[Placed] = []
    while len(found) < count and (placed := find(course)) is not None:
        found.append(placed)
        course = course.without(placed.spans)
    return found


def _window(placed: Placed, weight: float, *, highest: bool) -> Window:
    parts = tuple((from_micros(start), from_micros(end)) for start, end in placed.spans)
    mean = placed.cost / weight
    return Window(parts[0][0], parts[-1][1], -mean if highest else mean, parts)
