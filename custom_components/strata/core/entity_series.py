"""One entity's states, turned into rows of its series.

An entity has one series for its numbers (or on/off) and one for its texts; most entities only ever
use one of them. A number series keeps the unit it began with: later values in a unit of the same
quantity are converted to it, and values of another quantity get a series of their own, whose field
is named after their unit (`value[W]`), so that they never run into the first.
"""

from collections.abc import Mapping, Set as AbstractSet
from datetime import datetime
from enum import StrEnum

from .attributes import recordable
from .gate import Gate, Verdict
from .model import EXCLUDED_FLAGS, Cause, Flag, Kind, Micros, Series, SeriesKey, to_micros
from .row_sink import LastSample, RowSink
from .states import FIELD_OF_KIND, GAP_STATES, StateReader, StateTraits, TypedState, state_reader
from .units import UnitError, convert

MEASUREMENT = "home_assistant_events"
FINE_DEVICE_CLASSES = frozenset({"energy", "power"})
"""Device classes whose series get the 5-minute tier."""

_NUMBERS = frozenset({Kind.MEASUREMENT, Kind.METER})
_MOST_HELD = 8
_NOTHING_HELD = (Flag.OK, None, None, None)

type Attributes = Mapping[str, object]


class Outcome(StrEnum):
    """What became of a state."""

    VALUE = "value"
    GAP = "gap"
    RESUMED = "resumed"
    UNCHANGED = "unchanged"
    """No row: only attributes changed, a gap went on, or the entity had nothing to say yet."""
    EXCLUDED = "excluded"


class _Quantity:
    """One series of an entity with its unit conversion and its plausibility gate."""

    __slots__ = ("_foreign_unit", "_gate", "_held", "_sink", "device_class", "series")

    def __init__(self, sink: RowSink, series: Series, device_class: str | None, foreign_unit: str | None) -> None:
        self._sink = sink
        self.series = series
        self.device_class = device_class
        self._foreign_unit = foreign_unit
        self._held: dict[Micros, tuple[Flag, str | None, Attributes | None, Cause | None]] = {}
        """What else belongs to the rows under suspicion, with the flag they get when confirmed."""
        self._gate: Gate | None = None
        if series.kind in _NUMBERS:
            self._gate = Gate(series.kind, device_class=device_class, unit=series.unit, monotonic=series.monotonic)
            last = sink.last(series)
            if last is not None and last.value is not None:
                self._gate.seed(last.time, last.value, last.flag)

    def converted(self, typed: TypedState) -> TypedState:
        """Return the state with its number in the series' unit."""
        if typed.value is None or self._foreign_unit is None or self.series.unit is None:
            return typed
        return typed._replace(value=convert(typed.value, self._foreign_unit, self.series.unit))

    def put(
        self, time: Micros, typed: TypedState, good: Flag, attributes: Attributes | None, cause: Cause | None
    ) -> None:
        """Store a state in the series' unit, and what the gate now thinks of earlier ones.

        `good` is the flag of the row if nothing is wrong with it.
        """
        _, value, text = typed
        if self._gate is None or value is None:
            self._sink.put(self.series, time, value, text, good, attributes, cause)
            return
        for verdict in self._gate.check(time, value):
            if verdict.time != time:
                self._put_again(verdict)
                continue
            flag = verdict.flag or good
            self._sink.put(self.series, time, value, text, flag, attributes, cause)
            if flag not in EXCLUDED_FLAGS:
                self._held.clear()
            elif flag is not Flag.IMPOSSIBLE and len(self._held) < _MOST_HELD:
                self._held[time] = good, text, attributes, cause

    def _put_again(self, verdict: Verdict) -> None:
        good, text, attributes, cause = self._held.get(verdict.time, _NOTHING_HELD)
        self._sink.put(self.series, verdict.time, verdict.value, text, verdict.flag or good, attributes, cause)


