"""The plausibility gate: bad readings get a flag before they are stored, and none is dropped.

Suspect until confirmed. A value that cannot be told from a fault at once is flagged at once
(SPIKE or RESET); when the next value continues it, it is given out once more with `Flag.OK` under
its own time, and when the next value continues the level before it, it stays flagged. The store
keeps one row per series and time and the last write wins, so nothing is ever lost or doubled.

What is doubted:

- **Meters that only grow** (`monotonic`): a fall below 90 % of the level (RESET; the share is that
  of Home Assistant's `total_increasing`), a smaller fall by more than rounding (SPIKE), and growth
  no home's connection allows (SPIKE). A return to within 10 % of the old level unmasks a reset as
  a fault, unless the meter has stood low for at least half as long as its cycle before took: then
  it has come as high again by itself.
- **Meters that may fall** (`total`): only impossible growth.
- **Measurements**: jumps that the device class does not allow, and sentinels.

What is not doubted but impossible: NaN, infinities, values outside the limits of the device class
or of the caller, negative readings of growing meters. They touch nothing else: a suspicion before
them waits on for the next real value. So it does over a gap, whatever its length.

Two suspicions in a row that do not agree: the older stays flagged. The third value in a row that
agrees with nothing is the new level. A value repeated under suspicion confirms a measurement, but
neither a sentinel nor a meter: a cloud that repeats yesterday's reading proves nothing. A value
older than the newest one seen (late, backfilled) is judged by limits alone; one at the same time
replaces what was seen there.
"""

from typing import NamedTuple

from .model import EXCLUDED_FLAGS, MICROS_PER_SECOND, Flag, Kind, Micros
from .plausible import HUGE, flow, jump, limits


class Verdict(NamedTuple):
    """A value and its flag, ready to be written; `value` may be NaN or infinite when IMPOSSIBLE."""

    time: Micros
    value: float
    flag: Flag


# Home Assistant's rule for `total_increasing`: a fall below this share is a new cycle.
_RESET_SHARE = 0.9
# Smaller falls than this share are rounding (single precision, changed display digits).
_ROUNDING_SHARE = 0.01
_RETURN_SHARE = 1.1
# A meter that stood still may not save its growth up for one huge step.
_LONGEST_GROWTH_S = 3600.0
_DOUBTS_IN_A_ROW = 2


