"""Air quality: the US and the European index, what they are made of, and the index of the next days."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from ...core.aqi import CATEGORIES, CATEGORY_NAMES, CO, EUROPEAN_LEVELS, NO2, O3, PM2_5, PM10, POLLUTANTS, SO2
from ..base import (
    Json,
    Metric,
    MetricValue,
    Occurrence,
    Role,
    Snapshot,
    SourceEvent,
    StoredField,
    StoredForecast,
    has_field,
)
from ..slots import slots_attribute
from .air import (
    AQI,
    CATEGORY,
    DOMINANT,
    EUROPEAN,
    MICROGRAMS,
    PARAMETERS,
    UV,
    air_fields,
    category_of,
    index_of,
)
from .airnow import AirNow
from .entity import Entity
from .open_meteo import OpenMeteo
from .openaq import OpenAQ
from .purpleair import PurpleAir
from .waqi import Waqi

GOOD_FOR: Final = timedelta(hours=3)
JUDGED_BY: Final = timedelta(hours=6)
HIGHEST_INDEX: Final = 20_000
"""Dust storms have passed 10,000 µg/m³ of PM10."""
DEVICE_CLASSES: Final[Mapping[str, str]] = {
    PM2_5: "pm25",
    PM10: "pm10",
    O3: "ozone",
    NO2: "nitrogen_dioxide",
    SO2: "sulphur_dioxide",
    CO: "carbon_monoxide",
}
_CATEGORY_KEYS: Final = {name: key for key, name in CATEGORY_NAMES.items()}


def _field(name: str) -> Callable[[Snapshot], MetricValue]:
    return lambda snapshot: snapshot.reading.fields.get(name)


def _index(snapshot: Snapshot) -> MetricValue:
    index = snapshot.reading.fields.get(AQI)
    return int(index) if isinstance(index, int | float) else None


def _category(snapshot: Snapshot) -> MetricValue:
    return _CATEGORY_KEYS.get(str(air_fields(snapshot)[CATEGORY]))


def _european(snapshot: Snapshot) -> MetricValue:
    level = snapshot.reading.fields.get(EUROPEAN)
    return EUROPEAN_LEVELS[int(level) - 1] if isinstance(level, int | float) else None


def _european_level(snapshot: Snapshot) -> Mapping[str, Json]:
    level = snapshot.reading.fields.get(EUROPEAN)
    return {"level": int(level)} if isinstance(level, int | float) else {}


def _dominant(snapshot: Snapshot) -> MetricValue:
    pollutant = snapshot.reading.notes.get(DOMINANT)
    return pollutant if isinstance(pollutant, str) and pollutant in POLLUTANTS else None


def _category_changed(before: Snapshot, after: Snapshot) -> Occurrence | None:
    """Tell whether the category is another, and which way it went."""
    old, new = _category(before), _category(after)
    if not isinstance(old, str) or not isinstance(new, str) or old == new:
        return None
    index = after.reading.fields.get(AQI)
    return Occurrence(
        type="improved" if CATEGORIES.index(new) < CATEGORIES.index(old) else "worsened",
        attributes={
            "location": after.reading.tags["location"],
            "from": old,
            "to": new,
            AQI: index,
            DOMINANT: after.reading.notes.get(DOMINANT),
        },
    )


def _slots(name: str) -> Callable[[Snapshot], Mapping[str, Json]]:
    def attributes(snapshot: Snapshot) -> Mapping[str, Json]:
        forecast = snapshot.reading.forecasts.get(name)
        return {"estimated": snapshot.reading.estimated, **slots_attribute(forecast, snapshot.now, name)}

    return attributes


def _stored(pollutant: str) -> tuple[StoredField, StoredField]:
    """Return a pollutant's two fields: its concentration, and its sub-index, which is stored as its `aqi`."""
    tags, label = {"parameter": PARAMETERS[pollutant]}, category_of(pollutant)
    return (
        # A fire in the room next door passes 10,000; what passes 100,000 is a fault.
        StoredField(name=pollutant, unit=MICROGRAMS, minimum=0, maximum=100_000, tags=tags, label=label),
        StoredField(name=index_of(pollutant), minimum=0, maximum=HIGHEST_INDEX, stored_as=AQI, tags=tags, label=label),
    )


AIR_QUALITY = Role(
    key="air_quality",
    measurement="air_quality",
    tags=("location", "parameter"),
    fields=(
        StoredField(name=AQI, minimum=0, maximum=HIGHEST_INDEX, label=CATEGORY),
        StoredField(name=EUROPEAN, unit="level", minimum=1, maximum=len(EUROPEAN_LEVELS), label=CATEGORY),
        # The highest ever measured is 43.
        StoredField(name=UV, unit="UV index", minimum=0, maximum=50, label=CATEGORY),
        *(stored for pollutant in POLLUTANTS for stored in _stored(pollutant)),
    ),
    metrics=(
        Metric(
            key=AQI,
            value=_index,
            device_class="aqi",
            state_class="measurement",
            precision=0,
            attributes=_slots(AQI),
            unrecorded=frozenset({"forecast"}),
        ),
        Metric(key="air_quality_category", value=_category, device_class="enum", options=CATEGORIES),
        Metric(
            key=EUROPEAN,
            value=_european,
            device_class="enum",
            options=EUROPEAN_LEVELS,
            comes_when=has_field(EUROPEAN),
            attributes=_european_level,
        ),
        Metric(
            key=DOMINANT,
            value=_dominant,
            device_class="enum",
            options=POLLUTANTS,
            comes_when=lambda snapshot: _dominant(snapshot) is not None,
        ),
        *(
            Metric(
                key=pollutant,
                value=_field(pollutant),
                unit=MICROGRAMS,
                device_class=DEVICE_CLASSES[pollutant],
                state_class="measurement",
                precision=1,
                comes_when=has_field(pollutant),
            )
            for pollutant in POLLUTANTS
        ),
        Metric(
            key=UV,
            value=_field(UV),
            unit="UV index",
            state_class="measurement",
            precision=1,
            comes_when=has_field(UV),
            attributes=_slots(UV),
            unrecorded=frozenset({"forecast"}),
        ),
    ),
    main=AQI,
    interval=timedelta(hours=1),
    good_for=lambda reading: GOOD_FOR,
    providers=(OpenMeteo, Entity, AirNow, OpenAQ, Waqi, PurpleAir),
    forecasts=(
        StoredForecast(forecast=AQI, measurement="air_quality_forecast", field=AQI, judged_by=JUDGED_BY),
        StoredForecast(forecast=UV, measurement="air_quality_forecast", field=UV),
    ),
    events=(
        SourceEvent(
            key="air_quality_category_change",
            types=("improved", "worsened"),
            fired="strata_air_quality_category",
            occurred=_category_changed,
        ),
    ),
    label=CATEGORY,
    fields_at=air_fields,
)