class EntitySeries:
    """The series of one entity, and what is known about its present state.

    `identity` is the entity registry id, or the entity id of an entity without a registry entry.
    Its first row in this run is no older than the end of the run before: what it was earlier is
    told by the rows of that run, and history begins with the first.
    """

    __slots__ = (
        "_attributes",
        "_by_kind",
        "_current",
        "_cycle",
        "_domain",
        "_fields",
        "_floor",
        "_fresh",
        "_kept",
        "_labels",
        "_last_reset",
        "_reader",
        "_sink",
        "_state",
        "_traits",
        "_watched",
        "identity",
    )

    def __init__(self, sink: RowSink, identity: str, domain: str) -> None:
        self._sink = sink
        self.identity = identity
        self._domain = domain
        self._labels: dict[str, str] = {}
        self._attributes: Attributes | None = None
        self._kept: Attributes = {}
        self._last_reset: object = None
        self._cycle: object = None
        """The `last_reset` that the last row was part of."""
        self._traits = StateTraits()
        self._reader: StateReader = state_reader(domain, self._traits)
        self._fields: dict[str, _Quantity] = {}
        self._by_kind: dict[Kind, _Quantity] = {}
        self._current: _Quantity | None = None
        self._state: str | None = None
        self._fresh = True
        self._floor = sink.started if sink.last_stop is None else sink.last_stop
        self._watched = False

    def relabel(self, labels: dict[str, str], *, watched: bool = False) -> None:
        """Give the entity's series these labels, in place of those they had; watched ones get the 5-minute tier."""
        if (labels, watched) == (self._labels, self._watched):
            return
        self._labels, self._watched = labels, watched
        for quantity in self._fields.values():
            series = quantity.series
            self._sink.series(
                series.key,
                kind=series.kind,
                unit=series.unit,
                labels=labels,
                fine=self._is_fine(series.kind, quantity.device_class),
                monotonic=series.monotonic,
            )

    def _is_fine(self, kind: Kind, device_class: str | None) -> bool:
        return self._watched or (kind in _NUMBERS and device_class in FINE_DEVICE_CLASSES)

    def begin_again(self, floor: Micros) -> None:
        """Treat the next state as the first one, no earlier than `floor`."""
        self._fresh = True
        self._floor = floor

    def forget(self, floor: Micros) -> None:
        """Know nothing of values before `floor`; the state the entity has now is no news."""
        self._fields.clear()
        self._by_kind.clear()
        self._current = None
        self.begin_again(floor)

    def change(
        self, state: str, attributes: Attributes, unrecorded: AbstractSet[str], time: Micros, cause: Cause
    ) -> Outcome:
        """Store what the entity's state is from `time` on, if that is news."""
        if state == self._state:
            return Outcome.UNCHANGED
        if state in GAP_STATES:
            return self.gap(time, cause)
        if attributes is not self._attributes:
            self._learn(attributes, unrecorded)
        typed = self._reader(state, attributes)
        quantity = self._by_kind.get(typed.kind)
        if quantity is None or quantity.series.kind is not typed.kind:
            quantity = self._open(typed.kind)
        typed = quantity.converted(typed)
        if self._fresh:
            self._fresh = False
            self._state, self._current = state, quantity
            return self._first(quantity, typed, time, cause)
        if quantity is not self._current:
            self.gap(time, cause)
            self._current = quantity
        self._state = state
        return self._put(quantity, typed, time, cause)

    def gap(self, time: Micros, cause: Cause | None = None) -> Outcome:
        """Say that the last value no longer holds; once, and not before there was a value."""
        if self._state is None:
            return Outcome.UNCHANGED
        self._state = None
        if self._current is None:
            return Outcome.UNCHANGED
        self._sink.put(self._current.series, time, flag=Flag.GAP, cause=cause)
        return Outcome.GAP

    def _first(self, quantity: _Quantity, typed: TypedState, time: Micros, cause: Cause) -> Outcome:
        # A row at or before the last one known would be overruled by it.
        last = self._sink.last(quantity.series)
        time = max(time, self._floor, last.time + 1 if last is not None else 0)
        if last is not None and last.flag not in EXCLUDED_FLAGS and (last.value, last.text) == typed[1:]:
            self._cycle = self._last_reset
            self._sink.put(quantity.series, time, flag=Flag.RESUME, attributes=self._kept, cause=cause)
            return Outcome.RESUMED
        if not self._reset_since(last):
            self._cycle = self._last_reset
        return self._put(quantity, typed, time, cause)

    def _put(self, quantity: _Quantity, typed: TypedState, time: Micros, cause: Cause) -> Outcome:
        good = Flag.OK
        if self._cycle != self._last_reset:
            # A meter that may fall says itself when it starts again; one that only grows need not.
            if typed.kind is Kind.METER and not quantity.series.monotonic and self._last_reset is not None:
                good = Flag.CYCLE
            self._cycle = self._last_reset
        quantity.put(time, typed, good, self._kept, cause)
        return Outcome.VALUE

    def _reset_since(self, last: LastSample | None) -> bool:
        """Tell whether a meter says it started again after the last value known from before."""
        if last is None or not isinstance(self._last_reset, str):
            return False
        try:
            return to_micros(datetime.fromisoformat(self._last_reset)) > last.time
        except ValueError:
            return False

    def _learn(self, attributes: Attributes, unrecorded: AbstractSet[str]) -> None:
        self._attributes = attributes
        self._kept = recordable(attributes, unrecorded)
        self._last_reset = attributes.get("last_reset")
        traits = StateTraits.of(attributes)
        if traits != self._traits:
            self._traits = traits
            self._reader = state_reader(self._domain, traits)
            self._by_kind.clear()

    def _open(self, kind: Kind) -> _Quantity:
        """Return the entity's series for a kind in the unit its states have now."""
        number = kind in _NUMBERS
        unit, foreign_unit = self._traits.unit if number else None, None
        key = SeriesKey.of_entity(MEASUREMENT, self.identity, FIELD_OF_KIND[kind])
        known = self._sink.find(key) if number else None
        if known is not None and known.unit is not None and known.unit != unit:
            if unit is None:
                unit = known.unit
            elif _convertible(unit, known.unit):
                unit, foreign_unit = known.unit, unit
            else:
                key = SeriesKey.of_entity(MEASUREMENT, self.identity, f"{key.field}[{unit}]")
        device_class = self._traits.device_class
        series = self._sink.series(
            key,
            kind=kind,
            unit=unit,
            labels=self._labels,
            fine=self._is_fine(kind, device_class),
            monotonic=kind is not Kind.METER or self._traits.state_class == "total_increasing",
        )
        quantity = _Quantity(self._sink, series, device_class, foreign_unit)
        if self._current is not None and self._current.series is series:
            self._current = quantity
        self._fields[key.field] = self._by_kind[kind] = quantity
        return quantity


def _convertible(unit: str, to: str) -> bool:
    try:
        convert(1.0, unit, to)
    except UnitError:
        return False
    return True
