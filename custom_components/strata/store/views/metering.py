"""Which entities of a device measure what it uses, and which only tell again what another one tells."""

from collections.abc import Sequence

from ...core.model import Kind, Series
from ...core.rollup import Rollup
from ...core.units import UnitError, convert

_CYCLES = frozenset(
    "today yesterday hourly daily weekly monthly quarterly yearly hour day week month quarter year".split()  # noqa: SIM905 - words
)
"""Words that end the names of meters which count again what the device's own meter counts."""
_QUANTITIES = frozenset(
    "energy power consumption consumed usage total active current now electric electricity kwh wh w kw".split()  # noqa: SIM905 - words
)
"""Words that tell what is measured, not of what."""
_PHASES = frozenset("phase l1 l2 l3 a b c".split())  # noqa: SIM905 - words
_NIGHT = "night"


def factor_to(unit: str | None, wanted: str) -> float | None:
    """Return what a value in `unit` is multiplied with to be in `wanted`, None where it is no such quantity."""
    if unit is None:
        return None
    try:
        return convert(1.0, unit, wanted)
    except UnitError:
        return None


def is_meter(series: Series) -> bool:
    """Tell whether a series counts energy."""
    return series.kind is Kind.METER and _is_sensor(series) and factor_to(series.unit, "kWh") is not None


def is_power(series: Series) -> bool:
    """Tell whether a series measures power, and not a limit, a rating or a set-point in watts."""
    measured = series.kind is Kind.MEASUREMENT and series.labels.get("device_class") == "power"
    return measured and _is_sensor(series) and factor_to(series.unit, "W") is not None


def _is_sensor(series: Series) -> bool:
    return series.labels.get("entity_id", "").startswith("sensor.")


def named_for(series: Series) -> list[str]:
    """Return the words of an entity's name that tell of what it is, without those that tell what it measures."""
    words = series.labels.get("entity_id", "").partition(".")[2].split("_")
    return [word for word in words if word not in _QUANTITIES]


def counted_once(own: Sequence[tuple[Series, Rollup]]) -> list[tuple[Series, Rollup]]:
    """Return a device's meters, or its powers, without those that tell again what others of them tell.

    Those are the meters of a day or a month beside a lasting one, and the phases beside the sum of them.
    """
    names = {id(each): named_for(each[0]) for each in own}
    tariffs = {tuple(name[:-1]) for name in names.values() if name[-1:] == [_NIGHT]}

    def is_cycle(name: list[str]) -> bool:
        # The register of the day beside that of the night is no meter of one day.
        return bool(name) and name[-1] in _CYCLES and not (name[-1] == "day" and tuple(name[:-1]) in tariffs)

    lasting = [each for each in own if not is_cycle(names[id(each)])] or list(own[:1])
    whole = {tuple(name) for each in lasting if _PHASES.isdisjoint(name := names[id(each)])}

    def is_part(name: list[str]) -> bool:
        rest = [word for word in name if word not in _PHASES]
        return len(rest) < len(name) and tuple(rest) in whole

    return [each for each in lasting if not is_part(names[id(each)])]
