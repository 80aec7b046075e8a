"""What all providers of meters share: power at the grid, of the house and of its circuits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ...core.model import FieldValue
from ..answer import number
from ..base import Context, EntityState, Json, Options, Param, ParamKind, Part, Reading, SourceNoData
from .registers import in_unit
from .standby import ALWAYS_ON, StandbyWatch

POWER, HOUSE, SOLAR, BATTERY = "total_power_w", "house_power_w", "solar_power_w", "battery_power_w"
TODAY, CIRCUIT_POWER, HIGH = "daily_kwh", "circuit_power_w", "high_power"
CIRCUIT: Final = "smart_meter_circuit"
WATT: Final = "W"
PAUSE: Final = timedelta(seconds=30)
"""Meters change every second; more often than this nothing new follows."""
SENSORS: Final = ("sensor", "input_number", "number")

_HIGH_NOW: Final = "high"
_STAYS_HIGH: Final = 0.9
"""What is high stays so until it is below this share of the limit: it must not flicker around it."""

LIMIT: Final = Param(
    key="high_power_kw",
    kind=ParamKind.NUMBER,
    required=False,
    default=lambda home: 10,
    minimum=0.1,
    maximum=1000,
    unit="kW",
)
SHARED: Final = (LIMIT, ALWAYS_ON)


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit or device; `inside` is the key of the circuit that its power is also counted in."""

    key: str
    watts: float
    inside: str | None
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a meter tells. Of solar and batteries every part there is: an empty tuple where there is none."""

    meter_type: str
    grid: float | None
    """W, positive from the grid."""
    solar: tuple[float | None, ...] = ()
    battery: tuple[float | None, ...] = ()
    """W, positive where a battery gives."""
    circuits: Sequence[Circuit] = ()
    today: float | None = None
    """kWh from the grid since local midnight."""
    observed_at: datetime | None = None
    notes: Mapping[str, Json] = field(default_factory=dict)

    @property
    def house(self) -> float | None:
        """What the house uses: what comes from grid, roof and batteries together; None when a part is not known."""
        parts = (self.grid, *self.solar, *self.battery)
        return None if None in parts else sum(part for part in parts if part is not None)


def power_of(context: Context, entity_id: str | None) -> float | None:
    """Return an entity's power in W, None where it has none now.

    Raises:
        SourceBadAnswer: it is not in a unit of power.
    """
    state: EntityState | None = context.access.state(entity_id) if entity_id else None
    value = number(state.state) if state is not None else None
    return None if state is None or value is None else in_unit(state, value, WATT)


def together(parts: Iterable[float | None]) -> float | None:
    """Return the sum, None where there is nothing or a part is not known."""
    known = list(parts)
    return None if not known or None in known else sum(part for part in known if part is not None)


def called(context: Context, entity_id: str) -> str:
    """Return what an entity is called."""
    state = context.access.state(entity_id)
    return str(state.attributes.get("friendly_name") or entity_id) if state else entity_id


def each_once(circuits: Sequence[Circuit]) -> dict[str, float]:
    """Return the power of each circuit, by name, without that of circuits inside it: nothing counts twice.

    Circuits of one name are one. What is inside takes away no more than there is: meters are not read at once.
    """
    inner: dict[str, float] = {}
    for circuit in circuits:
        if circuit.inside is not None and circuit.inside != circuit.key:
            inner[circuit.inside] = inner.get(circuit.inside, 0.0) + circuit.watts
    own: dict[str, float] = {}
    for circuit in circuits:
        rest = circuit.watts - inner[circuit.key] if circuit.key in inner else circuit.watts
        rest = max(rest, 0.0) if circuit.watts >= 0 else rest
        own[circuit.name] = own.get(circuit.name, 0.0) + rest
    return own


class MeterReader:
    """Turns what a meter tells into readings of one source, and keeps what spans them."""

    def __init__(self, options: Options) -> None:
        """Take the parameters all meters have."""
        limit = number(options.get(LIMIT.key))
        self._limit = 1000.0 * (10.0 if limit is None else limit)
        self._standby = StandbyWatch(options)

    async def reading(self, context: Context, measured: Measured) -> Reading:
        """Return the reading.

        Raises:
            SourceNoData: neither power nor energy is known.
        """
        if measured.grid is None and measured.today is None:
            raise SourceNoData("neither the power nor the energy from the grid is known")
        now, tags = context.now(), {"meter_type": measured.meter_type}
        own = each_once(measured.circuits)
        standing = await self._standby.look(context, tags)
        fields: dict[str, FieldValue | None] = {
            POWER: measured.grid,
            HOUSE: measured.house,
            SOLAR: together(measured.solar),
            BATTERY: together(measured.battery),
            TODAY: measured.today,
            CIRCUIT_POWER: sum(own.values()) if own else None,
            HIGH: self._is_high(context, measured),
            **standing.fields,
        }
        circuits = [_part(name, watts, measured, tags) for name, watts in own.items()]
        return Reading(
            fields=fields,
            tags=tags,
            observed_at=min(measured.observed_at or now, now),
            fetched_at=now,
            unit=WATT,
            notes={**measured.notes, **standing.notes, "high_power_limit_w": self._limit},
            parts=(*circuits, *standing.parts),
        )

    def _is_high(self, context: Context, measured: Measured) -> bool | None:
        watts = measured.grid if measured.house is None else measured.house
        if watts is None:
            return None
        before = context.memory.get(_HIGH_NOW) is True
        high = watts > self._limit * (_STAYS_HIGH if before else 1.0)
        if high != before:
            context.memory[_HIGH_NOW] = high
        return high


def _part(name: str, watts: float, measured: Measured, tags: Mapping[str, str]) -> Part:
    fields: dict[str, FieldValue] = {"power_w": watts}
    house = measured.house
    if house is not None and house > 0 and watts >= 0:
        fields["percentage"] = 100 * watts / house
    return Part(measurement=CIRCUIT, tags={"circuit_name": name, **tags}, fields=fields)
