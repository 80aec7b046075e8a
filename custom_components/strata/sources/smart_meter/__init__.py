"""Smart meters: power at the grid, of the house and of its circuits, energy today, and standby."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from ..base import (
    Json,
    Metric,
    MetricValue,
    Occurrence,
    Role,
    Snapshot,
    SourceEvent,
    StoredField,
    StoredPart,
    has_field,
)
from .emporia_vue import EmporiaVue
from .energy_dashboard import EnergyDashboard
from .entity import Entity
from .meter import BATTERY, CIRCUIT, CIRCUIT_POWER, HIGH, HOUSE, POWER, SOLAR, TODAY, WATT
from .sense import Sense
from .standby import COST, NIGHTS, RISEN, STANDBY, TREND

GOOD_FOR = timedelta(minutes=30)
MOST = 1e6
"""W; more than any home's connection carries."""


def _value(field: str) -> Callable[[Snapshot], MetricValue]:
    return lambda snapshot: snapshot.reading.fields.get(field)


def _power(
    field: str, attributes: Callable[[Snapshot], Mapping[str, Json]] | None = None, *, always: bool = True
) -> Metric:
    return Metric(
        key=field,
        value=_value(field),
        unit=WATT,
        device_class="power",
        state_class="measurement",
        precision=0,
        comes_when=None if always else has_field(field),
        attributes=attributes,
        unrecorded=frozenset({"circuits"}) if attributes else frozenset(),
    )


def _watts(field: str, lowest: float = -MOST) -> StoredField:
    return StoredField(name=field, unit=WATT, minimum=lowest, maximum=MOST, fine=True)


def _circuits(snapshot: Snapshot) -> Mapping[str, Json]:
    """Return the circuits, the strongest first."""
    parts = [part for part in snapshot.reading.parts if part.measurement == CIRCUIT]
    parts.sort(key=lambda part: -float(part.fields["power_w"]))
    rows: list[Json] = [{"circuit": part.tags["circuit_name"], **part.fields} for part in parts]
    return {"circuits": rows}


def _currency(snapshot: Snapshot) -> str:
    return str(snapshot.reading.notes.get("standby_currency") or snapshot.home.currency)


def _turned_high(before: Snapshot, after: Snapshot) -> Occurrence | None:
    was, is_high = (one.reading.fields.get(HIGH) for one in (before, after))
    if is_high is None or was is None or bool(was) == bool(is_high):
        return None
    fields = after.reading.fields
    attributes: dict[str, Json] = {
        "power_w": fields.get(POWER) if fields.get(HOUSE) is None else fields.get(HOUSE),
        "limit_w": after.reading.notes.get("high_power_limit_w"),
        **{key: rows[:3] for key, rows in _circuits(after).items() if isinstance(rows, list)},
    }
    return Occurrence(type="began" if is_high else "ended", attributes=attributes)


SMART_METER = Role(
    key="smart_meter",
    measurement="smart_meter",
    tags=("meter_type",),
    fields=(
        _watts(POWER),
        _watts(HOUSE),
        _watts(SOLAR),
        _watts(BATTERY),
        _watts(CIRCUIT_POWER),
        StoredField(name=TODAY, kind="meter", unit="kWh", minimum=0, maximum=1e5),
        StoredField(name=HIGH, kind="on_off"),
        _watts(STANDBY, 0),
        _watts(TREND),
        StoredField(name=RISEN, kind="on_off"),
        StoredField(name=COST, unit="1", minimum=0),
    ),
    parts=(
        StoredPart(
            measurement=CIRCUIT,
            fields=(_watts("power_w"), StoredField(name="percentage", unit="%", minimum=0, maximum=1e6)),
        ),
        StoredPart(measurement=NIGHTS, fields=(StoredField(name="power_w", unit=WATT, minimum=0, maximum=MOST),)),
    ),
    metrics=(
        _power(POWER),
        _power(HOUSE),
        _power(SOLAR, always=False),
        _power(BATTERY, always=False),
        _power(CIRCUIT_POWER, _circuits, always=False),
        Metric(
            key=TODAY,
            value=_value(TODAY),
            unit="kWh",
            device_class="energy",
            state_class="total_increasing",
            precision=2,
        ),
        Metric(key=HIGH, value=_value(HIGH), binary=True, device_class="problem"),
        _power(STANDBY),
        Metric(
            key=COST,
            value=_value(COST),
            unit_of=_currency,
            device_class="monetary",
            precision=0,
        ),
        _power(TREND),
        Metric(key=RISEN, value=_value(RISEN), binary=True, device_class="problem"),
    ),
    main=POWER,
    interval=timedelta(minutes=5),
    good_for=lambda reading: GOOD_FOR,
    providers=(EnergyDashboard, Entity, Sense, EmporiaVue),
    events=(SourceEvent(key="high_power", types=("began", "ended"), fired="strata_high_power", occurred=_turned_high),),
)