class Gate:
    """Judges the values of one series, in the order of their times."""

    __slots__ = (
        "_cycle",
        "_doubts",
        "_flow",
        "_free",
        "_high",
        "_jump",
        "_level",
        "_low",
        "_monotonic",
        "_pending",
        "_seen",
        "_since",
        "_stuck_after",
    )

    def __init__(
        self,
        kind: Kind,
        *,
        device_class: str | None = None,
        unit: str | None = None,
        minimum: float | None = None,
        maximum: float | None = None,
        stuck_after: Micros | None = None,
        monotonic: bool = True,
    ) -> None:
        """Look up the rules of a series.

        Args:
            kind: how the series behaves.
            device_class: Home Assistant's, if it has one.
            unit: the unit of its values.
            minimum: values below are impossible; replaces the device class's limit.
            maximum: values above are impossible; replaces the device class's limit.
            stuck_after: how long a value may be reported again and again; None: for ever.
            monotonic: for a meter, it only ever grows (`total_increasing`).
        """
        known = limits(device_class, unit)
        self._monotonic = monotonic and kind is Kind.METER
        self._low = known.low if minimum is None else max(minimum, -HUGE)
        self._high = known.high if maximum is None else min(maximum, HUGE)
        if self._monotonic:
            self._low = max(self._low, 0.0)
        self._jump = jump(kind, device_class, unit)
        self._flow = flow(kind, unit)
        self._stuck_after = stuck_after
        self._free = not (self._monotonic or self._jump or self._flow or stuck_after is not None)
        self._level: float | None = None
        """The last value that is believed."""
        self._since: Micros = 0
        """When the level was reached."""
        self._cycle: Micros | None = None
        """When the meter's present cycle began; None: before it was first seen."""
        self._pending: Verdict | None = None
        self._doubts = 0
        self._seen: Micros | None = None

    def seed(self, time: Micros, value: float, flag: Flag = Flag.OK) -> None:
        """Take up what is stored already, after a restart; in the order of time.

        A believed value is the level. One stored as SPIKE or RESET is still under suspicion, so it
        can yet be confirmed. Impossible values are passed over.
        """
        if flag is Flag.IMPOSSIBLE or not self._low <= value <= self._high:
            return
        self._seen = time
        if flag in EXCLUDED_FLAGS:
            self._pending = Verdict(time, value, flag)
            return
        self._level, self._since = value, time
        self._cycle, self._pending, self._doubts = None, None, 0

    def check(self, time: Micros, value: float) -> tuple[Verdict, ...]:
        """Judge a value; never raises, whatever the float.

        Returns:
            The verdict on this value, after the one on an earlier value it has confirmed (with that
            value's own time). All of them are to be written.
        """
        if not self._low <= value <= self._high:
            return (Verdict(time, value, Flag.IMPOSSIBLE),)
        if self._free or (self._seen is not None and time < self._seen):
            return (Verdict(time, value, Flag.OK),)
        self._seen = time
        pending = self._pending
        if pending is None or pending.time == time:
            return self._judge_alone(time, value)
        return self._judge_after(pending, time, value)

    def _judge_alone(self, time: Micros, value: float) -> tuple[Verdict, ...]:
        self._pending = None
        if self._level is None:
            # There is no jump from nothing, but a sentinel is what comes first from a sensor that has just started.
            if self._jump is not None and self._jump.is_sentinel(value):
                return self._doubt(time, value, Flag.SPIKE)
            self._cycle = time if value == 0 else None
            return self._accept(time, value)
        flag = self._suspicion(self._level, self._since, time, value)
        return self._accept(time, value) if flag is Flag.OK else self._doubt(time, value, flag)

    def _judge_after(self, pending: Verdict, time: Micros, value: float) -> tuple[Verdict, ...]:
        if self._proves_nothing(pending, value):
            return (Verdict(time, value, pending.flag),)
        level = self._level
        continues = self._suspicion(pending.value, pending.time, time, value) is Flag.OK
        if level is None:
            return self._confirm(pending, time, value) if continues else self._judge_alone(time, value)
        flag = self._suspicion(level, self._since, time, value)
        if pending.flag is Flag.RESET:
            is_back = self._is_back(pending, level, time, value)
            confirmed = continues and not is_back
        else:
            nearer = abs(value - pending.value) < abs(value - level)
            confirmed = continues and (nearer or flag is not Flag.OK)
        if confirmed:
            return self._confirm(pending, time, value)
        return self._accept(time, value) if flag is Flag.OK else self._doubt(time, value, flag)

    def _proves_nothing(self, pending: Verdict, value: float) -> bool:
        if value != pending.value:
            return False
        return self._jump is None or self._jump.is_sentinel(value)

    def _is_back(self, pending: Verdict, level: float, time: Micros, value: float) -> bool:
        """Tell whether a meter is back where it was before it seemed to reset."""
        above = level * _RETURN_SHARE if self._flow is None else max(level * _RETURN_SHARE, level + self._flow.always)
        if not _RESET_SHARE * level <= value <= above:
            return False
        return self._cycle is None or 2 * (time - pending.time) < self._since - self._cycle

    def _suspicion(self, level: float, since: Micros, time: Micros, value: float) -> Flag:
        """Return what is suspicious about `value` after `level` was reached at `since`; OK for nothing."""
        change = value - level
        if self._jump is not None:
            limit = self._jump.sentinel_step if self._jump.is_sentinel(value) else self._jump.size
            return Flag.SPIKE if abs(change) > limit else Flag.OK
        if change < 0:
            return self._fall(level, value) if self._monotonic else Flag.OK
        if self._flow is not None:
            seconds = min((time - since) / MICROS_PER_SECOND, _LONGEST_GROWTH_S)
            if change > self._flow.always + self._flow.per_second * seconds:
                return Flag.SPIKE
        return Flag.OK

    def _fall(self, level: float, value: float) -> Flag:
        if value < _RESET_SHARE * level:
            return Flag.RESET
        noise = level * _ROUNDING_SHARE if self._flow is None else min(level * _ROUNDING_SHARE, self._flow.always)
        return Flag.SPIKE if level - value > noise else Flag.OK

    def _doubt(self, time: Micros, value: float, flag: Flag) -> tuple[Verdict, ...]:
        """Hold a value back as suspect, unless everything has been suspect for too long."""
        if self._doubts >= _DOUBTS_IN_A_ROW and not (self._jump is not None and self._jump.is_sentinel(value)):
            return self._accept(time, value)
        self._doubts += 1
        self._pending = Verdict(time, value, flag)
        return (self._pending,)

    def _confirm(self, pending: Verdict, time: Micros, value: float) -> tuple[Verdict, ...]:
        """Believe the pending value after all, and this one."""
        if pending.flag is Flag.RESET:
            self._cycle = pending.time
        self._accept(pending.time, pending.value)
        return (pending._replace(flag=Flag.OK), *self._accept(time, value))

    def _accept(self, time: Micros, value: float) -> tuple[Verdict, ...]:
        self._pending, self._doubts = None, 0
        if value != self._level:
            self._level, self._since = value, time
        elif self._stuck_after is not None and time - self._since > self._stuck_after:
            return (Verdict(time, value, Flag.STUCK),)
        return (Verdict(time, value, Flag.OK),)
