"""The part of the report about real history: each day's energy, stored and computed from the file."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from .home import SECOND, Home, Nature
from .proof import Truth
from .stored import StoredSeries
from .truth import Bucket

_WATTS = {"mW": 1e-3, "W": 1.0, "kW": 1e3, "MW": 1e6}
_KWH = {"Wh": 1e-3, "kWh": 1.0, "MWh": 1e3}


def energy(bucket: Bucket, nature: Nature, unit: str) -> float | None:
    """Return the energy of a bucket in kWh: of a power over time, or of a register; else None."""
    if nature is Nature.LEVEL and unit in _WATTS:
        return bucket.integral * _WATTS[unit] / 3.6e6
    if nature is Nature.REGISTER and unit in _KWH:
        return bucket.increase * _KWH[unit]
    return None


def history_report(home: Home, truth: Truth, stored: Mapping[str, StoredSeries]) -> dict[str, object]:
    """Return each entity's days as stored, beside what the file says, and the largest relative error of any bucket."""
    zone = ZoneInfo(home.timezone)
    entities: dict[str, object] = {}
    for name, entity in home.entities.items():
        if name not in stored:
            continue
        unit = str(entity.attributes.get("unit_of_measurement", ""))
        by_start = {bucket.start: bucket for bucket in stored[name].tiers["daily"]}
        hours = stored[name].tiers["hourly"]
        days = []
        for true in truth.days[name]:
            if (found := by_start.get(true.start)) is None:
                continue
            days.append(
                {
                    "date": datetime.fromtimestamp(true.start / SECOND, zone).date().isoformat(),
                    "kwh": energy(found, entity.nature, unit),
                    "file_kwh": energy(true, entity.nature, unit),
                    "hours": sum(true.start <= hour.start < true.end for hour in hours),
                    "covered_seconds": found.covered,
                }
            )
        entities[name] = {"unit": unit, "days": days, "max_relative_error": _worst(entity.nature, name, truth, stored)}
    return {"timezone": home.timezone, "entities": entities}


def _worst(nature: Nature, name: str, truth: Truth, stored: Mapping[str, StoredSeries]) -> float:
    """Return the largest relative error of an hour's mean and a day's energy."""
    worst = 0.0
    for tier in ("hourly", "daily"):
        by_start = {bucket.start: bucket for bucket in stored[name].tiers[tier]}
        for true in truth.of_tier(tier)[name]:
            found = by_start.get(true.start)
            if found is None or not found.covered or not true.covered:
                continue
            for wanted, got in _amounts(nature, true, found):
                worst = max(worst, abs(got - wanted) / max(abs(wanted), 1e-9))
    return worst


def _amounts(nature: Nature, true: Bucket, found: Bucket) -> list[tuple[float, float]]:
    if nature is Nature.LEVEL:
        return [(true.mean, found.mean), (true.integral, found.integral)]
    if nature is Nature.REGISTER:
        return [(true.increase, found.increase)]
    return []
