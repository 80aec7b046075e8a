"""What all providers of air quality share: names, places, and a reading made of hourly concentrations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import math
from typing import Final

from ...core import aqi
from ...core.model import FieldValue, Forecast
from ...core.units import UnitError, convert
from ..answer import number
from ..base import Context, Home, Json, Options, Param, ParamKind, Reading, Snapshot, SourceBadAnswer, SourceNoData

AQI = "aqi"
EUROPEAN = "european_aqi"
UV = "uv_index"
CATEGORY = "category"
"""Of the whole and, behind a pollutant's name, of that pollutant: the text that labels each row."""
DOMINANT = "dominant_pollutant"
UNIT: Final = "AQI"
MICROGRAMS: Final = "µg/m³"
PARAMETERS: Final[Mapping[str, str]] = {
    aqi.PM2_5: "PM2.5",
    aqi.PM10: "PM10",
    aqi.O3: "O3",
    aqi.NO2: "NO2",
    aqi.SO2: "SO2",
    aqi.CO: "CO",
}
"""Pollutants as the tag `parameter` names them."""
OVERALL: Final = "overall"
"""The tag `parameter` of what is no single pollutant's."""
HOURS_KEPT: Final = 24
"""As many hours as the longest mean (sulphur dioxide) needs."""
PROVIDER: Final = "provider"
"""Label of an index that the provider has computed itself."""
PARTS: Final[Mapping[str, float]] = {"ppb": 1.0, "ppm": 1000.0}
"""Units of gases by volume, in ppb."""
HIGHEST: Final = 1e6
"""µg/m³. What is above is a fault and would spoil means for a day."""

PLACE: Final = Param(key="place", kind=ParamKind.LATITUDE_LONGITUDE, required=False)


def index_of(pollutant: str) -> str:
    """Return the name of a pollutant's sub-index among the role's fields."""
    return f"{pollutant}_aqi"


def category_of(pollutant: str) -> str:
    """Return the name of a pollutant's category among what `air_fields` gives."""
    return f"{pollutant}_{CATEGORY}"


def coordinates(options: Options, home: Home) -> tuple[float, float]:
    """Return latitude and longitude of the place that was chosen, else of the home: to 2 decimals, about 1 km."""
    place = options.get(PLACE.key)
    chosen = place if isinstance(place, Mapping) else {}
    latitude, longitude = number(chosen.get("latitude")), number(chosen.get("longitude"))
    if latitude is None or longitude is None:
        return home.latitude, home.longitude
    return round(latitude, 2), round(longitude, 2)


def place_title(options: Options) -> str:
    """Return what tells a chosen place from others; empty for the home."""
    place = options.get(PLACE.key)
    return f"{place['latitude']:.2f}, {place['longitude']:.2f}" if isinstance(place, Mapping) else ""


def in_micrograms(pollutant: str, value: float, unit: object, what: str) -> float:
    """Return a concentration in µg/m³; gases may come in parts per billion or million.

    Raises:
        SourceBadAnswer: the unit is none of a concentration; the message names `what`.
    """
    if pollutant in aqi.MICROGRAMS_PER_PPB and str(unit) in PARTS:
        return aqi.micrograms(pollutant, value * PARTS[str(unit)])
    try:
        return convert(value, str(unit), MICROGRAMS)
    except UnitError:
        raise SourceBadAnswer(f"{what} is in the unit {unit!r}, which is none of a concentration") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """What a provider found out about the air at one place and time."""

    location: str
    """Name of the station, or rounded coordinates."""
    observed_at: datetime
    hours: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Concentrations in µg/m³ by pollutant, hour by hour, the newest first."""
    hourly: bool = True
    """Whether these are means of hours; if not, a single one is an instant's."""
    given: Mapping[str, float | None] = field(default_factory=dict)
    """Indices the provider has computed itself, by pollutant; `OVERALL` for that of the whole."""
    uv: float | None = None
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    estimated: bool = False
    """True where a model says it, and no instrument."""
    notes: Mapping[str, Json] = field(default_factory=dict)


