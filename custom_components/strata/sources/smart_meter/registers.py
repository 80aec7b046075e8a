"""Energy registers followed from fetch to fetch: energy today, and the power that follows from energy."""

from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ...core.forecast import day_around
from ...core.units import UnitError, convert
from ..answer import number
from ..base import Context, EntityState, Json, SourceBadAnswer

_KEPT: Final = "registers"
SAVED_EVERY: Final = timedelta(minutes=15)
"""Registers count on by themselves, so little is lost when what is kept is a quarter of an hour old."""
SHORTEST: Final = timedelta(seconds=10)
"""Between two values closer together the step of the register is larger than what went through it."""
STILL: Final = timedelta(minutes=10)
"""A register that has not moved for three of its usual steps, and so long, stands still: nothing flows."""
LOOKED_BACK: Final = timedelta(hours=2)


@dataclass(slots=True)
class _Register:
    kwh: float
    at: str
    day: str
    today: float
    watts: float | None = None
    step: float = 0.0
    """Seconds between the last two values."""


class Registers:
    """Follows energy entities that count on, whatever their unit."""

    def __init__(self) -> None:
        """Begin with nothing; what was kept is taken up with the first value."""
        self._registers: dict[str, _Register] | None = None
        self._saved: datetime | None = None

    async def follow(self, context: Context, entity_id: str) -> bool:
        """Take the present value of an entity; tell whether it has one.

        Raises:
            SourceBadAnswer: it is not in a unit of energy.
        """
        known = self._known(context.memory)
        state = context.access.state(entity_id)
        value = number(state.state) if state is not None else None
        if state is None or value is None:
            return False
        kwh = in_unit(state, value, "kWh")
        register = known.get(entity_id)
        if register is None:
            known[entity_id] = await _begun(context, entity_id, kwh, state.last_updated)
        else:
            _go_on(register, kwh, min(state.last_updated, context.now()), context)
        _turn_day(known[entity_id], context)
        self._save(context)
        return True

    def watts(self, entity_id: str, now: datetime) -> float | None:
        """Return the mean power between the last two values, 0 for a register that stands still."""
        register = (self._registers or {}).get(entity_id)
        if register is None or register.watts is None:
            return None
        still_after = max(3 * timedelta(seconds=register.step), STILL)
        return 0.0 if now - datetime.fromisoformat(register.at) > still_after else register.watts

    def today(self, entity_id: str) -> float | None:
        """Return the energy since local midnight in kWh."""
        register = (self._registers or {}).get(entity_id)
        return None if register is None else register.today

    def _known(self, memory: Mapping[str, Json]) -> dict[str, _Register]:
        if self._registers is None:
            kept = memory.get(_KEPT)
            try:
                self._registers = {
                    key: _Register(**one)  # type: ignore[arg-type]  # what we wrote; anything else is a TypeError
                    for key, one in (kept if isinstance(kept, dict) else {}).items()
                    if isinstance(one, dict)
                }
            except TypeError:
                self._registers = {}
        return self._registers

    def _save(self, context: Context) -> None:
        memory: MutableMapping[str, Json] = context.memory
        now = context.now()
        if self._saved is None or not timedelta() <= now - self._saved < SAVED_EVERY:
            self._saved = now
            memory[_KEPT] = {key: asdict(register) for key, register in (self._registers or {}).items()}


def in_unit(state: EntityState, value: float, unit: str) -> float:
    """Return the value of an entity in `unit`.

    Raises:
        SourceBadAnswer: the entity's unit does not measure the same.
    """
    try:
        return convert(value, state.unit or "", unit)
    except UnitError as error:
        raise SourceBadAnswer(f"{state.entity_id} is not in {unit} or the like: {error}") from None


async def _begun(context: Context, entity_id: str, kwh: float, at: datetime) -> _Register:
    """Return a register that is met for the first time: what it did today is told by our own history."""
    now = context.now()
    midnight, _ = day_around(now, ZoneInfo(context.home.timezone))
    past = await context.access.history(entity_id, min(midnight, now - LOOKED_BACK), now, tier="raw")
    try:
        factor = convert(1.0, past.unit or "kWh", "kWh")
    except UnitError:
        factor = 0.0
    steps = [(one, (one.increase or 0.0) * factor) for one in past.stretches]
    today = sum(step for one, step in steps if one.start >= midnight)
    newest = steps[-1] if steps and steps[-1][0].known > 0 else None
    watts = newest[1] * 3.6e6 / newest[0].known if newest and factor and now - newest[0].end < STILL else None
    return _Register(kwh, at.isoformat(), _day(context, now), max(today, 0.0), watts)


def _go_on(register: _Register, kwh: float, at: datetime, context: Context) -> None:
    before = datetime.fromisoformat(register.at)
    if at - before < SHORTEST or kwh == register.kwh:
        return
    step, seconds = kwh - register.kwh, (at - before).total_seconds()
    register.kwh, register.at = kwh, at.isoformat()
    if step < 0:
        # It has started again; what went through it in between is not known.
        register.watts = None
        return
    register.watts, register.step = step * 3.6e6 / seconds, seconds
    midnight, _ = day_around(at, ZoneInfo(context.home.timezone))
    # What began yesterday counts for today as far as it lies in today.
    share = 1.0 if before >= midnight else (at - midnight).total_seconds() / seconds
    day = _day(context, at)
    register.today = step * share + (register.today if register.day == day else 0.0)
    register.day = day


def _turn_day(register: _Register, context: Context) -> None:
    if register.day != (day := _day(context, context.now())):
        register.day, register.today = day, 0.0


def _day(context: Context, moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(context.home.timezone)).date().isoformat()
