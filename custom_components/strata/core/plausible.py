"""What a home can measure: the limits the gate judges by, as tables.

Limits are wide on purpose. They tell a broken reading from a rare one, never a rare one from a
usual one.
"""

from collections.abc import Mapping
import sys
from typing import NamedTuple

from .model import Kind
from .units import UnitError, convert

_HOUR_S = 3600.0
# The largest finite number: with it as a limit one comparison also refuses infinities.
HUGE = sys.float_info.max


class Limits(NamedTuple):
    """Values outside `[low, high]` are impossible."""

    low: float = -HUGE
    high: float = HUGE
    unit: str | None = None


class Jump(NamedTuple):
    """A change between two neighbouring values that is doubted until the next one confirms it.

    `sentinels` are what a sensor says when it has measured nothing; they are doubted after a
    change by more than `sentinel_step`.
    """

    size: float
    sentinels: tuple[float, ...] = ()
    sentinel_step: float = 0.0
    tolerance: float = 0.0

    def is_sentinel(self, value: float) -> bool:
        """Tell whether `value` is a sentinel, as far as rounding lets it be told."""
        return any(abs(value - sentinel) <= self.tolerance for sentinel in self.sentinels)


class Flow(NamedTuple):
    """How fast a meter may grow: `always` at once, and `per_second` times the seconds passed."""

    always: float
    per_second: float


_NOT_NEGATIVE = Limits(low=0.0)
_PERCENT = Limits(0.0, 100.0, "%")

_LIMITS: Mapping[str, Limits] = {
    # Absolute zero; no sensor in a home survives 2000 °C, while a 16-bit register that overflows says 3276.7 or 6553.5.
    "temperature": Limits(-273.15, 2000.0, "°C"),
    "humidity": _PERCENT,
    "moisture": _PERCENT,
    "battery": _PERCENT,
    # From the summit of Everest (about 330 hPa) to the highest pressure ever measured (1084.8 hPa), with room.
    "atmospheric_pressure": Limits(300.0, 1150.0, "hPa"),
    # A gauge may show less than the surrounding air, but not less than nothing.
    "pressure": Limits(-1150.0, HUGE, "hPa"),
    # A megawatt, in either direction, is a thousand homes.
    "power": Limits(-1e6, 1e6, "W"),
    "power_factor": Limits(-100.0, 100.0),
    "ph": Limits(0.0, 14.0),
} | dict.fromkeys(
    (
        "absolute_humidity",
        "aqi",
        "carbon_dioxide",
        "carbon_monoxide",
        "data_rate",
        "data_size",
        "energy_storage",
        "frequency",
        "illuminance",
        "nitrogen_dioxide",
        "nitrogen_monoxide",
        "nitrous_oxide",
        "ozone",
        "pm1",
        "pm10",
        "pm25",
        "pm4",
        "precipitation",
        "precipitation_intensity",
        "radon",
        "speed",
        "sulphur_dioxide",
        "volatile_organic_compounds",
        "volatile_organic_compounds_parts",
        "volume_storage",
        "wind_speed",
    ),
    _NOT_NEGATIVE,
)
"""Impossible values by Home Assistant device class."""

# A DS18B20 says 85.0 °C before its first measurement; drivers say -127 °C for one that is not there.
_JUMPS: Mapping[str, tuple[Jump, str]] = {
    "temperature": (Jump(50.0, (85.0, -127.0), 10.0, 0.05), "°C"),
    # The deepest weather change takes an hour for 10 hPa.
    "atmospheric_pressure": (Jump(30.0), "hPa"),
}
"""Doubtful jumps by device class. Power is not here: a kettle is a real jump."""

# 100 kW is more than the main fuse of a home lets through (3 × 100 A at 230 V: 69 kW); 20 m³/h is five times the gas of
# a 40 kW boiler and more water than a home's pipe carries. What is always believed covers coarse steps of meters.
_FLOWS = (("kWh", Flow(1.0, 100.0 / _HOUR_S)), ("m³", Flow(0.1, 20.0 / _HOUR_S)))


def _in_unit(value: float, unit: str | None, wanted: str | None) -> float | None:
    """Return `value` in the wanted unit; None where that cannot be told."""
    if unit is None or unit == wanted or abs(value) == HUGE:
        return value
    try:
        # Rounded, so that a limit itself, converted by the sensor, is not outside by a last digit.
        return round(convert(value, unit, wanted or ""), 9)
    except UnitError:
        return None


def limits(device_class: str | None, unit: str | None) -> Limits:
    """Return what is possible for a device class, in `unit`; unknown units leave everything possible."""
    rule = _LIMITS.get(device_class or "", Limits())
    if rule is _PERCENT and unit is None:
        return rule
    low, high = _in_unit(rule.low, rule.unit, unit), _in_unit(rule.high, rule.unit, unit)
    return Limits() if low is None or high is None else Limits(low, high, unit)


def jump(kind: Kind, device_class: str | None, unit: str | None) -> Jump | None:
    """Return the doubtful jump of a measurement in `unit`, None where every change is believed."""
    if kind is not Kind.MEASUREMENT or device_class is None or device_class not in _JUMPS:
        return None
    rule, own = _JUMPS[device_class]
    zero, one = _in_unit(0.0, own, unit), _in_unit(1.0, own, unit)
    if zero is None or one is None:
        return None
    scale = round(one - zero, 9)
    sentinels = tuple(zero + scale * value for value in rule.sentinels)
    return Jump(rule.size * scale, sentinels, rule.sentinel_step * scale, rule.tolerance * scale)


def flow(kind: Kind, unit: str | None) -> Flow | None:
    """Return how fast a meter in `unit` may grow, None where that is not known."""
    if kind is not Kind.METER or unit is None:
        return None
    for own, rule in _FLOWS:
        factor = _in_unit(1.0, own, unit)
        if factor is not None:
            return Flow(rule.always * factor, rule.per_second * factor)
    return None