def air_reading(context: Context, air: Air, attribution: str | None) -> Reading:
    """Return the reading: the US index is our own where concentrations are known, else the provider's.

    Raises:
        SourceNoData: nothing of the air is known.
    """
    newest = {pollutant: next(iter(hours), None) for pollutant, hours in air.hours.items()}
    indices = {one.pollutant: one for one in _indices(air)}
    main = aqi.dominant(indices.values())
    if main is None and air.uv is None and all(value is None for value in newest.values()):
        raise SourceNoData("nothing is known of the air there")
    levels = [aqi.european_level(pollutant, value) for pollutant, value in newest.items() if value is not None]
    known = [level for level in levels if level is not None]
    pollutants = {name: one for name, one in indices.items() if name != OVERALL}
    fields: dict[str, FieldValue | None] = {
        AQI: None if main is None else float(main.value),
        EUROPEAN: float(max(known)) if known else None,
        UV: air.uv,
        **newest,
        **{index_of(name): float(one.value) for name, one in pollutants.items()},
    }
    notes: dict[str, Json] = {**air.notes}
    if main is not None:
        notes |= {
            "averaging": main.averaging,
            DOMINANT: None if main.pollutant == OVERALL else main.pollutant,
            "sub_indices": {name: {AQI: one.value, "averaging": one.averaging} for name, one in pollutants.items()},
        }
    return Reading(
        fields=fields,
        tags={"location": air.location, "parameter": OVERALL},
        observed_at=air.observed_at,
        fetched_at=context.now(),
        unit=UNIT,
        forecasts=air.forecasts,
        estimated=air.estimated,
        attribution=attribution,
        notes=notes,
    )


def _indices(air: Air) -> list[aqi.SubIndex]:
    given = {name: value for name, value in air.given.items() if value is not None and 0 <= value <= HIGHEST}
    ours = aqi.sub_indices({name: sound(hours) for name, hours in air.hours.items()}, hourly=air.hourly)
    computed = [one for one in ours if one.pollutant not in given]
    # The whole as the provider says it counts only where no pollutant's share is known: it is made of them.
    parts = {name: value for name, value in given.items() if name != OVERALL}
    whole = {} if parts or computed else given
    return computed + [aqi.SubIndex(name, round(value), PROVIDER) for name, value in (parts or whole).items()]


def sound(hours: Sequence[float | None]) -> list[float | None]:
    """Return concentrations without what can be none."""
    return [value if value is not None and 0 <= value <= HIGHEST else None for value in hours]


def remembered(
    context: Context, observed_at: datetime, values: Mapping[str, float | None], *, mean: bool = False
) -> dict[str, list[float | None]]:
    """Keep the concentrations of an hour and return those of the last 24 kept, by pollutant, the newest first.

    For providers that tell only the present. Within an hour the newest value stands for it or, with `mean`, all the
    hour's values together.
    """
    kept = context.memory.get("hours")
    hours: dict[str, Json] = dict(kept) if isinstance(kept, dict) else {}
    newest = observed_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    span = [(newest - timedelta(hours=age)).isoformat() for age in range(HOURS_KEPT)]
    before = hours.get(span[0])
    entry = dict(before) if isinstance(before, dict) else {}
    for name, value in values.items():
        if value is not None and math.isfinite(value):
            count, total = _counted(entry.get(name)) if mean else (0, 0.0)
            entry[name] = [count + 1, total + value]
    hours[span[0]] = entry
    context.memory["hours"] = {hour: hours[hour] for hour in span if hour in hours}
    return {name: [values.get(name), *(_mean(hours.get(hour), name) for hour in span[1:])] for name in values}


def _counted(value: Json) -> tuple[int, float]:
    if isinstance(value, list) and len(value) == 2:
        count, total = number(value[0]), number(value[1])
        if count and total is not None:
            return int(count), total
    return 0, 0.0


def _mean(hour: Json, name: str) -> float | None:
    count, total = _counted(hour.get(name)) if isinstance(hour, dict) else (0, 0.0)
    return total / count if count else None


def air_fields(snapshot: Snapshot) -> dict[str, FieldValue | None]:
    """Return the reading's fields and the category, in the EPA's words, of each index among them."""
    fields = dict(snapshot.reading.fields)
    fields[CATEGORY] = _category(fields.get(AQI))
    for pollutant in PARAMETERS:
        fields[category_of(pollutant)] = _category(fields.get(index_of(pollutant)))
    return fields


def _category(index: FieldValue | None) -> str | None:
    return None if index is None or isinstance(index, str) else aqi.CATEGORY_NAMES[aqi.us_category(index)]
